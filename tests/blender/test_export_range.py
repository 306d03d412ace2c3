# SPDX-License-Identifier: GPL-3.0-or-later
"""A file is as long as the motion in it: a scene has the range of its longest take."""

import bpy
import numpy as np
import pytest

from .exported import FRAMES, START, heads, moving_character, read_anew, shown_at

KINDS = ["FBX", "GLB", "BVH", "USD"]


@pytest.fixture
def mover(ext, scene):
    """A character who moves for 25 frames in a scene of a longer take."""
    rig = moving_character(ext, scene)
    scene.frame_start, scene.frame_end = 1, 90
    return rig


def last_key(rig):
    return max(curve.range()[1] for bag in channelbags(rig) for curve in bag.fcurves)


def channelbags(one):
    slot = one.animation_data.action_slot
    return [part.channelbag(slot) for layer in one.animation_data.action.layers for part in layer.strips]


def assert_has(kind, path, truth, frames):
    """A file has as many frames, and begins and ends as it should."""
    names = [bone.name for bone in bpy.data.objects["Character"].pose.bones]
    rig = read_anew(kind, path)
    rate = bpy.context.scene.render.fps / bpy.context.scene.render.fps_base
    for frame, wanted in zip((0, frames - 1), truth, strict=True):
        assert np.abs(heads(rig, names, shown_at(kind, frame, rate)) - wanted).max() < 1e-3
    assert last_key(rig) == pytest.approx(shown_at(kind, frames - 1, rate), abs=0.01)


def truth_at(rig, *frames):
    return [heads(rig, [bone.name for bone in rig.pose.bones], frame) for frame in frames]


@pytest.mark.parametrize("kind", KINDS)
def test_a_short_take_among_longer_ones(ext, mover, scene, tmp_path, kind):
    truth, path = truth_at(mover, START, START + FRAMES - 1), tmp_path / f"motion.{kind.lower()}"
    # what Solve Range and repairs are about is left on by them
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 12, 14
    ext("operators.export").WRITERS[kind](path, mover)
    assert (scene.frame_start, scene.frame_end, scene.frame_preview_start, scene.frame_preview_end) == (1, 90, 12, 14)
    assert_has(kind, path, truth, FRAMES)


@pytest.mark.parametrize("kind", KINDS)
def test_a_take_that_the_scene_trims(ext, mover, scene, tmp_path, kind):
    scene.frame_start, scene.frame_end = START + 3, START + 12
    truth, path = truth_at(mover, START + 3, START + 12), tmp_path / f"motion.{kind.lower()}"
    ext("operators.export").WRITERS[kind](path, mover)
    assert_has(kind, path, truth, 10)


@pytest.mark.parametrize("kind", KINDS)
def test_a_short_take_on_the_nla(ext, mover, tmp_path, kind):
    push_down(mover)
    truth, path = truth_at(mover, START, START + FRAMES - 1), tmp_path / f"motion.{kind.lower()}"
    ext("operators.export").WRITERS[kind](path, mover)
    assert_has(kind, path, truth, FRAMES)


def push_down(one, mute=False):
    animation = one.animation_data
    action, slot = animation.action, animation.action_slot
    track = animation.nla_tracks.new()
    strip = track.strips.new("Walk", START, action)
    strip.action_slot, track.mute = slot, mute
    animation.action = None
    return strip


def cycles(rig):
    channelbags(rig)[0].fcurves[0].modifiers.new("CYCLES")


def goes_on(rig):
    channelbags(rig)[0].fcurves[0].extrapolation = "LINEAR"


def animated_parent(rig):
    rig.parent = bpy.data.objects["Marker"]


def animated_target(rig):
    held = bpy.data.objects.new("Held", None)
    held.parent = bpy.data.objects["Marker"]
    rig.pose.bones["Hips"].constraints.new("CHILD_OF").target = held


def target_among_several(rig):
    other = bpy.data.objects.new("Other", bpy.data.armatures.new("Other"))
    other.keyframe_insert("location", frame=1)
    rig.pose.bones["Hips"].constraints.new("ARMATURE").targets.new().target = other


def no_keys(rig):
    rig.animation_data_clear()


def keys_elsewhere(_rig):
    bpy.context.scene.frame_end = START - 2


def one_pose(rig):
    rig.animation_data_clear()
    rig.pose.bones["Hips"].keyframe_insert("location", frame=START)


@pytest.mark.parametrize(
    "change", [cycles, goes_on, animated_parent, animated_target, target_among_several, no_keys, keys_elsewhere, one_pose]
)
def test_the_scenes_range_where_the_keys_do_not_tell(ext, mover, scene, change):
    change(mover)
    assert ext("operators.motion_range").motion_range(scene, mover) == (scene.frame_start, scene.frame_end)


def test_a_mesh_that_is_animated_itself_has_the_scenes_range(ext, mover, scene):
    face = ext("operators.body").show_body(scene, mover)
    assert ext("operators.motion_range").motion_range(scene, mover, [face]) == (START, START + FRAMES - 1)
    face.shape_key_add(name="Basis")
    face.shape_key_add(name="Smile").keyframe_insert("value", frame=60)
    assert ext("operators.motion_range").motion_range(scene, mover, [face]) == (1, 90)


def test_what_does_not_move_it_does_not_count(ext, mover, scene):
    own = mover.pose.bones["Spine"].constraints.new("COPY_ROTATION")
    own.target, own.subtarget = mover, "Hips"
    still = bpy.data.objects.new("Still", None)
    mover.parent = still
    muted = mover.constraints.new("COPY_LOCATION")
    muted.target, muted.mute = bpy.data.objects["Marker"], True
    curve = channelbags(mover)[0].fcurves[0]
    curve.modifiers.new("CYCLES").mute = True
    assert ext("operators.motion_range").motion_range(scene, mover) == (START, START + FRAMES - 1)


def test_keys_between_frames_are_within(ext, mover, scene):
    for curve in channelbags(mover)[0].fcurves:
        for point in curve.keyframe_points:
            point.co.x += 0.4
        curve.update()
    assert ext("operators.motion_range").motion_range(scene, mover) == (START, START + FRAMES)


def test_strips_of_a_muted_track_do_not_count(ext, mover, scene):
    push_down(mover).repeat = 2
    assert ext("operators.motion_range").motion_range(scene, mover) == (START, START + 2 * (FRAMES - 1))
    mover.animation_data.nla_tracks[0].mute = True
    assert ext("operators.motion_range").motion_range(scene, mover) == (1, 90)
