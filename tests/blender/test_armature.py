# SPDX-License-Identifier: GPL-3.0-or-later
"""Solved poses on an armature, with poses made up: what counts is that Blender shows exactly them."""

import dataclasses
from pathlib import Path

import bpy
import numpy as np
import pytest

UNITS = [0.001, 0.01, 1.0, 100.0]

#: Bones of a person in the ASF's zero pose, in cm: y up, facing +z, left +x; legs spread by 20 degrees.
BONES = {
    "Hips": (0, 0, 0), "LHipJoint": (10, -8, 4), "LeftUpLeg": (14, -38, 0), "LeftLeg": (14, -39, 1), "LeftFoot": (3, -8, 13),
    "LeftToeBase": (0, -1, 7), "LowerBack": (0, 11, -1), "Spine": (0, 11, 0), "Spine1": (0, 11, 1), "Neck": (0, 8, 1),
    "Neck1": (0, 8, 2), "Head": (0, 8, 1), "LeftShoulder": (17, 5, 0), "LeftArm": (28, 0, 0), "LeftForeArm": (17, 0, 0),
    "LeftHand": (8, 0, 0), "LeftFingerBase": (5, 0, 0), "LeftHandIndex1": (5, 0, 0), "LThumb": (4, 0, 4),
}  # fmt: skip


def mirrored(name):
    return name if name in BONES else {"RHipJoint": "LHipJoint", "RThumb": "LThumb"}.get(name) or name.replace("Right", "Left")


@pytest.fixture
def skeleton(ext):
    module = ext("model.core.skeleton")
    names = tuple(name for name, _, _ in module.CMU_HIERARCHY)
    parents = tuple(-1 if parent is None else names.index(parent) for _, _, parent in module.CMU_HIERARCHY)
    bones = [np.array(BONES[mirrored(name)]) * ((1 if name in BONES else -1), 1, 1) for name in names]
    return module.Skeleton(names, parents, np.array(bones) / 100.0)


def matrices(q):
    w, x, y, z = np.moveaxis(q, -1, 0)
    rows = [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y), 2 * (x * y + w * z), 1 - 2 * (x * x + z * z)]
    rows += [2 * (y * z - w * x), 2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)]
    return np.stack(rows, -1).reshape(*q.shape[:-1], 3, 3)


@pytest.fixture
def make_pose(ext, skeleton):
    """Wild but continuous poses, their quaternions' signs drawn by lot."""

    def make(frames=40, seed=0, skeleton=skeleton):
        rng = np.random.default_rng(seed)
        joints = len(skeleton.joints)
        q = rng.normal(size=(joints, 4)) + np.cumsum(rng.normal(size=(frames, joints, 4)) * 0.02, axis=0)
        q /= np.linalg.norm(q, axis=-1, keepdims=True)
        q *= rng.choice([-1.0, 1.0], size=(frames, joints, 1))
        local = matrices(q)
        root = np.array([1.0, -2.0, 0.9]) + np.cumsum(rng.normal(size=(frames, 3)) * 0.01, axis=0)
        global_rotations, positions = [], []
        for joint, parent in enumerate(skeleton.parents):
            global_rotations.append(local[:, joint] if parent < 0 else global_rotations[parent] @ local[:, joint])
            positions.append(root if parent < 0 else positions[parent] + global_rotations[parent] @ skeleton.offsets[joint])
        return ext("model.files.exchange").SolvedPose(skeleton, q, np.stack(positions, axis=1))

    return make


@pytest.fixture
def collection(ext, scene, make_take):
    take = make_take(frames=40)
    timing = ext("operators.space").Timing(1, 1.0, 40)
    made = ext("operators.empties").build_take(scene, take, timing, ext("operators.empties").ImportOptions(), Path("walk.c3d"))
    made.bonesetter.skeleton = "cmu"
    return made


@pytest.fixture
def apply(ext, scene, collection):
    return lambda pose: ext("operators.armature").apply_pose(scene, collection, pose)


def heads(armature, pose, sample):
    bpy.context.scene.frame_set(sample + 1)
    return np.array([armature.matrix_world @ armature.pose.bones[name].head for name in pose.skeleton.joints])


def worst_mm(armature, pose, turn=None, unit=1.0):
    turn = np.eye(3) if turn is None else turn
    errors = [heads(armature, pose, sample) * unit - pose.positions[sample] @ turn.T for sample in (0, 1, 17, 39)]
    return np.abs(errors).max() * 1e3


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("up_axis", ["Y", "Z", "X", "-Y", "-Z", "-X"])
def test_heads_are_the_engines_positions(ext, collection, apply, make_pose, unit, up_axis):
    collection.bonesetter.units_per_metre = 1.0 / unit
    collection.bonesetter.up_axis = up_axis
    turn = ext("operators.space").Space(up_axis, 1.0).turn
    pose = make_pose()
    assert worst_mm(apply(pose), pose, turn, unit) < 0.1


