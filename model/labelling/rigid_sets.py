# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels of tracks by what they are apart.

Where limbs are hidden for a while, or somebody rolls on the floor, a body is followed by wrong labels and agrees with them. What markers of
a segment are apart does not depend on it: points that are as far from each other as four markers of a thigh are that thigh. So a set of
members is made of the tracks that a segment has in one stretch of frames; in the others its tracks, and those near it without a label, are
matched with the members by all distances; and members get the labels that most of their tracks have. The pose only says which tracks are
near enough, and which of two matches that are nearly as good is meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..core.stretches import evenly
from ..core.take import BoolArray, FloatArray, IntArray
from .assignment import assign_tracks
from .rigid_matches import FEWEST, FEWEST_OF_OTHERS, WITHIN_M, Stretch, matches
from .rigidity import Astray, astray
from .surface import NEIGHBOURS, NEXT_BONE, SEGMENT_OF, SEGMENTS
from .tracks import OPEN, Tracks

#: Which part of what is astray labels have to mend to be better.
MENDS = 0.02

#: How still a track has to be beside members to become one, as a deviation in m, in a stretch of how many s; no other tracks than those
#: that last as long are looked at; and members at most.
STILL_M, JOINS_SECONDS, MOST_MEMBERS = 0.008, 0.3, 24
#: A track without a label is looked at if it is so near to one of the segment, and to the place of a member beside the next bone, in m.
NEAR_M, BY_PLACE_M = 0.35, 0.35
#: Frames that are looked at in a stretch; one shorter than this, in s, shows little; so many stretches, the longest, are looked at, with so
#: many tracks at most.
LOOKS, SHORT_SECONDS, MOST_STRETCHES, MOST_TRACKS = 9, 0.05, 150, 24
#: Stretches of which sets are made, the best of which counts.
SEEDS = 4
#: How often all stretches are matched with the best set.
ROUNDS = 2
#: A match is believed the more the worse the second best is, up to this difference, in m.
SURE_M = 0.004
#: What decides between matches that distances hardly tell apart, such as mirrored ones: a marker is found this far from its usual place
#: beside the next bone, as a deviation in m and no farther; and to give tracks other labels costs as much as distances that are so far off.
PLACE_M, FARTHEST_M, CHANGED_M = 0.1, 0.3, 0.0025
#: What distances say nothing of keeps its label: that counts for this part of its frames.
KEPT = 1e-3


@dataclass(eq=False)
class RigidSet:
    """What is known of a segment's markers, its members.

    Attributes:
        apart: (members, members) in metres, NaN where two were never there together.
        votes: (tracks, members) frames that say which member each is.
        weighed: (2, members, members) distances by frames, summed, and the frames.
        labels: (members,) which each has, `OPEN` for none.
        middles: (members, 3) in metres, where each is beside the next bone; NaN where that is not known.
    """

    apart: FloatArray
    votes: FloatArray
    weighed: FloatArray
    labels: IntArray
    middles: FloatArray

    @staticmethod
    def of(stretch: Stretch, labels: IntArray, places: FloatArray) -> RigidSet:
        """The tracks of a stretch that have a label of the segment, one member each."""
        apart, mine = stretch.apart[np.ix_(stretch.own, stretch.own)], stretch.tracks[stretch.own]
        return RigidSet(apart.copy(), np.zeros((len(labels), len(mine))), np.zeros((2, *apart.shape)), labels[mine], places[mine])

    def join(self, distances: FloatArray) -> int:
        """A new member, by its distances (members,) in metres; returns its index."""
        count = len(self.apart)
        self.apart = np.pad(self.apart, (0, 1), constant_values=np.nan)
        self.apart[count, :count] = self.apart[:count, count] = distances
        self.votes, self.weighed = np.pad(self.votes, ((0, 0), (0, 1))), np.pad(self.weighed, ((0, 0), (0, 1), (0, 1)))
        self.labels, self.middles = np.append(self.labels, OPEN), np.append(self.middles, np.full((1, 3), np.nan), axis=0)
        return count

    def count(self, stretch: Stretch, rows: IntArray, members: IntArray, frames: float) -> None:
        """Let a stretch's rows that are matched with members vote for so many frames, and say how far they are apart."""
        self.votes[stretch.tracks[rows], members] += frames
        said, pairs = stretch.apart[np.ix_(rows, rows)], np.ix_(members, members)
        self.weighed[0][pairs] += frames * said
        self.weighed[1][pairs] += frames
        self.apart[pairs] = np.where(np.isnan(self.apart[pairs]), said, self.apart[pairs])

    def settle(self, own: IntArray, tracks: Tracks, labels: IntArray, places: FloatArray) -> None:
        """Distances, labels and places by the votes."""
        weight = self.weighed[1]
        self.apart = np.where(weight > 0, self.weighed[0] / np.maximum(weight, 1e-9), self.apart)
        had = np.stack([self.votes[labels == label].sum(axis=0) for label in own])
        given, members = linear_sum_assignment(had, maximize=True)
        self.labels = np.full(len(self.apart), OPEN)
        self.labels[members] = np.where(had[given, members] > 0, own[given], OPEN)
        voted = np.flatnonzero(self.votes.any(axis=1))
        part = np.zeros((len(self.apart), len(voted)))
        part[self.votes[voted].argmax(axis=1), np.arange(len(voted))] = tracks.lengths[voted]
        self.middles = _means(part, places[voted])

    def begin_again(self) -> None:
        """Without votes."""
        self.votes, self.weighed = np.zeros_like(self.votes), np.zeros_like(self.weighed)


