# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a take's markers in the scene, and the ways to its problems."""

from __future__ import annotations

import bpy
import numpy as np
import pytest


@pytest.fixture
def state(ext):
    return ext("model.review.states").State


@pytest.fixture
def take(make_take, load):
    """A take with a sample that leaps away, and a long gap."""
    take = make_take(frames=120)
    take.positions[30, 1] += 0.5
    take.positions[60:115, 0] = np.nan
    return load(take, start="ONE")


@pytest.fixture
def solved(ext, take):
    """As if a solve had put every marker 1 mm beside where it is, and one 20 cm away."""
    module = ext("operators.review")
    review = module.review_of(bpy.context.scene, take)
    places = np.nan_to_num(review.take.positions) + 0.001
    places[80:90, 2] += 0.2
    result = ext("model.result.solved")
    stances = (result.Stance("LeftFoot", "heel", 3, 9),)
    take.bonesetter.solved, take.bonesetter.result = True, "first"
    ext("operators.solved").keep_solved(take, result.SolvedMarkers(review.take.labels, places, stances))
    return places


def test_a_solve_is_kept_with_the_take(ext, take, solved, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "kept.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "kept.blend"))
    kept = ext("operators.solved").solved_of(bpy.context.scene.bonesetter.take)
    np.testing.assert_allclose(kept.places, solved, atol=1e-6)
    assert kept.stances[0].foot == "LeftFoot"
    assert len(kept.labels) == 3


def test_states_follow_result_and_thresholds(ext, scene, take, state):
    review_of = ext("operators.review").review_of
    review = review_of(scene, take)
    assert review.states.codes[30, 1] == state.JUMP
    assert (review.states.codes[60:115, 0] == state.MISSING).all()
    version = review.version
    assert review_of(scene, take).version == version
    take.bonesetter.max_gap = 2.0
    assert (review_of(scene, take).states.codes[60:115, 0] == state.FILLED).all()
    assert review_of(scene, take).version > version


def test_far_markers_after_a_solve(ext, scene, take, solved, state):
    review = ext("operators.review").review_of(scene, take)
    assert (review.states.codes[80:90, 2] == state.FAR).all()
    np.testing.assert_allclose(review.solved_world, solved, atol=1e-5)
    assert not np.isfinite(review.world[60:115, 0]).any()


def test_muted_markers_are_not_solved_and_pins_are_told(ext, scene, take, state):
    gather, takes = ext("operators.gather").gather_take, ext("operators.takes")
    empties = list(takes.markers(take).values())
    empties[2][takes.MUTED] = 1
    empties[1][takes.PINNED] = [25, 35]
    for one in empties:
        one.update_tag()
    seen = gather(scene, take)
    assert len(seen.labels) == 2
    assert np.argwhere(seen.pinned).tolist() == [[sample, 1] for sample in range(25, 36)]
    ext("operators.session").session.digests.clear()
    codes = ext("operators.review").review_of(scene, take).states.codes
    assert (codes[:, 2] == state.MUTED).all()
    assert (codes[25:36, 1] == state.PINNED).all()


def test_from_problem_to_problem(ext, scene, take):
    scene.frame_set(1)
    visited = []
    for _ in range(2):
        assert bpy.ops.bonesetter.next_problem() == {"FINISHED"}
        visited.append((scene.frame_current, bpy.context.view_layer.objects.active["label"]))
    labels = list(ext("operators.takes").markers(take))
    assert visited == [(31, labels[1]), (61, labels[0])]
    assert bpy.ops.bonesetter.next_problem() == {"CANCELLED"}
    assert bpy.ops.bonesetter.next_problem(backwards=True) == {"FINISHED"}
    assert scene.frame_current == 31


def test_the_worst_frame(ext, scene, take, solved):
    assert bpy.ops.bonesetter.worst_frame() == {"FINISHED"}
    assert 81 <= scene.frame_current <= 90


def test_a_retimed_take_is_gone_to_in_the_scenes_frames(ext, scene, make_take, load):
    scene.render.fps = 25
    take = make_take(frames=120)
    take.positions[80, 1] += 0.5
    load(take, rate="KEEP")
    assert bpy.ops.bonesetter.next_problem() == {"FINISHED"}
    assert scene.frame_current == 21


def test_where_the_strip_lies(ext):
    strip, row = ext("ui.overlay.strip"), ext("model.review.strip").Row
    bars = strip.Bars(100, 300, 8, 60, 1.0, 1, 50, (row("A", (0,)), row("B", (1,))), (), False)
    assert [bars.frame_at(x) for x in (0, 100, 299, 400)] == [1, 1, 50, 50]
    assert all(bars.frame_at(bars.x_of(frame)) == frame for frame in range(1, 51))
    assert bars.holds(100, 8)
    assert not bars.holds(99, 8)
    assert [bars.row_at(y).name if bars.row_at(y) else None for y in (57, 44, 10)] == ["A", "B", None]


def test_pixels_of_places(ext):
    from types import SimpleNamespace

    context = SimpleNamespace(
        region=SimpleNamespace(width=200, height=100), region_data=SimpleNamespace(perspective_matrix=np.diag([1.0, 1, 1, 1]))
    )
    pixels = ext("ui.overlay.names").to_pixels(context, np.array([[0.0, 0, 0], [1, 1, 0], [-1, -1, 0]]))
    assert pixels.tolist() == [[100, 50], [200, 100], [0, 0]]


def test_a_missing_marker_is_shown_on_the_line_across_its_gap_until_it_is_solved(ext, scene, take):
    """Or nobody sees what Page Down went to."""
    review = ext("operators.review").review_of(scene, take)
    before, behind = review.world[59, 0], review.world[115, 0]
    np.testing.assert_allclose(review.places(87)[0], 0.5 * (before + behind), atol=1e-5)
    np.testing.assert_array_equal(review.places(87)[1:], review.world[87, 1:])


def test_a_missing_marker_is_shown_where_it_is_solved(ext, scene, take, solved):
    review = ext("operators.review").review_of(scene, take)
    np.testing.assert_allclose(review.places(87)[0], solved[87, 0], atol=1e-5)


def test_a_marker_is_shown_nowhere_before_it_is_seen_and_behind_that(ext, scene, make_take, load):
    made = make_take(frames=20)
    made.positions[:5, 0] = made.positions[15:, 0] = np.nan
    made.positions[:, 1] = np.nan
    review = ext("operators.review").review_of(scene, load(made))
    shown = np.isfinite([review.places(sample)[:, 0] for sample in range(20)])
    assert shown[:, 0].tolist() == [False] * 5 + [True] * 10 + [False] * 5
    assert not shown[:, 1].any()
