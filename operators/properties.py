# SPDX-License-Identifier: GPL-3.0-or-later
"""What Bonesetter stores in a .blend file: a take's facts and settings, on its collection; the settings of takes to come, on the scene."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from math import isfinite
from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ..model.core.axes import AXES
from ..model.core.settings import SETTINGS, Setting, Settings
from ..model.rigs.choices import NAMES, REST_POSES, SKELETONS
from .cleanup_options import BONESETTER_PG_cleanup
from .others import apply_choice
from .rig_map import CLASSES as RIG
from .rig_map import BONESETTER_PG_rig

#: Blender keeps whole numbers in 32 bits.
LARGEST_INT = 2**31 - 1


class BONESETTER_PG_flagged(bpy.types.PropertyGroup):
    """One marker's samples that the noise filter flagged; `name` is the label."""

    count: IntProperty(name="Samples", description="Samples taken for noise")
    reasons: StringProperty(name="Reasons", description="Samples per reason")


class BONESETTER_PG_finding(bpy.types.PropertyGroup):
    """One thing that the user should know of a take; `name` is the sentence."""

    kind: StringProperty(name="Kind")
    document: StringProperty(description="The whole finding as JSON, its frames those of the scene")
    read: BoolProperty(description="Found as the file was read")
    somewhere: BoolProperty(description="It has frames, markers or bones to go to")
    short: StringProperty(description="The finding in a few words")
    gravity: IntProperty(description="The smaller, the more it matters to the motion")
    corrects: BoolProperty(description="Labels that the solver put right")


class BONESETTER_PG_actor_marker(bpy.types.PropertyGroup):
    """Where a marker sits on an actor; `name` is its label."""

    joint: StringProperty(name="Bone", description="The joint that carries it")
    place_mm: FloatVectorProperty(description="From that joint in the zero pose, in mm: to the left, up, ahead")
    sigma_mm: FloatProperty(description="How sure that is, a standard deviation in mm; 0 where it is not known")


class BONESETTER_PG_actor(bpy.types.PropertyGroup):
    """What the panel shows of an actor that is kept in the .blend as a text; the text itself is the actor's JSON."""

    is_actor: BoolProperty()
    height_m: FloatProperty(description="Of the skeleton as it stands in the rest pose")
    markers: CollectionProperty(type=BONESETTER_PG_actor_marker)
    marker: IntProperty(name="Marker", description="Where each marker sits on the actor")


def is_actor(_settings: Any, text: bpy.types.Text) -> bool:
    """Whether a text is an actor."""
    return text.bonesetter.is_actor


def _begin_with_actor(properties: Any, context: bpy.types.Context) -> None:
    """Takes that are imported next begin with the actor that was chosen last."""
    context.scene.bonesetter.kept_actor = properties.kept_actor


#: An actor that is kept in the .blend: the name of the property, of takes and of scenes, that points to it.
KEPT_ACTOR = "kept_actor"
KEPT = {
    "type": bpy.types.Text,
    "name": "Actor",
    "description": "The person of this take, as calibrated before; empty to fit an actor to the take itself. Takes that are imported next "
    "begin with the same one",
    "poll": is_actor,
}


def _show_finding(properties: Any, context: bpy.types.Context) -> None:
    # not above: findings know takes, and takes these properties
    from .findings import chosen_in_list

    chosen_in_list(properties, context)


