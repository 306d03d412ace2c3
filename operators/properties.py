# SPDX-License-Identifier: GPL-3.0-or-later
"""What Bonesetter stores in a .blend file: about a take, on its collection; the user's thresholds, on the scene."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ..model.core.settings import Settings

DEFAULTS = Settings()


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


class BONESETTER_PG_take(bpy.types.PropertyGroup):
    """A take and the result of its last solve."""

    is_take: BoolProperty()
    path: StringProperty(name="File", description="The file that was imported", subtype="FILE_PATH")
    rate_hz: FloatProperty(name="Rate", description="Samples per second")
    frames: IntProperty(name="Frames", description="Samples in the take")
    up_axis: EnumProperty(name="Up Axis", items=(("Y", "Y", "Y is up in the file"), ("Z", "Z", "Z is up in the file")))
    frame_start: FloatProperty(name="Scene Frame", description="Scene frame of the first sample")
    frame_step: FloatProperty(name="Frame Step", description="Scene frames per sample", default=1.0)
    armature: PointerProperty(type=bpy.types.Object, name="Armature", description="The armature that Solve Markers made")
    solved: BoolProperty()
    solved_markers: StringProperty(description="A digest of the markers that the result is of")
    solved_settings: StringProperty(description="The settings that the result was made with")
    solved_keys: StringProperty(description="A digest of each bone's keys as they were written")
    seconds: FloatProperty(name="Seconds", description="Time from the press of the button to the keyframes")
    residual_mean: FloatProperty(name="Mean", description="Mean distance between measured and solved markers, in mm")
    residual_p95: FloatProperty(name="95 %", description="95 of 100 samples are nearer than this, in mm")
    flagged: CollectionProperty(type=BONESETTER_PG_flagged)
    findings: CollectionProperty(type=BONESETTER_PG_finding)
    finding: IntProperty(name="Finding", description="What the engine found out about the take")


def _is_take(_settings: Any, collection: bpy.types.Collection) -> bool:
    return collection.bonesetter.is_take


class BONESETTER_PG_scene(bpy.types.PropertyGroup):
    """The panel's settings; their names, units and defaults are those of the engine's `Settings`."""

    take: PointerProperty(
        type=bpy.types.Collection,
        name="Take",
        description="The take that was chosen last, to work on where the active object belongs to none",
        poll=_is_take,
    )
    max_speed: FloatProperty(
        name="Max Speed (m/s)",
        description="A marker that jumps faster than this between two frames is noise",
        default=DEFAULTS.max_speed,
        min=0.0,
        soft_max=50.0,
        step=100,
        precision=1,
    )
    rigid_tolerance: FloatProperty(
        name="Rigid Tolerance (mm)",
        description="A distance between markers of one rigid body may leave its usual length by this much",
        default=DEFAULTS.rigid_tolerance,
        min=0.0,
        soft_max=200.0,
        step=100,
        precision=1,
    )
    max_residual: FloatProperty(
        name="Max Residual (mm)",
        description="A sample that the cameras themselves saw less sharply than this is noise",
        default=DEFAULTS.max_residual,
        min=0.0,
        soft_max=50.0,
        step=100,
        precision=1,
    )
    max_gap: FloatProperty(
        name="Max Gap (s)",
        description="Gaps up to this long are filled from the markers around them; longer ones are left to the solver",
        default=DEFAULTS.max_gap,
        min=0.0,
        soft_max=5.0,
        step=10,
        precision=2,
    )
    smooth: FloatProperty(
        name="Smooth",
        description="0 keeps every wiggle of the markers, 1 smooths most",
        default=DEFAULTS.smooth,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    lock_feet: BoolProperty(
        name="Lock Feet",
        description="Hold heels and balls of feet at one place while they stand, instead of as still as their markers",
        default=DEFAULTS.lock_feet,
    )


def settings_of(scene: bpy.types.Scene) -> Settings:
    """The engine's settings as the panel shows them; what the panel does not show keeps its default."""
    # Blender stores single precision: rounded, a default in the panel is the very number that the shell uses.
    shown = {one.name: getattr(scene.bonesetter, one.name) for one in fields(Settings) if hasattr(scene.bonesetter, one.name)}
    return Settings(**{name: round(value, 6) if isinstance(value, float) else value for name, value in shown.items()})


CLASSES = (BONESETTER_PG_flagged, BONESETTER_PG_finding, BONESETTER_PG_take, BONESETTER_PG_scene)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Collection.bonesetter = PointerProperty(type=BONESETTER_PG_take)
    bpy.types.Scene.bonesetter = PointerProperty(type=BONESETTER_PG_scene)


def unregister() -> None:
    del bpy.types.Scene.bonesetter
    del bpy.types.Collection.bonesetter
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
