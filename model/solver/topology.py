# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a body never changes, however large its actor is: who hangs on whom, what turns, and which joints carry which markers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from ..actors.actor import Actor
from ..actors.prior import PosePrior

ROOT_DOF = 6  # columns before the joints' coordinates: translation, then rotation


class Topology:
    """An actor's hierarchy, the coordinates about which its joints turn, and its markers' carriers, as tensors.

    An attachment is a marker on one of the joints that carry it: a marker on one joint has one, a marker that joints share several.

    Args:
        actor: Its skeleton's joints must be those of the prior; its sizes are not looked at.
        prior: The pose prior whose coordinates the joints have.
        device, dtype: Of every tensor.
    """

    def __init__(self, actor: Actor, prior: PosePrior, device: torch.device, dtype: torch.dtype) -> None:
        skeleton = actor.skeleton
        self.joints, self.parents, self.labels = skeleton.joints, skeleton.parents, actor.labels
        self.below = torch.from_numpy(skeleton.below).to(device)
        self.marker_joints = torch.tensor(actor.marker_joints, device=device, dtype=torch.long)
        self._make_coordinates(prior, device, dtype)
        weights = torch.as_tensor(actor.weights, device=device, dtype=dtype)
        self._make_attachments(weights)
        self._make_masks(weights)
        #: Of the markers that joints share alone; None where there are none.
        self.spread: Topology | None = None
        if len(self.spread_markers):
            every = len(self.spread_markers) == len(self.labels)
            self.spread = self if every else Topology(actor.only(self.spread_markers.tolist()), prior, device, dtype)

    def _make_coordinates(self, prior: PosePrior, device: torch.device, dtype: torch.dtype) -> None:
        """The joints' mean rotations, and the axes about which they turn from there."""
        self.mean = torch.as_tensor(prior.mean_rotations, device=device, dtype=dtype)
        self.coordinate_axes = torch.as_tensor(prior.axes, device=device, dtype=dtype)
        self.coordinate_joints = torch.as_tensor(prior.joints_of, device=device, dtype=torch.long)
        turning = sorted(set(prior.joints_of.tolist()))
        self.turning = torch.tensor(turning, device=device, dtype=torch.long)
        self.coordinate_rows = torch.tensor([turning.index(joint) for joint in prior.joints_of], device=device, dtype=torch.long)
        # carries q to the rotation vectors (turning joints, 3) of the joints
        self.rotation_vectors = self.mean.new_zeros(len(turning), 3, len(prior.joints_of))
        self.rotation_vectors[self.coordinate_rows, :, torch.arange(len(prior.joints_of), device=device)] = self.coordinate_axes

    def _make_attachments(self, weights: Tensor) -> None:
        """Which joints carry which markers, of weights (labels, joints), and which coordinates move them."""
        self.attached_markers, self.attached_joints = weights.nonzero(as_tuple=True)
        self.attached_weights = weights[self.attached_markers, self.attached_joints]
        self.shared = len(self.attached_markers) > len(self.labels)
        # part of a marker that a joint moves: what is attached to the joint and to those below it
        self.joint_influence = self.below.to(weights.dtype) @ weights.T
        moved = self.joint_influence[self.coordinate_joints] > 0
        self.moved_coordinates, self.moved_markers = moved.nonzero(as_tuple=True)
        self.moved_joints = self.coordinate_joints[self.moved_coordinates]
        self.moved_weights = self.joint_influence[self.moved_joints, self.moved_markers]
        self.levers = self._levers(moved)

    def _make_masks(self, weights: Tensor) -> None:
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

    def _levers(self, moved: Tensor) -> tuple[Tensor, Tensor]:
        """Which attachments make up what a coordinate moves of a marker: rows of (coordinate, marker) pairs, and attachments."""
        terms = self.below[self.coordinate_joints][:, self.attached_joints]
        coordinates, attachments = terms.nonzero(as_tuple=True)
        pairs = torch.cumsum(moved.flatten().long(), 0) - 1
        return pairs.view_as(moved)[coordinates, self.attached_markers[attachments]], attachments

    @property
    def coordinates(self) -> int:
        return self.coordinate_joints.shape[0]

    def gathered(self, attached: Tensor, dim: int = 1) -> Tensor:
        """Weighted sums over each marker's attachments, which are counted by that dimension, as the labels then are."""
        if not self.shared:
            return attached
        weights = self.attached_weights.view(-1, *[1] * (attached.dim() - 1 - dim))
        shape = list(attached.shape)
        shape[dim] = len(self.labels)
        return attached.new_zeros(shape).index_add_(dim, self.attached_markers, weights * attached)


@dataclass(frozen=True, eq=False)
class Levels:
    """A hierarchy level by level, from the root's children down.

    Attributes:
        joints: Of each level.
        parents: Where the parents of these stand in the level above.
        order: (joints,) where each joint stands in all levels, the root before them.
    """

    joints: tuple[Tensor, ...]
    parents: tuple[Tensor, ...]
    order: Tensor


@lru_cache(maxsize=32)
@torch.inference_mode(mode=False)  # whoever asks first may be solving, who asks next training
def levels(parents: tuple[int, ...], device: torch.device) -> Levels:
    """The levels of a hierarchy: joints of one depth can be reached at once."""
    depth = [0] * len(parents)
    for joint, parent in enumerate(parents):
        depth[joint] = 0 if parent < 0 else depth[parent] + 1
    joints, above, order = [], [], [0]
    previous = [0]
    for level in range(1, max(depth) + 1):
        children = [joint for joint, d in enumerate(depth) if d == level]
        joints.append(torch.tensor(children, device=device))
        above.append(torch.tensor([previous.index(parents[joint]) for joint in children], device=device))
        previous = children
        order += children
    return Levels(tuple(joints), tuple(above), torch.tensor(order, device=device).argsort())
