# SPDX-License-Identifier: GPL-3.0-or-later
"""From problem to problem of a take, to its worst frame, and to what is clicked on in the strip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
import numpy as np
from bpy.props import BoolProperty

from .polls import OfTake
from .session import session
from .takes import active_take, markers
from .translation import translated
from .view import keep_in_sight, redraw, select

if TYPE_CHECKING:
    from ..model.review.strip import Row
    from .review import Review

KEYS = (("PAGE_DOWN", False), ("PAGE_UP", True))
NOTHING = "The take has no problems"


class BONESETTER_OT_next_problem(OfTake, bpy.types.Operator):
    """Go to the next frame in which a marker is missing, flagged, put right or far from its solved place, and select it"""

    bl_idname = "bonesetter.next_problem"
    bl_label = "Next Problem"
    bl_options = {"UNDO"}

    backwards: BoolProperty(name="Previous", description="Go to the problem before", options={"SKIP_SAVE"})

    @classmethod
    def description(cls, _context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        which, key = ("previous", "Page Up") if getattr(properties, "backwards", False) else ("next", "Page Down")
        what = "frame in which a marker is missing, flagged, put right or far from its solved place"
        return translated(f"Go to the {which} {what}, and select it. Over the viewport: {key}")

    def execute(self, context: bpy.types.Context) -> set[str]:
        from ..model.review.states import next_start, problem_starts
        from .review import review_of

        take = active_take(context)
        review = review_of(context.scene, take)
        start = None
        if review is not None:
            start = next_start(problem_starts(review.states.codes), review.sample(context.scene.frame_current), self.backwards)
        if review is None or start is None:
            self.report(
                {"INFO"}, "There are no problems before this frame" if self.backwards else "There are no problems behind this frame"
            )
            return {"CANCELLED"}
        show_sample(context, take, review, start)
        return {"FINISHED"}


class BONESETTER_OT_worst_frame(OfTake, bpy.types.Operator):
    """Go to the frame in which the markers are farthest from where the solve puts them; before a solve to that with most problems"""

    bl_idname = "bonesetter.worst_frame"
    bl_label = "Worst Frame"
    bl_options = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        from ..model.review.states import worst_frame
        from .review import review_of

        take = active_take(context)
        review = review_of(context.scene, take)
        worst = worst_frame(review.states) if review is not None else None
        if review is None or worst is None:
            self.report({"INFO"}, NOTHING)
            return {"CANCELLED"}
        show_sample(context, take, review, worst)
        return {"FINISHED"}


def show_sample(context: bpy.types.Context, take: bpy.types.Collection, review: Review, sample: int, row: Row | None = None) -> None:
    """Go to the frame of a sample and select the markers that have a problem there, those of a row of the strip where one is given."""
    from ..model.review.states import PROBLEMS

    context.scene.frame_set(review.frame(sample))
    if 0 <= sample < len(review.states.codes):
        bad = np.isin(review.states.codes[sample], PROBLEMS)
        rows = [marker for marker in np.flatnonzero(bad).tolist() if row is None or marker in row.markers]
        there = markers(take)
        labels = [review.take.labels[marker] for marker in rows]
        chosen = [there[label] for label in labels if label in there]
        if chosen and context.mode == "OBJECT":
            select(context, chosen)
            context.view_layer.objects.active = chosen[0]
        keep_in_sight(context, take, labels)
    redraw(context)


CLASSES = (BONESETTER_OT_next_problem, BONESETTER_OT_worst_frame)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    configuration = bpy.context.window_manager.keyconfigs.addon
    # none in the background
    if configuration is None:
        return
    keymap = configuration.keymaps.new(name="3D View", space_type="VIEW_3D")
    for key, backwards in KEYS:
        item = keymap.keymap_items.new("bonesetter.next_problem", key, "PRESS")
        item.properties.backwards = backwards
        session.keys.append((keymap, item))


def unregister() -> None:
    for keymap, item in session.keys:
        keymap.keymap_items.remove(item)
    session.keys.clear()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
