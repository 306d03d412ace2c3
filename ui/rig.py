# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the tab that puts a take onto the user's own character."""

from __future__ import annotations

from typing import Any

import bpy

from ..operators.session import session
from ..operators.takes import active_take
from .sidebar import OfSolvedTake, Sidebar
from .text import wrapped


class BONESETTER_PT_rig(OfSolvedTake, bpy.types.Panel):
    bl_label = "Your Rig"
    bl_parent_id = "BONESETTER_PT_main"
    bl_order = 45

    def draw(self, context: bpy.types.Context) -> None:
        from ..operators.applied import outdated
        from ..operators.body import body_of

        layout = self.layout
        layout.enabled = session.solve is None
        choice = active_take(context).bonesetter.rig
        row = layout.row(align=True)
        row.prop(choice, "armature", text="")
        if choice.armature is not None:
            shown = body_of(choice.armature) is not None
            row.operator("bonesetter.show_body", text="", icon="OUTLINER_OB_MESH", depress=shown).on_rig = True
        if choice.armature is not None:
            self._draw_apply(layout, choice)
        if old := outdated(active_take(context)):
            names = ", ".join(each.armature.name for each in old)
            wrapped(layout, context, f"{names}: of an earlier solve", "TIME")
            layout.operator("bonesetter.update_rigs", icon="FILE_REFRESH")
        row = layout.row(align=True)
        for kind, label in (("FBX", "FBX"), ("GLB", "glTF"), ("BVH", "BVH"), ("USD", "USD")):
            # those of some Linux distributions have none
            if kind != "USD" or bpy.app.build_options.usd:
                row.operator("bonesetter.export_motion", text=label, icon="EXPORT").kind = kind

    @staticmethod
    def _draw_apply(layout: bpy.types.UILayout, choice: Any) -> None:
        layout.label(text=choice.family or "No body was found: choose its bones", icon="CHECKMARK" if choice.family else "ERROR")
        row = layout.row()
        row.use_property_split = True
        row.use_property_decorate = False
        row.prop(choice, "travel")
        row.prop(choice, "on_nla", text="NLA", toggle=True)
        row = layout.row()
        row.use_property_split = True
        row.use_property_decorate = False
        row.prop(choice, "hands", slider=True)
        column = layout.column()
        column.scale_y = 1.5
        column.operator("bonesetter.apply_to_rig", icon="OUTLINER_OB_ARMATURE")
        layout.operator("bonesetter.solve_as_rig", icon="ARMATURE_DATA")


class BONESETTER_UL_parts(bpy.types.UIList):
    """Which bone is which part of the body"""

    def draw_item(
        self,
        _context: bpy.types.Context,
        layout: bpy.types.UILayout,
        _data: Any,
        item: Any,
        _icon: int,
        _active_data: Any,
        _active_property: str,
        _index: int,
    ) -> None:
        row = layout.split(factor=0.4)
        row.label(text=item.name, icon="BONE_DATA" if item.first else "BLANK1")
        row.label(text=item.first if item.first == item.last else f"{item.first} – {item.last}")


class BONESETTER_PT_bone_map(Sidebar, bpy.types.Panel):
    bl_label = "Bone Map"
    bl_parent_id = "BONESETTER_PT_rig"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        take = active_take(context)
        return take is not None and take.bonesetter.rig.armature is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        choice = active_take(context).bonesetter.rig
        layout.template_list("BONESETTER_UL_parts", "", choice, "parts", choice, "part", rows=6)
        bones = choice.armature.data
        column = layout.column(align=True)
        if 0 <= choice.part < len(choice.parts):
            part = choice.parts[choice.part]
            column.prop_search(part, "first", bones, "bones", text="First")
            column.prop_search(part, "last", bones, "bones", text="Last")
        column.prop_search(choice, "root", bones, "bones", text="Root")
        row = layout.row(align=True)
        row.operator("bonesetter.recognise_rig", text="Recognise", icon="FILE_REFRESH")
        row.operator("bonesetter.load_bone_map", text="Load", icon="IMPORT")
        row.operator("bonesetter.save_bone_map", text="Save", icon="EXPORT")


CLASSES = (BONESETTER_PT_rig, BONESETTER_UL_parts, BONESETTER_PT_bone_map)
