# SPDX-License-Identifier: GPL-3.0-or-later
"""A stretch of a solve put into another one."""

from __future__ import annotations

import numpy as np
import pytest

from model.core.take import Take
from model.result.solved import Stance
from model.review.blending import blended_rotations, joined_stances, weights, with_surroundings
from model.review.repairs import filled, joined_spans


def test_the_new_pose_fades_in_and_out() -> None:
    part = weights(200, 100.0, begins=False, ends=False)
    assert 0 < part[0] < 0.02
    assert 0 < part[-1] < 0.02
    assert (part[30:170] == 1.0).all()
    assert (np.diff(part[:20]) > 0).all()
    np.testing.assert_allclose(part, part[::-1])
    assert weights(200, 100.0, begins=True, ends=False)[0] == 1.0
    assert weights(3, 100.0, begins=False, ends=False).max() <= 1.0


def test_rotations_turn_the_short_way() -> None:
    half = np.array([np.cos(np.pi / 4), np.sin(np.pi / 4), 0, 0])
    old, new = np.tile([1.0, 0, 0, 0], (3, 1)), -np.tile(half, (3, 1))
    found = blended_rotations(old, new, np.array([0.0, 0.5, 1.0]))
    angles = [0, np.pi / 8, np.pi / 4]
    np.testing.assert_allclose(found[:, :2], np.stack([np.cos(angles), np.sin(angles)], axis=1), atol=1e-12)
    np.testing.assert_array_equal(blended_rotations(old, old, np.full(3, 0.3)), old)


def test_a_part_of_a_take_knows_its_frames() -> None:
    positions = np.arange(500.0)[:, None, None] + np.zeros((500, 2, 3))
    take = Take("all", ("A", "B"), positions, np.zeros((500, 2)), 100.0, first_frame=7, frame_step=0.5)
    part = with_surroundings(take, 250, 260)
    assert part.positions[0, 0, 0] == 150
    assert part.positions[-1, 0, 0] == 360
    assert part.number(0) == take.number(150)
    assert with_surroundings(take, 0, 499).frames == 500


def test_stances_of_two_solves() -> None:
    old = [Stance("L", "heel", 0, 50), Stance("R", "ball", 20, 22)]
    new = [Stance("L", "heel", 5, 12), Stance("L", "heel", 28, 90)]
    assert joined_stances(old, new, 10, 30) == (
        Stance("L", "heel", 0, 9),
        Stance("L", "heel", 10, 12),
        Stance("L", "heel", 28, 30),
        Stance("L", "heel", 31, 50),
    )


def test_a_hole_is_filled_without_a_jump() -> None:
    places = np.stack([np.linspace(0, 1, 21), np.zeros(21), np.zeros(21)], axis=1)
    samples = places + np.where(np.arange(21)[:, None] < 10, [0, 0.1, 0], [0, 0.3, 0])
    holes = np.zeros(21, dtype=bool)
    holes[8:13] = True
    found = filled(np.where(holes[:, None], np.nan, samples), places, holes)
    np.testing.assert_array_equal(found[~holes], samples[~holes])
    assert (np.diff(found[7:14, 1]) > 0).all()
    assert np.diff(found[7:14, 1]).max() < 0.05
    ends = np.zeros(21, dtype=bool)
    ends[18:] = True
    np.testing.assert_allclose(filled(np.where(ends[:, None], np.nan, samples), places, ends)[18:, 1], 0.3)


@pytest.mark.parametrize(
    ("spans", "first", "last", "add", "expected"),
    [
        ([], 3, 5, True, [3, 5]),
        ([[1, 4]], 3, 9, True, [1, 9]),
        ([[1, 9]], 3, 5, False, [1, 2, 6, 9]),
        ([[1, 2], [5, 6]], 0, 9, False, []),
        ([[1, 2], [5, 6]], 3, 4, True, [1, 6]),
    ],
)
def test_spans_joined(spans: list[list[int]], first: int, last: int, add: bool, expected: list[int]) -> None:
    assert joined_spans(np.array(spans, dtype=float).reshape(-1, 2), first, last, add) == expected
