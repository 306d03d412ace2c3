# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that are hidden shown for a moment, whatever hides them: exporters leave out what a user cannot see, and do not say so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import bpy

from ..model.core.errors import BonesetterError
from .keyframes import bound_channelbag
from .playing import played_strips, strip_channelbags

#: The property of an object that keys and drivers can hide it by: a scene's range in part.
HIDES = "hide_viewport"


@contextmanager
def only_selected(wanted: Sequence[bpy.types.Object]) -> Iterator[None]:
    """Objects visible, selected and nothing else, the first one active, whatever hides them; afterwards all is as it was.

    A collection of their own makes them visible, whichever of their other collections are hidden, excluded or of another scene. None of
    those is touched: excluding a collection again would not leave its objects and the collections in it as they were.
    """
    scene, layer = bpy.context.scene, bpy.context.view_layer
    selected, active = list(layer.objects.selected), layer.objects.active
    flags = [(one, one.hide_viewport, one.hide_select, _is_hidden(one, layer)) for one in wanted]
    curves = [curve for one in wanted for curve in _hiding_curves(one) if not curve.mute]
    home = bpy.data.collections.new("Bonesetter")
    try:
        for curve in curves:
            curve.mute = True
        scene.collection.children.link(home)
        for one in wanted:
            home.objects.link(one)
            one.hide_viewport = one.hide_select = False
            one.hide_set(False, view_layer=layer)
        _select(wanted, wanted[0])
        # without an area there is no local view, which would hide what is not in it
        with bpy.context.temp_override(area=None):
            yield
    finally:
        _select(selected, active)
        for one, disabled, unpickable, hidden in flags:
            if one.name in layer.objects:
                one.hide_set(hidden, view_layer=layer)
            one.hide_viewport, one.hide_select = disabled, unpickable
        for curve in curves:
            curve.mute = False
        bpy.data.collections.remove(home)


def require_selected(wanted: Sequence[bpy.types.Object]) -> None:
    """Check that exporters will find objects.

    Raises:
        BonesetterError: Some are hidden all the same, as by a script at every change of the frame.
    """
    layer = bpy.context.view_layer
    hidden = [one.name for one in wanted if not (one.select_get(view_layer=layer) and one.visible_get(view_layer=layer))]
    if hidden:
        raise BonesetterError(f"{', '.join(hidden)} stays hidden, and would be missing in the file: remove what hides it.")


def _hiding_curves(one: bpy.types.Object) -> Iterator[Any]:
    """The keys and drivers of Disable in Viewports, also those on the NLA."""
    animation = one.animation_data
    if animation is None:
        return
    bags = [bound_channelbag(one), *(bag for strip in played_strips(one) for bag in strip_channelbags(strip))]
    for curve in (*animation.drivers, *(curve for bag in bags if bag is not None for curve in bag.fcurves)):
        if curve.data_path == HIDES:
            yield curve


def _is_hidden(one: bpy.types.Object, layer: bpy.types.ViewLayer) -> bool:
    return one.name in layer.objects and one.hide_get(view_layer=layer)


def _select(objects: Sequence[bpy.types.Object], active: bpy.types.Object | None) -> None:
    layer = bpy.context.view_layer
    for one in list(layer.objects.selected):
        one.select_set(False)
    for one in objects:
        if one.name in layer.objects:
            one.select_set(True)
    layer.objects.active = active
