# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the tab about the person of a take."""

from __future__ import annotations

from typing import Any

import bpy

from ..operators.session import session
from ..operators.takes import active_take
from ..operators.translation import translated
from .sidebar import Sidebar
from .text import wrapped

#: The setting that is shown here.
OF_ACTOR = "fit_actor"


class BONESETTER_PT_actor(Sidebar, bpy.types.Panel):
    bl_label = "Actor"
    bl_parent_id = "BONESETTER_PT_main"
    bl_order = 5
    bl_options = {"DEFAULT_CLOSED"}  # Blender's own protocol

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return active_take(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.enabled = session.solve is None
        take = active_take(context).bonesetter
        text = take.kept_actor
        row = layout.row(align=True)
        row.prop(take, "kept_actor", text="", icon="USER", placeholder="Choose Actor")
        row.operator("bonesetter.import_actor", text="", icon="IMPORT")
        if text is not None:
            row.operator("bonesetter.export_actor", text="", icon="EXPORT")
            row.operator("bonesetter.remove_actor", text="", icon="TRASH")
            row = layout.row(align=True)
            row.use_property_split = True
            row.use_property_decorate = False
            row.prop(text, "name", text="Name")
            layout.label(
                text=translated(f"{text.bonesetter.height_m:.2f} m tall, {len(text.bonesetter.markers)} markers"), icon="ARMATURE_DATA"
            )
        elif take.actor:
            # chosen by an older version, or by a script
            layout.prop(take, "actor", text="")
        if text is not None or take.actor:
            layout.prop(take, OF_ACTOR)
        else:
            wrapped(layout, context, "Fitted to the take as it is solved.", "INFO")
        part = " from Preview Range" if context.scene.use_preview_range else ""
        layout.operator("bonesetter.calibrate_actor", text=translated(f"Calibrate Actor{part}"), icon="ARMATURE_DATA")


class BONESETTER_UL_actor_markers(bpy.types.UIList):
    """Where each marker sits on an actor: its bone, how far it is from the joint, and how sure that is"""

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
        row = layout.split(factor=0.3)
        row.label(text=item.name)
        row = row.split(factor=0.55)
        row.label(text=item.joint)
        away = sum(part * part for part in item.place_mm) ** 0.5
        row.label(text=f"{away:.0f}" + (f" ± {item.sigma_mm:.0f}" if item.sigma_mm else "") + " mm")


class BONESETTER_PT_actor_markers(Sidebar, bpy.types.Panel):
    bl_label = "Marker Places"
    bl_parent_id = "BONESETTER_PT_actor"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        take = active_take(context)
        return take is not None and take.bonesetter.kept_actor is not None

    def draw(self, context: bpy.types.Context) -> None:
        shown = active_take(context).bonesetter.kept_actor.bonesetter
        self.layout.template_list("BONESETTER_UL_actor_markers", "", shown, "markers", shown, "marker", rows=6)
        if 0 <= shown.marker < len(shown.markers):
            left, up, ahead = shown.markers[shown.marker].place_mm
            said = f"From the joint, in the zero pose: {left:.0f} mm to the left, {up:.0f} mm up, {ahead:.0f} mm ahead."
            wrapped(self.layout, context, said, "INFO")


CLASSES = (BONESETTER_PT_actor, BONESETTER_UL_actor_markers, BONESETTER_PT_actor_markers)
