# SPDX-License-Identifier: GPL-3.0-or-later
"""Tracks that keep the distances of another label than theirs, one that nothing else has meanwhile.

Of a joint that carries few markers, such as a hand, no track is told by the others of its joint, and the body that is followed by a wrong
label turns until it agrees. What lies on the joints next to it tells: between a wrist and a marker on the hand distances hardly change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.stretches import evenly
from ..core.take import BoolArray, FloatArray, IntArray
from .rigidity import looked_at, of_what_is_there, usual_deviation
from .tracks import OPEN, Tracks

#: A distance is told by the frames in which both are seen if these are so many. It differs from itself by at least so much in m, and no
#: single one says more than this, in the units of a log-likelihood.
FEWEST_FRAMES, LEAST_DEVIATION_M, MOST_SAID = 20, 0.005, 12.0
#: A track keeps another label's distances if they are likelier by this, by so many of them at least, and it lasts so many seconds.
LEAST_GAIN, FEWEST, LEAST_SECONDS = 8.0, 2, 0.25
#: Each of them has to be as the label's are, to so many of their deviations: a limb that bends as nowhere else keeps its own.
FITS = 3.0
#: A track is compared in so many of its frames; and rounds in which tracks get other labels.
LOOKS, ROUNDS = 9, 6


@dataclass(frozen=True, eq=False)
class Usual:
    """How far labels are from those near them on the body.

    Attributes:
        near: (labels, labels) whether two are on one joint, or on two of which one carries the other; a label is near itself.
        distance: (labels, labels) in metres, the median over the take, of those that are near each other or near the same label; else NaN,
            and where both are hardly ever seen at once.
        deviation: (labels, labels) in metres, the usual difference to it.
    """

    near: BoolArray
    distance: FloatArray
    deviation: FloatArray

    def cost(self, label: int, others: IntArray, distances: FloatArray) -> float:
        """How unlikely it is for a label to be as far, in metres, from others as something is."""
        said = np.minimum(self.off(label, others, distances) ** 2 / 2, MOST_SAID)
        return float((said + np.log(self.deviation[label, others])).sum())

    def off(self, label: int, others: IntArray, distances: FloatArray) -> FloatArray:
        """By how many deviations distances, in metres, from others differ from a label's."""
        return np.abs(distances - self.distance[label, others]) / self.deviation[label, others]


@dataclass(frozen=True)
class Other:
    """A track that keeps another label's distances.

    Attributes:
        track: Index of it.
        label: The other one.
        gain: How much likelier its distances are so, as a logarithm.
    """

    track: int
    label: int
    gain: float


def near_each_other(joints: Sequence[int], parents: Sequence[int]) -> BoolArray:
    """(labels, labels) whether two are on one joint, or on two of which one carries the other.

    Args:
        joints: (labels,) index of the joint that carries each.
        parents: (joints,) index of each one's parent, -1 for the root.
    """
    own = np.asarray(joints)
    above = np.asarray(parents)[own]
    return (own[:, None] == own) | (above[:, None] == own) | (own[:, None] == above)


def with_own_distances(near: BoolArray, tracks: Tracks, labels: IntArray, scores: FloatArray) -> IntArray:
    """Labels (tracks,), those put right that tracks keep the distances of, where the body does not speak as plainly against it.

    Args:
        near: As `near_each_other` has it.
        tracks: Of the take.
        labels: (tracks,).
        scores: (tracks, labels) of the body: how much likelier each label is than none, as a logarithm.
    """
    labels = labels.copy()
    for _ in range(ROUNDS):
        plain = [
            each
            for each in other_distances(near, tracks, labels)
            if not tracks.have_names[each.track]
            and each.gain + scores[each.track, each.label] - scores[each.track, labels[each.track]] >= LEAST_GAIN
        ]
        if not plain:
            break
        changed: list[Other] = []
        for each in plain:
            # what it was compared with may be wrong, too: those beside it are looked at again
            if not any(_beside(near, tracks, each, other) for other in changed):
                labels[each.track] = each.label
                changed.append(each)
    return labels


