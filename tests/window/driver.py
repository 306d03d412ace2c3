# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a Blender with a window: moves its mouse, presses its keys, and writes what it saw to verdict.txt.

The scenario is a generator; a timer takes it one step further whenever Blender has had time to handle events and to draw.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import addon_utils
import bpy  # first: it puts its own modules on the path
import numpy as np

#: Where `run.sh` put what is needed, and where what it takes back belongs.
STAGE = Path(os.environ["BONESETTER_WINDOW_TEST"])
OUT = STAGE / "out"
PACKAGE = "bl_ext.dev.bonesetter"
STEP = 0.05
TICK = 0.02
#: The longest that the window may stand still while the engine solves, in s. The software renderer takes most of it.
LONGEST_STILL = 1.0
PATIENCE = 240.0

Steps = Iterator[None]

# In a timer this would be too late: the splash would already stand over the viewport.
bpy.context.preferences.view.show_splash = False
bpy.context.preferences.extensions.repos.new(name="dev", module="dev", custom_directory=str(STAGE / "repository"))
addon_utils.enable(PACKAGE, default_set=True)


def ext(name: str) -> Any:
    return importlib.import_module(f"{PACKAGE}.{name}")


class Ticker:
    """Measures how long Blender's event loop stands still."""

    def __init__(self) -> None:
        self.gaps: list[float] = []
        self._last: float | None = None
        bpy.app.timers.register(self._tick)

    def restart(self) -> None:
        self.gaps.clear()
        self._last = None

    def _tick(self) -> float:
        now = time.monotonic()
        if self._last is not None:
            self.gaps.append(now - self._last)
        self._last = now
        return TICK


class Person:
    """Hands and eyes at the window."""

    def __init__(self) -> None:
        self.window = bpy.context.window_manager.windows[0]
        self.area = next(area for area in self.window.screen.areas if area.type == "VIEW_3D")
        self.sidebar = next(region for region in self.area.regions if region.type == "UI")
        self.place = (0, 0)

    def move(self, x: int, y: int) -> Steps:
        self.place = (int(x), int(y))
        self.window.event_simulate(type="MOUSEMOVE", value="NOTHING", x=self.place[0], y=self.place[1])
        yield

    def press(self, key: str, **modifiers: bool) -> Steps:
        for value in ("PRESS", "RELEASE"):
            self.window.event_simulate(type=key, value=value, x=self.place[0], y=self.place[1], **modifiers)
            yield

    def look(self, name: str) -> Steps:
        """Keep what the screen shows."""
        yield from wait(0.4)
        subprocess.run(["import", "-window", "root", str(OUT / f"{name}.png")], check=True)

    def find_button(self, command: str) -> Steps:
        """Move over the sidebar until the button under the mouse is the one that runs a command.

        Ctrl-C over a button copies the command that it runs: no pixel has to be known beforehand.
        """
        x = self.sidebar.x + self.sidebar.width // 3
        for y in range(self.sidebar.y + self.sidebar.height - 10, self.sidebar.y, -9):
            self.window_manager().clipboard = ""
            yield from self.move(x, y)
            yield from self.move(x + 2, y)
            yield from self.press("C", ctrl=True)
            yield
            if command in self.window_manager().clipboard:
                return
        raise AssertionError(f"no button in the sidebar runs {command}")

    @staticmethod
    def window_manager() -> Any:
        return bpy.context.window_manager


def wait(seconds: float) -> Steps:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield


def wait_for(condition: Callable[[], Any], what: str) -> Steps:
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain for {what}")
        yield


class Ear:
    """Hears what the engine tells of a solve, as it arrives in Blender, however seldom the window looks."""

    def __init__(self, engine: Any) -> None:
        self.told: list[tuple[str, float]] = []
        self._engine, self._messages = engine, engine.messages
        engine.messages = self._listen

    def _listen(self, timeout: float = 0.0) -> list[dict[str, Any]]:
        heard = self._messages(timeout)
        # what was cancelled may still say a word
        current = ext("operators.session").session.solve
        mine = [message for message in heard if "progress" in message and current is not None and message["id"] == current.job.number]
        self.told += [(message["stage"], message["progress"]) for message in mine]
        return heard

    def close(self) -> None:
        del self._engine.messages  # what stood before it: the class's own


