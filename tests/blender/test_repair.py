# SPDX-License-Identifier: GPL-3.0-or-later
"""Repairs of markers, and corrections of the solver applied or refused."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest

from .scene_takes import same


@pytest.fixture
def take(make_take, load):
    """Three markers with residuals; the first has a gap, the third a sample that leaps away."""
    take = make_take(frames=60)
    residuals = np.tile(np.array([0.001, 0.002, 0.003]), (60, 1))
    take.positions[20:30, 0] = np.nan
    residuals[20:30, 0] = 0.0
    take.positions[40, 2] += 0.5
    return load(replace(take, residuals=residuals))


@pytest.fixture
def gathered(ext, scene, take):
    return lambda **options: ext("operators.gather").gather_take(scene, take, **options)


@pytest.fixture
def choose(ext, take):
    """Select markers by their labels, the first one active."""

    def choose(*labels):
        there = ext("operators.takes").markers(take)
        ext("operators.view").select(bpy.context, [there[label] for label in labels])
        bpy.context.view_layer.objects.active = there[labels[0]]

    return choose


@pytest.fixture
def undone(gathered):
    """Whether one undo brings the take back to what it was."""
    bpy.ops.ed.undo_push(message="Before")
    before = gathered()

    def check(ext):
        bpy.ops.ed.undo_push(message="Repair")
        bpy.ops.ed.undo()
        scene = bpy.context.scene
        same(ext("operators.gather").gather_take(scene, scene.bonesetter.take), before)

    return check


def test_swap_in_a_range(ext, take, gathered, choose, undone):
    before = gathered()
    choose("LFHD", "RFHD")
    assert bpy.ops.bonesetter.swap_markers(first=16, last=36) == {"FINISHED"}
    after = gathered()
    expected, residuals = before.positions.copy(), before.residuals.copy()
    expected[15:36, :2], residuals[15:36, :2] = before.positions[15:36, 1::-1], before.residuals[15:36, 1::-1]
    np.testing.assert_array_equal(after.positions, expected)
    np.testing.assert_allclose(after.residuals, residuals, atol=1e-9)
    undone(ext)


def test_the_preview_range_is_the_range(scene, gathered, choose):
    scene.use_preview_range = True
    scene.frame_preview_start, scene.frame_preview_end = 5, 7
    choose("LFHD", "LANK")
    assert bpy.ops.bonesetter.delete_samples() == {"FINISHED"}
    missing = ~gathered().present
    assert np.argwhere(missing[:10]).tolist() == [[frame, row] for frame in (4, 5, 6) for row in (0, 2)]


def test_without_one_it_is_the_problem_at_the_playhead(scene, gathered, choose):
    scene.frame_set(41)
    choose("LANK")
    assert bpy.ops.bonesetter.delete_samples() == {"FINISHED"}
    assert np.flatnonzero(~gathered().present[:, 2]).tolist() == [40]
    scene.frame_set(50)
    assert bpy.ops.bonesetter.delete_samples() == {"FINISHED"}
    assert np.flatnonzero(~gathered().present[:, 2]).tolist() == [40, 49]


def test_cut_makes_an_unlabelled_marker(ext, take, gathered, choose, undone):
    before = gathered()
    choose("LANK")
    assert bpy.ops.bonesetter.cut_markers(first=31, last=60) == {"FINISHED"}
    after = gathered()
    assert after.labels == (*before.labels, "*1")
    np.testing.assert_array_equal(after.positions[30:, 3], before.positions[30:, 2])
    np.testing.assert_array_equal(after.positions[:30, 2], before.positions[:30, 2])
    assert not after.present[30:, 2].any()
    assert not after.present[:30, 3].any()
    undone(ext)


def test_fill_from_the_solved_place(ext, scene, take, gathered, choose):
    choose("LFHD")
    with pytest.raises(RuntimeError, match="poll"):
        bpy.ops.bonesetter.fill_from_solve()
    before = gathered()
    places = np.stack([np.linspace(0, 1, 60)] * 3, axis=1)[:, None] + np.zeros((60, 3, 1))
    take.bonesetter.solved, take.bonesetter.result = True, "first"
    ext("operators.solved").keep_solved(take, ext("model.result.solved").SolvedMarkers(before.labels, places))
    scene.frame_set(25)
    assert bpy.ops.bonesetter.fill_from_solve() == {"FINISHED"}
    after = gathered()
    assert after.present.all()
    kept = before.present[:, 0]
    np.testing.assert_array_equal(after.positions[kept, 0], before.positions[kept, 0])
    steps = np.linalg.norm(np.diff(after.positions[18:32, 0], axis=0), axis=1)
    assert steps.max() < 0.1, "it does not jump at the ends"


def test_mute_and_pin(gathered, choose):
    choose("RFHD")
    assert bpy.ops.bonesetter.mute_markers() == {"FINISHED"}
    assert "RFHD" not in gathered().labels
    assert bpy.ops.bonesetter.mute_markers() == {"FINISHED"}
    assert "RFHD" in gathered().labels
    choose("LANK")
    assert bpy.ops.bonesetter.pin_samples(first=30, last=45) == {"FINISHED"}
    assert np.flatnonzero(gathered().pinned[:, 2]).tolist() == list(range(29, 45))
    assert bpy.ops.bonesetter.pin_samples(first=35, last=60, pinned=False) == {"FINISHED"}
    assert np.flatnonzero(gathered().pinned[:, 2]).tolist() == list(range(29, 34))
    assert bpy.ops.bonesetter.pin_samples(first=1, last=60, pinned=False) == {"FINISHED"}
    assert gathered().pinned is None


def test_rename(gathered, choose):
    choose("LANK")
    assert bpy.ops.bonesetter.rename_marker(label="RANK") == {"FINISHED"}
    assert gathered().labels == ("LFHD", "RFHD", "RANK")
    assert bpy.ops.bonesetter.rename_marker(label="LFHD") == {"CANCELLED"}
    assert gathered().labels == ("LFHD", "RFHD", "RANK")


@pytest.fixture
def state_of(ext, scene):
    """The state of a marker's sample, by name."""

    def state_of(take, sample, label):
        review = ext("operators.review").review_of(scene, take)
        return ext("model.review.states").State(int(review.states.codes[sample, review.take.labels.index(label)])).name

    return state_of


