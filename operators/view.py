# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user sees next: markers and armatures selected, and views and timelines that frame them."""

from __future__ import annotations

import math
from collections.abc import Iterator

import bpy

from .takes import choose_take, markers, timing_of


def show_markers(context: bpy.types.Context, takes: list[bpy.types.Collection]) -> None:
    """Select the markers of takes that were just imported, the last of them being the one to work on, and frame them."""
    if context.mode != "OBJECT":
        # whoever models or poses is not to be torn out of it
        return
    choose_take(context, takes[-1])
    select(context, [marker for take in takes for marker in markers(take).values()])
    frame_selected(context)
    frame_timelines(context)


def go_to(context: bpy.types.Context, take: bpy.types.Collection) -> None:
    """Go to a take's first frame where the current one lies outside of it, in which nothing of it would move."""
    frames = timing_of(take).frames
    if not frames[0] <= context.scene.frame_current <= frames[-1]:
        context.scene.frame_set(max(0, math.ceil(frames[0])))


def show_armature(context: bpy.types.Context, armature: bpy.types.Object) -> None:
    """Select an armature that was just made, and frame it."""
    if context.mode != "OBJECT" or armature.name not in context.view_layer.objects:
        return
    select(context, [armature])
    context.view_layer.objects.active = armature
    frame_selected(context)


def select(context: bpy.types.Context, objects: list[bpy.types.Object]) -> None:
    """Select these objects and no others."""
    for one in list(context.view_layer.objects.selected):
        one.select_set(False)
    shown = context.view_layer.objects
    for one in objects:
        if one.name in shown:
            one.select_set(True)


def frame_selected(context: bpy.types.Context) -> None:
    """Have every 3D view of the window show what is selected."""
    for area, region in _regions(context, "VIEW_3D"):
        with context.temp_override(window=context.window, area=area, region=region):
            bpy.ops.view3d.view_selected()


def frame_timelines(context: bpy.types.Context) -> None:
    """Have every timeline and dope sheet of the window show the scene's range."""
    for area, region in _regions(context, "DOPESHEET_EDITOR"):
        with context.temp_override(window=context.window, area=area, region=region):
            bpy.ops.action.view_all()


def redraw(context: bpy.types.Context) -> None:
    """Draw the panels again."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


def _regions(context: bpy.types.Context, kind: str) -> Iterator[tuple[bpy.types.Area, bpy.types.Region]]:
    """The main region of every editor of a kind in the window, if there is one."""
    if context.window is None or bpy.app.background:
        return
    for area in context.window.screen.areas:
        if area.type == kind:
            yield from ((area, region) for region in area.regions if region.type == "WINDOW")
