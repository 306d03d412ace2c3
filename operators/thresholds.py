# SPDX-License-Identifier: GPL-3.0-or-later
"""Thresholds of the noise filter: presets, their defaults, and the same for all takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bl_operators.presets import AddPresetBase
from bpy.props import StringProperty

from ..model.core.errors import BonesetterError
from .polls import OfTake, is_idle
from .properties import SETTINGS, THRESHOLDS, copy_settings
from .takes import active_take, takes_of
from .translation import translated
from .view import redraw

#: Below the folders that Blender looks in for presets.
FOLDER = "bonesetter/noise_filter"
ROOT = Path(__file__).resolve().parents[1]


class BONESETTER_MT_filter_presets(bpy.types.Menu):
    """Presets of the noise filter's thresholds"""

    bl_label = "Noise Filter Presets"
    preset_subdir = FOLDER
    preset_operator = "bonesetter.load_filter_preset"
    preset_extensions = (".py",)

    def draw(self, context: bpy.types.Context) -> None:
        self.draw_preset(context)


class BONESETTER_OT_load_filter_preset(bpy.types.Operator):
    """Set the thresholds of this take, and those with which new takes begin, to a preset's"""

    bl_idname = "bonesetter.load_filter_preset"
    bl_label = "Load Noise Filter Preset"
    bl_options = {"INTERNAL", "UNDO"}

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return is_idle(cls)

    def execute(self, context: bpy.types.Context) -> set[str]:
        from ..model.storage.presets import read_preset

        try:
            values = read_preset(Path(self.filepath), {name: SETTINGS[name].default for name in THRESHOLDS})
        except BonesetterError as error:
            self.report({"ERROR"}, translated(str(error)))
            return {"CANCELLED"}
        for name, value in values.items():
            setattr(context.scene.bonesetter, name, value)
        take = active_take(context)
        if take is not None:
            copy_settings(context.scene, take, THRESHOLDS)
        redraw(context)
        return {"FINISHED"}


class BONESETTER_OT_add_filter_preset(AddPresetBase, bpy.types.Operator):
    """Keep these thresholds as a preset, or remove one"""

    bl_idname = "bonesetter.add_filter_preset"
    bl_label = "Add Noise Filter Preset"
    preset_menu = "BONESETTER_MT_filter_presets"
    preset_subdir = FOLDER
    preset_defines = ("settings = bpy.context.scene.bonesetter",)
    preset_values = tuple(f"settings.{name}" for name in THRESHOLDS)

    @staticmethod
    def pre_cb(context: bpy.types.Context) -> None:
        """What is kept are the thresholds of the take that is worked on."""
        take = active_take(context)
        if take is not None:
            copy_settings(take, context.scene, THRESHOLDS)


class BONESETTER_OT_reset_filter(bpy.types.Operator):
    """Set all thresholds of this take to their defaults"""

    bl_idname = "bonesetter.reset_filter"
    bl_label = "Reset Thresholds"
    bl_options = {"INTERNAL", "UNDO"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return is_idle(cls)

    def execute(self, context: bpy.types.Context) -> set[str]:
        owner: Any = active_take(context) or context.scene
        for name in THRESHOLDS:
            setattr(owner.bonesetter, name, SETTINGS[name].default)
        redraw(context)
        return {"FINISHED"}


class BONESETTER_OT_filter_all_takes(OfTake, bpy.types.Operator):
    """Give all takes of the scene, and those that are imported from now on, the thresholds of this one"""

    bl_idname = "bonesetter.filter_all_takes"
    bl_label = "Apply to All Takes"
    bl_options = {"INTERNAL", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return is_idle(cls) and super().poll(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        take = active_take(context)
        others: list[Any] = [one for one in takes_of(context.scene) if one != take]
        for other in (*others, context.scene):
            copy_settings(take, other, THRESHOLDS)
        self.report({"INFO"}, translated(f"{len(others)} other takes have the thresholds of {take.name} now"))
        redraw(context)
        return {"FINISHED"}


CLASSES = (
    BONESETTER_MT_filter_presets,
    BONESETTER_OT_load_filter_preset,
    BONESETTER_OT_add_filter_preset,
    BONESETTER_OT_reset_filter,
    BONESETTER_OT_filter_all_takes,
)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.utils.register_preset_path(str(ROOT))


def unregister() -> None:
    bpy.utils.unregister_preset_path(str(ROOT))
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
