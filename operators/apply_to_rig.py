# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply to Rig: a solved take's motion onto the user's own character."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import bpy
from bpy.props import StringProperty
from bpy_extras.io_utils import ExportHelper, ImportHelper

from ..model.core.errors import BonesetterError
from .polls import is_idle
from .refusals import refuse_tweak_mode, says_why
from .rig_map import USUAL_HANDS, known_map, map_of, show_map
from .takes import active_take, timing_of
from .translation import translated

if TYPE_CHECKING:
    from ..model.core.take import FloatArray
    from ..model.rigs.channels import Travel
    from ..model.rigs.figure import Performance
    from ..model.rigs.retarget import Retargeted
    from ..model.rigs.rig import BoneMap, Rig
    from ..model.rigs.standing import FootContact
    from .rig_playback import Playback


class Applied(NamedTuple):
    """What became of a take on a rig: the action, the motion in arrays, the performer's own, what Blender shows, and doubts of it."""

    action: bpy.types.Action
    moved: Retargeted
    performance: Performance
    playback: Playback
    doubts: list[str]


def apply_to_rig(
    scene: bpy.types.Scene,
    collection: bpy.types.Collection,
    armature: bpy.types.Object,
    bone_map: BoneMap,
    travel: Travel = "HIPS",
    on_nla: bool = False,
    hands: float = USUAL_HANDS,
) -> Applied:
    """Put a solved take's motion on a rig, in a new action. Nothing but that rig's pose and animation changes.

    Args:
        scene: Its unit scale.
        collection: The take.
        armature: The rig's object.
        bone_map: Of its bones.
        travel: What carries the character over the floor.
        on_nla: Whether the action is put on a strip of the NLA editor, in place of the one that the take has there.
        hands: How much hands keep their reach, 0 to 1, as of `retarget`.

    Raises:
        BonesetterError: The take is not solved, the rig has no room for it, or its bone map is incomplete. Nothing is changed then.
    """
    from ..model.rigs.channels import channels
    from ..model.rigs.retarget import retarget
    from .applied import Application, note_applied, push_down
    from .keyframes import play_as_keyed
    from .rig_controls import follows_of, released
    from .rig_playback import doubts_of, play_back
    from .rigs import key_rig, object_scale, read_rig

    _check(collection, armature, bone_map, travel)
    metres, timing = scene.unit_settings.scale_length, timing_of(collection)
    rig = read_rig(armature, metres)
    bone_map.check(rig)
    application = Application(armature, bone_map, travel, on_nla, hands)
    bone_map = released(armature, bone_map)
    performance = performed(collection, timing.frames, metres)
    moved = retarget(performance, rig, bone_map, contacts_of(collection), follows_of(armature, bone_map), hands)
    keyed = channels(moved, travel, object_scale(armature) * metres)
    action = key_rig(armature, keyed, bone_map, timing.frames, f"{collection.name} on {armature.name}", metres)
    strip = None
    if on_nla:
        strip = push_down(armature, timing.frames, collection.name)
    else:
        play_as_keyed(armature)
    note_applied(collection, application)
    playback = play_back(armature, moved, performance, timing.frames, travel, metres, strip)
    return Applied(action, moved, performance, playback, doubts_of(armature, playback, strip))


def _check(collection: bpy.types.Collection, armature: bpy.types.Object, bone_map: BoneMap, travel: Travel) -> None:
    """Whether a take can go onto a rig.

    Raises:
        BonesetterError: It cannot.
    """
    performer = collection.bonesetter.armature
    if performer is None or not performer.users_scene:
        raise BonesetterError(f"{collection.name} is not solved yet: press Solve Markers first.")
    if travel == "ROOT" and not bone_map.root:
        raise BonesetterError(f"{armature.name} has no root bone in its bone map: choose one, or another Motion On.")
    if armature.library is not None:
        raise BonesetterError(f"{armature.name} is linked from another file: make a library override of it first.")
    refuse_tweak_mode(armature)


def performed(collection: bpy.types.Collection, frames: FloatArray, metres: float) -> Performance:
    """The motion of a take's own armature, edited by hand or not."""
    from ..model.rigs.production import JOINTS as PRODUCTION
    from ..model.rigs.production import with_whole_pronation
    from .armature import bone_names
    from .rigs import read_performance, read_rig

    performer = collection.bonesetter.armature
    rig = read_rig(performer, metres)
    bone_map = own_map(performer, rig) or known_map(rig, performer.name)
    performance = read_performance(performer, bone_map, frames, collection.bonesetter.rate_hz, metres)
    return with_whole_pronation(performance) if set(PRODUCTION) <= set(bone_names(performer)) else performance


def own_map(performer: bpy.types.Object, rig: Rig) -> BoneMap | None:
    """The bone map of a take's own armature, by the joints that its bones stand for, whatever they are called; None for other joints."""
    from ..model.rigs.families import recognise
    from .armature import bone_names

    called = bone_names(performer)
    joints = {name: joint for joint, name in called.items()}
    found = recognise(replace(rig, names=tuple(joints.get(name, name) for name in rig.names)))
    if found is None:
        return None
    return replace(found, bones={part: tuple(called.get(joint, joint) for joint in chain) for part, chain in found.bones.items()})


