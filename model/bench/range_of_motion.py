# SPDX-License-Identifier: GPL-3.0-or-later
"""A clean range of motion of a synthetic person: what a production films before a day's takes, to calibrate on."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from ..actors.prior import PosePrior
from ..core.motion import Motion
from ..core.skeleton import Skeleton
from ..files.asf_amc import ASF_TO_C3D

#: How long it is, in s.
SECONDS = 20.0
#: How far a coordinate swings to each side, in its standard deviations, and how often, in Hz.
SWING, SLOWEST_HZ, FASTEST_HZ = 1.5, 0.1, 0.4
#: How far the person turns to each side, in radians; and where the hips stay, in m above the floor.
HEADING, HIPS_M = 0.5, 1.0


def range_of_motion(skeleton: Skeleton, pose: PosePrior, random: np.random.Generator, rate_hz: float) -> Motion:
    """Every coordinate of the body swings about its mean, each at a pace of its own, within its limits; z up.

    Args:
        skeleton: The person's, of the prior's joints.
        pose: How people move.
        random: Draws paces and phases.
        rate_hz: Frames per second.
    """
    time = np.arange(round(SECONDS * rate_hz)) / rate_hz
    spread = np.sqrt(np.diag(np.linalg.inv(pose.precision)))
    turns = random.uniform(SLOWEST_HZ, FASTEST_HZ, len(spread)) * time[:, None] + random.random(len(spread))
    coordinates = np.clip(SWING * spread * np.sin(2 * np.pi * turns), *pose.limits)
    vectors = np.zeros((len(time), len(skeleton.joints), 3))
    for coordinate, joint in enumerate(pose.joints_of):
        vectors[:, joint] += coordinates[:, coordinate, None] * pose.axes[coordinate]
    rotations = pose.mean_rotations @ Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(*vectors.shape, 3)
    heading = Rotation.from_euler("z", HEADING * np.sin(2 * np.pi * SLOWEST_HZ * time)[:, None]).as_matrix()
    rotations[:, 0] = heading @ ASF_TO_C3D
    return Motion(skeleton, rotations, np.tile([0.0, 0.0, HIPS_M], (len(time), 1)), rate_hz)
