# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators gather, call and apply; the plain functions they share stand beside them."""

from __future__ import annotations

import bpy

from . import properties, solve_markers
from .check_engine import BONESETTER_OT_check_engine
from .import_c3d import BONESETTER_FH_c3d, BONESETTER_OT_import_c3d, draw_menu
from .solve_markers import BONESETTER_OT_solve_markers

CLASSES = (BONESETTER_OT_import_c3d, BONESETTER_FH_c3d, BONESETTER_OT_solve_markers, BONESETTER_OT_check_engine)


@bpy.app.handlers.persistent
def _before_load(*_arguments: object) -> None:
    solve_markers.stop()


def register() -> None:
    properties.register()
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.TOPBAR_MT_file_import.append(draw_menu)
    bpy.app.handlers.load_pre.append(_before_load)


def unregister() -> None:
    solve_markers.stop()
    bpy.app.handlers.load_pre.remove(_before_load)
    bpy.types.TOPBAR_MT_file_import.remove(draw_menu)
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
    properties.unregister()
