# SPDX-License-Identifier: GPL-3.0-or-later
"""How well markers keep their distances: evidence of their labels that needs no pose.

A body that is followed by wrong labels agrees with them: a head whose tracks were mixed up is found turned. What its markers are apart does
not depend on where it is found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ..core.stretches import evenly
from ..core.take import BoolArray, FloatArray, IntArray
from .tracks import OPEN, Tracks

#: So many frames a second are looked at, and so many at most.
PER_SECOND, MOST_FRAMES = 10.0, 3000
#: A distance is another than usual where it differs by so many usual deviations, each of at least so much in m.
DEVIATIONS, LEAST_DEVIATION_M = 4.0, 0.0025
#: Labels that a joint has to carry, so that each has two others by which it is judged.
FEWEST = 3
#: Markers of one segment are as far apart as usual, to so much in m: skin moves.
SEGMENT_M = 0.02
#: A track may have a wrong label if so much of its distances are unusual, and plainly has if it lasts so many seconds, too: shorter ones
#: are mostly ghosts.
UNLIKE, LEAST_SECONDS = 0.6, 0.25


def apart(tracks: Tracks, labels: IntArray, count: int, frames: IntArray) -> FloatArray:
    """(frames, labels, labels) in metres, how far labels are from each other in some frames; NaN where one is not seen, and to itself.

    Args:
        tracks: Of the take.
        labels: (tracks,).
        count: Of labels.
        frames: Ascending.
    """
    points = tracks.on_labels(labels, count, frames)
    found = np.linalg.norm(points[:, :, None] - points[:, None], axis=-1)
    found[:, np.arange(count), np.arange(count)] = np.nan
    return found


def looked_at(tracks: Tracks) -> IntArray:
    """Some of a take's frames, evenly spread."""
    count = min(MOST_FRAMES, max(2, int(tracks.frames / tracks.rate_hz * PER_SECOND)))
    return evenly(0, tracks.frames, count)


def stretch(tracks: Tracks, labels: IntArray, count: int, frames: IntArray) -> FloatArray:
    """(labels, labels) in metres, the standard deviation of the distance of two; NaN where they are never seen together, and to itself."""
    return of_what_is_there(np.nanstd, apart(tracks, labels, count, frames))


def unlike(joints: IntArray, tracks: Tracks, labels: IntArray) -> FloatArray:
    """(tracks,) the part of each track's distances to others of its joint that is not what it is between these labels elsewhere.

    Args:
        joints: (labels,) index of the joint that carries each.
        tracks: Of the take.
        labels: (tracks,).
    """
    frames = looked_at(tracks)
    others, compared = np.zeros((2, len(frames), len(joints)))
    for own, distances in _within(joints, tracks, labels, frames):
        if len(own) >= FEWEST:
            others[:, own], compared[:, own] = _unusual(distances).sum(axis=-1), np.isfinite(distances).sum(axis=-1)
    found = np.zeros(len(tracks))
    first, last = np.searchsorted(frames, tracks.starts), np.searchsorted(frames, tracks.ends)
    for track in np.flatnonzero(labels != OPEN).tolist():
        here = slice(first[track], last[track]), labels[track]
        found[track] = others[here].sum() / max(compared[here].sum(), 1.0)
    return found


@dataclass(frozen=True)
class Astray:
    """How many samples are not where their labels should be.

    Attributes:
        elsewhere: Part of the labelled ones whose distances to others of their segment are not the usual ones.
        part: Of all samples, those and the ones without a label.
    """

    elsewhere: float
    part: float


def astray(segments: IntArray, tracks: Tracks, labels: IntArray) -> Astray:
    """How well labels agree with what tracks are apart.

    Args:
        segments: (labels,) the segment of each.
        tracks: Of the take.
        labels: (tracks,).
    """
    frames, elsewhere = looked_at(tracks), 0.0
    for _, distances in _within(segments, tracks, labels, frames):
        off = _off_usual(distances)
        with np.errstate(invalid="ignore"):
            elsewhere += float(((off > SEGMENT_M).sum(axis=-1) / np.maximum(np.isfinite(off).sum(axis=-1), 1)).sum())
    seen = np.searchsorted(frames, tracks.ends) - np.searchsorted(frames, tracks.starts)
    labelled = float(seen[labels != OPEN].sum())
    everything = max(float(seen.sum()), 1.0)
    return Astray(elsewhere / max(labelled, 1.0), (elsewhere + everything - labelled) / everything)


def mixed_up(parts: FloatArray, tracks: Tracks) -> BoolArray:
    """(tracks,) which may have a wrong label, of parts as `unlike` finds them; none where no track plainly has."""
    wrong = parts >= UNLIKE
    return wrong & (wrong & (tracks.lengths >= LEAST_SECONDS * tracks.rate_hz)).any()


def _unusual(distances: FloatArray) -> BoolArray:
    """(frames, labels, labels) where two are not as far apart as usual."""
    off = _off_usual(distances)
    with np.errstate(invalid="ignore"):
        return off > DEVIATIONS * usual_deviation(off, LEAST_DEVIATION_M)


def usual_deviation(off: FloatArray, least_m: float) -> FloatArray:
    """Of differences (frames, ...) to the median, in metres: their median as a normal distribution's standard deviation, this at least."""
    return np.maximum(1.4826 * of_what_is_there(np.nanmedian, off), least_m)


def _within(groups: IntArray, tracks: Tracks, labels: IntArray, frames: IntArray) -> Iterator[tuple[IntArray, FloatArray]]:
    """Of every group of labels, such as a joint's, which these are, and how far they are `apart`.

    Args:
        groups: (labels,) the group of each.
        tracks: Of the take.
        labels: (tracks,).
        frames: Ascending.
    """
    for group in np.unique(groups).tolist():
        own = np.flatnonzero(groups == group)
        on = np.full(len(groups) + 1, OPEN)
        on[own] = np.arange(len(own))
        yield own, apart(tracks, on[labels], len(own), frames)


def _off_usual(distances: FloatArray) -> FloatArray:
    """(frames, labels, labels) in metres, by how much two are not as far apart as usual."""
    return np.abs(distances - of_what_is_there(np.nanmedian, distances))


def of_what_is_there(statistic: Callable[..., FloatArray], values: FloatArray) -> FloatArray:
    """One of numpy's that leave NaN out, along the first axis; NaN, and no warning, where nothing else is."""
    there = np.isfinite(values).any(axis=0)
    return np.where(there, statistic(np.where(there, values, 0.0), axis=0), np.nan)
