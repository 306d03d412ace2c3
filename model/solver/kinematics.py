# SPDX-License-Identifier: GPL-3.0-or-later
"""Forward kinematics of an actor's markers and their analytic derivatives, batched over frames, in torch.

The pose of a frame is a vector x = (root translation, root rotation, q). A joint turns by

    R_j = M_j exp(sum_c a_c q_c),   c over the coordinates of joint j,

with M_j its mean rotation and a_c an axis in its own frame: a hinge has one coordinate, a ball three, a rigid joint none.
The root's rotation is updated by a world rotation vector, R_0 <- exp(d) R_0.

A marker m follows one or several joints with weights that sum to 1 (linear blend skinning): it is the mean of its places on each,

    x_m = sum_j w_mj (p_j + R_j (P_m - P_j)),

with p_j, R_j the joint's position and global rotation and P the places in the zero pose.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..actors.actor import Actor
from ..actors.prior import PosePrior
from ..core.take import FloatArray
from .rotations import rotvec_to_rotmat

ROOT_DOF = 6  # columns before the joints' coordinates: translation, then rotation


def to_array(tensor: Tensor) -> FloatArray:
    """The same numbers for numpy, in double precision."""
    return tensor.cpu().double().numpy()


@dataclass(frozen=True, eq=False)
class Pose:
    """Poses of one actor.

    Attributes:
        root: (frames, 3) in metres.
        turn: (frames, 3, 3), the root's rotation from the zero pose's axes to the take's.
        q: (frames, coordinates) in radians.
    """

    root: Tensor
    turn: Tensor
    q: Tensor

    @property
    def frames(self) -> int:
        return self.root.shape[0]

    def stepped(self, step: Tensor) -> Pose:
        """The pose after a step (frames, 6 + coordinates)."""
        return Pose(
            self.root + step[:, :3],
            rotvec_to_rotmat(step[:, 3:ROOT_DOF]) @ self.turn,
            self.q + step[:, ROOT_DOF:],
        )

    def __getitem__(self, frames: Tensor | slice) -> Pose:
        return Pose(self.root[frames], self.turn[frames], self.q[frames])


@dataclass(frozen=True, eq=False)
class Posed:
    """Where everything is: positions (frames, joints, 3), global rotations (frames, joints, 3, 3), local rotations of the
    same shape, markers (frames, labels, 3), each marker's place on each of its joints (frames, attachments, 3), and each
    coordinate's axis in the world (frames, coordinates, 3)."""

    positions: Tensor
    global_rotations: Tensor
    local: Tensor
    markers: Tensor
    attached: Tensor
    axes: Tensor


