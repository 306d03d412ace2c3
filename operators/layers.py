# SPDX-License-Identifier: GPL-3.0-or-later
"""What an animator keyed by hand, as a layer of its own on top of the solved pose.

A solve remembers the values that it keys. Where keys are other than these before the next solve, the difference becomes an action that
Blender combines with the solved one: that moves to a strip of the NLA editor, and further keys go to the layer. A solve then writes to the
strip alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import bpy
import numpy as np

from ..model.core.rigid import steady
from ..model.core.rotations import unitquat_product
from ..model.core.take import BoolArray, FloatArray
from .keyframes import bind, bound_channelbag, channelbag, leave_tweak_mode, play_as_keyed, read_curve, write_keys
from .playing import play_frames, plays_where_keyed, strip_channelbags
from .space import Timing
from .takes import JOINT, keep_numbers, timing_of

#: The NLA track of the solved pose.
TRACK = "Bonesetter Solve"
#: Custom properties of a take's collection: joints, the root's locations (samples, 3) and all rotations (samples, joints, 4) as keyed.
JOINTS, LOCATIONS, ROTATIONS = "keyed_joints", "keyed_locations", "keyed_rotations"
#: Numbers that differ by more are another key.
SAME = 1e-6
Values = tuple[list[str], FloatArray, FloatArray]


def keep_values(collection: bpy.types.Collection, joints: tuple[str, ...], locations: FloatArray, rotations: FloatArray) -> None:
    """Remember what a solve keys."""
    collection[JOINTS] = json.dumps(joints)
    keep_numbers(collection, LOCATIONS, locations)
    keep_numbers(collection, ROTATIONS, rotations)


def keep_played(collection: bpy.types.Collection, played: Mapping[str, FloatArray]) -> None:
    """Remember what keys play that were changed since, but not by hand.

    Args:
        collection: The take.
        played: {bone: (samples, channels) of its quaternion, and then of its location if that is keyed}.
    """
    values = kept_values(collection)
    if values is None:
        return
    joints, locations, rotations = values
    for name, now in played.items():
        bone = collection.bonesetter.armature.data.bones[name]
        if (joint := bone.get(JOINT)) in joints:
            rotations[:, joints.index(joint)] = now[:, :4]
            if bone.parent is None and now.shape[1] == 7:
                locations[:] = now[:, 4:]
    keep_values(collection, tuple(joints), locations, rotations)


def kept_values(collection: bpy.types.Collection) -> Values | None:
    """Joints, the root's locations (samples, 3), and rotations (samples, joints, 4) as the last solve keyed them."""
    if ROTATIONS not in collection:
        return None
    joints, frames = json.loads(collection[JOINTS]), collection.bonesetter.frames
    locations, rotations = (np.array(collection[name], dtype=np.float32) for name in (LOCATIONS, ROTATIONS))
    if locations.size != 3 * frames or rotations.size != 4 * frames * len(joints):
        return None
    return joints, locations.reshape(frames, 3), rotations.reshape(frames, len(joints), 4)


def solved_strip(collection: bpy.types.Collection) -> Any | None:
    """The NLA strip that plays the solved pose, below a layer of hand-made keys or wherever the user pushed it down; None for none."""
    take = collection.bonesetter
    animation = take.armature.animation_data if take.armature is not None else None
    strips = [(track, strip) for track in animation.nla_tracks for strip in track.strips] if animation is not None else []
    for track, strip in strips:
        if strip.action is not None and (strip.action == take.solved_action if take.solved_slot else track.name == TRACK):
            return strip
    return None


def solved_bag(collection: bpy.types.Collection) -> Any | None:
    """The curves that a solve owns and the armature plays, with or without a layer on top of them; None where it plays others."""
    take, strip = collection.bonesetter, solved_strip(collection)
    if take.armature is None:
        return None
    if strip is not None:
        return next(iter(strip_channelbags(strip)), None)
    return bound_channelbag(take.armature) if _is_active(take) else None


def own_curves(collection: bpy.types.Collection, action_name: str) -> Any:
    """The curves that a solve may write on the take's armature: its own, put back where the user has put another action, else new ones.

    Of the user's action nothing is changed, and it stays in the file.
    """
    take = collection.bonesetter
    bag = solved_bag(collection)
    if bag is not None:
        return bag
    animation = take.armature.animation_data_create()
    leave_tweak_mode(animation)
    if _is_active(take):
        # all of its curves were deleted
        return channelbag(animation.action, animation.action_slot)
    if animation.action is not None:
        animation.action.use_fake_user = True
    own = take.solved_action
    slot = next((one for one in own.slots if one.handle == take.solved_slot), None) if own is not None else None
    # what another armature plays is not the take's alone any more
    if slot is not None and own.users - own.use_fake_user <= 1:
        animation.action, animation.action_slot = own, slot
        bag = channelbag(own, slot)
    else:
        bag = bind(take.armature, bpy.data.actions.new(action_name))
    play_as_keyed(take.armature)
    return bag


def note_action(collection: bpy.types.Collection) -> None:
    """Remember the action that a solve has written: the armature may play others later, and it be played elsewhere."""
    take, strip = collection.bonesetter, solved_strip(collection)
    owner = take.armature.animation_data if strip is None else strip
    take.solved_action, take.solved_slot = owner.action, owner.action_slot.handle


