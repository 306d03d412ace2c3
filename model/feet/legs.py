# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings the soles of the feet to where they belong by a small correction of the legs, after poses are solved and smoothed.

The legs reach the wanted places y of the soles by steps of least effort,

    dx = W J' (J W J' + D)^-1 (y - p(x)),

with J the soles' Jacobian, W how readily each coordinate gives way and D what each sole may be missed by, both squared (damped
least squares: Nakamura and Hanafusa 1986, Wampler 1986). The root is stiff, but not rigid: a leg that is all but straight gets a
millimetre longer by moving the hips, not by snapping the knee.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..actors.actor import Actor
from ..actors.prior import PosePrior
from ..core.parallel import each
from ..core.skeleton import Skeleton
from ..core.take import CleanTake
from ..solver.frames import joined, windows
from ..solver.kinematics import Body, Pose, Posed, marker_jacobian, to_array
from ..solver.topology import ROOT_DOF
from .contacts import Contact, Sole, find_contacts, find_soles, follow
from .footing import Footing, calm_footing, locked_footing

#: How readily the root and the joints give way, in m and rad.
ROOT_GIVES_M, JOINTS_GIVE_RAD = 0.003, np.radians(2.0)
#: Steps: the first leaves some hundredths of a correction of millimetres; locked feet ask for more.
STEPS, LOCK_STEPS = 1, 5


class Legs:
    """The part of a body that bears its soles: their joints and all above them, with the soles' markers.

    Attributes:
        soles: At least one, their markers among the actor's.
        rows: Of the markers of all soles among the actor's.
        columns: Of the joints' coordinates among the prior's.
        body: Of these alone.
    """

    def __init__(self, actor: Actor, soles: tuple[Sole, ...], prior: PosePrior, like: Tensor) -> None:
        self.soles = soles
        self.rows = sorted({marker for sole in self.soles for marker in sole.markers})
        marked = actor.only(self.rows)
        joints = _with_ancestors(actor.skeleton.parents, np.flatnonzero(marked.weights.any(axis=0)))
        self.columns = np.flatnonzero(np.isin(prior.joints_of, joints))
        self.body = Body(_only_joints(marked, joints), _only_coordinates(prior, joints, self.columns), like.device, like.dtype)
        means = np.zeros((len(self.soles), len(self.rows)))
        for row, sole in zip(means, self.soles, strict=True):
            row[self.markers_of(sole)] = 1 / len(sole.markers)
        self.means = torch.as_tensor(means, dtype=like.dtype, device=like.device)

    def markers_of(self, sole: Sole) -> list[int]:
        """Rows of a sole's markers among the legs'."""
        return [self.rows.index(marker) for marker in sole.markers]

    def of(self, pose: Pose) -> Pose:
        """The pose of the legs alone."""
        return replace(pose, q=pose.q[:, self.columns])

    @torch.no_grad()
    def brought(self, pose: Pose, wanted: Tensor, give: Tensor, steps: int) -> Pose:
        """The legs' pose, brought in steps to where the soles are wanted.

        Args:
            pose: Of the legs.
            wanted: (frames, soles, 3) in metres.
            give: (frames, soles) in metres, by how much the places may be missed.
            steps: How many, at least 1.
        """
        for _ in range(steps):
            pose = self.stepped(pose, self.body.posed(pose), wanted, give)
        return pose

    def stepped(self, pose: Pose, posed: Posed, wanted: Tensor, give: Tensor) -> Pose:
        """One step; see `brought`."""
        # in double precision: a locked sole is to be reached to a hundredth of what the joints would give
        apart = (wanted - self.means @ posed.markers).flatten(1).double()
        jacobian = torch.einsum("sm,fmic->fsic", self.means, marker_jacobian(self.body.topology, pose, posed)).flatten(1, 2).double()
        gives = torch.full_like(jacobian[0, 0], JOINTS_GIVE_RAD)
        gives[:3], gives[3:ROOT_DOF] = ROOT_GIVES_M, 0.0
        eased = jacobian * gives
        effort = eased @ eased.mT
        effort.diagonal(dim1=1, dim2=2).add_((give.double() ** 2).repeat_interleave(3, dim=1))
        step = gives * (eased.mT @ torch.linalg.solve(effort, apart[..., None]))[..., 0]
        return pose.stepped(step.to(pose.q.dtype))