class Body:
    """An actor with its freedom to move, as tensors.

    Args:
        actor: Its skeleton's joints must be those of the prior.
        prior: The pose prior whose coordinates the joints have.
        device, dtype: Of every tensor.
    """

    def __init__(self, actor: Actor, prior: PosePrior, device: torch.device, dtype: torch.dtype) -> None:
        skeleton = actor.skeleton
        self.actor = actor
        self.prior = prior
        self.joints = skeleton.joints
        self.labels = actor.labels
        self.parents = skeleton.parents
        self.offsets = torch.as_tensor(skeleton.offsets, device=device, dtype=dtype)
        self.marker_offsets = torch.as_tensor(actor.marker_offsets, device=device, dtype=dtype)
        self.marker_joints = torch.tensor(actor.marker_joints, device=device, dtype=torch.long)
        self.mean = torch.as_tensor(prior.mean_rotations, device=device, dtype=dtype)
        self.coordinate_axes = torch.as_tensor(prior.axes, device=device, dtype=dtype)
        self.coordinate_joints = torch.as_tensor(prior.joints_of, device=device, dtype=torch.long)
        self.below = torch.from_numpy(skeleton.below).to(device)
        self.level_joints, self.level_parents, self.from_levels = _by_level(self.parents, device)
        turning = sorted(set(prior.joints_of.tolist()))
        self.turning = torch.tensor(turning, device=device, dtype=torch.long)
        self.coordinate_rows = torch.tensor([turning.index(joint) for joint in prior.joints_of], device=device, dtype=torch.long)
        # carries q to the rotation vectors (turning joints, 3) of the joints
        self.rotation_vectors = self.mean.new_zeros(len(turning), 3, len(prior.joints_of))
        self.rotation_vectors[self.coordinate_rows, :, torch.arange(len(prior.joints_of), device=device)] = self.coordinate_axes
        weights = torch.as_tensor(actor.weights, device=device, dtype=dtype)
        self.attached_markers, self.attached_joints = weights.nonzero(as_tuple=True)
        self.attached_weights = weights[self.attached_markers, self.attached_joints]
        self.shared = len(self.attached_markers) > len(actor.labels)
        # part of a marker that a joint moves: what is attached to the joint and to those below it
        self.joint_influence = self.below.to(dtype) @ weights.T
        moved = self.joint_influence[self.coordinate_joints] > 0
        self.moved_coordinates, self.moved_markers = moved.nonzero(as_tuple=True)
        self.moved_joints = self.coordinate_joints[self.moved_coordinates]
        self.moved_weights = self.joint_influence[self.moved_joints, self.moved_markers]
        self.levers = self._levers(moved)
        self._make_masks(weights, device)

    def _make_masks(self, weights: Tensor, device: torch.device) -> None:
        """What hangs below what, for the root's coordinates and the joints' together, as `spatial` needs it."""
        below = self.below.to(weights.dtype)
        self.all_joints = torch.cat([self.coordinate_joints.new_zeros(ROOT_DOF), self.coordinate_joints])
        self.below_attachments = below[:, self.attached_joints]
        alone = (weights > 0).sum(1) == 1
        self.below_markers = below @ weights.T * alone
        above = below[self.all_joints][:, self.all_joints]
        self.above_first = torch.triu(above)
        self.behind = torch.triu(above.T * (above == 0)).nonzero(as_tuple=True)
        self.spread_markers = (~alone).nonzero()[:, 0]
        self.spread_attachments = (~alone)[self.attached_markers].nonzero()[:, 0]
        self.spread: Body | None = None
        if len(self.spread_markers):
            spread = self.actor.only(self.spread_markers.tolist())
            self.spread = Body(spread, self.prior, device, weights.dtype) if alone.any() else self

    def _levers(self, moved: Tensor) -> tuple[Tensor, Tensor]:
        """Which attachments make up what a coordinate moves of a marker: rows of (coordinate, marker) pairs, and attachments."""
        terms = self.below[self.coordinate_joints][:, self.attached_joints]
        coordinates, attachments = terms.nonzero(as_tuple=True)
        pairs = torch.cumsum(moved.flatten().long(), 0) - 1
        return pairs.view_as(moved)[coordinates, self.attached_markers[attachments]], attachments

    def with_sizes(self, bones: Tensor, marker_offsets: Tensor) -> Body:
        """The same body with other bones (joints, 3), at whose ends the joints sit, and marker offsets (labels, 3), in metres."""
        body = copy(self)
        skeleton = replace(self.actor.skeleton, bones=to_array(bones))
        body.actor = replace(self.actor, skeleton=skeleton, marker_offsets=to_array(marker_offsets))
        ends = bones[list(self.parents)]
        ends[[joint for joint, parent in enumerate(self.parents) if parent < 0]] = 0.0
        body.offsets, body.marker_offsets = ends, marker_offsets
        return body

    @property
    def coordinates(self) -> int:
        return self.coordinate_joints.shape[0]

    def rest(self, frames: int) -> Pose:
        """The mean pose at the origin, on the zero pose's axes."""
        like = self.offsets
        return Pose(
            like.new_zeros(frames, 3),
            torch.eye(3, dtype=like.dtype, device=like.device).expand(frames, 3, 3),
            like.new_zeros(frames, self.coordinates),
        )

    def posed(self, pose: Pose) -> Posed:
        """Forward kinematics of joints, bones and markers.

        Frames come last inside, so that what is done to a joint or a marker is done to numbers that lie side by side.
        """
        frames, of = pose.frames, self.attached_joints
        u = (self.rotation_vectors.flatten(0, 1) @ pose.q.T).view(-1, 3, frames)
        turns, changes = _turns(u)
        local = self.mean[..., None].repeat(1, 1, 1, frames)
        local[self.turning] = (self.mean[self.turning] @ turns.flatten(2)).view(-1, 3, 3, frames)
        local[0] = pose.turn.permute(1, 2, 0)
        global_rotations, from_root = self._chained(local)
        attached = rows_of(from_root, of) + _apply(rows_of(global_rotations, of), self.attached_offsets()[..., None])
        body_axes = _apply(rows_of(changes, self.coordinate_rows), self.coordinate_axes[..., None])
        axes = _apply(rows_of(global_rotations, self.coordinate_joints), body_axes)
        root = pose.root.T
        points = (from_root + root, self.gathered(attached, 0) + root, attached + root, axes)
        positions, markers, attached, axes = (each.permute(2, 0, 1) for each in points)
        return Posed(positions, global_rotations.permute(3, 0, 1, 2), local.permute(3, 0, 1, 2), markers, attached, axes)

    def _chained(self, local: Tensor) -> tuple[Tensor, Tensor]:
        """Global rotations (joints, 3, 3, frames) and places from the root (joints, 3, frames) of local rotations, level by level.

        What is carried from level to level are the columns of rotations, then the place: (joints of the level, 4, 3, frames).
        """
        place = self.offsets[:, None, :, None].expand(-1, -1, -1, local.shape[-1])
        columns = torch.cat([local.transpose(1, 2), place], 1)
        carried = [torch.cat([columns[:1, :3], torch.zeros_like(columns[:1, :1])], 1)]
        for joints, parents in zip(self.level_joints, self.level_parents, strict=True):
            a, b, c, origin = rows_of(carried[-1], parents)[:, None].unbind(2)
            x, y, z = rows_of(columns, joints)[..., None, :].unbind(2)
            here = a * x + b * y + c * z
            here[:, 3] += origin[:, 0]
            carried.append(here)
        every = rows_of(torch.cat(carried), self.from_levels)
        return every[:, :3].transpose(1, 2), every[:, 3]

    def attached_offsets(self) -> Tensor:
        """(attachments, 3) in metres: each marker from each of its joints, in the zero pose."""
        if not self.shared:
            return self.marker_offsets
        places = self.joint_places()
        own = (places[self.marker_joints] + self.marker_offsets)[self.attached_markers]
        return own - places[self.attached_joints]

    def joint_places(self) -> Tensor:
        """(joints, 3) in metres: where the joints sit in the zero pose, from the root."""
        places = self.offsets.new_zeros(len(self.joints), 3)
        for joint, parent in enumerate(self.parents):
            if parent >= 0:
                places[joint] = places[parent] + self.offsets[joint]
        return places

    def gathered(self, attached: Tensor, dim: int = 1) -> Tensor:
        """Weighted sums over each marker's attachments, which are counted by that dimension, as the labels then are."""
        if not self.shared:
            return attached
        weights = self.attached_weights.view(-1, *[1] * (attached.dim() - 1 - dim))
        shape = list(attached.shape)
        shape[dim] = len(self.labels)
        return attached.new_zeros(shape).index_add_(dim, self.attached_markers, weights * attached)

    def marker_jacobian(self, pose: Pose, posed: Posed) -> Tensor:
        """d markers / d x: (frames, labels, 3, 6 + coordinates). A turn about the axis a through p moves a point by a x (point - p)."""
        frames, labels = posed.markers.shape[:2]
        jacobian = posed.markers.new_zeros(ROOT_DOF + self.coordinates, labels, 3, frames)
        parts = (posed.markers, posed.positions, posed.axes, posed.attached)
        markers, positions, axes, attached = (values.permute(1, 2, 0) for values in parts)
        arm = markers - pose.root.T
        for axis in range(3):
            after, last = (axis + 1) % 3, (axis + 2) % 3
            jacobian[axis, :, axis] = 1.0
            jacobian[3 + axis, :, after] = -arm[:, last]
            jacobian[3 + axis, :, last] = arm[:, after]
        lever = self._moved_places(markers, attached) - rows_of(positions, self.moved_joints) * self.moved_weights[:, None, None]
        jacobian[ROOT_DOF + self.moved_coordinates, self.moved_markers] = cross(rows_of(axes, self.moved_coordinates), lever)
        return jacobian.permute(3, 1, 2, 0)

    def _moved_places(self, markers: Tensor, attached: Tensor) -> Tensor:
        """(pairs, 3, frames): of each marker the weighted places on those of its joints that a coordinate moves."""
        if not self.shared:
            return rows_of(markers, self.moved_markers)
        pairs, attachments = self.levers
        weighted = rows_of(attached * self.attached_weights[:, None, None], attachments)
        return weighted.new_zeros(len(self.moved_markers), *weighted.shape[1:]).index_add_(0, pairs, weighted)


