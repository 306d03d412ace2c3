# SPDX-License-Identifier: GPL-3.0-or-later
"""A take with the labels that were found for it, and how sure they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from ..actors.actor import Actor
from ..core.findings import Finding, shortened
from ..core.take import BoolArray, FloatArray, IntArray, Take
from ..marker_sets.marker_set import MarkerSet
from .template import Template
from .tracks import OPEN, Tracks

#: A track is doubtful whose label is less sure than this.
DOUBTFUL = 0.95
#: Tracks of at least so many seconds are spoken of: shorter ones are many, and mostly ghosts.
SPOKEN_OF_SECONDS = 0.25
#: Where those without a label have more than this part of all samples, a limb may be among them.
MUCH_OPEN = 0.1


@dataclass(frozen=True)
class TrackLabel:
    """A track and its label.

    Attributes:
        column: Label of the take as read, in which the track is.
        first, last: Frames, counted from 0.
        label: That was found; "" for none.
        confidence: Probability that it is right, or that the track is nobody's, by the margin to the second best.
        second: The second best label; "" for none.
        bone: Name of the joint that carries the label; "" for none.
        kept_as: Where the labelled take has the samples: the label, or an unlabelled column.
    """

    column: str
    first: int
    last: int
    label: str
    confidence: float
    second: str
    bone: str
    kept_as: str

    @property
    def samples(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True, eq=False)
class Labelled:
    """What was found.

    Attributes:
        take: On the found labels; behind them, as `*0` and so on, the samples that have none.
        tracks: Every track of the take as read, ordered by its columns.
        actor: Fitted to the labelled tracks, or the given one.
        marker_set: Whose labels they are: a bundled one, or one that was made of what was found; None where they are an actor's.
        findings: What the user should know.
    """

    take: Take
    tracks: tuple[TrackLabel, ...]
    actor: Actor
    marker_set: MarkerSet | None
    findings: tuple[Finding, ...]


def confidences(scores: FloatArray, labels: IntArray, never: BoolArray | None = None) -> tuple[FloatArray, IntArray]:
    """How sure each track's label is, and the second best of each, `OPEN` for none.

    Args:
        scores: (tracks, labels) how much likelier each label is than none, as a logarithm.
        labels: (tracks,).
        never: (tracks, labels) which labels a track cannot be mixed up with; None if with any.
    """
    if never is not None:
        scores = np.where(never & (np.arange(scores.shape[1]) != labels[:, None]), -np.inf, scores)
    with_none = np.concatenate([scores, np.zeros((len(scores), 1))], axis=1)
    rows = np.arange(len(scores))
    own = np.where(labels == OPEN, scores.shape[1], labels)
    others = with_none.copy()
    others[rows, own] = -np.inf
    second = others.argmax(axis=1)
    margin = with_none[rows, own] - others[rows, second]
    return 1.0 / (1.0 + np.exp(-np.clip(margin, -50.0, 50.0))), np.where(second == scores.shape[1], OPEN, second)


@dataclass(frozen=True, eq=False)
class Columns:
    """Where tracks go: columns of labels that have a sample, in the labels' order, then as few as possible for what has no label.

    Attributes:
        names: (columns,).
        of_tracks: (tracks,) index of the column.
    """

    names: tuple[str, ...]
    of_tracks: IntArray


def columns_of(tracks: Tracks, labels: IntArray, names: tuple[str, ...]) -> Columns:
    """Columns for tracks with labels (tracks,), whose names are given."""
    used = [row for row in range(len(names)) if (labels == row).any()]
    found = np.full(len(tracks), OPEN)
    for column, row in enumerate(used):
        found[labels == row] = column
    free_from: list[int] = []
    order = np.argsort(tracks.starts, kind="stable")
    for track in order[labels[order] == OPEN].tolist():
        # a frame lies between two, so that a reader sees where one ends
        spare = next((column for column, end in enumerate(free_from) if end < tracks.starts[track]), len(free_from))
        free_from[spare : spare + 1] = [int(tracks.ends[track])]
        found[track] = len(used) + spare
    return Columns((*(names[row] for row in used), *(f"*{column}" for column in range(len(free_from)))), found)


def table(take: Take, tracks: Tracks, labels: IntArray, scores: FloatArray, template: Template, columns: Columns) -> list[TrackLabel]:
    """A row for each track: what it is and how sure that is."""
    # not above: a solve of a take with labels loads this module, and is not to wait for scipy.optimize
    from .naming import named_columns, other_markers

    never = other_markers(labels, len(template.labels), tracks, named_columns(take)) if template.made else None
    sure, second = confidences(scores, labels, never)
    joints = template.actor.skeleton.joints
    named, carried = (*template.labels, ""), (*(joints[joint] for joint in template.joints), "")
    return [
        TrackLabel(
            take.labels[tracks.columns[track]],
            int(tracks.starts[track]),
            int(tracks.ends[track]) - 1,
            named[labels[track]],
            round(float(sure[track]), 4),
            named[second[track]],
            carried[labels[track]],
            columns.names[columns.of_tracks[track]],
        )
        for track in range(len(tracks))
    ]


def relabelled(take: Take, tracks: Tracks, columns: Columns) -> Take:
    """The take with its tracks in other columns."""
    positions = np.full((take.frames, len(columns.names), 3), np.nan)
    residuals = np.zeros(positions.shape[:2])
    for track, column in enumerate(columns.of_tracks.tolist()):
        here = slice(tracks.starts[track], tracks.ends[track])
        positions[here, column] = tracks.positions[here, tracks.columns[track]]
        residuals[here, column] = take.residuals[here, tracks.columns[track]]
    return replace(take, labels=columns.names, positions=positions, residuals=residuals, origins=())


def findings_of(
    name: str, every: list[TrackLabel], rate_hz: float, still: BoolArray | None = None, images: BoolArray | None = None
) -> tuple[Finding, ...]:
    """What is said of the labels.

    Args:
        name: Of the marker set or the actor.
        every: Of all tracks.
        rate_hz: Of the take.
        still: (tracks,) which stand while others move; None if none does.
        images: (tracks,) which are images of others in the floor; None if none is.
    """
    nobodys = np.array([not row.label for row in every], dtype=bool)
    image = nobodys & (False if images is None else images)
    stands = nobodys & ~image & (False if still is None else still)
    rows = _those(every, ~image & ~stands)
    count, total = sum(row.samples for row in rows if row.label), max(sum(row.samples for row in rows), 1)
    labels = tuple(dict.fromkeys(row.label for row in rows if row.label))
    said = f"Labels were found by motion ({name}): {len(labels)} labels for {count / total:.1%} of the samples."
    found = [Finding("labelled", said, labels, numbers={"samples_percent": round(100 * count / total, 2)})]
    if stands.any():
        text = f"{stands.sum()} tracks got no label, as they stand still while others move: reflections."
        found.append(_reflections(text, _those(every, stands)))
    if image.any():
        text = f"{image.sum()} tracks got no label, as they are images of others in the floor: reflections."
        found.append(_reflections(text, _those(every, image)))
    spoken_of = [row for row in rows if row.samples >= SPOKEN_OF_SECONDS * rate_hz]
    found.extend(doubtful_labels(rows, rate_hz))
    if left := [row for row in spoken_of if not row.label]:
        frames = tuple((row.first, row.last) for row in left)
        part = sum(row.samples for row in left) / total
        text = f"{len(left)} tracks of a quarter of a second or more got no label: they are nobody's, or too few others tell of them."
        if part > MUCH_OPEN:
            text = (
                f"{len(left)} tracks of a quarter of a second or more, {part:.0%} of all samples, got no label: they are nobody's, or a "
                "limb is missing. Look at them, and give a marker set or an actor."
            )
        found.append(Finding("unlabelled", text, frames=frames, numbers={"tracks": len(left), "samples_percent": round(100 * part, 2)}))
    return tuple(found)


def doubtful_labels(rows: Iterable[TrackLabel], rate_hz: float) -> tuple[Finding, ...]:
    """Which labels of tracks, of those that are spoken of, are unsure."""
    doubtful = [row for row in rows if row.label and row.confidence < DOUBTFUL and row.samples >= SPOKEN_OF_SECONDS * rate_hz]
    if not doubtful:
        return ()
    named = tuple(dict.fromkeys(row.label for row in doubtful))
    frames = tuple((row.first, row.last) for row in doubtful)
    return (Finding("doubtful label", f"These found labels are doubtful, check them: {shortened(named)}.", named, frames=frames),)


def _those(every: list[TrackLabel], which: BoolArray) -> list[TrackLabel]:
    """Some of the rows."""
    return [row for row, taken in zip(every, which.tolist(), strict=True) if taken]


def _reflections(text: str, rows: list[TrackLabel]) -> Finding:
    """What is said of tracks that are none of a marker."""
    return Finding("left out", text, frames=tuple((row.first, row.last) for row in rows), numbers={"tracks": len(rows)})
