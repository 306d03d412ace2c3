# SPDX-License-Identifier: GPL-3.0-or-later
"""Clean Keys on a solved take and on a character: what Blender plays afterwards stays within the bounds."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from .rigs_in_blender import made_rigs, to_armature


@pytest.fixture
def solved(ext, engine_python, synthetic_take, load):
    """A take that was solved, one hand of which is hidden for a second."""
    synthetic_take.positions[120:200, [synthetic_take.labels.index(label) for label in ("RWRA", "RWRB", "RFIN")]] = np.nan
    take = load(synthetic_take)
    take.bonesetter.keep_guessed = True
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    yield take
    ext("operators.session").session.engine.close()


def poses(armature, frames):
    """{frame: (bones, 4, 4)} as Blender evaluates them."""
    found = {}
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        found[frame] = np.array([np.array(bone.matrix) for bone in armature.pose.bones])
    return found


def local(pose, bone, parent):
    """A bone's rotation seen from its parent."""
    above = pose[parent, :3, :3].T if parent >= 0 else np.eye(3)
    return above.astype(float) @ pose[bone, :3, :3]


def worst(before, after, armature):
    """How far bones are turned off from their parents, in degrees, and heads are off in mm."""
    parents = [armature.pose.bones.find(bone.parent.name) if bone.parent else -1 for bone in armature.pose.bones]
    degrees = mm = 0.0
    for frame, was in before.items():
        now = after[frame]
        mm = max(mm, 1e3 * np.linalg.norm((was - now)[:, :3, 3], axis=1).max())
        for bone, parent in enumerate(parents):
            one, other = (local(pose, bone, parent) for pose in (was, now))
            degrees = max(degrees, np.degrees(2 * np.arcsin(min(1.0, np.linalg.norm(one - other) / np.sqrt(8)))))
    return degrees, mm


def keys_of(ext, take):
    return sum(len(curve.keyframe_points) for curve in ext("operators.layers").solved_bag(take).fcurves)


@pytest.mark.parametrize(("degrees", "mm"), [(0.5, 5.0), (0.2, 1.0)])
def test_blender_plays_within_the_bounds(ext, scene, solved, degrees, mm):
    armature, options = solved.bonesetter.armature, solved.bonesetter.cleanup
    options.degrees, options.mm = degrees, mm
    frames = range(1, 361, 7)
    before, count = poses(armature, frames), keys_of(ext, solved)
    assert bpy.ops.bonesetter.clean_keys() == {"FINISHED"}
    off = worst(before, poses(armature, frames), armature)
    assert off[0] < degrees + 0.02
    assert off[1] < mm + 0.1
    assert off[0] > 0.1 * degrees
    assert keys_of(ext, solved) < 0.5 * count
    for curve in ext("operators.layers").solved_bag(solved).fcurves:
        assert {key.interpolation for key in curve.keyframe_points} <= {"BEZIER", "CONSTANT"}
    assert ext("operators.armature").edited_bones(solved) == [], "it is not taken for work by hand"


def test_gaps_and_feet_are_marked(ext, scene, solved):
    assert bpy.ops.bonesetter.clean_keys() == {"FINISHED"}
    armature = solved.bonesetter.armature
    curve = next(
        one
        for one in ext("operators.layers").solved_bag(solved).fcurves
        if one.data_path == armature.pose.bones["hand.R"].path_from_id("rotation_quaternion")
    )
    kinds = {round(key.co.x): key.type for key in curve.keyframe_points}
    assert (kinds[120], kinds[201]) == ("EXTREME", "EXTREME")
    inside = {kind for frame, kind in kinds.items() if 120 < frame < 201}
    assert inside == {"BREAKDOWN"}
    assert {kind for frame, kind in kinds.items() if frame > 210} <= {"KEYFRAME", "BREAKDOWN", "EXTREME"}
    contacts = ext("operators.apply_to_rig").contacts_of(solved)
    names = {f"{solved.name} {side} down" for side in "LR" if any(one.side == side for one in contacts)}
    assert names
    assert names <= {marker.name for marker in scene.timeline_markers}
    count = len(scene.timeline_markers)
    assert bpy.ops.bonesetter.clean_keys() == {"FINISHED"}
    assert len(scene.timeline_markers) == count, "not twice"
    firsts = {marker.frame for marker in scene.timeline_markers if marker.name.endswith("L down")}
    assert firsts <= {one.first + 1 for one in contacts if one.side == "L"}


def test_a_rate_for_the_keys(ext, scene, solved):
    options = solved.bonesetter.cleanup
    options.keys_hz, options.mark_gaps = 24.0, False
    assert bpy.ops.bonesetter.clean_keys() == {"FINISHED"}
    for curve in ext("operators.layers").solved_bag(solved).fcurves:
        frames = [round(key.co.x) for key in curve.keyframe_points]
        ends = {frames[0], frames[-1]} | {round(key.co.x) for key in curve.keyframe_points if key.interpolation == "CONSTANT"}
        after = {frames[row + 1] for row, frame in enumerate(frames[:-1]) if frame in ends}
        assert all((frame - 1) % 5 == 0 for frame in frames if frame not in ends | after)


