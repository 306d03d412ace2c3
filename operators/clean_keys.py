# SPDX-License-Identifier: GPL-3.0-or-later
"""Clean Keys: a solved motion as keys that an animator can work with, on the take's own armature or on the user's rig."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import bpy
import numpy as np

from ..model.core.errors import BonesetterError
from .apply_to_rig import contacts_of, own_map
from .cleanup_options import GROUPS
from .polls import is_idle, is_own
from .refusals import says_why
from .rig_map import map_of
from .takes import active_take, space_of, timing_of

if TYPE_CHECKING:
    from ..model.core.take import BoolArray
    from ..model.review.cleanup import Doubt
    from ..model.rigs.rig import BoneMap
    from .keyed_bones import KeyedBone

#: Those that are left alone while their foot stands, and how long before and after, in s.
STANDING, FADE_S = ("LEGS", "FEET"), 0.1
#: Nothing shorter is marked as a gap, in s.
SHORTEST_S = 0.05


class Counts(NamedTuple):
    """What became of a rig's keys: how many there were and are, and how far off what they play is at most."""

    before: int
    after: int
    degrees: float
    mm: float


def clean_keys(scene: bpy.types.Scene, collection: bpy.types.Collection, armature: bpy.types.Object) -> Counts:
    """Clean the keys of a take's motion on an armature, as the take's `cleanup` says.

    Args:
        scene: Its unit scale and its timeline.
        collection: The take.
        armature: Its own, or the rig that it was applied to.

    Raises:
        BonesetterError: The armature has no keys of the take, or is stretched.
    """
    from ..model.review.cleanup import Doubt, Tolerance, clean, grid
    from .armature import keep_edited, note_keys
    from .keyed_bones import keyed_bones, write_bone
    from .keyframes import bound_channelbag
    from .layers import keep_played, solved_bag
    from .rigs import read_rig

    options, timing = collection.bonesetter.cleanup, timing_of(collection)
    own = armature == collection.bonesetter.armature
    if own:
        # what was keyed by hand goes on top, where it stays as it is
        keep_edited(collection)
    bag = solved_bag(collection) if own else bound_channelbag(armature)
    bones = keyed_bones(armature, bag, timing, 1.0 / space_of(collection, scene).units_per_metre) if bag is not None else []
    if not bones:
        raise BonesetterError(f"{armature.name} has no keys in the frames of {collection.name}: solve it, or apply it to this rig.")
    before = sum(len(curve.keyframe_points) for bone in bones for curve in bone.curves)
    bone_map = own_map(armature, read_rig(armature)) if own else map_of(collection.bonesetter.rig)
    parts = parts_of(bone_map)
    rate = collection.bonesetter.rate_hz
    bones = [_smoothed(bone, parts.get(bone.name, ""), collection) for bone in bones]
    doubts = _doubts(scene, collection, bones, parts) if options.mark_gaps else [Doubt()] * len(bones)
    cleaned = clean(
        [bone.keys for bone in bones],
        Tolerance(options.degrees, options.mm),
        grid(timing.samples, rate, options.keys_hz),
        [_borders(bone, doubt, timing.samples) for bone, doubt in zip(bones, doubts, strict=True)],
    )
    for bone, kept, slopes, doubt in zip(bones, cleaned.keys, cleaned.slopes, doubts, strict=True):
        write_bone(bone, kept, slopes, doubt, timing)
    if own:
        turned = {bone.name: now for bone, now in zip(bones, cleaned.played, strict=True) if bone.keys.mode == "QUATERNION"}
        keep_played(collection, turned)
        note_keys(collection)
        collection.bonesetter.cleaned = True
    if options.mark_feet:
        mark_feet(scene, collection)
    after = sum(len(bone.curves) * len(kept) for bone, kept in zip(bones, cleaned.keys, strict=True))
    return Counts(before, after, cleaned.degrees, cleaned.mm)


def parts_of(bone_map: BoneMap | None) -> dict[str, str]:
    """{bone: the part of the body that it is}, twist bones too."""
    from ..model.rigs.rig import PARTS

    if bone_map is None:
        return {}
    chains = [(part, names) for chains in (bone_map.bones, bone_map.twists) for part, names in chains.items()]
    return {name: part for part, names in chains for name in names if part in PARTS}


def _smoothed(bone: KeyedBone, part: str, collection: bpy.types.Collection) -> KeyedBone:
    from ..model.core.fading import smoothed
    from ..model.review.cleanup import smooth

    options, frames = collection.bonesetter.cleanup, len(bone.keys.values)
    limb, _, side = part.partition(".")
    group = next((name for name, parts in GROUPS.items() if limb in parts), "")
    if options.part not in ("ALL", group) or options.part == "NONE":
        return bone
    rate, weight = collection.bonesetter.rate_hz, None
    if group in STANDING:
        stands = _stands(collection, side, frames).astype(float)
        reach = round(2 * FADE_S * rate)
        near = np.lib.stride_tricks.sliding_window_view(np.pad(stands, reach), 2 * reach + 1).max(axis=-1)
        weight = 1.0 - np.maximum(stands, smoothed(near[:, None], 0.5 * FADE_S * rate)[:, 0])
    return replace(bone, keys=replace(bone.keys, values=smooth(bone.keys, options.seconds, rate, weight)))


