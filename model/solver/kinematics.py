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

import numpy as np
import torch
from torch import Tensor

from ..actors.actor import Actor
from ..actors.prior import PosePrior
from ..core.take import FloatArray
from .rotations import rotvec_to_rotmat
from .topology import ROOT_DOF, Topology, levels


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


@dataclass(frozen=True, eq=False)
class Sizes:
    """How large a body is, in metres, in the zero pose.

    Attributes:
        joint_offsets: (joints, 3): where each joint sits in its parent's frame, at the end of the parent's bone as a rule; 0 for the root.
        marker_offsets: (labels, 3): where each marker sits, from the joint that carries it.
    """

    joint_offsets: Tensor
    marker_offsets: Tensor

    @classmethod
    def of(cls, actor: Actor, device: torch.device, dtype: torch.dtype) -> Sizes:
        """An actor's."""
        return cls(*(torch.as_tensor(each, device=device, dtype=dtype) for each in (actor.skeleton.offsets, actor.marker_offsets)))


class Body:
    """An actor with its freedom to move: its topology, which never changes, and its sizes.

    Args:
        actor: Its skeleton's joints must be those of the prior.
        prior: The pose prior whose coordinates the joints have.
        device, dtype: Of every tensor.
    """

    def __init__(self, actor: Actor, prior: PosePrior, device: torch.device, dtype: torch.dtype) -> None:
        self.actor = actor
        self.topology = Topology(actor, prior, device, dtype)
        self.sizes = Sizes.of(actor, device, dtype)
        self.looseness = looseness_of(actor, device, dtype)

    def of_actor(self, actor: Actor) -> Body:
        """The same body of an actor who differs in sizes alone, or in how sure they are."""
        like, body = self.sizes.joint_offsets, copy(self)
        body.actor, body.sizes = actor, Sizes.of(actor, like.device, like.dtype)
        body.looseness = looseness_of(actor, like.device, like.dtype)
        return body

    def with_sizes(self, bones: Tensor, marker_offsets: Tensor, places: Tensor | None = None) -> Body:
        """The same body with other sizes, in metres.

        Args:
            bones: (joints, 3).
            marker_offsets: (labels, 3).
            places: (joints, 3) of the joints, from their parents; None where they sit at the ends of the bones.
        """
        skeleton = replace(self.actor.skeleton, bones=to_array(bones), places=None if places is None else to_array(places))
        joint_offsets = bones[list(self.topology.parents)] if places is None else places.clone()
        joint_offsets[[joint for joint, parent in enumerate(self.topology.parents) if parent < 0]] = 0.0
        body = copy(self)
        body.actor = replace(self.actor, skeleton=skeleton, marker_offsets=to_array(marker_offsets))
        body.sizes = Sizes(joint_offsets, marker_offsets)
        return body

    @property
    def steady(self) -> Tensor | slice:
        """Columns of the markers that count as any marker does: a loose one among them if it is alone on its bone."""
        return slice(None) if self.looseness is None else torch.nonzero(self.looseness == 0)[:, 0]

    @property
    def joints(self) -> tuple[str, ...]:
        return self.topology.joints

    @property
    def labels(self) -> tuple[str, ...]:
        return self.topology.labels

    @property
    def coordinates(self) -> int:
        return self.topology.coordinates

    def rest(self, frames: int) -> Pose:
        """The mean pose at the origin, on the zero pose's axes."""
        like = self.sizes.joint_offsets
        return Pose(
            like.new_zeros(frames, 3),
            torch.eye(3, dtype=like.dtype, device=like.device).expand(frames, 3, 3),
            like.new_zeros(frames, self.coordinates),
        )

    def posed(self, pose: Pose) -> Posed:
        """Forward kinematics of joints, bones and markers.

        Frames come last inside, so that what is done to a joint or a marker is done to numbers that lie side by side.
        """
        topology = self.topology
        frames, carriers = pose.frames, topology.attached_joints
        u = (topology.rotation_vectors.flatten(0, 1) @ pose.q.T).view(-1, 3, frames)
        turns, changes = _turns(u)
        local = topology.mean[..., None].repeat(1, 1, 1, frames)
        local[topology.turning] = (topology.mean[topology.turning] @ turns.flatten(2)).view(-1, 3, 3, frames)
        local[0] = pose.turn.permute(1, 2, 0)
        global_rotations, from_root = _chained(local, self.sizes.joint_offsets[..., None], topology.parents)
        attached = rows_of(from_root, carriers) + _apply(rows_of(global_rotations, carriers), self.attached_offsets()[..., None])
        body_axes = _apply(rows_of(changes, topology.coordinate_rows), topology.coordinate_axes[..., None])
        axes = _apply(rows_of(global_rotations, topology.coordinate_joints), body_axes)
        root = pose.root.T
        points = (from_root + root, topology.gathered(attached, 0) + root, attached + root, axes)
        positions, markers, attached, axes = (each.permute(2, 0, 1) for each in points)
        return Posed(positions, global_rotations.permute(3, 0, 1, 2), local.permute(3, 0, 1, 2), markers, attached, axes)

    def attached_offsets(self) -> Tensor:
        """(attachments, 3) in metres: each marker from each of its joints, in the zero pose."""
        topology = self.topology
        if not topology.shared:
            return self.sizes.marker_offsets
        places = self.joint_places()
        own = (places[topology.marker_joints] + self.sizes.marker_offsets)[topology.attached_markers]
        return own - places[topology.attached_joints]

    def joint_places(self) -> Tensor:
        """(joints, 3) in metres: where the joints sit in the zero pose, from the root."""
        return zero_places(self.sizes.joint_offsets, self.topology.parents)


