# SPDX-License-Identifier: GPL-3.0-or-later
"""The manual's pictures: a first take as a person sees it, in a real window. `make screenshots` runs this and keeps them in docs/images."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bpy
from person import OUT, STAGE, Person, Steps, Ticker, Verdict, drive, ext, wait, wait_for

#: Takes that stand beside the one that is imported in the file browser's list.
OTHERS = ("jump.c3d", "run.c3d", "turn.trc")
#: How the main window's title ends, as a regular expression, and how wide a picture is whose letters can be read on a page.
WINDOW, WIDTH = "Blender [0-9]", 1000
#: Of the sidebar down to the end of the panel, in pixels, and the frame that is shown.
PANEL_HEIGHT, FRAME = 680, 60


def pictures(verdict: Verdict, _ticker: Ticker) -> Steps:
    """From an empty scene to a solved take, looking at each step."""
    person = Person()
    session = ext("operators.session").session
    person.area.spaces.active.show_region_ui = True
    for one in list(bpy.data.objects):
        bpy.data.objects.remove(one)
    yield from wait(0.5)
    person.sidebar.active_panel_category = "Bonesetter"
    takes = STAGE / "takes"
    takes.mkdir()
    for name in ("walk.c3d", *OTHERS):
        (takes / name).write_bytes((STAGE / "take.c3d").read_bytes())
    yield from file_browser(person, takes)
    with bpy.context.temp_override(window=person.window, area=person.area):
        bpy.ops.bonesetter.import_c3d(filepath=str(takes / "walk.c3d"))
    take = bpy.context.scene.bonesetter.take
    yield from wait_for(lambda: session.engine.alive, "the engine to start")
    bpy.context.scene.frame_set(FRAME)
    yield from face(person)
    yield from viewport(person, "imported")
    yield from person.find_button("bpy.ops.bonesetter.solve_markers")
    yield from person.press("LEFTMOUSE")
    yield from wait_for(lambda: session.solve is not None and session.solve.job.progress > 0.05, "progress")
    yield from viewport(person, "solving")
    yield from wait_for(lambda: session.solve is None, "the solve to end")
    verdict.check("the take is solved", take.bonesetter.armature is not None)
    bpy.context.scene.frame_set(FRAME)
    yield from face(person)
    yield from viewport(person, "solved")
    side = person.sidebar
    top = person.window.height - side.y - side.height
    yield from photograph(WINDOW, "panel", f"{side.width}x{PANEL_HEIGHT}+{side.x}+{top}")


def file_browser(person: Person, folder: Path) -> Steps:
    """File > Import, with a take chosen and the options beside it."""
    manager: Any = bpy.context.window_manager
    region = next(region for region in person.area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=person.window, area=person.area, region=region):
        bpy.ops.bonesetter.import_c3d("INVOKE_DEFAULT")
    yield from person.choose_file(folder, "walk.c3d")
    yield from photograph("Blender File View", "import")
    browser = person.browser
    area = browser.screen.areas[0]
    with bpy.context.temp_override(window=browser, area=area, region=area.regions[-1]):
        bpy.ops.file.cancel()
    yield from wait_for(lambda: len(manager.windows) == 1, "the file browser to close")


def face(person: Person) -> Steps:
    """Look at what is selected from the front, above the strip."""
    bpy.context.preferences.view.smooth_view = 0
    region = next(region for region in person.area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=person.window, area=person.area, region=region):
        bpy.ops.view3d.view_axis(type="FRONT")
        ext("operators.view").frame_selected(bpy.context)
    yield from wait(0.3)


def viewport(person: Person, name: str) -> Steps:
    """Keep what the right of the 3D view shows, with the sidebar."""
    area = person.area
    top = person.window.height - area.y - area.height
    yield from photograph(WINDOW, name, f"{WIDTH}x{area.height}+{area.x + area.width - WIDTH}+{top}")


def photograph(title: str, name: str, crop: str = "", settle: float = 0.4) -> Steps:
    """Keep what one window shows once it has settled for some seconds, without its frame, or a part of it: WIDTHxHEIGHT+LEFT+TOP."""
    yield from wait(settle)
    found = subprocess.run(["xdotool", "search", "--onlyvisible", "--name", title], capture_output=True, text=True, check=True)
    cropped = ["-crop", crop, "+repage"] if crop else []
    subprocess.run(["import", "-window", found.stdout.split()[0], *cropped, str(OUT / f"{name}.png")], check=True)


if __name__ == "__main__":
    drive(pictures)
