# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples that break the distances inside a rigid group."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np

from ..core.distances import squared_lengths
from ..core.parallel import each
from ..core.take import BoolArray, FloatArray, IntArray, Take


def breaking(take: Take, trusted: BoolArray, rigid_groups: Iterable[Sequence[str]], tolerance: float) -> BoolArray:
    """Samples, (frames, labels), that break the usual distances, by more than a tolerance in metres, of their rigid group.

    Where an exchange of two markers mends a frame, these two are it; else the worst of a frame goes first, then again.
    """
    flagged = np.zeros_like(trusted)
    groups = [[take.labels.index(label) for label in labels if label in take.labels] for labels in rigid_groups]
    groups = [markers for markers in groups if len(markers) >= 3]
    standing = each(lambda markers: _standing(take.positions[:, markers], trusted[:, markers], tolerance), groups)
    for markers, stands in zip(groups, standing, strict=True):
        flagged[:, markers] = trusted[:, markers] & ~stands
    return flagged


def _standing(positions: FloatArray, trusted: BoolArray, tolerance: float) -> BoolArray:
    """Which of the trusted samples (frames, markers) of one rigid group keep their distances; see `breaking`."""
    standing = trusted.copy()
    pairs = np.array(list(combinations(range(standing.shape[1]), 2)))
    lengths = _lengths(positions, standing, pairs)
    usual = np.nan_to_num([np.median(length[np.isfinite(length)]) if np.isfinite(length).any() else 0.0 for length in lengths.T])
    frames = np.flatnonzero((np.abs(lengths - usual) > tolerance).any(axis=1))
    lengths = lengths[frames]
    _drop_swaps(lengths, standing, frames, pairs, usual, tolerance)
    strain = np.nan_to_num(np.abs(lengths - usual))
    for _ in range(standing.shape[1] - 2):
        worst = _worst(strain, standing[frames], pairs, tolerance)
        hit = np.flatnonzero(worst >= 0)
        if not len(hit):
            break
        standing[frames[hit], worst[hit]] = False
    return standing


def _lengths(positions: FloatArray, standing: BoolArray, pairs: IntArray) -> FloatArray:
    """(frames, pairs) in metres: the distances inside a group, NaN where one is unknown."""
    lengths = np.empty((len(positions), len(pairs)))
    # of all frames, and then those that are known: choosing frames first takes longer; what is too far to be a marker is not known
    with np.errstate(over="ignore"):
        for column, (a, b) in enumerate(pairs):
            known = standing[:, a] & standing[:, b]
            lengths[:, column] = np.where(known, np.sqrt(squared_lengths(positions[:, a] - positions[:, b])), np.nan)
    return lengths


def _drop_swaps(lengths: FloatArray, standing: BoolArray, frames: IntArray, pairs: IntArray, usual: FloatArray, tolerance: float) -> None:
    """Mark two markers of a frame as not `standing` where exchanging them, and only that, mends all distances; in place.

    Args:
        lengths: (broken frames, pairs).
        standing: (all frames, markers).
        frames: Which of all frames the broken ones are.
    """
    column_of = {frozenset(pair): column for column, pair in enumerate(pairs.tolist())}
    for a, b in pairs.tolist():
        exchange = {a: b, b: a}
        columns = [column_of[frozenset(exchange.get(marker, marker) for marker in pair)] for pair in pairs.tolist()]
        mended = np.abs(lengths[:, columns] - usual)
        # Two witnesses at least: one distance is mended too easily.
        known = np.isfinite(lengths).sum(axis=1) >= 5
        swapped = known & np.isfinite(lengths[:, column_of[frozenset((a, b))]]) & (np.nan_to_num(mended) <= tolerance / 2).all(axis=1)
        standing[np.ix_(frames[swapped], [a, b])] = False


def _worst(strain: FloatArray, standing: BoolArray, pairs: IntArray, tolerance: float) -> IntArray:
    """(frames): the marker that breaks most distances, the larger sum where two break as many; -1 where none breaks two."""
    both = standing[:, pairs[:, 0]] & standing[:, pairs[:, 1]]
    broken = both & (strain > tolerance)
    count = np.zeros(standing.shape)
    total = np.zeros(standing.shape)
    for column, pair in enumerate(pairs):
        for marker in pair:
            count[:, marker] += broken[:, column]
            total[:, marker] += broken[:, column] * strain[:, column]
    worst = np.argmax(count + total / (1.0 + total.sum(axis=1, keepdims=True)), axis=1)
    return np.where(count.max(axis=1, initial=0) >= 2, worst, -1)