def put_aside(collection: bpy.types.Collection) -> str:
    """The name of the user's action that plays where the solve's did, which the next solve puts aside; nothing where there is none."""
    take = collection.bonesetter
    if take.armature is None or not take.solved_slot or solved_bag(collection) is not None:
        return ""
    animation = take.armature.animation_data
    return animation.action.name if animation is not None and animation.action is not None else ""


def _is_active(take: Any) -> bool:
    """Whether the action that a solve wrote is the armature's active one: an older version noted none, and it is whichever is there."""
    animation = take.armature.animation_data
    if animation is None or animation.action is None or animation.action_slot is None:
        return False
    return not take.solved_slot or (animation.action == take.solved_action and animation.action_slot_handle == take.solved_slot)


def fit_strip(collection: bpy.types.Collection) -> None:
    """Have the solved pose's strip play all of its frames, where they are unless the user has moved or scaled it."""
    strip, timing = solved_strip(collection), timing_of(collection)
    if strip is None:
        return
    first, last = float(timing.frames[0]), float(timing.frames[-1])
    moved = not plays_where_keyed(strip)
    play_frames(strip, first, max(last, first + 1))
    if not moved:
        strip.frame_start_ui = strip.action_frame_start


def lay_edits(collection: bpy.types.Collection, bones: dict[str, str]) -> str:
    """Make a layer of what was keyed by hand in the solved action.

    Args:
        collection: The take, whose armature has no layer yet.
        bones: {joint: bone} of those whose keys were edited.

    Returns:
        The name of the layer's action; nothing where it cannot be told what was edited, so that the action must be kept as a whole.
    """
    armature, values = collection.bonesetter.armature, kept_values(collection)
    bag = solved_bag(collection)
    if values is None or bag is None or solved_strip(collection) is not None:
        return ""
    if any(armature.pose.bones[name].rotation_mode != "QUATERNION" for name in bones.values()):
        return ""
    timing = timing_of(collection)
    # a bone of another skeleton's joint was not keyed by the solve
    bones = {joint: name for joint, name in bones.items() if joint in values[0]}
    keys = [key for joint, name in bones.items() for key in _differences(bag, armature.pose.bones[name], joint, values, timing)]
    animation = armature.animation_data
    solved, slot = animation.action, animation.action_slot
    layer = bind(armature, bpy.data.actions.new(f"{collection.name} Edits"))
    for path, index, frames, numbers, group in keys:
        write_keys(layer, path, index, frames, numbers, group)
    track = animation.nla_tracks.new()
    track.name = TRACK
    strip = track.strips.new(solved.name, int(timing.start), solved)
    strip.action_slot = slot
    strip.extrapolation, strip.blend_type = "HOLD", "REPLACE"
    animation.action_blend_type, animation.action_extrapolation = "COMBINE", "HOLD"
    strip.frame_start = strip.action_frame_start
    fit_strip(collection)
    return animation.action.name


def _differences(bag: Any, bone: Any, joint: str, values: Values, timing: Timing) -> list[tuple[Any, ...]]:
    """The keys of a layer for one bone: path, index, frames, values and group of each curve."""
    joints, locations, rotations = values
    turned, moved = bone.path_from_id("rotation_quaternion"), bone.path_from_id("location")
    keys: list[tuple[Any, ...]] = []
    before = rotations[:, joints.index(joint)].astype(float)
    after = _read(bag, turned, timing, before)
    after /= np.maximum(np.linalg.norm(after, axis=1, keepdims=True), 1e-9)
    after *= np.where((after * before).sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
    keys += _curves(turned, (np.abs(after - before) > SAME).any(axis=1), steady(_between(before, after)), timing, bone.name)
    if bone.parent is None:
        after = _read(bag, moved, timing, locations.astype(float))
        keys += _curves(moved, (np.abs(after - locations) > SAME).any(axis=1), after - locations, timing, bone.name)
    kept = {turned} | ({moved} if bone.parent is None else set())
    for curve in bag.fcurves:
        if curve.data_path in {bone.path_from_id("location"), bone.path_from_id("scale")} - kept and len(curve.keyframe_points):
            # of these a solve keys nothing: they lie on nothing as they are
            points = np.empty(2 * len(curve.keyframe_points), dtype=np.float32)
            curve.keyframe_points.foreach_get("co", points)
            keys.append((curve.data_path, curve.array_index, points[0::2], points[1::2], bone.name))
    return keys


def _read(bag: Any, path: str, timing: Timing, usual: FloatArray) -> FloatArray:
    """(samples, axes): what curves say, or the usual where one of them is gone."""
    found = usual.copy()
    for curve in bag.fcurves:
        if curve.data_path == path and curve.array_index < usual.shape[1]:
            found[:, curve.array_index], _ = read_curve(curve, timing.frames)
    return found


def _between(before: FloatArray, after: FloatArray) -> FloatArray:
    """(samples, 4): what turns one rotation into another, from inside: before times it is after."""
    return unitquat_product(before * (1.0, -1.0, -1.0, -1.0), after)


def _curves(path: str, changed: BoolArray, values: FloatArray, timing: Timing, group: str) -> list[tuple[Any, ...]]:
    """Keys where something changed, and of nothing right before and after."""
    if not changed.any():
        return []
    near = changed.copy()
    near[1:] |= changed[:-1]
    near[:-1] |= changed[1:]
    rest = np.zeros(values.shape[1])
    rest[0] = 1.0 if values.shape[1] == 4 else 0.0
    values = np.where(changed[:, None], values, rest)
    return [(path, axis, timing.frames[near], values[near, axis], group) for axis in range(values.shape[1])]
