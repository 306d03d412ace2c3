# SPDX-License-Identifier: GPL-3.0-or-later
"""Choose the take to work on, by its name in the panel."""

from __future__ import annotations

import bpy
from bpy.props import IntProperty

from ..model.core.errors import BonesetterError
from .others import show_others
from .takes import choose_take, find_take, takes_of
from .view import go_to, redraw


class BONESETTER_OT_choose_take(bpy.types.Operator):
    """Work on this take: make its armature, or a marker of it, the active object"""

    bl_idname = "bonesetter.choose_take"
    bl_label = "Choose Take"
    bl_options = {"INTERNAL", "UNDO"}

    take: IntProperty(options={"SKIP_SAVE"}, description="The session's number of the take's collection")

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            take = find_take(self.take)
        except BonesetterError:
            self.report({"ERROR"}, "The take is gone: choose another.")
            return {"CANCELLED"}
        # what is hidden cannot be made active
        show_others(context, take)
        choose_take(context, take)
        go_to(context, take)
        redraw(context)
        return {"FINISHED"}


class BONESETTER_MT_takes(bpy.types.Menu):
    """The takes of the scene"""

    bl_idname = "BONESETTER_MT_takes"
    bl_label = "Takes"

    def draw(self, context: bpy.types.Context) -> None:
        for take in takes_of(context.scene):
            icon = "ARMATURE_DATA" if take.bonesetter.solved else "EMPTY_DATA"
            self.layout.operator("bonesetter.choose_take", text=take.name, icon=icon).take = take.session_uid
