# SPDX-License-Identifier: GPL-3.0-or-later
"""The study's two noise filters, on windows of markers (windows, frames, labels, 3) in metres, NaN where missing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..core.take import FloatArray

#: No marker moves faster than this, in m/s.
FASTEST_M_PER_S = 12.0
#: A marker whose distances to its group's others are all off by more than this has left the group, in m.
TOLERANCE_M = 0.05

Groups = list[list[int]]


def keep_all(markers: FloatArray, groups: Groups, rate_hz: float) -> FloatArray:  # noqa: ARG001
    """No filter."""
    return markers


def hold_jumps(markers: FloatArray, groups: Groups, rate_hz: float) -> FloatArray:  # noqa: ARG001
    """A marker that jumps farther than a person can move keeps its last place.

    How far it may have moved grows while it is held, so that it is not held for ever.
    """
    held = markers.copy()
    step = FASTEST_M_PER_S / rate_hz
    last = markers[:, 0].copy()
    since = np.ones(last.shape[:2], dtype=np.float32)
    for frame in range(1, markers.shape[1]):
        now = markers[:, frame]
        present = np.isfinite(now[..., 0])
        with np.errstate(invalid="ignore"):
            jumped = ((now - last) ** 2).sum(axis=-1) > (step * since) ** 2
        held[:, frame] = np.where(jumped[..., None], last, now)
        sound = present & ~jumped
        last = np.where(sound[..., None], now, last)
        since = np.where(sound, 1.0, since + 1.0)
    return held


def drop_strays(markers: FloatArray, groups: Groups, rate_hz: float) -> FloatArray:  # noqa: ARG001
    """A marker that moves away from its rigid group is missing.

    It has moved away where its distance to most of the group's others is not what it usually is in the window.
    """
    kept = markers.copy()
    for group in groups:
        points = markers[:, :, group]
        distances = np.linalg.norm(points[:, :, :, None] - points[:, :, None], axis=-1)
        with np.errstate(all="ignore"):
            usual = _median_of_some(distances)
            off = np.abs(distances - usual[:, None]) > TOLERANCE_M
        others = len(group) - 1
        stray = off.sum(axis=-1) > others / 2
        kept[:, :, group] = np.where(stray[..., None], np.nan, points)
    return kept


def _median_of_some(distances: FloatArray) -> FloatArray:
    """Median over frames (axis 1), NaN last: few samples of a window are missing, and a low median is as usual as the middle."""
    ordered = np.sort(distances[:, ::4], axis=1)
    counts = np.maximum(np.isfinite(ordered).sum(axis=1, keepdims=True), 1)
    return np.take_along_axis(ordered, (counts - 1) // 2, axis=1)[:, 0]


NOISE_FILTERS: dict[str, Callable[[FloatArray, Groups, float], FloatArray]] = {"none": keep_all, "jumps": hold_jumps, "groups": drop_strays}
