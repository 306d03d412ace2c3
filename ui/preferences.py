# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's preferences."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from ..operators import solver_python
from ..operators.check_engine import check_choice
from ..operators.preferences import ADDON
from ..operators.session import session
from ..operators.translation import translated
from .solver import LACKING
from .text import wrapped


class BONESETTER_AP_preferences(bpy.types.AddonPreferences):
    bl_idname = ADDON

    python_path: StringProperty(
        name="Python",
        description="A Python of your own with torch, or the folder of its venv or conda environment; empty for the installed solver",
        subtype="FILE_PATH",
        update=check_choice,
    )

    start_on_import: BoolProperty(
        name="Start on Import",
        description="Start the solver when a take is imported, so that it is ready when Solve Markers is pressed",
        default=True,
    )

    device: EnumProperty(
        name="Install For",
        description="What Install Solver downloads; a take is solved at thousands of frames a second without a GPU too",
        items=(
            ("cpu", "Processor", "Runs everywhere"),
            ("cuda", "NVIDIA GPU (CUDA)", "Some 2.8 GB to download on Linux, 3.5 GB on Windows"),
        ),
    )

    package_index: StringProperty(
        name="Package Index",
        description="A mirror of Python's package index (PyPI) that holds PyTorch too; empty for pypi.org and pytorch.org",
    )

    proxy: StringProperty(name="Proxy", description="Address of the proxy, such as http://name:password@proxy:8080; empty for the system's")

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        column = layout.column()
        column.prop(self, "python_path")
        python = solver_python.engine_python()
        if verdict := session.engine.verdicts.get(python):
            wrapped(column, context, verdict, "ERROR")
        elif solver_python.is_lacking():
            column.label(text=LACKING, icon="ERROR")
        else:
            column.label(text=translated(f"Solves with {python}"), icon="CONSOLE")
        row = column.row()
        row.operator("bonesetter.check_engine", icon="CHECKMARK")
        install = row.row()
        install.enabled = bpy.app.online_access
        install.operator("bonesetter.install_solver", icon="IMPORT")
        row.operator("bonesetter.install_solver", text="From Folder...", icon="FILE_FOLDER").from_folder = True
        row.operator("bonesetter.remove_solver", icon="TRASH")
        if session.install_error:
            wrapped(column, context, session.install_error, "CANCEL")
        layout.prop(self, "start_on_import")
        column = layout.column(heading="Install Solver")
        column.prop(self, "device")
        column.prop(self, "package_index")
        column.prop(self, "proxy")
