# SPDX-License-Identifier: GPL-3.0-or-later
"""Repairs of markers in the panel."""

from __future__ import annotations

import bpy

from ..operators.repair import chosen_markers
from ..operators.session import session
from ..operators.takes import LABEL, MUTED, active_take
from .sidebar import Sidebar
from .text import wrapped

#: More markers than this that are selected are counted only.
SHOWN = 4


class BONESETTER_PT_repair(Sidebar, bpy.types.Panel):
    bl_label = "Repair Markers"
    bl_parent_id = "BONESETTER_PT_main"
    bl_order = 42

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return active_take(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout, scene = self.layout, context.scene
        layout.enabled = session.solve is None
        chosen = chosen_markers(context)
        names = ", ".join(marker[LABEL] for marker in chosen[:SHOWN]) + (f" and {len(chosen) - SHOWN} more" if len(chosen) > SHOWN else "")
        wrapped(layout, context, names or "Select markers in the viewport", "EMPTY_DATA")
        row = layout.row(align=True)
        row.prop(scene, "use_preview_range", text="", icon="PREVIEW_RANGE")
        if scene.use_preview_range:
            row.prop(scene, "frame_preview_start", text="")
            row.prop(scene, "frame_preview_end", text="")
        else:
            row.operator("bonesetter.problem_range", text="Range of Problem")
        column = layout.column(align=True)
        row = column.row(align=True)
        row.operator("bonesetter.rename_marker", icon="GREASEPENCIL")
        row.operator("bonesetter.swap_markers", icon="ARROW_LEFTRIGHT")
        row = column.row(align=True)
        row.operator("bonesetter.cut_markers", icon="SCULPTMODE_HLT")
        row.operator("bonesetter.delete_samples", text="Delete", icon="X")
        column.operator("bonesetter.fill_from_solve", icon="MOD_WARP")
        row = column.row(align=True)
        row.operator("bonesetter.pin_samples", text="Pin", icon="PINNED")
        row.operator("bonesetter.pin_samples", text="Unpin", icon="UNPINNED").pinned = False
        muted = bool(chosen) and all(marker.get(MUTED) for marker in chosen)
        row.operator("bonesetter.mute_markers", text="Unmute" if muted else "Mute", icon="HIDE_ON" if muted else "HIDE_OFF")


CLASSES = (BONESETTER_PT_repair,)
