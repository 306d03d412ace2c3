# SPDX-License-Identifier: GPL-3.0-or-later
"""The manual's pictures of judging and repairing a take, and the frames of the picture that moves: `make screenshots` runs this, too.

A walk's markers with their flags, a solve, the armature that moves, and a finding that is clicked on. A folder of frames becomes one
picture.
"""

from __future__ import annotations

import sys
from math import radians
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bpy
from mathutils import Euler
from person import OUT, STAGE, Steps, Ticker, Verdict, drive, ext, wait, wait_for
from screenshots import WIDTH, WINDOW, photograph
from user import User, in_turn

#: Frames of the scene that are shown before the solve and after it, and how far apart.
BEFORE, AFTER, APART = (120, 200), (200, 330), 5
#: Where the markers are looked at from, and how much nearer than all of the take.
ANGLES, NEAR = (82.0, 0.0, 24.0), 0.9
#: Frames in which two markers are exchanged, as a lab's labelling may do.
SPOILT = (150, 190)


class Tour(User):
    """Who shows the take around."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict)
        self.count = 0
        (OUT / "tour").mkdir()

    def look_at_all(self) -> Steps:
        """From ahead and aside, so that both legs are seen."""
        view: Any = self.person.area.spaces.active.region_3d
        with self.within():
            bpy.ops.view3d.view_all()
        view.view_rotation = Euler([radians(angle) for angle in ANGLES]).to_quaternion()
        view.view_perspective = "PERSP"
        yield from wait(0.3)
        view.view_distance *= NEAR
        yield from wait(0.3)

    def crop(self) -> str:
        area = self.person.area
        top = self.person.window.height - area.y - area.height
        return f"{WIDTH}x{area.height}+{area.x + area.width - WIDTH}+{top}"

    def keep(self, name: str) -> Steps:
        """A picture of its own, of the viewport with the sidebar."""
        yield from photograph(WINDOW, name, self.crop())

    def film(self) -> Steps:
        """One more frame of the picture that moves."""
        yield from photograph(WINDOW, f"tour/{self.count:03d}", self.crop(), settle=0.15)
        self.count += 1

    def play(self, first: int, last: int) -> Steps:
        for frame in range(first, last, APART):
            bpy.context.scene.frame_set(frame)
            yield from self.film()

    def rest(self) -> Steps:
        """Take the mouse off the panel."""
        area = self.person.area
        yield from self.person.move(area.x + area.width // 3, area.y + area.height // 2)

    def sidebar(self) -> str:
        side = self.person.sidebar
        return f"{side.width}x{side.height}+{side.x}+{self.person.window.height - side.y - side.height}"


def begin(tour: Tour) -> Steps:
    """A take with two exchanged labels, seen whole."""
    tour.person.area.spaces.active.show_region_ui = True
    for one in list(bpy.data.objects):
        bpy.data.objects.remove(one)
    yield from wait(0.5)
    tour.person.sidebar.active_panel_category = "Bonesetter"
    bpy.context.preferences.view.smooth_view = 0
    with tour.within():
        bpy.ops.bonesetter.import_c3d(filepath=str(STAGE / "take.c3d"))
        tour.choose("RSHO", "RELB")
        bpy.ops.bonesetter.swap_markers(first=SPOILT[0], last=SPOILT[1])
    bpy.context.view_layer.objects.active = None
    for one in bpy.context.selected_objects:
        one.select_set(False)
    bpy.context.scene.frame_set(BEFORE[0])
    yield from wait(1.0)
    yield from tour.look_at_all()


def show_flags(tour: Tour) -> Steps:
    """Markers in the colour of their state, before anything is solved."""
    yield from tour.play(*BEFORE)
    codes = ext("operators.review").review_of(bpy.context.scene, tour.take).states.codes
    worst, flagged = codes[SPOILT[0] - 1 : SPOILT[1]].max(), ext("model.review.states").State.RIGID
    tour.check("markers are flagged where they were exchanged", worst >= flagged, worst)
    bpy.context.scene.frame_set(sum(SPOILT) // 2)
    yield from tour.keep("flags")


def solve(tour: Tour) -> Steps:
    """With its progress."""
    session = ext("operators.session").session
    yield from tour.person.to_the_top()
    yield from tour.person.find_button("bpy.ops.bonesetter.solve_markers")
    yield from tour.person.press("LEFTMOUSE")
    # a tooltip would stand over the panel
    yield from tour.rest()
    for _ in range(4):
        yield from wait(0.6)
        if session.solve is not None:
            yield from tour.film()
    yield from wait_for(lambda: session.solve is None, "the solve to end")
    tour.check("the take is solved", tour.take.bonesetter.armature is not None)
    yield from wait(0.5)


def show_motion(tour: Tour) -> Steps:
    yield from tour.look_at_all()
    yield from tour.play(*AFTER)
    tour.check("the picture that moves has frames", tour.count > 30, tour.count)


def show_finding(tour: Tour) -> Steps:
    """A click on the list goes there and selects the markers."""
    findings = list(tour.take.bonesetter.findings)
    rows = [row for row, item in enumerate(findings) if item.corrects]
    tour.check("the solver found the exchanged labels", rows)
    with tour.within():
        bpy.ops.bonesetter.show_finding(index=rows[0])
    yield from tour.look_at_all()
    yield from tour.person.move(tour.person.sidebar.x + 60, tour.person.sidebar.y + 200)
    for _ in range(40):
        yield from tour.person.press("WHEELDOWNMOUSE")
    yield from tour.rest()
    yield from tour.keep("finding")
    yield from photograph(WINDOW, "repair", tour.sidebar())
    yield from tour.person.to_the_top()
    yield from tour.rest()


def speak_korean(tour: Tour) -> Steps:
    """The panel follows the preference."""
    bpy.context.preferences.view.language = "ko_KR"
    yield from wait(1.0)
    tour.check("the interface speaks Korean", bpy.app.translations.pgettext_iface("Noise Filter") == "노이즈 필터")
    yield from photograph(WINDOW, "korean", tour.sidebar())


def tour(verdict: Verdict, _ticker: Ticker) -> Steps:
    """From markers to a moving armature."""
    yield from in_turn((begin, show_flags, solve, show_motion, show_finding, speak_korean), Tour(verdict))


if __name__ == "__main__":
    drive(tour)
