# SPDX-License-Identifier: GPL-3.0-or-later
"""Contacts of feet as keys, edited, and the feet held by them again."""

import bpy
import numpy as np
import pytest

from .drawing import drawn


@pytest.fixture
def solved(ext, scene, engine_python, synthetic_c3d):
    bpy.ops.bonesetter.import_c3d(filepath=str(synthetic_c3d))
    take = scene.bonesetter.take
    take.bonesetter.lock_feet = True
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    yield take
    ext("operators.session").session.close()


def keyed(ext, take):
    """All values of the pose's curves."""
    bag = ext("operators.layers").solved_bag(take)
    return {(curve.data_path, curve.array_index): np.array([key.co[1] for key in curve.keyframe_points]) for curve in bag.fcurves}


def standing(ext, take):
    feet = ext("operators.feet")
    return {foot: feet.read_contact(take, name) for name, foot in feet.feet_of(take).items()}


def test_contacts_are_keyed_for_each_foot(ext, scene, solved):
    feet, stances = ext("operators.feet"), ext("operators.solved").solved_of(solved).stances
    assert feet.feet_of(solved) == {"left_contact": "LeftFoot", "right_contact": "RightFoot"}
    data = solved.bonesetter.armature.data
    for name, foot in feet.feet_of(solved).items():
        flags = feet.stood(stances, foot, solved.bonesetter.frames)
        assert flags.any()
        assert not flags.all()
        for sample in (0, int(np.argmax(flags)), int(np.argmax(flags)) + 3, len(flags) - 1):
            scene.frame_set(sample + 1)
            assert bool(data.evaluated_get(bpy.context.evaluated_depsgraph_get())[name]) == flags[sample]
    assert feet.given_stands(solved) == {}
    assert solved.bonesetter.has_floor
    assert -200 < solved.bonesetter.floor_mm < 200


def test_feet_are_held_again_by_edited_contacts_alone(ext, scene, solved):
    before, found = keyed(ext, solved), standing(ext, solved)
    assert bpy.ops.bonesetter.hold_feet() == {"FINISHED"}
    same = keyed(ext, solved)
    assert max(np.abs(same[key] - before[key]).max() for key in before) < 1e-4, "nothing was edited"
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 1, 120
    assert bpy.ops.bonesetter.set_contact(foot="left_contact", stands=False) == {"FINISHED"}
    assert bpy.ops.bonesetter.hold_feet() == {"FINISHED"}
    after, now = keyed(ext, solved), standing(ext, solved)
    assert not now["LeftFoot"][:120].any()
    np.testing.assert_array_equal(now["LeftFoot"][120:], found["LeftFoot"][120:])
    np.testing.assert_array_equal(now["RightFoot"], found["RightFoot"])
    changed = {key[0] for key in before if np.abs(after[key] - before[key]).max() > 1e-3}
    assert any("foot.L" in path or "shin.L" in path for path in changed)
    assert not [path for path in changed if "arm" in path or "head" in path or "spine" in path]
    assert not ext("operators.freshness").out_of_date(solved)
    scene.use_preview_range = False


def test_a_solve_goes_by_edited_contacts_until_they_are_forgotten(ext, scene, solved):
    found = standing(ext, solved)
    data = solved.bonesetter.armature.data
    bag = ext("operators.keyframes").bound_channelbag(data)
    (curve,) = (curve for curve in bag.fcurves if "right" in curve.data_path)
    curve.keyframe_points.clear()
    curve.keyframe_points.insert(1, 1.0)
    for _ in range(2):
        # the second finds nothing edited since the first
        assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
        assert standing(ext, solved)["RightFoot"].all()
        assert list(ext("operators.feet").given_stands(solved)) == ["RightFoot"]
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 100, 200
    assert bpy.ops.bonesetter.solve_range() == {"FINISHED"}
    assert standing(ext, solved)["RightFoot"].all()
    assert list(ext("operators.feet").given_stands(solved)) == ["RightFoot"]
    assert not bpy.ops.bonesetter.hold_feet.poll(), "frames were solved since"
    scene.use_preview_range = False
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    assert bpy.ops.bonesetter.hold_feet(anew=True) == {"FINISHED"}
    for foot, flags in standing(ext, solved).items():
        np.testing.assert_array_equal(flags, found[foot])


def test_lock_strength_and_floor_are_held_again_without_a_solve(ext, solved):
    ours = solved.bonesetter
    locked = keyed(ext, solved)
    ours.lock_strength = 0.5
    assert ext("operators.freshness").out_of_date(solved)
    assert bpy.ops.bonesetter.hold_feet() == {"FINISHED"}
    half = keyed(ext, solved)
    assert max(np.abs(half[key] - locked[key]).max() for key in half) > 1e-4
    assert not ext("operators.freshness").out_of_date(solved)
    floor = ours.floor_mm
    ours.set_floor = True
    assert ours.floor == pytest.approx(floor), "it begins where it was found"
    ours.floor += 20.0
    assert bpy.ops.bonesetter.hold_feet() == {"FINISHED"}
    assert ours.floor_mm == pytest.approx(floor, abs=0.1)
    raised = keyed(ext, solved)
    assert max(np.abs(raised[key] - half[key]).max() for key in half) > 1e-3


def test_keys_that_were_set_by_hand_stay_on_top(ext, scene, solved):
    armature = solved.bonesetter.armature
    scene.frame_set(40)
    armature.pose.bones["head"].rotation_quaternion = (0.7, 0.7, 0, 0)
    armature.pose.bones["head"].keyframe_insert("rotation_quaternion", frame=40)
    assert bpy.ops.bonesetter.hold_feet() == {"FINISHED"}
    assert ext("operators.layers").solved_strip(solved) is not None
    scene.frame_set(40)
    turned = armature.pose.bones["head"].matrix_basis.to_quaternion()
    assert abs(turned.w) == pytest.approx(0.707, abs=0.02)


def test_what_the_panel_shows_of_feet(ext, scene, solved):
    panel = drawn(ext("ui.feet").BONESETTER_PT_feet)
    assert f"Feet stand at {solved.bonesetter.floor_mm:.0f} mm" in panel.said
    assert {'["left_contact"]', '["right_contact"]', "lock_strength", "floor"} <= set(panel.fields)
    assert panel.buttons["bonesetter.hold_feet"]
    solved.pop("unheld")
    assert not bpy.ops.bonesetter.hold_feet.poll()
    with pytest.raises(RuntimeError, match="Solve the whole take first"):
        bpy.ops.bonesetter.hold_feet()
    with pytest.raises(RuntimeError, match="no contacts of that foot"):
        bpy.ops.bonesetter.set_contact(foot="tail_contact")
