# SPDX-License-Identifier: GPL-3.0-or-later
"""What animation makes of an object's channels over time: of its action alone, or of all strips of the NLA editor that are played, too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np

from ..model.core.take import FloatArray

#: {(path, index): (frames,) values}.
Played = dict[tuple[str, int], FloatArray]


def uses_nla(one: bpy.types.Object) -> bool:
    """Whether strips of the NLA editor are played, too."""
    return bool(played_strips(one))


def played_strips(one: bpy.types.Object) -> list[bpy.types.NlaStrip]:
    """The strips of the NLA editor that are played, muted ones in tracks that are not, too."""
    animation = one.animation_data
    if animation is None or not animation.use_nla:
        return []
    return [strip for track in animation.nla_tracks if not track.mute for strip in track.strips]


def strip_channelbags(strip: bpy.types.NlaStrip) -> list[Any]:
    """The curves that a strip plays; none of a strip without an action."""
    from .keyframes import channelbags

    return [] if strip.action is None or strip.action_slot is None else channelbags(strip.action, strip.action_slot)


def plays_where_keyed(strip: bpy.types.NlaStrip) -> bool:
    """Whether a strip plays its action at the frames of its keys: nobody has moved it or made it slower."""
    return strip.scale == 1.0 and strip.frame_start == strip.action_frame_start


def play_frames(strip: bpy.types.NlaStrip, first: float, last: float) -> None:
    """Have a strip play these frames of its action from where it begins; its end in the scene follows, as slow as it plays."""
    # neither goes past the other
    strip.action_frame_end, strip.action_frame_start = last, first
    strip.action_frame_end = last


def played(one: bpy.types.Object, frames: FloatArray) -> Played:
    """The values of the channels that are animated.

    Args:
        one: The object, with a pose or without one.
        frames: (frames,) scene frames, evenly spaced, ascending.
    """
    from .keyframes import bound_channelbag, read_curve

    bag = bound_channelbag(one)
    own = {(curve.data_path, curve.array_index): curve for curve in bag.fcurves} if bag is not None else {}
    if not uses_nla(one):
        return {key: read_curve(curve, frames)[0] for key, curve in own.items()}
    bags = [bag for track in one.animation_data.nla_tracks for strip in track.strips for bag in strip_channelbags(strip)]
    keys = {*own, *((curve.data_path, curve.array_index) for each in bags for curve in each.fcurves)}
    found: dict[tuple[str, int], list[float]] = {key: [] for key in sorted(keys) if _value(one, *key) is not None}
    for shown in shown_at(one, frames):
        for key, values in found.items():
            values.append(float(_value(shown, *key)))
    return {key: np.array(values) for key, values in found.items()}


def shown_at(one: bpy.types.Object, frames: FloatArray) -> Iterator[bpy.types.Object]:
    """An object as Blender evaluates it, and nothing else, in each of some scene frames (frames,); valid until the next one."""
    with alone(one) as scene:
        for frame in frames:
            scene.frame_set(int(np.floor(frame)), subframe=float(frame - np.floor(frame)))
            yield one.evaluated_get(scene.view_layers[0].depsgraph)


def _value(one: bpy.types.Object, path: str, index: int) -> Any:
    """A channel's value now; None where there is none any more."""
    try:
        value: Any = one.path_resolve(path)
    except ValueError:
        return None
    return value[index] if hasattr(value, "__len__") else value


@contextmanager
def alone(one: bpy.types.Object) -> Iterator[bpy.types.Scene]:
    """A scene that has nothing but an object, so that its frames are quickly evaluated.

    As long as it is there the object is shown, and an armature is in its pose position.
    """
    scene = bpy.data.scenes.new("Bonesetter")
    hidden, data = one.hide_viewport, one.data
    position = data.pose_position if isinstance(data, bpy.types.Armature) else None
    try:
        # what is hidden, or is held in its rest position, is not evaluated
        if hidden:
            one.hide_viewport = False
        if position == "REST":
            data.pose_position = "POSE"
        scene.collection.objects.link(one)
        yield scene
    finally:
        bpy.data.scenes.remove(scene)
        if hidden:
            one.hide_viewport = True
        if position == "REST":
            data.pose_position = "REST"
