# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples lost one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...core.take import Take
from .registry import corruption


@corruption("occlusion")
def occlusion(take: Take, random: np.random.Generator, *, part: float = 0.1) -> Take:
    """Each sample is missing with the probability `part`, whatever its neighbours' fate."""
    positions = take.positions.copy()
    positions[random.random(positions.shape[:2], dtype=np.float32) < part] = np.nan
    return replace(take, positions=positions)
