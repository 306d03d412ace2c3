# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers that slide away as a strap slips, and stay there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...core.take import FloatArray, Take
from .registry import corruption
from .space import directions, median_distances
from .spans import IntArray


@corruption("drift")
def drift(
    take: Take,
    random: np.random.Generator,
    *,
    part: float = 0.05,
    shortest: float = 1.0,
    longest: float = 4.0,
    nearest: float = 0.005,
    farthest: float = 0.04,
) -> Take:
    """Some markers slide along the limb, towards their nearest neighbour or away from it, so that the slip turns with the body.

    Args:
        take: Any take.
        random: Where the numbers come from.
        part: How many of the markers slide, each once; it may have begun before the clip, and may end after it.
        shortest: How long sliding takes, in s.
        longest: The same.
        nearest: How far from its place a marker ends, in m.
        farthest: The same.
    """
    markers = np.flatnonzero(random.random(len(take.labels)) < part)
    if not len(markers):
        return take
    seconds = np.maximum(random.uniform(shortest, longest, len(markers)), 1 / take.rate_hz)
    begun = random.uniform(-seconds, take.frames / take.rate_hz)
    distance = random.uniform(nearest, farthest, len(markers)) * random.choice((-1.0, 1.0), len(markers))
    done = np.clip((np.arange(take.frames)[:, None] / take.rate_hz - begun) / seconds, 0.0, 1.0)
    slid = distance * done**2 * (3 - 2 * done)
    positions = take.positions.copy()
    positions[:, markers] += (slid[..., None] * _ways(take.positions, markers, random)).astype(positions.dtype)
    return replace(take, positions=positions)


def _ways(positions: FloatArray, markers: IntArray, random: np.random.Generator) -> FloatArray:
    """(frames, markers, 3): where each one's nearest neighbour is, as unit vectors, in between where one of the two is not seen.

    A marker that is never seen with another has one random direction throughout.
    """
    neighbours = median_distances(positions)[markers].argmin(axis=1)
    ways = (positions[:, neighbours] - positions[:, markers]).astype(float)
    with np.errstate(invalid="ignore"):  # a marker that is its own neighbour
        ways /= np.linalg.norm(ways, axis=-1, keepdims=True)
    seen = np.isfinite(ways).all(axis=-1)
    frames = np.arange(len(ways))
    for column, direction in enumerate(directions(random, len(markers))):
        at = np.flatnonzero(seen[:, column])
        if not len(at):
            ways[:, column] = direction
        elif len(at) < len(frames):
            ways[:, column] = np.stack([np.interp(frames, at, axis) for axis in ways[at, column].T], axis=-1)
    return ways
