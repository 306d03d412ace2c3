# SPDX-License-Identifier: GPL-3.0-or-later
"""A take in Blender: a collection that knows it is one, with an empty per marker that knows its label.

The markers have a collection of their own in the take's, so that they and the armature can be hidden apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy
import numpy as np

from ..model.core.errors import BonesetterError
from .space import Space, Timing

if TYPE_CHECKING:
    from ..model.core.take import FloatArray

#: A matrix with a smaller determinant has no inverse.
SMALLEST = 1e-12
#: Custom properties of a marker's empty. The label stands there because Blender changes names that repeat or are too long.
LABEL = "label"
#: Custom property of a bone: the joint that it stands for, whatever the user calls the bone.
JOINT = "joint"
#: Custom property of a bone: the name that it was given, so that one which the user gave is told from it.
NAMED = "named"
#: 1 while the marker is missing, 0 while it is there.
GAP = "gap"
#: One number per sample, in mm, as the cameras measured it; only where the file has any.
RESIDUAL = "residual_mm"
#: Custom property of a marker that a solve leaves out.
MUTED = "muted"
#: First and last sample of each stretch, one behind the other, that the user says is right.
PINNED = "pinned"


def active_take(context: bpy.types.Context) -> bpy.types.Collection | None:
    """The take to work on, which the panel shows: of the active object, else of the active collection, else the last one chosen."""
    takes = takes_of(context.scene)
    active, collection = context.object, context.collection
    if active is not None:
        # An armature may have been moved out of its take's collection.
        for take in takes:
            if take.bonesetter.armature == active or active.name in take.all_objects:
                return take
    if collection is not None:
        for take in takes:
            if collection == take or collection in take.children_recursive:
                return take
    chosen = context.scene.bonesetter.take
    return chosen if chosen in takes else None


def takes_of(scene: bpy.types.Scene) -> list[bpy.types.Collection]:
    """The takes of a scene, in its own order."""
    return [one for one in scene.collection.children_recursive if one.bonesetter.is_take]


def people_with(scene: bpy.types.Scene, take: bpy.types.Collection) -> list[bpy.types.Collection]:
    """A take, and behind it those of the other people who were imported with it."""
    together = take.bonesetter.together
    others = [one for one in takes_of(scene) if one != take and together and one.bonesetter.together == together and markers(one)]
    return [take, *others]


def choose_take(context: bpy.types.Context, take: bpy.types.Collection) -> None:
    """Make a take the one to work on, by making its armature or its first marker the active object."""
    context.scene.bonesetter.take = take
    layer, mode = context.view_layer, context.mode
    if mode != "OBJECT" and active_take(context) != take:
        bpy.ops.object.mode_set(mode="OBJECT")
    for one in layer.objects.selected:
        one.select_set(False)
    objects = [take.bonesetter.armature, *markers(take).values()]
    shown = [one for one in objects if one is not None and one.name in layer.objects]
    layer.objects.active = shown[0] if shown else None
    if shown and shown[0].visible_get():
        shown[0].select_set(True)
    home = layer_collection(layer.layer_collection, take)
    if home is not None and not home.exclude:
        layer.active_layer_collection = home


def layer_collection(parent: bpy.types.LayerCollection, collection: bpy.types.Collection) -> bpy.types.LayerCollection | None:
    """Where a collection stands in a view layer, at or below another one."""
    if parent.collection == collection:
        return parent
    return next((found for child in parent.children if (found := layer_collection(child, collection))), None)


def find_take(session_uid: int) -> bpy.types.Collection:
    """A take again after time has passed, in which the user may have deleted it.

    Raises:
        BonesetterError: It is gone.
    """
    for collection in bpy.data.collections:
        if collection.session_uid == session_uid and collection.bonesetter.is_take and markers(collection):
            return collection
    raise BonesetterError("The take was deleted while it was being solved: nothing was changed.")


def scene_of(collection: bpy.types.Collection, shown: bpy.types.Scene) -> bpy.types.Scene:
    """The scene that a take lies in, of several the one that is shown: while it was being solved another may have been chosen.

    Raises:
        BonesetterError: It lies in none.
    """
    for scene in (shown, *bpy.data.scenes):
        if collection in takes_of(scene):
            return scene
    raise BonesetterError("The take was deleted while it was being solved: nothing was changed.")


def markers(collection: bpy.types.Collection) -> dict[str, bpy.types.Object]:
    """{label: empty} of a take; of copies that share a label, the first."""
    found: dict[str, bpy.types.Object] = {}
    # in the file's order, which `all_objects` does not keep
    for marker in (one for home in (collection, *collection.children_recursive) for one in home.objects):
        if marker.type == "EMPTY" and isinstance(label := marker.get(LABEL), str):
            found.setdefault(label, marker)
    return found


def ask_for_own(collection: bpy.types.Collection) -> None:
    """Do nothing if a take is this file's own.

    Raises:
        BonesetterError: It is linked, or overrides a linked one: Blender does not keep what is changed there.
    """
    if collection.library is not None or collection.override_library is not None:
        raise BonesetterError(
            f"{collection.name} is linked from another file: change it there, or make it local (Object > Relations > Make Local > All)."
        )


def keep_numbers(owner: Any, name: str, numbers: FloatArray) -> None:
    """Store numbers of any shape as a custom property, in single precision and one row."""
    if name in owner:
        # Blender, up to 5.2, writes a shorter array over the memory of a longer one, and crashes later
        del owner[name]
    owner[name] = np.ascontiguousarray(numbers, dtype=np.float32).ravel()


def space_of(collection: bpy.types.Collection, scene: bpy.types.Scene) -> Space:
    """Where a take lies in a scene now."""
    parent, armature, placed = placing_parent(collection), collection.bonesetter.armature, None
    if parent is not None:
        matrix = parent.matrix_world @ armature.matrix_parent_inverse
        # a parent of no size places nothing
        placed = np.array(matrix, dtype=float) if abs(matrix.determinant()) > SMALLEST else None
    # another Unit Scale later on changes what a unit is called, and not where anything is
    units = collection.bonesetter.units_per_metre or 1.0 / scene.unit_settings.scale_length
    return Space(collection.bonesetter.up_axis, units, placed)


def placing_parent(collection: bpy.types.Collection) -> bpy.types.Object | None:
    """The object that markers and armature are both parented to, so that the take is placed in the scene as a whole; None for none.

    What it does to the markers it does to the armature, too, and is nothing that a solve has to follow.
    """
    armature = collection.bonesetter.armature
    if armature is None or armature.parent is None or armature.parent_type != "OBJECT":
        return None
    return armature.parent if any(marker.parent == armature.parent for marker in markers(collection).values()) else None


def timing_of(collection: bpy.types.Collection) -> Timing:
    take = collection.bonesetter
    return Timing(take.frame_start, take.frame_step, take.frames)
