# SPDX-License-Identifier: GPL-3.0-or-later
"""The armature that a solve makes unless told otherwise: a production rig, as Blender shows it, and what of it survives a solve again."""

from __future__ import annotations

from typing import Any

import addon_utils
import bpy
import numpy as np
import pytest

#: Our bones, and CMU's joints where they begin; a neck of one bone is as long as two at rest, so the head may sit some mm off.
HEADS = {"spine": "LowerBack", "spine.001": "Spine", "spine.002": "Spine1", "neck": "Neck"} | {
    f"{ours}.{side[0]}": f"{side}{theirs}"
    for side in ("Left", "Right")
    for ours, theirs in (
        ("clavicle", "Shoulder"), ("upper_arm", "Arm"), ("forearm", "ForeArm"), ("hand", "FingerBase"),
        ("thigh", "UpLeg"), ("shin", "Leg"), ("foot", "Foot"), ("toe", "ToeBase"),
    )
}  # fmt: skip
FAMILIES = {"blender": "Blender", "mixamo": "Mixamo", "unreal": "Unreal mannequin", "vrm": "VRM humanoid"}


@pytest.fixture
def solved(ext, engine_python, synthetic_take, load, monkeypatch):
    """A take that was solved as the panel does, and the pose that the engine sent."""
    module, poses = ext("operators.solving"), []
    given = module.load_pose
    monkeypatch.setattr(module, "load_pose", lambda path: poses.append(given(path)) or poses[-1])
    take = load(synthetic_take)
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    yield take, poses[0]
    ext("operators.session").session.engine.close()


@pytest.fixture
def again(ext, scene, solved):
    """Has the same pose applied once more, as after a solve, with another choice."""

    def again(**choice):
        take, pose = solved
        for name, value in choice.items():
            setattr(take.bonesetter, name, value)
        ext("operators.armature").keep_edited(take)
        return ext("operators.armature").apply_pose(scene, take, pose)

    return again


def worst_mm(rig, pose, called=lambda name: name):
    worst = 0.0
    for sample in np.flatnonzero(pose.keyed.all(axis=1))[::60]:
        bpy.context.scene.frame_set(int(sample) + 1)
        for ours, theirs in HEADS.items():
            head = np.array(rig.matrix_world @ rig.pose.bones[called(ours)].head)
            worst = max(worst, 1e3 * np.abs(head - pose.positions[sample, pose.skeleton.joints.index(theirs)]).max())
    return worst


def test_a_solve_ends_on_a_production_rig(solved):
    take, pose = solved
    rig = take.bonesetter.armature
    assert set(rig.data.bones.keys()) == {"hips", "head", *HEADS}
    assert worst_mm(rig, pose) < 0.1
    bones = rig.data.bones
    assert bones["foot.L"].tail_local.y < bones["foot.L"].head_local.y, "it faces -Y"
    assert bones["hand.L"].head_local.x > 0.3, "its left is at +X"
    assert sum(bone.use_connect for bone in bones) >= 14
    for frame in (10, 100):
        bpy.context.scene.frame_set(frame)
        for name in ("upper_arm", "forearm", "thigh", "shin", "foot", "neck"):
            for side in (".L", ".R") if name != "neck" else ("",):
                bone, child = rig.pose.bones[name + side], rig.pose.bones[name + side].children[0]
                along = (child.head - bone.head).normalized()
                assert bone.y_axis.dot(along) > 0.999999


@pytest.mark.parametrize(("rest", "down"), [("t", 0.0), ("a", np.sqrt(0.5))])
def test_rest_poses(solved, again, rest, down):
    _, pose = solved
    rig = again(rest_pose=rest)
    for side in "LR":
        for name in ("upper_arm", "forearm", "hand"):
            along = np.array(rig.data.bones[f"{name}.{side}"].matrix_local)[:3, 1]
            np.testing.assert_allclose(along, [(1 if side == "L" else -1) * np.sqrt(1 - down**2), 0, -down], atol=1e-4)
        for name in ("thigh", "shin"):
            np.testing.assert_allclose(np.array(rig.data.bones[f"{name}.{side}"].matrix_local)[:3, 1], [0, 0, -1], atol=1e-4)
    assert worst_mm(rig, pose) < 0.1


def test_rolls_are_rigifys(ext, solved, again):
    """The same axis bends a joint; poses may be pasted mirrored."""
    rig = again(rest_pose="a")
    addon_utils.enable("rigify", default_set=True)
    try:
        bpy.ops.object.armature_human_metarig_add()
        metarig = bpy.context.object
        theirs = {"hips": "spine", "spine": "spine.001", "spine.001": "spine.002", "spine.002": "spine.003", "neck": "spine.004"}
        for bone in rig.data.bones:
            name = theirs.get(bone.name, "spine.006" if bone.name == "head" else bone.name.replace("clavicle", "shoulder"))
            across = [np.array(one.matrix_local)[:3, 0] for one in (bone, metarig.data.bones[name])]
            assert across[0] @ across[1] > 0.8, bone.name
    finally:
        addon_utils.disable("rigify", default_set=True)
    for bone in rig.data.bones:
        if bone.name.endswith(".L"):
            left, right = (np.array(one.matrix_local)[:3, 2] for one in (bone, rig.data.bones[bone.name[:-1] + "R"]))
            np.testing.assert_allclose(left * [-1, 1, 1], right, atol=0.1)


