# SPDX-License-Identifier: GPL-3.0-or-later
"""A newcomer with the README, docs/first_take.md and docs/repair.md: from Blender's startup scene to a judged and repaired take.

`BONESETTER_WINDOW_SCRIPT=first_take.py tests/window/run.sh TAKE.c3d`; with `BONESETTER_WINDOW_ZIP=build/dist/bonesetter-<version>.zip` it
is the built extension that is tried.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import bpy
import numpy as np
from judge import Judge
from mathutils import Vector
from person import OUT, STAGE, Steps, Ticker, Verdict, armature, drive, ext, wait, wait_for
from user import in_turn


class Newcomer(Judge):
    """Who has never seen it."""

    @property
    def sidebar(self) -> Any:
        return self.person.sidebar


def open_the_sidebar(newcomer: Newcomer) -> Steps:
    """N, and the tab Bonesetter."""
    person, space = newcomer.person, newcomer.person.area.spaces.active
    yield from newcomer.over_viewport()
    if not space.show_region_ui:
        yield from person.press("N")
    yield from wait(0.5)
    sidebar = newcomer.sidebar
    for y in range(sidebar.y + sidebar.height - 20, sidebar.y, -24):
        yield from person.move(sidebar.x + sidebar.width - 12, y)
        yield from person.press("LEFTMOUSE")
        yield from wait(0.1)
        if sidebar.active_panel_category == "Bonesetter":
            break
    newcomer.check("N and a click open the tab", sidebar.active_panel_category == "Bonesetter", sidebar.active_panel_category)
    yield from person.look("1-empty")


def import_by_the_file_browser(newcomer: Newcomer) -> Steps:
    """The panel's button, a file, Enter."""
    person = newcomer.person
    yield from newcomer.click("bpy.ops.bonesetter.import_c3d")
    yield from person.choose_file(STAGE, "take.c3d")
    yield from person.look("2-file-browser")
    yield from person.confirm_file()
    yield from wait_for(lambda: newcomer.take is not None, "the import")
    yield from wait(1.0)
    scene = bpy.context.scene
    newcomer.check("the scene is the take's", (scene.frame_start, scene.frame_end) == (1, newcomer.take.bonesetter.frames), scene.frame_end)
    yield from person.look("3-imported")


def delete_the_cube(newcomer: Newcomer) -> Steps:
    """Alt-H, since it is hidden, then click it, X."""
    person, cube = newcomer.person, bpy.data.objects["Cube"]
    newcomer.check("the startup scene's cube is hidden", cube.hide_get())
    yield from newcomer.over_viewport()
    yield from person.press("H", alt=True)
    yield from wait(0.5)
    newcomer.check("Alt-H shows it", not cube.hide_get())
    box: Any = cube.bound_box
    corners = np.array([cube.matrix_world @ Vector(corner) for corner in box])
    with newcomer.within():
        pixels = ext("ui.overlay.names").to_pixels(bpy.context, corners)
    region = newcomer.viewport
    inside = [(x, y) for x, y in pixels if 60 < x < newcomer.sidebar.x - region.x - 40 and 160 < y < region.height - 60]
    middle = pixels.mean(axis=0)
    x, y = inside[0] if inside else middle
    # a little from the corner towards the middle, so that it is on the cube
    x, y = 0.9 * x + 0.1 * middle[0], 0.9 * y + 0.1 * middle[1]
    yield from person.move(region.x + int(x), region.y + int(y))
    yield from person.press("LEFTMOUSE")
    yield from wait(0.4)
    chosen = bpy.context.view_layer.objects.active
    newcomer.check("a click selects the cube", chosen == cube, chosen and chosen.name)
    yield from person.press("X")
    yield from wait(0.5)
    yield from person.press("RET")
    yield from wait(0.5)
    newcomer.check("X deletes it", "Cube" not in bpy.data.objects)
    yield from person.look("4-without-the-cube")


def solve(newcomer: Newcomer) -> Steps:
    """The button, and the space bar."""
    yield from newcomer.solve("bpy.ops.bonesetter.solve_markers")
    newcomer.check("a click solves", armature() is not None, newcomer.take and f"{newcomer.take.bonesetter.residual_mean:.1f} mm")
    yield from newcomer.person.look("5-solved")
    yield from newcomer.over_viewport()
    yield from newcomer.person.press("SPACE")
    yield from wait(1.5)
    screen = newcomer.person.window.screen
    newcomer.check("the space bar plays", screen.is_animation_playing, bpy.context.scene.frame_current)
    yield from newcomer.person.press("SPACE")
    yield from wait(0.3)


def judge_and_repair(newcomer: Newcomer) -> Steps:
    """The next problem, its range, its samples deleted, and only that solved again."""
    person, scene = newcomer.person, bpy.context.scene
    scene.frame_set(1)
    yield from newcomer.over_viewport()
    yield from person.press("PAGE_DOWN")
    yield from wait(0.4)
    newcomer.check("Page Down selects what has a problem", 0 < len(bpy.context.view_layer.objects.selected) < 30, scene.frame_current)
    yield from person.look("6-problem")
    yield from newcomer.click("bpy.ops.bonesetter.problem_range")
    newcomer.check("Range of Problem makes a preview range", scene.use_preview_range, (scene.frame_preview_start, scene.frame_preview_end))
    yield from newcomer.click("bpy.ops.bonesetter.delete_samples", 0.7)
    yield from person.look("7-deleted")
    yield from newcomer.solve("bpy.ops.bonesetter.solve_range")
    newcomer.check("the range is solved again", newcomer.take.bonesetter.solved_ranges != "", newcomer.take.bonesetter.solved_ranges)
    scene.use_preview_range = False
    yield from person.look("8-repaired")
    errors = newcomer.session.errors
    newcomer.check("no error is said", not errors, errors or "")
    with newcomer.within():
        bpy.ops.bonesetter.write_report(filepath=str(OUT / "report.html"), open_it=False)


SCENARIO: tuple[Callable[[Newcomer], Steps], ...] = (
    open_the_sidebar,
    import_by_the_file_browser,
    delete_the_cube,
    solve,
    judge_and_repair,
)


def begun(verdict: Verdict, _ticker: Ticker) -> Steps:
    yield from in_turn(SCENARIO, Newcomer(verdict))


if __name__ == "__main__":
    drive(begun)