def _means(weights: FloatArray, places: FloatArray) -> FloatArray:
    """(groups, 3) of places (tracks, 3) by weights (groups, tracks); NaN where a group has none."""
    whole = weights.sum(axis=1, keepdims=True)
    return np.where(whole > 0, weights @ places / np.maximum(whole, 1e-9), np.nan)


def segments_of(names: Sequence[str], joints: Sequence[int]) -> IntArray:
    """(labels,) index in `SEGMENTS` of the segment of each.

    Args:
        names: Of all joints, of the bundled hierarchy.
        joints: (labels,) index of the joint that carries each.
    """
    segments = list(SEGMENTS)
    return np.array([segments.index(SEGMENT_OF[names[joint]]) for joint in joints], dtype=int)


def better_labels(
    names: Sequence[str], joints: Sequence[int], places: FloatArray, tracks: Tracks, labels: IntArray, before: Astray
) -> IntArray | None:
    """What `by_rigid_sets` finds; None unless less of it is astray than `before`, since following the body anew takes seconds."""
    found = by_rigid_sets(names, joints, places, tracks, labels)
    return found if astray(segments_of(names, joints), tracks, found).part < (1 - MENDS) * before.part else None


def by_rigid_sets(names: Sequence[str], joints: Sequence[int], places: FloatArray, tracks: Tracks, labels: IntArray) -> IntArray:
    """The labels (tracks,), those put right that are others' by what tracks are apart.

    Args:
        names: Of all joints, of the bundled hierarchy.
        joints: (labels,) index of the joint that carries each.
        places: (tracks, joints, 3) in metres, of the tracks in the joints' frames.
        tracks: Of the take.
        labels: (tracks,) found so far.
    """
    segments, beside = segments_of(names, joints), [names.index(NEXT_BONE[segment]) for segment in SEGMENTS]
    scores = np.zeros((len(tracks), len(segments)))
    has = np.flatnonzero(labels != OPEN)
    # what distances say nothing of keeps its label
    scores[has, labels[has]] = KEPT * tracks.lengths[has]
    for segment in np.unique(segments).tolist():
        own = np.flatnonzero(segments == segment)
        # what is labelled as of the segment before or behind it, or not at all
        others = np.isin(labels, np.append(np.flatnonzero(NEIGHBOURS[segment][segments]), OPEN))
        votes = segment_votes(own, others, places[:, beside[segment]], tracks, labels)
        if votes is not None:
            scores[:, own] += votes
    return assign_tracks(scores, tracks)


def segment_votes(own: IntArray, others: BoolArray, places: FloatArray, tracks: Tracks, labels: IntArray) -> FloatArray | None:
    """(tracks, labels of the segment) frames that say which label each track has; None where too few are ever there together.

    Args:
        own: The segment's labels.
        others: (tracks,) what may be of the segment, too.
        places: (tracks, 3) in metres, in the frame of the joint of the next bone.
        tracks: Of the take.
        labels: (tracks,) of all segments.
    """
    rows = candidates(own, others, places, tracks, labels)
    seen = sorted(islice(_stretches(np.isin(labels, own), rows, tracks), MOST_STRETCHES), key=lambda one: -one.own.sum())
    alone = [one.only(one.own) for one in seen if one.own.sum() >= FEWEST]
    if not alone:
        return None
    full = [one for one in alone if one.own.sum() >= alone[0].own.sum() - 1]
    begun = [RigidSet.of(seed, labels, places) for seed in sorted(full, key=lambda one: -one.frames)[:SEEDS]]
    # which one to go on with shows in the segment's own tracks
    worth = [_look_at_all(found, alone, own, places, tracks, labels, joining=True) for found in begun]
    best = begun[int(np.argmax(worth))]
    for _ in range(ROUNDS):
        _look_at_all(best, seen, own, places, tracks, labels)
    votes, has = np.zeros((len(tracks), len(own))), best.labels != OPEN
    votes[:, np.searchsorted(own, best.labels[has])] = best.votes[:, has]
    return votes


def _look_at_all(
    found: RigidSet, seen: list[Stretch], own: IntArray, places: FloatArray, tracks: Tracks, labels: IntArray, *, joining: bool = False
) -> float:
    """Match all stretches with a set anew; returns how many frames of tracks that explains."""
    found.begin_again()
    least = JOINS_SECONDS * tracks.rate_hz if joining else np.inf
    explained = sum(_look(found, stretch, places, labels, joins=stretch.frames >= least) for stretch in seen)
    found.settle(own, tracks, labels, places)
    return explained


