# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands and eyes at Blender's window, ears at the engine, and the verdict of what they found."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import addon_utils
import bpy

#: Where `run.sh` put what is needed, and where what it takes back belongs.
STAGE = Path(os.environ["BONESETTER_WINDOW_TEST"])
OUT = STAGE / "out"
PACKAGE = "bl_ext.dev.bonesetter"
#: Seconds between two looks at what a step waits for.
STEP = 0.05
TICK = 0.02
PATIENCE = 240.0
#: Blender's names of the keys of digits.
TYPED = dict(zip("0123456789", ("ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE"), strict=True))

Steps = Iterator[None]


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
        #: The file browser's window, once one was opened.
        self.browser: Any = None

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

    def find_button(self, command: str, part: float = 0.33) -> Steps:
        """Move over the sidebar until the button under the mouse is the one that runs a command, scrolling down where it has to.

        Ctrl-C over a button copies the command that it runs: no pixel has to be known beforehand.

        Args:
            command: What the copied text contains.
            part: Of the sidebar's width, where the mouse goes down.
        """
        yield from self._find(command, part, ctrl=True)

    def type_into(self, setting: str, value: str, part: float = 0.75) -> Steps:
        """Type a value into the sidebar's field of a setting, as the full data path that Blender copies names it."""
        yield from self._find(setting, part, ctrl=True, shift=True, alt=True)
        yield from self.press("RET")
        yield from self.press("A", ctrl=True)
        for letter in value:
            self.window.event_simulate(type=TYPED[letter], value="PRESS", unicode=letter, x=self.place[0], y=self.place[1])
            yield
        yield from self.press("RET")

    def choose_file(self, folder: Path, name: str) -> Steps:
        """Go to a folder and write a file's name in the file browser that was just asked for; leaves it open as `browser`."""
        manager = self.window_manager()
        yield from wait_for(lambda: len(manager.windows) == 2, "the file browser")
        yield from wait(1.0)
        self.browser = manager.windows[-1]
        area = self.browser.screen.areas[0]
        area.spaces.active.params.directory = str(folder).encode()
        yield from wait(1.0)
        area.spaces.active.params.filename = name
        area.tag_redraw()
        yield from wait(0.5)

    def confirm_file(self) -> Steps:
        """Enter, in the file browser."""
        area = self.browser.screen.areas[0]
        place = {"x": area.x + area.width // 2, "y": area.y + area.height // 2}
        # the window is gone with the key's press
        for kind, value in (("MOUSEMOVE", "NOTHING"), ("RET", "PRESS")):
            self.browser.event_simulate(type=kind, value=value, **place)
            yield

    def _find(self, copied: str, part: float, **keys: bool) -> Steps:
        for _ in range(6):
            yield from self._sweep(copied, self.sidebar.x + round(self.sidebar.width * part), **keys)
            if copied in self.window_manager().clipboard:
                return
            for _ in range(6):
                yield from self.press("WHEELDOWNMOUSE")
        raise AssertionError(f"nothing in the sidebar is {copied}")

    def to_the_top(self) -> Steps:
        """Scroll the sidebar up."""
        yield from self.move(self.sidebar.x + self.sidebar.width // 3, self.sidebar.y + self.sidebar.height // 2)
        for _ in range(30):
            yield from self.press("WHEELUPMOUSE")

    def _sweep(self, copied: str, x: int, **keys: bool) -> Steps:
        for y in range(self.sidebar.y + self.sidebar.height - 10, self.sidebar.y, -9):
            self.window_manager().clipboard = ""
            yield from self.move(x, y)
            yield from self.move(x + 2, y)
            yield from self.press("C", **keys)
            yield
            if copied in self.window_manager().clipboard:
                return

    @staticmethod
    def window_manager() -> Any:
        return bpy.context.window_manager


def armature() -> Any:
    return next((one for one in bpy.data.objects if one.type == "ARMATURE"), None)


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


def drive(play: Callable[[Verdict, Ticker], Steps]) -> None:
    """Enable the extension and play a scenario, step by step as Blender has time to handle events and to draw; then end Blender."""
    # later, in a timer, the splash would already stand over the viewport
    bpy.context.preferences.view.show_splash = False
    bpy.context.preferences.extensions.repos.new(name="dev", module="dev", custom_directory=str(STAGE / "repository"))
    addon_utils.enable(PACKAGE, default_set=True)
    verdict, ticker = Verdict(), Ticker()
    steps = play(verdict, ticker)

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
