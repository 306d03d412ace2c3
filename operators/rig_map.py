# SPDX-License-Identifier: GPL-3.0-or-later
"""The rig that a take goes onto, and its bone map, as the panel shows them and a .blend file keeps them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from ..model.core.errors import BonesetterError

if TYPE_CHECKING:
    from ..model.rigs.rig import BoneMap, Rig

TRAVEL = (
    ("HIPS", "Hips", "The bone of the hips travels; the object and a root bone stay where they are"),
    ("ROOT", "Root Bone", "The root bone goes along on the floor below the hips, as game engines want it"),
    ("OBJECT", "Object", "The object itself goes along on the floor below the hips"),
    ("PLACE", "In Place", "Nothing travels: the hips stay above where they are at rest"),
)
#: How much hands keep their reach unless told: as far as directions agree within what is promised of them.
USUAL_HANDS = 0.5


def known_map(rig: Rig, name: str) -> BoneMap:
    """The bone map of a rig, by the names of its bones or else by its shape.

    Raises:
        BonesetterError: No body is found in it.
    """
    from ..model.rigs.families import recognise
    from ..model.rigs.shape import recognise_shape

    found = recognise(rig) or recognise_shape(rig)
    if found is None:
        raise BonesetterError(f"No body was found in {name}, by its bones' names or by its shape: choose the bones in the bone map.")
    return found


def is_rig(take: Any, armature: bpy.types.Object) -> bool:
    """Whether an object can be a take's rig: an armature other than those that solves made."""
    return armature.type == "ARMATURE" and armature != take.armature


def map_of(choice: Any) -> BoneMap:
    """The bone map that the panel shows."""
    from ..model.rigs.rig import BoneMap, Switch

    bones = {each.name: tuple(json.loads(each.bones)) for each in choice.parts if each.bones and json.loads(each.bones)}
    rest = json.loads(choice.rest) if choice.rest else {}
    twists = {part: tuple(names) for part, names in rest.get("twists", {}).items()}
    switches = tuple(Switch(bone, name, value) for bone, name, value in rest.get("switches", []))
    return BoneMap(choice.family, bones, twists, choice.root, switches)


def show_map(choice: Any, bone_map: BoneMap) -> None:
    """Have the panel show a bone map."""
    from ..model.rigs.rig import PARTS

    choice.parts.clear()
    for part in PARTS:
        item = choice.parts.add()
        item.name = part
        names = list(bone_map.bones.get(part, ()))
        item.first, item.last = (names[0], names[-1]) if names else ("", "")
        # last: each of the two calls what a change by hand calls
        item.bones = json.dumps(names)
    choice.family, choice.root = bone_map.family, bone_map.root
    switches = [[one.bone, one.name, one.value] for one in bone_map.switches]
    choice.rest = json.dumps({"twists": {part: list(names) for part, names in bone_map.twists.items()}, "switches": switches})


def _chosen_rig(choice: Any, _context: bpy.types.Context) -> None:
    """Another rig was chosen: its map is shown, or an empty one."""
    from ..model.rigs.rig import BoneMap
    from .rigs import read_rig

    if choice.armature is None:
        choice.parts.clear()
        choice.family = ""
        return
    try:
        show_map(choice, known_map(read_rig(choice.armature), choice.armature.name))
    except BonesetterError:
        show_map(choice, BoneMap("", {}))
    if choice.travel == "ROOT" and not choice.root:
        choice.travel = "HIPS"


def _changed_part(item: Any, _context: bpy.types.Context) -> None:
    """The first or the last bone of a part was chosen by hand: it is they, and the bones between."""
    names = json.loads(item.bones) if item.bones else []
    if (item.first, item.last) == ((names[0], names[-1]) if names else ("", "")):
        return
    armature = _rig_of(item)
    if armature is None or not item.first:
        item.bones = "[]"
        return
    chain = [item.last or item.first]
    bones = armature.data.bones
    while chain[-1] != item.first and chain[-1] in bones and bones[chain[-1]].parent:
        chain.append(bones[chain[-1]].parent.name)
    item.bones = json.dumps(chain[::-1] if chain[-1] == item.first else [item.first])


def _rig_of(item: Any) -> Any:
    """The armature whose bones an item names."""
    path = item.path_from_id().rpartition(".parts[")[0]
    return item.id_data.path_resolve(path).armature


class BONESETTER_PG_part(bpy.types.PropertyGroup):
    """One part of the body; `name` is which."""

    first: StringProperty(name="Bone", description="The bone, or the first of several", update=_changed_part)
    last: StringProperty(name="Last Bone", description="The last of several bones that share the part", update=_changed_part)
    bones: StringProperty(description="All of them, as JSON")


class BONESETTER_PG_applied(bpy.types.PropertyGroup):
    """A rig that the take went onto, and how."""

    armature: PointerProperty(type=bpy.types.Object)
    result: StringProperty(description="Of which solve")
    travel: EnumProperty(items=TRAVEL)
    on_nla: BoolProperty()
    hands: FloatProperty(default=USUAL_HANDS)
    bone_map: StringProperty(description="Its bone map as JSON")


class BONESETTER_PG_rig(bpy.types.PropertyGroup):
    """The rig that a take goes onto."""

    armature: PointerProperty(
        type=bpy.types.Object,
        name="Rig",
        description="Your character's armature: any humanoid",
        poll=lambda choice, one: is_rig(choice.id_data.bonesetter, one),
        update=_chosen_rig,
    )
    family: StringProperty(name="Family", description="What kind of rig it was recognised as")
    parts: CollectionProperty(type=BONESETTER_PG_part)
    part: IntProperty(name="Part", description="Which bone is which part of the body")
    root: StringProperty(name="Root", description="The bone on the floor that carries the whole character")
    rest: StringProperty(description="Bones that share a twist, and switches, as JSON")
    travel: EnumProperty(name="Motion On", items=TRAVEL, description="What carries the character over the floor")
    on_nla: BoolProperty(
        name="On the NLA",
        description="Put the action on a track of the NLA editor that is called as the take, below what is keyed by hand",
    )
    hands: FloatProperty(
        name="Hands",
        description="How much hands keep their reach where arms or trunk have other proportions than the actor's: 0 leaves arms as the "
        "actor's point, 0.5 turns them by up to 4° for it, 1 by whatever it takes",
        default=USUAL_HANDS,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    applied: CollectionProperty(type=BONESETTER_PG_applied)


CLASSES = (BONESETTER_PG_part, BONESETTER_PG_applied, BONESETTER_PG_rig)
