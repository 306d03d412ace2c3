# SPDX-License-Identifier: GPL-3.0-or-later
"""Smooth curves through samples: piecewise cubic, each kind by its slopes at the samples.

They are those of `scipy.interpolate` by the same names, whose import takes with what it brings 0.15 s, of every start.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_banded  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

from .take import FloatArray, IntArray


def hermite(at: FloatArray | IntArray, values: FloatArray, slopes: FloatArray, wanted: FloatArray | IntArray) -> FloatArray:
    """The cubic between each two samples that has their values and slopes.

    Args:
        at: (samples,) ascending, at least two.
        values, slopes: (samples, ...).
        wanted: (n,) where the curve is wanted; beyond the ends the first and the last cubic go on.

    Returns:
        (n, ...).
    """
    left = np.clip(np.searchsorted(at, wanted, side="right") - 1, 0, len(at) - 2)
    shape = (-1, *[1] * (values.ndim - 1))
    t = ((wanted - at[left]) / (at[left + 1] - at[left])).reshape(shape)
    # the cubics of all pieces that are wanted: there are fewer of them than of what is wanted, as a rule
    pieces = slice(left.min(initial=len(at) - 2), left.max(initial=0) + 2)
    left -= pieces.start
    values, slopes, length = values[pieces], slopes[pieces], np.diff(at[pieces]).reshape(shape)
    rise = np.diff(values, axis=0)
    begin, end = length * slopes[:-1], length * slopes[1:]
    found = (begin + end - 2 * rise)[left]
    for lower in (3 * rise - 2 * begin - end, begin, values):
        found *= t
        found += lower[left]
    return found


def spline_slopes(at: FloatArray | IntArray, values: FloatArray) -> FloatArray:
    """(samples, ...): the slopes with which the curve bends nowhere abruptly, and the first two cubics, and the last two, are one.

    Args:
        at: (samples,) ascending, at least two.
        values: (samples, ...).

    Source: de Boor, A Practical Guide to Splines, ch. IV, the "not-a-knot" condition.
    """
    lengths, secants = _secants(at, values)
    if len(at) == 2:
        return np.concatenate([secants, secants])
    if len(at) == 3:
        return _parabola_slopes(lengths, secants)
    before, after = lengths[:-1], lengths[1:]
    band, right = np.zeros((3, len(at))), np.empty_like(values)
    band[1, 1:-1], band[0, 2:], band[2, :-2] = 2 * (before + after), before, after
    by = (-1, *[1] * (values.ndim - 1))
    right[1:-1] = 3 * (after.reshape(by) * secants[:-1] + before.reshape(by) * secants[1:])
    for end, inner, h, k, s, t in ((0, 1, *lengths[:2], *secants[:2]), (-1, -2, *lengths[:-3:-1], *secants[:-3:-1])):
        band[1, end], band[0 if end == 0 else 2, inner] = k, h + k
        right[end] = ((h + 2 * (h + k)) * k * s + h**2 * t) / (h + k)
    flat = right.reshape(len(at), -1)
    found = solve_banded((1, 1), band, flat, overwrite_ab=True, overwrite_b=True)  # pyright: ignore[reportUnknownVariableType]
    slopes: FloatArray = np.asarray(found)  # pyright: ignore[reportUnknownArgumentType]
    return slopes.reshape(values.shape)


def akima_slopes(at: FloatArray | IntArray, values: FloatArray) -> FloatArray:
    """(samples, ...): slopes that bend a curve no further than the samples next to it do.

    Args:
        at: (samples,) ascending, at least three.
        values: (samples, ...).

    Source: Akima, A new method of interpolation and smooth curve fitting based on local procedures, J. ACM 17(4), 1970.
    """
    _, secants = _secants(at, values)
    first, last = 2 * secants[0] - secants[1], 2 * secants[-1] - secants[-2]
    m = np.concatenate([[2 * first - secants[0], first], secants, [last, 2 * last - secants[-1]]])
    bends = np.abs(np.diff(m, axis=0))
    before, after = bends[:-2], bends[2:]
    whole = before + after
    # where it bends on neither side the slopes about it are alike
    flat = whole <= 1e-9 * whole.max(initial=0.0)
    return np.where(flat, 0.5 * (m[1:-2] + m[2:-1]), (after * m[1:-2] + before * m[2:-1]) / np.where(flat, 1.0, whole))


def _secants(at: FloatArray | IntArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Lengths (samples - 1,) and slopes (samples - 1, ...) between each two samples."""
    lengths = np.diff(at).astype(float)
    secants = np.diff(values, axis=0)
    secants /= lengths.reshape(-1, *[1] * (values.ndim - 1))
    return lengths, secants


def _parabola_slopes(lengths: FloatArray, secants: FloatArray) -> FloatArray:
    """(3, ...): of the parabola through three samples."""
    (h, k), (s, t) = lengths, secants
    bend = (t - s) / (h + k)
    return np.stack([s - h * bend, s + h * bend, t + k * bend])
