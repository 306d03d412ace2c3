# SPDX-License-Identifier: GPL-3.0-or-later
"""The other takes of a scene, which stand in the place of the one that is worked on: shown, dimmed or hidden."""

from __future__ import annotations

from typing import Any

import bpy

from .takes import LABEL, active_take, layer_collection, people_with, takes_of
from .view import redraw


def show_others(context: bpy.types.Context, take: bpy.types.Collection) -> None:
    """Show a take, with the people who were imported with it, and the others as the scene says; what the user hid by hand stays hidden."""
    people = people_with(context.scene, take)
    for other in takes_of(context.scene):
        _show(context, other, "SHOW" if other in people else context.scene.bonesetter.others)


def apply_choice(_settings: Any, context: bpy.types.Context) -> None:
    """The choice was changed."""
    if take := active_take(context):
        show_others(context, take)
        redraw(context)


def _show(context: bpy.types.Context, take: bpy.types.Collection, how: str) -> None:
    facts, home = take.bonesetter, layer_collection(context.view_layer.layer_collection, take)
    # only what was changed here is changed back
    if home is None or facts.shown == how:
        return
    before, facts.shown = facts.shown, how
    if "HIDE" in (before, how):
        home.hide_viewport = how == "HIDE"
    if "DIM" in (before, how):
        for child in home.children:
            if any(LABEL in one for one in child.collection.objects):
                child.hide_viewport = how == "DIM"
        if facts.armature is not None:
            facts.armature.display_type = "WIRE" if how == "DIM" else "TEXTURED"
