# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody calibrates an actor, solves all takes, holds feet and asks for a report, by mouse.

`BONESETTER_WINDOW_SCRIPT=panel.py tests/window/run.sh`
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import bpy
import numpy as np
from judge import DRAWN, Judge
from long_take import write_long_take
from person import OUT, STAGE, Steps, Ticker, Verdict, drive, ext, wait, wait_for
from user import in_turn, opened


class Animator(Judge):
    """Who sits there now."""

    def load(self, name: str) -> Any:
        path = STAGE / f"{name}.c3d"
        if not path.is_file():
            path.write_bytes((STAGE / "take.c3d").read_bytes())
        with self.within():
            bpy.ops.bonesetter.import_c3d(filepath=str(path))
            bpy.ops.ed.undo_push(message="Import")
        return self.take

    def pixels(self) -> np.ndarray:
        """(markers, 2): where the markers of the take that is worked on are drawn."""
        review, sample = self.review(), self.review().sample(self.scene.frame_current)
        with self.within():
            return ext("ui.overlay.names").to_pixels(bpy.context, review.world[sample])

    def finish(self, command: str, part: float = 0.33) -> Steps:
        yield from self.click(command, part)
        yield from wait_for(lambda: self.session.solve is None, "the engine")
        yield from wait(0.5)


def look(animator: Animator) -> Steps:
    """The take stands above the strip, and markers tell their names."""
    person = animator.person
    opened("actor.BONESETTER_PT_actor", "feet.BONESETTER_PT_feet")
    space: Any = person.area.spaces.active
    space.show_region_ui = True
    yield from wait(0.5)
    for one in list(bpy.data.objects):
        bpy.data.objects.remove(one)
    bpy.context.preferences.view.smooth_view = 0
    animator.load("one")
    person.sidebar.active_panel_category = "Bonesetter"
    yield from wait(1.0)
    with animator.within():
        bars = ext("ui.overlay.strip").bars(bpy.context)
    seen = animator.pixels()
    low = float(np.nanmin(seen[:, 1]))
    animator.check("the strip does not lie over the feet", bars is not None and low > bars.top, (low, bars and bars.top))
    animator.check("and the head is in sight", float(np.nanmax(seen[:, 1])) < animator.viewport.height, float(np.nanmax(seen[:, 1])))
    yield from person.look("1-imported")
    ext("operators.view").select(bpy.context, [])
    row = int(np.nanargmax(seen[:, 1]))
    x, y = (animator.viewport.x + seen[row, 0], animator.viewport.y + seen[row, 1])
    yield from person.move(int(x) - 4, int(y))
    yield from person.move(int(x), int(y))
    yield from wait(0.3)
    animator.check("the marker under the mouse is known", animator.session.hover is not None, animator.session.hover)
    yield from person.look("2-name-under-the-mouse")


def calibrate(animator: Animator) -> Steps:
    """An actor for this and the next take."""
    yield from animator.finish("bpy.ops.bonesetter.calibrate_actor")
    actor = animator.take.bonesetter.kept_actor
    animator.check("a click on Calibrate Actor keeps one", actor is not None, actor and f"{actor.bonesetter.height_m:.2f} m")
    yield from animator.person.look("3-actor")
    animator.load("two")
    animator.check("the next take has it, too", animator.take.bonesetter.kept_actor == actor)


def solve_all(animator: Animator) -> Steps:
    """Both takes, and one step to undo."""
    takes = ext("operators.takes").takes_of
    yield from animator.click("bpy.ops.bonesetter.solve_all")
    yield from wait_for(lambda: animator.session.solve is not None and animator.session.solve.number == 2, "the second take")
    yield from animator.person.look("4-solving-all")
    yield from wait_for(lambda: animator.session.solve is None, "the engine")
    yield from wait(0.5)
    scene = bpy.context.scene
    animator.check("both takes are solved", all(take.bonesetter.solved for take in takes(scene)) and len(takes(scene)) == 2)
    scene.bonesetter.others = "SHOW"
    yield from animator.person.look("5-all-solved")
    yield from animator.over_viewport()
    yield from animator.person.press("Z", ctrl=True)
    yield from wait(0.5)
    scene = bpy.context.scene
    for _ in range(2):
        if any(take.bonesetter.solved for take in takes(scene)):
            # the choice of how others look was a step, too
            yield from animator.person.press("Z", ctrl=True)
            yield from wait(0.5)
    solved = [take.bonesetter.solved for take in takes(bpy.context.scene)]
    animator.check("they are undone together", solved == [False, False], solved)
    with animator.within():
        bpy.ops.bonesetter.solve_markers()


def hold_feet(animator: Animator) -> Steps:
    """One foot is free in a range, and the feet are held again."""
    take, feet = animator.take, ext("operators.feet")
    foot = next(iter(feet.feet_of(take)))
    scene = bpy.context.scene
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 1, 200
    yield from animator.click("bpy.ops.bonesetter.set_contact", 0.8)
    animator.check("a click on Free keys the contact", not feet.read_contact(take, foot)[:200].any())
    yield from animator.person.look("6-feet")
    before = animator.keys()
    yield from animator.finish("bpy.ops.bonesetter.hold_feet")
    after = animator.keys()
    changed = max(float(np.abs(after[curve] - was).max()) for curve, was in before.items())
    animator.check("Hold Feet Again changes the legs", changed > 1e-4, changed)
    scene.use_preview_range = False
    scene.frame_set(100)
    yield from animator.person.look("7-held-again")


def write_report(animator: Animator) -> Steps:
    """The button asks where to, with the take's name; the page is written there."""
    manager: Any = bpy.context.window_manager
    yield from animator.click("bpy.ops.bonesetter.write_report")
    yield from wait_for(lambda: len(manager.windows) == 2, "the file browser")
    yield from wait(1.0)
    browser = manager.windows[-1]
    area = browser.screen.areas[0]
    name = area.spaces.active.params.filename
    animator.check("a click on Report asks where to", name == f"{animator.take.name}.html", name)
    yield from animator.person.look("8-report")
    with bpy.context.temp_override(window=browser, area=area, region=area.regions[-1]):
        bpy.ops.file.cancel()
    yield from wait_for(lambda: len(manager.windows) == 1, "the file browser to close")
    path = OUT / "report.html"
    with animator.within():
        bpy.ops.bonesetter.write_report(filepath=str(path), open_it=False)
    animator.check("the page is written", "<svg" in path.read_text(encoding="utf-8"))


def draw_a_long_take(animator: Animator) -> Steps:
    """How long the overlay takes for a frame of 10,000 frames x 60 markers, in ms of a core; the software renderer's work is in it."""
    write_long_take()
    bpy.context.scene.bonesetter.others = "HIDE"
    animator.load("long")
    yield from wait(1.0)
    whole = np.zeros(DRAWN)
    for part in ("points", "names", "strip"):
        module = ext(f"ui.overlay.{part}")
        for step in range(DRAWN):
            bpy.context.scene.frame_set(5000 + step)
            with animator.within():
                began = time.thread_time()
                module.draw()
                whole[step] += 1e3 * (time.thread_time() - began)
        yield
    animator.check("drawing 10,000 frames x 60 markers", True, f"median {np.median(whole):.2f} ms, least {whole.min():.2f} ms")
    yield from animator.person.look("9-long-take")


SCENARIO: tuple[Callable[[Animator], Steps], ...] = (look, calibrate, solve_all, hold_feet, write_report, draw_a_long_take)


def begun(verdict: Verdict, _ticker: Ticker) -> Steps:
    yield from in_turn(SCENARIO, Animator(verdict))


drive(begun)
