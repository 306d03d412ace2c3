# SPDX-License-Identifier: GPL-3.0-or-later
"""A take for each of several people whose markers have names: by prefixes (`Ann:LFHD`), or the same names twice (`LFHD`, `LFHD-1`).

Names may be exchanged between people, for the whole take or for a while, where they come near each other. Which marker is whose is told by
motion: markers of one person keep their distances far better than markers of two. Needs numpy alone, as Blender imports with it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np

from ..core.findings import Finding
from ..core.stretches import evenly, stretches
from ..core.take import BoolArray, FloatArray, IntArray, Take
from ..marker_sets.marker_set import MarkerSet
from .matching import choose_marker_set, listed, named_people

#: Frames in which distances are looked at for the whole take.
LOOKED_AT = 200
#: Two markers are compared where they are together in so many of these frames.
FEWEST_TOGETHER = 10
#: How well a distance is known that never changes, in m.
STILL_M = 0.005
#: The distances of a marker to so many others, those that it keeps best, tell whether it is exchanged in a frame.
NEIGHBOURS = 5
#: No distance counts as farther off than this, in m, and an exchange costs as much as this many metres of all distances in a frame.
FARTHEST_M, EXCHANGE_M = 0.3, 2.0
#: A label is judged by no fewer of these.
FEWEST_SEEN = 2
#: A second person of the same names is there for so much of the time at least: else it is a duplicate, such as a reflection.
AT_ONCE_PART = 0.1
#: So many people of the same names are told apart.
MOST_ALIKE = 4
#: Rounds in which labels are settled, each beside all others.
ROUNDS = 6


@dataclass(frozen=True, eq=False)
class People:
    """Which columns of a take are whose.

    Attributes:
        names: (P,) of the people.
        labels: (L,) of the marker set, that at least two people have.
        columns: (P, L) of these labels; -1 where a person lacks one.
        rest: (P) each person's other columns.
        shared: Columns that have no name, and may be anybody's.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    columns: IntArray
    rest: tuple[tuple[int, ...], ...]
    shared: tuple[int, ...]


def people_of(take: Take, marker_set: MarkerSet | None = None) -> tuple[Take, ...]:
    """A take for each person of a take, called for both; the take itself where its names are one person's, or nobody's.

    Args:
        take: As read from a file.
        marker_set: Of the labels; None for the bundled one that knows most of them.
    """
    known = marker_set or choose_marker_set(take)
    people = _by_prefix(take, known) or _by_number(take, known)
    if people is None:
        return (take,)
    columns, exchanged = _settled(take.positions, people)
    positions, spans = _exchanged_back(take.positions, columns)
    residuals = _moved(take.residuals, columns, spans)
    righted = replace(take, positions=positions, residuals=residuals)
    said = (*take.findings, _said(people), *_said_of_exchanges(take, people, columns, exchanged, spans))
    return tuple(
        replace(_person(righted, people, columns, row), name=f"{take.name}.{name}", findings=said) for row, name in enumerate(people.names)
    )


def _person(take: Take, people: People, columns: IntArray, row: int) -> Take:
    """The columns of a person under the names that the file gives him."""
    own = {int(now): int(named) for named, now in zip(people.columns[row], columns[row], strict=True) if now >= 0}
    order = [*own, *people.rest[row], *people.shared]
    labels = tuple(take.labels[named if named >= 0 else now] for now, named in own.items())
    behind = tuple(take.labels[column] for column in (*people.rest[row], *people.shared))
    return take.only(order, labels + behind)


