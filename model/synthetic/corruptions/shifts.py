# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples moved one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...core.take import Take
from .registry import corruption
from .space import directions


@corruption("shifts")
def shifts(take: Take, random: np.random.Generator, *, part: float = 0.1, distance: float = 0.1) -> Take:
    """Each sample is moved with the probability `part`: by `distance` metres, in any direction."""
    positions = take.positions.copy()
    moved = random.random(positions.shape[:2], dtype=np.float32) < part
    positions[moved] += (distance * directions(random, int(moved.sum()))).astype(positions.dtype)
    return replace(take, positions=positions)
