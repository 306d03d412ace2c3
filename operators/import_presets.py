# SPDX-License-Identifier: GPL-3.0-or-later
"""Presets of the import's options: files where Blender keeps an operator's presets, as it writes them, but read and never run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from bl_operators.presets import AddPresetBase
from bpy.props import StringProperty

from ..model.core.errors import BonesetterError
from .translation import translated

if TYPE_CHECKING:
    from ..model.storage.presets import Usual

#: The options that the dialog shows.
SHOWN = ("keys", "gaps", "rate", "start", "set_range", "up")
#: Below the folders that Blender looks in for presets: where its own menu kept those of this operator.
FOLDER = "operator/bonesetter.import_c3d"
PANEL = "BONESETTER_PT_import_presets"


class BONESETTER_OT_load_import_preset(bpy.types.Operator):
    """Set the import's options to a preset's"""

    bl_idname = "bonesetter.load_import_preset"
    bl_label = "Load Import Preset"
    bl_options = {"INTERNAL"}

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return is_import(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        from ..model.storage.presets import read_preset

        dialog: Any = context.active_operator
        try:
            values = read_preset(Path(self.filepath), allowed(), "op")
        except BonesetterError as error:
            self.report({"ERROR"}, translated(str(error)))
            return {"CANCELLED"}
        for name, value in values.items():
            setattr(dialog, name, value)
        return {"FINISHED"}


class BONESETTER_OT_add_import_preset(AddPresetBase, bpy.types.Operator):
    """Keep these options of the import as a preset, or remove one"""

    bl_idname = "bonesetter.add_import_preset"
    bl_label = "Add Import Preset"
    preset_menu = PANEL
    preset_subdir = FOLDER
    preset_defines = ("op = bpy.context.active_operator",)
    preset_values = tuple(f"op.{name}" for name in SHOWN)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return is_import(context)


def is_import(context: bpy.types.Context) -> bool:
    """Whether the dialog that is open is the import's."""
    dialog: Any = context.active_operator
    return dialog is not None and dialog.bl_rna.identifier == "BONESETTER_OT_import_c3d"


def allowed() -> dict[str, Usual]:
    """{option: a value of its kind, or the texts that it may be}, of the import's properties as Blender describes them."""
    properties: Any = bpy.ops.bonesetter.import_c3d.get_rna_type().properties
    shown = {name: properties[name] for name in SHOWN}
    return {name: tuple(item.identifier for item in one.enum_items) if one.type == "ENUM" else one.default for name, one in shown.items()}


def draw_presets(layout: bpy.types.UILayout, dialog: bpy.types.Operator) -> None:
    """The menu of presets, of the options of that dialog."""
    row = layout.row()
    # a popup is no file browser, which would say whose options are shown
    row.context_pointer_set("active_operator", dialog)
    row.popover(panel=PANEL, text="Presets", icon="PRESET")


CLASSES = (BONESETTER_OT_load_import_preset, BONESETTER_OT_add_import_preset)
