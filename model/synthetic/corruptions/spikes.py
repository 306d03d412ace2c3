# SPDX-License-Identifier: GPL-3.0-or-later
"""Short excursions: for a frame or three the cameras took something else for the marker."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...core.take import Take
from .registry import corruption
from .space import directions
from .spans import crowd, draw_spans, frames_at


@corruption("spikes")
def spikes(
    take: Take,
    random: np.random.Generator,
    *,
    part: float = 0.003,
    shortest: int = 1,
    longest: int = 3,
    nearest: float = 0.05,
    farthest: float = 0.3,
) -> Take:
    """Markers leave their path, keep a constant distance from it, and are back.

    Args:
        take: Any take.
        random: Where the numbers come from.
        part: How many of the samples are off on average, below 1.
        shortest: Length of an excursion, in frames at 120 Hz.
        longest: The same.
        nearest: How far off at least, in m.
        farthest: At most.
    """
    short, long = frames_at(take, shortest), frames_at(take, longest)
    spans = draw_spans(take, random, crowd(part) * 2 / (short + long), short, long)
    count = len(spans.marker)
    offsets = random.uniform(nearest, farthest, size=(count, 1)) * directions(random, count)
    span, frame = spans.samples()
    positions = take.positions.copy()
    # where two meet, one of them counts: a sample is never farther off than said
    positions[frame, spans.marker[span]] = take.positions[frame, spans.marker[span]] + offsets[span].astype(positions.dtype)
    return replace(take, positions=positions)