def looseness_of(actor: Actor, device: torch.device, dtype: torch.dtype) -> Tensor | None:
    """(labels,) in m^2: the variance by which loose markers count less than others; None where none does.

    What moves one of them moves those beside it: the fingers of a hand close together. The mean of n markers that are moved as one is no
    surer than a single one, and a single one is believed as any marker is: of each the variance counts n - 1 times, as if all of it were
    along one axis.
    """
    if actor.loose_m is None:
        return None
    joints, loose = np.array(actor.marker_joints), actor.loose_m > 0
    # the other loose ones on the same bone
    beside = np.array([max((joints[loose] == joint).sum() - 1, 0) for joint in joints])
    variances = beside * actor.loose_m**2
    return torch.as_tensor(variances, dtype=dtype, device=device) if variances.any() else None


def marker_jacobian(topology: Topology, pose: Pose, posed: Posed) -> Tensor:
    """d markers / d x: (frames, labels, 3, 6 + coordinates). A turn about the axis a through p moves a point by a x (point - p)."""
    frames, labels = posed.markers.shape[:2]
    jacobian = posed.markers.new_zeros(ROOT_DOF + topology.coordinates, labels, 3, frames)
    parts = (posed.markers, posed.positions, posed.axes, posed.attached)
    markers, positions, axes, attached = (values.permute(1, 2, 0) for values in parts)
    arm = markers - pose.root.T
    for axis in range(3):
        after, last = (axis + 1) % 3, (axis + 2) % 3
        jacobian[axis, :, axis] = 1.0
        jacobian[3 + axis, :, after] = -arm[:, last]
        jacobian[3 + axis, :, last] = arm[:, after]
    lever = _moved_places(topology, markers, attached) - rows_of(positions, topology.moved_joints) * topology.moved_weights[:, None, None]
    jacobian[ROOT_DOF + topology.moved_coordinates, topology.moved_markers] = cross(rows_of(axes, topology.moved_coordinates), lever)
    return jacobian.permute(3, 1, 2, 0)


def _moved_places(topology: Topology, markers: Tensor, attached: Tensor) -> Tensor:
    """(pairs, 3, frames): of each marker the weighted places on those of its joints that a coordinate moves."""
    if not topology.shared:
        return rows_of(markers, topology.moved_markers)
    pairs, attachments = topology.levers
    weighted = rows_of(attached * topology.attached_weights[:, None, None], attachments)
    return weighted.new_zeros(len(topology.moved_markers), *weighted.shape[1:]).index_add_(0, pairs, weighted)


def forward(local: Tensor, root: Tensor, offsets: Tensor, parents: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Forward kinematics of bodies of one hierarchy, each as large as it is; it can be differentiated.

    Args:
        local: (..., joints, 3, 3) local rotations, the root's in the world.
        root: (..., 3) in metres.
        offsets: (..., joints, 3) in metres: where each joint sits in its parent's frame. One body of many frames has one row of them:
            what stands before the joints is repeated where it is 1 or missing.
        parents: Of each joint; a parent stands before its children, the root first.

    Returns:
        Positions (..., joints, 3) and global rotations (..., joints, 3, 3).
    """
    shape = local.shape[:-2]
    spread = offsets.expand(*shape, 3).reshape(-1, *shape[-1:], 3).permute(1, 2, 0)
    global_rotations, from_root = _chained(local.reshape(-1, *local.shape[-3:]).permute(1, 2, 3, 0), spread, parents)
    positions = from_root.permute(2, 0, 1).reshape(*shape, 3) + root[..., None, :]
    return positions, global_rotations.permute(3, 0, 1, 2).reshape(local.shape)


def zero_places(offsets: Tensor, parents: tuple[int, ...]) -> Tensor:
    """(..., joints, 3): where the joints sit in the zero pose, from the root, of where each sits in its parent's frame."""
    places = torch.zeros_like(offsets)
    for joint, parent in enumerate(parents):
        if parent >= 0:
            places[..., joint, :] = places[..., parent, :] + offsets[..., joint, :]
    return places


def _chained(local: Tensor, offsets: Tensor, parents: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Global rotations (joints, 3, 3, frames) and places from the root (joints, 3, frames), level by level.

    What is carried from level to level are the columns of rotations, then the place: (joints of the level, 4, 3, frames).

    Args:
        local: (joints, 3, 3, frames) local rotations.
        offsets: (joints, 3, frames), or (joints, 3, 1) of one body, in metres.
        parents: Of each joint.
    """
    by_level = levels(parents, local.device)
    columns = torch.cat([local.transpose(1, 2), offsets[:, None].expand(-1, -1, -1, local.shape[-1])], 1)
    carried = [torch.cat([columns[:1, :3], torch.zeros_like(columns[:1, :1])], 1)]
    for joints, above in zip(by_level.joints, by_level.parents, strict=True):
        a, b, c, origin = rows_of(carried[-1], above)[:, None].unbind(2)
        x, y, z = rows_of(columns, joints)[..., None, :].unbind(2)
        here = a * x + b * y + c * z
        here[:, 3] += origin[:, 0]
        carried.append(here)
    every = rows_of(torch.cat(carried), by_level.order)
    return every[:, :3].transpose(1, 2), every[:, 3]


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
