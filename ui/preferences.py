# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's preferences."""

from __future__ import annotations

import bpy
from bpy.props import StringProperty

from .. import __package__ as base_package
from ..operators.engine import interpreter


class BONESETTER_AP_preferences(bpy.types.AddonPreferences):
    bl_idname = base_package or ""

    python_path: StringProperty(
        name="Engine's Python",
        description="Python 3.11 or newer with torch, which runs the solver; empty for Blender's own",
        subtype="FILE_PATH",
    )

    def draw(self, _context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "python_path")
        row = layout.row()
        row.label(text=f"Runs in {interpreter(self.python_path)}", icon="CONSOLE")
        row.operator("bonesetter.check_engine", icon="CHECKMARK")
