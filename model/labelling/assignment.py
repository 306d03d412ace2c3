# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels for tracks: every track as a whole, no label twice at a time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..core.take import BoolArray, FloatArray, IntArray
from .tracks import OPEN, Tracks

#: A track takes the label that it is assigned in at least this part of its frames.
MAJORITY = 0.3
#: The score of a label that stays, more than any other's.
HELD = 1e6
#: Rounds in which tracks that lost their label to another look for a second one.
ROUNDS = 6


def assign_tracks(scores: FloatArray, tracks: Tracks, rows: IntArray | None = None) -> IntArray:
    """The label of each track, or `OPEN`.

    Between two ends of tracks, where the same tracks are there all the time, labels go to tracks so that the sum of their scores is
    largest, none to a track that has no score above 0. A track takes the label that it gets for most of its time, and of two at the
    same time under one label the one with the larger score keeps it. Tracks with a name keep its label.

    Args:
        scores: (tracks, labels): how much likelier each label is than none, as a logarithm.
        tracks: All of a take.
        rows: Those that may have a label; None for all that are no images.
    """
    allowed = np.flatnonzero(~tracks.images) if rows is None else rows
    if tracks.named is not None:
        scores = _held(scores, tracks.named)
    begins, ends = tracks.starts[allowed], tracks.ends[allowed]
    gains = np.maximum(scores[allowed], 0.0)
    stretches = _stretches(gains.max(axis=1, initial=0.0) > 0, begins, ends)
    given, labels = [_assigned(gains, there) for _, there in stretches], np.full(len(allowed), OPEN)
    for _ in range(ROUNDS):
        labels = _by_majority(stretches, given, gains.shape, ends - begins)
        lost = _lost(labels, gains, begins, ends)
        if not len(lost):
            break
        gains[lost, labels[lost]] = 0.0
        labels[lost] = OPEN
        concerned = np.isin(np.arange(len(allowed)), lost)
        # elsewhere nothing has changed
        given = [_assigned(gains, there) if concerned[there].any() else before for (_, there), before in zip(stretches, given, strict=True)]
    found = np.full(len(tracks), OPEN)
    found[allowed] = labels
    return found


def with_more(scores: FloatArray, tracks: Tracks, labels: IntArray) -> IntArray:
    """Labels (tracks,), all of which stay but those of images, and of open tracks those that fit beside them; see `assign_tracks`."""
    return assign_tracks(_held(scores, labels), tracks)


def _held(scores: FloatArray, labels: IntArray) -> FloatArray:
    """The scores, by which tracks keep these labels (tracks,)."""
    having, held = np.flatnonzero(labels != OPEN), scores.copy()
    held[having] = 0.0
    held[having, labels[having]] = HELD
    return held


def _stretches(worth: BoolArray, begins: IntArray, ends: IntArray) -> list[tuple[int, IntArray]]:
    """The stretches in which the same tracks are there: how many frames each has, and which of the tracks that are worth it."""
    cuts = np.unique(np.concatenate([begins[worth], ends[worth]]))
    by_start = np.flatnonzero(worth)[np.argsort(begins[worth], kind="stable")]
    found: list[tuple[int, IntArray]] = []
    here: list[int] = []
    following = 0
    for start, end in pairwise(cuts.tolist()):
        here = [track for track in here if ends[track] > start]
        while following < len(by_start) and begins[by_start[following]] <= start:
            here.append(int(by_start[following]))
            following += 1
        if here:
            found.append((end - start, np.array(here)))
    return found


def _assigned(gains: FloatArray, there: IntArray) -> tuple[IntArray, IntArray]:
    """Those of the tracks `there` that get a label in a stretch, and which."""
    at, labels = linear_sum_assignment(gains[there], maximize=True)
    won = gains[there[at], labels] > 0
    return there[at[won]], labels[won]


def _by_majority(
    stretches: list[tuple[int, IntArray]], given: list[tuple[IntArray, IntArray]], shape: tuple[int, ...], lengths: IntArray
) -> IntArray:
    """The label that each track is assigned for most of its time.

    Args:
        stretches: How many frames each has, and its tracks.
        given: In each of them tracks that get a label, and which.
        shape: How many tracks and labels there are.
        lengths: (tracks,) in frames.
    """
    frames = np.zeros(shape)
    for (count, _), (at, labels) in zip(stretches, given, strict=True):
        frames[at, labels] += count
    best = frames.argmax(axis=1)
    enough = frames[np.arange(len(best)), best] > MAJORITY * lengths
    return np.where(enough, best, OPEN)


def _lost(labels: IntArray, gains: FloatArray, begins: IntArray, ends: IntArray) -> IntArray:
    """The tracks whose label another track with a larger score has at the same time."""
    lost = []
    kept: dict[int, list[tuple[int, int]]] = {}
    having = np.flatnonzero(labels != OPEN)
    for track in having[np.argsort(-gains[having, labels[having]], kind="stable")].tolist():
        others = kept.setdefault(int(labels[track]), [])
        if any(start < ends[track] and begins[track] < end for start, end in others):
            lost.append(track)
        else:
            others.append((int(begins[track]), int(ends[track])))
    return np.array(lost, dtype=int)
