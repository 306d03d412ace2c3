# SPDX-License-Identifier: GPL-3.0-or-later
"""Skeleton motion without markers: what the prior learns from and what a solve is compared with."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

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
