# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the markers' own jitter out of solved poses without delaying or flattening what the body did."""

from __future__ import annotations

from scipy.signal import butter, sosfiltfilt

from ..motion import matrices, quaternions
from ..take import FloatArray

#: Cut-off frequencies in Hz at smooth = 0 (no filter above it) and smooth = 1. Voluntary movement lies below about 10 Hz,
#: the impact of a punch or a landing below about 20 Hz (Winter, Biomechanics and Motor Control, ch. 3).
HIGHEST_HZ, LOWEST_HZ = 60.0, 5.0
ORDER = 2


def cutoff_hz(smooth: float) -> float:
    """The low-pass filter's cut-off for a smoothness from 0 to 1, on a logarithmic scale."""
    return HIGHEST_HZ * (LOWEST_HZ / HIGHEST_HZ) ** smooth


def low_pass(values: FloatArray, rate_hz: float, smooth: float) -> FloatArray:
    """Filter curves (frames, ...) forwards and backwards, so that nothing is delayed; the input where there is nothing to filter."""
    cutoff = cutoff_hz(smooth)
    if smooth <= 0 or cutoff >= 0.45 * rate_hz or len(values) < 3:
        return values
    sections = butter(ORDER, cutoff, fs=rate_hz, output="sos")
    padding = min(len(values) - 1, round(3 * rate_hz / cutoff))
    return sosfiltfilt(sections, values, axis=0, padlen=padding).astype(values.dtype)


def smooth_rotations(rotations: FloatArray, rate_hz: float, smooth: float) -> FloatArray:
    """Filter rotations (frames, 3, 3) that turn little within the filter's reach: their quaternions, brought back to length 1."""
    return matrices(low_pass(quaternions(rotations), rate_hz, smooth))
