# SPDX-License-Identifier: GPL-3.0-or-later
"""Which takes are drawn over a viewport, and how they stand there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy

from ...operators.review import Review, review_of
from ...operators.session import session
from ...operators.takes import LABEL, active_take, takes_of


def shown_takes(context: bpy.types.Context) -> Iterator[tuple[int, bpy.types.Collection, Review]]:
    """The takes whose markers the viewport shows: the number of each in the scene, its collection, and what is known of it."""
    scene = context.scene
    if not wanted(context):
        return
    for number, take in enumerate(takes_of(scene)):
        layer = _layer_of(context.view_layer.layer_collection, take)
        # of a take that is dimmed the armature is all that is shown
        if layer is None or layer.exclude or not layer.is_visible or take.bonesetter.shown == "DIM":
            continue
        review = review_of(scene, take)
        if review is not None:
            yield number, take, review


def wanted(context: bpy.types.Context) -> bool:
    """Whether anything is to be drawn: not while Blender's own overlays are off."""
    space: Any = context.space_data
    return context.scene.bonesetter.show_overlay and space is not None and space.type == "VIEW_3D" and space.overlay.show_overlays


def active_review(context: bpy.types.Context) -> tuple[bpy.types.Collection, Review] | None:
    """The take that is worked on, which the strip is about."""
    take = active_take(context)
    review = review_of(context.scene, take) if take is not None else None
    return (take, review) if take is not None and review is not None else None


def selected_rows(context: bpy.types.Context, take: bpy.types.Collection, review: Review) -> list[int]:
    """Rows of the markers of a take that are selected, the active one first."""
    # asked for one by one, Blender would go through the take's objects for each
    there = {one.name for one in take.all_objects}
    chosen = {one.get(LABEL): one for one in context.view_layer.objects.selected if LABEL in one and one.name in there}
    active = context.view_layer.objects.active
    rows = [row for row, label in enumerate(review.take.labels) if label in chosen]
    return sorted(rows, key=lambda row: chosen[review.take.labels[row]] != active)


def hovered(take: bpy.types.Collection, review: Review) -> int | None:
    """The row of the marker of a take that the mouse is over; markers may have gone since it moved."""
    if session.hover is None or session.hover[0] != take.session_uid or session.hover[1] >= len(review.take.labels):
        return None
    return session.hover[1]


def _layer_of(parent: bpy.types.LayerCollection, collection: bpy.types.Collection) -> bpy.types.LayerCollection | None:
    if parent.collection == collection:
        return parent
    return next((found for child in parent.children if (found := _layer_of(child, collection))), None)