def _by_prefix(take: Take, marker_set: MarkerSet) -> People | None:
    """Several people by what stands before their labels."""
    found = [person for person in named_people(take, marker_set) if len(person.columns) >= marker_set.fewest_markers]
    if len(found) < 2:
        return None
    labels = tuple(label for label in marker_set.labels if sum(label in person.columns for person in found) >= 2)
    columns = np.array([[person.columns.get(label, -1) for label in labels] for person in found], dtype=int).reshape(len(found), -1)
    placed = set(columns[columns >= 0].tolist())
    rest = [tuple(column for column in person.all if column not in placed) for person in found]
    owned = {column for person in found for column in (*person.all, *person.shared)}
    # what is nobody's by its name, such as a prop, stays with the first: no column comes twice, and none is lost
    rest[0] += tuple(column for column in range(len(take.labels)) if column not in owned)
    names = _unique([person.name for person in found])
    return People(names, labels, columns, tuple(rest), found[0].shared)


def _by_number(take: Take, marker_set: MarkerSet) -> People | None:
    """Several people of the same names, which the reader has numbered."""
    samples = take.present
    copies: dict[str, list[int]] = {}
    for column, label in enumerate(take.labels):
        stem = re.sub(r"-\d+$", "", label)
        if samples[:, column].any() and marker_set.find(stem) is not None:
            copies.setdefault(marker_set.find(stem) or "", []).append(column)
    # a duplicate goes on where its marker ends; of two people both are there
    apart = {label: both for label, both in copies.items() if len(both) > 1 and _at_once(samples[:, both])}
    if len(apart) < marker_set.fewest_markers:
        return None
    count = min(MOST_ALIKE, int(np.median([len(both) for both in apart.values()])))
    labels = tuple(label for label in marker_set.labels if label in apart)
    columns = np.array([(apart[label] + [-1] * count)[:count] for label in labels]).T
    placed = set(columns.ravel().tolist())
    shared = tuple(column for column in range(len(take.labels)) if column not in placed)
    return People(tuple(str(row + 1) for row in range(count)), labels, columns, ((),) * count, shared)


def _at_once(present: BoolArray) -> bool:
    """Whether two of the columns (frames, columns) are there in a good part of the frames in which any is, and in as many as would be half
    of those of the one that is seen least."""
    count = present.sum(axis=1)
    at_once = (count >= 2).sum()
    return bool(at_once > max(AT_ONCE_PART * (count >= 1).sum(), 0.5 * present.sum(axis=0).min()))


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    """Names for files, no two alike on any file system; numbers for those without one."""
    found: list[str] = []
    for row, name in enumerate(names):
        plain = re.sub(r"[^\w-]+", "_", name).strip("_") or str(row + 1)
        while plain.casefold() in (other.casefold() for other in found):
            plain += f"_{row + 1}"
        found.append(plain)
    return tuple(found)


def closeness(positions: FloatArray) -> FloatArray:
    """(points, points): how well each two of the points (frames, points, 3) keep their distance, higher for better; 0 where unknown."""
    frames = evenly(0, len(positions), LOOKED_AT)
    points = positions[frames]
    close = np.zeros((points.shape[1], points.shape[1]))
    for row in range(points.shape[1]):
        distances = np.linalg.norm(points - points[:, row : row + 1], axis=-1)
        there = np.isfinite(distances)
        count = there.sum(axis=0)
        # medians: a label that was exchanged for a third of the take still is its person's
        known = np.flatnonzero(count >= FEWEST_TOGETHER)
        spread = np.zeros(len(count))
        usual = np.nanmedian(distances[:, known], axis=0)
        spread[known] = np.nanmedian(np.abs(distances[:, known] - usual), axis=0)
        close[row] = np.where(count >= FEWEST_TOGETHER, -np.log(STILL_M + spread), 0.0)
    # 0 must not be better than what is known
    return np.where(close != 0.0, close - min(float(close.min()), 0.0), 0.0)


