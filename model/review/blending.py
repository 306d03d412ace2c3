# SPDX-License-Identifier: GPL-3.0-or-later
"""A stretch of a solve put into another one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ..core.rigid import steady
from ..core.take import FloatArray, Take
from ..result.solved import Stance

#: At either end of a stretch the new pose fades in within this time, in s, and within this part of the stretch.
FADE_SECONDS, FADE_PART = 0.2, 0.35
#: So much more than the stretch is solved on both sides, in s: a pose follows from those around it.
AROUND_SECONDS = 1.0


def surroundings(first: int, last: int, frames: int, rate_hz: float) -> tuple[int, int]:
    """The first sample of a stretch with what is around it, and the one behind its last."""
    around = round(AROUND_SECONDS * rate_hz)
    return max(0, first - around), min(frames, last + around + 1)


def with_surroundings(take: Take, first: int, last: int) -> Take:
    """The part of a take from sample `first` to `last` with what is around it."""
    return stretch_of(take, *surroundings(first, last, take.frames, take.rate_hz))


def stretch_of(take: Take, start: int, end: int) -> Take:
    """The samples of a take from `start` to before `end`."""
    pinned = None if take.pinned is None else take.pinned[start:end]
    return replace(
        take,
        positions=take.positions[start:end],
        residuals=take.residuals[start:end],
        pinned=pinned,
        first_frame=take.first_frame + take.frame_step * start,
        # a copy of the file can only be patched as a whole
        source=None,
    )


def weights(count: int, rate_hz: float, begins: bool, ends: bool) -> FloatArray:
    """(count,): how much of the new pose each sample of a stretch has, smoothly from nearly 0 at an end to 1.

    Args:
        count: Samples of the stretch.
        rate_hz: Of the take.
        begins, ends: Whether the stretch reaches to the beginning and to the end of the take: there nothing is to be met.
    """
    fade = max(1, round(min(FADE_SECONDS * rate_hz, FADE_PART * count)))
    steps = np.minimum(np.arange(1, count + 1) / (fade + 1), 1.0)
    into = np.ones(count) if begins else steps
    out = np.ones(count) if ends else steps[::-1]
    part = np.minimum(into, out)
    return part * part * (3 - 2 * part)


def blended_rotations(old: FloatArray, new: FloatArray, part: FloatArray) -> FloatArray:
    """Quaternions (samples, ..., 4) on the way from old to new ones, `part` (samples,) of it: spherical linear interpolation."""
    new = new * np.where((old * new).sum(axis=-1, keepdims=True) < 0, -1.0, 1.0)
    cosine = np.clip((old * new).sum(axis=-1, keepdims=True), -1.0, 1.0)
    angle = np.arccos(cosine)
    part = part.reshape(-1, *[1] * (old.ndim - 1))
    small = angle < 1e-4
    sine = np.where(small, 1.0, np.sin(angle))
    mixed = np.where(small, (1 - part) * old + part * new, (np.sin((1 - part) * angle) * old + np.sin(part * angle) * new) / sine)
    return steady(mixed / np.linalg.norm(mixed, axis=-1, keepdims=True))


def blended(old: FloatArray, new: FloatArray, part: FloatArray) -> FloatArray:
    """(samples, ...) on the straight way from old to new numbers."""
    part = part.reshape(-1, *[1] * (old.ndim - 1))
    return (1 - part) * old + part * new


def joined_stances(old: Iterable[Stance], new: Iterable[Stance], first: int, last: int) -> tuple[Stance, ...]:
    """The stances of one solve outside of a stretch, and those of another within it."""
    found: list[Stance] = []
    for stance in old:
        for start, end in ((stance.first, min(stance.last, first - 1)), (max(stance.first, last + 1), stance.last)):
            if start <= end:
                found.append(replace(stance, first=start, last=end))
    for stance in new:
        start, end = max(stance.first, first), min(stance.last, last)
        if start <= end:
            found.append(replace(stance, first=start, last=end))
    return tuple(sorted(found, key=lambda each: (each.first, each.foot, each.part)))
