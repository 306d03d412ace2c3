# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves with a key in every frame as few keys with handles, no further off in any frame than a tolerance.

A segment between two keys is Blender's Bezier with handles a third of the way to the other key: its time then runs evenly, so that it is
the cubic through both keys with their slopes (Hermite), which is what Blender plays but for rounding. Slopes are the curves' own, so that
segments do not depend on one another: keys are added where a segment is too far off, then taken away wherever the segment that is left is
near enough.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..core.take import BoolArray, FloatArray, IntArray

#: First and last frame, both included.
Stretch = tuple[int, int]
#: How far curves (frames, channels) are off, per frame, in tolerances: more than 1 is too far.
Error = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, eq=False)
class Curves:
    """The curves of a bone, all of which have their keys in the same frames.

    Attributes:
        values: (frames, channels) as Blender keys them.
        stretches: Where they are known, ascending; between these the last value is held.
        error: How far other values are off.
        allowed: (frames,) where keys may be; the ends of stretches always may.
    """

    values: FloatArray
    stretches: tuple[Stretch, ...]
    error: Error
    allowed: BoolArray

    @property
    def ends(self) -> IntArray:
        """The first and the last frame of each stretch, ascending."""
        return np.unique(np.array(self.stretches, dtype=int).ravel())


def slopes(curves: Curves) -> FloatArray:
    """(frames, channels) per frame: of the line through a frame's neighbours, of an end's through it and its neighbour."""
    found = np.zeros_like(curves.values)
    for first, last in curves.stretches:
        if last > first:
            found[first : last + 1] = np.gradient(curves.values[first : last + 1], axis=0)
    return found


def played(curves: Curves, steep: FloatArray, keys: IntArray) -> FloatArray:
    """What is played with keys in some frames, (frames, channels).

    Args:
        curves: Their values in those frames are kept.
        steep: (frames, channels) of `slopes`.
        keys: Frames, ascending, the ends of all stretches among them.
    """
    frames = np.arange(len(curves.values))
    segment = np.clip(np.searchsorted(keys, frames, side="right") - 1, 0, max(len(keys) - 2, 0))
    if len(keys) < 2:
        return np.broadcast_to(curves.values[keys[0]], curves.values.shape).copy()
    begin, end = keys[segment], keys[segment + 1]
    length = (end - begin).astype(float)
    t = np.clip((frames - begin) / length, 0.0, 1.0)[:, None]
    a, b = curves.values[begin], curves.values[end]
    rise, fall = steep[begin] * length[:, None], steep[end] * length[:, None]
    found = a + t * (rise + t * (3 * (b - a) - 2 * rise - fall + t * (2 * (a - b) + rise + fall)))
    held = np.ones(len(frames), dtype=bool)
    for first, last in curves.stretches:
        held[first : last + 1] = False
    lasts = np.array([last for _, last in curves.stretches])
    before = lasts[np.clip(np.searchsorted(lasts, frames, side="right") - 1, 0, None)]
    found[held] = curves.values[before[held]]
    found[keys] = curves.values[keys]
    found[: curves.stretches[0][0]] = curves.values[curves.stretches[0][0]]
    return found


def thinned(curves: Curves, wanted: Sequence[int] = ()) -> IntArray:
    """The frames of the keys that are left, ascending.

    Args:
        curves: Of one bone.
        wanted: Frames that have a key whatever it is worth.

    Returns:
        Frames; where not all frames are allowed the error may be above 1.
    """
    steep = slopes(curves)
    fixed = np.unique(np.concatenate([curves.ends, np.asarray(wanted, dtype=int)]))
    keys = added(curves, steep, fixed)
    for parity in (1, 0) * 4:
        fewer = _without(curves, steep, keys, fixed, parity)
        if len(fewer) == len(keys) and parity == 0:
            break
        keys = fewer
    return keys


def added(curves: Curves, steep: FloatArray, keys: IntArray) -> IntArray:
    """Keys with as many more as bring the error of every segment to 1 or below, as far as frames are allowed."""
    candidates = curves.allowed.copy()
    for first, last in curves.stretches:
        candidates[[first, last]] = True
    inside = np.zeros(len(candidates), dtype=bool)
    for first, last in curves.stretches:
        inside[first : last + 1] = True
    candidates &= inside
    while True:
        error = np.where(inside, curves.error(played(curves, steep, keys)), 0.0)
        possible = candidates.copy()
        possible[keys] = False
        new = _worst_in_segments(error, possible, keys)
        if not len(new):
            return keys
        keys = np.union1d(keys, new)


def _worst_in_segments(error: FloatArray, possible: BoolArray, keys: IntArray) -> IntArray:
    """Of each segment that is too far off, the possible frame that is nearest to where it is most; nothing where none is possible."""
    if len(keys) < 2:
        return np.zeros(0, dtype=int)
    worst = np.maximum.reduceat(error, keys)[:-1]
    new: list[int] = []
    for row in np.flatnonzero(worst > 1.0):
        begin, end = keys[row], keys[row + 1]
        where = np.flatnonzero(possible[begin:end]) + begin
        if len(where):
            most = begin + int(np.argmax(error[begin:end]))
            new.append(int(where[np.argmin(np.abs(where - most))]))
    return np.array(new, dtype=int)


def _without(curves: Curves, steep: FloatArray, keys: IntArray, fixed: IntArray, parity: int) -> IntArray:
    """Keys without every second one that is not needed: the segment over it is near enough."""
    removable = np.zeros(len(keys), dtype=bool)
    removable[1 + parity : -1 : 2] = True
    removable &= ~np.isin(keys, fixed)
    left = keys[~removable]
    if len(left) < 2:
        return keys
    error = curves.error(played(curves, steep, left))
    worst = np.maximum.reduceat(error, left)
    gone = keys[removable]
    needed = gone[worst[np.searchsorted(left, gone) - 1] > 1.0]
    return np.union1d(left, needed)
