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
def stop_engine(*_arguments: object) -> None:
    """A solve belongs to the file it was started in."""
    solve_markers.stop()


def register() -> None:
    properties.register()
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.TOPBAR_MT_file_import.append(draw_menu)
    bpy.app.handlers.load_pre.append(stop_engine)


def unregister() -> None:
    solve_markers.stop()
    if stop_engine in bpy.app.handlers.load_pre:
        bpy.app.handlers.load_pre.remove(stop_engine)
    bpy.types.TOPBAR_MT_file_import.remove(draw_menu)
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
    properties.unregister()
