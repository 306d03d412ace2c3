# SPDX-License-Identifier: GPL-3.0-or-later
"""Where markers are usually put: what the known marker sets have in common.

Whoever makes up a marker set of his own still puts most markers on bony landmarks: elbow, wrist, knee, ankle, heel, ball of the foot. A
marker that was found near one is expected on it. Without that, bones and marker offsets make up for one another's errors: the elbow
of an arm that hardly turns may lie anywhere along it. The others sit along the shafts of long bones, where sets put markers as they like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..actors.prior import Prior
from ..core.take import BoolArray, FloatArray, IntArray
from ..marker_sets.marker_set import CATALOGUE, MarkerSet
from .template import is_technical

#: Places of several sets that are nearer to each other than this are one, in m.
SAME_M = 0.025
#: A place that a set gives with a larger deviation than this, in mm, is no landmark; on the head, which has no others, than the second.
VAGUE_MM, VAGUE_HEAD_MM = 30.0, 45.0
#: How far from its landmark a marker is found, as a deviation in m, and what it costs, in the units of a log-likelihood, to have none.
FOUND_M, NONE = 0.035, 6.0
#: How far from a place that is no landmark a marker is found, as a deviation in m: to have none costs less there.
VAGUE_M = 0.07
#: What it costs more to be on a landmark of another bone than the one on which a marker was found, and how much more it moves there, as a
#: deviation in m: by a joint both bones are nearly as good, and the body was fitted with the marker on the one.
OTHER_BONE, MOVES_M = 1.0, 0.012
#: A landmark that at least so many sets have counts as beside another, no farther away than this in m, that all of them have and at least
#: this part of all sets; markers on both are as far apart as on the mean person, to so much in m.
BESIDE_SETS, BESIDE_M, COMMON, BESIDE_TO_M = 3, 0.12, 0.75, 0.04
#: What it costs to be where a marker cannot be.
NEVER = 1e3
#: How far from its landmark a marker sits at least, in m.
SITS_M = 0.02


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Places on a person of mean build, in the zero pose.

    Attributes:
        joints: (landmarks,) index of the joint that carries markers there.
        offsets: (landmarks, 3) in metres, from that joint.
        places: (landmarks, 3) in metres, from the root.
        worn: (landmarks,) the part of the known sets that have a marker there.
        deviation: (landmarks,) in metres, how far from it a marker sits.
        beside: (landmarks,) the landmark on which there is a marker, too, where there is one on this: the outer side of an elbow beside
            the inner; -1 for none.
        families: (families, landmarks) which of them a person may have: on the head those of one set, since some sets have its corners, and
            others its front, back and sides.
        vague: (places, 3) in metres, from the root, of places that are no landmark: along the shafts of bones.
    """

    joints: IntArray
    offsets: FloatArray
    places: FloatArray
    worn: FloatArray
    deviation: FloatArray
    beside: IntArray
    families: BoolArray
    vague: FloatArray

    def nearest(self, joints: IntArray, places: FloatArray, moves: FloatArray) -> IntArray:
        """(markers,) the landmark of each, -1 for none, no landmark twice.

        Args:
            joints: (markers,) index of the joint on which each was found.
            places: (markers, 3) in metres, where they were found on a person of mean build in the zero pose.
            moves: (markers, joints) in metres, how much each moves in the frame of every joint.
        """
        squared = ((places[:, None] - self.places) ** 2).sum(-1)
        other = joints[:, None] != self.joints
        # a joint that carries no skin, such as a thumb's, is given as one on which all moves without end
        finite = np.minimum(moves, NEVER)
        more = np.maximum(finite[:, self.joints] - finite[np.arange(len(joints)), joints][:, None], 0.0)
        costs = squared / (2 * FOUND_M**2) - np.log(self.worn) + other * (OTHER_BONE + more**2 / (2 * MOVES_M**2))
        none = np.full((len(places), len(places)), np.inf)
        np.fill_diagonal(none, self._without(places))
        found = [self._assigned(np.concatenate([np.where(family, costs, NEVER), none], axis=1), places) for family in self.families]
        return min(found, key=lambda one: one[0])[1]

    def _assigned(self, costs: FloatArray, places: FloatArray) -> tuple[float, IntArray]:
        """What the landmarks of all markers cost together, and (markers,) which they are.

        Args:
            costs: (markers, landmarks + markers) of each landmark, and behind them of having none; changed.
            places: (markers, 3) as `nearest` has them.
        """
        while True:
            markers, chosen = linear_sum_assignment(costs)
            found = np.full(len(places), -1)
            found[markers] = np.where(chosen < len(self.joints), chosen, -1)
            alone = self._alone(found, places)
            if not len(alone):
                return float(costs[markers, chosen].sum()), found
            costs[alone, found[alone]] = NEVER

    def _without(self, places: FloatArray) -> FloatArray:
        """(markers,) what it costs each to have no landmark."""
        squared = ((places[:, None] - self.vague) ** 2).sum(-1).min(axis=1, initial=np.inf)
        return np.minimum(NONE, squared / (2 * VAGUE_M**2) + 3 * np.log(VAGUE_M / FOUND_M))

    def _alone(self, found: IntArray, places: FloatArray) -> IntArray:
        """The markers on a landmark beside another on which there is none, or one that is elsewhere from it than it should be."""
        holder = np.full(len(self.joints) + 1, -1)
        holder[found] = np.arange(len(found))
        needed = np.where(found >= 0, self.beside[found], -1)
        of = holder[needed]
        true = np.linalg.norm(self.places[found] - self.places[needed], axis=1)
        said = np.linalg.norm(places - places[of], axis=1)
        return np.flatnonzero((needed >= 0) & ((of < 0) | (np.abs(said - true) > BESIDE_TO_M)))


