# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers that are to be looked at become findings."""

from __future__ import annotations

import numpy as np

from model.review.doubtful import KINDS, doubtful
from model.review.states import State


def codes(*stretches: tuple[int, int, int, State]) -> np.ndarray:
    """(400, 3), seen but for stretches (marker, first, last, state)."""
    made = np.zeros((400, 3), dtype=np.uint8)
    for marker, first, last, state in stretches:
        made[first : last + 1, marker] = state
    return made


def test_stretches_of_a_marker_are_one_finding_of_each_kind() -> None:
    made = codes((0, 10, 30, State.JUMP), (0, 35, 40, State.FAR), (0, 200, 220, State.RIGID), (2, 50, 70, State.FAR))
    found = doubtful(made, ("A", "B", "C"), 100.0, lambda frame: frame + 1)
    assert [(each.kind, each.labels, each.frames) for each in found] == [
        ("flagged", ("A",), ((10, 40), (200, 220))),
        ("far", ("C",), ((50, 70),)),
    ]
    assert {each.kind for each in found} == set(KINDS)
    assert found[0].text == "A was taken for noise and left out in frames 11 to 41 and 201 to 221."
    assert found[1].text == "C is far from where it is solved in frames 51 to 71: look which of the two is right."


def test_a_marker_may_have_both() -> None:
    made = codes((1, 10, 30, State.RESIDUAL), (1, 100, 130, State.FAR), (1, 120, 124, State.JUMP))
    found = doubtful(made, ("A", "B", "C"), 100.0, int)
    assert [(each.kind, each.frames) for each in found] == [("flagged", ((10, 30),)), ("far", ((100, 130),))]


def test_what_is_short_or_settled_is_not_found() -> None:
    made = codes((0, 10, 13, State.JUMP), (1, 10, 30, State.PINNED), (1, 50, 90, State.MUTED), (2, 10, 90, State.RELABELLED))
    assert doubtful(made, ("A", "B", "C"), 100.0, int) == ()
    assert doubtful(np.zeros((0, 3), dtype=np.uint8), ("A", "B", "C"), 100.0, int) == ()
