# SPDX-License-Identifier: GPL-3.0-or-later
"""Presets in the import's dialogs: kept and chosen with the mouse, in the file browser and in the popup of files that are dropped.

`BONESETTER_WINDOW_SCRIPT=import_presets.py tests/window/run.sh`
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import bpy
from person import STAGE, Steps, Ticker, Verdict, drive, ext, wait, wait_for
from user import User, in_turn

#: Of a preset that Blender's own menu kept.
HEAD = "import bpy\nop = bpy.context.active_operator\n\n"
MARK = STAGE / "was run"
#: Pixels from one row of a menu to the next.
ROW = 20


def sampled(take: Any) -> bool:
    """Whether markers have compact samples in place of keys."""
    bag = ext("operators.keyframes").bound_channelbag(next(one for one in take.all_objects if one.animation_data))
    return all(len(curve.sampled_points) > 0 and len(curve.keyframe_points) == 0 for curve in bag.fcurves if curve.data_path == "location")


def write(name: str, lines: str) -> None:
    folder = Path(bpy.utils.user_resource("SCRIPTS", path="presets/operator/bonesetter.import_c3d", create=True))
    (folder / f"{name}.py").write_text(HEAD + lines, encoding="utf-8")


def move(window: Any, x: int, y: int) -> Steps:
    for dx in (0, 2):
        window.event_simulate(type="MOUSEMOVE", value="NOTHING", x=x + dx, y=y)
        yield


def press(window: Any, key: str, x: int, y: int) -> Steps:
    for value in ("PRESS", "RELEASE"):
        window.event_simulate(type=key, value=value, x=x + 2, y=y)
        yield


def click(window: Any, x: int, y: int) -> Steps:
    yield from move(window, x, y)
    yield from wait(0.3)
    yield from press(window, "LEFTMOUSE", x, y)
    yield from wait(0.7)


def in_the_file_browser(user: User) -> Steps:
    """A preset that Blender kept, chosen in the dialog; one that would run something; then Enter."""
    write("Compact", "op.keys = 'SAMPLES'\nop.gaps = 'HOLD'\nop.start = 'FILE'\n")
    write("Hostile", f"op.keys = 'KEYS'\nimport os; os.system('touch {MARK}')\n")
    person = user.person
    with user.within():
        bpy.ops.bonesetter.import_c3d("INVOKE_DEFAULT")
    yield from person.choose_file(STAGE, "take.c3d")
    window, area = person.browser, person.browser.screen.areas[0]
    options = next(region for region in area.regions if region.type == "TOOL_PROPS")
    x, top = options.x + options.width // 2, options.y + options.height - 20
    yield from person.look("1-dialog")
    dialog = area.spaces.active.active_operator
    user.check("the dialog begins with keys", dialog.keys == "KEYS", dialog.keys)
    yield from click(window, x, top)
    yield from person.look("2-presets")
    yield from click(window, x, top - 2 * ROW)
    chosen = (dialog.keys, dialog.gaps, dialog.start)
    user.check("a click sets the options", chosen == ("SAMPLES", "HOLD", "FILE"), chosen)
    yield from click(window, x, top - 3 * ROW)
    yield from person.look("3-hostile")
    user.check("what would run is refused, and sets nothing", dialog.keys == "SAMPLES" and not MARK.exists(), dialog.keys)
    # what Blender says at the pointer, and the menu, which stays open
    for _ in range(2):
        yield from press(window, "ESC", x, top - 3 * ROW)
        yield from wait(0.5)
    yield from person.confirm_file()
    yield from wait_for(lambda: user.take is not None, "the import")
    yield from wait(1.0)
    user.check("the import goes by it", sampled(user.take))


def in_the_popup(user: User) -> Steps:
    """Files that are dropped bring a popup: a preset is for its options, and not for those of the import before it."""
    person, takes = user.person, ext("operators.takes").takes_of
    (STAGE / "other.c3d").write_bytes((STAGE / "take.c3d").read_bytes())
    yield from user.over_viewport()
    with user.within():
        bpy.ops.bonesetter.import_c3d("INVOKE_DEFAULT", filepath=str(STAGE / "other.c3d"))
    yield from wait(1.0)
    yield from person.look("4-popup")
    # it opens with the right end of its first row under the mouse
    x, y = person.place
    yield from click(person.window, x, y)
    yield from click(person.window, x - 150, y - 2 * ROW)
    yield from click(person.window, x, y)
    yield from person.look("5-chosen")
    yield from press(person.window, "RET", x, y - 2 * ROW)
    yield from wait_for(lambda: len(takes(bpy.context.scene)) == 2, "the second import")
    yield from wait(1.0)
    user.check("so does that of a file that is dropped", sampled(user.take))
    yield from person.look("6-imported")


SCENARIO: tuple[Callable[[User], Steps], ...] = (in_the_file_browser, in_the_popup)


def begun(verdict: Verdict, _ticker: Ticker) -> Steps:
    yield from in_turn(SCENARIO, User(verdict))


if __name__ == "__main__":
    drive(begun)
