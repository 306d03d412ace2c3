# SPDX-License-Identifier: GPL-3.0-or-later
"""When the feet of a solved take stand: keys that the solve sets, the user edits, and the next holding of feet goes by.

They are custom properties of the armature's data, which has an action of its own: layers of the pose, and exporters, know nothing of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
import numpy as np

from ..model.core.take import BoolArray
from .space import Timing
from .takes import timing_of

if TYPE_CHECKING:
    from ..model.core.skeleton import Skeleton
    from ..model.files.exchange import SolvedPose
    from ..model.result.solved import Stance

#: Custom properties of a take's collection: {property of the armature's data: its foot}, and the take before its feet were held.
FEET, UNHELD = "feet", "unheld"
Spans = list[list[int]]


def key_contacts(collection: bpy.types.Collection, pose: SolvedPose) -> None:
    """Key on the armature's data when each foot stands, in place of what was keyed before."""
    if pose.markers is None:
        return
    data, timing = collection.bonesetter.armature.data, timing_of(collection)
    names = _names(pose.skeleton, pose.markers.feet)
    collection[FEET] = json.dumps(names)
    for name, foot in names.items():
        write_contact(data, name, stood(pose.markers.stances, foot, timing.samples), timing, collection.name)
    facts = collection.bonesetter
    facts.has_floor = pose.markers.floor_m is not None
    facts.floor_mm = 1000 * (pose.markers.floor_m or 0.0)


def write_contact(data: bpy.types.Armature, name: str, stands: BoolArray, timing: Timing, take: str) -> None:
    """Key one foot's contacts, (samples,), where they begin and end."""
    from .keyframes import bind, bound_channelbag, remove_curves, write_keys

    if name not in data:
        data[name] = False
        data.id_properties_ui(name).update(description="Whether this foot stands: edit its keys, then press Hold Feet Again")
    bag = bound_channelbag(data)
    if bag is None:
        animation = data.animation_data
        action = animation.action if animation is not None and animation.action is not None else bpy.data.actions.new(f"{take} Contacts")
        bag = bind(data, action)
    path = f'["{bpy.utils.escape_identifier(name)}"]'
    remove_curves(bag, {path})
    changes = np.concatenate([[0], np.flatnonzero(np.diff(stands)) + 1])
    write_keys(bag, path, 0, timing.frames[changes], stands[changes].astype(float), "Contacts", "CONSTANT")
    data.update_tag()


def read_contact(collection: bpy.types.Collection, name: str) -> BoolArray | None:
    """(samples,) whether a foot stands as its keys say now; None where it has neither keys nor the property."""
    from .keyframes import bound_channelbag, read_curve

    armature, timing = collection.bonesetter.armature, timing_of(collection)
    if armature is None or name not in armature.data:
        return None
    path = f'["{bpy.utils.escape_identifier(name)}"]'
    bag = bound_channelbag(armature.data)
    for curve in bag.fcurves if bag is not None else ():
        if curve.data_path == path:
            return read_curve(curve, timing.frames)[0] >= 0.5
    return np.full(timing.samples, bool(armature.data[name]))


def rekey_contacts(collection: bpy.types.Collection, given: Iterable[str]) -> None:
    """Key the contacts of the solve, but not of the feet whose contacts are the user's."""
    from .solved import solved_of

    solved, timing = solved_of(collection), timing_of(collection)
    for name, foot in feet_of(collection).items():
        if solved is not None and foot not in given:
            write_contact(collection.bonesetter.armature.data, name, stood(solved.stances, foot, timing.samples), timing, collection.name)


def feet_of(collection: bpy.types.Collection) -> dict[str, str]:
    """{property of the armature's data: foot} of a solved take."""
    return json.loads(collection.get(FEET, "{}"))


def given_stands(collection: bpy.types.Collection) -> dict[str, Spans]:
    """{foot: first and last sample of each stretch in which it stands} of the feet whose contacts the user edited, now or before."""
    from ..model.core.stretches import stretches
    from .solved import solved_of

    solved, before = solved_of(collection), collection.bonesetter.contacts_given.split("\n")
    found: dict[str, Spans] = {}
    for name, foot in feet_of(collection).items():
        stands = read_contact(collection, name)
        if stands is None or solved is None:
            continue
        if foot in before or (stands != stood(solved.stances, foot, len(stands))).any():
            found[foot] = [[start, end - 1] for start, end in stretches(stands).tolist()]
    return found


def note_given(collection: bpy.types.Collection, feet: Iterable[str]) -> None:
    """Remember whose contacts are the user's: the next solve goes by them again."""
    collection.bonesetter.contacts_given = "\n".join(feet)


def stood(stances: Iterable[Stance], foot: str, samples: int) -> BoolArray:
    """(samples,) whether any part of a foot stands."""
    flags = np.zeros(samples, dtype=bool)
    for stance in stances:
        if stance.foot == foot:
            flags[max(0, stance.first) : stance.last + 1] = True
    return flags


def keep_unheld(collection: bpy.types.Collection, path: Path) -> None:
    """Keep what holding the feet again takes, as the engine wrote it."""
    if path.is_file():
        collection[UNHELD] = path.read_bytes()
        path.unlink()


def _names(skeleton: Skeleton, feet: Iterable[str]) -> dict[str, str]:
    """{property: foot}: by the side of the body, whose left is +x in the zero pose; by its own name where there are more of a side."""
    names: dict[str, str] = {}
    for foot in feet:
        side = "left" if skeleton.zero_places[skeleton.joints.index(foot), 0] > 0 else "right"
        name = f"{side}_contact"
        names[name if name not in names else f"{foot}_contact"] = foot
    return names
