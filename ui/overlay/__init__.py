# SPDX-License-Identifier: GPL-3.0-or-later
"""What is drawn over the 3D viewport: markers in the colour of their state, and the strip of the take's frames along the lower edge."""

from __future__ import annotations

from typing import Any

import bpy

from . import gizmo, names, points, strip

_handlers: list[Any] = []


def register() -> None:
    for cls in gizmo.CLASSES:
        bpy.utils.register_class(cls)
    # nothing is drawn in the background, and there is no GPU to ask
    if not bpy.app.background:
        space = bpy.types.SpaceView3D
        _handlers.append(space.draw_handler_add(points.draw, (), "WINDOW", "POST_VIEW"))
        _handlers.append(space.draw_handler_add(strip.draw, (), "WINDOW", "POST_PIXEL"))
        _handlers.append(space.draw_handler_add(names.draw, (), "WINDOW", "POST_PIXEL"))


def unregister() -> None:
    for handler in _handlers:
        bpy.types.SpaceView3D.draw_handler_remove(handler, "WINDOW")
    _handlers.clear()
    strip.forget()
    for cls in reversed(gizmo.CLASSES):
        bpy.utils.unregister_class(cls)