@dataclass(eq=False)
class _Group:
    """Places of several sets that are one."""

    joint: int
    offsets: list[FloatArray] = field(default_factory=list)
    sets: set[str] = field(default_factory=set)
    spread_mm: list[float] = field(default_factory=list)


def landmarks_of(prior: Prior, sets: Sequence[MarkerSet]) -> Landmarks:
    """What marker sets have in common.

    Args:
        prior: Of the mean person.
        sets: Whose places are known, at least one.
    """
    starts, head = prior.mean_actor().skeleton.zero_places, prior.actor.joints.index("Head")
    groups: list[_Group] = []
    vague: list[FloatArray] = []
    for known in sets:
        placed = prior.placement(known, known.labels)
        for label, place, joint, offset in zip(known.labels, known.places, placed.joints, placed.offset_mean, strict=True):
            technical, spread = is_technical(place.like or label), max(place.spread_mm or (0.0,))
            if technical:
                vague.append(starts[joint] + offset)
            if technical or spread > (VAGUE_HEAD_MM if joint == head else VAGUE_MM):
                continue
            near = [group for group in groups if group.joint == joint and np.linalg.norm(np.mean(group.offsets, axis=0) - offset) < SAME_M]
            group = near[0] if near else _Group(joint)
            group.offsets.append(offset)
            group.sets.add(known.name)
            group.spread_mm.append(spread)
            groups += [] if near else [group]
    joints = np.array([group.joint for group in groups])
    offsets = np.array([np.mean(group.offsets, axis=0) for group in groups])
    worn = np.array([len(group.sets) for group in groups]) / len(sets)
    deviation = np.maximum(SITS_M, [1e-3 * min(group.spread_mm) for group in groups])
    beside = _beside(joints, offsets, [group.sets for group in groups], worn)
    worn_by = [np.array([known.name in group.sets for group in groups]) for known in sets if not known.name.startswith(CATALOGUE)]
    families = np.unique([(joints != head) | own for own in worn_by or [np.ones(len(groups), dtype=bool)]], axis=0)
    return Landmarks(joints, offsets, starts[joints] + offsets, worn, deviation, beside, families, np.array(vague).reshape(-1, 3))


def _beside(joints: IntArray, offsets: FloatArray, sets: Sequence[set[str]], worn: FloatArray) -> IntArray:
    """(landmarks,) the nearest of the same bone that is common, and that all sets have that have this one; -1 for none, or where few do."""
    apart = np.linalg.norm(offsets[:, None] - offsets, axis=-1)
    more = np.array([[len(own) >= BESIDE_SETS and own < other for other in sets] for own in sets])
    allowed = more & (worn >= COMMON) & (joints[:, None] == joints) & (apart <= BESIDE_M)
    apart = np.where(allowed, apart, np.inf)
    return np.where(allowed.any(axis=1), apart.argmin(axis=1), -1)
