# SPDX-License-Identifier: GPL-3.0-or-later
"""F-curves in bulk, read and written, the same on Blender 4.5 and 5."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

import bpy
import numpy as np

from ..model.core.take import BoolArray, FloatArray, IntArray

#: A key this close to a sample's frame, in samples, is that sample's.
NEAR = 0.05


def bind(datablock: Any, action: bpy.types.Action) -> Any:
    """Give a datablock a slot of its own in an action, and return the channelbag that holds the slot's curves."""
    animation = datablock.animation_data_create()
    leave_tweak_mode(animation)
    slot = action.slots.new(id_type=datablock.id_type, name=datablock.name)
    animation.action = action
    # Without this binding the animation silently does not play.
    animation.action_slot = slot
    return channelbag(action, slot)


def leave_tweak_mode(animation: Any) -> None:
    """Leave the NLA editor's tweak mode, in which Blender refuses another action."""
    if animation.use_tweak_mode:
        animation.use_tweak_mode = False


def play_as_keyed(datablock: Any) -> None:
    """Have a datablock's action play as it was keyed, however the one before was blended; strips below it stay as they are."""
    animation = datablock.animation_data
    animation.action_blend_type, animation.action_influence = "REPLACE", 1.0


def channelbags(action: bpy.types.Action, slot: Any) -> list[Any]:
    """The slot's curves, layer by layer."""
    bags = [strip.channelbag(slot) for layer in action.layers for strip in layer.strips]
    return [bag for bag in bags if bag is not None]


def channelbag(action: bpy.types.Action, slot: Any) -> Any:
    """The slot's curves, made where there are none yet."""
    layer = action.layers[0] if action.layers else action.layers.new("Layer")
    strip = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
    return strip.channelbag(slot, ensure=True)


def bound_channelbag(datablock: Any) -> Any | None:
    """The curves that animate a datablock now, or None."""
    animation = datablock.animation_data
    if animation is None or animation.action is None or animation.action_slot is None:
        return None
    return next(iter(channelbags(animation.action, animation.action_slot)), None)


def remove_curves(bag: Any, paths: Container[str]) -> None:
    """Remove a channelbag's curves of some data paths."""
    for curve in [curve for curve in bag.fcurves if curve.data_path in paths]:
        bag.fcurves.remove(curve)


def write_keys(bag: Any, path: str, index: int, frames: FloatArray, values: FloatArray, group: str, interpolation: Any = "LINEAR") -> Any:
    """Write one curve with a key per frame.

    Args:
        bag: A channelbag that has no such curve yet.
        frames: (keys,) ascending.
        values: (keys,).
        interpolation: One name for all keys, or (keys,) uint8 of `interpolation_code`.
    """
    curve = _new_curve(bag, path, index, group)
    count = len(frames)
    if count == 0:
        return curve
    # Contiguous arrays of Blender's own types are copied as a block; anything else is converted number by number.
    points = np.empty((count, 2), dtype=np.float32)
    points[:, 0] = frames
    points[:, 1] = values
    if isinstance(interpolation, str):
        interpolation = np.full(count, interpolation_code(interpolation), dtype=np.uint8)
    curve.keyframe_points.add(count)
    curve.keyframe_points.foreach_set("co", points.ravel())
    curve.keyframe_points.foreach_set("interpolation", interpolation)
    curve.update()
    return curve


def replace_keys(curve: Any, keys: Mapping[str, Any]) -> None:
    """Replace the keys of a curve.

    Args:
        curve: Its modifiers and its group stay.
        keys: {property of a key: flat values of all keys}; enums as numbers.
    """
    points = curve.keyframe_points
    points.clear()
    points.add(len(keys["co"]) // 2)
    for name, values in keys.items():
        points.foreach_set(name, values)
    curve.update()


def read_keys(curve: Any, names: Mapping[str, Any]) -> dict[str, Any]:
    """{property of a key: flat values of all keys}, of the properties {name: dtype}; places and handles have two numbers a key."""
    points = curve.keyframe_points
    found = {}
    for name, kind in names.items():
        found[name] = np.empty(len(points) * (2 if kind is np.float32 else 1), dtype=kind)
        points.foreach_get(name, found[name])
    return found


def write_samples(bag: Any, path: str, index: int, start: int, values: FloatArray, group: str) -> Any:
    """Write one curve as samples of consecutive whole frames: small and quick, but not editable in the Graph Editor.

    Args:
        start: Frame of the first sample.
        values: (samples,).
    """
    curve = _new_curve(bag, path, index, group)
    count = len(values)
    # Blender makes samples from keys only: one key gives as many as wanted, whose values are then replaced.
    curve.keyframe_points.insert(start, float(values[0]))
    curve.convert_to_samples(start, start + count)
    points = np.empty((count, 2), dtype=np.float32)
    points[:, 0] = np.arange(start, start + count)
    points[:, 1] = values
    curve.sampled_points.foreach_set("co", points.ravel())
    curve.update()
    return curve


def read_curve(curve: Any, frames: FloatArray) -> tuple[FloatArray, BoolArray]:
    """A curve's values on given frames.

    Args:
        frames: (frames,) evenly spaced, ascending.

    Returns:
        (frames,) values, and (frames,) True where an editable key stands on the frame.
    """
    values = np.empty(len(frames))
    keyed = np.zeros(len(frames), dtype=bool)
    known = np.zeros(len(frames), dtype=bool)
    sampled = len(curve.sampled_points) > 0
    stored = curve.sampled_points if sampled else curve.keyframe_points
    if len(stored):
        points = np.empty(2 * len(stored), dtype=np.float32)
        stored.foreach_get("co", points)
        step = frames[1] - frames[0] if len(frames) > 1 else 1.0
        place = (points[0::2].astype(float) - frames[0]) / step
        nearest = np.rint(place)
        on_frame = (np.abs(place - nearest) < NEAR) & (nearest >= 0) & (nearest < len(frames))
        target = nearest[on_frame].astype(int)
        values[target] = points[1::2][on_frame]
        known[target] = True
        if not sampled:
            keyed[target] = True
    if any(not modifier.mute for modifier in curve.modifiers):
        known[:] = False
    for frame in np.flatnonzero(~known):
        values[frame] = curve.evaluate(frames[frame])
    return values, keyed


def held_before_gaps(samples: IntArray) -> Any:
    """(samples,) uint8 interpolation of keys on samples, ascending: straight, but held before those left out."""
    codes = np.full(len(samples), interpolation_code("LINEAR"), dtype=np.uint8)
    codes[:-1][np.diff(samples) > 1] = interpolation_code("CONSTANT")
    return codes


def interpolation_code(name: str) -> int:
    return key_code("interpolation", name)


def key_code(kind: str, name: str) -> int:
    """The number of one of a key's enums, as foreach_set wants it."""
    return bpy.types.Keyframe.bl_rna.properties[kind].enum_items[name].value


def _new_curve(bag: Any, path: str, index: int, group: str) -> Any:
    if bpy.app.version >= (5, 0, 0):
        return bag.fcurves.new(path, index=index, group_name=group)
    curve = bag.fcurves.new(path, index=index)
    curve.group = bag.groups.get(group) or bag.groups.new(group)
    return curve
