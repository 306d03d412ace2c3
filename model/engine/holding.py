# SPDX-License-Identifier: GPL-3.0-or-later
"""The feet of a solved take held: in the last stage of a solve, and once more where the user says otherwise when they stand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from ..actors.actor import Actor
from ..actors.hierarchy import carrying, prior_of, same_hierarchy
from ..actors.prior import PosePrior, bundled
from ..core.parallel import side_by_side, usable_cores
from ..core.settings import Settings
from ..core.take import BoolArray, CleanTake, Take, number_type
from ..feet.contacts import find_soles
from ..feet.legs import Asked, hold_feet
from ..result.solution import Solution
from ..result.unheld import Unheld
from ..solver.device import find_device, one_torch_thread
from ..solver.kinematics import Body, Pose
from ..solver.sampling import as_arrays

#: {foot: first and last frame of each stretch in which it stands}, counted from 0.
Stands = Mapping[str, list[list[int]]]


def asked_of_feet(settings: Settings, stands: Stands | None, frames: int) -> Asked:
    """How a take of so many frames asks for its feet to be held; `stands` where the user says when they stand."""
    flags: dict[str, BoolArray] = {}
    for foot, spans in (stands or {}).items():
        flags[foot] = np.zeros(frames, dtype=bool)
        for first, last in spans:
            flags[foot][max(0, first) : last + 1] = True
    lock = settings.lock_strength if settings.lock_feet else 0.0
    return Asked(lock, settings.floor / 1000 if settings.set_floor else None, flags)


def unheld_of(pose: Pose, actor: Actor, cleaned: CleanTake, keyed: BoolArray) -> Unheld:
    """What holding the feet anew will take."""
    take = cleaned.take
    rows = sorted({marker for sole in find_soles(actor) for marker in sole.markers})
    # the very numbers of the pose, which nobody changes any more
    root, turn, q = (part.cpu().numpy().astype(np.float32, copy=False) for part in (pose.root, pose.turn, pose.q))
    samples, trusted = take.positions[:, rows], cleaned.trusted[:, rows]
    return Unheld(root, turn, q, np.array(rows, dtype=np.intp), samples, trusted, take.rate_hz, take.up_axis, take.file_labels, keyed)


def hold_again(unheld: Unheld, actor: Actor, settings: Settings, stands: Stands | None = None) -> Solution:
    """A solution whose feet are held as asked; of its markers it knows those of the feet alone.

    Args:
        unheld: Of the solve.
        actor: Of the solve.
        settings: What is asked of feet, and the device.
        stands: Where the user says when feet stand.
    """
    device = find_device(settings.device)
    workers = settings.workers or (usable_cores() if device.type == "cpu" else 1)
    frames, labels = len(unheld.root), actor.labels
    positions = np.full((frames, len(labels), 3), np.nan, dtype=number_type(frames))
    trusted = np.zeros((frames, len(labels)), dtype=bool)
    positions[:, unheld.rows], trusted[:, unheld.rows] = unheld.samples, unheld.trusted
    residuals = np.zeros((frames, len(labels)))
    take = Take("", labels, positions, residuals, unheld.rate_hz, up_axis=unheld.up_axis, origins=unheld.origins)
    cleaned = CleanTake(take, positions, trusted)
    prior = _pose_prior(actor)
    with one_torch_thread(), side_by_side(workers), torch.no_grad():
        pose = Pose(*(torch.as_tensor(part, dtype=torch.float32, device=device) for part in (unheld.root, unheld.turn, unheld.q)))
        held = hold_feet(pose, actor, prior, cleaned, asked_of_feet(settings, stands, frames))
        places, rotations, markers = as_arrays(Body(actor, prior, device, pose.q.dtype), held.pose)
    return Solution(
        cleaned, actor, rotations, places, markers, contacts=held.contacts, keyed=unheld.keyed, floor_m=held.floor_m, unheld=unheld
    )


def _pose_prior(actor: Actor) -> PosePrior:
    """Whose coordinates an actor's poses have."""
    known = bundled()
    return known.pose if same_hierarchy(actor, known) else prior_of(actor, known, carrying(actor, known)).pose
