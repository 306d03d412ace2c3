# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers to Blender: a collection of keyed empties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import bpy
import numpy as np

from ..model.core.take import BoolArray, FloatArray, Take
from .actors import person_of
from .findings import keep_findings
from .keyframes import bind, bound_channelbag, held_before_gaps, write_keys, write_samples
from .properties import copy_settings
from .space import Timing
from .takes import GAP, LABEL, MUTED, RESIDUAL, markers, placing_parent, space_of, timing_of
from .version import own_version

#: Radius of a marker's sphere in metres: a little more than the real ball, to be seen and clicked.
RADIUS = 0.01

Keys = Literal["KEYS", "SAMPLES"]
Gaps = Literal["SHRINK", "HIDE", "HOLD"]
#: How large a marker is drawn in a gap, of its usual size: to be told from the others, and still to be clicked.
SHRUNK = 0.4


@dataclass(frozen=True)
class ImportOptions:
    """How a take enters a scene.

    Attributes:
        keys: "KEYS" can be edited; "SAMPLES" take a quarter of the memory.
        gaps: A marker that is missing stays where it was last seen, small or as large as ever, or is hidden, and then cannot be
            selected. Marked as a gap in every case.
    """

    keys: Keys = "KEYS"
    gaps: Gaps = "SHRINK"


def build_take(scene: bpy.types.Scene, take: Take, timing: Timing, options: ImportOptions, path: Path) -> bpy.types.Collection:
    """Make a collection with an empty per marker, all keyed in one action with a slot each.

    Args:
        scene: Gets the collection, as the take chosen in the panel; its rate and range are left alone.
        timing: With one scene frame per sample if the keys shall be samples.
    """
    collection = bpy.data.collections.new(take.name)
    try:
        scene.collection.children.link(collection)
        _describe(collection, scene, take, timing, path)
        keep_findings(collection, [finding.document(int) for finding in take.findings], read=True)
        _add_markers(collection, scene, take, timing, options)
    except BaseException:
        discard(collection)
        raise
    scene.bonesetter.take = collection
    return collection


def build_people(
    scene: bpy.types.Scene, people: Sequence[Take], timing: Timing, options: ImportOptions, path: Path
) -> list[bpy.types.Collection]:
    """Make a collection for each person of a file, see `build_take`: all of them, or none."""
    built: list[bpy.types.Collection] = []
    usual = scene.bonesetter.kept_actor
    try:
        for take in people:
            built.append(build_take(scene, take, timing, options, path))
            if len(people) > 1:
                # a name that no other import has
                built[-1].bonesetter.together = built[0].name
                # they are not all the person of the take before
                built[-1].bonesetter.kept_actor = person_of(take.name)
    except BaseException:
        for one in built:
            discard(one)
        raise
    scene.bonesetter.take = built[0]
    scene.bonesetter.kept_actor = usual
    return built


def discard(collection: bpy.types.Collection) -> None:
    """Remove a take with all that came with it."""
    empties = [one for one in collection.all_objects if LABEL in one]
    actions = {one.animation_data.action for one in empties if one.animation_data}
    for one in empties:
        bpy.data.objects.remove(one)
    for action in actions - {None}:
        if not action.users:
            bpy.data.actions.remove(action)
    for child in collection.children_recursive:
        bpy.data.collections.remove(child)
    bpy.data.collections.remove(collection)


def _add_markers(collection: bpy.types.Collection, scene: bpy.types.Scene, take: Take, timing: Timing, options: ImportOptions) -> None:
    """An empty per marker, in a collection of their own."""
    home = bpy.data.collections.new(f"{take.name} Markers")
    collection.children.link(home)
    _fill(home, collection, scene, take, timing, options)


