# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers that are to be looked at become findings."""

from __future__ import annotations

import numpy as np

from model.core.findings import Finding, FrameNumber
from model.result.doubtful import KINDS, doubtful, far_samples
from model.review.states import FLAGGED, State


def codes(*stretches: tuple[int, int, int, State]) -> np.ndarray:
    """(400, 3), seen but for stretches (marker, first, last, state)."""
    made = np.zeros((400, 3), dtype=np.uint8)
    for marker, first, last, state in stretches:
        made[first : last + 1, marker] = state
    return made


def found_in(made: np.ndarray, number: FrameNumber = int) -> tuple[Finding, ...]:
    """Of takes of 100 Hz, whose far samples are 87 mm off and all others 5."""
    far = made == State.FAR
    return doubtful(np.isin(made, tuple(FLAGGED.values())), far, np.where(far, 0.087, 0.005), ("A", "B", "C"), 100.0, number)


def test_stretches_of_a_marker_are_one_finding_of_each_kind() -> None:
    made = codes((0, 10, 30, State.JUMP), (0, 35, 40, State.FAR), (0, 200, 220, State.RIGID), (2, 50, 70, State.FAR))
    found = found_in(made, lambda frame: frame + 1)
    assert [(each.kind, each.labels, each.frames) for each in found] == [
        ("flagged", ("A",), ((10, 40), (200, 220))),
        ("far", ("C",), ((50, 70),)),
    ]
    assert {each.kind for each in found} == set(KINDS)
    assert found[0].text == "A was taken for noise and left out in frames 11 to 41 and 201 to 221."
    assert found[1].text == "C is up to 87 mm from where it is solved in frames 51 to 71: look which of the two is right."


def test_a_marker_may_have_both() -> None:
    made = codes((1, 10, 30, State.RESIDUAL), (1, 100, 130, State.FAR), (1, 120, 124, State.JUMP))
    found = found_in(made)
    assert [(each.kind, each.frames) for each in found] == [("flagged", ((10, 30),)), ("far", ((100, 130),))]


def test_what_is_short_or_settled_is_not_found() -> None:
    made = codes((0, 10, 13, State.JUMP), (1, 10, 30, State.PINNED), (1, 50, 90, State.MUTED), (2, 10, 90, State.RELABELLED))
    assert found_in(made) == ()
    assert found_in(np.zeros((0, 3), dtype=np.uint8)) == ()


def test_a_sample_is_far_by_its_markers_own_distances() -> None:
    off = np.full((100, 3), 0.01)
    off[40:50] = 0.05
    # one that hangs loose is as far throughout
    off[:, 1] *= 4
    off[:, 2] = np.nan
    far = far_samples(off)
    assert np.flatnonzero(far[:, 0]).tolist() == list(range(40, 50))
    assert np.flatnonzero(far[:, 1]).tolist() == list(range(40, 50))
    assert not far[:, 2].any()
