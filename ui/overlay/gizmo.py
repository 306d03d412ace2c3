# SPDX-License-Identifier: GPL-3.0-or-later
"""The mouse over viewport and strip: a gizmo gets it before any tool does, and leaves what is not its own to them."""

from __future__ import annotations

import bpy

from ...operators.session import session
from ...operators.takes import active_take


class BONESETTER_GT_strip(bpy.types.Gizmo):
    """Go to this frame, and select the markers of this row that have a problem there"""

    bl_idname = "BONESETTER_GT_strip"

    def draw(self, _context: bpy.types.Context) -> None:
        """The strip is drawn by `strip.draw`, also where gizmos are off."""

    def test_select(self, context: bpy.types.Context, location: tuple[int, int]) -> int:
        """Whether the mouse is on the strip; elsewhere it may be over a marker, which then shows its name."""
        from . import names, strip

        x, y = location
        bars = strip.bars(context)
        if bars is not None and bars.holds(x, y):
            return 0
        over = names.under(context, x, y) if context.scene.bonesetter.show_names else None
        if over != session.hover:
            session.hover = over
            context.area.tag_redraw()
        return -1

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self._go(context, event, True)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event, _tweak: set[str]) -> set[str]:
        if event.type == "MOUSEMOVE":
            self._go(context, event, False)
        return {"RUNNING_MODAL"}

    def exit(self, _context: bpy.types.Context, _cancel: bool) -> None:
        """Nothing was held."""

    @staticmethod
    def _go(context: bpy.types.Context, event: bpy.types.Event, choose: bool) -> None:
        from ...operators.navigate import show_sample
        from . import strip
        from .shown import active_review

        bars, active = strip.bars(context), active_review(context)
        if bars is None or active is None:
            return
        frame = bars.frame_at(event.mouse_region_x)
        row = bars.row_at(event.mouse_region_y) if choose else None
        if row is None:
            context.scene.frame_set(frame)
        else:
            take, review = active
            show_sample(context, take, review, review.sample(frame), row)


class BONESETTER_GGT_strip(bpy.types.GizmoGroup):
    """The strip of the take that is worked on"""

    bl_idname = "BONESETTER_GGT_strip"
    bl_label = "Bonesetter"
    bl_space_type = "VIEW_3D"
    bl_region_type = "WINDOW"
    bl_options = {"PERSISTENT"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if active_take(context) is None:
            return False
        from .shown import active_review, wanted

        return wanted(context) and active_review(context) is not None

    def setup(self, _context: bpy.types.Context) -> None:
        gizmo = self.gizmos.new(BONESETTER_GT_strip.bl_idname)
        gizmo.use_draw_modal = True


CLASSES = (BONESETTER_GT_strip, BONESETTER_GGT_strip)
