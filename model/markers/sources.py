# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples under other labels than the file's: which point is whose in each frame, and the take that this makes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..core.take import BoolArray, Take
from .corrections import Correction, in_order

#: (frames, labels): for each the point that is the label's, -1 where none is. Points are the labels' columns, then further ones.
Sources = NDArray[np.integer]


def with_sources(take: Take, spare: Take, source: Sources) -> Take:
    """The take with the samples that `source` (frames, labels) says; `spare` are further points of the same frames, and may be none."""
    positions, residuals = take.positions.copy(), take.residuals.copy()
    count = len(take.labels)
    frames, labels = np.nonzero(source != np.arange(count))
    points = source[frames, labels]
    positions[frames, labels], residuals[frames, labels] = np.nan, 0.0
    for other, first in ((take, 0), (spare, count)):
        own = (points >= first) & (points < first + len(other.labels))
        here, column = (frames[own], labels[own]), points[own] - first
        positions[here], residuals[here] = other.positions[here[0], column], other.residuals[here[0], column]
    return replace(take, positions=positions, residuals=residuals)


def own_sources(frames: int, labels: int) -> Sources:
    """Every label's own point."""
    return np.tile(np.arange(labels, dtype=np.int32), (frames, 1))


def hold_pinned(source: Sources, pinned: BoolArray) -> None:
    """Leave the samples that the user pinned (frames, labels) under their labels, and none of them under another; in place.

    Whoever had such a sample keeps its own, so that whoever had this one does, too.
    """
    own, held = np.arange(source.shape[1]), pinned.copy()
    while True:
        points, taken = np.where(held, own, source), held.copy()
        for label in own:
            taken |= (points == label) & held[:, label : label + 1]
        if np.array_equal(taken, held):
            break
        held = taken
    source[:] = points


def corrections_of(source: Sources, names: tuple[str, ...]) -> tuple[Correction, ...]:
    """The corrections that `source` makes, two that exchange their labels as one; `names` are those of the points."""
    count = source.shape[1]
    moved: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for label in np.flatnonzero((source != np.arange(count)).any(axis=0)).tolist():
        starts = np.concatenate([[0], np.flatnonzero(np.diff(source[:, label])) + 1, [len(source)]]).tolist()
        for start, end in pairwise(starts):
            point = int(source[start, label])
            if point not in (-1, label):
                moved.setdefault((point, label), []).append((start, end - 1))
    corrections: list[Correction] = []
    for (point, label), spans in moved.items():
        for first, last in spans:
            back = [span for span in moved.get((label, point), []) if span[0] <= last and span[1] >= first]
            if not back:
                kind = "relabelled" if point < count else "filled"
                corrections.append(Correction(kind, (names[point], names[label]), first, last))
            elif point < label:
                first, last = min(first, back[0][0]), max(last, back[-1][1])
                corrections.append(Correction("swapped back", (names[point], names[label]), first, last))
    return in_order(corrections)