def _look(found: RigidSet, stretch: Stretch, places: FloatArray, labels: IntArray, *, joins: bool) -> float:
    """Match a stretch with a set, and count what it says; returns how many frames of tracks that explains."""
    best = matches(stretch, found.apart)
    if not best:
        return 0.0
    costs = np.array([_cost(found, rows, off, places[stretch.tracks], labels[stretch.tracks]) for rows, off in best])
    order = np.argsort(costs, kind="stable")
    sure = min(1.0, float(np.diff(np.sqrt(costs[order[:2]])).sum()) / SURE_M) if len(best) > 1 else 1.0
    row_of, off = best[order[0]]
    members = np.flatnonzero(row_of >= 0)
    rows = row_of[members]
    if joins:
        rows, members = _joined(found, stretch, rows, members)
    found.count(stretch, rows, members, sure * stretch.frames)
    return stretch.frames * len(members) * (1 - off / WITHIN_M)


def _cost(found: RigidSet, row_of: IntArray, off: float, places: FloatArray, labels: IntArray) -> float:
    """In m^2: how far distances are off, mean square, and what it costs where a match puts tracks and what it calls them."""
    members = np.flatnonzero(row_of >= 0)
    rows = row_of[members]
    away = np.minimum(np.nan_to_num(((places[rows] - found.middles[members]) ** 2).sum(-1)), FARTHEST_M**2).mean()
    had = labels[rows] != OPEN
    other = (had & (labels[rows] != found.labels[members])).sum() / max(had.sum(), 1)
    return off**2 + SURE_M**2 * float(away) / PLACE_M**2 + CHANGED_M**2 * float(other)


def _joined(found: RigidSet, stretch: Stretch, rows: IntArray, members: IntArray) -> tuple[IntArray, IntArray]:
    """The matched rows and members, and the segment's own tracks that become members: still beside the matched, and like no member."""
    for row in np.flatnonzero(stretch.own & ~np.isin(np.arange(len(stretch.own)), rows)).tolist():
        free = np.setdiff1d(np.arange(len(found.apart)), members)
        off = np.abs(found.apart[np.ix_(free, members)] - stretch.apart[row, rows])
        alike = (np.nan_to_num(off).max(axis=1, initial=0.0) < 2 * WITHIN_M).any()
        if (stretch.moves[row, rows] < STILL_M).sum() < FEWEST or alike or len(found.apart) >= MOST_MEMBERS:
            continue
        distances = np.full(len(found.apart), np.nan)
        distances[members] = stretch.apart[row, rows]
        rows, members = np.append(rows, row), np.append(members, found.join(distances))
    return rows, members


def candidates(own: IntArray, others: BoolArray, places: FloatArray, tracks: Tracks, labels: IntArray) -> IntArray:
    """The tracks that may be of a segment: that are labelled so, and `others` (tracks,) that last, and are near the places of these.

    Args:
        own: The segment's labels.
        others: (tracks,).
        places: (tracks, 3) in metres, in the frame of the joint of the next bone.
        tracks: Of the take.
        labels: (tracks,) of all segments.
    """
    mine = np.flatnonzero(np.isin(labels, own))
    of_label = np.equal.outer(own, labels[mine]) * tracks.lengths[mine].astype(float)
    of_label = of_label[of_label.any(axis=1)]
    middles = _means(of_label, places[mine])
    lasting = np.flatnonzero(others & (tracks.lengths >= JOINS_SECONDS * tracks.rate_hz))
    away = np.linalg.norm(places[lasting][:, None] - middles, axis=-1).min(axis=1, initial=np.inf)
    return np.union1d(mine, lasting[away < BY_PLACE_M])


def _stretches(mine: BoolArray, rows: IntArray, tracks: Tracks) -> Iterator[Stretch]:
    """Runs of frames between two ends of tracks in which enough of some are there, the longest first.

    Args:
        mine: (tracks,) which have a label of the segment: where one is there, only tracks near it, or another of these, count.
        rows: The tracks that are looked at.
        tracks: Of the take.
    """
    cuts = np.unique(np.concatenate([tracks.starts[rows], tracks.ends[rows]]))
    for start, end in sorted(pairwise(cuts.tolist()), key=lambda pair: pair[0] - pair[1]):
        if end - start < max(2, SHORT_SECONDS * tracks.rate_hz):
            break
        here = rows[(tracks.starts[rows] <= start) & (end <= tracks.ends[rows])]
        # those of the segment, and the longest others
        here = np.sort(here[np.lexsort((-tracks.lengths[here], ~mine[here]))][:MOST_TRACKS])
        own = mine[here]
        if len(here) < FEWEST or (len(here) < FEWEST_OF_OTHERS and not own.all()):
            continue
        frames = evenly(start, end, LOOKS)
        points = tracks.positions[frames][:, tracks.columns[here]]
        apart = np.linalg.norm(points[:, :, None] - points[:, None], axis=-1)
        near = (np.median(apart[:, :, own], axis=0) < NEAR_M).any(axis=1) | np.full(len(here), not own.any())
        if near.sum() >= FEWEST:
            yield Stretch(here, own, np.median(apart, axis=0), apart.std(axis=0), end - start).only(near)
