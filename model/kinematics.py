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

from dataclasses import dataclass

import roma
import torch
from torch import Tensor

from .actor import Actor
from .prior import PosePrior
from .skeleton import Skeleton

ROOT = 6  # columns before the joints' coordinates: translation, then rotation


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
            roma.rotvec_to_rotmat(step[:, 3:ROOT]) @ self.turn,
            self.q + step[:, ROOT:],
        )

    def __getitem__(self, frames: Tensor | slice) -> Pose:
        return Pose(self.root[frames], self.turn[frames], self.q[frames])


@dataclass(frozen=True, eq=False)
class Posed:
    """Where everything is: positions (frames, joints, 3), global rotations (frames, joints, 3, 3), local rotations of the
    same shape, markers (frames, labels, 3), each marker's place on each of its joints (frames, attachments, 3), and each
    coordinate's axis in the world (frames, coordinates, 3)."""

    positions: Tensor
    turned: Tensor
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
        self.joints = skeleton.joints
        self.labels = actor.labels
        self.parents = skeleton.parents
        self.offsets = torch.as_tensor(skeleton.offsets, device=device, dtype=dtype)
        self.marker_offsets = torch.as_tensor(actor.marker_offsets, device=device, dtype=dtype)
        self.marker_joints = torch.tensor(actor.marker_joints, device=device, dtype=torch.long)
        self.mean = torch.as_tensor(prior.mean_rotations, device=device, dtype=dtype)
        self.coordinate_axes = torch.as_tensor(prior.axes, device=device, dtype=dtype)
        self.coordinate_joints = torch.as_tensor(prior.joints_of, device=device, dtype=torch.long)
        self.levels = levels(self.parents)
        self.below = _below(skeleton).to(device)
        weights = torch.as_tensor(actor.weights, device=device, dtype=dtype)
        self.attached_markers, self.attached_joints = weights.nonzero(as_tuple=True)
        self.attached_weights = weights[self.attached_markers, self.attached_joints]
        self.shared = len(self.attached_markers) > len(actor.labels)
        # part of a marker that a joint moves: what is attached to the joint and to those below it
        self.moved_part = self.below.to(dtype) @ weights.T
        moved = self.moved_part[self.coordinate_joints] > 0
        self.moved_coordinates, self.moved_markers = moved.nonzero(as_tuple=True)
        self.moved_joints = self.coordinate_joints[self.moved_coordinates]
        self.moved_weights = self.moved_part[self.moved_joints, self.moved_markers]
        self.levers = self._levers(moved)

    def _levers(self, moved: Tensor) -> tuple[Tensor, Tensor]:
        """Which attachments make up what a coordinate moves of a marker: rows of (coordinate, marker) pairs, and attachments."""
        terms = self.below[self.coordinate_joints][:, self.attached_joints]
        coordinates, attachments = terms.nonzero(as_tuple=True)
        pairs = torch.cumsum(moved.flatten().long(), 0) - 1
        return pairs.view_as(moved)[coordinates, self.attached_markers[attachments]], attachments

    def with_sizes(self, bones: Tensor, marker_offsets: Tensor) -> Body:
        """The same body with other bones (joints, 3), at whose ends the joints sit, and marker offsets (labels, 3), in metres."""
        body = object.__new__(Body)
        body.__dict__.update(self.__dict__)
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
        """Forward kinematics of joints, bones and markers."""
        frames, joints = pose.frames, len(self.joints)
        u = pose.q.new_zeros(frames, joints, 3)
        u.index_add_(1, self.coordinate_joints, pose.q[..., None] * self.coordinate_axes)
        local = self.mean @ roma.rotvec_to_rotmat(u)
        local[:, 0] = pose.turn
        turned = torch.empty_like(local)
        turned[:, 0] = pose.turn
        positions = pose.root[:, None].repeat(1, joints, 1)
        for children, parents in self.levels:
            turned[:, children] = turned[:, parents] @ local[:, children]
            positions[:, children] = positions[:, parents] + _apply(turned[:, parents], self.offsets[children])
        attached = positions[:, self.attached_joints] + _apply(turned[:, self.attached_joints], self.attached_offsets())
        markers = self.gathered(attached)
        of = self.coordinate_joints
        axes = _apply(turned[:, of], _right_jacobian(u[:, of], self.coordinate_axes))
        return Posed(positions, turned, local, markers, attached, axes)

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
        for children, parents in self.levels:
            places[children] = places[parents] + self.offsets[children]
        return places

    def gathered(self, attached: Tensor) -> Tensor:
        """Weighted sums over each marker's attachments: (frames, attachments, ...) to (frames, labels, ...)."""
        if not self.shared:
            return attached
        weights = self.attached_weights.view(-1, *[1] * (attached.dim() - 2))
        whole = attached.new_zeros(attached.shape[0], len(self.labels), *attached.shape[2:])
        return whole.index_add_(1, self.attached_markers, weights * attached)

    def marker_jacobian(self, pose: Pose, posed: Posed) -> Tensor:
        """d markers / d x: (frames, labels, 3, 6 + coordinates). A turn about the axis a through p moves a point by a x (point - p).

        In memory the axes of space stand before the labels: `jacobian.transpose(1, 2)` is contiguous.
        """
        frames, labels = posed.markers.shape[:2]
        columns = ROOT + self.coordinates
        jacobian = posed.markers.new_zeros(frames, 3, labels, columns)
        parts = (posed.markers, posed.positions, posed.axes)
        markers, positions, axes = (values.transpose(1, 2).contiguous() for values in parts)
        arm = markers - pose.root[..., None]
        for axis in range(3):
            jacobian[:, axis, :, axis] = 1.0
            jacobian[:, axis, :, 3 + (axis + 1) % 3] = arm[:, (axis + 2) % 3]
            jacobian[:, axis, :, 3 + (axis + 2) % 3] = -arm[:, (axis + 1) % 3]
        lever = self._moved_places(posed, markers) - positions[..., self.moved_joints] * self.moved_weights
        about = axes[..., self.moved_coordinates]
        moved = torch.linalg.cross(about, lever, dim=1)
        jacobian.flatten(2).index_copy_(2, self.moved_markers * columns + ROOT + self.moved_coordinates, moved)
        return jacobian.transpose(1, 2)

    def _moved_places(self, posed: Posed, markers: Tensor) -> Tensor:
        """(frames, 3, pairs): of each marker the weighted places on those of its joints that a coordinate moves."""
        if not self.shared:
            return markers[..., self.moved_markers]
        pairs, attachments = self.levers
        weighted = (posed.attached * self.attached_weights[:, None]).transpose(1, 2)[..., attachments]
        return weighted.new_zeros(*weighted.shape[:2], len(self.moved_markers)).index_add_(2, pairs, weighted)


