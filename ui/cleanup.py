# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the tab that cleans keys."""

from __future__ import annotations

import bpy

from ..operators.clean_keys import cleaned_armature
from ..operators.session import session
from ..operators.takes import active_take
from .sidebar import OfSolvedTake


class BONESETTER_PT_cleanup(OfSolvedTake, bpy.types.Panel):
    bl_label = "Cleanup"
    bl_parent_id = "BONESETTER_PT_main"
    bl_order = 47
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, take = self.layout, active_take(context)
        layout.enabled = session.solve is None
        options, armature = take.bonesetter.cleanup, cleaned_armature(context, take)
        layout.label(text=armature.name if armature is not None else "", icon="OUTLINER_OB_ARMATURE")
        rows = layout.column()
        rows.use_property_split = True
        rows.use_property_decorate = False
        column = rows.column(align=True)
        column.prop(options, "part")
        if options.part != "NONE":
            column.prop(options, "seconds")
        column = rows.column(align=True)
        for name in ("degrees", "mm", "keys_hz"):
            column.prop(options, name)
        column = rows.column(align=True)
        column.prop(options, "mark_gaps")
        column.prop(options, "mark_feet")
        layout.operator("bonesetter.clean_keys", icon="KEYFRAME")


CLASSES = (BONESETTER_PT_cleanup,)
