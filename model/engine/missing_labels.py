# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels of a take that has most of them: those that are missing are found by motion among its points without a name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..core.findings import Finding, shortened
from ..core.take import FloatArray, Take
from ..marker_sets.marker_set import CATALOGUE, MarkerSet
from ..markers.matching import named_people, sampled_enough
from ..markers.regrouped import regrouped, without_samples
from .subject import Subject
from .trajectories import Matched

if TYPE_CHECKING:
    from ..labelling.labelled import Labelled, TrackLabel

#: Labels are looked for where so many of a set's are missing, and so many points a frame have no name, or this part of the labels that
#: are missing: a single one is attached to its bone, or fills another's gaps.
FEWEST_MISSING, MISSING_PART = 3, 0.25
#: A marker keeps its distance to one of its bone, no more than so many m away, to so many m in all but the tenths of the frames in which
#: it is least and largest; and so many frames tell it.
NEAR_M, KEPT_M, MOST_FRAMES, LOOKED_AT = 0.25, 0.02, 0.9, 100
#: Motion has to give this part of the samples that have a name the same one: a few names of a file may be wrong.
AGREE_PART = 0.8
#: And it has to find this part of the labels that are missing, or labels for this part of the samples without a known name: of a stick
#: in somebody's hand, beside labels that nobody wears, it takes some points for an elbow and a shin.
OF_MISSING, OF_SPARE = 0.6, 0.75


def lacks_names(take: Take, subject: Subject, matched: Matched) -> bool:
    """Whether labels of the marker set are nowhere in the take of one person, and many of its points have no name.

    What the user pinned is pinned under the names that it has. The person's points whose names no set knows are attached to the bones that
    they move with: they count where a bone has none of its markers, and one of them moves with none near it that has a known name.

    Args:
        take: As read.
        subject: Of it.
        matched: The take on the subject's labels.
    """
    marker_set, known = subject.marker_set, set(matched.placement.labels)
    several = any(finding.kind == "subjects" for finding in take.findings)
    if several or take.pinned is not None or marker_set.name.startswith(CATALOGUE):
        return False
    wanted = tuple(label for label in marker_set.labels if subject.actor is None or label in subject.actor.labels)
    missing = [label for label in wanted if label not in known]
    if len(missing) < FEWEST_MISSING:
        return False
    enough = max(FEWEST_MISSING, MISSING_PART * len(missing))
    person, counts = named_people(take, marker_set)[0], np.count_nonzero(take.present, axis=0) / take.frames
    nameless = counts.sum() - counts[list(person.all)].sum()
    if nameless >= enough:
        return True
    unknown = [column for column in person.all if column not in person.columns.values()]
    if nameless + counts[unknown].sum() < enough or len(_on_bare_bones(subject, wanted, known)) < FEWEST_MISSING:
        return False
    return _moving_freely(take.positions, unknown, list(person.columns.values()))


def _on_bare_bones(subject: Subject, wanted: tuple[str, ...], known: set[str]) -> list[str]:
    """The labels on bones none of whose labels is known."""
    placement = subject.prior.placement(subject.marker_set, wanted)
    on = dict(zip(placement.labels, placement.joints, strict=True))
    held = {on[label] for label in wanted if label in known}
    return [label for label in wanted if on[label] not in held]


def _moving_freely(positions: FloatArray, columns: list[int], known: list[int]) -> bool:
    """Whether one of some columns, of positions (frames, columns, 3), keeps its distance to none of the known ones that are near it."""
    few = positions[:: max(1, len(positions) // LOOKED_AT)]
    apart = np.sort(np.linalg.norm(few[:, columns, None] - few[:, None, known], axis=-1), axis=0)
    last = np.isfinite(apart).sum(axis=0, keepdims=True) - 1
    low, high = (np.take_along_axis(apart, (last * part).astype(int), axis=0)[0] for part in (1 - MOST_FRAMES, MOST_FRAMES))
    return bool((~((high < NEAR_M) & (high - low < KEPT_M)).any(axis=1)).any())


def completed(take: Take, marker_set: MarkerSet, found: Labelled) -> Take | None:
    """The take with columns for labels that it lacks, of samples without a known name; every name that it has stays.

    Args:
        take: As read.
        marker_set: That knows its names.
        found: The same with all labels found by motion.

    Returns:
        None where motion finds few of them, or says of the samples with a name that they are others'.
    """
    # not above: takes with all their labels do not wait for it
    from ..labelling.labelled import doubtful_labels

    seen = np.count_nonzero(take.present, axis=0)
    named = {label: column for label, column in named_people(take, marker_set)[0].columns.items() if seen[column]}
    if not _agree(take, named, found.take):
        return None
    labels = [label for label in found.take.labels if label not in named and marker_set.find(label) == label]
    own = found.take.only([found.take.labels.index(label) for label in labels])
    # what motion takes for another label than the file says is judged later, as every name is
    own = without_samples(own, take.positions[:, list(named.values())])
    own = own.only(np.flatnonzero(sampled_enough(own)).tolist())
    missing = sum(label not in named for label in marker_set.labels)
    spare = seen.sum() - seen[list(named.values())].sum()
    if not own.labels or (len(own.labels) < OF_MISSING * missing and own.present.sum() < OF_SPARE * spare):
        return None
    called = {take.labels[column] for column in named.values()}
    tracks = [row for row in found.tracks if row.label in own.labels and row.column not in called]
    said = f"{len(own.labels)} labels that the file does not have were found by motion: {shortened(own.labels)}."
    columns = columns_by_label(tracks)
    findings = (Finding("labelled", said, own.labels), *doubtful_labels(tracks, take.rate_hz))
    whole = regrouped(take, own)
    return replace(whole, tracks_from=columns, findings=(*take.findings, *(finding.called(columns) for finding in findings)))


def _agree(take: Take, named: dict[str, int], labelled: Take) -> bool:
    """Whether motion has nearly all samples with a known name under that name."""
    right = total = 0
    for label, column in named.items():
        own = take.positions[:, column]
        there = np.isfinite(own[:, 0])
        total += int(there.sum())
        if label in labelled.labels:
            right += int((own == labelled.positions[:, labelled.labels.index(label)])[there].all(axis=1).sum())
    return right > 0 and right >= AGREE_PART * total


def columns_by_label(tracks: Iterable[TrackLabel]) -> dict[str, tuple[str, ...]]:
    """{label: columns of the take as read that hold its samples}, of tracks with and without a label."""
    found: dict[str, dict[str, None]] = {}
    for row in tracks:
        found.setdefault(row.kept_as, {})[row.column] = None
    return {label: tuple(columns) for label, columns in found.items()}
