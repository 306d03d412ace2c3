# SPDX-License-Identifier: GPL-3.0-or-later
"""A newcomer at the window: from an empty Blender and the zip to a solved take. `run_install.sh` runs this.

Blender's Python has no torch here. The solver is built on a Python 3.11, for which a wheel of torch lies in the stage's folder `wheels`;
the rest comes from the package registry, and a second time, without the network, from a folder that has it all.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bpy
from person import OUT, STAGE, Person, Steps, Ticker, Verdict, armature, drive, ext, wait, wait_for

WHEELS, ALL_WHEELS = STAGE / "wheels", STAGE / "all-wheels"
BASE = os.environ["BONESETTER_BASE_PYTHON"]


def newcomer(verdict: Verdict, _ticker: Ticker) -> Steps:
    """What is missing is said, installed, and used."""
    person = Person()
    space: Any = person.area.spaces.active
    space.show_region_ui = True
    yield from wait(0.5)
    person.sidebar.active_panel_category = "Bonesetter"
    which, session = ext("operators.solver_python"), ext("operators.session").session
    verdict.check("the solver is missing", which.is_lacking())
    yield from person.look("1-missing-offline")
    preferences = bpy.context.preferences
    preferences.system.use_online_access = True
    yield from person.look("2-missing")
    yield from choose_python(person, verdict)
    yield from without_a_way_to_torch(person, verdict)
    yield from from_registry(person, verdict)
    yield from import_and_solve(person, verdict)
    verdict.check("the engine is the installed solver's", session.engine.python == which.installed_solver().python)
    yield from again_without_network(person, verdict)


def choose_python(person: Person, verdict: Verdict) -> Steps:
    """A Python without torch is said to lack it, and is what the solver is built on."""
    own, session = ext("operators.preferences").own(), ext("operators.session").session
    own.python_path = str(Path(BASE).parent.parent / "lib")
    verdict.check("a folder without a Python is said at once", "There is no Python" in "".join(session.engine.verdicts.values()))
    yield from person.look("3-wrong-folder")
    own.python_path = BASE
    python = ext("operators.solver_python").engine_python()
    yield from wait_for(lambda: python in session.engine.verdicts, "the chosen Python's answer")
    verdict.check("a Python without torch is said", "lacks" in session.engine.verdicts[python], session.engine.verdicts[python])
    yield from person.look("4-no-torch")


def without_a_way_to_torch(person: Person, verdict: Verdict) -> Steps:
    """An index that is not there: one sentence, and the button again."""
    own, session = ext("operators.preferences").own(), ext("operators.session").session
    own.package_index = "http://127.0.0.1:9/simple"
    yield from person.find_button("bpy.ops.bonesetter.install_solver")
    yield from person.press("LEFTMOUSE")
    yield from wait_for(lambda: session.installation is None and session.install_error, "the installation to fail")
    verdict.check("a missing index is one sentence", "does not answer" in session.install_error, session.install_error)
    yield from person.look("5-no-index")
    own.package_index = ""


def from_registry(person: Person, verdict: Verdict) -> Steps:
    """The network, but for torch; cancelled once, then to the end."""
    session = ext("operators.session").session
    install = ext("operators.install_solver")
    bpy.ops.bonesetter.install_solver("EXEC_DEFAULT", directory=str(WHEELS))
    yield from wait_for(lambda: session.install_error or session.installation.done > 0, "the first bytes")
    verdict.check("the registry answers", not session.install_error, session.install_error)
    yield from person.find_button("bpy.ops.bonesetter.cancel_install")
    yield from person.press("LEFTMOUSE")
    yield from wait_for(lambda: session.installation is None, "Cancel to end it")
    store = ext("operators.solver_python").store()
    yield from wait_for(lambda: not (store / "building").exists(), "the cancelled installation to tidy up")
    left = sorted(path.name for path in store.iterdir())
    verdict.check("Cancel leaves downloads alone", left == ["busy", "downloads"], left)
    yield from wait(2.0)
    began = time.monotonic()
    bpy.ops.bonesetter.install_solver("EXEC_DEFAULT", directory=str(WHEELS))
    yield from wait_for(lambda: session.installation is None or session.installation.done > 5e6, "some megabytes")
    yield from person.look("6-installing")
    yield from wait_for(lambda: session.installation is None, "the installation")
    verdict.check("the solver is installed", not session.install_error, session.install_error or f"{time.monotonic() - began:.0f} s")
    verdict.check("it is the one in use", install.solver_python.installed_solver() is not None)
    yield from person.look("7-installed")


def import_and_solve(person: Person, verdict: Verdict) -> Steps:
    """From the file browser's OK to a moving armature: one click more."""
    session = ext("operators.session").session
    with bpy.context.temp_override(window=person.window, area=person.area):
        for one in list(bpy.data.objects):
            bpy.data.objects.remove(one)
        bpy.ops.bonesetter.import_c3d(filepath=str(STAGE / "take.c3d"))
    yield from wait_for(lambda: session.engine.alive, "the engine to start by itself")
    yield from person.find_button("bpy.ops.bonesetter.solve_markers")
    clicked = time.monotonic()
    yield from person.press("LEFTMOUSE")
    yield from wait_for(lambda: session.solve is not None, "the solve to start")
    yield from wait_for(lambda: session.solve is None, "the solve to end")
    verdict.check("the take is solved", armature() is not None, f"{time.monotonic() - clicked:.1f} s after the click")
    bpy.context.scene.frame_set(bpy.context.scene.bonesetter.take.bonesetter.frames // 2)
    yield from person.look("8-solved")


def again_without_network(person: Person, verdict: Verdict) -> Steps:
    """Removed, and installed from a folder that has every wheel, with Blender's online access off."""
    session, which = ext("operators.session").session, ext("operators.solver_python")
    bpy.ops.bonesetter.remove_solver("EXEC_DEFAULT")
    verdict.check("Remove Solver removes it", which.is_lacking())
    bpy.context.preferences.system.use_online_access = False
    ext("operators.preferences").own().python_path = BASE
    bpy.ops.bonesetter.install_solver("EXEC_DEFAULT", directory=str(ALL_WHEELS))
    yield from wait_for(lambda: session.installation is None, "the installation from the folder")
    verdict.check("the solver is installed without the network", which.installed_solver() is not None, session.install_error)
    yield from person.look("9-installed-offline")
    (OUT / "python.txt").write_text(which.engine_python())


if __name__ == "__main__":
    drive(newcomer)
