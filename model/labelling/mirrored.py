# SPDX-License-Identifier: GPL-3.0-or-later
"""Points that a glossy floor shows once more: the image of each lies as far below the floor as the marker is above it.

Images of feet and shins are points that move as a person does, so that neither their length nor their motion gives them away, and with
them a body has no length that anybody has. But nothing else lies below the floor: where what does lies under other points as their
images would, it is theirs.
"""

from __future__ import annotations

import numpy as np

from ..core.axes import heights, up_index
from ..core.stretches import evenly
from ..core.take import Axis, FloatArray, IntArray, all_finite

#: An image lies so nearly under its point, in metres, and at least so far below it.
UNDER_M, LEAST_M = 0.02, 0.02
#: Floors are looked for in steps of this height, in m: so well cameras measure an image.
STEP_M = 0.01
#: At a floor so many pairs of a point and its image a frame are seen, and so large a part of what lies below it are images: the rest are
#: those whose point is hidden, and ghosts.
PAIRS, IMAGES = 1.0, 0.6
#: Of the points that have an image the lowest are no higher above a floor than this, in m: those of feet.
STOOD_ON_M = 0.15
#: Frames that are looked at, and candidates for the floor, those with most pairs.
FRAMES, FLOORS = 200, 8


def mirror_height(positions: FloatArray, up_axis: Axis) -> float | None:
    """The height in metres of a floor below which lie images alone, of points above it; None if there is none.

    Args:
        positions: (frames, columns, 3) in metres, NaN where missing.
        up_axis: The axis that points up.
    """
    if not len(positions):
        return None
    frames = evenly(0, len(positions), FRAMES)
    points = positions[frames]
    # a point that lacks one coordinate is none
    points = np.where(all_finite(points)[..., None], points, np.nan)
    height = heights(points, up_axis)
    flat = np.delete(points, up_index(up_axis), axis=-1)
    frame, above, below = np.concatenate([_one_under_another(*each) for each in zip(range(len(frames)), flat, height, strict=True)], axis=1)
    middle = (height[frame, above] + height[frame, below]) / 2
    steps, count = np.unique(np.floor(middle / STEP_M).astype(int), return_counts=True)
    for step in steps[np.argsort(-count, kind="stable")][:FLOORS].tolist():
        floor_m = (step + 0.5) * STEP_M
        pairs = np.abs(middle - floor_m) < STEP_M
        if pairs.sum() < PAIRS * len(frames):
            continue
        # the legs of a table stand under its corners, but nothing stands where their middles are
        if np.percentile(height[frame[pairs], above[pairs]], 10) - floor_m > STOOD_ON_M:
            continue
        if _part_of_images(height, floor_m, frame[pairs], below[pairs]) >= IMAGES:
            return floor_m
    return None


def _one_under_another(frame: int, flat: FloatArray, height: FloatArray) -> IntArray:
    """(3, pairs): a frame, and the columns of each two points of which the second is under the first.

    Args:
        frame: Which.
        flat: (columns, 2) in metres, where the points are on the floor, NaN where missing.
        height: (columns,) in metres.
    """
    # not above: a solve of a take with labels loads this module, and is not to wait for scipy.spatial
    from scipy.spatial import KDTree

    there = np.flatnonzero(np.isfinite(height))
    if len(there) < 2:
        return np.zeros((3, 0), dtype=int)
    pairs = there[KDTree(flat[there]).query_pairs(UNDER_M, output_type="ndarray")]
    low_first = np.take_along_axis(pairs, np.argsort(height[pairs], axis=1), axis=1)
    below, above = low_first[height[low_first[:, 1]] - height[low_first[:, 0]] > LEAST_M].T
    return np.stack([np.full(len(above), frame), above, below])


def _part_of_images(height: FloatArray, floor_m: float, frame: IntArray, column: IntArray) -> float:
    """How much of what lies below a floor are images.

    Args:
        height: (frames, columns) in metres.
        floor_m: In metres.
        frame, column: (pairs,) of the images.
    """
    with np.errstate(invalid="ignore"):
        below = height < floor_m - STEP_M
    images = np.zeros_like(below)
    images[frame, column] = True
    return float((below & images).sum() / max(int(below.sum()), 1))
