# SPDX-License-Identifier: GPL-3.0-or-later
"""The menu of presets in the import's dialog."""

from __future__ import annotations

import bpy
from bl_ui.utils import PresetPanel

from ..operators.import_presets import FOLDER


class BONESETTER_PT_import_presets(PresetPanel, bpy.types.Panel):
    """Presets of the import's options"""

    bl_label = "Presets"
    preset_subdir = FOLDER
    preset_operator = "bonesetter.load_import_preset"
    preset_add_operator = "bonesetter.add_import_preset"
    preset_extensions = (".py",)
