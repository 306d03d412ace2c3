# SPDX-License-Identifier: GPL-3.0-or-later
"""Check Engine: can the chosen Python solve?"""

from __future__ import annotations

import bpy

from .engine import interpreter
from .preferences import engine_python
from .session import session
from .view import redraw


class BONESETTER_OT_check_engine(bpy.types.Operator):
    """See whether the Python that runs the engine has what a solve needs"""

    bl_idname = "bonesetter.check_engine"
    bl_label = "Check Engine"

    def execute(self, context: bpy.types.Context) -> set[str]:
        python = interpreter(engine_python())
        if verdict := session.engine.probe(python):
            self.report({"WARNING"}, verdict)
        else:
            self.report({"INFO"}, f"The engine's Python ({python}) has all that a solve needs")
        redraw(context)
        return {"FINISHED"}
