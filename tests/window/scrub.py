# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether playing and scrubbing keep the scene's rate with the overlay on: `make scrub-test`.

A solved take that was imported into scenes of 24, 25 and 30 fps is played by the space bar, and scrubbed along the strip. How often the
viewport is drawn is counted, since Blender skips redraws rather than frames. The software renderer needs 200 ms for the default window,
whatever is drawn in it; so the window is small, and smooth edges and the floor's grid are off.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import bpy
from person import STAGE, Steps, Ticker, Verdict, drive, ext, wait
from user import User

RATES = (24, 25, 30)
#: Seconds that are played or scrubbed each time.
LONG = 4.0
#: Pixels that the mouse is moved for a frame: more than a frame of the scene, so that each shows another one.
PIXELS = 2
#: Of the scene's rate: four seconds begin and end within a frame.
KEPT = 0.97


class Scrubber(User):
    """Who plays and scrubs, and counts what is drawn."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict)
        self.frames: list[int] = []
        self.rate = 0.0
        self.place = (0, 0)

    def drawn(self) -> None:
        """Blender calls it for every redraw of the viewport."""
        self.frames.append(bpy.context.scene.frame_current)

    def play(self) -> Steps:
        """The space bar; leaves how many different frames were drawn a second."""
        yield from self.over_viewport()
        yield from self.person.press("SPACE")
        yield from wait(0.5)
        self.frames.clear()
        began = time.monotonic()
        yield from wait(LONG)
        self.rate = len(set(self.frames)) / (time.monotonic() - began)
        yield from self.person.press("SPACE")
        yield from wait(0.3)

    def scrub(self, rate: float) -> Steps:
        """Drag along the strip, a frame of the scene's rate at a time; leaves how many different frames were drawn a second."""
        with self.within():
            bars = ext("ui.overlay.strip").bars(bpy.context)
        self.place = (self.viewport.x + bars.left + 1, self.viewport.y + bars.bottom + 6)
        yield from self.person.move(*self.place)
        yield from self.person.move(self.place[0] + 1, self.place[1])
        yield from wait(0.3)
        self._event("LEFTMOUSE", "PRESS")
        yield
        self.frames.clear()
        began = time.monotonic()

        def drag() -> float | None:
            """As often as the scene has frames, whatever was drawn meanwhile."""
            steps = round((time.monotonic() - began) * rate)
            if steps > LONG * rate:
                return None
            self._event("MOUSEMOVE", "NOTHING", right=PIXELS * steps)
            return max(0.0, (steps + 1) / rate - (time.monotonic() - began))

        bpy.app.timers.register(drag)
        yield from wait(LONG)
        self.rate = len(set(self.frames)) / (time.monotonic() - began)
        yield from wait(0.3)
        self._event("LEFTMOUSE", "RELEASE", right=PIXELS * round(LONG * rate))
        yield from wait(0.3)

    def _event(self, kind: Any, value: Any, right: int = 0) -> None:
        self.person.window.event_simulate(type=kind, value=value, x=self.place[0] + right, y=self.place[1])


def make_it_small(scrubber: Scrubber) -> Steps:
    """The viewport alone, without what the software renderer takes most of its time for."""
    with scrubber.within():
        bpy.ops.screen.screen_full_area(use_hide_panels=True)
    yield from wait(1.0)
    scrubber.person.area = next(area for area in scrubber.person.window.screen.areas if area.type == "VIEW_3D")
    bpy.context.preferences.system.viewport_aa = "OFF"
    space: Any = scrubber.person.area.spaces.active
    space.shading.type = "WIREFRAME"
    overlay = space.overlay
    overlay.show_floor = overlay.show_axis_x = overlay.show_axis_y = False
    yield from wait(0.5)


def begin_with(scrubber: Scrubber, rate: int) -> Steps:
    """The take in a scene of this rate, solved, and five of its markers selected."""
    for one in list(bpy.data.objects):
        bpy.data.objects.remove(one)
    for collection in list(bpy.data.collections):
        bpy.data.collections.remove(collection)
    bpy.context.scene.render.fps = rate
    with scrubber.within():
        bpy.ops.bonesetter.import_c3d(filepath=str(STAGE / "take.c3d"), rate="KEEP")
        bpy.ops.bonesetter.solve_markers()
        bpy.ops.screen.frame_jump(end=False)
    scrubber.choose(*list(ext("operators.takes").markers(scrubber.take))[:5])
    yield from wait(1.0)


def keep_the_rate(verdict: Verdict, _ticker: Ticker) -> Steps:
    scrubber = Scrubber(verdict)
    bpy.types.SpaceView3D.draw_handler_add(scrubber.drawn, (), "WINDOW", "POST_PIXEL")
    yield from make_it_small(scrubber)
    for rate in RATES:
        yield from begin_with(scrubber, rate)
        for shown in (False, True):
            bpy.context.scene.bonesetter.show_overlay = shown
            yield from scrubber.play()
            what = "with the overlay" if shown else "without it"
            scrubber.check(f"playing at {rate} fps {what}", scrubber.rate >= KEPT * rate, f"{scrubber.rate:.1f} frames drawn a second")
        yield from scrubber.scrub(rate)
        seen = f"{scrubber.rate:.1f} frames drawn a second"
        scrubber.check(f"scrubbing along the strip at {rate} fps", scrubber.rate >= KEPT * rate, seen)
        yield from scrubber.person.look(f"{rate}-fps")


if __name__ == "__main__":
    drive(keep_the_rate)
