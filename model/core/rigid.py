# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigid motion with numpy: what the rotations of a hierarchy's joints have to do with each other, and with those of other times.

`rotations.py` has the representations of a single rotation, `motion.py` forward kinematics; `solver/kinematics.py` has that for torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .rotations import rotmat_to_unitquat
from .take import FloatArray


def local_rotations(global_rotations: FloatArray, parents: Sequence[int]) -> FloatArray:
    """Local rotations (frames, joints, 3, 3) of global ones, of any hierarchy (-1 is a root's parent)."""
    above = global_rotations[:, list(parents)]
    above[:, np.array(parents) < 0] = np.eye(3)
    return np.swapaxes(above, -1, -2) @ global_rotations


def nearest_rotations(matrices: FloatArray) -> FloatArray:
    """The rotations nearest to matrices (..., 3, 3), of the same type, no reflection among them (Kabsch 1976, Umeyama 1991).

    Of the sum of a b' over points b and where they went, a, both about their middles, that is the turn that takes them there best;
    of a sum of rotations it is their chordal mean.
    """
    u, _, vt = np.linalg.svd(matrices)
    # the least singular value's sign is what keeps a reflection out
    u[..., 2] *= np.sign(np.linalg.det(u) * np.linalg.det(vt))[..., None]
    return u @ vt


def rotation_angles_deg(a: FloatArray, b: FloatArray) -> FloatArray:
    """Angle between rotations (..., 3, 3), in degrees; NaN where either is.

    It is acos((tr(A^T B) - 1) / 2), which MoCap-Solver and OpenMoCap clamp because rounding leaves [-1, 1], OpenMoCap so far
    inside that nothing is below 0.256 degrees. Got from sine and cosine it needs no clamp, and is exact at 0 and 180.
    """
    between = np.swapaxes(a, -1, -2) @ b
    axis = [between[..., i, j] - between[..., j, i] for i, j in ((2, 1), (0, 2), (1, 0))]
    twice_sine = np.sqrt(axis[0] ** 2 + axis[1] ** 2 + axis[2] ** 2)
    return np.degrees(np.arctan2(twice_sine, np.trace(between, axis1=-2, axis2=-1) - 1))


def turn_between(start: FloatArray, end: FloatArray) -> FloatArray:
    """The smallest rotation, (3, 3), that turns one direction (3,) into another (not its opposite)."""
    a, b = start / np.linalg.norm(start), end / np.linalg.norm(end)
    axis = np.cross(a, b)
    cross = np.array([[0.0, -axis[2], axis[1]], [axis[2], 0.0, -axis[0]], [-axis[1], axis[0], 0.0]])
    return np.eye(3) + cross + cross @ cross / (1.0 + a @ b)


def quaternions(rotations: FloatArray) -> FloatArray:
    """Matrices (frames, ..., 3, 3) as quaternions w x y z (frames, ..., 4) whose sign never flips between frames."""
    return steady(rotmat_to_unitquat(rotations))


def steady(quats: FloatArray) -> FloatArray:
    """Quaternions (frames, ..., 4) with signs that never flip between frames; in place."""
    flips = np.einsum("f...k,f...k->f...", quats[1:], quats[:-1]) < 0
    quats[1:][np.logical_xor.accumulate(flips, axis=0)] *= -1.0
    return quats
