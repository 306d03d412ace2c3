# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels for tracks: every track as a whole, no label twice at a time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..core.take import FloatArray, IntArray
from .tracks import OPEN, Tracks

#: A track takes the label that it is assigned in at least this part of its frames.
MAJORITY = 0.3
#: Rounds in which tracks that lost their label to another look for a second one.
ROUNDS = 6


def assign_tracks(scores: FloatArray, tracks: Tracks, rows: IntArray | None = None) -> IntArray:
    """The label of each track, or `OPEN`.

    Between two ends of tracks, where the same tracks are there all the time, labels go to tracks so that the sum of their scores is
    largest, none to a track that has no score above 0. A track takes the label that it gets for most of its time, and of two at the
    same time under one label the one with the larger score keeps it.

    Args:
        scores: (tracks, labels): how much likelier each label is than none, as a logarithm.
        tracks: All of a take.
        rows: Those that may have a label; None for all.
    """
    allowed = np.arange(len(tracks)) if rows is None else rows
    begins, ends = tracks.starts[allowed], tracks.ends[allowed]
    gains = np.maximum(scores[allowed], 0.0)
    labels = np.full(len(allowed), OPEN)
    for _ in range(ROUNDS):
        labels = _by_majority(gains, begins, ends)
        lost = _lost(labels, gains, begins, ends)
        if not len(lost):
            break
        gains[lost, labels[lost]] = 0.0
        labels[lost] = OPEN
    found = np.full(len(tracks), OPEN)
    found[allowed] = labels
    return found


def _by_majority(gains: FloatArray, begins: IntArray, ends: IntArray) -> IntArray:
    """The label that each track is assigned for most of its time."""
    frames = np.zeros(gains.shape)
    worth = gains.max(axis=1, initial=0.0) > 0
    cuts = np.unique(np.concatenate([begins[worth], ends[worth]]))
    by_start = np.flatnonzero(worth)[np.argsort(begins[worth], kind="stable")]
    here: list[int] = []
    following = 0
    for start, end in pairwise(cuts.tolist()):
        here = [track for track in here if ends[track] > start]
        while following < len(by_start) and begins[by_start[following]] <= start:
            here.append(int(by_start[following]))
            following += 1
        if here:
            there = np.array(here)
            at, labels = linear_sum_assignment(gains[there], maximize=True)
            won = gains[there[at], labels] > 0
            frames[there[at[won]], labels[won]] += end - start
    best = frames.argmax(axis=1)
    enough = frames[np.arange(len(best)), best] > MAJORITY * (ends - begins)
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
