# SPDX-License-Identifier: GPL-3.0-or-later
"""Which marker is what at each frame, and the strip that shows it."""

from __future__ import annotations

import numpy as np
import pytest

from model.core.findings import Finding
from model.core.settings import Settings
from model.core.take import Take
from model.marker_sets.marker_set import MarkerSet
from model.markers.preview import Preview
from model.result.solved import SolvedMarkers
from model.review.states import Marks, State, States, next_start, problem_spans, problem_starts, states_of, worst_frame
from model.review.strip import Row, columns, highest, part_rows, runs, worst

LABELS = ("A", "B", "C", "D")
RATE = 100.0


@pytest.fixture
def take() -> Take:
    """Four points on slow ways; the first with a short gap, a long one, and a sample that leaps away."""
    seconds = np.arange(300) / RATE
    positions = np.stack([np.stack([seconds + row, np.sin(seconds), 0 * seconds], axis=1) for row in range(4)], axis=1)
    positions[50:60, 0] = np.nan
    positions[100:200, 0] = np.nan
    positions[250, 0] += 0.5
    return Take("points", LABELS, positions, np.zeros((300, 4)), RATE)


def judged(take: Take, solved: SolvedMarkers | None = None, findings: tuple[Finding, ...] = (), **marks: np.ndarray) -> States:
    nothing = Marks(np.zeros(len(take.labels), dtype=bool), np.zeros(take.positions.shape[:2], dtype=bool))
    said = Marks(marks.get("muted", nothing.muted), marks.get("pinned", nothing.pinned))
    return states_of(take, Preview(take, said.muted).flagged(Settings()), said, 0.5, solved, findings)


def test_gaps_and_flags_before_a_solve(take: Take) -> None:
    codes = judged(take).codes
    expected = np.full(codes.shape, State.SEEN)
    expected[50:60, 0] = State.FILLED
    expected[100:200, 0] = State.MISSING
    expected[250, 0] = State.JUMP
    np.testing.assert_array_equal(codes, expected)
    assert problem_spans(codes) == [(100, 199), (250, 250)]
    assert problem_starts(codes).tolist() == [100, 250]


def test_a_gap_at_an_end_is_not_filled(take: Take) -> None:
    take.positions[:5, 1] = np.nan
    assert (judged(take).codes[:5, 1] == State.MISSING).all()


def test_after_a_solve(take: Take) -> None:
    places = np.nan_to_num(take.positions[:, :3]) + 0.002
    places[20:30, 1] += 0.1
    findings = (
        Finding("swapped back", "", ("B", "C"), frames=((70, 79),)),
        Finding("dropped", "", ("C",), frames=((90, 94),)),
        Finding("file", "", ("A",), frames=((0, 9),)),
    )
    states = judged(take, SolvedMarkers(("A", "B", "C"), places), findings)
    codes = states.codes
    assert (codes[20:30, 1] == State.FAR).all()
    assert (codes[70:80, 1:3] == State.RELABELLED).all()
    assert (codes[90:95, 2] == State.GHOST).all()
    assert (codes[:10, 0] == State.SEEN).all()
    assert (codes[:, 3] == State.LOOSE).all(), "the solve puts it on no bone"
    assert states.off[0, 0] == pytest.approx(0.002 * 3**0.5, rel=1e-3)
    assert np.isnan(states.off[:, 3]).all()
    assert worst_frame(states) in range(20, 30)
    assert states.confidence[25] < states.confidence[40] <= 1.0


def test_what_the_user_says(take: Take) -> None:
    pinned, muted = np.zeros((300, 4), dtype=bool), np.array([False, True, False, False])
    pinned[240:260, 0] = True
    codes = judged(take, pinned=pinned, muted=muted).codes
    assert (codes[240:260, 0] == State.PINNED).all()
    assert (codes[:, 1] == State.MUTED).all()


def test_worst_frame_without_a_solve(take: Take) -> None:
    take.positions[150, 1] = np.nan
    take.positions[149:290, 1] = np.nan
    assert worst_frame(judged(take)) in range(149, 200)
    take.positions[:] = 0.0
    assert worst_frame(judged(take)) is None


def test_from_problem_to_problem() -> None:
    starts = np.array([10, 20, 30])
    assert [next_start(starts, frame) for frame in (0, 10, 25, 30)] == [10, 20, 30, None]
    assert [next_start(starts, frame, backwards=True) for frame in (5, 10, 25, 40)] == [None, None, 20, 30]


def test_a_problem_that_turns_into_another_begins_again() -> None:
    codes = np.zeros((10, 2), dtype=np.uint8)
    codes[3:6, 0] = State.MISSING
    codes[6:8, 0] = State.JUMP
    codes[4, 1] = State.FILLED
    assert problem_starts(codes).tolist() == [3, 6]


def test_rows_are_parts_of_the_body(marker_set: MarkerSet) -> None:
    labels = ("LFHD", "C7", "LWRA", "RWRA", "LTOE", "RKNE", "RFWT", "prop")
    rows = {row.name: [labels[marker] for marker in row.markers] for row in part_rows(labels, marker_set)}
    assert rows == {
        "Head": ["LFHD"],
        "Torso": ["C7", "RFWT"],
        "Left Arm": ["LWRA"],
        "Right Arm": ["RWRA"],
        "Left Leg": ["LTOE"],
        "Right Leg": ["RKNE"],
        "Others": ["prop"],
    }
    assert [row.name for row in part_rows(labels, None)] == ["Others"]


@pytest.mark.parametrize("count", [7, 100, 1000])
def test_no_problem_is_too_short_for_its_column(count: int) -> None:
    codes = np.zeros((100, 2), dtype=np.uint8)
    codes[41, 1] = State.JUMP
    edges = columns(100, 0, 99, count)
    states = worst(codes, (Row("A", (0,)), Row("B", (1,))), edges)
    assert states.shape == (2, count)
    assert (states[0] == State.SEEN).all()
    (at,) = np.nonzero(states[1] == State.JUMP)
    assert len(at)
    assert abs(at.mean() / count - 0.415) < 1 / min(count, 100)


def test_a_strip_that_is_longer_than_the_take() -> None:
    codes = np.zeros((10, 1), dtype=np.uint8)
    edges = columns(10, -10, 19, 30)
    states = worst(codes, (Row("A", (0,)),), edges)[0]
    assert states.tolist() == [-1] * 10 + [0] * 10 + [-1] * 10
    assert [part.tolist() for part in runs(states)] == [[10], [20], [0]]
    values = highest(np.arange(10.0), edges)
    assert np.isnan(values[:10]).all()
    assert values[10:20].tolist() == list(range(10))
    assert np.isnan(values[20:]).all()


def test_highest_of_a_column_passes_over_what_is_unknown() -> None:
    values = np.array([1.0, np.nan, 3.0, np.nan, np.nan, 2.0])
    assert highest(values, columns(6, 0, 5, 2)).tolist() == [3.0, 2.0]
    assert np.isnan(highest(values, columns(6, 0, 5, 6))).tolist() == [False, True, False, True, True, False]
