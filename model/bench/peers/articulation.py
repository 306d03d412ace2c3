# SPDX-License-Identifier: GPL-3.0-or-later
"""The actor as other programs want a body: joints with one, two or three angles about given axes, and a root that is free.

A joint turns by M A Rx(a) Ry(b) Rz(c) A^T: M is the prior's mean rotation, so that all angles are 0 in the mean pose, and the
columns of A are the axes about which the prior lets the joint turn.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial.transform import Rotation

from ...actors.actor import Actor
from ...actors.prior import PosePrior, bundled
from ...core.errors import BonesetterError
from ...core.motion import Motion
from ...core.take import BoolArray, FloatArray, Take

#: The root's angles in this order: heading, lean to the side, lean forward. The middle one must not reach 90 degrees.
ROOT_AXES = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
#: A first frame needs this part of the markers, to be sure where the body is and faces.
ENOUGH = 0.5
#: Markers tell a coordinate that moves them, taken together, by this much a radian.
TOLD_M = 0.05


@dataclass(frozen=True, eq=False)
class Articulation:
    """An actor with its freedom to move, standing in its mean pose where a take begins.

    Attributes:
        actor: Bones and marker offsets in metres.
        rest: (joints, 3, 3) local rotations of the mean pose; the root's carries the body to where the take begins.
        axes: (joints, 3, 3), A: its columns are the joint's axes in the joint's frame.
        angles: (joints,) how many of the axes a joint turns about, from the first; the root's is 3.
        start: (3,) position of the root in metres where the take begins.
        first: The frame that shows where the take begins: the first with enough markers.
    """

    actor: Actor
    rest: FloatArray
    axes: FloatArray
    angles: tuple[int, ...]
    start: FloatArray
    first: int

    @cached_property
    def names(self) -> tuple[str, ...]:
        """One name for each angle of the joints, in order, without the root's."""
        joints = self.actor.skeleton.joints
        return tuple(f"{joints[joint]}_{'xyz'[axis]}" for joint, count in enumerate(self.angles) if joint for axis in range(count))

    def motion(self, angles: FloatArray, root: FloatArray, rate_hz: float) -> Motion:
        """The motion of angles (frames, 3 + names), the root's first, in radians, and of the root's positions (frames, 3) in metres."""
        frames, joints = len(angles), len(self.angles)
        spread = np.zeros((frames, joints, 3))
        owner = np.repeat(np.arange(joints), self.angles)
        spread[:, owner, np.concatenate([np.arange(count) for count in self.angles])] = angles
        turns = Rotation.from_euler("XYZ", spread.reshape(-1, 3)).as_matrix().reshape(frames, joints, 3, 3)
        rotations = self.rest @ self.axes @ turns @ np.swapaxes(self.axes, -1, -2)
        return Motion(self.actor.skeleton, rotations, root, rate_hz)


def articulate(actor: Actor, take: Take, *, determined: bool = False) -> Articulation:
    """The articulated actor with the take's labels, in their order, standing where the take begins.

    Args:
        actor: With at least the take's labels.
        take: Where and how the body stands.
        determined: Lock what the markers cannot tell: for programs that do not draw angles to a mean pose.

    Raises:
        BonesetterError: The actor lacks labels of the take, or the take has too few markers to begin with.
    """
    prior = bundled()
    if actor.skeleton.joints != prior.actor.joints:
        raise BonesetterError("The actor has another skeleton than the prior: choose one saved by --save-actor.")
    actor = _on(actor, take.labels)
    moved = actor.skeleton.below[prior.pose.joints_of.astype(int)][:, list(actor.marker_joints)]
    free = _told(actor, prior.pose, moved) if determined else moved.any(axis=1)
    joints = len(actor.skeleton.joints)
    axes = np.repeat(np.eye(3)[None], joints, axis=0)
    angles = [0] * joints
    for joint in range(1, joints):
        rows = np.flatnonzero((prior.pose.joints_of == joint) & free)
        if len(rows):
            axes[joint], angles[joint] = _frame(prior.pose.axes[rows]), len(rows)
    axes[0], angles[0] = ROOT_AXES, 3
    rest = prior.pose.mean_rotations.copy()
    first = _first_frame(take)
    rest[0], start = _first_pose(actor, rest, take.positions[first])
    return Articulation(actor, rest, axes, tuple(angles), start, first)