class Verdict:
    """What was checked, and how it came out."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.passed = self.failed = 0

    def check(self, what: str, holds: Any, seen: Any = "") -> None:
        self.passed += bool(holds)
        self.failed += not holds
        self.lines.append(f"{'ok    ' if holds else 'FAILED'} {what}{f': {seen}' if seen != '' else ''}")

    def write(self) -> None:
        self.lines.append(f"{self.passed} passed, {self.failed} failed")
        (OUT / "verdict.txt").write_text("\n".join(self.lines) + "\n", encoding="utf-8")


def fingerprint() -> tuple[Any, ...]:
    """What a cancelled solve must not have changed."""
    return (
        sorted(one.name for one in bpy.data.objects),
        sorted(one.name for one in bpy.data.actions),
        sorted(one.name for one in bpy.data.armatures),
        sorted(one.name for one in bpy.data.scenes),
        bpy.context.scene.frame_current,
    )


def armature() -> Any:
    return next((one for one in bpy.data.objects if one.type == "ARMATURE"), None)


def head_error(pose: Any) -> float:
    """Largest distance in mm between pose bones' heads and the engine's positions, over some frames."""
    worst = 0.0
    scene, rig = bpy.context.scene, armature()
    for sample in np.linspace(0, len(pose.positions) - 1, 7).astype(int):
        scene.frame_set(int(sample) + 1)
        heads = [rig.matrix_world @ rig.pose.bones[name].head for name in pose.skeleton.joints]
        worst = max(worst, float(np.abs(np.array(heads) - pose.positions[sample]).max()) * 1e3)
    return worst


def scenario(verdict: Verdict, ticker: Ticker) -> Steps:
    person = Person()
    session, solving = ext("operators.session").session, ext("operators.solve_markers")
    engine = session.engine
    space: Any = person.area.spaces.active
    space.show_region_ui = True
    yield from wait(0.5)
    with bpy.context.temp_override(window=person.window, area=person.area):
        for one in list(bpy.data.objects):
            bpy.data.objects.remove(one)
        bpy.ops.bonesetter.import_c3d(filepath=str(STAGE / "take.c3d"))
        bpy.ops.ed.undo_push(message="Import")
    person.sidebar.active_panel_category = "Bonesetter"
    take = bpy.context.scene.bonesetter.take
    verdict.check("import makes an empty per marker", len(take.all_objects) >= 41, len(take.all_objects))
    verdict.check("the markers are selected", len(bpy.context.view_layer.objects.selected) == len(take.all_objects))
    view = space.region_3d
    verdict.check("the view shows them", 0.5 < view.view_distance < 8.0 and 0.3 < view.view_location.z < 1.6, view.view_location)
    yield from wait_for(lambda: engine.alive, "the engine to start by itself")
    yield from person.look("0-framed")
    bpy.context.scene.frame_set(take.bonesetter.frames // 2)
    bpy.context.preferences.view.smooth_view = 0
    region = next(region for region in person.area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=person.window, area=person.area, region=region):
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_all()
    yield from person.look("1-imported")
    before = fingerprint()

    # A run that is cancelled.
    yield from person.find_button("bpy.ops.bonesetter.solve_markers")
    yield from person.press("LEFTMOUSE")
    yield from wait_for(lambda: session.solve is not None, "the solve to start")
    verdict.check("a click on Solve Markers starts the modal operator", len(person.window.modal_operators) == 1)
    yield from wait_for(lambda: session.solve is None or session.solve.job.progress > 0.1, "progress")
    verdict.check("progress moves before Esc", session.solve is not None)
    yield from person.look("2-solving")
    process = engine._process
    verdict.check("the engine runs as its own process", process is not None and process.poll() is None)
    pressed = time.monotonic()
    yield from person.press("ESC")
    yield from wait_for(lambda: session.solve is None, "Esc to end the solve")
    verdict.check("Esc ends the solve at once", time.monotonic() - pressed < 1.5, f"{time.monotonic() - pressed:.2f} s")
    verdict.check("the engine stays warm after Esc", process is not None and process.poll() is None and engine.pid == process.pid)
    verdict.check("the scene is untouched after Esc", fingerprint() == before)
    verdict.check("no modal operator is left", len(person.window.modal_operators) == 0)
    yield from person.look("3-cancelled")

    # A run that finishes.
    finish, kept = solving.load_pose, []
    solving.load_pose = lambda path: kept.append(finish(path)) or kept[-1]
    ear = Ear(engine)
    yield from person.find_button("bpy.ops.bonesetter.solve_markers")
    ticker.restart()
    began = time.monotonic()
    yield from person.press("LEFTMOUSE")
    yield from wait_for(lambda: session.solve is not None, "the second solve to start")
    verdict.check("the same process solves again", engine.pid == process.pid, (engine.pid, process.pid))
    shown: list[tuple[str, float]] = [(session.solve.job.stage, session.solve.job.progress)]
    waiting: list[float] = []
    while session.solve is not None:
        if (now := (session.solve.job.stage, session.solve.job.progress)) != shown[-1]:
            shown.append(now)
        waiting = list(ticker.gaps)
        if time.monotonic() - began > PATIENCE:
            raise AssertionError("the solve did not end")
        yield
    solving.load_pose = finish
    ear.close()
    # a solve of a second or two has time for some ticks of the window only: it shows some of what it is told
    values = [value for _, value in ear.told]
    verdict.check("the engine tells many values of its progress", len(set(values)) >= 8, len(set(values)))
    verdict.check("its progress never falls", values == sorted(values), " ".join(f"{value:.2f}" for value in values))
    unsaid = {stage for stage, _ in ear.told} - set(ext("operators.session").STAGES)
    verdict.check("its stages have words for people", not unsaid, unsaid or "")
    strange = [one for one in shown[1:] if one not in ear.told]
    verdict.check("the progress bar shows what was told", len(shown) > 1 and not strange, strange or len(shown))
    rising = " ".join(f"{value:.2f}" for _, value in shown)
    verdict.check("the progress bar rises", all(a[1] <= b[1] for a, b in pairwise(shown)) and shown[-1][1] > shown[0][1], rising)
    longest = max(waiting)
    verdict.check("the window stays usable while the engine solves", longest < LONGEST_STILL, f"longest standstill {longest:.2f} s")
    verdict.check("the solve makes an armature", armature() is not None and len(armature().pose.bones) == 31)
    verdict.check("heads are the engine's positions within 0.1 mm", (error := head_error(kept[0])) < 0.1, f"{error:.5f} mm")
    verdict.check("no helper scene is left", len(bpy.data.scenes) == 1)
    bpy.context.scene.frame_set(take.bonesetter.frames // 2)
    yield from wait(0.3)
    yield from person.look("4-solved")

    # One step back and forth, as a person does it.
    yield from person.move(region.x + region.width // 3, region.y + region.height // 2)
    yield from person.press("Z", ctrl=True)
    yield from wait(1.0)
    verdict.check("one undo takes the armature away", armature() is None)
    verdict.check("undo leaves the markers", fingerprint()[0] == before[0] and fingerprint()[1] == before[1])
    yield from person.look("5-undone")
    yield from person.press("Z", ctrl=True, shift=True)
    yield from wait(1.0)
    verdict.check("redo brings it back", armature() is not None)
    verdict.check("heads are right after redo", armature() is not None and head_error(kept[0]) < 0.1)

    # The second solve, with another object in pose mode, replaces the first.
    rig = armature()
    if rig is not None:
        bpy.context.view_layer.objects.active = rig
        with bpy.context.temp_override(window=person.window, area=person.area, region=region):
            bpy.ops.object.mode_set(mode="POSE")
        yield from wait(0.3)
        yield from person.find_button("bpy.ops.bonesetter.solve_markers")
        yield from person.press("LEFTMOUSE")
        yield from wait_for(lambda: session.solve is not None, "the third solve to start")
        yield from wait_for(lambda: session.solve is None, "the third solve to end")
        verdict.check("a second solve replaces the first", [one.type for one in bpy.data.objects].count("ARMATURE") == 1)
        verdict.check("it leaves no action behind", len(bpy.data.actions) == 2, [one.name for one in bpy.data.actions])
        verdict.check("it leaves the user in pose mode", armature().mode == "POSE", armature().mode)
        verdict.check("heads are right after the second solve", head_error(kept[0]) < 0.1)
        bpy.context.scene.frame_set(take_frames() // 2)
        yield from person.look("6-again")
        yield from play_and_escape(person, region, verdict)
        yield from ask_before_overwriting(person, region, verdict)
    yield from import_twice(person, verdict)


def play_and_escape(person: Person, region: Any, verdict: Verdict) -> Steps:
    """Esc while the animation plays stops that, and not the solve."""
    session, screen = ext("operators.session").session, person.window.screen
    with bpy.context.temp_override(window=person.window, area=person.area, region=region):
        bpy.ops.object.mode_set(mode="OBJECT")
    yield from person.find_button("bpy.ops.bonesetter.solve_markers")
    yield from person.press("LEFTMOUSE")
    yield from wait_for(lambda: session.solve is not None, "the fourth solve to start")
    with bpy.context.temp_override(window=person.window, area=person.area, region=region):
        bpy.ops.screen.animation_play()
    yield from wait_for(lambda: screen.is_animation_playing, "the animation to play")
    yield from person.move(region.x + region.width // 3, region.y + region.height // 2)
    yield from person.press("ESC")
    yield from wait_for(lambda: not screen.is_animation_playing, "Esc to stop the animation")
    solved = armature().animation_data.action
    yield from wait_for(lambda: session.solve is None, "the fourth solve to end")
    verdict.check("Esc stops the animation and not the solve", armature().animation_data.action == solved)


def ask_before_overwriting(person: Person, region: Any, verdict: Verdict) -> Steps:
    """A pose that was edited by hand is replaced only after a question, and kept."""
    session, rig = ext("operators.session").session, armature()
    rig.pose.bones["Head"].rotation_quaternion = (0, 1, 0, 0)
    rig.pose.bones["Head"].keyframe_insert("rotation_quaternion", frame=20)
    with bpy.context.temp_override(window=person.window, area=person.area, region=region):
        bpy.ops.ed.undo_push(message="Edit")
    yield from person.find_button("bpy.ops.bonesetter.solve_markers")
    yield from person.press("LEFTMOUSE")
    yield from wait(1.0)
    verdict.check("an edited pose is asked about", session.solve is None)
    yield from person.look("7-asked")
    yield from person.press("RET")
    yield from wait_for(lambda: session.solve is not None, "the fifth solve to start")
    yield from wait_for(lambda: session.solve is None, "the fifth solve to end")
    kept = [action.name for action in bpy.data.actions if action.name.endswith("(edited)")]
    verdict.check("it is kept as an action of its own", len(kept) == 1, kept)
    yield from person.look("8-replaced")


def import_twice(person: Person, verdict: Verdict) -> Steps:
    """The same file is imported once more only after a question."""
    takes = ext("operators.takes")
    count = len(takes.takes_of(bpy.context.scene))
    with bpy.context.temp_override(window=person.window, area=person.area):
        bpy.ops.bonesetter.import_c3d(filepath=str(STAGE / "take.c3d"))
    yield from wait(0.7)
    verdict.check("the same file again is asked about", len(takes.takes_of(bpy.context.scene)) == count)
    yield from person.look("9-imported-already")
    yield from person.press("RET")
    yield from wait_for(lambda: len(takes.takes_of(bpy.context.scene)) == count + 1, "the second import")
    yield from wait(0.5)
    verdict.check("the new take is the one to work on", takes.active_take(bpy.context).name.endswith(".001"))
    yield from person.look("10-two-takes")


def take_frames() -> int:
    return bpy.context.scene.bonesetter.take.bonesetter.frames


def drive() -> None:
    verdict, ticker = Verdict(), Ticker()
    steps = scenario(verdict, ticker)

    def step() -> float | None:
        try:
            next(steps)
        except StopIteration:
            pass
        except BaseException as error:
            traceback.print_exc()
            verdict.check("the scenario comes to its end", False, error)
        else:
            return STEP
        verdict.write()
        sys.stdout.flush()
        ext("operators.session").session.engine.close()
        os._exit(0)

    # The window is drawn only some seconds after start.
    bpy.app.timers.register(step, first_interval=4.0)


drive()