def _stands(collection: bpy.types.Collection, side: str, samples: int) -> BoolArray:
    """(samples,) whether the actor's foot of a side, L or R, stands."""
    stands = np.zeros(samples, dtype=bool)
    for one in contacts_of(collection):
        if one.side == side:
            stands[one.frames] = True
    return stands


def _borders(bone: KeyedBone, doubt: Doubt, samples: int) -> list[int]:
    inside = np.zeros(samples, dtype=bool)
    for first, last in bone.keys.stretches:
        inside[first : last + 1] = True
    return [frame for frame in doubt.borders(samples) if inside[frame]]


def _doubts(scene: bpy.types.Scene, collection: bpy.types.Collection, bones: list[KeyedBone], parts: dict[str, str]) -> list[Doubt]:
    """Of each bone where none of the markers that sit on it is seen."""
    from ..model.core.stretches import stretches
    from ..model.review.cleanup import Doubt

    unseen = _unseen_joints(scene, collection)
    names = _bones_of_joints(collection)
    shortest = max(1, round(SHORTEST_S * collection.bonesetter.rate_hz))
    found = []
    for bone in bones:
        joints = names.get(parts.get(bone.name, ""), ())
        absent = [unseen[joint] for joint in joints if joint in unseen]
        gone = np.logical_and.reduce(absent) if absent else np.zeros(len(bone.keys.values), dtype=bool)
        found.append(Doubt(tuple((first, last - 1) for first, last in stretches(gone).tolist() if last - first >= shortest)))
    return found


def _bones_of_joints(collection: bpy.types.Collection) -> dict[str, tuple[str, ...]]:
    """{part of the body: the actor's joints that it stands for}."""
    from ..model.rigs.production import cmu_joints
    from .rigs import read_rig

    own = collection.bonesetter.armature
    found = own_map(own, read_rig(own)) if own is not None else None
    if found is None:
        return {}
    joints = {bone.name: bone.get("joint", bone.name) for bone in own.data.bones}
    return {part: tuple(one for name in names for one in cmu_joints(joints[name])) for part, names in found.bones.items()}


def _unseen_joints(scene: bpy.types.Scene, collection: bpy.types.Collection) -> dict[str, BoolArray]:
    """{joint: (samples,) where none of its markers is there}, of joints that carry any."""
    from .gather import gather_take

    known = collection.bonesetter.solved_actor
    if not known:
        return {}
    take = gather_take(scene, collection)
    missing = ~take.present
    columns = {label.rpartition(":")[2]: column for column, label in enumerate(take.labels)}
    carried: dict[str, list[BoolArray]] = {}
    for marker in json.loads(known)["markers"]:
        column = columns.get(marker["label"])
        if column is not None:
            carried.setdefault(marker["joint"], []).append(missing[:, column])
    return {joint: np.logical_and.reduce(each) for joint, each in carried.items()}


def mark_feet(scene: bpy.types.Scene, collection: bpy.types.Collection) -> None:
    """Markers on the timeline where each foot of a take sets down and lifts; those of the time before go."""
    from ..model.core.stretches import stretches

    timing = timing_of(collection)
    words = {f"{collection.name} {side} {what}" for side in "LR" for what in ("down", "up")}
    for marker in [one for one in scene.timeline_markers if one.name in words]:
        scene.timeline_markers.remove(marker)
    for side in "LR":
        for first, last in stretches(_stands(collection, side, timing.samples)).tolist():
            for sample, what in ((first, "down"), (last - 1, "up")):
                scene.timeline_markers.new(f"{collection.name} {side} {what}", frame=round(timing.start + timing.step * sample))


def cleaned_armature(context: bpy.types.Context, take: Any) -> Any:
    """Whose keys are cleaned: of the active armature, if the take is on it, else of the take's own."""
    own, rig = take.bonesetter.armature, take.bonesetter.rig.armature
    return rig if rig is not None and context.object == rig else own


class BONESETTER_OT_clean_keys(bpy.types.Operator):
    """Leave only the keys that the motion needs, with handles, within the tolerances below. Of the active armature, if the take is on it,
    else of the take's own"""

    bl_idname = "bonesetter.clean_keys"
    bl_label = "Clean Keys"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        take: Any = active_take(context)
        if take is None or not take.bonesetter.solved or cleaned_armature(context, take) is None:
            cls.poll_message_set("Solve a take first")
            return False
        return is_idle(cls) and is_own(cls, context)

    @says_why
    def execute(self, context: bpy.types.Context) -> set[str]:
        take: Any = active_take(context)
        armature = cleaned_armature(context, take)
        counts = clean_keys(context.scene, take, armature)
        self.report(
            {"INFO"},
            f"{armature.name}: {counts.before} keys became {counts.after}, at most {counts.degrees:.2f}° and {counts.mm:.1f} mm off",
        )
        return {"FINISHED"}


CLASSES = (BONESETTER_OT_clean_keys,)
