# SPDX-License-Identifier: GPL-3.0-or-later
"""A solved take onto characters: every family, as Blender shows it, and nothing else in the file changed."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import addon_utils
import bpy
import numpy as np
import pytest

from .drawing import drawn
from .rigs_in_blender import directions, everything, made_rigs, to_armature

FRAMES = 60
#: The pose of the performer.
SOLVED: list[Any] = []
LIMBS = {"thigh": "shin", "shin": "foot", "upper_arm": "forearm", "forearm": "hand"}
#: Family, arms hang, object's scale, rotation about x and z in degrees, connected bones, other names.
RIGS = [
    ("Mixamo", 0, 0.01, 90, 0, False),
    ("Mixamo", 45, 1.0, 0, 115, True),
    ("Unreal mannequin", 50, 1.0, 0, 0, False),
    ("Daz Genesis 3 and 8", 30, 0.01, 90, 0, False),
    ("MikuMikuDance", 40, 0.08, 0, 0, True),
    ("VRM", 0, 1.0, 0, 180, False),
    ("MakeHuman", 45, 0.1, 0, 0, False),
    ("nonsense", 20, 1.0, 0, 30, True),
]


@pytest.fixture
def performer(request, ext, scene, make_take):
    """A solved take of somebody who waves, kicks and turns round while walking on."""
    family = made_rigs(ext).rig_of(made_rigs(ext).Made("CMU"))
    rng = np.random.default_rng(1)
    skeleton = ext("model.core.skeleton")
    rig, _ = family
    places = {name: rig.heads[rig.index[name]] for name in rig.names}
    time = np.arange(FRAMES) / 30.0
    rotvec = ext("model.core.rotations").rotvec_to_rotmat
    quats = ext("model.core.rotations").rotmat_to_unitquat
    joints, parents = skeleton.CMU_JOINTS, skeleton.CMU_PARENTS
    upright = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # from Blender's axes to the ASF's
    heads = np.zeros((len(joints), 3))
    for joint, name in enumerate(joints):
        above = heads[parents[joint]] if parents[joint] >= 0 else None
        heads[joint] = upright @ places[name] if name in places else above
    bones = np.zeros((len(joints), 3))
    for joint, parent in enumerate(parents):
        if parent >= 0:
            bones[parent] = heads[joint] - heads[parent]
    offsets = np.array([heads[joint] - heads[parent] if parent >= 0 else np.zeros(3) for joint, parent in enumerate(parents)])
    bones[joints.index("Head")] = (0, 0.2, 0)
    for side in ("Left", "Right"):
        bones[joints.index(f"{side}ToeBase")] = (0, 0, 0.08)
    rotations = np.empty((FRAMES, len(joints), 4))
    positions = np.empty((FRAMES, len(joints), 3))
    turned = np.empty((FRAMES, len(joints), 3, 3))
    onto = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    for joint, parent in enumerate(parents):
        wave = rng.normal(size=3) * 0.25 * np.sin(rng.uniform(2, 4) * time[:, None] + rng.uniform(0, 6))
        local = rotvec(wave if joint else wave * [0.2, 1, 0.2])
        if parent < 0:
            local = onto @ local
            positions[:, joint] = np.stack([0.4 * time, 0.1 * time, 1.2 + 0.02 * np.sin(4 * time)], -1)
            turned[:, joint] = local
        else:
            positions[:, joint] = positions[:, parent] + turned[:, parent] @ offsets[joint]
            turned[:, joint] = turned[:, parent] @ local
        rotations[:, joint] = quats(local)
    pose = ext("model.files.exchange").SolvedPose(skeleton.Skeleton(joints, parents, bones, offsets), rotations, positions)
    timing = ext("operators.space").Timing(1, 1.0, FRAMES)
    scene.render.fps = 30
    collection = ext("operators.empties").build_take(
        scene, make_take(frames=FRAMES, rate_hz=30.0), timing, ext("operators.empties").ImportOptions(), Path("walk.c3d")
    )
    collection.bonesetter.skeleton = getattr(request, "param", "cmu")
    SOLVED[:] = [pose]
    ext("operators.armature").apply_pose(scene, collection, pose)
    collection.bonesetter.solved = True
    # its forearms bend in their middle, as no rig's do: directions and reach cannot both be kept
    collection.bonesetter.rig.hands = 0.0
    scene.bonesetter.take = collection
    return collection


@pytest.fixture
def character(ext, scene):
    def build(family, arms=0.0, scale=1.0, about_x=0.0, about_z=0.0, connect=False):
        made = made_rigs(ext)
        turn = made.quarter(2, about_z) @ made.quarter(0, about_x)
        names = {}
        if family == "nonsense":
            family = "VRM"
            plain = made.build(made.Made(family)).names
            names = {name: f"骨{row * 31 % 97}" for row, name in enumerate(plain)}
        bones = made.build(made.Made(family, arms, seed=3, height=0.9, names=names))
        # imported with y up, as FBX is: turned back by the object
        for field in ("heads", "tails"):
            setattr(bones, field, getattr(bones, field) @ made.quarter(0, about_x))
        bones.turns = made.quarter(0, about_x).T @ bones.turns
        return to_armature(scene, bones, scale=scale, turn=turn, place=(2.0, -1.0, 0.0), connect=connect), bones.bone_map

    return build


def parts_of(bone_map):
    found = {}
    for limb, following in LIMBS.items():
        for side in "LR":
            if bone_map.bones.get(f"{following}.{side}"):
                found[f"{limb}.{side}"] = bone_map.bones[f"{limb}.{side}"][0], bone_map.bones[f"{following}.{side}"][0]
    return found


def worst_deg(scene, performer, rig, bone_map):
    module = sys.modules["made_rigs"]
    production = module.Made("Blender") if "upper_arm.L" in performer.pose.bones else None
    source = module.build(production or module.Made("CMU")).bone_map
    worst = 0.0
    for frame in (1, 17, 38, FRAMES):
        own = directions(performer, parts_of(source), frame, scene)
        theirs = directions(rig, parts_of(bone_map), frame, scene)
        worst = max(worst, *(np.degrees(np.arccos(np.clip(own[part] @ theirs[part], -1, 1))) for part in theirs if "thigh" not in part))
    return worst


@pytest.mark.parametrize("performer", ["cmu", "production"], indirect=True)
@pytest.mark.parametrize("rig", RIGS, ids=lambda rig: f"{rig[0]}-{rig[1]}")
def test_a_character_moves_as_the_actor(scene, performer, character, rig):
    armature, bone_map = character(*rig)
    choice = performer.bonesetter.rig
    choice.armature = armature
    assert choice.family == ("its shape" if rig[0] == "nonsense" else rig[0])
    before = everything({armature.name})
    assert bpy.ops.bonesetter.apply_to_rig() == {"FINISHED"}
    after = everything({armature.name})
    new = armature.animation_data.action
    assert {key for key in after if key not in before} == {("action", new.name)}
    assert {key: value for key, value in after.items() if key[1] != new.name} == before
    assert worst_deg(scene, performer.bonesetter.armature, armature, bone_map) < 0.1


def test_either_skeleton_moves_a_character_alike(ext, scene, performer, character):
    """Twist bones too, though a production rig's forearm has half of its twist, and whatever the user calls the bones."""
    armature, _ = character("Unreal mannequin", 45.0)
    performer.bonesetter.rig.armature = armature
    joints, rotations = SOLVED[0].skeleton.joints, SOLVED[0].rotations
    # as people do: forearms turn about themselves alone, by 69 degrees
    pronation = 0.6 * np.sin(np.arange(FRAMES) / 9.0)
    for side in ("Left", "Right"):
        rotations[:, joints.index(f"{side}Hand")] = np.stack([np.cos(pronation), np.sin(pronation), 0 * pronation, 0 * pronation], -1)
    for name in ("LeftFingerBase", "RightFingerBase", "Neck1"):
        rotations[:, joints.index(name)] = (1, 0, 0, 0)
    shown: dict[str, list[Any]] = {"cmu": [], "production": []}
    for kind, matrices in shown.items():
        performer.bonesetter.skeleton = kind
        own = ext("operators.armature").apply_pose(scene, performer, SOLVED[0])
        if kind == "production":
            own.data.bones["forearm.L"].name = "Unterarm"
        assert bpy.ops.bonesetter.apply_to_rig() == {"FINISHED"}
        for frame in (1, 20, 45):
            scene.frame_set(frame)
            matrices.append(np.array([np.array(bone.matrix)[:3, :3] for bone in armature.pose.bones]))
    # of CMU's neck the first bone may bend alone, of a production rig's there is one
    own = [row for row, bone in enumerate(armature.pose.bones) if bone.name != "neck_01"]
    assert np.abs(np.array(shown["cmu"]) - np.array(shown["production"]))[:, own].max() < 0.03


