# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels of a take that has most of them: those that are missing are found by motion among its points without a name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..core.findings import Finding, shortened
from ..core.stretches import stretches
from ..core.take import BoolArray, FloatArray, Take, all_finite
from ..marker_sets.marker_set import CATALOGUE, MarkerSet
from ..markers.matching import labelled_columns, named_people, sampled_enough
from ..markers.regrouped import regrouped, without_samples
from .subject import Subject
from .trajectories import Matched

if TYPE_CHECKING:
    from ..labelling.labelled import Labelled, TrackLabel

#: Labels are looked for where so many of a set's are missing, and so many points a frame have no name, or this part of the labels that
#: are missing: a single one is attached to its bone, or fills another's gaps.
FEWEST_MISSING, MISSING_PART = 3, 0.25
#: ... or where so many a frame may fill what named labels lack, and this part of these labels: less is done by `relabelling.py`. Tracks of
#: less than so many s are ghosts, or a take so noisy that it has none.
FEWEST_LACKING, LACKING_PART, LASTING_SECONDS = 1.5, 0.035, 0.25
#: A marker keeps its distance to one of its bone, no more than so many m away, to so many m in all but the tenths of the frames in which
#: it is least and largest; and so many frames tell it.
NEAR_M, KEPT_M, MOST_FRAMES, LOOKED_AT = 0.25, 0.02, 0.9, 100
#: Motion has to give this part of the samples that have a name the same one: a few names of a file may be wrong.
AGREE_PART = 0.8
#: And it has to find this part of the labels that are missing, or labels for this part of the samples without a known name: of a stick
#: in somebody's hand, beside labels that nobody wears, it takes some points for an elbow and a shin.
OF_MISSING, OF_SPARE = 0.6, 0.75


def lacks_names(take: Take, subject: Subject, matched: Matched) -> bool:
    """Whether many points of the take of one person have no name, while labels of the marker set are nowhere, or come and go.

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
    if len(missing) < FEWEST_MISSING and len(labelled_columns(take)) == len(take.labels):
        return False
    person = named_people(take, marker_set)[0]
    present: BoolArray = take.present
    counts = np.count_nonzero(present, axis=0) / take.frames
    nameless = np.setdiff1d(np.arange(len(counts)), person.all)
    if _fillable(present[:, list(person.columns.values())], _lasting(present[:, nameless], LASTING_SECONDS * take.rate_hz)):
        return True
    if len(missing) < FEWEST_MISSING:
        return False
    enough = max(FEWEST_MISSING, MISSING_PART * len(missing))
    if counts[nameless].sum() >= enough:
        return True
    unknown = [column for column in person.all if column not in person.columns.values()]
    if counts[nameless].sum() + counts[unknown].sum() < enough or len(_on_bare_bones(subject, wanted, known)) < FEWEST_MISSING:
        return False
    return _moving_freely(take.positions, unknown, list(person.columns.values()))


def _fillable(named: BoolArray, nameless: BoolArray) -> bool:
    """Whether samples of nameless columns (frames, columns) may be what named ones (frames, columns) lack: a live labelling loses names."""
    lacking = np.minimum((~named).sum(axis=1), nameless.sum(axis=1)).mean() if len(named) else 0.0
    return bool(lacking >= max(FEWEST_LACKING, LACKING_PART * named.shape[1]))


def _lasting(present: BoolArray, least: float) -> BoolArray:
    """(frames, columns): those of the samples that are there which stand in a row of so many frames at least."""
    lasting = np.zeros_like(present)
    for column in range(present.shape[1]):
        for start, end in stretches(present[:, column]).tolist():
            lasting[start:end, column] = end - start >= least
    return lasting


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


def names_of(take: Take, marker_set: MarkerSet) -> dict[str, str]:
    """{column of the take: label} of one person's columns that have samples under a label of the set."""
    there = np.count_nonzero(take.present, axis=0)
    return {take.labels[column]: label for label, column in named_people(take, marker_set)[0].columns.items() if there[column]}


