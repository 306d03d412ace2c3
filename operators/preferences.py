# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's own preferences, as operators read them."""

from __future__ import annotations

import bpy

from .. import __package__ as base_package


def engine_python() -> str:
    """The interpreter the user chose for the engine; empty for Blender's own."""
    addon = bpy.context.preferences.addons.get(base_package)
    # Loaded as a plain package (batch.py) there are no preferences.
    return bpy.path.abspath(addon.preferences.python_path) if addon and addon.preferences else ""
