# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels of all tracks, from those of a few: the body is followed by what has a label, and every track judged by the body, in turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..core.take import FloatArray, IntArray
from ..proposer.starts import Initialise
from .assignment import assign_tracks
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
    progress: Callable[[float], None] | None = None,
) -> Refined:
    """Label all tracks.

    Args:
        template: The body.
        tracks: Of the take.
        labels: (tracks,) what key frames say.
        initialise: See `follow`.
        progress: Called with the part that is done.
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
            progress(min(1.0, number / ROUNDS))
        ungated += bool(ungated or settled or number >= ROUNDS - UNGATED_ROUNDS)
        if ungated > UNGATED_ROUNDS or (ungated > 1 and settled):
            break
    return Refined(labels, followed, find_evidence(template, tracks, labels, followed, gated=False), number)


def group_costs(template: Template, tracks: Tracks, labels: IntArray, evidence: Evidence, followed: Followed) -> FloatArray:
    """(labels, labels): what it costs that all tracks of the first label have the second, by how still they are and where they sit."""
    count = len(template.labels)
    costs = np.full((count, count), NO_GROUP)
    variance = template.deviation**2 + TEMPLATE_M**2
    expected, joints = expected_offsets(template, followed), template.joints
    for group in range(count):
        rows = np.flatnonzero(labels == group)
        if not len(rows):
            continue
        part = tracks.lengths[rows] / tracks.lengths[rows].sum()
        places = evidence.places[rows][:, joints]
        mean = (part[:, None, None] * places).sum(axis=0)
        scatter = (part[:, None] * (evidence.scatter[rows][:, joints] + ((places - mean) ** 2).sum(-1))).sum(axis=0)
        samples = min(MOST_SAMPLES, float(evidence.weights[rows].sum()))
        away = ((mean - expected) ** 2 / (2 * variance)).sum(-1) + 0.5 * np.log(variance).sum(-1)
        costs[group] = 0.5 * samples * scatter / (2 * RIGID_M**2) + away
    return costs


def regrouped(template: Template, tracks: Tracks, labels: IntArray, evidence: Evidence, followed: Followed) -> IntArray:
    """The labels, those of whole groups of tracks exchanged where all of them fit better so."""
    costs = group_costs(template, tracks, labels, evidence, followed)
    groups, given = linear_sum_assignment(costs)
    if np.trace(costs) - costs[groups, given].sum() <= LEAST_GAIN:
        return labels
    return np.where(labels == OPEN, OPEN, given[labels])