def regroup_markers(scene: bpy.types.Scene, collection: bpy.types.Collection, take: Take) -> None:
    """Put the samples of a take's markers under other labels, on new empties in the place of the old; muted ones stay.

    Args:
        take: The same samples under the labels that they get.
    """
    old = [one for one in markers(collection).values() if not one.get(MUTED)]
    parent = placing_parent(collection)
    home, actions = old[0].users_collection[0], {one.animation_data.action for one in old if one.animation_data}
    bags = [bag for one in old if (bag := bound_channelbag(one)) is not None]
    sampled = any(len(curve.sampled_points) for bag in bags for curve in bag.fcurves if curve.data_path == "location")
    for one in old:
        bpy.data.objects.remove(one)
    for action in actions - {None}:
        if not action.users:
            bpy.data.actions.remove(action)
    timing = timing_of(collection)
    made = _fill(home, collection, scene, take, timing, ImportOptions("SAMPLES" if sampled else "KEYS"))
    for marker in made if parent is not None else ():
        marker.parent, marker.matrix_parent_inverse = parent, collection.bonesetter.armature.matrix_parent_inverse


def _fill(
    home: bpy.types.Collection,
    collection: bpy.types.Collection,
    scene: bpy.types.Scene,
    take: Take,
    timing: Timing,
    options: ImportOptions,
) -> list[bpy.types.Object]:
    space, made = space_of(collection, scene).own, list[bpy.types.Object]()
    positions = space.to_blender(take.positions)
    present = take.present
    has_residuals = bool(take.residuals.any())
    action = bpy.data.actions.new(f"{take.name} Markers")
    for index, label in enumerate(take.labels):
        marker = bpy.data.objects.new(label, None)
        marker.empty_display_type = "SPHERE"
        marker.empty_display_size = RADIUS * space.units_per_metre
        marker[LABEL] = label
        marker[GAP] = 0
        if has_residuals:
            marker[RESIDUAL] = (take.residuals[:, index] * 1e3).astype(np.float32)
        home.objects.link(marker)
        bag = bind(marker, action)
        key_location(bag, positions[:, index], present[:, index], timing, options)
        key_gaps(bag, marker, present[:, index], timing, options)
        made.append(marker)
    return made


def _describe(collection: bpy.types.Collection, scene: bpy.types.Scene, take: Take, timing: Timing, path: Path) -> None:
    properties = collection.bonesetter
    properties.is_take = True
    properties.made_by = own_version()
    properties.path = str(path)
    properties.rate_hz = take.rate_hz
    properties.up_axis = take.up_axis
    properties.frames = take.frames
    properties.units_per_metre = 1.0 / scene.unit_settings.scale_length
    properties.frame_start = timing.start
    properties.frame_step = timing.step
    copy_settings(scene, collection)


def key_location(bag: Any, positions: FloatArray, present: BoolArray, timing: Timing, options: ImportOptions) -> None:
    """Key where the marker is; in a gap it holds, so that no motion is made up."""
    if not present.any():
        return
    if options.keys == "SAMPLES" and timing.whole:
        # Samples have no holes: each missing one repeats the last that was seen, or the first.
        last_seen = np.maximum.accumulate(np.where(present, np.arange(len(present)), -1))
        last_seen[last_seen < 0] = int(np.argmax(present))
        for axis in range(3):
            write_samples(bag, "location", axis, int(timing.start), positions[last_seen, axis], "Location")
        return
    kept = np.flatnonzero(present)
    interpolation = held_before_gaps(kept)
    frames = timing.frames[kept]
    for axis in range(3):
        write_keys(bag, "location", axis, frames, positions[kept, axis], "Location", interpolation)


def key_gaps(bag: Any, marker: bpy.types.Object, present: BoolArray, timing: Timing, options: ImportOptions) -> None:
    """Key only where the marker comes or goes.

    One that is always there gets a key, too: exporters play an action on every object on which all of its paths exist, and a curve of
    locations alone would be played on the armature.
    """
    changes = np.concatenate([[0], np.flatnonzero(np.diff(present)) + 1])
    frames = timing.frames[changes]
    values = (~present[changes]).astype(float)
    marker[GAP] = int(values[0])
    write_keys(bag, f'["{GAP}"]', 0, frames, values, "Gap", "CONSTANT")
    if present.all():
        return
    if options.gaps == "SHRINK":
        sizes = marker.empty_display_size * np.where(values > 0, SHRUNK, 1.0)
        write_keys(bag, "empty_display_size", 0, frames, sizes, "Gap", "CONSTANT")
    if options.gaps == "HIDE":
        for path in ("hide_viewport", "hide_render"):
            write_keys(bag, path, 0, frames, values, "Gap", "CONSTANT")
