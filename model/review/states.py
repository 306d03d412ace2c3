# SPDX-License-Identifier: GPL-3.0-or-later
"""Which marker is what at each frame: seen, filled, flagged and why, put right, nobody's, far from where the solve puts it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from ..core.distances import distances
from ..core.findings import Finding, Frames
from ..core.stretches import stretches
from ..core.take import BoolArray, FloatArray, IntArray, Take
from ..markers.flags import Reason
from ..markers.preview import Flagged
from ..result.doubtful import far_samples
from ..result.solved import SolvedMarkers

#: A frame's residual counts as seen well up to this, in m: the scale of its confidence.
USUAL_M = 0.02


class State(IntEnum):
    """What a sample is, the worse the higher."""

    SEEN = 0
    PINNED = 1
    LOOSE = 2
    MUTED = 3
    FILLED = 4
    MISSING = 5
    RELABELLED = 6
    FAR = 7
    RIGID = 8
    JUMP = 9
    RESIDUAL = 10
    GHOST = 11


#: For people.
NAMES = {
    State.SEEN: "seen",
    State.PINNED: "pinned as trusted",
    State.LOOSE: "on no bone",
    State.MUTED: "muted",
    State.FILLED: "short gap, filled",
    State.MISSING: "missing",
    State.RELABELLED: "label put right",
    State.FAR: "far from its solved place",
    State.RIGID: "flagged: leaves its rigid group",
    State.JUMP: "flagged: jumps",
    State.RESIDUAL: "flagged: the cameras disagree",
    State.GHOST: "nobody's, dropped",
}
FLAGGED: dict[Reason, State] = {"rigid": State.RIGID, "jump": State.JUMP, "residual": State.RESIDUAL}
#: What one goes to from problem to problem. A gap is one where it is too long to be filled.
PROBLEMS = (State.MISSING, State.RELABELLED, State.FAR, State.RIGID, State.JUMP, State.RESIDUAL, State.GHOST)

StateArray = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Marks:
    """What the user says of samples.

    Attributes:
        muted: (labels,) markers that a solve leaves out.
        pinned: (frames, labels) samples that are right, whatever the filter and the solver make of them.
    """

    muted: BoolArray
    pinned: BoolArray


@dataclass(frozen=True, eq=False)
class States:
    """Every sample of a take.

    Attributes:
        codes: (frames, labels) of `State`.
        places: (frames, labels, 3) in metres: where a solve puts each marker, NaN where it does not.
        off: (frames, labels) in metres: how far each sample is from there, NaN where either is unknown.
        residual: (frames,) in metres: the mean of `off` over the samples that are trusted; NaN where there is none.
        confidence: (frames,) 0 to 1: which part of the solved markers is seen, trusted and near to where it is solved.
    """

    codes: StateArray
    places: FloatArray
    off: FloatArray
    residual: FloatArray
    confidence: FloatArray


def states_of(
    take: Take, flagged: Flagged, marks: Marks, max_gap: float, solved: SolvedMarkers | None = None, findings: Iterable[Finding] = ()
) -> States:
    """The state of every sample.

    Args:
        take: As gathered.
        flagged: Of it.
        marks: The user's.
        max_gap: In s: gaps up to this long are filled.
        solved: Of the last solve, if there was one.
        findings: Of the same, their frames counted from 0.
    """
    present, shape = take.present, take.positions.shape[:2]
    places, rows = _places(take, solved)
    codes = np.full(shape, State.SEEN, dtype=np.uint8)
    if solved is not None:
        codes[:, ~rows] = State.LOOSE
    off = distances(take.positions, places)
    raised = [(far_samples(off), State.FAR)] + [(flagged.reasons[reason] & ~marks.pinned, state) for reason, state in FLAGGED.items()]
    for where, state in raised:
        codes[where & (codes < state)] = state
    codes[marks.pinned & (codes == State.SEEN)] = State.PINNED
    codes[~present] = State.MISSING
    codes[_short_gaps(present, round(max_gap * take.rate_hz))] = State.FILLED
    for finding in findings:
        _put_right(codes, take.labels, finding)
    codes[:, marks.muted] = State.MUTED
    trusted = present & ~flagged.any & ~marks.muted & np.isfinite(off) & (codes != State.GHOST)
    counts = trusted.sum(axis=1)
    residual = np.where(trusted, off, 0.0).sum(axis=1) / np.where(counts, counts, np.nan)
    near = np.where(trusted, np.exp(-0.5 * (np.nan_to_num(off, nan=np.inf) / USUAL_M) ** 2), 0.0)
    confidence = near.sum(axis=1) / max(1, int(rows.sum()))
    return States(codes, places, off, residual, confidence)


def problem_spans(codes: StateArray) -> list[Frames]:
    """First and last frame of every stretch in which a marker has a problem, in order of time; those that overlap are one."""
    bad: BoolArray = np.isin(codes, PROBLEMS)
    spans = stretches(np.logical_or.reduce(bad, axis=1))
    return [(int(start), int(end) - 1) for start, end in spans]


def problem_starts(codes: StateArray) -> IntArray:
    """The frames, ascending, in which some marker's problem begins: where one goes from problem to problem."""
    bad = np.isin(codes, PROBLEMS)
    begins = bad.copy()
    begins[1:] &= ~bad[:-1] | (codes[1:] != codes[:-1])
    return np.flatnonzero(begins.any(axis=1))