def completed(take: Take, names: Mapping[str, str], marker_set: MarkerSet, found: Labelled) -> Take | None:
    """The take with samples that have no known name under the labels that it lacks, all the time or now and then; every name stays.

    Args:
        take: As read.
        names: As `names_of` has them.
        marker_set: That knows these names.
        found: All labels, by motion.

    Returns:
        None where motion finds few of them, or says of the samples with a name that they are others'.
    """
    # not above: takes with all their labels do not wait for it
    from ..labelling.labelled import doubtful_labels

    if not _agree(take, names, found.take):
        return None
    filled, told = _filled(take, names, found)
    own = _missing(filled, names, marker_set, found)
    if own is None and not told:
        return None
    labels = (*told, *(own.labels if own is not None else ()))
    tracks = [row for row in found.tracks if row.label in labels and row.column not in names]
    columns, column_of = columns_by_label(tracks), {label: column for column, label in names.items()}
    said = list(doubtful_labels(tracks, take.rate_hz))
    if told:
        text = f"Points without a name were put under {len(told)} labels that come and go: {shortened(told)}."
        said.insert(0, Finding("labelled", text, told))
    if own is not None:
        text = f"{len(own.labels)} labels that the file does not have were found by motion: {shortened(own.labels)}."
        said.insert(0, Finding("labelled", text, own.labels))
        filled = regrouped(filled, own)
    findings = (*take.findings, *(finding.called(columns) for finding in said))
    # a label that has a name goes on being called by it
    origins = {column_of.get(label, label): (*((column_of[label],) if label in column_of else ()), *columns[label]) for label in columns}
    return replace(filled, tracks_from=origins, findings=findings, source=None)


def _filled(take: Take, names: Mapping[str, str], found: Labelled) -> tuple[Take, tuple[str, ...]]:
    """The take with found samples in the gaps of its named columns, taken out of those that had them; and the labels that got any."""
    columns = [take.labels.index(column) for column in names]
    rest = [column for column in range(len(take.labels)) if column not in columns]
    rows = [found.take.labels.index(label) if label in found.take.labels else None for label in names.values()]
    positions, residuals = take.positions.copy(), take.residuals.copy()
    new = np.full((take.frames, len(columns), 3), np.nan)
    for place, (column, row) in enumerate(zip(columns, rows, strict=True)):
        if row is None:
            continue
        samples = found.take.positions[:, row]
        gaps = np.isnan(positions[:, column, 0]) & np.isfinite(samples[:, 0])
        new[gaps, place] = positions[gaps, column] = samples[gaps]
        residuals[gaps, column] = found.take.residuals[gaps, row]
    told = tuple(label for place, label in enumerate(names.values()) if np.isfinite(new[:, place]).any())
    if not told:
        return take, ()
    left = without_samples(take.only(rest), new)
    positions[:, rest], residuals[:, rest] = left.positions, left.residuals
    kept = np.flatnonzero(all_finite(positions).any(axis=0) | np.isin(np.arange(len(take.labels)), columns)).tolist()
    return replace(take, positions=positions, residuals=residuals).only(kept), told


def _missing(take: Take, names: Mapping[str, str], marker_set: MarkerSet, found: Labelled) -> Take | None:
    """The labels that the take has nowhere, with the samples that were found for them; None where these are too few."""
    named, columns = set(names.values()), [take.labels.index(column) for column in names]
    labels = [label for label in found.take.labels if label not in named and marker_set.find(label) == label]
    own = found.take.only([found.take.labels.index(label) for label in labels])
    # what motion takes for another label than the file says is judged later, as every name is
    own = without_samples(own, take.positions[:, columns])
    own = own.only(np.flatnonzero(sampled_enough(own)).tolist())
    missing = sum(label not in named for label in marker_set.labels)
    spare = sum(row.samples for row in found.tracks if row.column not in names and row.label not in named)
    few = len(own.labels) < OF_MISSING * missing and own.present.sum() < OF_SPARE * spare
    return None if few or not own.labels else own


def _agree(take: Take, names: Mapping[str, str], labelled: Take) -> bool:
    """Whether motion has nearly all samples with a known name under that name."""
    right = total = 0
    for name, label in names.items():
        own = take.positions[:, take.labels.index(name)]
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
