# SPDX-License-Identifier: GPL-3.0-or-later
"""A rig in Blender: read as it is at rest and as it moves, and given the keys of a motion that was carried to it."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ..model.core.errors import BonesetterError
from ..model.core.rotations import unitquat_to_rotmat
from ..model.core.take import FloatArray
from ..model.rigs.channels import Channels, eulers, steady_quaternions
from ..model.rigs.figure import Performance
from ..model.rigs.rig import BoneMap, Rig
from .keyframes import bind, write_keys
from .playing import Played, played

#: Scales of an object's axes that differ by more than this part are not the same.
UNIFORM = 1e-3


def read_rig(armature: bpy.types.Object, metres: float = 1.0) -> Rig:
    """A rig at rest, as its object stands in the world.

    Args:
        armature: The object.
        metres: For each Blender unit.

    Raises:
        BonesetterError: The object is scaled differently along its axes, or mirrored.
    """
    data: Any = armature.data
    world = np.array(armature.matrix_world, dtype=float)
    scale = object_scale(armature)
    axes = world[:3, :3] / scale
    rest = np.array([bone.matrix_local for bone in data.bones], dtype=float).reshape(-1, 4, 4)
    lengths = np.array([bone.length for bone in data.bones])
    names = [bone.name for bone in data.bones]
    index = {name: bone for bone, name in enumerate(names)}
    parents = tuple(index[bone.parent.name] if bone.parent else -1 for bone in data.bones)
    turns = axes @ rest[:, :3, :3]
    heads = (rest[:, :3, 3] @ world[:3, :3].T + world[:3, 3]) * metres
    tails = heads + turns[:, :, 1] * (lengths * scale * metres)[:, None]
    free = frozenset(bone for bone, one in enumerate(data.bones) if not one.use_inherit_rotation)
    along_parent = frozenset(bone for bone, one in enumerate(data.bones) if not one.use_local_location)
    return Rig(tuple(names), parents, heads, tails, turns, axes, world[:3, 3] * metres, free, along_parent)


def object_scale(armature: bpy.types.Object) -> float:
    """By what an object is scaled.

    Raises:
        BonesetterError: By different numbers along its axes, or it is mirrored.
    """
    matrix = np.array(armature.matrix_world, dtype=float)[:3, :3]
    scales = np.linalg.norm(matrix, axis=0)
    if np.ptp(scales) > UNIFORM * scales.max() or np.linalg.det(matrix) <= 0:
        raise BonesetterError(f"{armature.name} is not scaled alike along its axes: apply its scale (Ctrl+A, Scale) first.")
    return float(scales.mean())


def read_performance(armature: bpy.types.Object, bone_map: BoneMap, frames: FloatArray, rate_hz: float, metres: float) -> Performance:
    """The motion that an armature's keys give it, those on the NLA too, without constraints.

    Args:
        armature: The object.
        bone_map: Of its bones.
        frames: (frames,) scene frames, evenly spaced.
        rate_hz: How many of them are a second.
        metres: For each Blender unit.
    """
    rig = read_rig(armature, metres)
    unit = object_scale(armature) * metres
    values = played(armature, frames)
    deltas = np.empty((len(frames), len(rig.names), 3, 3))
    heads = np.empty((len(frames), len(rig.names), 3))
    for bone, (name, parent) in enumerate(zip(rig.names, rig.parents, strict=True)):
        pose = armature.pose.bones[name]
        basis, location = _basis(pose, values, len(frames))
        turn = rig.turns[bone]
        own = turn @ basis @ turn.T
        before = deltas[:, parent] if parent >= 0 and bone not in rig.free else np.eye(3)
        deltas[:, bone] = before @ own
        offset = rig.heads[bone] - (rig.heads[parent] if parent >= 0 else 0.0)
        moved = (location * unit) @ rig.location_axes(bone).T + offset
        heads[:, bone] = np.einsum("fab,fb->fa", deltas[:, parent], moved) + heads[:, parent] if parent >= 0 else moved
    return Performance(rig, bone_map, deltas, heads, rate_hz)


def _basis(pose: Any, values_of: Played, count: int) -> tuple[FloatArray, FloatArray]:
    """A bone's own rotation (frames, 3, 3) and location (frames, 3), keyed or as it stands."""

    def channel(name: str) -> FloatArray:
        path, still = pose.path_from_id(name), getattr(pose, name)
        values = [values_of[path, axis] if (path, axis) in values_of else np.full(count, still[axis]) for axis in range(len(still))]
        return np.stack(values, axis=-1)

    location = channel("location")
    if pose.rotation_mode == "QUATERNION":
        return unitquat_to_rotmat(channel("rotation_quaternion")), location
    if pose.rotation_mode == "AXIS_ANGLE":
        angle, *axis = np.moveaxis(channel("rotation_axis_angle"), -1, 0)
        half = 0.5 * angle[:, None]
        return unitquat_to_rotmat(np.concatenate([np.cos(half), np.sin(half) * np.stack(axis, -1)], axis=-1)), location
    return _from_eulers(channel("rotation_euler"), pose.rotation_mode), location


