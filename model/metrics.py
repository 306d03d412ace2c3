# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a solve is from a lab's: raw, and with the labs' conventions taken out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from .take import FloatArray


@dataclass(frozen=True, eq=False)
class PoseError:
    """Errors of every joint in every frame.

    Attributes:
        position_mm: (frames, joints), raw.
        rotation_deg: (frames, joints), raw, of global rotations.
        motion_mm: (frames, joints) with one constant offset per joint, in its bone's frame, taken out of the take.
        motion_deg: (frames, joints) with one constant rotation per bone taken out of the take.
    """

    position_mm: FloatArray
    rotation_deg: FloatArray
    motion_mm: FloatArray
    motion_deg: FloatArray


def pose_error(positions: FloatArray, turned: FloatArray, true_positions: FloatArray, true_turned: FloatArray) -> PoseError:
    """Compare two solves of one take.

    Position error is JPE and rotation error global JOE as OpenMoCap (arXiv 2508.12610) defines them: no alignment. The
    motion errors leave what moves: where a lab puts a joint, and how a bone's axes lie, is a convention.

    Args:
        positions, true_positions: (frames, joints, 3) in metres; the longer take is cut to the shorter.
        turned, true_turned: (frames, joints, 3, 3) global rotations.
    """
    frames = min(len(positions), len(true_positions))
    positions, true_positions = positions[:frames], true_positions[:frames]
    turned, true_turned = turned[:frames], true_turned[:frames]
    apart = true_positions - positions
    # least squares: the mean in the bone's frame, and the chordal mean rotation (Hartley et al. 2013, Rotation Averaging)
    offset = np.einsum("fjki,fjk->ji", turned, apart) / frames
    moved = apart - np.einsum("fjik,jk->fji", turned, offset)
    constant = Rotation.from_matrix(np.einsum("fjki,fjkl->jil", turned, true_turned) / frames).as_matrix()
    return PoseError(
        np.linalg.norm(apart, axis=-1) * 1000,
        rotation_angles_deg(turned, true_turned),
        np.linalg.norm(moved, axis=-1) * 1000,
        rotation_angles_deg(turned @ constant, true_turned),
    )


def rotation_angles_deg(a: FloatArray, b: FloatArray) -> FloatArray:
    """Angle between rotations (..., 3, 3), in degrees."""
    between = np.swapaxes(a, -1, -2) @ b
    return np.degrees(Rotation.from_matrix(between.reshape(-1, 3, 3)).magnitude()).reshape(between.shape[:-2])


def jitter(positions: FloatArray, rate_hz: float) -> float:
    """Mean acceleration of points (frames, points, 3) in m/s^2."""
    return float(np.linalg.norm(np.diff(positions, n=2, axis=0), axis=-1).mean() * rate_hz**2)