@pytest.mark.parametrize("names", ["mixamo", "unreal", "vrm", "cmu", "blender"])
def test_names(ext, solved, again, names):
    take, pose = solved
    called = ext("model.rigs.production").bone_names(names)
    rig = again(bone_names="cmu" if names != "cmu" else "unreal")
    rig = again(bone_names=names)
    assert set(rig.data.bones.keys()) == set(called.values())
    assert len(set(called.values())) == 22
    assert worst_mm(rig, pose, called.get) < 0.1
    curves = ext("operators.layers").solved_bag(take).fcurves
    assert len(curves) == 22 * 4 + 3
    if names in FAMILIES:
        rigs = ext("operators.rigs")
        assert ext("model.rigs.families").recognise(rigs.read_rig(rig)).family == FAMILIES[names]


def test_renamed_and_locked_bones_survive(ext, solved, again):
    take, pose = solved
    rig = take.bonesetter.armature
    rig.data.bones["forearm.L"].name = "Unterarm"
    constraint = rig.pose.bones["Unterarm"].constraints.new("LIMIT_ROTATION")
    constraint.enabled = False
    # a head that looks straight on, whatever is solved
    head = rig.pose.bones["head"]
    bag = ext("operators.layers").solved_bag(take)
    for curve in [one for one in bag.fcurves if one.data_path == head.path_from_id("rotation_quaternion")]:
        bag.fcurves.remove(curve)
    head.rotation_quaternion = (1, 0, 0, 0)
    head.keyframe_insert("rotation_quaternion", frame=1)
    head.lock_rotation = (True, True, True)
    with ext("operators.armature")._edit_bones(rig) as bones:
        bones["neck"].lock = True
        bones["neck"].roll += 0.5
    rolled = np.array(rig.data.bones["neck"].matrix_local)
    ext("operators.armature").note_keys(take)
    rig = again(bone_names="mixamo")
    assert rig.pose.bones["Unterarm"].constraints[0].enabled is False
    assert {"mixamorig:LeftHand", "mixamorig:RightForeArm"} <= set(rig.data.bones.keys())
    head = rig.pose.bones["mixamorig:Head"]
    keys = [c for c in ext("operators.layers").solved_bag(take).fcurves if c.data_path == head.path_from_id("rotation_quaternion")]
    assert [len(curve.keyframe_points) for curve in keys] == [1, 1, 1, 1]
    np.testing.assert_allclose(np.array(rig.data.bones["mixamorig:Neck"].matrix_local), rolled, atol=1e-5)
    called = ext("model.rigs.production").bone_names("mixamo")
    assert worst_mm(rig, pose, lambda name: "Unterarm" if name == "forearm.L" else called[name]) < 0.1


def test_skeletons_are_exchanged(ext, solved, again):
    """Bones and keys of the other skeleton go, those of the user's own stay."""
    take, pose = solved
    rig = take.bonesetter.armature
    with ext("operators.armature")._edit_bones(rig) as bones:
        prop = bones.new("Hips")
        prop.head, prop.tail = (0, 0, 1), (0, 0, 2)
    rig.pose.bones["Hips"].keyframe_insert("location", frame=5)
    rig = again()
    assert len(rig.data.bones) == 23
    with ext("operators.armature")._edit_bones(rig) as bones:
        bones["Hips"].name = "Prop"
    rig = again(skeleton="cmu")
    assert len(rig.data.bones) == 32
    assert len(ext("operators.layers").solved_bag(take).fcurves) == 31 * 4 + 3 + 3
    rig = again(skeleton="production", bone_names="cmu")
    assert len(rig.data.bones) == 23
    called: Any = ext("model.rigs.production").bone_names("cmu")
    assert worst_mm(rig, pose, called.get) < 0.1
    paths = {curve.data_path for curve in ext("operators.layers").solved_bag(take).fcurves}
    assert paths == {f'pose.bones["{name}"].rotation_quaternion' for name in called.values()} | {
        'pose.bones["Hips"].location',
        'pose.bones["Prop"].location',
    }


def test_findings_select_bones_of_either_skeleton(ext):
    cmu_joints = ext("model.rigs.production").cmu_joints
    skeleton = ext("model.core.skeleton")
    ours = [joint for bone in ext("model.rigs.production").JOINTS for joint in cmu_joints(bone)]
    assert sorted(ours) == sorted(skeleton.CMU_JOINTS), "each joint belongs to one bone"
    assert cmu_joints("Prop") == ("Prop",)