def _apply(rotations: Tensor, vectors: Tensor) -> Tensor:
    """Rotations (..., 3, 3) times vectors (..., 3)."""
    return (rotations @ vectors[..., None])[..., 0]


def _right_jacobian(u: Tensor, axes: Tensor) -> Tensor:
    """J_r(u) a, the body rotation that a change of u along a makes: exp(u + a) = exp(u) exp(J_r(u) a) to first order.

    Args:
        u: (frames, coordinates, 3) rotation vectors.
        axes: (coordinates, 3).

    Source: Chirikjian, Stochastic Models, Information Theory, and Lie Groups, vol. 2, sec. 10.3.
    """
    angle2 = (u * u).sum(-1, keepdim=True)
    small = angle2 < 1e-6
    safe = torch.where(small, torch.ones_like(angle2), angle2)
    angle = safe.sqrt()
    first = torch.where(small, 0.5 - angle2 / 24, (1 - angle.cos()) / safe)
    second = torch.where(small, 1 / 6 - angle2 / 120, (angle - angle.sin()) / (safe * angle))
    axes = axes.expand_as(u)
    once = torch.linalg.cross(u, axes)
    return axes - first * once + second * torch.linalg.cross(u, once)


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


def _below(skeleton: Skeleton) -> Tensor:
    """(joints, joints) bool: [a, b] is True where b is a or a descendant of a."""
    count = len(skeleton.joints)
    below = torch.eye(count, dtype=torch.bool)
    for joint, parent in enumerate(skeleton.parents):
        if parent >= 0:
            below[:, joint] |= below[:, parent]
    return below