def hold_feet(pose: Pose, actor: Actor, prior: PosePrior, cleaned: CleanTake, *, lock: bool) -> tuple[Pose, tuple[Contact, ...]]:
    """Poses whose feet are still while their markers say that they stand, and not below the floor where their markers are not.

    Args:
        pose: Of every frame.
        actor: Whose legs.
        prior: Whose coordinates the pose has.
        cleaned: The take's markers, those of the actor.
        lock: Hold each sole at one place while it stands.

    Returns:
        The poses, and when each sole stands; nothing changes where no foot bears a marker.
    """
    soles = find_soles(actor)
    if not soles or pose.frames < 2:
        return pose, ()
    legs = Legs(actor, soles, prior, pose.q)
    of_legs = legs.of(pose)
    # window by window, so that memory stays small however long the take is
    spans = [window.frames for window in windows(pose.frames)]
    solved = torch.cat(list(each(lambda span: legs.body.posed(of_legs[span]).markers, spans)))
    contacts, footings = _footings(legs, cleaned, to_array(solved), lock=lock)
    moved, give = (
        torch.as_tensor(np.stack(values, axis=1), dtype=solved.dtype, device=solved.device)
        for values in ([one.moved for one in footings], [one.give for one in footings])
    )
    wanted, steps = legs.means @ solved + moved, LOCK_STEPS if lock else STEPS
    held = joined(list(each(lambda span: legs.brought(of_legs[span], wanted[span], give[span], steps), spans)))
    q = pose.q.clone()
    q[:, torch.as_tensor(legs.columns, device=q.device)] = held.q
    return Pose(held.root, pose.turn, q), contacts


def _footings(legs: Legs, cleaned: CleanTake, solved: NDArray[np.floating], *, lock: bool) -> tuple[tuple[Contact, ...], list[Footing]]:
    """When each sole stands, and where each belongs; `solved` (frames, the legs' markers, 3) in metres."""
    rate_hz, up_axis = cleaned.take.rate_hz, cleaned.take.up_axis
    tracks = []
    for sole in legs.soles:
        rows = list(sole.markers)
        samples, trusted = cleaned.take.positions[:, rows], cleaned.trusted[:, rows]
        tracks.append(follow(sole, samples, trusted, solved[:, legs.markers_of(sole)], rate_hz, up_axis))
    contacts = [find_contacts(track, rate_hz) for track in tracks]
    footings: list[Footing] = []
    for foot in dict.fromkeys(sole.foot for sole in legs.soles):
        # the soles of a foot follow on one another
        own = [row for row, sole in enumerate(legs.soles) if sole.foot == foot]
        footing = locked_footing if lock else calm_footing
        footings += footing([tracks[row] for row in own], [contacts[row] for row in own], rate_hz, up_axis)
    return tuple(contact for stood in contacts for contact in stood), footings


def _with_ancestors(parents: tuple[int, ...], joints: Iterable[int]) -> list[int]:
    """The joints and all above them, in order."""
    found: set[int] = set()
    for joint in joints:
        while joint >= 0:
            found.add(int(joint))
            joint = parents[joint]
    return sorted(found)


def _only_joints(actor: Actor, joints: list[int]) -> Actor:
    """An actor of these joints, among which are all that are above one of them or carry a marker."""
    skeleton = actor.skeleton
    parents = tuple(joints.index(skeleton.parents[joint]) if skeleton.parents[joint] >= 0 else -1 for joint in joints)
    part = Skeleton(tuple(skeleton.joints[joint] for joint in joints), parents, skeleton.bones[joints], skeleton.offsets[joints])
    weights = None if actor.marker_weights is None else actor.marker_weights[:, joints]
    return replace(actor, skeleton=part, marker_joints=tuple(joints.index(joint) for joint in actor.marker_joints), marker_weights=weights)


def _only_coordinates(prior: PosePrior, joints: list[int], columns: NDArray[np.intp]) -> PosePrior:
    """A prior of these joints and their coordinates."""
    return replace(
        prior,
        mean_rotations=prior.mean_rotations[joints],
        axes=prior.axes[columns],
        joints_of=np.searchsorted(joints, prior.joints_of[columns]),
        precision=prior.precision[np.ix_(columns, columns)],
        speed=prior.speed[columns],
        limits=prior.limits[:, columns],
    )
