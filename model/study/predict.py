# SPDX-License-Identifier: GPL-3.0-or-later
"""A trained network as a solver of takes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..actors.actor import Actor
from ..actors.prior import Prior
from ..core.motion import Motion
from ..core.take import FloatArray, Take
from .joint_network import JointNetwork
from .preprocessing import from_frame, prepare, reference_of

#: A network that sees windows gets this many times its own length, and answers for the middle of it.
REACH = 4
#: Frames to answer at once.
FRAMES_AT_ONCE = 4096


@torch.no_grad()
def predict(network: JointNetwork, prior: Prior, actor: Actor, take: Take) -> tuple[Motion, FloatArray]:
    """Solve a take.

    Args:
        network: Trained; it gives rotations and the root.
        prior: That it was trained with.
        actor: Whose bones are moved.
        take: z up, of any labels; those that the network does not know are not seen.

    Returns:
        The motion of the actor's skeleton, and the actor's markers in it (frames, labels, 3) in metres.
    """
    reference = reference_of(prior)
    markers = np.full((take.frames, len(reference.labels), 3), np.nan, dtype=np.float32)
    for row, label in enumerate(reference.labels):
        if label in take.labels:
            markers[:, row] = take.positions[:, take.labels.index(label)]
    run = network.run
    prepared = prepare(markers[None], reference, run.preprocessing, take.rate_hz)
    device = next(network.parameters()).device
    rotations, place = _answered(network, prepared.features[0].to(device), run.training.window)
    local, root = from_frame(rotations[None].cpu(), place[None].cpu(), prepared)
    motion = Motion(actor.skeleton, local[0].double().numpy(), root[0].double().numpy(), take.rate_hz)
    return motion, actor.markers(motion)


def _answered(network: JointNetwork, features: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """Local rotations (frames, joints, 3, 3) and the root's place (frames, 3) for features (frames, markers, 4)."""
    frames = len(features)
    if window == 1:
        answers = [network(part[:, None]) for part in features.split(FRAMES_AT_ONCE)]
        return torch.cat([a.rotations[:, 0] for a in answers]), torch.cat([a.place[:, 0] for a in answers])
    # windows overlap, so that every frame but the first and the last has a past and a future
    long = min(frames, REACH * window)
    margin = min(window, (long - 1) // 2)
    rotations, places = [], []
    done = 0
    while done < frames:
        start = max(0, min(done - margin, frames - long))
        answer = network(features[None, start : start + long])
        end = frames if start + long >= frames else start + long - margin
        rotations.append(answer.rotations[0, done - start : end - start])
        places.append(answer.place[0, done - start : end - start])
        done = end
    return torch.cat(rotations), torch.cat(places)