def next_start(starts: IntArray, frame: float, backwards: bool = False) -> int | None:
    """The next of some ascending frames behind a frame, or before it; None where there is none."""
    if backwards:
        index = int(np.searchsorted(starts, frame, side="left")) - 1
        return int(starts[index]) if index >= 0 else None
    index = int(np.searchsorted(starts, frame, side="right"))
    return int(starts[index]) if index < len(starts) else None


def worst_frame(states: States) -> int | None:
    """The frame in which the trusted markers are farthest from where the solve puts them; without a solve that with most problems."""
    if np.isfinite(states.residual).any():
        return int(np.nanargmax(states.residual))
    bad = np.isin(states.codes, PROBLEMS).sum(axis=1)
    return int(bad.argmax()) if bad.any() else None


def across_gaps(places: FloatArray) -> FloatArray:
    """Places (frames, labels, 3) with straight lines across gaps, where they are NaN; before the first and behind the last they stay."""
    found = places.copy()
    frames = np.arange(len(places))
    for label in range(places.shape[1]):
        known = np.isfinite(places[:, label, 0])
        if known.any() and not known.all():
            for axis in range(3):
                found[~known, label, axis] = np.interp(frames[~known], frames[known], places[known, label, axis], np.nan, np.nan)
    return found


def _places(take: Take, solved: SolvedMarkers | None) -> tuple[FloatArray, BoolArray]:
    """Solved places (frames, labels, 3) on the take's labels, and (labels,) which have any."""
    places = np.full(take.positions.shape, np.nan, dtype=np.float32)
    rows = np.zeros(len(take.labels), dtype=bool)
    if solved is None or len(solved.places) != take.frames:
        return places, rows
    for column, label in enumerate(solved.labels):
        if label in take.labels:
            row = take.labels.index(label)
            rows[row] = True
            places[:, row] = solved.places[:, column]
    return places, rows


def _short_gaps(present: BoolArray, longest: int) -> BoolArray:
    """(frames, labels): samples of gaps up to so many frames that have samples on both sides."""
    short = np.zeros_like(present)
    for row in np.flatnonzero(~present.all(axis=0)):
        for start, end in stretches(~present[:, row]).tolist():
            short[start:end, row] = start > 0 and end < len(present) and end - start <= longest
    return short


def _put_right(codes: StateArray, labels: tuple[str, ...], finding: Finding) -> None:
    """Mark the samples of a correction, in place."""
    state = State.GHOST if finding.kind == "dropped" else State.RELABELLED
    if finding.kind not in ("dropped", "swapped back", "relabelled", "filled", "sides exchanged"):
        return
    rows = [labels.index(label) for label in finding.labels if label in labels]
    for first, last in finding.frames:
        stretch = codes[max(0, first) : last + 1]
        stretch[:, rows] = np.where(stretch[:, rows] == State.MISSING, State.MISSING, state)
