# SPDX-License-Identifier: GPL-3.0-or-later
"""A take in Blender: a collection that knows it is one, with an empty per marker that knows its label."""

from __future__ import annotations

from typing import Any

import bpy

from ..model.take import BonesetterError
from .space import Space, Timing

#: Custom properties of a marker's empty. The label stands there because Blender changes names that repeat or are too long.
LABEL = "label"
#: 1 while the marker is missing, 0 while it is there.
GAP = "gap"
#: One number per sample, in mm, as the cameras measured it; only where the file has any.
RESIDUAL = "residual_mm"


def active_take(context: bpy.types.Context) -> bpy.types.Collection | None:
    """The take to work on: of the active object, else the active collection, else the one chosen in the panel."""
    candidates: list[Any] = []
    active = context.object
    if active is not None:
        candidates += active.users_collection
        # An armature may have been moved out of its take's collection.
        candidates += [one for one in bpy.data.collections if one.bonesetter.armature == active]
    if context.collection is not None:
        candidates.append(context.collection)
    candidates.append(context.scene.bonesetter.take)
    in_scene = context.scene.collection.children_recursive
    return next((one for one in candidates if one is not None and one.bonesetter.is_take and one in in_scene), None)


def find_take(session_uid: int) -> bpy.types.Collection:
    """A take again after time has passed, in which the user may have deleted it.

    Raises:
        BonesetterError: It is gone.
    """
    for collection in bpy.data.collections:
        if collection.session_uid == session_uid and collection.bonesetter.is_take and markers(collection):
            return collection
    raise BonesetterError("The take was deleted while it was being solved: nothing was changed.")


def markers(collection: bpy.types.Collection) -> dict[str, bpy.types.Object]:
    """{label: empty} of a take; of copies that share a label, the first."""
    found: dict[str, bpy.types.Object] = {}
    for marker in collection.objects:
        if marker.type == "EMPTY" and isinstance(label := marker.get(LABEL), str):
            found.setdefault(label, marker)
    return found


def space_of(collection: bpy.types.Collection, scene: bpy.types.Scene) -> Space:
    return Space(collection.bonesetter.up_axis, 1.0 / scene.unit_settings.scale_length)


def timing_of(collection: bpy.types.Collection) -> Timing:
    take = collection.bonesetter
    return Timing(take.frame_start, take.frame_step, take.frames)