def _beside(near: BoolArray, tracks: Tracks, one: Other, other: Other) -> bool:
    """Whether two tracks are there at once and would have labels that are near each other."""
    at_once = tracks.starts[one.track] < tracks.ends[other.track] and tracks.starts[other.track] < tracks.ends[one.track]
    return bool(at_once and near[one.label] @ near[other.label])


def other_distances(near: BoolArray, tracks: Tracks, labels: IntArray) -> list[Other]:
    """The tracks that keep another label's distances, the plainest first.

    Args:
        near: As `near_each_other` has it.
        tracks: Of the take.
        labels: (tracks,).
    """
    frames = looked_at(tracks)
    points = tracks.on_labels(labels, len(near), frames)
    usual, unlike = _usual(near, points)
    first, last = np.searchsorted(frames, tracks.starts), np.searchsorted(frames, tracks.ends)
    found: list[Other] = []
    for track in np.flatnonzero((labels != OPEN) & (last > first) & (tracks.lengths >= LEAST_SECONDS * tracks.rate_hz)).tolist():
        here = slice(first[track], last[track])
        if unlike[here, labels[track]].mean() < LEAST_GAIN / 2:
            continue
        own = tracks.on_labels(labels, len(near), evenly(int(tracks.starts[track]), int(tracks.ends[track]), LOOKS))
        apart = np.linalg.norm(own - own[:, labels[track], None], axis=-1)
        there = np.isfinite(apart).mean(axis=0) >= 0.5
        distances = np.full(len(near), np.nan)
        distances[there] = np.nanmedian(apart[:, there], axis=0)
        best = _best(usual, distances, labels[track], _free(tracks, labels, track, len(near)))
        if best is not None:
            found.append(Other(track, *best))
    return sorted(found, key=lambda each: -each.gain)


def _usual(near: BoolArray, points: FloatArray) -> tuple[Usual, FloatArray]:
    """What labels are usually apart, and (frames, labels) how unlike that each is in each frame.

    Args:
        near: As above.
        points: (frames, labels, 3) in metres.
    """
    # what is near one of two labels that are near each other tells which of both a track is
    rows, columns = np.nonzero(np.triu(near @ near, 1))
    apart = np.linalg.norm(points[:, rows] - points[:, columns], axis=-1)
    apart[:, np.isfinite(apart).sum(axis=0) < FEWEST_FRAMES] = np.nan
    middle = of_what_is_there(np.nanmedian, apart)
    off = np.abs(apart - middle)
    spread = usual_deviation(off, LEAST_DEVIATION_M)
    distance, deviation = np.full((2, *near.shape), np.nan)
    for matrix, values in ((distance, middle), (deviation, spread)):
        matrix[rows, columns] = matrix[columns, rows] = values
    said = np.nan_to_num(np.minimum((off / spread) ** 2 / 2, MOST_SAID))
    touches = np.zeros((len(rows), len(near)))
    touches[np.arange(len(rows)), rows] = touches[np.arange(len(rows)), columns] = near[rows, columns]
    return Usual(near, distance, deviation), said @ touches


def _free(tracks: Tracks, labels: IntArray, track: int, count: int) -> BoolArray:
    """(labels,) which no other track has while this one lasts."""
    meanwhile = labels[(tracks.starts < tracks.ends[track]) & (tracks.ends > tracks.starts[track])]
    return ~np.isin(np.arange(count), meanwhile)


def _best(usual: Usual, distances: FloatArray, own: int, free: BoolArray) -> tuple[int, float] | None:
    """The free label near a track's own to which its distances (labels,) are plainly likelier, and by how much."""
    best: tuple[int, float] | None = None
    for label in np.flatnonzero(free & usual.near[own]).tolist():
        told = (usual.near[own] | usual.near[label]) & np.isfinite(distances + usual.distance[own] + usual.distance[label])
        others = np.flatnonzero(told)
        if len(others) < FEWEST:
            continue
        gain = usual.cost(own, others, distances[others]) - usual.cost(label, others, distances[others])
        if gain >= (LEAST_GAIN if best is None else best[1]) and (usual.off(label, others, distances[others]) < FITS).all():
            best = label, gain
    return best
