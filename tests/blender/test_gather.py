# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes as they stand in the scene, gathered again: whole, repaired by hand, parented, saved."""

import bpy
import numpy as np
import pytest

from .scene_takes import same, where

ODD_LABELS = ('Male:LF"HD', "it's\\one", "long" * 30, "long" * 30 + "x", "*0", "RBAC-1")


@pytest.mark.parametrize("keys", ["KEYS", "SAMPLES"])
@pytest.mark.parametrize("gaps", ["HIDE", "HOLD"])
@pytest.mark.parametrize("unit", [0.001, 0.01, 1.0, 100.0])
def test_round_trip(ext, scene, load, with_gaps, keys, gaps, unit):
    scene.unit_settings.scale_length = unit
    collection = load(with_gaps, keys=keys, gaps=gaps)
    same(ext("operators.gather").gather_take(scene, collection), with_gaps)


def test_y_up_takes_are_rotated(ext, scene, load, make_take):
    take = make_take(labels=("LFHD", "LANK"), up_axis="Y")
    take.positions[:, 0] = (0.1, 1.7, 0.3)
    take.positions[:, 1] = (0.1, 0.1, 0.3)
    collection = load(take)
    np.testing.assert_allclose(where(collection.all_objects[0], 1), (0.1, -0.3, 1.7), atol=1e-6)
    same(ext("operators.gather").gather_take(scene, collection), take)


def test_odd_labels(ext, scene, load, make_take):
    # ezc3d keeps at most 127 characters: two labels that differ behind that would be one.
    take = make_take(labels=ODD_LABELS)
    collection = load(take)
    again = load(take)
    for one in (collection, again):
        same(ext("operators.gather").gather_take(scene, one), take)


def test_one_frame(ext, scene, load, make_take):
    take = make_take(frames=1)
    same(ext("operators.gather").gather_take(scene, load(take)), take)


def test_marker_that_is_never_there(ext, scene, load, make_take):
    take = make_take()
    take.positions[:, 1] = np.nan
    for keys in ("KEYS", "SAMPLES"):
        same(ext("operators.gather").gather_take(scene, load(take, keys=keys)), take)


def test_residuals_survive(ext, scene, load, make_take):
    take = make_take()
    take.residuals[3, 1] = 0.012
    same(ext("operators.gather").gather_take(scene, load(take)), take)


def test_repairs_by_hand_count(ext, scene, load, with_gaps):
    collection = load(with_gaps, gaps="HIDE")
    keyframes, gather = ext("operators.keyframes"), ext("operators.gather").gather_take
    marker = ext("operators.takes").markers(collection)[with_gaps.labels[0]]
    curves = {curve.array_index: curve for curve in keyframes.bound_channelbag(marker).fcurves if curve.data_path == "location"}
    for axis, value in enumerate((1.0, 2.0, 3.0)):
        curves[axis].keyframe_points.insert(7, value)
    present = gather(scene, collection)
    np.testing.assert_allclose(present.positions[6, 0], (1, 2, 3), atol=1e-6)
    assert list(np.flatnonzero(~present.present[:, 0])) == [5, 7, 8]
    # A sample that is moved.
    curves[2].keyframe_points[0].co.y += 0.5
    np.testing.assert_allclose(gather(scene, collection).positions[0, 0, 2], with_gaps.positions[0, 0, 2] + 0.5, atol=1e-6)
    # A gap that is declared none.
    (gap,) = (curve for curve in keyframes.bound_channelbag(marker).fcurves if curve.data_path == '["gap"]')
    for key in gap.keyframe_points:
        key.co.y = 0
    gap.update()
    assert gather(scene, collection).present[:, 0].all()


def test_samples_turned_into_keys_keep_their_gaps(ext, scene, load, with_gaps):
    collection = load(with_gaps, keys="SAMPLES")
    for marker in collection.all_objects:
        for curve in ext("operators.keyframes").bound_channelbag(marker).fcurves:
            if curve.data_path == "location":
                curve.convert_to_keyframes(1, 31)
    same(ext("operators.gather").gather_take(scene, collection), with_gaps)


def test_deleted_marker_is_missing(ext, scene, load, make_take):
    collection = load(make_take())
    bpy.data.objects.remove(collection.all_objects[1])
    assert ext("operators.gather").gather_take(scene, collection).labels == ("LFHD", "LANK")


def test_parented_and_moved_markers(ext, scene, load, make_take):
    take = make_take()
    collection = load(take)
    mover = bpy.data.objects.new("mover", None)
    scene.collection.objects.link(mover)
    mover.location = (0, 0, 1)
    for marker in collection.all_objects:
        marker.parent = mover
    bpy.context.view_layer.update()
    gather = ext("operators.gather").gather_take
    np.testing.assert_allclose(gather(scene, collection).positions, take.positions + np.array((0, 0, 1)), atol=1e-6)
    mover.keyframe_insert("location", frame=1)
    mover.location = (0, 0, 20)
    mover.keyframe_insert("location", frame=20)
    scene.frame_set(3)
    moved = gather(scene, collection).positions
    assert scene.frame_current == 3
    np.testing.assert_allclose(moved[[0, -1]], take.positions[[0, -1]] + [[[0, 0, 1]], [[0, 0, 20]]], atol=1e-5)


def test_saved_and_loaded(ext, load, with_gaps, tmp_path):
    load(with_gaps)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "take.blend"))
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "take.blend"))
    scene = bpy.context.scene
    same(ext("operators.gather").gather_take(scene, scene.bonesetter.take), with_gaps)


def test_warnings_name_the_scenes_frames(ext, scene, load, make_take):
    take = make_take(frames=101, first_frame=500)
    assert ext("operators.gather").gather_take(scene, load(take)).number(100) == 101
    assert ext("operators.gather").gather_take(scene, load(take, start="FILE")).number(100) == 600
    scene.render.fps, scene.render.fps_base = 25, 1.0
    assert ext("operators.gather").gather_take(scene, load(take, rate="KEEP")).number(100) == 26
