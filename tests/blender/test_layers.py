# SPDX-License-Identifier: GPL-3.0-or-later
"""A solved take solved again: what was keyed by hand stays on top, and a range leaves all other frames alone."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest


@pytest.fixture
def solved(ext, engine_python, synthetic_take, load):
    """A take that was solved."""
    take = load(synthetic_take)
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    yield take
    ext("operators.session").session.engine.close()


@pytest.fixture
def keys(ext, solved):
    """{(path, index): (keys, 2)} of the solved pose, as Blender stores them."""

    def keys():
        found = {}
        for curve in ext("operators.layers").solved_bag(solved).fcurves:
            points = np.empty(2 * len(curve.keyframe_points), dtype=np.float32)
            curve.keyframe_points.foreach_get("co", points)
            found[curve.data_path, curve.array_index] = points.reshape(-1, 2)
        return found

    return keys


@pytest.fixture
def rotation(solved):
    """The global rotation of a bone in a frame, as Blender evaluates it."""

    def rotation(name, frame):
        bpy.context.scene.frame_set(frame)
        return np.array(solved.bonesetter.armature.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones[name].matrix)[:3, :3]

    return rotation


def key_head(take, frame, quaternion):
    """As an animator does: go to the frame, pose the head, key it."""
    bpy.context.scene.frame_set(frame)
    head = take.bonesetter.armature.pose.bones["head"]
    head.rotation_quaternion = quaternion
    assert head.keyframe_insert("rotation_quaternion", frame=frame)


def test_hand_made_keys_stay_on_top_of_every_solve(ext, solved, rotation):
    apart = {frame: rotation("head", frame) for frame in (10, 60, 100)}
    key_head(solved, 60, (0.6, 0.8, 0, 0))
    edited = rotation("head", 60)
    assert np.abs(edited - apart[60]).max() > 0.1
    assert ext("operators.armature").edited_bones(solved) == ["head"]
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    np.testing.assert_allclose(rotation("head", 60), edited, atol=1e-4)
    for frame in (10, 100):
        np.testing.assert_allclose(rotation("head", frame), apart[frame], atol=1e-4)
    assert any("stays on top" in finding.name for finding in solved.bonesetter.findings)
    # further keys go to the layer, which the next solve does not touch
    key_head(solved, 30, (0.6, 0, 0.8, 0))
    second = rotation("head", 30)
    assert ext("operators.armature").edited_bones(solved) == []
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    np.testing.assert_allclose(rotation("head", 60), edited, atol=1e-4)
    np.testing.assert_allclose(rotation("head", 30), second, atol=1e-4)
    np.testing.assert_allclose(rotation("head", 100), apart[100], atol=1e-4)
    assert len(bpy.data.actions) == 4, "markers, solved pose, layer, contacts"


def test_all_that_can_be_keyed_by_hand_is_kept(ext, solved, rotation):
    armature = solved.bonesetter.armature
    hips = armature.pose.bones["hips"]
    bpy.context.scene.frame_set(40)
    hips.location.x += 0.3
    hips.keyframe_insert("location", frame=40)
    head = armature.pose.bones["head"]
    head.scale = (1.5, 1.5, 1.5)
    head.keyframe_insert("scale", frame=1)
    bpy.context.view_layer.update()
    place = np.array(hips.matrix.translation)
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    bpy.context.scene.frame_set(40)
    np.testing.assert_allclose(np.array(hips.matrix.translation), place, atol=1e-4)
    np.testing.assert_allclose(np.array(head.scale), 1.5, atol=1e-5)


def test_an_edit_that_is_no_layer_is_kept_as_an_action(solved):
    head = solved.bonesetter.armature.pose.bones["head"]
    head.rotation_mode = "XYZ"
    head.rotation_euler = (0.3, 0, 0)
    head.keyframe_insert("rotation_euler", frame=20)
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    (kept,) = (action for action in bpy.data.actions if action.name.endswith("(edited)"))
    assert kept.use_fake_user
    assert any(kept.name in finding.name for finding in solved.bonesetter.findings)


def test_a_range_leaves_every_other_frame_alone(ext, scene, solved, keys, rotation, capfd):
    before, seconds = keys(), solved.bonesetter.seconds
    takes = ext("operators.takes")
    takes.markers(solved)["LWRA"][takes.MUTED] = 1
    scene.use_preview_range = True
    scene.frame_preview_start, scene.frame_preview_end = 100, 180
    assert bpy.ops.bonesetter.solve_range() == {"FINISHED"}
    assert f"{solved.name}: frames 100 to 180 solved again in" in capfd.readouterr().out
    assert solved.bonesetter.seconds == seconds, "the result is said to be the whole take's"
    after = keys()
    assert before.keys() == after.keys()
    changed = 0.0
    for curve, points in before.items():
        outside = (points[:, 0] < 100) | (points[:, 0] > 180)
        assert (after[curve][outside] == points[outside]).all(), curve
        assert (after[curve][:, 0] == points[:, 0]).all()
        changed = max(changed, float(np.abs(after[curve][:, 1] - points[:, 1]).max()))
        steps = np.abs(np.diff(after[curve][:, 1]))
        assert steps.max() < max(2 * np.abs(np.diff(points[:, 1])).max(), 0.05), "it does not jump at the borders"
    assert changed > 1e-5
    assert ext("operators.armature").edited_bones(solved) == [], "what a solve keys was not keyed by hand"
    ext("operators.session").session.digests.clear()
    takes.markers(solved)["LWRA"].update_tag()
    assert ext("operators.freshness").out_of_date(solved).endswith("frames 100 to 180 were solved again.")


def test_a_range_knows_which_labels_are_wrong_throughout_the_take(ext, engine_python, scene, synthetic_take, load):
    """Nothing was repaired, so nothing but noise changes; the markers that are exchanged have the names of somebody."""
    exchanged = {"LTOE": "LMT5", "LMT5": "LTOE"}
    names = tuple(f"Anna:{exchanged.get(label, label)}" for label in synthetic_take.labels)
    take = load(replace(synthetic_take, labels=names))
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    said = [item.name for item in take.bonesetter.findings]
    assert {item.kind for item in take.bonesetter.findings} >= {"misplaced"}
    assert ext("operators.findings").settled_labels(take) == {f"Anna:{a}": f"Anna:{b}" for a, b in exchanged.items()}
    before = ext("operators.solved").solved_of(take)
    scene.use_preview_range = True
    scene.frame_preview_start, scene.frame_preview_end = 100, 180
    assert bpy.ops.bonesetter.solve_range() == {"FINISHED"}
    assert [item.name for item in take.bonesetter.findings] == said
    after = ext("operators.solved").solved_of(take)
    assert after.labels == before.labels
    assert np.abs(after.places - before.places).max() < 0.002
    ext("operators.session").session.engine.close()


def test_a_range_keeps_what_was_keyed_by_hand(scene, solved, rotation):
    key_head(solved, 120, (0.6, 0.8, 0, 0))
    edited = rotation("head", 120)
    scene.frame_set(120)
    assert bpy.ops.bonesetter.solve_range() == {"FINISHED"}
    # the head turns as before, whatever the solve makes of the rest
    assert np.abs(rotation("head", 120) - edited).max() < 0.05


def test_a_range_wants_a_solve(ext, scene, make_take, load):
    take = load(make_take())
    with pytest.raises(RuntimeError, match="poll"):
        bpy.ops.bonesetter.solve_range()
    module = ext("operators.solve_range")
    scene.frame_set(1)
    assert module.wanted_range(scene, take) == (0, 19)
    scene.use_preview_range = True
    scene.frame_preview_start, scene.frame_preview_end = 50, 60
    with pytest.raises(ext("model.core.errors").BonesetterError, match="no samples in these frames"):
        module.wanted_range(scene, take)


def test_fewer_numbers_than_before_are_kept(ext):
    """Blender's own assignment of a shorter array ends in a crash."""
    kept = bpy.data.collections.new("Kept")
    for size in range(40, 20, -1):
        numbers = np.arange(1000 * size, dtype=np.float32).reshape(-1, 4)
        ext("operators.takes").keep_numbers(kept, "numbers", numbers)
        np.testing.assert_array_equal(np.array(kept["numbers"]), numbers.ravel())
        assert all(np.zeros(1000 * size).sum() == 0 for _ in range(5))


