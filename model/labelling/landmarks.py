# SPDX-License-Identifier: GPL-3.0-or-later
"""Where markers are usually put: what the known marker sets have in common.

Whoever makes up a marker set of his own still puts most markers on bony landmarks: elbow, wrist, knee, ankle, heel, ball of the foot. A
marker that was found near one is expected on it. Without that, bones and marker offsets make up for one another's errors: the elbow
of an arm that hardly turns may lie anywhere along it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..actors.prior import Prior
from ..core.take import FloatArray, IntArray
from ..marker_sets.marker_set import MarkerSet
from .template import is_technical

#: Places of several sets that are nearer to each other than this are one, in m.
SAME_M = 0.025
#: A place that a set gives with a larger deviation than this, in mm, is no landmark.
VAGUE_MM = 30.0
#: How far from its landmark a marker is found, as a deviation in m, and what it costs, in the units of a log-likelihood, to have none.
FOUND_M, NONE = 0.035, 6.0
#: What it costs more to be on a landmark of another bone than the one on which a marker was found; there it may move so many times as much,
#: and by so much more, in m.
OTHER_BONE, MOVES, MOVES_M = 1.0, 1.5, 0.003
#: How far from its landmark a marker sits, in m.
SITS_M = 0.02


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Places on a person of mean build, in the zero pose.

    Attributes:
        joints: (landmarks,) index of the joint that carries markers there.
        offsets: (landmarks, 3) in metres, from that joint.
        places: (landmarks, 3) in metres, from the root.
        worn: (landmarks,) the part of the known sets that have a marker there.
    """

    joints: IntArray
    offsets: FloatArray
    places: FloatArray
    worn: FloatArray

    def nearest(self, joints: IntArray, places: FloatArray, moves: FloatArray) -> IntArray:
        """(markers,) the landmark of each, -1 for none, no landmark twice.

        Args:
            joints: (markers,) index of the joint on which each was found.
            places: (markers, 3) in metres, where they were found on a person of mean build in the zero pose.
            moves: (markers, joints) in metres, how much each moves in the frame of every joint.
        """
        squared = ((places[:, None] - self.places) ** 2).sum(-1)
        other = joints[:, None] != self.joints
        own = moves[np.arange(len(joints)), joints]
        still = moves[:, self.joints] <= MOVES * own[:, None] + MOVES_M
        costs = np.where(still | ~other, squared / (2 * FOUND_M**2) - np.log(self.worn) + OTHER_BONE * other, 1e3)
        none = np.full((len(places), len(places)), np.inf)
        np.fill_diagonal(none, NONE)
        markers, chosen = linear_sum_assignment(np.concatenate([costs, none], axis=1))
        found = np.full(len(places), -1)
        found[markers] = np.where(chosen < len(self.joints), chosen, -1)
        return found


def landmarks_of(prior: Prior, sets: Sequence[MarkerSet]) -> Landmarks:
    """What marker sets have in common.

    Args:
        prior: Of the mean person.
        sets: Whose places are known, at least one.
    """
    starts = prior.mean_actor().skeleton.zero_places
    groups: list[tuple[int, list[FloatArray], set[str]]] = []
    for known in sets:
        placed = prior.placement(known, known.labels)
        for label, place, joint, offset in zip(known.labels, known.places, placed.joints, placed.offset_mean, strict=True):
            if is_technical(place.like or label) or (place.spread_mm is not None and max(place.spread_mm) > VAGUE_MM):
                continue
            near = [group for group in groups if group[0] == joint and np.linalg.norm(np.mean(group[1], axis=0) - offset) < SAME_M]
            if near:
                near[0][1].append(offset)
                near[0][2].add(known.name)
            else:
                groups.append((joint, [offset], {known.name}))
    joints = np.array([joint for joint, _, _ in groups])
    offsets = np.array([np.mean(each, axis=0) for _, each, _ in groups])
    return Landmarks(joints, offsets, starts[joints] + offsets, np.array([len(names) for _, _, names in groups]) / len(sets))