def _from_eulers(angles: FloatArray, order: str) -> FloatArray:
    """(frames, 3, 3) of angles (frames, 3) in radians about x, y and z."""
    whole = np.tile(np.eye(3), (len(angles), 1, 1))
    for axis in ("XYZ".index(name) for name in order):
        half = 0.5 * angles[:, axis, None]
        whole = unitquat_to_rotmat(np.concatenate([np.cos(half), np.sin(half) * np.eye(3)[axis]], axis=-1)) @ whole
    return whole


def key_rig(
    armature: bpy.types.Object, keyed: Channels, bone_map: BoneMap, frames: FloatArray, name: str, metres: float
) -> bpy.types.Action:
    """Give a rig the keys of a motion, in an action of their own; the action that it had is kept.

    Args:
        armature: The object.
        keyed: What to key.
        bone_map: Whose switches are set.
        frames: (frames,) scene frames.
        name: Of the action.
        metres: For each Blender unit.
    """
    _keep_action(armature)
    action = bpy.data.actions.new(name)
    bag = bind(armature, action)
    for bone, rotations in keyed.rotations.items():
        pose = armature.pose.bones[bone]
        pose.matrix_basis.identity()
        pose.location, pose.scale = (0, 0, 0), (1, 1, 1)
        path, values = _rotation_channel(pose, rotations)
        for axis in range(values.shape[1]):
            write_keys(bag, path, axis, frames, values[:, axis], bone)
    for bone, location in keyed.locations.items():
        for axis in range(3):
            write_keys(bag, armature.pose.bones[bone].path_from_id("location"), axis, frames, location[:, axis], bone)
    for switch in bone_map.switches:
        path = _switch_path(armature, switch.bone, switch.name)
        if path:
            write_keys(bag, path, 0, frames[:1], np.array([switch.value]), switch.bone, "CONSTANT")
    if keyed.places is not None and keyed.headings is not None:
        _key_object(armature, bag, keyed.places / metres, keyed.headings, frames)
    return action


def _keep_action(armature: bpy.types.Object) -> None:
    """An action that nothing else uses would be lost with the file's next save."""
    animation = armature.animation_data
    if animation is not None and animation.action is not None and animation.action.users == 1:
        animation.action.use_fake_user = True


def _rotation_channel(pose: Any, rotations: FloatArray) -> tuple[str, FloatArray]:
    """The path of the rotation that a bone has, and its values (frames, 3 or 4)."""
    if pose.rotation_mode == "QUATERNION":
        return pose.path_from_id("rotation_quaternion"), steady_quaternions(rotations)
    if pose.rotation_mode == "AXIS_ANGLE":
        quats = steady_quaternions(rotations)
        sine = np.linalg.norm(quats[:, 1:], axis=1, keepdims=True)
        axis = np.where(sine > 1e-9, quats[:, 1:] / np.maximum(sine, 1e-9), [0.0, 1.0, 0.0])
        return pose.path_from_id("rotation_axis_angle"), np.concatenate([2 * np.arctan2(sine, quats[:, :1]), axis], axis=1)
    return pose.path_from_id("rotation_euler"), eulers(rotations, pose.rotation_mode)


def _switch_path(armature: bpy.types.Object, bone: str, name: str) -> str:
    """The path of a custom property, or of a constraint's influence; nothing where there is none."""
    pose = armature.pose.bones.get(bone)
    if pose is None:
        return ""
    if name in pose.constraints:
        return pose.constraints[name].path_from_id("influence")
    return f'{pose.path_from_id()}["{bpy.utils.escape_identifier(name)}"]' if name in pose else ""


def _key_object(armature: bpy.types.Object, bag: Any, places: FloatArray, headings: FloatArray, frames: FloatArray) -> None:
    """Key the object itself: moved from where it stands, and turned about the vertical, before its own rotation."""
    start = np.array(armature.matrix_world, dtype=float)
    above = np.array((armature.parent.matrix_world if armature.parent else armature.matrix_world.Identity(4)), dtype=float)
    above = above @ np.array(armature.matrix_parent_inverse, dtype=float) if armature.parent else above
    turned = np.tile(np.eye(4), (len(frames), 1, 1))
    turned[:, 0, 0], turned[:, 0, 1] = np.cos(headings), -np.sin(headings)
    turned[:, 1, 0], turned[:, 1, 1] = np.sin(headings), np.cos(headings)
    turned[:, :3, 3] = places + start[:3, 3] - np.einsum("fab,b->fa", turned[:, :3, :3], start[:3, 3])
    local = np.linalg.inv(above) @ turned @ start
    for axis in range(3):
        write_keys(bag, "location", axis, frames, local[:, axis, 3], "Object Transforms")
    scale = np.linalg.norm(local[:, :3, :3], axis=1, keepdims=True)
    path, values = _rotation_channel(armature, local[:, :3, :3] / scale)
    for axis in range(values.shape[1]):
        write_keys(bag, path.rpartition(".")[2], axis, frames, values[:, axis], "Object Transforms")
