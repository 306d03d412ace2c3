# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes without their labels, as a recorder without labelling writes them, and how many of the labels found for them are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..core.stretches import stretches
from ..core.take import FloatArray, IntArray, Take

#: A marker that has fewer samples than this part of the frames is not looked for.
SEEN_PART = 0.02
#: Tracks share a column when so many frames lie between them.
APART = 5
#: In a hard take: how many markers are away at any time, for how many seconds each, and how many ghosts there are in a frame, each for a
#: third of that time, shaking by so many metres.
AWAY, AWAY_SECONDS, GHOSTS, GHOST_M = 5, 0.5, 3, 0.002
#: In a truth: a ghost's sample, and none.
GHOST, NOTHING = -1, -2


@dataclass(frozen=True, eq=False)
class Stripped:
    """A take without labels, and its truth.

    Attributes:
        take: Its columns are called `*0`, `*1` and so on.
        names: The labels that it had.
        truth: (frames, columns) which of the names each sample had, `GHOST` or `NOTHING`.
    """

    take: Take
    names: tuple[str, ...]
    truth: IntArray


@dataclass(frozen=True)
class Labelling:
    """Parts of the markers' samples, which sum to 1, and the part of the ghosts' samples that got a label."""

    right: float
    wrong: float
    left_open: float
    ghosts: float


def strip_labels(take: Take, seed: int = 0, *, hard: bool = False) -> Stripped:
    """Remove the labels: tracks are cut at gaps and shuffled, and share columns where they do not overlap.

    Args:
        take: On its labels; unlabelled points must have been left out.
        seed: Of the shuffling, and of what is hard.
        hard: Take markers away and add ghosts.
    """
    random = np.random.default_rng(seed)
    kept = np.flatnonzero(take.present.mean(axis=0) > SEEN_PART).tolist()
    positions, names = take.positions[:, kept].copy(), tuple(take.labels[row] for row in kept)
    away = max(1, round(AWAY_SECONDS * take.rate_hz))
    for _ in range(int(AWAY * take.frames / away) if hard else 0):
        start, row = int(random.integers(take.frames)), int(random.integers(len(names)))
        positions[start : start + away, row] = np.nan
    whole = [(row, *bounds) for row in range(len(names)) for bounds in stretches(np.isfinite(positions[:, row, 0])).tolist()]
    columns = _columns([whole[index] for index in random.permutation(len(whole))])
    stripped, truth = np.full((take.frames, len(columns), 3), np.nan), np.full((take.frames, len(columns)), NOTHING)
    for column, tracks in enumerate(columns):
        for row, start, end in tracks:
            stripped[start:end, column], truth[start:end, column] = positions[start:end, row], row
    if hard:
        ghosts = _ghosts(positions, max(1, away // 3), random)
        stripped = np.concatenate([stripped, ghosts], axis=1)
        truth = np.concatenate([truth, np.full(ghosts.shape[:2], GHOST)], axis=1)
    labels = tuple(f"*{column}" for column in range(stripped.shape[1]))
    bare = replace(take, labels=labels, positions=stripped, residuals=np.zeros(stripped.shape[:2]), source=None, origins=(), findings=())
    return Stripped(bare, names, truth)


def _columns(tracks: Sequence[tuple[int, int, int]]) -> list[list[tuple[int, int, int]]]:
    """Tracks (marker, start, end) in as few columns as come by taking the first that is free."""
    columns: list[list[tuple[int, int, int]]] = []
    for row, start, end in tracks:
        free = (column for column in columns if all(end + APART <= begin or start >= stop + APART for _, begin, stop in column))
        column = next(free, None)
        if column is None:
            columns.append([(row, start, end)])
        else:
            column.append((row, start, end))
    return columns


def _ghosts(positions: FloatArray, length: int, random: np.random.Generator) -> FloatArray:
    """(frames, ghosts, 3): points anywhere among the markers, each for so many frames."""
    low, high = np.nanmin(positions, axis=(0, 1)), np.nanmax(positions, axis=(0, 1))
    frames = len(positions)
    places = random.uniform(low, high, size=(-(-frames // length), GHOSTS, 3)).repeat(length, axis=0)[:frames]
    return places + random.normal(0.0, GHOST_M, places.shape)


def score(stripped: Stripped, found: FloatArray, labels: Sequence[str]) -> Labelling:
    """Compare found labels with the truth.

    Args:
        stripped: What they were found for.
        found: (frames, labels, 3) in metres: the stripped take's samples under their labels, NaN where there is none.
        labels: In the names' words.
    """
    given = owners(stripped.take, found)
    named = np.array([stripped.names.index(label) if label in stripped.names else len(stripped.names) for label in labels] + [NOTHING])
    said = named[given]
    real, ghost = stripped.truth >= 0, stripped.truth == GHOST
    count = max(int(real.sum()), 1)
    right = float((real & (said == stripped.truth)).sum()) / count
    left_open = float((real & (given < 0)).sum()) / count
    return Labelling(right, 1.0 - right - left_open, left_open, float((ghost & (given >= 0)).sum()) / max(int(ghost.sum()), 1))


def owners(take: Take, found: FloatArray) -> IntArray:
    """(frames, columns): the index of the label under which each sample of a take is found in (frames, labels, 3); -1 for none."""
    given = np.full(take.positions.shape[:2], -1)
    for label in range(found.shape[1]):
        frames = np.flatnonzero(np.isfinite(found[:, label, 0]))
        same = (take.positions[frames] == found[frames, label][:, None]).all(axis=-1)
        at, column = np.nonzero(same)
        given[frames[at], column] = label
    return given