def test_what_lies_on_top_goes_onto_a_rig_too(ext, scene, solved):
    """What the performer shows in a frame is what Apply to Rig reads there."""
    key_head(solved, 60, (0.6, 0.8, 0, 0))
    hips = solved.bonesetter.armature.pose.bones["hips"]
    hips.location.x += 0.3
    hips.keyframe_insert("location", frame=60)
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    timing = ext("operators.takes").timing_of(solved)
    performance = ext("operators.apply_to_rig").performed(solved, timing.frames, 1.0)
    armature = solved.bonesetter.armature
    for frame in (30, 60, 100):
        scene.frame_set(frame)
        bpy.context.view_layer.update()
        for row, name in enumerate(performance.rig.names):
            head = np.array(armature.matrix_world @ armature.pose.bones[name].head)
            np.testing.assert_allclose(performance.heads[frame - 1, row], head, atol=1e-3)
        turned = np.array(armature.pose.bones["head"].matrix)[:3, :3]
        row = performance.rig.index["head"]
        np.testing.assert_allclose(performance.deltas[frame - 1, row] @ performance.rig.turns[row], turned, atol=1e-3)


def own_action(armature, name, blend="REPLACE"):
    """An action of the user's on an armature, in which the left upper arm is raised at frame 60; and what it is."""
    animation, action = armature.animation_data, bpy.data.actions.new(name)
    animation.action = action
    animation.action_slot = action.slots.new(id_type="OBJECT", name=armature.name)
    animation.action_blend_type = blend
    arm = armature.pose.bones["upper_arm.L"]
    for frame, quaternion in ((50, (1, 0, 0, 0)), (60, (0.8, 0, 0, 0.6)), (70, (1, 0, 0, 0))):
        arm.rotation_quaternion = quaternion
        arm.keyframe_insert("rotation_quaternion", frame=frame)
    return action


