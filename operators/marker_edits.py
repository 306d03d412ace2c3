# SPDX-License-Identifier: GPL-3.0-or-later
"""What repairs do to the markers' empties: plain functions of samples, which leave everything else of a marker as it is."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ..model.core.take import BoolArray, FloatArray
from ..model.review.repairs import joined_spans
from .empties import Gaps, ImportOptions, key_gaps, key_location
from .gather import read_marker
from .keyframes import bind, bound_channelbag, remove_curves
from .space import Timing
from .takes import GAP, LABEL, PINNED, RESIDUAL, markers, space_of, timing_of

#: The curves that say where a marker is and whether it is there.
OWN = ("location", f'["{GAP}"]', "empty_display_size", "hide_viewport", "hide_render")
#: What the marker that a cut makes is called: an unlabelled point, which a solve takes where it fits.
UNLABELLED = "*{}"


class Samples:
    """The samples of one marker, to be changed and written back."""

    def __init__(self, marker: bpy.types.Object, scene: bpy.types.Scene, take: bpy.types.Collection) -> None:
        self.marker, self.timing = marker, timing_of(take)
        self.options = _options(take, marker)
        self.places, self.present = read_marker(marker, self.timing, space_of(take, scene).units_per_metre)
        measured = np.array(marker.get(RESIDUAL, ()), dtype=np.float32)
        self.residuals = measured if len(measured) == self.timing.samples else np.zeros(self.timing.samples, dtype=np.float32)

    def exchange(self, other: Samples, span: slice) -> None:
        """Two markers trade a stretch of samples."""
        for mine, theirs in ((self.places, other.places), (self.present, other.present), (self.residuals, other.residuals)):
            mine[span], theirs[span] = theirs[span].copy(), mine[span].copy()

    def write(self) -> None:
        """Key the samples anew."""
        write_marker(self.marker, self.places, self.present, self.timing, self.options)
        if RESIDUAL in self.marker or self.residuals.any():
            self.marker[RESIDUAL] = self.residuals


def write_marker(marker: bpy.types.Object, places: FloatArray, present: BoolArray, timing: Timing, options: ImportOptions) -> None:
    """Replace a marker's samples.

    Args:
        marker: Its empty.
        places: (samples, 3) in its parent's space.
        present: (samples,).
        timing: Of its take.
        options: As it was imported.
    """
    bag = bound_channelbag(marker)
    if bag is None:
        bag = bind(marker, bpy.data.actions.new(marker.name))
    size = _usual_size(bag, marker)
    remove_curves(bag, OWN)
    marker.empty_display_size = size
    key_location(bag, places, present, timing, options)
    key_gaps(bag, marker, present, timing, options)
    marker.update_tag()


def split_off(take: bpy.types.Collection, samples: Samples, span: slice) -> bpy.types.Object:
    """Make an unlabelled marker of a stretch of a marker's samples, which that loses."""
    there = markers(take)
    number = next(number for number in range(1, len(there) + 2) if UNLABELLED.format(number) not in there)
    made: Any = bpy.data.objects.new(UNLABELLED.format(number), None)
    made.empty_display_type = samples.marker.empty_display_type
    made.empty_display_size = samples.marker.empty_display_size
    made[LABEL], made[GAP] = UNLABELLED.format(number), 0
    samples.marker.users_collection[0].objects.link(made)
    part = np.zeros_like(samples.present)
    part[span] = samples.present[span]
    bind(made, samples.marker.animation_data.action)
    write_marker(made, samples.places, part, samples.timing, samples.options)
    if samples.residuals.any():
        made[RESIDUAL] = np.where(part, samples.residuals, np.float32(0.0))
    samples.present[span] = False
    return made


def pin(marker: bpy.types.Object, first: int, last: int, pinned: bool) -> None:
    """Say of a stretch of samples that it is right, or no longer."""
    spans = joined_spans(np.array(marker.get(PINNED, ()), dtype=float).reshape(-1, 2), first, last, pinned)
    if spans:
        marker[PINNED] = spans
    elif PINNED in marker:
        del marker[PINNED]
    marker.update_tag()


def _options(take: bpy.types.Collection, marker: bpy.types.Object) -> ImportOptions:
    """How a take was imported, by its curves."""
    bag = bound_channelbag(marker)
    sampled = bag is not None and any(len(curve.sampled_points) > 0 for curve in bag.fcurves if curve.data_path == "location")
    bags = [bound_channelbag(one) for one in markers(take).values()]
    paths = {curve.data_path for one in bags if one is not None for curve in one.fcurves}
    gaps: Gaps = "HIDE" if "hide_viewport" in paths else "HOLD"
    if "empty_display_size" in paths or f'["{GAP}"]' not in paths:
        gaps = "SHRINK"
    return ImportOptions("SAMPLES" if sampled else "KEYS", gaps)


def _usual_size(bag: Any, marker: Any) -> float:
    """How large a marker is drawn outside of its gaps."""
    for curve in bag.fcurves:
        if curve.data_path == "empty_display_size" and len(curve.keyframe_points):
            return max(point.co.y for point in curve.keyframe_points)
    return marker.empty_display_size
