# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody judges a take and repairs it, with mouse and keys: `BONESETTER_WINDOW_SCRIPT=judge.py tests/window/run.sh TAKE.c3d`.

The best of it shows on a take with gaps and exchanged labels, such as `mons_rolling`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Blender puts nothing on the path for the script that it is told to run.
sys.path.insert(0, str(Path(__file__).parent))

import bpy
import numpy as np
from person import STAGE, Steps, Ticker, Verdict, armature, drive, ext, wait, wait_for
from user import User, in_turn

#: Frames of the scene that are swapped and solved again.
FIRST, LAST = 800, 900
#: Times that each part of the overlay is drawn to see how long it takes.
DRAWN = 60


class Judge(User):
    """Who sits there, and what they look at."""

    def review(self) -> Any:
        return ext("operators.review").review_of(bpy.context.scene, self.take)

    def in_sight(self) -> tuple[bool, str]:
        """Whether most of the take's markers are seen above the strip and beside the sidebar, and how many."""
        review, region = self.review(), self.viewport
        with self.within():
            bars = ext("ui.overlay.strip").bars(bpy.context)
            pixels = ext("ui.overlay.names").to_pixels(bpy.context, review.world[review.sample(self.scene.frame_current)])
        pixels = pixels[np.isfinite(pixels[:, 0])]
        free = (pixels > (0, bars.top)) & (pixels < (bars.right, region.height))
        seen = int(free.all(axis=1).sum())
        return 2 * seen > len(pixels), f"{seen} of {len(pixels)}"

    def frame(self, *objects: Any) -> Steps:
        """Select objects and have them fill the view, as a person does who has lost them."""
        ext("operators.view").select(bpy.context, list(objects))
        yield from self.over_viewport()
        yield from self.person.press("NUMPAD_PERIOD")
        yield from wait(0.5)

    def keys(self) -> dict[tuple[str, int], np.ndarray]:
        """The solved keys as Blender stores them."""
        found = {}
        for curve in ext("operators.layers").solved_bag(self.take).fcurves:
            points = np.empty(2 * len(curve.keyframe_points), dtype=np.float32)
            curve.keyframe_points.foreach_get("co", points)
            found[curve.data_path, curve.array_index] = points.reshape(-1, 2)
        return found


