# SPDX-License-Identifier: GPL-3.0-or-later
"""Values over time that fade, spread and are smoothed.

`scipy.ndimage` has filters for it, but importing them takes 0.2 s, of every start.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .take import FloatArray


def ease(x: FloatArray) -> FloatArray:
    """From 0 at 0 to 1 at 1, without a jump in speed."""
    x = np.clip(x, 0.0, 1.0)
    return x * x * (3 - 2 * x)


def spread(values: FloatArray, reach: int) -> FloatArray:
    """The largest value (frames, columns) within some frames on either side."""
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    largest = padded[: len(values)].copy()
    # shift by shift: the maximum over a view of windows takes ten times as long
    for shift in range(1, 2 * reach + 1):
        np.maximum(largest, padded[shift : shift + len(values)], out=largest)
    return largest


def smoothed(values: FloatArray, sigma: float) -> FloatArray:
    """Values (frames, columns) under a Gaussian of that many frames."""
    return smoothed_within(values, [(0, len(values))], sigma)


def smoothed_within(values: FloatArray, stretches: Sequence[tuple[int, int]], sigma: float) -> FloatArray:
    """The same of each stretch by itself, its first frame and the one behind its last; all else stays as it is.

    A take has hundreds of stretches in which a foot stands: they are smoothed in one go.
    """
    reach = max(1, int(np.ceil(3 * sigma)))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-3)) ** 2)
    found = values.copy()
    if not stretches:
        return found
    # each goes on as it begins and ends
    rows = [np.arange(start - reach, end + reach).clip(start, end - 1) for start, end in stretches]
    windows = np.lib.stride_tricks.sliding_window_view(values[np.concatenate(rows)], 2 * reach + 1, axis=0)
    smooth, at = windows @ (kernel / kernel.sum()), 0
    for start, end in stretches:
        found[start:end] = smooth[at : at + end - start]
        at += end - start + 2 * reach
    return found