def _settled(positions: FloatArray, people: People) -> tuple[IntArray, list[int]]:
    """The columns (P, L) as motion says whose they are all the take long, and the labels that were exchanged.

    Each label's columns are given to people so that they keep their distances to the person's others; of people who are told by nothing but
    numbers the first label says who is who, and the others follow from the one that is told best.
    """
    used = np.unique(people.columns[people.columns >= 0])
    close = np.zeros((used.max() + 2,) * 2)
    close[np.ix_(used, used)] = closeness(positions[:, used])
    columns, numbered = people.columns.copy(), not any(people.rest) and all(name.isdigit() for name in people.names)
    turns = [list(turn) for turn in permutations(range(len(columns)))] if len(columns) <= MOST_ALIKE else []
    settled = [0] if numbered else list(range(columns.shape[1]))
    while turns and len(settled) < columns.shape[1]:
        open_labels = [label for label in range(columns.shape[1]) if label not in settled]
        gains = {label: _gains(close, columns, label, settled, turns) for label in open_labels}
        best = max(open_labels, key=lambda label: float(np.diff(np.sort(gains[label])[-2:])[0]))
        columns[:, best] = columns[turns[int(np.argmax(gains[best]))], best]
        settled.append(best)
    for _ in range(ROUNDS if turns else 0):
        before = columns.copy()
        for label in range(columns.shape[1]):
            others = [other for other in range(columns.shape[1]) if other != label]
            gains = _gains(close, columns, label, others, turns)
            columns[:, label] = columns[turns[int(np.argmax(gains))], label]
        if (columns == before).all():
            break
    moved = [] if numbered else [label for label in range(columns.shape[1]) if (columns[:, label] != people.columns[:, label]).any()]
    return columns, moved


def _gains(close: FloatArray, columns: IntArray, label: int, others: list[int], turns: list[list[int]]) -> FloatArray:
    """How well a label's columns fit people's other labels, for each way to give them."""
    # a person's column -1 is the last row of `close`, which is zero
    own = np.array([[close[column, columns[person, others]].sum() for column in columns[:, label]] for person in range(len(columns))])
    return np.array([sum(own[person, turn[person]] for person in range(len(columns))) for turn in turns])


#: A label, two people, and (frames,) where the label's columns are exchanged between them.
Exchange = tuple[int, int, int, BoolArray]


def _exchanged_back(positions: FloatArray, columns: IntArray) -> tuple[FloatArray, list[Exchange]]:
    """The positions with labels that two people had exchanged for a while put back, and where they had."""
    found: list[Exchange] = []
    righted = positions
    for first in range(len(columns)):
        for second in range(first + 1, len(columns)):
            both = np.flatnonzero((columns[[first, second]] >= 0).all(axis=0))
            for label in both.tolist():
                there = _exchanged(righted, columns[first, both], columns[second, both], int(np.flatnonzero(both == label)[0]))
                if there.any():
                    a, b = columns[first, label], columns[second, label]
                    righted = righted.copy() if righted is positions else righted
                    righted[there, a], righted[there, b] = righted[there, b], righted[there, a].copy()
                    found.append((label, first, second, there))
    return righted, found


def _exchanged(positions: FloatArray, first: IntArray, second: IntArray, label: int) -> BoolArray:
    """(frames,) where two people have exchanged a label, one of those in the columns first and second (labels,) of theirs.

    A sample speaks for it that is not as far as usual from the others of the person it is called after, but of the other person. Where one
    of both is away it says nothing, and stays where it is.
    """
    of_first, of_second = _usual(positions, first, label), _usual(positions, second, label)
    if of_first is None or of_second is None:
        return np.zeros(len(positions), dtype=bool)
    gain = np.zeros(len(positions))
    for column, own, other in ((first[label], of_first, of_second), (second[label], of_second, of_first)):
        gain += np.nan_to_num(_off(positions, own, column) - _off(positions, other, column))
    there = [np.isfinite(positions[:, np.delete(person, label), 0]).any(axis=1) for person in (first, second)]
    return _two_states(gain) & there[0] & there[1]


#: Columns of a person's labels, and how far another label of his usually is from them, in m.
Usual = tuple[IntArray, FloatArray]


