# SPDX-License-Identifier: GPL-3.0-or-later
"""The actor: a skeleton of one person's own proportions, and where each marker sits on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..core.motion import Motion
from ..core.skeleton import Skeleton
from ..core.take import FloatArray
from .placement import Placement


@dataclass(frozen=True)
class Freedom:
    """What an actor's file says of how a joint moves; None where it says nothing.

    Attributes:
        like: The joint of the bundled hierarchy that moves as this one does; "" for none. None leaves it to the joint's name.
        mean: The usual local rotation, a unit quaternion w x y z, from the zero pose.
        deviation: Standard deviations from there in radians, about x, y and z; 0 where the joint does not turn at all.
    """

    like: str | None = None
    mean: tuple[float, ...] | None = None
    deviation: tuple[float, ...] | None = None


@dataclass(frozen=True, eq=False)
class Actor:
    """A fitted or loaded actor.

    Attributes:
        skeleton: Bones in the zero pose; their directions belong to the actor as their lengths do.
        labels: The markers that are attached, unique.
        marker_joints: For each label, the index of the joint that carries it, or carries most of it.
        marker_offsets: (labels, 3) in metres, from that joint, on the zero pose's axes.
        marker_weights: (labels, joints), rows that sum to 1: which joints move each marker, as linear blend skinning has it;
            None where every marker is moved by its own joint alone.
        bone_sigma: (joints, 3) in metres, how sure the bones are: standard deviations on the zero pose's axes, NaN where unknown;
            None where nothing is known of any.
        offset_sigma: (labels, 3), the same of the markers' offsets.
        loose_m: (labels,) in metres: how far a marker moves about on its bone, root mean square of the three axes together, beyond what
            skin does, as one of a finger does on the hand; None where nothing is known of any.
        freedoms: For each joint, what its file says of how it moves; None where it says nothing of any.
    """

    skeleton: Skeleton
    labels: tuple[str, ...]
    marker_joints: tuple[int, ...]
    marker_offsets: FloatArray
    marker_weights: FloatArray | None = None
    freedoms: tuple[Freedom, ...] | None = None
    bone_sigma: FloatArray | None = None
    offset_sigma: FloatArray | None = None
    loose_m: FloatArray | None = None

    @property
    def weights(self) -> FloatArray:
        """(labels, joints): `marker_weights`, or ones for the markers' own joints."""
        if self.marker_weights is not None:
            return self.marker_weights
        return np.eye(len(self.skeleton.joints))[list(self.marker_joints)]

    def beside(self, placement: Placement) -> Actor:
        """With further markers where they are usually put, behind its own, and as sure of them as that is."""
        others = np.eye(len(self.skeleton.joints))[list(placement.joints)]
        own_sigma = np.full_like(self.marker_offsets, np.nan) if self.offset_sigma is None else self.offset_sigma
        return replace(
            self,
            labels=self.labels + placement.labels,
            marker_joints=self.marker_joints + placement.joints,
            marker_offsets=np.concatenate([self.marker_offsets, placement.offset_mean]),
            marker_weights=None if self.marker_weights is None else np.concatenate([self.marker_weights, others]),
            offset_sigma=np.concatenate([own_sigma, placement.offset_deviation]),
            loose_m=None if self.loose_m is None else np.concatenate([self.loose_m, np.zeros(len(placement.labels))]),
        )

    def markers(self, motion: Motion) -> FloatArray:
        """(frames, labels, 3) in metres on the motion's axes: where its markers are while its skeleton moves."""
        positions, global_rotations = motion.forward()
        carriers = list(self.marker_joints)
        if self.marker_weights is None:
            return positions[:, carriers] + np.einsum("flij,lj->fli", global_rotations[:, carriers], self.marker_offsets)
        zero = self.skeleton.zero_places
        reach = (zero[carriers] + self.marker_offsets)[:, None] - zero
        by_joint = np.einsum("fjab,ljb->flja", global_rotations, reach) + positions[:, None]
        return np.einsum("lj,flja->fla", self.marker_weights, by_joint)

    def of_size(self, size: float) -> Actor:
        """The same, so many times as large; of size 1 the very same."""
        if size == 1.0:
            return self
        return replace(
            self,
            skeleton=self.skeleton.of_size(size),
            marker_offsets=size * self.marker_offsets,
            bone_sigma=None if self.bone_sigma is None else size * self.bone_sigma,
            offset_sigma=None if self.offset_sigma is None else size * self.offset_sigma,
            loose_m=None if self.loose_m is None else size * self.loose_m,
        )

    def only(self, rows: Sequence[int]) -> Actor:
        """With some of its markers, in that order."""
        chosen = list(rows)
        return replace(
            self,
            labels=tuple(self.labels[row] for row in chosen),
            marker_joints=tuple(self.marker_joints[row] for row in chosen),
            marker_offsets=self.marker_offsets[chosen],
            marker_weights=None if self.marker_weights is None else self.marker_weights[chosen],
            offset_sigma=None if self.offset_sigma is None else self.offset_sigma[chosen],
            loose_m=None if self.loose_m is None else self.loose_m[chosen],
        )