def test_it_is_one_step_to_undo_and_each_time_another_action(scene, performer, character):
    armature, _ = character("Mixamo")
    name = armature.name
    performer.bonesetter.rig.armature = armature
    bpy.ops.ed.undo_push(message="Before")
    assert bpy.ops.bonesetter.apply_to_rig() == {"FINISHED"}
    bpy.ops.ed.undo_push(message="Apply")
    first = armature.animation_data.action.name
    assert bpy.ops.bonesetter.apply_to_rig() == {"FINISHED"}
    assert armature.animation_data.action.name != first
    assert bpy.data.actions[first].use_fake_user
    bpy.ops.ed.undo_push(message="Again")
    bpy.ops.ed.undo()
    bpy.ops.ed.undo()
    animation = bpy.data.objects[name].animation_data
    assert animation is None or animation.action is None
    assert first not in bpy.data.actions


@pytest.mark.parametrize("travel", ["ROOT", "OBJECT"])
def test_root_and_object_carry_the_character(scene, performer, character, travel):
    armature, bone_map = character("Unreal mannequin", about_z=40.0)
    choice = performer.bonesetter.rig
    choice.armature = armature
    assert bpy.ops.bonesetter.apply_to_rig() == {"FINISHED"}
    hips = {}
    for frame in (1, 30, FRAMES):
        scene.frame_set(frame)
        hips[frame] = np.array(armature.matrix_world @ armature.pose.bones["pelvis"].head)
    choice.travel = travel
    assert bpy.ops.bonesetter.apply_to_rig() == {"FINISHED"}
    assert worst_deg(scene, performer.bonesetter.armature, armature, bone_map) < 0.1
    for frame, place in hips.items():
        scene.frame_set(frame)
        np.testing.assert_allclose(armature.matrix_world @ armature.pose.bones["pelvis"].head, place, atol=1e-4)
        root = armature.matrix_world @ armature.pose.bones["root"].head
        assert root.z == pytest.approx(0.0, abs=1e-4)
        assert np.linalg.norm(np.array(root)[:2] - place[:2]) < 0.1


