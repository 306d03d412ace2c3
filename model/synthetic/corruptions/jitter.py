# SPDX-License-Identifier: GPL-3.0-or-later
"""The cameras' own noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...core.take import Take
from .registry import corruption


@corruption("jitter")
def jitter(take: Take, random: np.random.Generator, *, least: float = 0.5e-3, most: float = 2e-3) -> Take:
    """White noise on every coordinate.

    Args:
        take: Any take.
        random: Where the numbers come from.
        least: The smallest standard deviation a clip may have, in m; each clip draws its own.
        most: The largest; the same number twice makes it that.
    """
    deviation = random.uniform(least, most)
    noise = random.standard_normal(take.positions.shape, dtype=np.float32)
    noise *= deviation
    return replace(take, positions=take.positions + noise)
