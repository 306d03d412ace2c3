# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of frames, and some frames of one."""

from __future__ import annotations

import numpy as np
import pytest

from model.core.stretches import evenly, frames_from, stretches


def test_runs_are_found_to_both_ends() -> None:
    assert stretches(np.array([True, False, True, True])).tolist() == [[0, 1], [2, 4]]
    assert not len(stretches(np.zeros(3, dtype=bool)))


def test_a_frame_is_as_far_as_the_nearest_true_one() -> None:
    assert frames_from(np.array([[False], [True], [False], [False]])).ravel().tolist() == [1, 0, 1, 2]
    assert np.isinf(frames_from(np.zeros((2, 1), dtype=bool))).all()


@pytest.mark.parametrize(("start", "end", "most"), [(0, 10, 4), (3, 1000, 150), (7, 9, 5), (0, 1, 3), (5, 5, 3)])
def test_frames_are_spread_evenly(start: int, end: int, most: int) -> None:
    found = evenly(start, end, most)
    assert len(found) == min(most, end - start)
    if len(found):
        assert found[0] == start
        assert found[-1] == end - 1 or len(found) == 1
        assert np.ptp(np.diff(found)) <= 1 if len(found) > 1 else True
