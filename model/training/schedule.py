# SPDX-License-Identifier: GPL-3.0-or-later
"""What every training does alike: how its learning rate falls, how far a step goes, what it is validated on."""

from __future__ import annotations

import math

#: Gradients are clipped to this norm: a corrupted batch must not undo an hour.
LARGEST_GRADIENT = 1.0
#: The pool of validation is drawn with a seed of its own.
VALIDATION_SEED = 10_007


def cosine(done: float, last: float) -> float:
    """Part of the learning rate when a part of the run is done: from 1 down to `last`."""
    return last + (1 - last) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
