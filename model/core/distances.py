# SPDX-License-Identifier: GPL-3.0-or-later
"""How far markers are from where they should be."""

from __future__ import annotations

import numpy as np

from .parallel import run_each
from .take import FloatArray

#: Frames at once, so that what is made on the way stays small however long the take is.
AT_ONCE = 4096
#: In metres: the squares of larger numbers might be none.
FARTHEST_M = 1e9


def distances(points: FloatArray, places: FloatArray) -> FloatArray:
    """(frames, labels) in metres: between points and places (frames, labels, 3), NaN where either is.

    A noisy sample may be anywhere: no distance on an axis counts as more than `FARTHEST_M`, whose square is a number.
    """
    found = np.empty(points.shape[:2], dtype=np.result_type(points, places))

    def work(start: int) -> None:
        frames = slice(start, start + AT_ONCE)
        apart = points[frames] - places[frames]
        np.clip(apart, -FARTHEST_M, FARTHEST_M, out=apart)
        apart *= apart
        # by axis: summing over a last axis of three is many times slower in numpy
        np.sqrt(apart[..., 0] + apart[..., 1] + apart[..., 2], out=found[frames])

    run_each(work, range(0, len(found), AT_ONCE))
    return found


def squared_lengths(vectors: FloatArray) -> FloatArray:
    """(...,) of vectors (..., 3), by axis."""
    return vectors[..., 0] ** 2 + vectors[..., 1] ** 2 + vectors[..., 2] ** 2
