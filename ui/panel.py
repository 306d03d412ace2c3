# SPDX-License-Identifier: GPL-3.0-or-later
"""The Bonesetter tab in the 3D viewport's sidebar."""

from __future__ import annotations

from typing import Any

import bpy

from ..operators.freshness import out_of_date
from ..operators.hold_feet import OF_FEET
from ..operators.properties import FILES, SHOWN, SKELETON
from ..operators.session import IMPORT, Solve, session
from ..operators.takes import active_take, people_with, takes_of
from ..operators.translation import translated
from ..operators.version import newer
from .actor import OF_ACTOR
from .sidebar import OfSolvedTake, Sidebar
from .solver import draw_solver
from .text import wrapped

#: Icons by kind of finding; of others, a plain one.
ICONS = {
    "file": "FILE",
    "left out": "X",
    "missing": "QUESTION",
    "attached": "LINKED",
    "re-stuck": "TRACKER",
    "fitted": "ARMATURE_DATA",
    "swapped back": "ARROW_LEFTRIGHT",
    "relabelled": "ARROW_LEFTRIGHT",
    "sides exchanged": "MOD_MIRROR",
    "sides doubtful": "MOD_MIRROR",
    "axes": "EMPTY_AXIS",
    "mirrored": "MOD_MIRROR",
    "misplaced": "TRACKER",
    "labelled": "LINKED",
    "doubtful label": "QUESTION",
    "unlabelled": "QUESTION",
    "prop": "EMPTY_ARROWS",
    "no markers": "GHOST_DISABLED",
    "few markers": "GHOST_DISABLED",
    "unseen": "GHOST_DISABLED",
    "held": "GHOST_DISABLED",
    "threshold": "FILTER",
    "far off": "ERROR",
    "far": "DRIVER_DISTANCE",
    "flagged": "FILTER",
    "frozen": "FREEZE",
}


#: What is said of a mean marker residual.
JUDGED = {
    "usual": ("CHECKMARK", "The residual is usual for people."),
    "look at it": ("QUESTION", "The residual is larger than usual: look at the motion and the findings."),
    "wrong": ("ERROR", "The residual is that of wrong labels, a wrong unit or another person's actor."),
}


class BONESETTER_PT_main(Sidebar, bpy.types.Panel):
    bl_label = "Bonesetter"

    def draw(self, context: bpy.types.Context) -> None:
        from ..operators.body import body_of

        layout = self.layout
        draw_solver(layout, context)
        take = active_take(context)
        if take is None:
            layout.operator("bonesetter.import_c3d", icon="IMPORT")
        else:
            column = layout.column(align=True)
            row = column.row(align=True)
            if len(takes_of(context.scene)) > 1:
                row.menu("BONESETTER_MT_takes", text=take.name, icon="OUTLINER_COLLECTION")
                row.prop(context.scene.bonesetter, "others", text="", icon_only=True)
            else:
                row.label(text=take.name, icon="OUTLINER_COLLECTION")
            row.operator("bonesetter.import_c3d", text="", icon="IMPORT")
            facts = take.bonesetter
            column.label(text=translated(f"{facts.frames} frames at {facts.rate_hz:.5g} Hz"), icon="BLANK1")
            _draw_view(layout, context)
            if facts.solved:
                shown = body_of(facts.armature) is not None
                layout.operator("bonesetter.show_body", icon="OUTLINER_OB_MESH", depress=shown)
            if said := newer(facts.made_by):
                wrapped(layout, context, said, "ERROR")
        for error in _errors(context, take):
            wrapped(layout.box(), context, error, "CANCEL")


def _errors(context: bpy.types.Context, take: bpy.types.Collection | None) -> list[str]:
    """Why the last import failed and the last solves did: of other takes than that which is worked on, with their names."""
    own = people_with(context.scene, take) if take is not None else []
    named = {one.session_uid: f"{one.name}: " for one in takes_of(context.scene)}
    named |= {IMPORT: ""} | {one.session_uid: "" for one in own}
    # people of one file may all have failed for the same reason
    said = {key: session.errors[key] for key in named if key in session.errors}
    return list(dict.fromkeys(text if text.startswith(named[key][:-2]) else named[key] + text for key, text in said.items()))


