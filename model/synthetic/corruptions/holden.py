# SPDX-License-Identifier: GPL-3.0-or-later
"""The noise that the study's networks were trained on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...core.take import Take
from .registry import corruption


@corruption("holden")
def holden(take: Take, random: np.random.Generator, *, occluded: float = 0.1, shifted: float = 0.1, reach: float = 0.5) -> Take:
    """Corrupt(X; sigma_o, sigma_s, beta) of Holden, "Robust Solving of Optical Motion Capture Data by Denoising" (2018), algorithm 1.

    Each frame draws how likely its markers are to be lost, p = min(|N(0, sigma)|, 2 sigma), and to be shifted, the same; each marker,
    of the torso or not, then has its own luck. With 0.1 the mean of p is 0.0782.

    Args:
        take: Any take.
        random: Where the numbers come from.
        occluded: sigma_o.
        shifted: sigma_s.
        reach: beta: a shift is uniform between -beta and beta on each axis, in m.
    """
    frames, labels, _ = take.positions.shape
    lost, moved = (
        random.random((frames, labels), dtype=np.float32) < np.minimum(np.abs(random.normal(0.0, sigma, (frames, 1))), 2 * sigma)
        for sigma in (occluded, shifted)
    )
    positions = take.positions.copy()
    positions[moved] += random.uniform(-reach, reach, size=(int(moved.sum()), 3)).astype(positions.dtype)
    positions[lost] = np.nan
    return replace(take, positions=positions)