def _on(actor: Actor, labels: tuple[str, ...]) -> Actor:
    """The actor with these labels only."""
    if unknown := [label for label in labels if label not in actor.labels]:
        raise BonesetterError(f"The actor has no place for {', '.join(unknown)}: choose one fitted to such a take.")
    rows = [actor.labels.index(label) for label in labels]
    return Actor(actor.skeleton, labels, tuple(actor.marker_joints[row] for row in rows), actor.marker_offsets[rows])


def _told(actor: Actor, prior: PosePrior, moved: BoolArray) -> BoolArray:
    """(coordinates,) which of the prior's coordinates to free so that the markers tell each of them.

    From the most moved to the least, a coordinate is freed where it moves the markers of the mean pose otherwise than the root
    and those freed before it do.

    Args:
        actor: Whose markers these are.
        prior: Whose coordinates these are.
        moved: (coordinates, labels) whether a coordinate moves a marker at all.
    """
    standing = _standing(actor, prior.mean_rotations)
    positions, global_rotations = (part[0] for part in standing.forward())
    markers = actor.markers(standing)[0]
    axes = np.einsum("cij,cj->ci", global_rotations[prior.joints_of], prior.axes)
    moves = np.cross(axes[:, None], markers - positions[prior.joints_of][:, None]) * moved[..., None]
    root = [np.tile(axis, len(markers)) for axis in np.eye(3)] + [np.cross(axis, markers).ravel() for axis in np.eye(3)]
    basis = np.linalg.qr(np.stack(root, axis=1))[0]
    free = np.zeros(len(moves), dtype=bool)
    for coordinate in np.argsort(-np.diag(np.linalg.inv(prior.precision))):
        move = moves[coordinate].ravel()
        move = move - basis @ (basis.T @ move)
        if np.linalg.norm(move) > TOLD_M:
            free[coordinate] = True
            basis = np.column_stack([basis, move / np.linalg.norm(move)])
    return free


def _frame(axes: FloatArray) -> FloatArray:
    """(3, 3) whose columns are 1 to 3 axes (axes, 3), unit and orthogonal, completed to a right-handed frame.

    The prior's axes come from the least to the most moved: of three, the least goes to the middle, which must not reach 90 degrees.
    """
    first, *others = axes[[2, 0, 1]] if len(axes) == 3 else axes
    if not others:
        others = [np.linalg.svd(first[None])[2][1]]
    return np.stack([first, others[0], np.cross(first, others[0])], axis=-1)


def _standing(actor: Actor, mean: FloatArray) -> Motion:
    """One frame of the mean pose (joints, 3, 3), at the origin, on the zero pose's axes."""
    rotations = mean.copy()
    rotations[0] = np.eye(3)
    return Motion(actor.skeleton, rotations[None], np.zeros((1, 3)), 1.0)


def _first_frame(take: Take) -> int:
    """The first frame with enough markers."""
    count = take.present.sum(axis=1)
    if count.max() < 3:
        raise BonesetterError(f"No frame of {take.name} has three of the actor's markers.")
    return int(np.argmax(count >= min(ENOUGH * len(take.labels), count.max())))


def _first_pose(actor: Actor, mean: FloatArray, seen: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Rotation (3, 3) and position (3,) of the root that bring the mean pose's markers next to those seen, (labels, 3) in metres."""
    there = np.isfinite(seen).all(axis=-1)
    markers, seen = actor.markers(_standing(actor, mean))[0, there], seen[there]
    turn = Rotation.align_vectors(seen - seen.mean(axis=0), markers - markers.mean(axis=0))[0].as_matrix()
    return turn, seen.mean(axis=0) - turn @ markers.mean(axis=0)