@pytest.fixture
def listed(ext, take):
    """Puts findings into the list, as a solve does."""

    def put(*findings):
        ext("operators.findings").keep_findings(take, [finding.document(int) for finding in findings])

    return put


def test_corrections_are_applied_one_by_one(ext, take, gathered, listed):
    finding = ext("model.core.findings").Finding
    before = gathered()
    listed(
        finding("swapped back", "Swapped.", ("LFHD", "RFHD"), frames=((5, 9),)),
        finding("dropped", "Dropped.", ("LANK",), frames=((41, 41),)),
        finding("relabelled", "Relabelled.", ("RFHD", "LFHD"), frames=((21, 30),)),
    )
    assert bpy.ops.bonesetter.apply_correction(index=0) == {"FINISHED"}
    expected = before.positions.copy()
    expected[4:9, :2] = before.positions[4:9, 1::-1]
    np.testing.assert_array_equal(gathered().positions, expected)
    assert bpy.ops.bonesetter.apply_correction(index=0) == {"FINISHED"}
    expected[40, 2] = np.nan
    np.testing.assert_array_equal(gathered().positions, expected)
    assert bpy.ops.bonesetter.apply_correction(index=0) == {"FINISHED"}
    expected[20:30, 0], expected[20:30, 1] = before.positions[20:30, 1], np.nan
    np.testing.assert_array_equal(gathered().positions, expected)
    assert len(take.bonesetter.findings) == 0
    assert bpy.ops.bonesetter.apply_correction(index=0) == {"CANCELLED"}


def test_findings_name_markers_as_their_set_does(ext, scene, make_take, load, state_of):
    labels = ext("model.marker_sets.marker_set").load_marker_set().labels[:20]
    take = load(make_take(frames=60, labels=tuple(f"Actor:{label}" for label in labels)))
    swapped = ext("model.core.findings").Finding("swapped back", "Swapped.", labels[:2], frames=((5, 9),))
    swapped = swapped.called({label: (f"Actor:{label}",) for label in labels})
    ext("operators.findings").keep_findings(take, [swapped.document(int)])
    take.bonesetter.finding = 0
    assert bpy.ops.bonesetter.show_finding(index=0) == {"FINISHED"}
    assert {one["label"] for one in bpy.context.view_layer.objects.selected} == {f"Actor:{label}" for label in labels[:2]}
    assert state_of(take, 4, f"Actor:{labels[0]}") == "RELABELLED"
    before = ext("operators.gather").gather_take(scene, take).positions
    assert bpy.ops.bonesetter.apply_correction(index=0) == {"FINISHED"}
    after = ext("operators.gather").gather_take(scene, take).positions
    np.testing.assert_array_equal(after[4:9, :2], before[4:9, 1::-1])


def test_a_refused_correction_pins(ext, take, gathered, listed):
    listed(ext("model.core.findings").Finding("swapped back", "Swapped.", ("LFHD", "RFHD"), frames=((5, 9),)))
    before = gathered()
    assert bpy.ops.bonesetter.refuse_correction(index=0) == {"FINISHED"}
    after = gathered()
    np.testing.assert_array_equal(after.positions, before.positions)
    assert np.argwhere(after.pinned).tolist() == [[frame, row] for frame in range(4, 9) for row in (0, 1)]


def test_a_click_on_a_finding_shows_it(ext, scene, take, listed):
    finding = ext("model.core.findings").Finding
    listed(finding("file", "The unit is assumed."), finding("dropped", "Dropped.", ("LANK",), frames=((41, 41),)))
    scene.frame_set(1)
    take.bonesetter.finding = 1
    assert scene.frame_current == 41
    assert [one["label"] for one in bpy.context.view_layer.objects.selected] == ["LANK"]
    gravities = [item.gravity for item in take.bonesetter.findings]
    assert gravities[1] < gravities[0]
    assert [item.short for item in take.bonesetter.findings] == ["The unit is assumed.", "41  LANK"]


def test_range_of_problem_stays_within_what_the_scene_plays(scene, take, choose):
    """60 frames at 100 fps: half a second around the gap of frames 21 to 30 reaches beyond either end."""
    choose("LFHD")
    scene.frame_set(25)
    assert bpy.ops.bonesetter.problem_range() == {"FINISHED"}
    assert (scene.frame_preview_start, scene.frame_preview_end) == (1, 60)
    scene.frame_start, scene.frame_end = 10, 200
    scene.use_preview_range = False
    assert bpy.ops.bonesetter.problem_range() == {"FINISHED"}
    assert (scene.frame_preview_start, scene.frame_preview_end) == (10, 80)
