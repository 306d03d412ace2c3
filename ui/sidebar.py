# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Bonesetter's panels stand."""

from __future__ import annotations

import bpy

from ..operators.takes import active_take
from ..operators.translation import PANELS


class Sidebar:
    """A panel in the 3D viewport's sidebar, in the tab Bonesetter."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Bonesetter"
    bl_translation_context = PANELS


class OfSolvedTake(Sidebar):
    """A panel that is there while the active take is solved."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        take = active_take(context)
        return take is not None and take.bonesetter.solved
