# SPDX-License-Identifier: GPL-3.0-or-later
"""A range of a solved take solved again: its frames fade into those around it, which keep every bit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import bpy
import numpy as np

from ..model.core.errors import BonesetterError
from ..model.core.take import FloatArray, Take
from ..model.files.exchange import SolvedPose
from ..model.result.solved import SolvedMarkers
from ..model.review.blending import blended, blended_rotations, joined_stances, surroundings, weights, with_surroundings
from .armature import bone_channels, bone_names, is_locked, note_keys
from .findings import keep_findings
from .keyed_bones import known_stretches
from .keyframes import held_before_gaps, replace_keys
from .layers import Values, keep_values, kept_values, solved_bag
from .skeletons import as_before
from .solved import keep_solved, solved_of
from .space import Timing
from .takes import space_of, timing_of

Span = tuple[int, int]
#: Without a preview range so many seconds before and after the playhead are solved.
REACH_SECONDS = 1.0


def wanted_range(scene: bpy.types.Scene, collection: bpy.types.Collection) -> Span:
    """First and last sample to be solved: of the preview range, else around the playhead.

    Raises:
        BonesetterError: The take has no samples there.
    """
    timing = timing_of(collection)
    if scene.use_preview_range:
        first, last = float(scene.frame_preview_start), float(scene.frame_preview_end)
    else:
        reach = REACH_SECONDS * scene.render.fps / scene.render.fps_base
        first, last = scene.frame_current - reach, scene.frame_current + reach
    start = max(0, int(np.ceil((first - timing.start) / timing.step - 1e-6)))
    end = min(timing.samples - 1, int(np.floor((last - timing.start) / timing.step + 1e-6)))
    if end - start < 1:
        raise BonesetterError(f"{collection.name} has no samples in these frames: move the preview range, or the playhead.")
    return start, end


def part_of(take: Take, span: Span) -> Take:
    """What the engine is given to solve a range."""
    return with_surroundings(take, *span)


def put_range(scene: bpy.types.Scene, collection: bpy.types.Collection, pose: SolvedPose, span: Span) -> None:
    """Blend a solved part of a take into its armature's keys, in the samples of the range alone.

    Raises:
        BonesetterError: The armature is no longer that of the take's solve.
    """
    armature, values, pose = collection.bonesetter.armature, kept_values(collection), as_before(pose, collection)
    bag = solved_bag(collection)
    if values is None or bag is None or tuple(values[0]) != pose.skeleton.joints:
        raise BonesetterError(f"{collection.name} has no solve of which a range could be solved again: solve all of it.")
    timing, (first, last) = timing_of(collection), span
    joints, locations, rotations = values
    moved, turned = bone_channels(armature, pose, space_of(collection, scene).own)
    inner = slice(first - start_of(collection, span), last - start_of(collection, span) + 1)
    part = weights(last - first + 1, collection.bonesetter.rate_hz, first == 0, last == timing.samples - 1)
    stretch = slice(first, last + 1)
    locations[stretch] = blended(locations[stretch], moved[inner], part)
    rotations[stretch] = blended_rotations(rotations[stretch].astype(float), turned[inner], part)
    names = bone_names(armature)
    if collection.bonesetter.cleaned:
        _key_every_sample(collection, bag, values)
    for index, joint in enumerate(joints):
        bone = armature.pose.bones[names[joint]]
        if is_locked(bone):
            continue
        _rekey(bag, bone.path_from_id("rotation_quaternion"), timing, stretch, rotations[stretch, index])
        if pose.skeleton.parents[index] < 0:
            _rekey(bag, bone.path_from_id("location"), timing, stretch, locations[stretch])
    keep_values(collection, tuple(joints), locations, rotations)
    note_keys(collection)
    _join_markers(collection, pose, span, part)


def _key_every_sample(collection: bpy.types.Collection, bag: Any, values: Values) -> None:
    """Undo a cleaning of keys, as far as what they play: only a key in every sample can change in a range alone."""
    joints, locations, rotations = values
    armature, timing = collection.bonesetter.armature, timing_of(collection)
    names = bone_names(armature)
    for index, joint in enumerate(joints):
        bone = armature.pose.bones[names[joint]]
        channels = {bone.path_from_id("rotation_quaternion"): rotations[:, index], bone.path_from_id("location"): locations}
        for curve in [one for one in bag.fcurves if one.data_path in channels and not is_locked(bone)]:
            known = [np.arange(first, last + 1) for first, last in known_stretches(curve, timing)]
            if known:
                samples = np.concatenate(known)
                points = np.stack([timing.frames[samples], channels[curve.data_path][samples, curve.array_index]], axis=-1)
                replace_keys(curve, {"co": points.astype(np.float32).ravel(), "interpolation": held_before_gaps(samples)})
    collection.bonesetter.cleaned = False


def join_findings(collection: bpy.types.Collection, documents: list[Mapping[str, Any]], span: Span) -> None:
    """Keep the findings of the whole take that are not of these frames alone, and add those of the range."""
    timing = timing_of(collection)
    first, last = (round(timing.start + timing.step * sample) for sample in span)
    before = [json.loads(item.document) for item in collection.bonesetter.findings if not item.read]
    kept = [each for each in before if not each["frames"] or any(start < first or end > last for start, end in each["frames"])]
    texts = {each["text"] for each in kept}
    new = [each for each in documents if each["frames"] and each["text"] not in texts]
    keep_findings(collection, [*kept, *(each for each in new if any(end >= first and start <= last for start, end in each["frames"]))])


def start_of(collection: bpy.types.Collection, span: Span) -> int:
    """The first sample of what the engine was given."""
    return surroundings(*span, timing_of(collection).samples, collection.bonesetter.rate_hz)[0]


def _rekey(bag: Any, path: str, timing: Timing, stretch: slice, values: FloatArray) -> None:
    """Change the values of the keys of some samples; all other keys keep every bit."""
    wanted = timing.frames[stretch]
    for curve in bag.fcurves:
        if curve.data_path == path and curve.array_index < values.shape[1]:
            points = np.empty(2 * len(curve.keyframe_points), dtype=np.float32)
            curve.keyframe_points.foreach_get("co", points)
            at = np.searchsorted(points[0::2], (wanted - 0.01 * timing.step).astype(np.float32))
            # samples that no marker tells of have no keys, and get none
            there = at < len(points) // 2
            there[there] = np.abs(points[2 * at[there]] - wanted[there]) < 0.02 * timing.step
            points[2 * at[there] + 1] = values[there, curve.array_index]
            curve.keyframe_points.foreach_set("co", points)
            curve.update()


def _join_markers(collection: bpy.types.Collection, pose: SolvedPose, span: Span, part: FloatArray) -> None:
    old, new = solved_of(collection), pose.markers
    if old is None or new is None:
        return
    (first, last), start = span, start_of(collection, span)
    places = old.places.copy()
    for column, label in enumerate(old.labels):
        if label in new.labels:
            theirs = new.places[first - start : last - start + 1, new.labels.index(label)]
            places[first : last + 1, column] = blended(places[first : last + 1, column], theirs, part)
    theirs = [replace(each, first=each.first + start, last=each.last + start) for each in new.stances]
    keep_solved(collection, SolvedMarkers(old.labels, places, joined_stances(old.stances, theirs, first, last)))
