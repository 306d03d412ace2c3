# SPDX-License-Identifier: GPL-3.0-or-later
"""What is drawn over the 3D viewport: markers in the colour of their state, and the strip of the take's frames along the lower edge."""

from __future__ import annotations

import sys
from typing import Any

import bpy

from ...operators.takes import active_take
from . import gizmo

_handlers: list[Any] = []


def _draw_in_space() -> None:
    # what draws is imported with the first take, not when Blender starts
    if active_take(bpy.context) is not None:
        from . import points

        points.draw()


def _draw_in_pixels() -> None:
    if active_take(bpy.context) is not None:
        from . import names, strip

        strip.draw()
        names.draw()


def register() -> None:
    for cls in gizmo.CLASSES:
        bpy.utils.register_class(cls)
    # nothing is drawn in the background, and there is no GPU to ask
    if not bpy.app.background:
        space = bpy.types.SpaceView3D
        _handlers.append(space.draw_handler_add(_draw_in_space, (), "WINDOW", "POST_VIEW"))
        _handlers.append(space.draw_handler_add(_draw_in_pixels, (), "WINDOW", "POST_PIXEL"))


def unregister() -> None:
    for handler in _handlers:
        bpy.types.SpaceView3D.draw_handler_remove(handler, "WINDOW")
    _handlers.clear()
    # where nothing was drawn, nothing is kept
    for name in ("names", "strip"):
        if (module := sys.modules.get(f"{__name__}.{name}")) is not None:
            module.kept.forget()
    for cls in reversed(gizmo.CLASSES):
        bpy.utils.unregister_class(cls)
