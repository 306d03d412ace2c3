# SPDX-License-Identifier: GPL-3.0-or-later
"""Repairs of the selected markers: each is one step to undo, and the redo panel changes its frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy
import numpy as np
from bpy.props import BoolProperty, IntProperty, StringProperty

from .polls import is_idle, is_own
from .space import Timing
from .takes import LABEL, MUTED, active_take, markers, space_of, timing_of
from .translation import translated
from .view import redraw

if TYPE_CHECKING:
    from .review import Review

#: Frames that a repair is about, where no preview range says it: the problem at the playhead, else the frame itself.
NO_RANGE = -(2**30)
Markers = list[bpy.types.Object]


def chosen_markers(context: bpy.types.Context) -> Markers:
    """The selected markers of the take that is worked on, the active one first."""
    take = active_take(context)
    there = set(markers(take).values()) if take is not None else set()
    active = context.view_layer.objects.active
    return sorted((one for one in context.view_layer.objects.selected if one in there), key=lambda one: (one != active, one.name))


def repair_range(context: bpy.types.Context) -> tuple[int, int]:
    """First and last frame of the scene that a repair is about: the preview range, else the problem at the playhead, else that frame."""
    from .review import review_of

    scene, take = context.scene, active_take(context)
    if scene.use_preview_range:
        return scene.frame_preview_start, scene.frame_preview_end
    review = review_of(scene, take) if take is not None else None
    if review is not None:
        labels = [one[LABEL] for one in chosen_markers(context)]
        rows = [row for row, label in enumerate(review.take.labels) if label in labels]
        if span := _stretch(review, rows, review.sample(scene.frame_current)):
            return review.frame(span[0]), review.frame(span[1])
    return scene.frame_current, scene.frame_current


def _stretch(review: Review, rows: list[int], sample: int) -> tuple[int, int] | None:
    """The samples around one in which some of these markers stay in a state that is not simply seen."""
    from ..model.review.states import State

    codes = review.states.codes[:, rows]
    calm = (State.SEEN, State.LOOSE, State.MUTED, State.PINNED)
    if not rows or not 0 <= sample < len(codes) or np.isin(codes[sample], calm).all():
        return None
    same = ((codes == codes[sample]) & ~np.isin(codes, calm)).any(axis=1)
    before, after = np.flatnonzero(~same[:sample]), np.flatnonzero(~same[sample:])
    return (int(before[-1]) + 1 if len(before) else 0), (sample + int(after[0]) - 1 if len(after) else len(codes) - 1)


def samples_between(timing: Timing, first: int, last: int) -> tuple[int, int]:
    """First and last sample of the frames of the scene from one to another; the last is before the first where there are none."""
    start, end = (first - timing.start) / timing.step, (last - timing.start) / timing.step
    return max(0, int(np.ceil(start - 1e-6))), min(timing.samples - 1, int(np.floor(end + 1e-6)))


class _Repair:
    """What all repairs share: selected markers, and the frames that they are about."""

    bl_options = {"REGISTER", "UNDO"}  # Blender's own protocol
    fewest, most, ranged = 1, 10_000, True
    wanted = "Select markers of the take first"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not (is_idle(cls) and is_own(cls, context)):
            return False
        if context.mode != "OBJECT":
            cls.poll_message_set("Markers are repaired in Object Mode")  # pyright: ignore[reportAttributeAccessIssue]
            return False
        count = len(chosen_markers(context))
        if not cls.fewest <= count <= cls.most:
            cls.poll_message_set(cls.wanted)  # pyright: ignore[reportAttributeAccessIssue]
            return False
        return True

    def execute(self: Any, context: bpy.types.Context) -> set[str]:
        take = active_take(context)
        if self.ranged and NO_RANGE in (self.first, self.last):
            self.first, self.last = repair_range(context)
        first, last = samples_between(timing_of(take), self.first, self.last) if self.ranged else (0, 0)
        if last < first:
            self.report({"WARNING"}, "The take has no samples in these frames")
            return {"CANCELLED"}
        said = self.repair(context, take, chosen_markers(context), first, last)
        self.report({"INFO"}, translated(said))
        context.view_layer.update()
        redraw(context)
        return {"FINISHED"}

    def _spoken(self: Any) -> str:
        return f"frame {self.first}" if self.first == self.last else f"frames {self.first} to {self.last}"


def _first() -> Any:
    return IntProperty(name="First Frame", default=NO_RANGE, options={"SKIP_SAVE"}, description="The first frame that is changed")


def _last() -> Any:
    return IntProperty(name="Last Frame", default=NO_RANGE, options={"SKIP_SAVE"}, description="The last frame that is changed")


class BONESETTER_OT_swap_markers(_Repair, bpy.types.Operator):
    """Exchange the samples of two markers in the preview range, else at the problem under the playhead"""

    bl_idname = "bonesetter.swap_markers"
    bl_label = "Swap"
    fewest = most = 2
    wanted = "Select two markers of the take first"

    first: _first()
    last: _last()

    def repair(self, context: bpy.types.Context, take: bpy.types.Collection, chosen: Markers, first: int, last: int) -> str:
        swap(context.scene, take, chosen[0], chosen[1], first, last)
        return f"{chosen[0][LABEL]} and {chosen[1][LABEL]} were swapped in {self._spoken()}"


class BONESETTER_OT_delete_samples(_Repair, bpy.types.Operator):
    """Delete the samples of the selected markers in the preview range, else at the problem under the playhead: a gap is left"""

    bl_idname = "bonesetter.delete_samples"
    bl_label = "Delete Samples"

    first: _first()
    last: _last()

    def repair(self, context: bpy.types.Context, take: bpy.types.Collection, chosen: Markers, first: int, last: int) -> str:
        for marker in chosen:
            delete(context.scene, take, marker, first, last)
        if len(chosen) == 1:
            return f"The marker's samples were deleted in {self._spoken()}"
        return f"The samples of {len(chosen)} markers were deleted in {self._spoken()}"


class BONESETTER_OT_cut_markers(_Repair, bpy.types.Operator):
    """Make an unlabelled marker of each selected one's samples in the preview range, else at the problem under the playhead. A solve takes
    it where it fits"""

    bl_idname = "bonesetter.cut_markers"
    bl_label = "Cut"

    first: _first()
    last: _last()

    def repair(self, context: bpy.types.Context, take: bpy.types.Collection, chosen: Markers, first: int, last: int) -> str:
        from .marker_edits import Samples, split_off

        made = []
        for marker in chosen:
            samples = Samples(marker, context.scene, take)
            if samples.present[first : last + 1].any():
                made.append(split_off(take, samples, slice(first, last + 1)).name)
                samples.write()
        return f"Cut in {self._spoken()}: {', '.join(made) or 'there was nothing'}"


class BONESETTER_OT_fill_from_solve(_Repair, bpy.types.Operator):
    """Fill what is missing or flagged of the selected markers, in the preview range, else at the problem under the playhead, from where the
    last solve puts them"""

    bl_idname = "bonesetter.fill_from_solve"
    bl_label = "Fill from Solve"

    first: _first()
    last: _last()

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not super().poll(context):
            return False
        if not active_take(context).bonesetter.solved:
            cls.poll_message_set("Solve the take first: it says where a missing marker would be")
            return False
        return True

    def repair(self, context: bpy.types.Context, take: bpy.types.Collection, chosen: Markers, first: int, last: int) -> str:
        from ..model.review.repairs import filled
        from ..model.review.states import FLAGGED, State
        from .marker_edits import Samples
        from .review import review_of

        review = review_of(context.scene, take)
        assert review is not None
        count = 0
        for marker in chosen:
            row = review.take.labels.index(marker[LABEL])
            codes = review.states.codes[:, row]
            holes = np.isin(codes, (State.MISSING, State.FILLED, State.FAR, State.GHOST, *FLAGGED.values()))
            holes[:first] = holes[last + 1 :] = False
            places = _to_local(marker, space_of(take, context.scene).to_blender(review.states.places[:, row].astype(float)))
            samples = Samples(marker, context.scene, take)
            known = np.where(samples.present[:, None], samples.places, np.nan)
            holes &= np.isfinite(places).all(axis=-1)
            samples.places[holes] = filled(known, places, holes)[holes]
            samples.present[holes] = True
            samples.residuals[holes] = 0.0
            samples.write()
            count += int(holes.sum())
        return f"{count} samples were filled in {self._spoken()}"


class BONESETTER_OT_pin_samples(_Repair, bpy.types.Operator):
    """Say that the selected markers are right in the preview range, else at the problem under the playhead: they are neither flagged nor
    put under another label"""

    bl_idname = "bonesetter.pin_samples"
    bl_label = "Pin as Trusted"

    first: _first()
    last: _last()
    pinned: BoolProperty(name="Pinned", default=True, description="Off takes a pin away", options={"SKIP_SAVE"})

    def repair(self, _context: bpy.types.Context, _take: bpy.types.Collection, chosen: Markers, first: int, last: int) -> str:
        from .marker_edits import pin

        for marker in chosen:
            pin(marker, first, last, self.pinned)
        done = "pinned as trusted" if self.pinned else "no longer pinned"
        return f"The marker is {done} in {self._spoken()}" if len(chosen) == 1 else f"{len(chosen)} markers are {done} in {self._spoken()}"


class BONESETTER_OT_mute_markers(_Repair, bpy.types.Operator):
    """Leave the selected markers out of every solve of this take, or let them in again"""

    bl_idname = "bonesetter.mute_markers"
    bl_label = "Mute"
    ranged = False

    def repair(self, _context: bpy.types.Context, _take: bpy.types.Collection, chosen: Markers, _first: int, _last: int) -> str:
        muted = not all(marker.get(MUTED) for marker in chosen)
        for marker in chosen:
            if muted:
                marker[MUTED] = 1
            elif MUTED in marker:
                del marker[MUTED]
            marker.update_tag()
        done = "muted" if muted else "solved again"
        return f"The marker is {done}" if len(chosen) == 1 else f"{len(chosen)} markers are {done}"


class BONESETTER_OT_rename_marker(_Repair, bpy.types.Operator):
    """Give the active marker another label"""

    bl_idname = "bonesetter.rename_marker"
    bl_label = "Rename"
    most = 1
    wanted = "Select one marker of the take first"

    label: StringProperty(name="Label", options={"SKIP_SAVE"}, description="What the marker is called from now on, all the take long")

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        self.label = chosen_markers(context)[0][LABEL]
        return context.window_manager.invoke_props_dialog(self)

    def execute(self, context: bpy.types.Context) -> set[str]:
        take, label = active_take(context), self.label.strip()
        marker = chosen_markers(context)[0]
        other = markers(take).get(label)
        if not label or (other is not None and other != marker):
            said = f"{label} is another marker: swap the two, or rename that one first." if label else "A marker needs a label."
            self.report({"WARNING"}, translated(said))
            return {"CANCELLED"}
        marker[LABEL] = marker.name = label
        marker.update_tag()
        context.view_layer.update()
        redraw(context)
        return {"FINISHED"}


class BONESETTER_OT_problem_range(bpy.types.Operator):
    """Make the problem under the playhead of the selected markers, and half a second around it, the preview range: repairs and Solve Range
    are about it"""

    bl_idname = "bonesetter.problem_range"
    bl_label = "Range of Problem"
    bl_options = {"INTERNAL", "UNDO"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return is_idle(cls)

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene = context.scene
        scene.use_preview_range = False
        first, last = repair_range(context)
        around = round(0.5 * scene.render.fps / scene.render.fps_base)
        scene.use_preview_range = True
        # no further than the scene plays, but for what lies outside of that
        scene.frame_preview_start = max(first - around, min(first, scene.frame_start), 0)
        scene.frame_preview_end = min(last + around, max(last, scene.frame_end))
        return {"FINISHED"}


def swap(scene: bpy.types.Scene, take: bpy.types.Collection, one: bpy.types.Object, other: bpy.types.Object, first: int, last: int) -> None:
    """Two markers trade the samples from one to another."""
    from .marker_edits import Samples

    mine, theirs = Samples(one, scene, take), Samples(other, scene, take)
    mine.exchange(theirs, slice(first, last + 1))
    mine.write()
    theirs.write()


def delete(scene: bpy.types.Scene, take: bpy.types.Collection, marker: bpy.types.Object, first: int, last: int) -> None:
    """A marker loses the samples from one to another."""
    from .marker_edits import Samples

    samples = Samples(marker, scene, take)
    samples.present[first : last + 1] = False
    samples.write()


def _to_local(marker: bpy.types.Object, world: np.ndarray) -> np.ndarray:
    """(samples, 3) of the scene in the space of a marker's own curves."""
    if marker.parent is not None:
        matrix = np.array((marker.parent.matrix_world @ marker.matrix_parent_inverse).inverted())
        world = world @ matrix[:3, :3].T + matrix[:3, 3]
    return world - np.array(marker.delta_location)


CLASSES = (
    BONESETTER_OT_swap_markers,
    BONESETTER_OT_delete_samples,
    BONESETTER_OT_cut_markers,
    BONESETTER_OT_fill_from_solve,
    BONESETTER_OT_pin_samples,
    BONESETTER_OT_mute_markers,
    BONESETTER_OT_rename_marker,
    BONESETTER_OT_problem_range,
)
