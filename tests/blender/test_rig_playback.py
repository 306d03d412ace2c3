# SPDX-License-Identifier: GPL-3.0-or-later
"""What a character shows after Apply to Rig, whatever its bones inherit and its animation was left with, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest

from .test_rigs import FRAMES, character, performer, worst_deg  # noqa: F401 - fixtures

# the fixtures are arguments
# ruff: noqa: F811

#: Bones without Inherit Rotation, bones without Local Location, and parts that are left out of the bone map.
LOOSE = [
    (("upperarm_l", "upperarm_r", "head"), (), ()),
    ((), ("pelvis",), ()),
    (("pelvis", "clavicle_l", "neck_01"), ("pelvis", "root"), ("clavicle", "neck")),
]


@pytest.fixture
def apply(ext, scene, performer):
    """Put the take onto a rig, as the panel does: what became of it."""

    def applied(armature, travel="HIPS", on_nla=False, without=()):
        bone_map = ext("operators.rig_map").known_map(ext("operators.rigs").read_rig(armature), armature.name)
        kept = {part: names for part, names in bone_map.bones.items() if part.partition(".")[0] not in without}
        return ext("operators.apply_to_rig").apply_to_rig(
            scene, performer, armature, replace(bone_map, bones=kept), travel, on_nla, performer.bonesetter.rig.hands
        )

    return applied


@pytest.fixture
def idle(scene):
    """A strip of an action of its own on a character: the arms raised, throughout."""

    def made(armature, names=("LeftArm", "Hips"), path="rotation_quaternion", value=(0.8, 0.6, 0.0, 0.0)):
        animation = armature.animation_data_create()
        before = animation.action, animation.action_slot
        action = bpy.data.actions.new("idle")
        animation.action, animation.action_slot = action, action.slots.new(id_type="OBJECT", name=armature.name)
        for name in names:
            bone = armature.pose.bones[name]
            still = getattr(bone, path).copy()
            setattr(bone, path, value)
            bone.keyframe_insert(path, frame=1)
            setattr(bone, path, still)
        slot = animation.action_slot
        track = animation.nla_tracks.new()
        track.name = "idling"
        strip = track.strips.new("idle", 1, action)
        strip.action_slot, strip.extrapolation = slot, "HOLD"
        animation.action = before[0]
        if before[1] is not None:
            animation.action_slot = before[1]
        return track

    return made


def looked(scene, armature, bone):
    """(3, 3) per frame: a bone as Blender shows it in the scene."""
    found = []
    for frame in (5, 30, 55):
        scene.frame_set(frame)
        found.append(np.array(armature.pose.bones[bone].matrix)[:3, :3])
    return np.array(found)


@pytest.mark.parametrize("travel", ["HIPS", "ROOT", "OBJECT", "PLACE"])
@pytest.mark.parametrize(("free", "along_parent", "without"), LOOSE)
def test_bones_that_do_not_inherit_move_as_the_actor(scene, performer, character, apply, free, along_parent, without, travel):
    armature, bone_map = character("Unreal mannequin", about_z=40.0)
    for name in free:
        armature.data.bones[name].use_inherit_rotation = False
    for name in along_parent:
        armature.data.bones[name].use_local_location = False
    playback = apply(armature, travel, without=without).playback
    assert worst_deg(scene, performer.bonesetter.armature, armature, bone_map) < 0.1
    if travel != "OBJECT" or not without:
        # clavicles that are passed over and do not turn are not known to turn with the object
        assert playback.off_deg < 0.1
    assert playback.hips_m < 1e-3


def test_a_performer_whose_bones_do_not_inherit_is_read_as_it_is_shown(scene, performer, character, apply):
    armature, bone_map = character("Mixamo")
    actor = performer.bonesetter.armature
    for name in ("LeftArm", "RightForeArm", "Hips"):
        actor.data.bones[name].use_inherit_rotation = False
    assert apply(armature).playback.is_as_keyed
    assert worst_deg(scene, actor, armature, bone_map) < 0.1


@pytest.mark.parametrize(("blend", "influence"), [("COMBINE", 1.0), ("ADD", 1.0), ("REPLACE", 0.3)])
def test_the_new_action_plays_as_it_is_however_the_last_was_blended(scene, performer, character, apply, idle, blend, influence):
    armature, bone_map = character("Mixamo")
    track = idle(armature)
    armature.animation_data.action_blend_type, armature.animation_data.action_influence = blend, influence
    assert not apply(armature).doubts
    assert worst_deg(scene, performer.bonesetter.armature, armature, bone_map) < 0.1
    assert (track.mute, track.is_solo, len(track.strips), track.strips[0].mute) == (False, False, 1, False)


def test_strips_of_others_that_change_what_plays_are_said_and_left(performer, character, apply, idle):
    armature, _ = character("Mixamo")
    track = idle(armature)
    track.is_solo = True
    applied = apply(armature)
    (said,) = applied.doubts
    assert "the NLA track idling is solo: take away its star" in said
    assert applied.playback.apart_deg > 5
    assert track.is_solo
    track.is_solo = False
    assert not apply(armature).doubts
    # what the new action does not key
    below = idle(armature, ("LeftForeArm",), "location", (0.0, 0.0, 0.4))
    below.name = "location"
    (said,) = apply(armature).doubts
    assert "NLA tracks play below (idling, location): mute those" in said
    below.mute = True
    assert not apply(armature, on_nla=True).doubts
    above = idle(armature)
    above.name = "above"
    (said,) = apply(armature, on_nla=True).doubts
    assert "NLA tracks play on top (above): mute those" in said
    above.mute = True
    own = next(each for each in armature.animation_data.nla_tracks if each.name == performer.name)
    own.mute = True
    (said,) = apply(armature, on_nla=True).doubts
    assert f"the strip {performer.name} does not play wholly" in said
    assert own.mute


def test_what_is_reported_is_what_is_shown(scene, performer, character, capfd):
    """A constraint that a driver holds is nobody's to let go; in the report stands what it does."""
    armature, _ = character("Mixamo")
    arm = armature.pose.bones["LeftForeArm"]
    constraint = arm.constraints.new("COPY_ROTATION")
    constraint.target, constraint.subtarget = armature, "Hips"
    constraint.driver_add("influence").driver.expression = "1.0"
    performer.bonesetter.rig.armature = armature
    assert bpy.ops.bonesetter.apply_to_rig() == {"FINISHED"}
    said = capfd.readouterr().out
    assert "its hips up to 0 cm off what was keyed: look for constraints" in said
    average = float(said.partition("bones point ")[2].partition("°")[0])
    up_to = float(said.partition("shown up to ")[2].partition("°")[0])
    # of ten parts, two forearms among them
    assert up_to > 20
    assert up_to / 20 < average < up_to / 5
    constraint.mute = True
    performer.bonesetter.result = "another"
    assert bpy.ops.bonesetter.update_rigs() == {"FINISHED"}
    assert "look for" not in capfd.readouterr().out