@pytest.mark.parametrize("mode", ["XYZ", "ZXY", "AXIS_ANGLE"])
def test_rotation_modes_stay(scene, performer, character, mode):
    armature, bone_map = character("Mixamo")
    for bone in armature.pose.bones:
        bone.rotation_mode = mode
    performer.bonesetter.rig.armature = armature
    assert bpy.ops.bonesetter.apply_to_rig() == {"FINISHED"}
    assert {bone.rotation_mode for bone in armature.pose.bones} == {mode}
    assert worst_deg(scene, performer.bonesetter.armature, armature, bone_map) < 0.1


def test_a_constraint_lets_go_in_the_new_action_only(scene, performer, character):
    armature, bone_map = character("Mixamo")
    target = bpy.data.objects.new("Target", None)
    scene.collection.objects.link(target)
    constraint = armature.pose.bones["LeftLeg"].constraints.new("IK")
    constraint.target, constraint.chain_count = target, 2
    performer.bonesetter.rig.armature = armature
    assert bpy.ops.bonesetter.apply_to_rig() == {"FINISHED"}
    assert worst_deg(scene, performer.bonesetter.armature, armature, bone_map) < 0.1
    assert constraint.target == target
    assert not constraint.mute


def forget_generated_classes():
    """Unregister what Rigify's generated script has registered: Blender 4.5's wheel hangs at exit otherwise."""
    for base in (bpy.types.Panel, bpy.types.Operator, bpy.types.PropertyGroup):
        for cls in base.__subclasses__():
            if cls.__module__ == "builtins" and cls.is_registered:
                bpy.utils.unregister_class(cls)