def contacts_of(collection: bpy.types.Collection) -> list[FootContact]:
    """When the soles of a take's actor stand, of the feet whose names say their side."""
    from ..model.actors.joint_names import side_of
    from ..model.rigs.standing import FootContact
    from .solved import solved_of

    solved = solved_of(collection)
    sided = [(side_of(stance.foot), stance) for stance in (solved.stances if solved else ())]
    return [FootContact(side[0], stance.part, stance.first, stance.last) for side, stance in sided if side]


class OnRig:
    """An operator that needs a solved take and the armature that is chosen for it."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        take: Any = active_take(context)
        if take is None or not take.bonesetter.solved:
            cls.poll_message_set("Solve a take first")  # pyright: ignore[reportAttributeAccessIssue]
            return False
        if take.bonesetter.rig.armature is None:
            cls.poll_message_set("Choose your character's armature first")  # pyright: ignore[reportAttributeAccessIssue]
            return False
        return is_idle(cls)


class BONESETTER_OT_apply_to_rig(OnRig, bpy.types.Operator):
    """Move your own character as the take was solved, in a new action. Its other actions, constraints, fingers and face are left alone"""

    bl_idname = "bonesetter.apply_to_rig"
    bl_label = "Apply to Rig"
    bl_options = {"UNDO"}

    @says_why
    def execute(self, context: bpy.types.Context) -> set[str]:
        collection: Any = active_take(context)
        choice = collection.bonesetter.rig
        applied = apply_to_rig(context.scene, collection, choice.armature, map_of(choice), choice.travel, choice.on_nla, choice.hands)
        apart = applied.playback.apart_deg
        self.report({"INFO"}, translated(f"{choice.armature.name} moves as {collection.name}: bones point {apart:.1f}° off on average"))
        for doubt in applied.doubts:
            self.report({"WARNING"}, translated(doubt))
        return {"FINISHED"}


class BONESETTER_OT_update_rigs(bpy.types.Operator):
    """Put the take onto the rigs again that it went onto before it was solved anew, each as it went there, in a new action"""

    bl_idname = "bonesetter.update_rigs"
    bl_label = "Update Rigs"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        from .applied import outdated

        take: Any = active_take(context)
        if take is None or not outdated(take):
            cls.poll_message_set("Every rig has the motion of the last solve")  # pyright: ignore[reportAttributeAccessIssue]
            return False
        return is_idle(cls)

    def execute(self, context: bpy.types.Context) -> set[str]:
        from .applied import outdated

        collection: Any = active_take(context)
        done, doubts = [], []
        for each in outdated(collection):
            try:
                applied = apply_to_rig(context.scene, collection, each.armature, each.bone_map, each.travel, each.on_nla, each.hands)
            except BonesetterError as error:
                # an error would hide that others were updated
                self.report({"WARNING"}, translated(str(error)))
            else:
                done.append(each.armature.name)
                doubts += applied.doubts
        if not done:
            return {"CANCELLED"}
        self.report({"INFO"}, translated(f"{', '.join(done)} moves as {collection.name}"))
        for doubt in doubts:
            self.report({"WARNING"}, translated(doubt))
        return {"FINISHED"}


class BONESETTER_OT_recognise_rig(OnRig, bpy.types.Operator):
    """Find the rig's bones anew, by their names or by its shape"""

    bl_idname = "bonesetter.recognise_rig"
    bl_label = "Recognise Again"
    bl_options = {"UNDO"}

    @says_why
    def execute(self, context: bpy.types.Context) -> set[str]:
        from .rigs import read_rig

        choice = active_take(context).bonesetter.rig
        show_map(choice, known_map(read_rig(choice.armature), choice.armature.name))
        return {"FINISHED"}


class BONESETTER_OT_save_bone_map(OnRig, ExportHelper, bpy.types.Operator):
    """Save the bone map, for other takes and for batch"""

    bl_idname = "bonesetter.save_bone_map"
    bl_label = "Save Bone Map"
    filename_ext = ".json"
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    @says_why
    def execute(self, context: bpy.types.Context) -> set[str]:
        from ..model.rigs.bone_map_file import write_bone_map

        write_bone_map(map_of(active_take(context).bonesetter.rig), Path(self.filepath))
        return {"FINISHED"}


class BONESETTER_OT_load_bone_map(OnRig, ImportHelper, bpy.types.Operator):
    """Load a bone map that was saved"""

    bl_idname = "bonesetter.load_bone_map"
    bl_label = "Load Bone Map"
    bl_options = {"UNDO"}
    filename_ext = ".json"
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    @says_why
    def execute(self, context: bpy.types.Context) -> set[str]:
        from ..model.rigs.bone_map_file import read_bone_map
        from .rigs import read_rig

        choice = active_take(context).bonesetter.rig
        bone_map = read_bone_map(Path(self.filepath))
        bone_map.check(read_rig(choice.armature))
        show_map(choice, bone_map)
        return {"FINISHED"}