def test_rest_position_is_said_and_left(scene, performer, character, apply):
    """Bones that follow others by constraints are seen all the same."""
    armature, bone_map = character("Mixamo")
    bone = armature.pose.bones["LeftFoot"].constraints.new("LIMIT_ROTATION")
    bone.influence = 0.0
    armature.data.pose_position = "REST"
    armature.hide_viewport = True
    applied = apply(armature)
    (said,) = applied.doubts
    assert said.startswith(f"{armature.name} is in Rest Position, where nothing moves")
    assert applied.playback.is_as_keyed
    assert (armature.data.pose_position, armature.hide_viewport) == ("REST", True)
    armature.data.pose_position, armature.hide_viewport = "POSE", False
    assert worst_deg(scene, performer.bonesetter.armature, armature, bone_map) < 0.1


def test_in_tweak_mode_nothing_is_changed(performer, character, idle):
    armature, _ = character("Mixamo")
    track = idle(armature)
    animation = armature.animation_data
    animation.nla_tracks.active, track.strips[0].select = track, True
    animation.use_tweak_mode = True
    assert animation.use_tweak_mode
    before = len(bpy.data.actions), len(bpy.data.scenes), animation.use_nla
    performer.bonesetter.rig.armature = armature
    with pytest.raises(RuntimeError, match="is in tweak mode: leave it with Tab"):
        bpy.ops.bonesetter.apply_to_rig()
    assert (len(bpy.data.actions), len(bpy.data.scenes), animation.use_nla) == before
    assert animation.use_tweak_mode


def test_a_strip_stays_where_it_was_put(scene, performer, character, apply):
    armature, _ = character("Mixamo")
    apply(armature, on_nla=True)
    (strip,) = (each for track in armature.animation_data.nla_tracks for each in track.strips)
    scene.frame_set(30)
    shown = looked(scene, armature, "LeftArm")
    strip.frame_start_ui = 301
    strip.scale = 2.0
    first = strip.action
    assert not apply(armature, on_nla=True).doubts
    assert strip.action != first
    assert (strip.frame_start, strip.frame_end, strip.scale) == (301.0, 301.0 + 2 * (FRAMES - 1), 2.0)
    scene.frame_set(301 + 2 * 29)
    np.testing.assert_allclose(np.array(armature.pose.bones["LeftArm"].matrix)[:3, :3], shown[1], atol=1e-4)
    strip.scale, strip.action_frame_start, strip.action_frame_end = 1.0, 11, 40
    assert not apply(armature, on_nla=True).doubts
    assert (strip.frame_start, strip.action_frame_start, strip.action_frame_end) == (301.0, 11.0, 40.0)
    assert strip.frame_end == 330.0


def test_a_strip_that_nobody_moved_goes_along_with_the_take(ext, performer, character, apply):
    armature, _ = character("Mixamo")
    apply(armature, on_nla=True)
    (strip,) = (each for track in armature.animation_data.nla_tracks for each in track.strips)
    push_down, key_rig = ext("operators.applied").push_down, ext("operators.rigs").key_rig
    for start in (1001, 1):
        frames = np.arange(start, start + 31, dtype=float)
        keyed = ext("model.rigs.channels").Channels({"Hips": np.tile(np.eye(3), (31, 1, 1))}, {})
        bone_map = ext("operators.rig_map").known_map(ext("operators.rigs").read_rig(armature), armature.name)
        key_rig(armature, keyed, bone_map, frames, "moved", 1.0)
        assert push_down(armature, frames, performer.name) == strip
        assert (strip.action_frame_start, strip.action_frame_end) == (start, start + 30)
        assert (strip.frame_start, strip.frame_end) == (start, start + 30)
