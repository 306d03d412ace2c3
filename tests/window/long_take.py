# SPDX-License-Identifier: GPL-3.0-or-later
"""A long take for what it costs to draw one: 10,000 frames of 60 markers."""

from __future__ import annotations

import numpy as np
from person import STAGE, ext

#: How long it is.
FRAMES, MARKERS = 10_000, 60


def write_long_take() -> None:
    """Markers that wander about where they began, with gaps."""
    random = np.random.default_rng(0)
    steps = random.normal(scale=0.004, size=(FRAMES, MARKERS, 3)).cumsum(axis=0)
    positions = random.uniform(0.2, 1.8, size=(MARKERS, 3)) + 0.2 * np.sin(steps)
    positions[random.random((FRAMES, MARKERS)) < 0.02] = np.nan
    labels = tuple(f"M{number:02}" for number in range(MARKERS))
    take = ext("model.core.take").Take("long", labels, positions, np.zeros((FRAMES, MARKERS)), 120.0)
    ext("model.files.c3d_writer").write_c3d(take, STAGE / "long.c3d")
