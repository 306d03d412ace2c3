# SPDX-License-Identifier: GPL-3.0-or-later
"""Stretches of frames: those that go without a break, how far it is to the nearest, and some frames of one."""

from __future__ import annotations

import numpy as np

from .take import BoolArray, FloatArray, IntArray


def stretches(flags: BoolArray) -> IntArray:
    """(stretches, 2): the first index of each run of True in flags (frames,), and the one behind its last."""
    return np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)


def frames_from(flags: BoolArray) -> FloatArray:
    """(frames, columns): how many frames each is from the nearest True of flags (frames, columns) in its column; infinite where none is."""
    frames = np.arange(len(flags), dtype=float)[:, None]
    before = np.maximum.accumulate(np.where(flags, frames, -np.inf), axis=0)
    after = np.minimum.accumulate(np.where(flags, frames, np.inf)[::-1], axis=0)[::-1]
    return np.minimum(frames - before, after - frames)


def evenly(start: int, end: int, most: int) -> IntArray:
    """So many of the frames from the first to the one before `end`, or all if there are no more: evenly spread, the outermost included."""
    return np.unique(np.linspace(start, end - 1, min(most, max(0, end - start))).astype(int))
