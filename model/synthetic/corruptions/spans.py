# SPDX-License-Identifier: GPL-3.0-or-later
"""Things that begin at a random frame and last for some: a clip is a window on a recording that goes on before and after it.

So a span may have begun before the clip or end after it, and short clips are corrupted as much as long ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log1p

import numpy as np
from numpy.typing import NDArray

from ...core.errors import BonesetterError
from ...core.take import Take

IntArray = NDArray[np.integer]

#: Lengths are told in frames of a recording at this rate, the labs' usual one.
TOLD_AT_HZ = 120.0


@dataclass(frozen=True, eq=False)
class Spans:
    """What a clip shows of some spans, each of one marker; arrays of (spans,).

    Attributes:
        marker: Which marker.
        start: The first frame.
        end: The frame after the last.
    """

    marker: IntArray
    start: IntArray
    end: IntArray

    def samples(self) -> tuple[IntArray, IntArray]:
        """Which span and which frame, for every sample of every span: two arrays of (samples,)."""
        lengths = self.end - self.start
        span = np.repeat(np.arange(len(lengths)), lengths)
        first = np.cumsum(lengths) - lengths
        return span, np.arange(len(span)) + (self.start - first)[span]


def frames_at(take: Take, frames: float) -> int:
    """A length told at 120 Hz in frames of the take, at least one."""
    return max(1, round(frames * take.rate_hz / TOLD_AT_HZ))


def crowd(part: float) -> float:
    """How many spans a sample must lie in on average for this part of the samples to lie in any: spans overlap.

    Their number is Poisson distributed, so 1 - exp(-crowd) = part.
    """
    if part >= 1:
        raise BonesetterError(f'The "part" of the samples in gaps or spikes must be below 1, not {part}.')
    return -log1p(-part)


def draw_spans(take: Take, random: np.random.Generator, begun: float, shortest: int, longest: int) -> Spans:
    """Spans of uniform length that begin independently of each other.

    Args:
        take: Says how many frames and markers there are.
        random: Where the numbers come from.
        begun: How many begin per marker and frame on average.
        shortest: In frames of the take.
        longest: The same.
    """
    markers = len(take.labels)
    count = random.poisson(begun * markers * (take.frames + longest - 1))
    start = random.integers(1 - longest, max(take.frames, 2 - longest), size=count)
    end = start + random.integers(shortest, longest + 1, size=count)
    marker = random.integers(max(markers, 1), size=count)
    return seen_spans(take, marker, start, end)


def seen_spans(take: Take, marker: IntArray, start: IntArray, end: IntArray) -> Spans:
    """The part of the spans that lies inside the clip."""
    start, end = np.maximum(start, 0), np.minimum(end, take.frames)
    seen = end > start
    return Spans(marker[seen], start[seen], end[seen])
