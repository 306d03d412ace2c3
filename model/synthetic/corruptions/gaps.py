# SPDX-License-Identifier: GPL-3.0-or-later
"""Gaps as productions have them: most are short, but most of what is missing lies in a few long ones."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from scipy.special import ndtr

from ...core.take import FloatArray, Take
from .registry import corruption
from .space import median_distances
from .spans import TOLD_AT_HZ, IntArray, Spans, crowd, seen_spans

#: Lengths are log-normal. Production captures have a median of 6 frames at 120 Hz, a mean of 56 to 59, and 69 % of their missing
#: frames lie in gaps of more than 200 (LocalMoCap's statistics, Pan et al. 2023). exp(mu) = 6 and this sigma give 6, 59 and 69 %.
MEDIAN, SPREAD = 6.0, 2.14
#: No gap is longer than this, in frames at 120 Hz: ten minutes. The figures above are with it.
LONGEST = 72000


@corruption("gaps")
def gaps(take: Take, random: np.random.Generator, *, part: float = 0.0065, together: float = 0.0, reach: float = 0.25) -> Take:
    """Markers vanish for a while, those of the torso as often as others.

    Gaps begin at random in a recording that goes on before and after the clip, so one may have begun earlier or end later, and
    `part` holds for clips of any length.

    Args:
        take: Any take.
        random: Where the numbers come from.
        part: How many of the samples are missing on average, below 1.
        together: How many of the gaps take the marker's neighbours too, as when a limb is hidden. Markers among many then vanish
            more often than lone ones; `part` stays what it is.
        reach: Who is a neighbour: a marker nearer than this, in m, in the median frame.
    """
    near = _near(take.positions, reach) if together else np.eye(len(take.labels), dtype=bool)
    company = float(near.sum(axis=1).mean()) if len(near) else 1.0
    spans = _draw(take, random, crowd(part) / (1 + together * (company - 1)))
    if together:
        spans = _joined(spans, near, random.random(len(spans.marker)) < together)
    span, frame = spans.samples()
    positions = take.positions.copy()
    positions[frame, spans.marker[span]] = np.nan
    return replace(take, positions=positions)


def gap_lengths(random: np.random.Generator, count: int, rate_hz: float = TOLD_AT_HZ) -> IntArray:
    """(count,) in frames of the rate."""
    scale = rate_hz / TOLD_AT_HZ
    lengths = np.exp(random.normal(np.log(MEDIAN * scale), SPREAD, size=count)).round()
    return np.clip(lengths, 1, round(LONGEST * scale)).astype(np.intp)


@lru_cache(maxsize=8)
def _lengths_ahead(rate_hz: float) -> tuple[FloatArray, float]:
    """How long a gap still lasts that is met on the way, as probabilities to last at most 1, 2, ... frames; and the mean gap.

    P(k frames are ahead) = P(a gap has at least k) / mean, the forward recurrence time of a renewal process.
    """
    scale = rate_hz / TOLD_AT_HZ
    # lengths are rounded: k frames or more come from k - 0.5 or more, and there is none below 1
    halves = np.arange(1, round(LONGEST * scale)) + 0.5
    at_least = np.concatenate([[1.0], ndtr(-np.log(halves / (MEDIAN * scale)) / SPREAD)])
    mean = float(at_least.sum())
    return np.cumsum(at_least) / mean, mean


def _draw(take: Take, random: np.random.Generator, alive: float) -> Spans:
    """Gaps, so that `alive` of them lie over a sample on average: those open at the first frame, then those that begin."""
    ahead, mean = _lengths_ahead(take.rate_hz)
    markers = len(take.labels)
    open_gaps = random.poisson(alive * markers)
    begun = random.poisson(alive / mean * markers * max(take.frames - 1, 0))
    remaining = 1 + np.searchsorted(ahead, random.random(open_gaps))
    start = np.concatenate([np.zeros(open_gaps, dtype=np.intp), random.integers(1, max(take.frames, 2), size=begun)])
    lengths = np.concatenate([remaining, gap_lengths(random, begun, take.rate_hz)])
    marker = random.integers(max(markers, 1), size=len(start))
    return seen_spans(take, marker, start, start + lengths)


def _near(positions: FloatArray, reach: float) -> np.ndarray:
    """(labels, labels): who is lost with whom; everyone with itself."""
    near = median_distances(positions) < reach
    np.fill_diagonal(near, True)
    return near


def _joined(spans: Spans, near: np.ndarray, joint: np.ndarray) -> Spans:
    """The spans, those that are joint once for every neighbour."""
    lost = near[spans.marker]
    lost[~joint] = False
    lost[np.arange(len(lost)), spans.marker] = True
    span, marker = np.nonzero(lost)
    return Spans(marker, spans.start[span], spans.end[span])