class BONESETTER_PG_take(bpy.types.PropertyGroup):
    """A take and the result of its last solve."""

    is_take: BoolProperty()
    made_by: StringProperty(name="Made By", description="The version of Bonesetter that imported or solved it last")
    path: StringProperty(name="File", description="The file that was imported", subtype="FILE_PATH")
    together: StringProperty(description="What the takes of several people of one file have in common")
    rate_hz: FloatProperty(name="Rate", description="Samples per second")
    frames: IntProperty(name="Frames", description="Samples in the take")
    units_per_metre: FloatProperty(description="Blender units for a metre, as it was imported; 0 where an older version imported it")
    up_axis: EnumProperty(name="Up Axis", items=tuple((axis, axis, f"{axis} is up in the file") for axis in AXES))
    frame_start: FloatProperty(name="Scene Frame", description="Scene frame of the first sample")
    frame_step: FloatProperty(name="Frame Step", description="Scene frames per sample", default=1.0)
    armature: PointerProperty(type=bpy.types.Object, name="Armature", description="The armature that Solve Markers made")
    kept_actor: PointerProperty(update=_begin_with_actor, **KEPT)
    solved_skeleton: StringProperty(description="The bones that the armature has, as JSON; nothing for CMU's")
    shown: StringProperty(default="SHOW", description="How it was last shown beside others, as in the scene's `others`")
    solved: BoolProperty()
    result: StringProperty(description="Another one after each solve")
    solved_markers: StringProperty(description="A digest of the markers that the result is of")
    solved_settings: StringProperty(description="The settings that the result was made with")
    rig: PointerProperty(type=BONESETTER_PG_rig)
    cleanup: PointerProperty(type=BONESETTER_PG_cleanup)
    cleaned: BoolProperty(description="The armature's keys were thinned since the whole take was solved")
    solved_actor: StringProperty(description="The actor of the last solve, as in an actor's file: ranges are solved with it")
    contacts_given: StringProperty(description="Feet whose contacts are the user's, one a line")
    has_floor: BoolProperty()
    floor_mm: FloatProperty(description="Height at which the lowest ends of the feet's bones are while they stand")
    solved_ranges: StringProperty(description="Ranges of frames that were solved again since the whole take was")
    solved_keys: StringProperty(description="A digest of each bone's keys as they were written")
    solved_action: PointerProperty(type=bpy.types.Action, description="The action that a solve wrote, wherever it is played now")
    solved_slot: IntProperty(description="The handle of its slot in that; 0 where an older version solved the take")
    seconds: FloatProperty(name="Seconds", description="Time from the press of the button to the keyframes")
    residual_mean: FloatProperty(name="Mean", description="Mean distance between measured and solved markers, in mm")
    residual_p95: FloatProperty(name="95 %", description="95 of 100 samples are nearer than this, in mm")
    flagged: CollectionProperty(type=BONESETTER_PG_flagged)
    findings: CollectionProperty(type=BONESETTER_PG_finding)
    finding: IntProperty(
        name="Finding",
        description="What was found out about the take: a click goes to the frames and selects the markers",
        update=_show_finding,
    )


def _is_take(_settings: Any, collection: bpy.types.Collection) -> bool:
    return collection.bonesetter.is_take


class BONESETTER_PG_scene(bpy.types.PropertyGroup):
    """What belongs to a scene: the take to work on and, under their names in `Settings`, the settings with which new takes begin."""

    take: PointerProperty(
        type=bpy.types.Collection,
        name="Take",
        description="The take that was chosen last, to work on where the active object belongs to none",
        poll=_is_take,
    )
    kept_actor: PointerProperty(**KEPT)
    show_overlay: BoolProperty(
        name="Overlay", description="Draw markers in the colour of their state, and the strip, in the viewport", default=True
    )
    show_sticks: BoolProperty(name="Sticks", description="Join the markers of each rigid part of the body", default=True)
    show_names: BoolProperty(name="Names", description="Name the markers that are selected, and the one under the mouse", default=True)
    show_trails: BoolProperty(name="Trails", description="Draw the ways of the markers that are selected", default=True)
    trail_seconds: FloatProperty(
        name="Trail (s)", description="How long before and after the current frame a trail reaches", default=0.5, min=0.0, soft_max=5.0
    )
    show_places: BoolProperty(
        name="Marker Places",
        description="Draw where the actor of the last solve carries each marker, with a line from the joint",
        default=False,
    )
    show_strip: BoolProperty(
        name="Strip",
        description="Draw gaps, flags, contacts and residuals over all frames at the lower edge; click to go there",
        default=True,
    )
    others: EnumProperty(
        name="Other Takes",
        description="How the scene's other takes look, which stand where the one that is worked on stands",
        items=(
            ("SHOW", "Shown", "Every take as it is", "HIDE_OFF", 0),
            ("DIM", "Dimmed", "Armatures as wires, and no markers", "SHADING_WIRE", 1),
            ("HIDE", "Hidden", "Only the take that is worked on", "HIDE_ON", 2),
        ),
        default="DIM",
        update=apply_choice,
    )


def property_of(setting: Setting, update: Callable[[Any, bpy.types.Context], None] | None = None) -> Any:
    """Blender's property for a setting, and what it calls where that is changed."""
    told: dict[str, Any] = {
        "name": f"{setting.label} ({setting.unit})" if setting.unit else setting.label,
        "description": setting.help,
        "default": setting.default,
        "update": update,
    }
    if setting.kind is bool:
        return BoolProperty(**told)
    if setting.choices:
        return EnumProperty(items=setting.choices, **told)
    if setting.kind is str:
        return StringProperty(**told)
    whole = setting.kind is int
    for limit, number in (("min", setting.low), ("max", setting.high), ("soft_max", setting.slider_high)):
        if number is not None and isfinite(number):
            told[limit] = min(int(number), LARGEST_INT) if whole else number
    if setting.bounded and not setting.unit:
        told["subtype"] = "FACTOR"
    if whole:
        return IntProperty(**told)
    if setting.step is not None:
        # Blender counts steps in hundredths
        told["step"] = round(100 * setting.step)
    return FloatProperty(precision=setting.decimals, **told)


