# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings the soles of the feet to where they belong by a small correction of the legs, after poses are solved and smoothed.

The legs reach the wanted places y of the soles by steps of least effort,

    dx = W J' (J W J' + D)^-1 (y - p(x)),

with J the soles' Jacobian, W how readily each coordinate gives way and D what each sole may be missed by, both squared (damped
least squares: Nakamura and Hanafusa 1986, Wampler 1986). The root is stiff, but not rigid: a leg that is all but straight gets a
millimetre longer by moving the hips, not by snapping the knee.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..actors.actor import Actor
from ..actors.prior import PosePrior
from ..core.axes import up_index, up_sign
from ..core.parallel import each
from ..core.skeleton import Skeleton
from ..core.take import Axis, BoolArray, CleanTake, FloatArray
from ..solver.frames import put_together, spans
from ..solver.kinematics import Body, Pose, Posed, marker_jacobian, to_array
from ..solver.topology import ROOT_DOF
from .contacts import Contact, Sole, Track, as_given, find_contacts, find_soles, follow
from .footing import Footing, between, calm_footing, locked_footing

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
        feet: Names of their first joints.
        body: Of these alone.
    """

    def __init__(self, actor: Actor, soles: tuple[Sole, ...], prior: PosePrior, like: Tensor) -> None:
        self.soles = soles
        self.rows = sorted({marker for sole in self.soles for marker in sole.markers})
        marked = actor.only(self.rows)
        joints = _with_ancestors(actor.skeleton.parents, np.flatnonzero(marked.weights.any(axis=0)))
        self.columns = np.flatnonzero(np.isin(prior.joints_of, joints))
        part = _only_joints(marked, joints)
        self.feet = tuple(dict.fromkeys(sole.foot for sole in soles))
        self._ends = {foot: _below(part.skeleton, foot) for foot in self.feet}
        self.body = Body(part, _only_coordinates(prior, joints, self.columns), like.device, like.dtype)
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

    def placed(self, pose: Pose, up_axis: Axis) -> tuple[Tensor, dict[str, FloatArray]]:
        """Markers (frames, the legs' markers, 3) in metres, and {foot: (frames,) height of the lowest end of its bones}."""
        posed = self.body.posed(pose)
        index, sign = up_index(up_axis), up_sign(up_axis)
        starts = posed.positions[..., index]
        bones = torch.as_tensor(self.body.actor.skeleton.bones, dtype=starts.dtype, device=starts.device)
        ends = starts + (posed.global_rotations[..., index, :] * bones).sum(dim=-1)
        heights = sign * torch.stack([starts, ends], dim=-1)
        return posed.markers, {foot: to_array(heights[:, joints].amin(dim=(1, 2))) for foot, joints in self._ends.items()}

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


@dataclass(frozen=True)
class Asked:
    """What is asked of feet.

    Attributes:
        lock: How far a sole is held at one place while it stands: 0 as still as its markers, 1 at one place.
        floor_m: Height of the floor in metres on the take's axis; None for where feet are found to stand.
        stands: {foot: (frames,) whether it stands}, where the user says so.
    """

    lock: float = 0.0
    floor_m: float | None = None
    stands: Mapping[str, BoolArray] = field(default_factory=dict[str, BoolArray])


@dataclass(frozen=True, eq=False)
class Held:
    """Poses whose feet are held.

    Attributes:
        pose: Of every frame.
        contacts: When each sole stands.
        floor_m: Where feet are found to stand, in metres on the take's axis: the height of the lowest end of their bones; None where none
            does.
    """

    pose: Pose
    contacts: tuple[Contact, ...] = ()
    floor_m: float | None = None


def hold_feet(pose: Pose, actor: Actor, prior: PosePrior, cleaned: CleanTake, asked: Asked = Asked()) -> Held:
    """Poses whose feet are still while their markers say that they stand, and not below the floor where their markers are not.

    Nothing changes where no foot bears a marker.

    Args:
        pose: Of every frame.
        actor: Whose legs.
        prior: Whose coordinates the pose has.
        cleaned: The take's markers, those of the actor.
        asked: How the feet are to be held.
    """
    soles = find_soles(actor)
    if not soles or pose.frames < 2:
        return Held(pose)
    legs = Legs(actor, soles, prior, pose.q)
    of_legs = legs.of(pose)
    # part by part, so that memory stays small however long the take is
    cuts = spans(pose.frames)
    up_axis = cleaned.take.up_axis
    parts = list(each(lambda span: legs.placed(of_legs[span], up_axis), cuts))
    solved = torch.cat([markers for markers, _ in parts])
    lowest = {foot: np.concatenate([low[foot] for _, low in parts]) for foot in legs.feet}
    contacts, footings, floor_m = _footings(legs, cleaned, to_array(solved), lowest, asked)
    moved, give = (
        torch.as_tensor(np.stack(values, axis=1), dtype=solved.dtype, device=solved.device)
        for values in ([one.moved for one in footings], [one.give for one in footings])
    )
    wanted, steps = legs.means @ solved + moved, LOCK_STEPS if asked.lock > 0 else STEPS
    held = put_together(each(lambda span: legs.brought(of_legs[span], wanted[span], give[span], steps), cuts), pose.frames)
    q = pose.q.clone()
    q[:, torch.as_tensor(legs.columns, device=q.device)] = held.q
    return Held(Pose(held.root, pose.turn, q), contacts, floor_m)


def _footings(
    legs: Legs, cleaned: CleanTake, solved: NDArray[np.floating], lowest: Mapping[str, FloatArray], asked: Asked
) -> tuple[tuple[Contact, ...], list[Footing], float | None]:
    """When each sole stands, where each belongs, and the floor.

    Args:
        legs: With their soles.
        cleaned: The take's markers.
        solved: (frames, the legs' markers, 3) in metres.
        lowest: {foot: (frames,) height in metres of the lowest end of its bones}.
        asked: How the feet are to be held.
    """
    rate_hz, up_axis = cleaned.take.rate_hz, cleaned.take.up_axis

    def followed(sole: Sole) -> tuple[Track, tuple[Contact, ...]]:
        rows = list(sole.markers)
        samples, trusted = cleaned.take.positions[:, rows], cleaned.trusted[:, rows]
        track = follow(sole, samples, trusted, solved[:, legs.markers_of(sole)], rate_hz, up_axis)
        return track, find_contacts(track, rate_hz)

    found = list(each(followed, legs.soles))
    tracks, contacts = [track for track, _ in found], [stood for _, stood in found]
    floor_m = _floor(contacts, lowest)
    if asked.floor_m is not None and floor_m is not None:
        tracks = [track.above(asked.floor_m - floor_m) for track in tracks]
        contacts = [find_contacts(track, rate_hz) for track in tracks]

    def of_foot(foot: str) -> tuple[list[tuple[Contact, ...]], list[Footing]]:
        own = [row for row, sole in enumerate(legs.soles) if sole.foot == foot]
        stood = [contacts[row] for row in own]
        if foot in asked.stands:
            stood = as_given([legs.soles[row] for row in own], stood, asked.stands[foot])
        return stood, _footing([tracks[row] for row in own], stood, rate_hz, up_axis, asked.lock)

    # the soles of a foot follow on one another
    feet = list(each(of_foot, legs.feet))
    stands = tuple(contact for stood, _ in feet for one in stood for contact in one)
    return stands, [footing for _, footings in feet for footing in footings], floor_m


def _footing(tracks: list[Track], contacts: list[tuple[Contact, ...]], rate_hz: float, up_axis: Axis, lock: float) -> list[Footing]:
    """Where the soles of one foot belong."""
    if lock <= 0:
        return calm_footing(tracks, contacts, rate_hz, up_axis)
    locked = locked_footing(tracks, contacts, rate_hz, up_axis)
    return locked if lock >= 1 else between(calm_footing(tracks, contacts, rate_hz, up_axis), locked, lock)


def _floor(contacts: Sequence[Sequence[Contact]], lowest: Mapping[str, FloatArray]) -> float | None:
    """The height in metres at which the lowest ends of the feet's bones are while balls stand, or heels where no ball ever does."""
    stood = [contact for one in contacts for contact in one]
    told = [contact for contact in stood if contact.sole.part != "heel"] or stood
    return float(np.median(np.concatenate([lowest[contact.sole.foot][contact.frames] for contact in told]))) if told else None


def _below(skeleton: Skeleton, joint: str) -> list[int]:
    """A joint and all that hang on it."""
    found = {skeleton.joints.index(joint)}
    for row, parent in enumerate(skeleton.parents):
        if parent in found:
            found.add(row)
    return sorted(found)


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
