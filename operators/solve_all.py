# SPDX-License-Identifier: GPL-3.0-or-later
"""Solve All: every take of the scene, one after the other."""

from __future__ import annotations

import bpy

from .solve_markers import Solving
from .takes import markers, takes_of


class BONESETTER_OT_solve_all(Solving, bpy.types.Operator):
    """Solve all takes of the scene, one after the other, each with its own settings and actor. Where one fails, the others go on, and the
    panel says why. All of them are one step to undo. Esc cancels, and nothing is changed"""

    bl_idname = "bonesetter.solve_all"
    bl_label = "Solve All"
    tolerant = True

    def _takes(self, context: bpy.types.Context) -> list[bpy.types.Collection]:
        return [take for take in takes_of(context.scene) if markers(take)]
