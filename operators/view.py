# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user sees next: markers and armatures selected, and views and timelines that frame them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import bpy
import numpy as np
from bpy_extras.view3d_utils import location_3d_to_region_2d, region_2d_to_location_3d
from mathutils import Vector

from ..model.review.strip_size import MARGIN, MOST_PART, strip_height
from .takes import active_take, choose_take, markers, timing_of


def show_markers(context: bpy.types.Context, takes: list[bpy.types.Collection]) -> None:
    """Select the markers of takes that were just imported, the last of them being the one to work on, and frame them."""
    if context.mode != "OBJECT":
        # whoever models or poses is not to be torn out of it
        return
    choose_take(context, takes[-1])
    select(context, [marker for take in takes for marker in markers(take).values()])
    frame_selected(context)
    frame_timelines(context)


def hide_startup_cube(context: bpy.types.Context, takes: list[bpy.types.Collection]) -> bool:
    """Hide the cube of Blender's startup scene, which is 2 m wide and stands where the person does; whether it was there.

    Only in a file that was never saved, and as long as nobody touched the scene.
    """
    ours = {one.name for take in takes for one in take.all_objects}
    others = {one.name: one for one in context.scene.objects if one.name not in ours}
    cube = others.get("Cube")
    if bpy.data.filepath or set(others) != {"Camera", "Cube", "Light"} or cube is None or not isinstance(cube.data, bpy.types.Mesh):
        return False
    if len(cube.data.vertices) != 8 or not cube.matrix_world.is_identity or cube.modifiers or cube.animation_data or not cube.visible_get():
        return False
    cube.hide_set(True)
    return True


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
        if (covered := _covered(context, region)) > 0:
            _above(region, area.spaces.active.region_3d, covered)


def keep_in_sight(context: bpy.types.Context, take: bpy.types.Collection, labels: Iterable[str]) -> None:
    """Move every 3D view of the window in which these markers of a take are out of sight at the current frame.

    Strip, sidebar, toolbar and headers hide what is behind them. Whoever asks for the markers stands as near, and looks the same way, as
    before. Of markers that are nowhere, the take's others count.
    """
    place = _middle(context, take, set(labels))
    if place is None:
        return
    for area, region in _regions(context, "VIEW_3D"):
        space: Any = area.spaces.active
        view = space.region_3d
        # a camera is the user's, and of four views only one is known
        if view.view_perspective == "CAMERA" or space.region_quadviews:
            continue
        left, right = covered_sides(context, area)
        below, top = _covered(context, region), region.height - covered_top(context, area)
        at = location_3d_to_region_2d(region, view, place)
        if at is None or not (left < at.x < region.width - right and below < at.y < top):
            middle = (0.5 * (left + region.width - right), 0.5 * (below + top))
            # as far away as what the view turns about, wherever the place was
            view.view_location += place - region_2d_to_location_3d(region, view, middle, view.view_location)
            view.update()


def _middle(context: bpy.types.Context, take: bpy.types.Collection, labels: set[str]) -> Vector | None:
    """The middle of some markers at the current frame, of all that are anywhere where none of these is."""
    from .review import review_of

    review = review_of(context.scene, take)
    if review is None or not 0 <= (sample := review.sample(context.scene.frame_current)) < len(review.world):
        return None
    places = review.places(sample)
    there = np.isfinite(places[:, 0])
    wanted = there & [label in labels for label in review.take.labels]
    chosen = places[wanted if wanted.any() else there]
    return Vector(chosen.mean(axis=0).tolist()) if len(chosen) else None


def covered_sides(context: bpy.types.Context, area: bpy.types.Area) -> tuple[int, int]:
    """Pixels of a viewport that toolbar and sidebar hide on the left and on the right."""
    left = right = 0
    for region in area.regions:
        if region.width > 1 and region.type in ("TOOLS", "UI") and context.preferences.system.use_region_overlap:
            if region.alignment == "LEFT":
                left = max(left, region.width)
            elif region.alignment == "RIGHT":
                right = max(right, region.width)
    return left, right


def covered_top(context: bpy.types.Context, area: bpy.types.Area) -> int:
    """Pixels of a viewport that its headers hide at its upper edge."""
    if not context.preferences.system.use_region_overlap:
        return 0
    headers = [one for one in area.regions if one.type in ("HEADER", "TOOL_HEADER") and one.alignment == "TOP"]
    return sum(one.height for one in headers if one.height > 1)


def _covered(context: bpy.types.Context, region: bpy.types.Region) -> float:
    """Pixels at the lower edge of a viewport that the strip of the active take hides, with room for what a solve adds; 0 without one."""
    # not above: reviews know settings, whose changes show takes
    from .review import review_of

    options, take = context.scene.bonesetter, active_take(context)
    review = review_of(context.scene, take) if take is not None and options.show_overlay and options.show_strip else None
    if review is None:
        return 0.0
    both_feet = 2
    height = (strip_height(len(review.rows) + both_feet, curves=True) + 2 * MARGIN) * context.preferences.system.ui_scale
    return height if height <= MOST_PART * region.height else 0.0


def _above(region: bpy.types.Region, view: bpy.types.RegionView3D, covered: float) -> None:
    """Have what fills a view fill the part of it above so many pixels."""
    view.view_distance *= region.height / (region.height - covered)
    view.update()
    middle = (0.5 * region.width, 0.5 * region.height)
    here, lower = (
        region_2d_to_location_3d(region, view, (middle[0], middle[1] - down), view.view_location) for down in (0.0, 0.5 * covered)
    )
    view.view_location += lower - here
    view.update()


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
