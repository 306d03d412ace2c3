# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels of all tracks, from those of a few: the body is followed by what has a label, and every track judged by the body, in turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..core.progress import Progress
from ..core.take import FloatArray, IntArray
from ..proposer.starts import Initialise
from .assignment import assign_tracks
from .both_sides import by_other_side
from .evidence import RIGID_M, TEMPLATE_M, Evidence, expected_offsets, find_evidence
from .following import Followed, follow
from .template import Template
from .tracks import OPEN, Tracks

#: Rounds at most; the last ones judge by all frames.
ROUNDS, UNGATED_ROUNDS = 8, 2
#: Where fewer samples than this part change their label, poses begin from those of the round before.
FEW_CHANGES = 0.05
#: Tracks of a label change it together where that gains more than this, in the units of a log-likelihood; a label without tracks costs
#: each group so much, and a group counts for so many samples at most.
LEAST_GAIN, NO_GROUP, MOST_SAMPLES = 1.0, 60.0, 60.0


@dataclass(frozen=True, eq=False)
class Refined:
    """Labels, and the body that was followed by them.

    Attributes:
        labels: (tracks,).
        followed: By these labels.
        evidence: For these labels, of that body.
        rounds: How many it took.
    """

    labels: IntArray
    followed: Followed
    evidence: Evidence
    rounds: int


def refine(
    template: Template,
    tracks: Tracks,
    labels: IntArray,
    initialise: Initialise | None = None,
    progress: Progress | None = None,
    most: int = ROUNDS,
) -> Refined:
    """Label all tracks.

    Args:
        template: The body.
        tracks: Of the take.
        labels: (tracks,) what key frames say.
        initialise: See `follow`.
        progress: Called with the part that is done.
        most: Rounds.
    """
    seen_before, ungated, before = {labels.tobytes()}, 0, None
    followed = follow(template, tracks, labels, initialise=initialise)
    number = 0
    while True:
        number += 1
        evidence = find_evidence(template, tracks, labels, followed, gated=not ungated)
        new = regrouped(template, tracks, assign_tracks(evidence.scores, tracks), evidence, followed)
        changed = float(tracks.lengths[new != labels].sum()) / max(int(tracks.lengths.sum()), 1)
        settled = new.tobytes() in seen_before
        labels = new
        seen_before.add(labels.tobytes())
        if changed:
            before = followed if changed < FEW_CHANGES else None
            followed = follow(template, tracks, labels, before, initialise)
        if progress is not None:
            progress(min(1.0, number / most))
        ungated += bool(ungated or settled or number >= most - UNGATED_ROUNDS)
        if ungated > UNGATED_ROUNDS or (ungated > 1 and settled):
            break
    if changed:
        evidence = find_evidence(template, tracks, labels, followed, gated=False)
    return Refined(labels, followed, evidence, number)


def looked_again(
    refined: Refined, look: Callable[[Refined], IntArray], again: Callable[[IntArray], Refined], cost: Callable[[Refined], float], most: int
) -> Refined:
    """The labels, refined from those that a look at them finds, while that costs less.

    Args:
        refined: The labels so far.
        look: (tracks,) the labels to refine; the same ones if there is nothing to look at.
        again: Refines these.
        cost: Of refined labels.
        most: Looks.
    """
    for _ in range(most):
        first = look(refined)
        if (first == refined.labels).all():
            break
        other = again(first)
        if not cost(other) < cost(refined):
            break
        refined = other
    return refined


def samples_open(tracks: Tracks, refined: Refined) -> float:
    """How many samples have no label."""
    return float(tracks.lengths[refined.labels == OPEN].sum())


