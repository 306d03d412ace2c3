# SPDX-License-Identifier: GPL-3.0-or-later
"""Check Solver: can the chosen Python solve?"""

from __future__ import annotations

from typing import Any

import bpy

from .preferences import chosen_python
from .session import session
from .solver_python import engine_python
from .translation import translated
from .view import redraw

#: How often a Python that was just chosen is looked at, whether it has answered, in s.
INTERVAL = 0.1


def check_choice(_preferences: Any, _context: bpy.types.Context) -> None:
    """Say what is wrong with a Python where it is chosen: at once where it is none, else as soon as it has answered."""
    from ..installer.errors import InstallError
    from ..installer.interpreters import resolve

    # it was about the Python before
    session.install_error = ""
    chosen = chosen_python()
    if not chosen:
        return
    try:
        resolve(chosen)
    except InstallError as error:
        session.engine.verdicts[chosen] = str(error)
        return
    python = engine_python()
    probe = session.engine.begin_probe(python)
    if probe is None:
        return

    def look() -> float | None:
        if probe.poll() is None:
            return INTERVAL
        session.engine.end_probe(python, probe)
        redraw(bpy.context)
        return None

    if bpy.app.background:
        session.engine.end_probe(python, probe)
    else:
        bpy.app.timers.register(look, first_interval=INTERVAL, persistent=True)


class BONESETTER_OT_check_engine(bpy.types.Operator):
    """See whether the Python that runs the solver has what a solve needs"""

    bl_idname = "bonesetter.check_engine"
    bl_label = "Check Solver"

    def execute(self, context: bpy.types.Context) -> set[str]:
        python = engine_python()
        if verdict := session.engine.probe(python):
            self.report({"WARNING"}, translated(verdict))
        else:
            self.report({"INFO"}, translated(f"{python} has all that a solve needs"))
        redraw(context)
        return {"FINISHED"}
