# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panel says of the solver: nothing while all is well; else what is missing, how large it is, and how to get it."""

from __future__ import annotations

import bpy

from ..operators import solver_python
from ..operators.install_solver import OFFLINE
from ..operators.preferences import ADDON
from ..operators.session import session
from ..operators.translation import translated
from .text import wrapped

LACKING = "The solver is not installed."


def draw_solver(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """At the top of the panel, where something is wrong with the solver or it is being installed."""
    verdict = session.engine.verdicts.get(solver_python.engine_python())
    if session.installation is not None:
        _draw_progress(layout.box())
    elif solver_python.is_lacking():
        _draw_missing(layout.box(), context, LACKING)
    elif verdict:
        _draw_missing(layout.box(), context, verdict)
    elif solver_python.is_outdated():
        _draw_missing(layout.box(), context, "This version of Bonesetter comes with a newer solver; the older one still works.")
    elif session.just_installed:
        wrapped(layout.box(), context, "The solver is installed.", "CHECKMARK")


def _draw_progress(box: bpy.types.UILayout) -> None:
    installation = session.installation
    assert installation is not None
    column = box.column()
    if installation.total:
        text = f"{installation.done / 1e6:.0f} of {installation.total / 1e6:.0f} MB"
        column.label(text=translated(installation.stage), icon="IMPORT")
        column.progress(factor=installation.part, text=text)
    else:
        column.label(text=f"{translated(installation.stage)}...", icon="SORTTIME")
    column.operator("bonesetter.cancel_install", icon="X")


def _draw_missing(box: bpy.types.UILayout, context: bpy.types.Context, text: str) -> None:
    # one text and what to do about it: more of them would push what is below out of the panel
    column = box.column()
    if session.install_error:
        wrapped(column, context, session.install_error, "CANCEL")
    else:
        wrapped(column, context, text, "ERROR")
        if bpy.app.online_access and (size := solver_python.download_size(solver_python.device())):
            wrapped(column, context, f"PyTorch and SciPy, {size / 1e6:.0f} MB, into a folder of Bonesetter's own.", "INFO")
    if not bpy.app.online_access:
        if not session.install_error:
            wrapped(column, context, OFFLINE, "INTERNET_OFFLINE")
        column.operator("screen.userpref_show", text="Online Access...", icon="PREFERENCES").section = "SYSTEM"
    row = column.row()
    row.scale_y = 1.5
    row.enabled = bpy.app.online_access
    row.operator("bonesetter.install_solver", icon="IMPORT")
    column.operator("bonesetter.install_solver", text="From Folder...", icon="FILE_FOLDER").from_folder = True
    column.operator("preferences.addon_show", text="Choose Python...", icon="CONSOLE").module = ADDON
