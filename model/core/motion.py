# SPDX-License-Identifier: GPL-3.0-or-later
"""Skeleton motion without markers: what the prior learns from and what a solve is compared with."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .rotations import rotmat_to_unitquat, unitquat_to_rotmat
from .skeleton import Skeleton
from .take import FloatArray

#: No joint turns faster than this, in rad/s.
FASTEST_RAD = 40.0


@dataclass(frozen=True, eq=False)
class Motion:
    """A skeleton that moves.

    Attributes:
        skeleton: Bones in the zero pose.
        rotations: (frames, joints, 3, 3) local rotations from the zero pose, acting on columns.
        root: (frames, 3) position of the root joint in metres.
        rate_hz: Frames per second.
    """

    skeleton: Skeleton
    rotations: FloatArray
    root: FloatArray
    rate_hz: float

    @property
    def frames(self) -> int:
        return self.root.shape[0]

    def forward(self) -> tuple[FloatArray, FloatArray]:
        """Positions (frames, joints, 3) in metres and global rotations (frames, joints, 3, 3)."""
        return forward(self.skeleton, self.rotations, self.root)

    def on_axes(self, turn: FloatArray) -> Motion:
        """The same motion on other world axes: `turn` (3, 3) takes the old ones to the new ones."""
        rotations = self.rotations.copy()
        rotations[:, 0] = turn @ rotations[:, 0]
        return replace(self, rotations=rotations, root=self.root @ turn.T)


def forward(skeleton: Skeleton, rotations: FloatArray, root: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Forward kinematics.

    Args:
        skeleton: With J joints.
        rotations: (frames, J, 3, 3) local.
        root: (frames, 3) in metres.

    Returns:
        Positions (frames, J, 3) in metres and global rotations (frames, J, 3, 3).
    """
    global_rotations = np.empty_like(rotations)
    positions = np.empty(rotations.shape[:-1])
    for joint, parent in enumerate(skeleton.parents):
        if parent < 0:
            global_rotations[:, joint] = rotations[:, joint]
            positions[:, joint] = root
        else:
            global_rotations[:, joint] = global_rotations[:, parent] @ rotations[:, joint]
            positions[:, joint] = positions[:, parent] + global_rotations[:, parent] @ skeleton.offsets[joint]
    return positions, global_rotations


def nearest_rotations(matrices: FloatArray) -> FloatArray:
    """The rotations nearest to matrices (..., 3, 3), of the same type, no reflection among them (Kabsch 1976, Umeyama 1991).

    Of the sum of a b' over points b and where they went, a, both about their middles, that is the turn that takes them there best;
    of a sum of rotations it is their chordal mean.
    """
    u, _, vt = np.linalg.svd(matrices)
    # the least singular value's sign is what keeps a reflection out
    u[..., 2] *= np.sign(np.linalg.det(u) * np.linalg.det(vt))[..., None]
    return u @ vt


def quaternions(rotations: FloatArray) -> FloatArray:
    """Matrices (frames, ..., 3, 3) as quaternions w x y z (frames, ..., 4) whose sign never flips between frames."""
    return steady(rotmat_to_unitquat(rotations))


def steady(quats: FloatArray) -> FloatArray:
    """Quaternions (frames, ..., 4) with signs that never flip between frames; in place."""
    flips = np.einsum("f...k,f...k->f...", quats[1:], quats[:-1]) < 0
    quats[1:][np.logical_xor.accumulate(flips, axis=0)] *= -1.0
    return quats


def matrices(quats: FloatArray) -> FloatArray:
    """Quaternions w x y z (..., 4) as matrices (..., 3, 3)."""
    return unitquat_to_rotmat(quats)