def test_what_was_keyed_by_hand_stays(ext, scene, solved):
    armature = solved.bonesetter.armature
    scene.frame_set(60)
    head = armature.pose.bones["head"]
    head.rotation_quaternion = (0.6, 0.8, 0, 0)
    head.keyframe_insert("rotation_quaternion", frame=60)
    before = poses(armature, range(1, 361, 60))
    assert bpy.ops.bonesetter.clean_keys() == {"FINISHED"}
    assert any(action.name.endswith("Edits") for action in bpy.data.actions)
    off = worst(before, poses(armature, before), armature)
    assert off[0] < 0.6
    # and what is keyed by hand afterwards
    scene.frame_set(200)
    head.rotation_quaternion = (0.6, 0, 0.8, 0)
    head.keyframe_insert("rotation_quaternion", frame=200)
    edited = poses(armature, [200])
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    assert worst(edited, poses(armature, [200]), armature)[0] < 0.6


def test_a_range_is_solved_after_cleaning(ext, scene, solved):
    armature = solved.bonesetter.armature
    dense = keys_of(ext, solved)
    before = poses(armature, (40, 300))
    assert bpy.ops.bonesetter.clean_keys() == {"FINISHED"}
    scene.use_preview_range = True
    scene.frame_preview_start, scene.frame_preview_end = 100, 200
    assert bpy.ops.bonesetter.solve_range() == {"FINISHED"}
    assert keys_of(ext, solved) == dense
    off = worst(before, poses(armature, (40, 300)), armature)
    assert off[0] < 0.52
    assert not solved.bonesetter.cleaned


def test_it_is_one_step_to_undo(ext, solved):
    name, count = solved.name, keys_of(ext, solved)
    bpy.ops.ed.undo_push(message="Before")
    assert bpy.ops.bonesetter.clean_keys() == {"FINISHED"}
    bpy.ops.ed.undo_push(message="Clean Keys")
    assert keys_of(ext, bpy.data.collections[name]) < count
    bpy.ops.ed.undo()
    assert keys_of(ext, bpy.data.collections[name]) == count


@pytest.mark.parametrize("mode", ["QUATERNION", "XYZ", "AXIS_ANGLE"])
def test_the_users_rig(ext, scene, solved, mode):
    """Its other keys stay, and so do those before and after the take."""
    made = made_rigs(ext)
    rig = to_armature(scene, made.build(made.Made("Mixamo", 30)), scale=0.01)
    for bone in rig.pose.bones:
        bone.rotation_mode = mode
    solved.bonesetter.rig.armature = rig
    assert bpy.ops.bonesetter.apply_to_rig() == {"FINISHED"}
    hips = next(bone for bone in rig.pose.bones if bone.name.endswith("Hips"))
    hips.keyframe_insert("location", frame=500)
    hips.keyframe_insert("scale", frame=3)
    bpy.context.view_layer.objects.active = rig
    own = keys_of(ext, solved)
    frames = range(1, 361, 11)
    before = poses(rig, frames)
    bag = ext("operators.keyframes").bound_channelbag(rig)
    count = sum(len(curve.keyframe_points) for curve in bag.fcurves)
    assert bpy.ops.bonesetter.clean_keys() == {"FINISHED"}
    assert sum(len(curve.keyframe_points) for curve in bag.fcurves) < 0.5 * count
    degrees, units = worst(before, poses(rig, frames), rig)
    assert degrees < 0.52
    # the object's units are 1 cm, which `worst` takes for metres
    assert units < 5.1 * 100
    assert keys_of(ext, solved) == own
    last = [curve.keyframe_points[-1].co.x for curve in bag.fcurves if curve.data_path == hips.path_from_id("location")]
    assert last == [500, 500, 500]
    assert sum(curve.data_path == hips.path_from_id("scale") for curve in bag.fcurves) == 3


def test_a_part_of_the_body_is_smoothed(ext, scene, solved):
    armature, options = solved.bonesetter.armature, solved.bonesetter.cleanup
    frames = range(20, 120)
    before = poses(armature, frames)
    options.part, options.seconds, options.degrees, options.mm = "ARMS", 0.1, 0.02, 0.5
    assert bpy.ops.bonesetter.clean_keys() == {"FINISHED"}
    after = poses(armature, frames)
    own = {name: row for row, name in enumerate(armature.pose.bones.keys())}
    for name, changes in (("forearm.L", True), ("upper_arm.R", True), ("thigh.L", False), ("head", False)):
        bone, parent = own[name], own[armature.pose.bones[name].parent.name]
        turned = [np.array([local(each[frame], bone, parent) for frame in frames]) for each in (before, after)]
        assert (np.abs(turned[0] - turned[1]).max() > 0.002) == changes, name


def test_what_cannot_be_cleaned_is_said(ext, scene, solved):
    made = made_rigs(ext)
    rig = to_armature(scene, made.build(made.Made("Mixamo")))
    solved.bonesetter.rig.armature = rig
    bpy.context.view_layer.objects.active = rig
    scene.bonesetter.take = solved
    with pytest.raises(RuntimeError, match="has no keys in the frames of"):
        bpy.ops.bonesetter.clean_keys()