def test_heads_between_samples_stay_near(apply, make_pose):
    """Linear quaternions that change sign would swing a bone the long way round between two keys."""
    pose = make_pose()
    armature = apply(pose)
    for sample in range(39):
        bpy.context.scene.frame_set(sample + 1, subframe=0.5)
        between = np.array([armature.matrix_world @ armature.pose.bones[name].head for name in pose.skeleton.joints])
        middle = (pose.positions[sample] + pose.positions[sample + 1]) / 2
        assert np.abs(between - middle).max() < 0.02


def test_what_is_guessed_gets_no_keys(ext, apply, make_pose):
    pose = make_pose()
    keyed = np.ones(pose.rotations.shape[:2], dtype=bool)
    keyed[:5], keyed[20:30], keyed[:, 3] = False, False, False
    armature = apply(dataclasses.replace(pose, keyed=keyed))
    curves = {(c.data_path, c.array_index): c for c in ext("operators.keyframes").bound_channelbag(armature).fcurves}
    unseen = armature.pose.bones[pose.skeleton.joints[3]]
    assert len(curves) == 30 * 4 + 3
    assert not any(path.startswith(unseen.path_from_id()) for path, _ in curves)
    for curve in curves.values():
        assert [key.co.x for key in curve.keyframe_points] == [*range(6, 21), *range(31, 41)]
        assert [key.co.x for key in curve.keyframe_points if key.interpolation == "CONSTANT"] == [20]
    assert np.abs(heads(armature, pose, 17)[0] - pose.positions[17, 0]).max() < 1e-4
    held = heads(armature, pose, 25)
    np.testing.assert_array_equal(held, heads(armature, pose, 19))


def test_quaternions_are_continuous(ext, apply, make_pose):
    armature = apply(make_pose())
    curves = {(c.data_path, c.array_index): c for c in ext("operators.keyframes").bound_channelbag(armature).fcurves}
    assert len(curves) == 31 * 4 + 3
    for bone in armature.pose.bones:
        assert bone.rotation_mode == "QUATERNION"
        path = bone.path_from_id("rotation_quaternion")
        q = np.array([[key.co.y for key in curves[path, axis].keyframe_points] for axis in range(4)]).T
        assert (np.einsum("fk,fk->f", q[1:], q[:-1]) > 0).all()
        np.testing.assert_allclose(np.linalg.norm(q, axis=1), 1, atol=1e-6)


def test_rest_pose_is_a_t_pose(apply, make_pose):
    bones = apply(make_pose()).data.bones
    direction = {bone.name: np.array((bone.tail_local - bone.head_local).normalized()) for bone in bones}
    for side, sign in (("Left", 1), ("Right", -1)):
        np.testing.assert_allclose(direction[f"{side}Arm"], (sign, 0, 0), atol=1e-5)
        np.testing.assert_allclose(direction[f"{side}UpLeg"], (0, 0, -1), atol=1e-5)
        np.testing.assert_allclose(direction[f"{side}Leg"], (0, 0, -1), atol=1e-5)
        assert direction[f"{side}Foot"][1] < -0.5
    assert direction["Spine"][2] > 0.9
    assert direction["Hips"][2] > 0.9
    np.testing.assert_allclose(bones["Hips"].head_local[:2], 0, atol=1e-6)
    assert min(bone.tail_local.z for bone in bones) == pytest.approx(0, abs=1e-6)


def test_another_hierarchy_rests_in_its_zero_pose(ext, apply, make_pose):
    """Joints beside the ends of their parents' bones, bones without length, and names that only look like ours."""
    joints = ("pelvis", "LeftUpLeg", "left knee", "spine", "tail")
    places = np.array([(0, 0, 0), (0.1, -0.1, 0), (0.1, -0.4, 0), (0, 0.2, 0.05), (0, 0, -0.3)])
    bones = np.array([(0, 0.2, 0.05), (0.1, -0.4, 0), (0, 0, 0), (0, 0.3, 0), (0, 0, -0.2)])
    skeleton = ext("model.core.skeleton").Skeleton(joints, (-1, 0, 1, 0, 0), bones, places)
    pose = make_pose(skeleton=skeleton)
    armature = apply(pose)
    assert worst_mm(armature, pose) < 0.1
    rest = {bone.name: np.array(bone.head_local) for bone in armature.data.bones}
    np.testing.assert_allclose(rest["LeftUpLeg"] - rest["pelvis"], (0.1, 0, -0.1), atol=1e-6)
    np.testing.assert_allclose(rest["left knee"] - rest["LeftUpLeg"], (0.1, 0, -0.4), atol=1e-6)
    np.testing.assert_allclose(rest["tail"] - rest["pelvis"], (0, 0.3, 0), atol=1e-6)


