# SPDX-License-Identifier: GPL-3.0-or-later
"""Stretches of frames that go without a break."""

from __future__ import annotations

import numpy as np

from .take import BoolArray, IntArray


def stretches(flags: BoolArray) -> IntArray:
    """(stretches, 2): the first index of each run of True in flags (frames,), and the one behind its last."""
    return np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
