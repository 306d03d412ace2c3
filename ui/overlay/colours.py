# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours of states and takes, told apart also by those who see red and green alike (after Okabe and Ito 2008)."""

from __future__ import annotations

import numpy as np

from ...model.review.states import State

#: Of a marker by its state, red green blue alpha.
COLOURS = {
    State.SEEN: (0.55, 0.80, 0.95, 1.0),
    State.PINNED: (1.00, 1.00, 1.00, 1.0),
    State.LOOSE: (0.60, 0.60, 0.60, 0.8),
    State.MUTED: (0.48, 0.48, 0.48, 0.9),
    State.FILLED: (0.95, 0.90, 0.25, 0.7),
    State.MISSING: (0.45, 0.30, 0.15, 1.0),
    State.RELABELLED: (0.00, 0.62, 0.45, 1.0),
    State.FAR: (0.80, 0.47, 0.65, 1.0),
    State.RIGID: (0.90, 0.62, 0.00, 1.0),
    State.JUMP: (0.84, 0.25, 0.00, 1.0),
    State.RESIDUAL: (0.75, 0.10, 0.35, 1.0),
    State.GHOST: (0.95, 0.15, 0.95, 1.0),
}
PALETTE = np.array([COLOURS[state] for state in State], dtype=np.float32)
#: What is seen of each take in a scene, one after the other.
TAKES = np.array(
    [(0.55, 0.80, 0.95, 1), (0.75, 0.90, 0.45, 1), (1.0, 0.75, 0.55, 1), (0.80, 0.70, 1.0, 1), (0.6, 0.95, 0.85, 1)], dtype=np.float32
)


def palette_of(take: int) -> np.ndarray:
    """(states, 4): the colours of a take's states by its number in the scene."""
    colours = PALETTE.copy()
    colours[State.SEEN] = TAKES[take % len(TAKES)]
    return colours
