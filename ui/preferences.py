# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's preferences."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, StringProperty

from ..operators.engine import interpreter
from ..operators.preferences import ADDON


class BONESETTER_AP_preferences(bpy.types.AddonPreferences):
    bl_idname = ADDON

    python_path: StringProperty(
        name="Engine's Python",
        description="Python 3.11 or newer with torch, which runs the solver; empty for Blender's own",
        subtype="FILE_PATH",
    )

    start_on_import: BoolProperty(
        name="Start on Import",
        description="Start the engine when a take is imported, so that it is ready when Solve Markers is pressed",
        default=True,
    )

    def draw(self, _context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "python_path")
        layout.prop(self, "start_on_import")
        row = layout.row()
        row.label(text=f"Runs in {interpreter(self.python_path)}", icon="CONSOLE")
        row.operator("bonesetter.check_engine", icon="CHECKMARK")