def _draw_view(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What is drawn over the viewport, and the way from problem to problem."""
    options = context.scene.bonesetter
    row = layout.row(align=True)
    row.prop(options, "show_overlay", text="Overlay", icon="OVERLAY", toggle=True)
    shown = row.row(align=True)
    shown.active = options.show_overlay
    for name, icon in (
        ("show_sticks", "IPO_LINEAR"),
        ("show_names", "FONT_DATA"),
        ("show_trails", "CURVE_PATH"),
        ("show_places", "CON_CHILDOF"),
        ("show_strip", "SEQ_STRIP_META"),
    ):
        shown.prop(options, name, text="", icon=icon, toggle=True)
    row = layout.row(align=True)
    row.operator("bonesetter.next_problem", text="", icon="TRIA_LEFT").backwards = True
    row.operator("bonesetter.worst_frame", text="Worst Frame")
    row.operator("bonesetter.next_problem", text="", icon="TRIA_RIGHT")


class BONESETTER_PT_solve(Sidebar, bpy.types.Panel):
    bl_label = "Solve"
    bl_parent_id = "BONESETTER_PT_main"
    bl_order = 20

    def draw(self, context: bpy.types.Context) -> None:
        layout, solve = self.layout, session.solve
        # the button first: settings push it out of sight on a small screen
        if solve is None:
            self._draw_buttons(context)
        else:
            self._draw_progress(solve)
        settings = layout.column(align=True)
        settings.enabled = solve is None
        owner: Any = active_take(context) or context.scene
        for name, setting in SHOWN.items():
            if setting.group == "motion" and name not in (*OF_FEET, OF_ACTOR):
                settings.prop(owner.bonesetter, name)
        settings.prop(owner.bonesetter, "layout", text="", placeholder=FILES["layout"][0])
        _draw_skeleton(settings, owner.bonesetter)

    def _draw_buttons(self, context: bpy.types.Context) -> None:
        column = self.layout.column()
        column.scale_y = 1.5
        column.operator("bonesetter.solve_markers", icon="ARMATURE_DATA")
        take = active_take(context)
        if take is not None and take.bonesetter.solved:
            self.layout.operator("bonesetter.solve_range", icon="PREVIEW_RANGE")
        if (count := len(takes_of(context.scene))) > 1:
            self.layout.operator("bonesetter.solve_all", text=translated(f"Solve All {count} Takes"), icon="ARMATURE_DATA")

    def _draw_progress(self, solve: Solve) -> None:
        column = self.layout.column()
        if solve.count > 1:
            column.label(text=translated(solve.title))
        column.progress(factor=solve.job.progress, text=f"{translated(solve.stage)}  {solve.job.progress:.0%}")
        # The icon is wider than others: the spaces keep the text clear of it.
        column.label(text="    Cancel", icon="EVENT_ESC")


def _draw_skeleton(layout: bpy.types.UILayout, owner: Any) -> None:
    """On which bones a solve ends."""
    rows = layout.column(align=True)
    rows.use_property_split = True
    rows.use_property_decorate = False
    for name in SKELETON[: None if owner.skeleton == "production" else 1]:
        rows.prop(owner, name)


class BONESETTER_PT_result(OfSolvedTake, bpy.types.Panel):
    bl_label = "Result"
    bl_parent_id = "BONESETTER_PT_main"
    bl_order = 40

    def draw(self, context: bpy.types.Context) -> None:
        from ..model.result.report import judged

        take = active_take(context)
        result = take.bonesetter
        box = self.layout.box().column(align=True)
        for name, value in (
            ("Solved in", f"{result.seconds:.2f} s"),
            ("Marker residual, mean", f"{result.residual_mean:.2f} mm"),
            ("Marker residual, 95 %", f"{result.residual_p95:.2f} mm"),
            ("Flagged samples", f"{sum(item.count for item in result.flagged)}"),
        ):
            row = box.split(factor=0.65)
            row.label(text=name)
            row.label(text=value)
        icon, said = JUDGED[judged(result.residual_mean)]
        # in the place of what no longer holds: a line more would move the buttons below from under the mouse
        stale = out_of_date(take)
        wrapped(self.layout, context, stale or said, "ERROR" if stale else icon)
        self.layout.operator("bonesetter.write_report", text="Report...", icon="FILE_TEXT")


class BONESETTER_UL_findings(bpy.types.UIList):
    """What was found out about a take"""

    def draw_item(
        self,
        _context: bpy.types.Context,
        layout: bpy.types.UILayout,
        _data: Any,
        item: Any,
        _icon: int,
        _active_data: Any,
        _active_property: str,
        index: int,
    ) -> None:
        row = layout.row(align=True)
        row.label(text=translated(item.short or item.name), icon=ICONS.get(item.kind, "INFO"))
        if item.somewhere:
            row.operator("bonesetter.show_finding", text="", icon="VIEWZOOM", emboss=False).index = index

    def filter_items(self, _context: bpy.types.Context, data: Any, name: str) -> tuple[list[int], list[int]]:
        """All of them, those first that matter most."""
        items = getattr(data, name)
        order = sorted(range(len(items)), key=lambda row: items[row].gravity)
        places = [0] * len(items)
        for place, row in enumerate(order):
            places[row] = place
        return [], places


class BONESETTER_PT_findings(Sidebar, bpy.types.Panel):
    bl_label = "Findings"
    bl_parent_id = "BONESETTER_PT_main"
    bl_order = 30

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        take = active_take(context)
        return take is not None and len(take.bonesetter.findings) > 0

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        self.layout.label(text=str(len(active_take(context).bonesetter.findings)))

    def draw(self, context: bpy.types.Context) -> None:
        take = active_take(context).bonesetter
        self.layout.template_list("BONESETTER_UL_findings", "", take, "findings", take, "finding", rows=min(5, len(take.findings)))
        if 0 <= take.finding < len(take.findings):
            chosen = take.findings[take.finding]
            wrapped(self.layout, context, chosen.name, ICONS.get(chosen.kind, "INFO"))
            if chosen.corrects:
                row = self.layout.row(align=True)
                row.operator("bonesetter.apply_correction", icon="CHECKMARK").index = take.finding
                row.operator("bonesetter.refuse_correction", icon="PANEL_CLOSE").index = take.finding
        if take.frame_step != 1.0:
            wrapped(self.layout, context, f"Frames are the scene's, {take.frame_step:.4g} to each of the file.", "TIME")


class BONESETTER_PT_flagged(Sidebar, bpy.types.Panel):
    bl_label = "Flagged per Marker"
    bl_parent_id = "BONESETTER_PT_result"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        take = active_take(context)
        return take is not None and len(take.bonesetter.flagged) > 0

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column(align=True)
        for item in active_take(context).bonesetter.flagged:
            row = column.split(factor=0.3)
            row.label(text=item.name)
            row.label(text=translated(f"{item.count}  ({item.reasons})"))


CLASSES = (
    BONESETTER_UL_findings,
    BONESETTER_PT_main,
    BONESETTER_PT_solve,
    BONESETTER_PT_result,
    BONESETTER_PT_findings,
    BONESETTER_PT_flagged,
)
