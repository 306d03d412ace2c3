# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators gather, call and apply; the plain functions they share stand beside them."""

from __future__ import annotations

import bpy

from . import clean_keys, corrections, freshness, import_presets, navigate, properties, repair, session, thresholds, translation
from .apply_to_rig import (
    BONESETTER_OT_apply_to_rig,
    BONESETTER_OT_load_bone_map,
    BONESETTER_OT_recognise_rig,
    BONESETTER_OT_save_bone_map,
    BONESETTER_OT_update_rigs,
)
from .body import BONESETTER_OT_show_body
from .calibrate_actor import CLASSES as ACTORS
from .check_engine import BONESETTER_OT_check_engine
from .choose_take import BONESETTER_MT_takes, BONESETTER_OT_choose_take
from .export import BONESETTER_OT_export_motion
from .findings import BONESETTER_OT_show_finding
from .hold_feet import CLASSES as FEET
from .import_c3d import BONESETTER_FH_c3d, BONESETTER_OT_import_again, BONESETTER_OT_import_c3d, draw_menu
from .install_solver import BONESETTER_OT_cancel_install, BONESETTER_OT_install_solver, BONESETTER_OT_remove_solver
from .report import BONESETTER_OT_write_report
from .rig_actor import BONESETTER_OT_solve_as_rig
from .solve_all import BONESETTER_OT_solve_all
from .solve_markers import BONESETTER_OT_solve_markers, BONESETTER_OT_solve_range

CLASSES = (
    BONESETTER_OT_import_c3d,
    BONESETTER_OT_import_again,
    *import_presets.CLASSES,
    BONESETTER_FH_c3d,
    BONESETTER_OT_choose_take,
    BONESETTER_MT_takes,
    BONESETTER_OT_solve_markers,
    BONESETTER_OT_solve_range,
    BONESETTER_OT_solve_all,
    *ACTORS,
    *FEET,
    BONESETTER_OT_apply_to_rig,
    BONESETTER_OT_solve_as_rig,
    BONESETTER_OT_update_rigs,
    BONESETTER_OT_recognise_rig,
    BONESETTER_OT_save_bone_map,
    BONESETTER_OT_load_bone_map,
    BONESETTER_OT_show_body,
    BONESETTER_OT_export_motion,
    BONESETTER_OT_show_finding,
    BONESETTER_OT_write_report,
    BONESETTER_OT_check_engine,
    BONESETTER_OT_install_solver,
    BONESETTER_OT_cancel_install,
    BONESETTER_OT_remove_solver,
    *repair.CLASSES,
    *corrections.CLASSES,
    *clean_keys.CLASSES,
)


@bpy.app.handlers.persistent
def forget_solve(*_arguments: object) -> None:
    """A solve belongs to the file it was started in."""
    session.session.forget()


def register() -> None:
    properties.register()
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.TOPBAR_MT_file_import.append(draw_menu)
    bpy.app.handlers.load_pre.append(forget_solve)
    freshness.register()
    thresholds.register()
    navigate.register()
    translation.register()


def unregister() -> None:
    session.session.close()
    translation.unregister()
    navigate.unregister()
    thresholds.unregister()
    freshness.unregister()
    if forget_solve in bpy.app.handlers.load_pre:
        bpy.app.handlers.load_pre.remove(forget_solve)
    bpy.types.TOPBAR_MT_file_import.remove(draw_menu)
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
    properties.unregister()
