# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotations for numpy: vectors, matrices, quaternions and Euler angles, batched, in double precision.

A rotation vector is an axis times an angle in radians, matrices act on columns, quaternions are w x y z. `solver/rotations.py` has for
torch what needs it. scipy's `Rotation` does the same, but importing it takes 0.2 s, of every start, for what it is made of.
"""

from __future__ import annotations

import numpy as np

from .take import FloatArray


def unitquat_to_rotmat(quats: FloatArray) -> FloatArray:
    """Matrices (..., 3, 3) of quaternions (..., 4) of about length 1, whose length is put right first."""
    w, x, y, z = np.moveaxis(_unit(np.asarray(quats, dtype=float)), -1, 0)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, -1) for row in rows], -2)


def rotmat_to_unitquat(rotations: FloatArray) -> FloatArray:
    """Unit quaternions (..., 4), of either sign, of matrices (..., 3, 3).

    Source: Markley, Unit quaternion from rotation matrix, J. Guidance, Control, and Dynamics 31(2), 2008: of the rows of 4 q q', which
    are sums of the matrix's numbers, the one with the greatest diagonal, brought to length 1.
    """
    (a, b, c), (d, e, f), (g, h, i) = np.moveaxis(np.asarray(rotations, dtype=float), (-2, -1), (0, 1))
    rows = (
        (1 + a + e + i, h - f, c - g, d - b),
        (h - f, 1 + a - e - i, b + d, c + g),
        (c - g, b + d, 1 - a + e - i, f + h),
        (d - b, c + g, f + h, 1 - a - e + i),
    )
    best = np.argmax(np.stack([rows[k][k] for k in range(4)], -1), axis=-1)[..., None]
    return _unit(np.stack([np.choose(best[..., 0], [row[k] for row in rows]) for k in range(4)], -1))


def rotvec_to_rotmat(vectors: FloatArray) -> FloatArray:
    """Matrices (..., 3, 3) of rotation vectors (..., 3)."""
    half = 0.5 * np.linalg.norm(vectors, axis=-1, keepdims=True)
    # numpy's sinc is sin(pi x) / (pi x), and 1 at 0
    return unitquat_to_rotmat(np.concatenate([np.cos(half), 0.5 * np.sinc(half / np.pi) * vectors], -1))


def rotmat_to_rotvec(rotations: FloatArray) -> FloatArray:
    """Rotation vectors (..., 3) of at most half a turn, of matrices (..., 3, 3); at half a turn either way round."""
    quats = rotmat_to_unitquat(rotations)
    quats = np.where(quats[..., :1] < 0, -quats, quats)
    half = np.arctan2(np.linalg.norm(quats[..., 1:], axis=-1, keepdims=True), quats[..., :1])
    return 2 / np.sinc(half / np.pi) * quats[..., 1:]


def unitquat_to_euler_zyx(quats: FloatArray) -> FloatArray:
    """Angles (..., 3) in radians of turns about z, then the new y, then the new x, of unit quaternions (..., 4).

    y is within a quarter turn, the others within half a turn. Where y is a quarter turn, z and x turn about one axis, and some split
    between them is given.

    Source: Bernardes and Viollet, Quaternion to Euler angles conversion: a direct, general and computationally efficient method, PLoS
    ONE 17(11), 2022.
    """
    w, x, y, z = np.moveaxis(np.asarray(quats, dtype=float), -1, 0)
    a, b, c, d = w - y, x + z, y + w, z - x
    middle = 2 * np.arctan2(np.hypot(c, d), np.hypot(a, b)) - 0.5 * np.pi
    half_sum, half_difference = np.arctan2(b, a), np.arctan2(d, c)
    outer = np.stack([half_sum + half_difference, half_sum - half_difference], -1)
    outer = (outer + np.pi) % (2 * np.pi) - np.pi
    return np.stack([outer[..., 0], middle, outer[..., 1]], -1)


def unitquat_product(first: FloatArray, second: FloatArray) -> FloatArray:
    """Quaternions (..., 4) of the second turn, then the first."""
    a, b = np.moveaxis(np.asarray(first, dtype=float), -1, 0), np.moveaxis(np.asarray(second, dtype=float), -1, 0)
    real = a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3]
    imaginary = [a[0] * b[i] + a[i] * b[0] + a[j] * b[k] - a[k] * b[j] for i, j, k in ((1, 2, 3), (2, 3, 1), (3, 1, 2))]
    return np.stack([real, *imaginary], -1)


def _unit(quats: FloatArray) -> FloatArray:
    return quats / np.linalg.norm(quats, axis=-1, keepdims=True)
