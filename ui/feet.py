# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the tab about feet: how they are held, and when they stand."""

from __future__ import annotations

from typing import Any

import bpy

from ..operators.session import session
from ..operators.takes import active_take
from ..operators.translation import translated
from .sidebar import Sidebar


class BONESETTER_PT_feet(Sidebar, bpy.types.Panel):
    bl_label = "Feet"
    bl_parent_id = "BONESETTER_PT_solve"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        from ..operators.feet import feet_of

        layout = self.layout
        layout.enabled = session.solve is None
        take = active_take(context)
        owner: Any = (take or context.scene).bonesetter
        column = layout.column(align=True)
        column.prop(owner, "lock_feet")
        part = column.column(align=True)
        part.active = owner.lock_feet
        part.prop(owner, "lock_strength", slider=True)
        column.prop(owner, "set_floor")
        part = column.column(align=True)
        part.active = owner.set_floor
        part.prop(owner, "floor")
        armature = take.bonesetter.armature if take is not None else None
        if take is None or armature is None:
            return
        if take.bonesetter.has_floor:
            layout.label(text=translated(f"Feet stand at {take.bonesetter.floor_mm:.0f} mm"), icon="ORIENTATION_GLOBAL")
        column = layout.column(align=True)
        for name in feet_of(take):
            if name in armature.data:
                row = column.row(align=True)
                label = name.removesuffix("_contact").replace("_", " ").capitalize()
                row.prop(armature.data, f'["{bpy.utils.escape_identifier(name)}"]', text=label, toggle=True)
                for text, stands in (("Stands", True), ("Free", False)):
                    button = row.operator("bonesetter.set_contact", text=text)
                    button.foot, button.stands = name, stands
        layout.operator("bonesetter.hold_feet", icon="CON_FLOOR")
        layout.operator("bonesetter.hold_feet", text="Use Found Contacts", icon="LOOP_BACK").anew = True


CLASSES = (BONESETTER_PT_feet,)