@pytest.mark.parametrize("metarig", ["human", "basic_human"])
def test_rigify(ext, scene, performer, metarig):
    """The metarig itself, and what Rigify generates of it: seen on its deform bones."""
    addon_utils.enable("rigify", default_set=True)
    rigify: Any = importlib.import_module("rigify")
    rigify.register_rig_parameters()
    try:
        if metarig == "human":
            bpy.ops.object.armature_human_metarig_add()
        else:
            bpy.ops.object.armature_basic_human_metarig_add()
        meta = bpy.context.object
        choice = performer.bonesetter.rig
        choice.armature = meta
        assert choice.family == "Rigify metarig"
        bone_map = ext("operators.rig_map").map_of(choice)
        assert bpy.ops.bonesetter.apply_to_rig() == {"FINISHED"}
        assert worst_deg(scene, performer.bonesetter.armature, meta, bone_map) < 0.1
        if metarig == "human":
            # its face takes twenty seconds to generate, and says no more of limbs
            return
        # of one that is at rest
        bpy.data.objects.remove(meta)
        bpy.ops.object.armature_basic_human_metarig_add()
        bpy.ops.pose.rigify_generate()
        rig = bpy.context.object
        choice.armature = rig
        assert choice.family == "Rigify"
        assert bpy.ops.bonesetter.apply_to_rig() == {"FINISHED"}
        deform = {part: tuple(f"DEF-{name}" for name in names) for part, names in bone_map.bones.items()}
        shown = type(bone_map)("deform", deform)
        assert worst_deg(scene, performer.bonesetter.armature, rig, shown) < 1.0
        assert rig.pose.bones["thigh_parent.L"]["IK_FK"] == 1.0
    finally:
        addon_utils.disable("rigify", default_set=True)
        forget_generated_classes()


def test_a_bone_map_is_corrected_saved_and_loaded(ext, performer, character, tmp_path):
    armature, _ = character("MikuMikuDance")
    choice = performer.bonesetter.rig
    choice.armature = armature
    part = next(each for each in choice.parts if each.name == "hips")
    assert json.loads(part.bones) == ["センター", "グルーブ", "下半身"]
    part.first = "グルーブ"
    assert json.loads(part.bones) == ["グルーブ", "下半身"]
    assert bpy.ops.bonesetter.save_bone_map(filepath=str(tmp_path / "map.json")) == {"FINISHED"}
    assert bpy.ops.bonesetter.recognise_rig() == {"FINISHED"}
    assert json.loads(choice.parts[0].bones) == ["センター", "グルーブ", "下半身"]
    assert bpy.ops.bonesetter.load_bone_map(filepath=str(tmp_path / "map.json")) == {"FINISHED"}
    assert json.loads(choice.parts[0].bones) == ["グルーブ", "下半身"]
    assert bpy.ops.bonesetter.apply_to_rig() == {"FINISHED"}


def test_what_cannot_be_done_is_said(ext, scene, performer, character):
    armature, _ = character("Mixamo")
    performer.bonesetter.rig.armature = armature
    armature.scale = (1, 2, 1)
    bpy.context.view_layer.update()
    with pytest.raises(RuntimeError, match="apply its scale"):
        bpy.ops.bonesetter.apply_to_rig()
    armature.scale = (1, 1, 1)
    performer.bonesetter.rig.travel = "ROOT"
    with pytest.raises(RuntimeError, match="has no root bone"):
        bpy.ops.bonesetter.apply_to_rig()
    prop = bpy.data.objects.new("Prop", bpy.data.armatures.new("Prop"))
    scene.collection.objects.link(prop)
    performer.bonesetter.rig.armature = prop
    assert performer.bonesetter.rig.family == ""
    with pytest.raises(RuntimeError, match="No body was found"):
        bpy.ops.bonesetter.recognise_rig()


def test_on_the_nla_a_take_has_one_track_and_each_solve_another_action(scene, performer, character):
    armature, bone_map = character("Mixamo", 30)
    choice = performer.bonesetter.rig
    choice.armature, choice.on_nla = armature, True
    assert bpy.ops.bonesetter.apply_to_rig() == {"FINISHED"}
    animation = armature.animation_data
    (strip,) = (each for track in animation.nla_tracks for each in track.strips)
    first = strip.action
    assert (animation.action, strip.frame_start, strip.frame_end) == (None, 1.0, float(FRAMES))
    assert worst_deg(scene, performer.bonesetter.armature, armature, bone_map) < 0.1
    assert bpy.ops.bonesetter.apply_to_rig() == {"FINISHED"}
    (strip,) = (each for track in animation.nla_tracks for each in track.strips)
    assert strip.action != first
    assert first.use_fake_user
    assert worst_deg(scene, performer.bonesetter.armature, armature, bone_map) < 0.1