@dataclass(frozen=True, eq=False)
class Groups:
    """All tracks of each label as one group.

    Attributes:
        template: With the labels.
        expected: (labels, 3) in metres: where it has them.
        places: (groups, labels, 3) in metres: where each group is in the frame of the joint of each label.
        still: (groups, labels) what it costs, in the units of a log-likelihood, that it is not still there.
        seconds: (groups,) for how long there are tracks.
    """

    template: Template
    expected: FloatArray
    places: FloatArray
    still: FloatArray
    seconds: FloatArray

    def costs(self, *, alone: bool = False) -> FloatArray:
        """(groups, labels): what it costs that each group has each label, while all others keep theirs.

        Args:
            alone: By the template, whatever the other side's marker says.
        """
        every = np.arange(len(self.seconds))
        # no group is the other side of itself
        besides = np.where(np.eye(len(every), dtype=bool), 0.0, self.seconds)
        away = self._away(self.places, self.places[every, every], np.zeros_like(besides) if alone else besides)
        return np.where(self.seconds[:, None] > 0, self.still + away, NO_GROUP)

    def cost(self, given: IntArray) -> float:
        """What it costs that each group has the label that it is given, of (groups,): how likely both sides are together."""
        groups = np.argsort(given)
        places, seconds = self.places[groups, np.arange(len(given))], self.seconds[groups]
        away = (self._away(places, places, seconds) + self._away(places, places, np.zeros_like(seconds))) / 2
        return float(np.where(seconds > 0, self.still[groups, np.arange(len(given))] + away, NO_GROUP).sum())

    def _away(self, places: FloatArray, others: FloatArray, seconds: FloatArray) -> FloatArray:
        """What it costs that labels are at places (..., labels, 3), those of their other sides being at `others` (labels, 3)."""
        variance = self.template.deviation**2 + TEMPLATE_M**2
        means, variances = by_other_side(self.template, self.expected, variance, others, seconds)
        return ((places - means) ** 2 / (2 * variances)).sum(-1) + 0.5 * np.log(variances).sum(-1)


def grouped(template: Template, tracks: Tracks, labels: IntArray, evidence: Evidence, followed: Followed) -> Groups:
    """The groups of labels (tracks,), by the evidence for them."""
    count, joints = len(template.labels), template.joints
    places, still, seconds = np.zeros((count, count, 3)), np.zeros((count, count)), np.zeros(count)
    for group in range(count):
        rows = np.flatnonzero(labels == group)
        if not len(rows):
            continue
        part = tracks.lengths[rows] / tracks.lengths[rows].sum()
        here = evidence.places[rows][:, joints]
        places[group], seconds[group] = (part[:, None, None] * here).sum(axis=0), tracks.lengths[rows].sum() / tracks.rate_hz
        scatter = (part[:, None] * (evidence.scatter[rows][:, joints] + ((here - places[group]) ** 2).sum(-1))).sum(axis=0)
        still[group] = 0.5 * min(MOST_SAMPLES, float(evidence.weights[rows].sum())) * scatter / (2 * RIGID_M**2)
    return Groups(template, expected_offsets(template, followed), places, still, seconds)


def group_cost(template: Template, tracks: Tracks, refined: Refined) -> float:
    """Of all labels, by how still their tracks are and where they sit, in the units of a log-likelihood."""
    groups = grouped(template, tracks, refined.labels, refined.evidence, refined.followed)
    return groups.cost(np.arange(len(template.labels)))


def regrouped(template: Template, tracks: Tracks, labels: IntArray, evidence: Evidence, followed: Followed) -> IntArray:
    """The labels, those of whole groups of tracks without names exchanged where all of them fit better so.

    Where both sides are exchanged alike each keeps the other so: hence what fits the template alone is looked at, too.
    """
    groups = grouped(template, tracks, labels, evidence, followed)
    free = np.flatnonzero(tracks.nameless(len(template.labels)))
    orders = [_order(groups.costs(alone=alone), free) for alone in (False, True)]
    given = min(orders, key=groups.cost)
    if groups.cost(np.arange(len(given))) - groups.cost(given) <= LEAST_GAIN:
        return labels
    return np.where(labels == OPEN, OPEN, given[labels])


def _order(costs: FloatArray, free: IntArray) -> IntArray:
    """(groups,) the label of each, of costs (groups, labels): the cheapest, of those that are not `free` its own."""
    given = np.arange(len(costs))
    given[free] = free[linear_sum_assignment(costs[np.ix_(free, free)])[1]]
    return given