def curves_of(action):
    """{(path, index): (keys, 2)} of all curves of an action."""
    bags = [bag for layer in action.layers for strip in layer.strips for bag in strip.channelbags]
    return {(curve.data_path, curve.array_index): [tuple(key.co) for key in curve.keyframe_points] for bag in bags for curve in bag.fcurves}


def push_down(armature, track_name="My Track"):
    """As the NLA editor's Push Down does; returns the strip."""
    animation = armature.animation_data
    action, slot = animation.action, animation.action_slot
    track = animation.nla_tracks.new()
    track.name = track_name
    strip = track.strips.new(action.name, round(action.frame_range[0]), action)
    strip.action_slot = slot
    animation.action = None
    return strip


def test_an_action_of_the_users_that_was_put_on_the_armature_is_left_alone(ext, solved, rotation):
    armature = solved.bonesetter.armature
    apart, ours = rotation("upper_arm.L", 60), armature.animation_data.action
    mine = own_action(armature, "My Idle")
    before = curves_of(mine)
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    assert curves_of(mine) == before
    assert mine.use_fake_user, "nothing else keeps it in the file"
    assert armature.animation_data.action == ours
    np.testing.assert_allclose(rotation("upper_arm.L", 60), apart, atol=1e-4)
    assert any("My Idle" in finding.name for finding in solved.bonesetter.findings)
    count = len(bpy.data.actions)
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    assert len(bpy.data.actions) == count


@pytest.mark.parametrize("blend", ["COMBINE", "ADD"])
def test_the_users_layer_on_a_solve_that_was_pushed_down_is_left_alone(ext, solved, rotation, blend):
    armature = solved.bonesetter.armature
    ours = armature.animation_data.action
    strip = push_down(armature)
    mine = own_action(armature, "My Layer", blend)
    before, shown = curves_of(mine), rotation("forearm.L", 60)
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    assert curves_of(mine) == before
    assert armature.animation_data.action == mine
    assert strip.action == ours
    np.testing.assert_allclose(rotation("forearm.L", 60), shown, atol=1e-4)


def test_a_strip_that_was_renamed_and_moved_stays_where_it_is(ext, solved, rotation):
    key_head(solved, 60, (0.6, 0.8, 0, 0))
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    armature = solved.bonesetter.armature
    (track,) = armature.animation_data.nla_tracks
    track.name, (strip,) = "Base", track.strips
    length = strip.frame_end - strip.frame_start
    strip.frame_start += 200
    strip.frame_end = strip.frame_start + length
    edits = curves_of(armature.animation_data.action)
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    assert curves_of(armature.animation_data.action) == edits
    assert (strip.frame_start, strip.frame_end - strip.frame_start) == (201, pytest.approx(length))


def test_a_take_that_an_older_version_solved_is_solved_again_in_place(ext, solved):
    armature, take = solved.bonesetter.armature, solved.bonesetter
    take.solved_action, take.solved_slot = None, 0
    ours = armature.animation_data.action
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    assert armature.animation_data.action == ours
    assert take.solved_action == ours


def test_a_solves_action_that_was_deleted_is_made_anew(ext, solved, rotation):
    armature = solved.bonesetter.armature
    apart = rotation("upper_arm.L", 60)
    bpy.data.actions.remove(armature.animation_data.action)
    mine = own_action(armature, "My Idle")
    before = curves_of(mine)
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    assert curves_of(mine) == before
    np.testing.assert_allclose(rotation("upper_arm.L", 60), apart, atol=1e-4)


def test_a_solve_whose_curves_were_all_deleted_is_keyed_anew(ext, solved, rotation):
    armature = solved.bonesetter.armature
    ours, shown = armature.animation_data.action, rotation("forearm.L", 60)
    bag = ext("operators.layers").solved_bag(solved)
    ours.layers[0].strips[0].channelbags.remove(bag)
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    assert armature.animation_data.action == ours
    np.testing.assert_allclose(rotation("forearm.L", 60), shown, atol=1e-4)


def test_a_copy_of_the_armature_keeps_the_solve_that_it_plays(ext, solved):
    """Where another armature plays the take's action and the take's own another one, neither is written to."""
    armature = solved.bonesetter.armature
    ours = armature.animation_data.action
    double = armature.copy()
    bpy.context.scene.collection.objects.link(double)
    own_action(armature, "My Idle")
    before = curves_of(ours)
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    assert double.animation_data.action == ours
    assert curves_of(ours) == before
    assert armature.animation_data.action not in (ours, bpy.data.actions["My Idle"])


def test_tweak_mode_of_the_nla_is_no_obstacle(ext, solved, rotation):
    armature = solved.bonesetter.armature
    shown = rotation("forearm.L", 60)
    push_down(armature)
    animation = armature.animation_data
    animation.nla_tracks[0].select = animation.nla_tracks[0].strips[0].select = True
    animation.nla_tracks.active = animation.nla_tracks[0]
    animation.use_tweak_mode = True
    assert animation.use_tweak_mode
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    animation.use_tweak_mode = False
    np.testing.assert_allclose(rotation("forearm.L", 60), shown, atol=1e-4)