def test_a_new_solve_offers_to_update_the_rigs_it_went_onto(ext, scene, performer, character):
    """Each as it went there, in one step to undo."""
    (one, bone_map), (other, _), (never, _) = (character(*rig) for rig in (("Mixamo", 30), ("Unreal mannequin", 45), ("VRM",)))
    choice, outdated = performer.bonesetter.rig, ext("operators.applied").outdated
    performer.bonesetter.result = "first"
    for rig, travel, on_nla in ((one, "HIPS", True), (other, "ROOT", False)):
        choice.armature = rig
        choice.travel, choice.on_nla = travel, on_nla
        assert bpy.ops.bonesetter.apply_to_rig() == {"FINISHED"}
    choice.armature = never
    assert not outdated(performer)
    assert not bpy.ops.bonesetter.update_rigs.poll()
    # another solve: the actor now holds the arms otherwise
    hand = performer.bonesetter.armature.pose.bones["LeftArm"]
    for frame in range(1, FRAMES + 1):
        hand.rotation_quaternion = (0.8, 0.6, 0.0, 0.0)
        hand.keyframe_insert("rotation_quaternion", frame=frame)
    performer.bonesetter.result = "second"
    assert [each.armature for each in outdated(performer)] == [one, other]
    panel = drawn(ext("ui.rig").BONESETTER_PT_rig)
    assert f"{one.name}, {other.name}: of an earlier solve" in panel.said
    assert panel.buttons["bonesetter.update_rigs"]
    assert worst_deg(scene, performer.bonesetter.armature, one, bone_map) > 5
    bpy.ops.ed.undo_push(message="Before")
    names, before = (one.name, other.name), len(bpy.data.actions)
    assert bpy.ops.bonesetter.update_rigs() == {"FINISHED"}
    assert not outdated(performer)
    assert "bonesetter.update_rigs" not in drawn(ext("ui.rig").BONESETTER_PT_rig).buttons
    assert len(bpy.data.actions) == before + 2
    assert worst_deg(scene, performer.bonesetter.armature, one, bone_map) < 0.1
    assert (one.animation_data.action, never.animation_data) == (None, None)
    assert other.animation_data.action is not None
    root = next(curve for curve in curves_of(other.animation_data.action) if curve.data_path == 'pose.bones["root"].location')
    assert len(root.keyframe_points) > 1
    bpy.ops.ed.undo_push(message="Update")
    bpy.ops.ed.undo()
    assert len(bpy.data.actions) == before
    assert len(outdated(scene_take())) == 2
    bpy.data.objects.remove(bpy.data.objects[names[1]])
    assert len(outdated(scene_take())) == 1


def curves_of(action):
    return [curve for layer in action.layers for strip in layer.strips for bag in strip.channelbags for curve in bag.fcurves]


def scene_take():
    return bpy.context.scene.bonesetter.take


def test_what_was_keyed_by_hand_on_top_of_the_solve_is_carried_over(ext, scene, performer, character):
    """After another solve the solved action lies on the NLA, and the edits are the active one."""
    actor = performer.bonesetter.armature
    arm = actor.pose.bones["LeftArm"]
    for frame in range(20, 50):
        arm.rotation_quaternion = (0.8, 0.6, 0.0, 0.0)
        arm.keyframe_insert("rotation_quaternion", frame=frame)
    assert "stays on top" in ext("operators.armature").keep_edited(performer)
    assert ext("operators.layers").solved_strip(performer) is not None
    armature, bone_map = character("Mixamo", 30)
    performer.bonesetter.rig.armature = armature
    scenes = len(bpy.data.scenes)
    assert bpy.ops.bonesetter.apply_to_rig() == {"FINISHED"}
    assert len(bpy.data.scenes) == scenes
    assert worst_deg(scene, actor, armature, bone_map) < 0.1
