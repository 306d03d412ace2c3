# SPDX-License-Identifier: GPL-3.0-or-later
"""What is drawn. Nothing here computes."""

from __future__ import annotations

import bpy

from . import overlay
from .actor import CLASSES as ACTOR
from .cleanup import CLASSES as CLEANUP
from .feet import CLASSES as FEET
from .import_presets import BONESETTER_PT_import_presets
from .noise_filter import CLASSES as NOISE_FILTER
from .panel import CLASSES as PANELS
from .preferences import BONESETTER_AP_preferences
from .repair import CLASSES as REPAIR
from .rig import CLASSES as RIG

CLASSES = (BONESETTER_AP_preferences, BONESETTER_PT_import_presets, *PANELS, *ACTOR, *FEET, *NOISE_FILTER, *REPAIR, *RIG, *CLEANUP)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    overlay.register()


def unregister() -> None:
    overlay.unregister()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
