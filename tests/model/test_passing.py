# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels that go over to another marker where two of different limbs pass each other so near that no trajectory jumps."""

from __future__ import annotations

import numpy as np
import pytest

from model.core.take import FloatArray, Take
from model.markers.relabelling import relabel

RATE, FRAMES, PASS, NEAR_M = 120.0, 600, 300, 0.008
LABELS = ("wrist", "knee", "hip")
NOBODY = Take("none", (), np.zeros((FRAMES, 0, 3)), np.zeros((FRAMES, 0)), RATE)


def passing(seconds_each_way: float = 1.0) -> FloatArray:
    """(FRAMES, 3, 3) in metres: a wrist that comes down to a knee, passes it at frame PASS by 8 mm, and goes on; and a hip far off."""
    away = (np.arange(FRAMES) - PASS) / RATE / seconds_each_way
    wrist = np.stack([NEAR_M * np.ones(FRAMES), 0.3 * away, 0.5 + 0.1 * away**2], axis=-1)
    knee = np.tile([0.0, 0.0, 0.5], (FRAMES, 1))
    return np.stack([wrist, knee, knee + np.array([0.0, 0.1, 0.5])], axis=1)


def take_of(positions: FloatArray, labels: tuple[str, ...] = LABELS) -> Take:
    return Take("passing", labels, positions, np.zeros(positions.shape[:2]), RATE)


def exchanged(positions: FloatArray, start: int, end: int) -> FloatArray:
    """The wrist and the knee with one another's samples in some frames."""
    found = positions.copy()
    found[start:end, [0, 1]] = positions[start:end, [1, 0]]
    return found


@pytest.mark.parametrize(("start", "end"), [(PASS, FRAMES), (0, PASS)])
def test_labels_that_pass_are_put_back(start, end):
    places = passing()
    found, corrections = relabel(take_of(exchanged(places, start, end)), NOBODY, places)
    assert [each.kind for each in corrections] == ["swapped back"]
    # within 8 mm nothing tells one from the other, so the frame in which they pass may be missed by one
    np.testing.assert_allclose(found.positions, places, atol=0.01)
    assert corrections[0].first == pytest.approx(start, abs=2)
    assert corrections[0].last == pytest.approx(end - 1, abs=2)


@pytest.mark.parametrize("off_m", [0.0, 0.01])
def test_a_label_that_goes_on_with_another_marker_is_cut_where_they_pass(off_m):
    """The recorder loses the wrist at the knee, and the wrist's column goes on with the knee's marker, whose own column ends there."""
    truth = passing()
    truth[PASS:, 0] = np.nan
    file = truth.copy()
    file[PASS:, 0], file[PASS:, 1] = truth[PASS:, 1], np.nan
    found, corrections = relabel(take_of(file), NOBODY, passing() + off_m)
    assert [(each.kind, each.labels) for each in corrections] == [("relabelled", ("wrist", "knee"))]
    assert corrections[0].first == pytest.approx(PASS, abs=4)
    away = np.abs(np.arange(FRAMES) - PASS) > 4
    np.testing.assert_array_equal(found.positions[away], truth[away])


def test_a_point_without_a_name_gives_each_label_its_part():
    truth = passing()
    point = np.where((np.arange(FRAMES) < PASS)[:, None], truth[:, 0], truth[:, 1])
    file = truth.copy()
    file[:PASS, 0], file[PASS:, 1] = np.nan, np.nan
    found, corrections = relabel(take_of(file), take_of(point[:, None], ("*0",)), truth)
    assert {(each.kind, each.labels) for each in corrections} == {("filled", ("*0", "wrist")), ("filled", ("*0", "knee"))}
    away = np.abs(np.arange(FRAMES) - PASS) > 2
    np.testing.assert_array_equal(found.positions[away], truth[away])


def test_what_passes_and_keeps_its_label_is_left_alone():
    places = passing()
    take = take_of(places)
    assert relabel(take, NOBODY, places) == (take, ())


def test_neighbours_of_one_limb_do_not_pass():
    """A hand that is lost and found turned has one marker near the other's place, without a jump, and both are always near each other."""
    places = passing()
    places[:, 1] = places[:, 0] + [0.03, 0.0, 0.0]
    turned = places.copy()
    fade = np.clip((np.arange(FRAMES) - PASS) / 100, 0, 1)[:, None]
    turned[:, 0] += fade * [0.045, 0.0, 0.0]
    turned[PASS:, 1] = np.nan
    take = take_of(turned)
    assert relabel(take, NOBODY, places) == (take, ())


def test_where_markers_pass_far_off_a_label_that_moves_on_smoothly_is_kept():
    """A hand that the first solve loses, and that comes by a place that is free."""
    places = passing()
    lost = places.copy()
    fade = np.linspace(0, 1, FRAMES - PASS)[:, None]
    lost[PASS:, 0] = (1 - fade) * places[PASS, 0] + fade * places[PASS:, 2]
    lost[PASS:, 2] = np.nan
    take = take_of(lost)
    assert relabel(take, NOBODY, places) == (take, ())