def test_rolls_are_mirrored(apply, make_pose):
    bones = apply(make_pose()).data.bones
    for bone in bones:
        other = bone.name.replace("Left", "Right") if "Left" in bone.name else None
        if other:
            one, two = np.array(bone.matrix_local)[:3, :3], np.array(bones[other].matrix_local)[:3, :3]
            # y and z mirror as vectors, x then as the vector that makes them right-handed.
            np.testing.assert_allclose(one[:, 1:] * [[-1], [1], [1]], two[:, 1:], atol=1e-5)


def test_second_solve_replaces_the_first(ext, collection, apply, make_pose, skeleton):
    first = apply(make_pose(seed=1))
    first.location = (0, 0, 0)
    longer = ext("model.core.skeleton").Skeleton(skeleton.joints, skeleton.parents, skeleton.bones * 1.1)
    pose = make_pose(seed=2, skeleton=longer)
    first.pose.bones["Head"].location = (1, 2, 3)
    first.pose.bones["Head"].keyframe_insert("location", frame=5)
    first.pose.bones["Spine"].rotation_mode = "XYZ"
    second = apply(pose)
    assert second == first
    assert worst_mm(second, pose) < 0.1
    assert {action.name for action in bpy.data.actions} == {"walk Markers", "walk Pose"}
    assert [len(bpy.data.armatures), len(bpy.data.scenes), len(second.data.bones)] == [1, 1, 31]


def test_deleted_armature_is_made_anew(apply, make_pose):
    bpy.data.objects.remove(apply(make_pose(seed=1)))
    pose = make_pose(seed=2)
    assert worst_mm(apply(pose), pose) < 0.1


def test_armature_that_was_only_unlinked_is_made_anew(apply, make_pose):
    armature = apply(make_pose(seed=1))
    # What Delete does while something, here our pointer, still uses the object.
    for collection in list(armature.users_collection):
        collection.objects.unlink(armature)
    pose = make_pose(seed=2)
    armature = apply(pose)
    assert worst_mm(armature, pose) < 0.1
    assert armature.name == "walk Armature"
    assert [len(bpy.data.armatures), len(bpy.data.actions)] == [1, 2]


def test_user_is_left_where_they_were(scene, apply, make_pose):
    other = bpy.data.objects.new("other", bpy.data.armatures.new("other"))
    scene.collection.objects.link(other)
    bpy.context.view_layer.objects.active = other
    other.select_set(True)
    for mode in ("POSE", "EDIT", "OBJECT"):
        bpy.ops.object.mode_set(mode=mode)
        pose = make_pose()
        armature = apply(pose)
        assert (bpy.context.view_layer.objects.active, other.mode, bpy.context.mode.startswith(mode)) == (other, mode, True)
        assert bpy.context.selected_objects in ([other], [])
        bpy.ops.object.mode_set(mode="OBJECT")
        assert worst_mm(armature, pose) < 0.1


@pytest.mark.parametrize("mode", ["POSE", "EDIT"])
def test_armature_may_be_in_use(apply, make_pose, mode):
    bpy.context.view_layer.objects.active = apply(make_pose(seed=1))
    bpy.ops.object.mode_set(mode=mode)
    pose = make_pose(seed=2)
    armature = apply(pose)
    if bpy.context.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    assert worst_mm(armature, pose) < 0.1


def test_hidden_collections_do_not_matter(scene, collection, apply, make_pose):
    apply(make_pose(seed=1))
    layer = bpy.context.view_layer.layer_collection.children[collection.name]
    layer.exclude = True
    pose = make_pose(seed=2)
    armature = apply(pose)
    layer.exclude = False
    assert worst_mm(armature, pose) < 0.1


def test_saved_and_loaded(apply, make_pose, tmp_path):
    pose = make_pose()
    apply(pose)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "pose.blend"))
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "pose.blend"))
    take = bpy.data.collections["walk"].bonesetter
    assert take.is_take
    assert worst_mm(take.armature, pose) < 0.1


def test_undo_and_redo(collection, apply, make_pose):
    bpy.ops.ed.undo_push(message="Before")
    pose = make_pose()
    apply(pose)
    bpy.ops.ed.undo_push(message="Solve")
    bpy.ops.ed.undo()
    assert (len(bpy.data.armatures), len(bpy.data.actions), len(bpy.data.scenes)) == (0, 1, 1)
    bpy.ops.ed.redo()
    assert worst_mm(bpy.data.objects["walk Armature"], pose) < 0.1


def test_keyframing_takes_no_steps_for_each_frame(ext, scene, make_take, make_pose, steps):
    counted = []
    for frames in (30, 400, 4000):
        timing = ext("operators.space").Timing(1, 1.0, frames)
        options = ext("operators.empties").ImportOptions()
        collection = ext("operators.empties").build_take(scene, make_take(frames=frames), timing, options, Path("walk.c3d"))
        pose = make_pose(frames=frames)
        counted.append(steps(lambda made=(scene, collection, pose): ext("operators.armature").apply_pose(*made)))
    assert counted[1] > 100
    assert counted[2] < 1.2 * counted[1]