def _apply(rotations: Tensor, vectors: Tensor) -> Tensor:
    """Rotations (..., 3, 3, frames) times vectors (..., 3, frames)."""
    a, b, c = rotations.unbind(-2)
    x, y, z = vectors[..., None, :, :].unbind(-2)
    return a * x + b * y + c * z


def rows_of(values: Tensor, rows: Tensor) -> Tensor:
    """values[rows], five times faster where a row is many numbers that lie side by side."""
    return values.index_select(0, rows)


def cross(a: Tensor, b: Tensor) -> Tensor:
    """a x b of vectors (..., 3, frames): torch's own wants the axes of space to lie side by side, and is 20 times slower."""
    (ax, ay, az), (bx, by, bz) = a.unbind(-2), b.unbind(-2)
    return torch.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], -2)


def _turns(u: Tensor) -> tuple[Tensor, Tensor]:
    """exp(u) and its right Jacobian, which says what a change of u turns in the body: exp(u + a) = exp(u) exp(J_r(u) a) to first order.

    Both are made of the same matrices, frames last. With `rotvec_to_rotmat` and the Jacobian by itself a solve takes an eighth longer.

    Args:
        u: (joints, 3, frames) rotation vectors.

    Returns:
        Both (joints, 3, 3, frames).

    Source: Chirikjian, Stochastic Models, Information Theory, and Lie Groups, vol. 2, sec. 10.3.
    """
    angle2 = (u * u).sum(1, keepdim=True)
    small = angle2 < 1e-6
    safe = angle2.masked_fill(small, 1.0)
    angle = safe.sqrt()
    first = torch.where(small, 1 - angle2 / 6, angle.sin() / angle)[:, None]
    second = torch.where(small, 0.5 - angle2 / 24, (1 - angle.cos()) / safe)[:, None]
    third = torch.where(small, 1 / 6 - angle2 / 120, (angle - angle.sin()) / (safe * angle))[:, None]
    once = _skew(u)
    twice = u[:, :, None] * u[:, None]
    twice.diagonal(dim1=1, dim2=2).sub_(angle2.transpose(1, 2))
    turns, changes = first * once + second * twice, third * twice - second * once
    for matrices in (turns, changes):
        matrices.diagonal(dim1=1, dim2=2).add_(1.0)
    return turns, changes


def _skew(u: Tensor) -> Tensor:
    """(joints, 3, 3, frames): the matrices of u x, of vectors u (joints, 3, frames)."""
    x, y, z = u.unbind(1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).unflatten(1, (3, 3))


def levels(parents: tuple[int, ...]) -> list[tuple[list[int], list[int]]]:
    """Joints of one depth with their parents, from the root's children down."""
    depth = [0] * len(parents)
    for joint, parent in enumerate(parents):
        depth[joint] = 0 if parent < 0 else depth[parent] + 1
    found = []
    for level in range(1, max(depth) + 1):
        children = [joint for joint, d in enumerate(depth) if d == level]
        found.append((children, [parents[joint] for joint in children]))
    return found


def _by_level(parents: tuple[int, ...], device: torch.device) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """Of each level below the root its joints and where their parents stand in the level above; where each joint then stands in all."""
    joints, above, order = [], [], [0]
    previous = [0]
    for children, their_parents in levels(parents):
        joints.append(torch.tensor(children, device=device))
        above.append(torch.tensor([previous.index(parent) for parent in their_parents], device=device))
        previous = children
        order += children
    return joints, above, torch.tensor(order, device=device).argsort()
