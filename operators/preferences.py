# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's own preferences, as operators read them."""

from __future__ import annotations

from typing import Any

import bpy

#: The extension as Blender knows it: the package around this one. Importing that here would be a circle.
ADDON = __package__.rpartition(".")[0]


def chosen_python() -> str:
    """The Python that the user chose for the engine; empty for the solver that is installed, or Blender's own."""
    preferences = own()
    return bpy.path.abspath(preferences.python_path) if preferences else ""


def starts_engine() -> bool:
    """Whether the engine starts as soon as a take is imported."""
    preferences = own()
    return preferences.start_on_import if preferences else False


def own() -> Any:
    """The preferences, or None where there are none: in a plain package, as batch.py loads it."""
    addon = bpy.context.preferences.addons.get(ADDON)
    return addon.preferences if addon else None
