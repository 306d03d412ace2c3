# SPDX-License-Identifier: GPL-3.0-or-later
"""Random directions, and which markers are neighbours."""

from __future__ import annotations

import numpy as np

from ...core.take import FloatArray

#: How many frames, spread over a clip, say who is whose neighbour.
LOOKED_AT = 9


def directions(random: np.random.Generator, count: int) -> FloatArray:
    """(count, 3): unit vectors, uniform on the sphere."""
    vectors = random.normal(size=(count, 3))
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def median_distances(positions: FloatArray) -> FloatArray:
    """(labels, labels) in metres: how far markers are from each other in the median of a few frames.

    Infinite between a marker and itself, and between two that are never seen together.
    """
    frames, labels, _ = positions.shape
    distances = np.full((labels, labels), np.inf)
    if frames == 0:
        return distances
    looked_at = positions[np.linspace(0, frames - 1, min(frames, LOOKED_AT)).round().astype(int)]
    apart = np.sqrt(sum((axis[:, :, None] - axis[:, None, :]) ** 2 for axis in np.moveaxis(looked_at, -1, 0)))
    apart.sort(axis=0)  # NaN comes last
    known = np.isfinite(apart).sum(axis=0)
    median = np.take_along_axis(apart, np.maximum(known - 1, 0)[None] // 2, axis=0)[0]
    distances[known > 0] = median[known > 0]
    np.fill_diagonal(distances, np.inf)
    return distances
