# SPDX-License-Identifier: GPL-3.0-or-later
"""What markers that were made of tracks are called, and which tracks are one marker's because the file says so.

A file whose labels no set knows still says by them which samples belong together. So a column with a name, most of whose samples are
there, is one marker throughout, and keeps its name. All others are called by their bones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from ..core.take import BoolArray, IntArray, Take
from ..marker_sets.marker_set import bare_name
from ..markers.matching import labelled_columns
from ..solver.kinematics import Body
from .refinement import Refined
from .surface import SEGMENT_OF
from .template import Template
from .tracks import OPEN, Tracks

#: A column with a name and samples in this part of the frames holds one marker: its name is kept.
NAMED_PART = 0.5


def named_columns(take: Take) -> dict[int, str]:
    """{column: its name} of those that hold one marker throughout: with a name, unlike others, and samples in most frames."""
    names = {column: take.labels[column].rpartition(":")[2].strip() for column in labelled_columns(take)}
    bare = Counter(bare_name(name) for name in names.values())
    there = take.present.mean(axis=0) >= NAMED_PART
    return {column: name for column, name in names.items() if bare_name(name) and bare[bare_name(name)] == 1 and there[column]}


def by_columns(labels: IntArray, tracks: Tracks, columns: Mapping[int, str]) -> IntArray:
    """The labels (tracks,), those of a named column's tracks all the one that most of its samples have."""
    named = np.array(sorted(columns), dtype=int)
    if not len(named):
        return labels
    samples = np.zeros((len(named), int(labels.max(initial=OPEN)) + 1))
    of_column = np.searchsorted(named, tracks.columns).clip(max=len(named) - 1)
    mine = (named[of_column] == tracks.columns) & (labels != OPEN)
    np.add.at(samples, (of_column[mine], labels[mine]), tracks.lengths[mine])
    rows, given = linear_sum_assignment(samples, maximize=True)
    whole = np.full(len(named), OPEN)
    whole[rows] = np.where(samples[rows, given] > 0, given, OPEN)
    own = named[of_column] == tracks.columns
    # a label that a column has is no other track's
    free = np.where(np.isin(labels, whole[whole != OPEN]), OPEN, labels)
    return np.where(own, whole[of_column], free)


def other_markers(labels: IntArray, count: int, tracks: Tracks, columns: Mapping[int, str]) -> BoolArray:
    """(tracks, labels): which labels a track cannot be mixed up with, since markers that were made of tracks are these.

    A column with a name is no other column's marker. Of two markers that are one track each, both there at once, either may have
    either label: they say no more than that these are two.

    Args:
        labels: (tracks,) that were found.
        count: How many labels there are.
        tracks: Of the take.
        columns: Those that hold one marker throughout, see `named_columns`.
    """
    has = labels != OPEN
    in_column = has & np.isin(tracks.columns, sorted(columns))
    held = np.bincount(labels[in_column], minlength=count) > 0
    alone = np.bincount(labels[has], minlength=count) == 1
    start, end = np.zeros(count, dtype=int), np.zeros(count, dtype=int)
    start[labels[has]], end[labels[has]] = tracks.starts[has], tracks.ends[has]
    at_once = (tracks.starts[:, None] < end) & (start < tracks.ends[:, None])
    lonely = has & alone[labels.clip(0)]
    return (in_column[:, None] & held) | (lonely[:, None] & alone & at_once)


def names_of(columns: Mapping[int, str], tracks: Tracks, labels: IntArray) -> dict[int, str]:
    """{label: the name of the column} of labels (tracks,) that named columns have."""
    return {int(labels[track]): columns[column] for track, column in enumerate(tracks.columns.tolist()) if column in columns}


def named(template: Template, refined: Refined, given: Mapping[int, str]) -> tuple[Template, Refined]:
    """The same by names that say where the markers are: their segments, and a number from the joints outwards; and those that are given."""
    joints, offsets = template.actor.skeleton.joints, template.placement.offset_mean
    counts: dict[str, int] = {}
    names = [""] * len(template.labels)
    used = set(refined.labels.tolist())
    for row in sorted(range(len(names)), key=lambda row: (row not in used, template.joints[row], *(-np.round(offsets[row], 3)))):
        segment = SEGMENT_OF[joints[template.joints[row]]]
        counts[segment] = counts.get(segment, 0) + 1
        names[row] = given.get(row, f"{segment} {counts[segment]}")
    labels = tuple(names)
    body = refined.followed.body
    actor = replace(body.actor, labels=labels)
    followed = replace(refined.followed, body=Body(actor, template.prior.pose, torch.device("cpu"), torch.float32))
    place = replace(template.placement, labels=labels)
    return replace(template, placement=place, actor=replace(template.actor, labels=labels)), replace(refined, followed=followed)