def look_at_it(judge: Judge) -> Steps:
    """Gaps and flags are there as soon as the take is."""
    person = judge.person
    space: Any = person.area.spaces.active
    space.show_region_ui = True
    yield from wait(0.5)
    for one in list(bpy.data.objects):
        bpy.data.objects.remove(one)
    person.sidebar.active_panel_category = "Bonesetter"
    yield from wait(0.5)
    yield from judge.click("bpy.ops.bonesetter.import_c3d")
    yield from person.choose_file(STAGE, "take.c3d")
    yield from person.confirm_file()
    yield from wait_for(lambda: judge.take is not None, "the import")
    yield from wait(1.0)
    bpy.context.preferences.view.smooth_view = 0
    judge.scene.frame_set(judge.take.bonesetter.frames // 3)
    yield from wait(1.0)
    yield from person.look("1-gaps-and-flags")
    with judge.within():
        bars = ext("ui.overlay.strip").bars(bpy.context)
    judge.check(
        "the strip has a row a part of the body", bars is not None and len(bars.rows) >= 6, bars and [row.name for row in bars.rows]
    )


def lower_a_threshold(judge: Judge) -> Steps:
    """Flags follow at once."""
    before = sum(judge.review().flagged.counts.values())
    yield from judge.person.to_the_top()
    yield from judge.person.type_into("rigid_tolerance", "15")
    yield from wait(0.5)
    typed = judge.take.bonesetter.rigid_tolerance
    judge.check("a threshold is typed into its field", abs(typed - 15.0) < 1e-3, f"{typed:.1f} mm")
    after = sum(judge.review().flagged.counts.values())
    judge.check("a lower threshold flags more", after > before, f"{before} -> {after}")
    yield from judge.person.look("2-lower-threshold")
    yield from judge.click("bpy.ops.bonesetter.reset_filter")
    judge.check("Reset takes it back", judge.take.bonesetter.rigid_tolerance == 40.0)


def go_from_problem_to_problem(judge: Judge) -> Steps:
    """By key, and by a click on the strip."""
    judge.scene.frame_set(1)
    visited = []
    for _ in range(3):
        yield from judge.over_viewport()
        yield from judge.person.press("PAGE_DOWN")
        yield from wait(0.3)
        visited.append(judge.scene.frame_current)
    judge.check("Page Down goes from problem to problem", visited == sorted(set(visited)) and visited[0] > 0, visited)
    yield from judge.person.look("3-next-problem")
    strip = ext("ui.overlay.strip")
    with judge.within():
        bars = strip.bars(bpy.context)
    x, y = (bars.left + bars.right) // 2, bars.bottom + 6
    yield from judge.person.move(judge.viewport.x + x - 3, judge.viewport.y + y)
    yield from judge.person.move(judge.viewport.x + x, judge.viewport.y + y)
    yield from wait(0.3)
    yield from judge.person.press("LEFTMOUSE")
    yield from wait(0.3)
    judge.check("a click on the strip goes there", abs(judge.scene.frame_current - bars.frame_at(x)) <= 1, judge.scene.frame_current)


def swap_and_solve(judge: Judge) -> Steps:
    """Two labels are exchanged over a range, and the solve finds out."""
    labels = list(ext("operators.takes").markers(judge.take))
    known = [labels[row] for row in judge.review().rows[2].markers[:2]]
    judge.choose(*known)
    judge.scene.use_preview_range = True
    judge.scene.frame_preview_start, judge.scene.frame_preview_end = FIRST, LAST
    before = ext("operators.gather").gather_take(judge.scene, judge.take).positions
    yield from judge.click("bpy.ops.bonesetter.swap_markers", 0.7)
    after = ext("operators.gather").gather_take(judge.scene, judge.take).positions
    changed = np.flatnonzero((np.nan_to_num(before) != np.nan_to_num(after)).any(axis=(1, 2))) + 1
    inside = len(changed) > 0 and changed[0] >= FIRST and changed[-1] <= LAST
    judge.check("a click on Swap exchanges two markers in the preview range", inside, (known, len(changed)))
    yield from judge.person.look("4-swapped")
    judge.scene.use_preview_range = False
    yield from judge.solve("bpy.ops.bonesetter.solve_markers")
    judge.check("the take is solved", judge.take.bonesetter.solved and armature() is not None)
    yield from judge.person.look("5-solved")


def click_a_finding(judge: Judge) -> Steps:
    """It shows where it is, and can be applied."""
    judge.scene.frame_set(1)
    yield from judge.click("bpy.ops.bonesetter.show_finding", 0.74)
    chosen = len(bpy.context.view_layer.objects.selected)
    judge.check("a click on a finding selects its markers", 0 < chosen < 30, chosen)
    judge.check("and has them in sight", *judge.in_sight())
    yield from judge.person.look("6-finding")
    yield from judge.over_viewport()
    yield from judge.person.press("PAGE_DOWN")
    yield from wait(0.3)
    judge.check("so has Page Down", *judge.in_sight())
    yield from judge.person.look("7-next-problem")


def mute_and_solve_a_range(judge: Judge) -> Steps:
    """All other frames keep every bit."""
    labels = list(ext("operators.takes").markers(judge.take))
    judge.choose(labels[judge.review().rows[2].markers[0]])
    yield from judge.click("bpy.ops.bonesetter.mute_markers", 0.8)
    judge.check("a click on Mute mutes", judge.review().marks.muted.sum() == 1)
    judge.scene.use_preview_range = True
    judge.scene.frame_preview_start, judge.scene.frame_preview_end = FIRST, LAST
    before = judge.keys()
    yield from judge.solve("bpy.ops.bonesetter.solve_range")
    after = judge.keys()
    outside = all(
        (after[curve][(was[:, 0] < FIRST) | (was[:, 0] > LAST)] == was[(was[:, 0] < FIRST) | (was[:, 0] > LAST)]).all()
        for curve, was in before.items()
    )
    changed = max(float(np.abs(after[curve] - was).max()) for curve, was in before.items())
    judge.check("Solve Range changes its frames", changed > 1e-5, changed)
    judge.check("and no others, to the bit", outside)
    judge.scene.frame_set((FIRST + LAST) // 2)
    yield from judge.frame(armature())
    yield from judge.person.look("8-range")
    judge.scene.use_preview_range = False


def key_the_head(judge: Judge) -> Steps:
    """What was keyed by hand stays on top of the next solve."""
    head = armature().pose.bones["head"]
    judge.scene.frame_set(200)
    head.rotation_quaternion = (0.6, 0.8, 0, 0)
    head.keyframe_insert("rotation_quaternion", frame=200)
    bpy.context.view_layer.update()
    edited = np.array(head.matrix)[:3, :3]
    with judge.within():
        bpy.ops.ed.undo_push(message="Key the head")
    yield from judge.solve("bpy.ops.bonesetter.solve_markers")
    judge.scene.frame_set(200)
    bpy.context.view_layer.update()
    now = np.array(armature().pose.bones["head"].matrix)[:3, :3]
    judge.check("the head's keys are still there", np.abs(now - edited).max() < 0.1, float(np.abs(now - edited).max()))
    yield from judge.frame(armature())
    yield from judge.person.look("9-head")


def undo_all(judge: Judge) -> Steps:
    """Step by step, back to the take as it was imported."""
    for _ in range(12):
        yield from judge.over_viewport()
        yield from judge.person.press("Z", ctrl=True)
        yield from wait(0.5)
        if armature() is None and judge.take is not None and not judge.take.bonesetter.solved:
            break
    judge.check("undo takes it all back", armature() is None and judge.take is not None)
    yield from judge.frame(*ext("operators.takes").markers(judge.take).values())
    yield from judge.person.look("10-undone")


def time_the_drawing(judge: Judge) -> Steps:
    """How long each part of the overlay takes for a frame, in ms of a core; the software renderer's work is in it."""
    for part in ("points", "names", "strip"):
        module, took = ext(f"ui.overlay.{part}"), []
        for step in range(DRAWN):
            judge.scene.frame_set(100 + step)
            with judge.within():
                began = time.thread_time()
                module.draw()
                took.append(1e3 * (time.thread_time() - began))
        judge.check(f"drawing {part}", True, f"median {np.median(took):.2f} ms, 95 % {np.percentile(took, 95):.2f} ms")
        yield


SCENARIO: tuple[Callable[[Judge], Steps], ...] = (
    look_at_it,
    lower_a_threshold,
    go_from_problem_to_problem,
    time_the_drawing,
    swap_and_solve,
    click_a_finding,
    mute_and_solve_a_range,
    key_the_head,
    undo_all,
)


def begun(verdict: Verdict, _ticker: Ticker) -> Steps:
    yield from in_turn(SCENARIO, Judge(verdict))


if __name__ == "__main__":
    drive(begun)
