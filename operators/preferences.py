# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's own preferences, as operators read them."""

from __future__ import annotations

from typing import Any

import bpy

#: The extension as Blender knows it: the package around this one. Importing that here would be a circle.
ADDON = __package__.rpartition(".")[0]


def engine_python() -> str:
    """The interpreter the user chose for the engine; empty for Blender's own."""
    preferences = _preferences()
    return bpy.path.abspath(preferences.python_path) if preferences else ""


def starts_engine() -> bool:
    """Whether the engine starts as soon as a take is imported."""
    preferences = _preferences()
    return preferences.start_on_import if preferences else False


def _preferences() -> Any:
    addon = bpy.context.preferences.addons.get(ADDON)
    # Loaded as a plain package (batch.py) there are no preferences.
    return addon.preferences if addon else None
