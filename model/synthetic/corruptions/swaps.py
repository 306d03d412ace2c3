# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels of neighbours exchanged for a while."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...core.take import Take
from .registry import corruption
from .space import median_distances
from .spans import IntArray, draw_spans, frames_at


@corruption("swaps")
def swaps(
    take: Take, random: np.random.Generator, *, rate: float = 0.002, shortest: int = 10, longest: int = 60, reach: float = 0.15
) -> Take:
    """Two markers carry each other's label; no sample is lost or moved, and a gap goes with its marker.

    Args:
        take: Any take.
        random: Where the numbers come from.
        rate: How many swaps begin per marker and second.
        shortest: Length of a swap, in frames at 120 Hz.
        longest: The same.
        reach: How far swaps reach, in m: a pair is chosen with the weight exp(-d² / 2 reach²), d its distance in the median frame.
    """
    spans = draw_spans(take, random, rate / take.rate_hz, frames_at(take, shortest), frames_at(take, longest))
    if len(take.labels) < 2 or not len(spans.start):
        return take
    positions, residuals = take.positions.copy(), take.residuals.copy()
    pairs = _pairs(take, random, len(spans.start), reach)
    for pair, start, end in zip(pairs, spans.start, spans.end, strict=False):
        for samples in (positions, residuals):
            samples[start:end, pair] = samples[start:end, pair[::-1]]
    return replace(take, positions=positions, residuals=residuals)


def _pairs(take: Take, random: np.random.Generator, count: int, reach: float) -> IntArray:
    """(count, 2): pairs of labels, mostly of neighbours; none where no two are ever seen together."""
    distances = median_distances(take.positions)
    first, second = np.nonzero(np.triu(np.isfinite(distances)))
    if not len(first):
        return np.empty((0, 2), dtype=np.intp)
    apart = distances[first, second]
    # the nearest pair of all weighs 1, so that something can be chosen however far apart the markers are
    weights = np.exp((apart.min() ** 2 - apart**2) / (2 * max(reach, 1e-3) ** 2))
    chosen = random.choice(len(first), size=count, p=weights / weights.sum())
    return np.stack([first[chosen], second[chosen]], axis=-1)