def _usual(positions: FloatArray, person: IntArray, label: int) -> Usual | None:
    """The others of a person's columns (labels,) to which one label keeps its distance best; None where it is never beside another."""
    others = np.delete(person, label)
    distances = np.linalg.norm(positions[:, others] - positions[:, person[label], None], axis=-1)
    there = np.isfinite(distances)
    if not there.any():
        return None
    usual = _medians(distances, there, 1)
    spread = np.nan_to_num(_medians(np.abs(distances - usual), there, FEWEST_TOGETHER), nan=np.inf)
    near = np.argsort(spread, kind="stable")[:NEIGHBOURS]
    return others[near], usual[near]


def _off(positions: FloatArray, usual: Usual, column: int) -> FloatArray:
    """(frames,) in metres, by how much the samples of a column are not as far as usual from others, summed over these; NaN where hardly
    any of them is seen."""
    others, distances = usual
    apart = np.linalg.norm(positions[:, others] - positions[:, column, None], axis=-1)
    off = np.minimum(np.abs(apart - distances), FARTHEST_M)
    known = np.isfinite(off)
    count = known.sum(axis=1)
    whole = len(others) * np.where(known, off, 0.0).sum(axis=1) / np.maximum(count, 1)
    return np.where(count >= min(FEWEST_SEEN, len(others)), whole, np.nan)


def _medians(values: FloatArray, there: BoolArray, fewest: int) -> FloatArray:
    """(columns,) medians of what is there of values (frames, columns); NaN where fewer are."""
    both = zip(values.T, there.T, strict=True)
    return np.array([np.median(column[here]) if here.sum() >= fewest else np.nan for column, here in both])


def _two_states(gain: FloatArray) -> BoolArray:
    """(frames,) where a state that is worth `gain` (frames,) is taken, each change of state costing half of `EXCHANGE_M`: by Viterbi."""
    if not (gain > 0).any():
        return np.zeros(len(gain), dtype=bool)
    worth, came = np.array([0.0, -EXCHANGE_M / 2]), np.zeros((len(gain), 2), dtype=int)
    for frame, here in enumerate(gain.tolist()):
        change = worth[::-1] - EXCHANGE_M / 2
        came[frame] = np.where(change > worth, [1, 0], [0, 1])
        worth = np.maximum(worth, change) + np.array([0.0, here])
    state = int(worth[1] - EXCHANGE_M / 2 > worth[0])
    states = np.zeros(len(gain), dtype=bool)
    for frame in range(len(gain) - 1, -1, -1):
        states[frame] = bool(state)
        state = int(came[frame, state])
    return states


def _moved(residuals: FloatArray, columns: IntArray, spans: list[Exchange]) -> FloatArray:
    """Residuals (frames, columns) that go where the samples went."""
    if not spans:
        return residuals
    moved = residuals.copy()
    for label, first, second, there in spans:
        a, b = columns[first, label], columns[second, label]
        moved[there, a], moved[there, b] = moved[there, b], moved[there, a].copy()
    return moved


def _said(people: People) -> Finding:
    said = f"The file holds {len(people.names)} people, a take each: {listed(people.names)}."
    return Finding("subjects", said, numbers={"subjects": len(people.names)})


def _said_of_exchanges(take: Take, people: People, columns: IntArray, moved: list[int], spans: list[Exchange]) -> list[Finding]:
    """Findings about labels that people had exchanged."""
    found = []
    if moved:
        names = tuple(take.labels[column] for label in moved for column in people.columns[:, label] if column >= 0)
        said = f"These labels had been exchanged between people all the take long, and were put right: {listed(names)}."
        found.append(Finding("misplaced", said, names))
    for label, first, second, there in spans:
        names = tuple(take.labels[columns[person, label]] for person in (first, second))
        frames = tuple((int(start), int(end) - 1) for start, end in stretches(there))
        said = f"{names[0]} and {names[1]} had been exchanged between people and were put back."
        found.append(Finding("swapped back", said, names, frames=frames))
    return found