#: Settings that the panel shows: each take has its own, and the scene those with which new takes begin.
SHOWN = {name: setting for name, setting in SETTINGS.items() if setting.shown}
#: Those of the noise filter.
THRESHOLDS = tuple(name for name, setting in SHOWN.items() if setting.group == "markers")

#: Files that a take is solved with, under their names in a request to the engine: what the panel calls each, and its description.
FILES = {
    "layout": ("Marker Set", "A marker-set file of your own; empty for the bundled set that knows most of the labels"),
    "actor": ("Actor", "An actor file that was saved from another take of the same person; empty to fit one to this take"),
}

#: On which bones a take is solved. A take that an earlier version solved stays on CMU's; new ones begin as the scene has it.
SKELETON = ("skeleton", "rest_pose", "bone_names")


def _skeleton_properties(kind: str) -> dict[str, Any]:
    return {
        "skeleton": EnumProperty(name="Skeleton", description="The bones that Solve Markers makes", items=SKELETONS, default=kind),
        "rest_pose": EnumProperty(name="Rest Pose", description="How the armature rests", items=REST_POSES, default="t"),
        "bone_names": EnumProperty(
            name="Names", description="What the bones are called; those that you renamed keep their names", items=NAMES, default="blender"
        ),
    }


BONESETTER_PG_scene.__annotations__ |= _skeleton_properties("production")
BONESETTER_PG_take.__annotations__ |= _skeleton_properties("cmu")


def _begin_at_found_floor(properties: Any, _context: bpy.types.Context) -> None:
    """A floor that is set begins where it was found."""
    if properties.set_floor and properties.floor == 0 and getattr(properties, "has_floor", False):
        properties.floor = properties.floor_mm


#: What Blender calls where a setting is changed, by its name.
UPDATES = {"set_floor": _begin_at_found_floor}
for _group in (BONESETTER_PG_scene, BONESETTER_PG_take):
    _group.__annotations__ |= {name: property_of(setting, UPDATES.get(name)) for name, setting in SHOWN.items()}
    _group.__annotations__ |= {
        name: StringProperty(name=label, description=said, subtype="FILE_PATH") for name, (label, said) in FILES.items()
    }


def settings_of(owner: bpy.types.Scene | bpy.types.Collection) -> Settings:
    """The engine's settings as the panel shows them of a take, or of a scene; what the panel does not show keeps its default."""
    properties = owner.bonesetter
    return _settings(tuple(getattr(properties, name) for name in SHOWN))


@lru_cache(maxsize=64)
def _settings(shown: tuple[Any, ...]) -> Settings:
    # kept, because every redraw asks
    # Blender stores single precision: rounded, a default in the panel is the very number that the shell uses.
    return Settings(**{name: round(value, 6) if isinstance(value, float) else value for name, value in zip(SHOWN, shown, strict=True)})


def files_of(collection: bpy.types.Collection) -> dict[str, str]:
    """{name in `FILES`: whole path} of the files that a take is solved with: not of an actor where one in the .blend is chosen."""
    chosen = {name: getattr(collection.bonesetter, name).strip() for name in FILES}
    if collection.bonesetter.kept_actor is not None:
        chosen["actor"] = ""
    return {name: bpy.path.abspath(path) for name, path in chosen.items() if path}


def copy_settings(source: Any, target: Any, names: Iterable[str] = (*SHOWN, *FILES, KEPT_ACTOR, *SKELETON)) -> None:
    """Give a take or a scene the settings of another, of these names."""
    for name in names:
        setattr(target.bonesetter, name, getattr(source.bonesetter, name))


CLASSES = (
    *RIG,
    BONESETTER_PG_cleanup,
    BONESETTER_PG_actor_marker,
    BONESETTER_PG_actor,
    BONESETTER_PG_flagged,
    BONESETTER_PG_finding,
    BONESETTER_PG_take,
    BONESETTER_PG_scene,
)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Collection.bonesetter = PointerProperty(type=BONESETTER_PG_take)
    bpy.types.Scene.bonesetter = PointerProperty(type=BONESETTER_PG_scene)
    bpy.types.Text.bonesetter = PointerProperty(type=BONESETTER_PG_actor)


def unregister() -> None:
    del bpy.types.Text.bonesetter
    del bpy.types.Scene.bonesetter
    del bpy.types.Collection.bonesetter
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
