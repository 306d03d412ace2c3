# SPDX-License-Identifier: GPL-3.0-or-later
"""A body of four joints, and motions of it that are known by hand."""

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from model.core.motion import Motion
from model.core.scores import Figures, score
from model.core.skeleton import Skeleton

RATE = 100.0
ARM, HAND, FOOT = 1, 2, 3
#: A root that carries an arm and a foot, where it is; the arm carries a hand, a metre further along y.
LIMBS = Skeleton(("root", "arm", "hand", "foot"), (-1, 0, 1, 0), np.array([[0, 0, 0], [0, 1, 0], [0, 0.2, 0], [0, 0, 0.2]]))


def scored(estimate: Motion, truth: Motion, markers: np.ndarray | None = None, true_markers: np.ndarray | None = None) -> Figures:
    return score(estimate, truth, markers, true_markers, feet=("foot",), wrists=("hand",))


def turns(*rotvec_deg: float) -> np.ndarray:
    return Rotation.from_rotvec(rotvec_deg, degrees=True).as_matrix()


def still(frames: int = 20) -> Motion:
    return Motion(LIMBS, np.tile(np.eye(3), (frames, 4, 1, 1)), np.zeros((frames, 3)), RATE)


def wild(seed: int, frames: int = 12) -> Motion:
    random = np.random.default_rng(seed)
    rotations = Rotation.from_rotvec(random.normal(size=(frames * 4, 3))).as_matrix().reshape(frames, 4, 3, 3)
    return Motion(LIMBS, rotations, random.normal(size=(frames, 3)), RATE)


def swinging(motion: Motion, joint: int, degrees: np.ndarray) -> Motion:
    """A joint rotated further about x, by so many degrees in each frame."""
    rotations = motion.rotations.copy()
    rotations[:, joint] = rotations[:, joint] @ Rotation.from_euler("x", degrees[:, None], degrees=True).as_matrix()
    return replace(motion, rotations=rotations)


def failing(motion: Motion, frames: slice) -> Motion:
    rotations = motion.rotations.copy()
    rotations[frames, 1] = np.nan
    return replace(motion, rotations=rotations)


def walk(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """One joint's positions (frames, 1, 3) in metres."""
    return np.stack([x, 0 * x, z], axis=-1)[:, None]
