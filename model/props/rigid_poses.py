# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a rigid object is, from its markers: weighted Kabsch, gaps bridged, and objects whose markers stand in a line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.rigid import nearest_rotations, turn_between
from ..core.rotations import rotmat_to_rotvec, rotvec_to_rotmat
from ..core.stretches import stretches
from ..core.take import BoolArray, FloatArray, all_finite

#: Markers stand in a line where they are no farther than this from it, root mean square, in m: they do not tell of a turn about it.
LINE_M = 0.004
#: A pose between two others that are no farther apart than this, in s, is bridged, by the markers that are left.
BRIDGED_SECONDS = 0.5
#: How much the bridge counts beside a sample, and how large the object is taken for in it, in m.
BRIDGE_WEIGHT, BRIDGE_M = 1e-4, 0.1
#: Six points about the origin, that hold a pose.
CROSS = np.concatenate([np.eye(3), -np.eye(3)]) * BRIDGE_M


@dataclass(frozen=True, eq=False)
class RigidPoses:
    """Poses of an object.

    Attributes:
        rotations: (frames, 3, 3) from its axes onto the take's.
        positions: (frames, 3) in metres, of its origin.
        known: (frames,) where markers tell of both, or both are bridged. The rest is NaN.
    """

    rotations: FloatArray
    positions: FloatArray
    known: BoolArray

    def local(self, points: FloatArray, frames: slice = slice(None)) -> FloatArray:
        """Points (frames, 3) of some frames on the object's axes; NaN where either is not known."""
        return np.einsum("fba,fb->fa", self.rotations[frames], points - self.positions[frames])

    def placed(self, places: FloatArray) -> FloatArray:
        """(frames, markers, 3) in metres: where markers are whose places (markers, 3) are given."""
        return np.einsum("fab,mb->fma", self.rotations, places) + self.positions[:, None]


def in_a_line(places: FloatArray) -> bool:
    """Whether places (markers, 3) in metres stand in a line."""
    return bool(_off_line(places - places.mean(axis=0), len(places)) < LINE_M)


def _off_line(centred: FloatArray, count: FloatArray | int) -> FloatArray:
    """How far points (..., markers, 3) about their middle are from the line that fits them best, root mean square in metres."""
    return np.sqrt((np.linalg.svd(centred, compute_uv=False)[..., 1:] ** 2).sum(axis=-1) / count)


def rigid_poses(samples: FloatArray, places: FloatArray) -> RigidPoses:
    """The poses in which three markers or more are seen that do not stand in a line; of an object that is a line, two or more.

    Args:
        samples: (frames, markers, 3) in metres, NaN where missing.
        places: (markers, 3) in metres, on the object's axes.
    """
    there = all_finite(samples)
    if in_a_line(places):
        return _line_poses(samples, there, places)
    count = there.sum(axis=1)
    known = count >= 3
    patterns, which = np.unique(there, axis=0, return_inverse=True)
    own = places * patterns[..., None]
    middles = own.sum(axis=1) / np.maximum(patterns.sum(axis=1), 1)[:, None]
    off = _off_line((places - middles[:, None]) * patterns[..., None], np.maximum(patterns.sum(axis=1), 1))
    known &= (off >= LINE_M)[which.ravel()]
    rotations, positions = np.full((len(samples), 3, 3), np.nan), np.full((len(samples), 3), np.nan)
    rotations[known], positions[known] = _kabsch(samples[known], there[known].astype(float), places)
    return RigidPoses(rotations, positions, known)


def _kabsch(samples: FloatArray, weights: FloatArray, places: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Rotations (frames, 3, 3) and positions (frames, 3) that bring places (points, 3) onto samples (frames, points, 3) best.

    Args:
        samples: NaN where the weight is 0.
        weights: (frames, points).
        places: In metres.
    """
    total = weights.sum(axis=1)[:, None]
    samples = np.where(weights[..., None] > 0, samples, 0.0)
    seen, own = (np.einsum("fp,fpa->fa", weights, samples) / total), weights @ places / total
    spread = np.einsum("fp,fpa,fpb->fab", weights, samples - seen[:, None], places[None] - own[:, None])
    rotations = nearest_rotations(spread)
    return rotations, seen - np.einsum("fab,fb->fa", rotations, own)


def _line_poses(samples: FloatArray, there: BoolArray, places: FloatArray) -> RigidPoses:
    """Of markers in a line, which turn about it as little as may be."""
    middle = places.mean(axis=0)
    axis = np.linalg.svd(places - middle)[2][0]
    along = (places - middle) @ axis
    known = there.sum(axis=1) >= 2
    rotations, positions = np.full((len(samples), 3, 3), np.nan), np.full((len(samples), 3), np.nan)
    count = there[known].sum(axis=1)[:, None]
    points = np.where(there[known, :, None], samples[known], 0.0)
    own = np.where(there[known], along, 0.0)
    seen, own_middle = points.sum(axis=1) / count, own.sum(axis=1)[:, None] / count
    directions = np.einsum("fm,fma->fa", np.where(there[known], own - own_middle, 0.0), points)
    turn, before = np.eye(3), axis
    for frame, direction, point, offset in zip(np.flatnonzero(known), directions, seen, own_middle[:, 0], strict=True):
        now = direction / np.linalg.norm(direction)
        if before @ now > -0.999:
            turn = turn_between(before, now) @ turn
        before = now
        rotations[frame], positions[frame] = turn, point - turn @ (middle + offset * axis)
    return RigidPoses(rotations, positions, known)


def bridged(poses: RigidPoses, samples: FloatArray, places: FloatArray, rate_hz: float) -> RigidPoses:
    """With poses in short gaps: as the object goes from one pose to the next, moved to the samples (frames, markers, 3) that are left."""
    rotations, positions, known = poses.rotations.copy(), poses.positions.copy(), poses.known.copy()
    weights = np.concatenate([all_finite(samples).astype(float), np.full((len(samples), len(CROSS)), BRIDGE_WEIGHT)], axis=1)
    for start, end in stretches(~poses.known).tolist():
        if start == 0 or end == len(known) or end - start > BRIDGED_SECONDS * rate_hz:
            continue
        part = (np.arange(start, end) - (start - 1)) / (end - start + 1)
        before, after = rotations[start - 1], poses.rotations[end]
        turned = before @ rotvec_to_rotmat(part[:, None] * rotmat_to_rotvec(before.T @ after))
        moved = positions[start - 1] + part[:, None] * (poses.positions[end] - positions[start - 1])
        held = np.einsum("fab,pb->fpa", turned, CROSS) + moved[:, None]
        here = slice(start, end)
        rotations[here], positions[here] = _kabsch(
            np.concatenate([samples[here], held], axis=1), weights[here], np.concatenate([places, CROSS])
        )
        known[here] = True
    return RigidPoses(rotations, positions, known)


def settled_shape(samples: FloatArray, places: FloatArray, rounds: int = 3) -> FloatArray:
    """Places (markers, 3) of markers, in metres, from all their samples (frames, markers, 3): generalised Procrustes.

    Args:
        samples: NaN where missing.
        places: To begin from, NaN for those that are not known yet.
    """
    known = all_finite(places)
    for _ in range(rounds):
        poses = rigid_poses(samples[:, known], places[known])
        local = np.einsum("fba,fmb->fma", poses.rotations[poses.known], samples[poses.known] - poses.positions[poses.known, None])
        seen = all_finite(local).any(axis=0)
        places = places.copy()
        places[seen] = np.nanmedian(local[:, seen], axis=0)
        known = all_finite(places)
    return places
