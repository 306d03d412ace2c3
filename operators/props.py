# SPDX-License-Identifier: GPL-3.0-or-later
"""Props to Blender: an empty for each object that markers sit on and nobody wears, with keyed location and rotation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import bpy
import numpy as np

from ..model.core.take import FloatArray
from .space import Space, Timing
from .takes import people_with, placing_parent, space_of, timing_of

if TYPE_CHECKING:
    from ..model.result.solved import SolvedProp

#: Custom properties of a prop's empty: its name, whatever the user calls the empty, and its markers.
PROP, PROP_MARKERS = "prop", "prop_markers"
#: How long its axes are drawn, in m.
AXES = 0.2
#: The channels that a solve owns.
OWNED = ("location", "rotation_quaternion")


def props_of(collection: bpy.types.Collection) -> dict[str, bpy.types.Object]:
    """{name: empty} of the props of a take."""
    return {one[PROP]: one for one in collection.all_objects if one.type == "EMPTY" and PROP in one}


def apply_props(scene: bpy.types.Scene, collection: bpy.types.Collection, props: Sequence[SolvedProp]) -> None:
    """Key a take's props: on the empties of the last solve as far as these are of the same names; the others of it go.

    Points without names are in the takes of all people of a file, so a prop that another of them has is left to that.
    """
    from .keyframes import bind, bound_channelbag

    others = {one[PROP_MARKERS] for take in people_with(scene, collection)[1:] for one in props_of(take).values()}
    known, action = props_of(collection), None
    space, timing, parent = space_of(collection, scene).own, timing_of(collection), placing_parent(collection)
    wanted = [prop for prop in props if ", ".join(prop.labels) not in others]
    for gone in [one for name, one in known.items() if name not in {prop.name for prop in wanted}]:
        bpy.data.objects.remove(gone)
    for prop in wanted:
        empty = known.get(prop.name) or _new_empty(collection, prop.name, space)
        empty[PROP_MARKERS] = ", ".join(prop.labels)
        bag = bound_channelbag(empty)
        if bag is None:
            action = action or bpy.data.actions.new(f"{collection.name} Props")
            bag = bind(empty, action)
        if parent is not None:
            # what places the take as a whole places its props, too
            empty.parent = parent
            empty.matrix_parent_inverse = collection.bonesetter.armature.matrix_parent_inverse
        _key(bag, empty, prop, space, timing)


def _new_empty(collection: bpy.types.Collection, name: str, space: Space) -> bpy.types.Object:
    empty = bpy.data.objects.new(name, None)
    empty[PROP] = name
    empty.empty_display_type = "ARROWS"
    empty.empty_display_size = AXES * space.units_per_metre
    collection.objects.link(empty)
    return empty


def _key(bag: Any, empty: bpy.types.Object, prop: SolvedProp, space: Space, timing: Timing) -> None:
    """Replace the keys of location and rotation."""
    from .keyframes import held_before_gaps, remove_curves, write_keys

    remove_curves(bag, OWNED)
    empty.rotation_mode = "QUATERNION"
    kept = np.flatnonzero(prop.keyed)
    frames, between = timing.frames[kept], held_before_gaps(kept)
    for path, values in zip(OWNED, channels(prop, space), strict=True):
        for axis in range(values.shape[1]):
            write_keys(bag, path, axis, frames, values[kept, axis], path.split("_")[0].capitalize(), between)


def channels(prop: SolvedProp, space: Space) -> tuple[FloatArray, FloatArray]:
    """Locations (frames, 3) in Blender units, and rotations (frames, 4), quaternions w x y z that never change sign between frames.

    An object has Blender's axes where the prop has the take's.
    """
    from ..model.core.rigid import steady
    from ..model.core.rotations import rotmat_to_unitquat, unitquat_product

    turn = rotmat_to_unitquat(space.turn[None])[0]
    rotations = unitquat_product(unitquat_product(turn, prop.rotations), turn * np.array([1.0, -1.0, -1.0, -1.0]))
    return space.to_blender(prop.positions), steady(rotations)
