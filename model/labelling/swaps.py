# SPDX-License-Identifier: GPL-3.0-or-later
"""Near labels that are exchanged for a whole take: told by fitting the actor both ways.

Toe and ball, or wrist and hand, ride on bones that hardly move against each other, and sit about as far from where they are expected
either way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..core.parallel import each
from ..core.take import BoolArray, FloatArray, IntArray
from ..solver.calibration import spread_subset
from ..solver.trials import Trial, distances
from .evidence import Evidence
from .following import Followed, observed
from .refinement import grouped
from .template import Template
from .tracks import OPEN, Tracks

#: Labels that sit nearer to each other than this on the template may be exchanged, in m, ...
NEAR_M = 0.16
#: ... if their places and their stillness do not speak against it by more than this, in the units of a log-likelihood.
AGAINST = 25.0
#: Frames that are fitted, and the scales of the robust kernel in m by which poses alone are.
FRAMES, POSE_SCALES_M = 24, (0.2, 0.1, 0.1)
#: An exchange is believed that gains more than this, and so many are.
LEAST_GAIN, MOST_EXCHANGES = 2.0, 8
#: A label fits ill that costs so much more than the usual one, in the units of a log-likelihood: its tracks may be mixed with those of so
#: many labels that are nearest to it.
ILL, BESIDE = 20.0, 2
#: The part of a wide deviation that the fit allows a marker: all of it would explain anything.
ALLOWED, WIDE_M = 0.7, 0.02


@dataclass(frozen=True, eq=False)
class Exchanges:
    """What fitting says of pairs of labels.

    Attributes:
        labels: (tracks,) those of pairs exchanged that fit better so.
        done: The pairs that were.
        doubtful: Indices of labels whose tracks should be looked at afresh: of pairs that fit nearly as well exchanged, and those that fit
            ill, with what is nearest to them.
    """

    labels: IntArray
    done: tuple[tuple[str, str], ...]
    doubtful: tuple[int, ...]


def exchanged_back(template: Template, tracks: Tracks, labels: IntArray, followed: Followed, evidence: Evidence) -> Exchanges:
    """The labels, those of pairs exchanged that fit better so.

    Args:
        template: The body.
        tracks: Of the take.
        labels: (tracks,).
        followed: The body by these labels.
        evidence: For these labels.
    """
    groups = grouped(template, tracks, labels, evidence, followed).costs()
    apart = distances(template.actor, template.prior.pose)
    pairs = _pairs(apart, groups, tracks.nameless(len(template.labels)))
    if not pairs:
        return Exchanges(labels, (), ())
    trial = _trial(template, tracks, labels, followed)
    order = list(range(len(template.labels)))
    done: list[tuple[str, str]] = []
    best, loss = trial.cost(order), dict[tuple[int, int], float]()
    for _ in range(MOST_EXCHANGES):
        orders = [_exchanged(order, *pair) for pair in pairs]
        costs = list(each(trial.cost, orders))
        loss |= {pair: cost - best for pair, cost in zip(pairs, costs, strict=True)}
        if not costs or not min(costs) < best - LEAST_GAIN:
            break
        chosen = int(np.argmin(costs))
        (first, second), best, order = pairs[chosen], costs[chosen], orders[chosen]
        done.append((template.labels[first], template.labels[second]))
        # only what concerns the labels that moved can have become better
        pairs = [pair for pair in pairs if {first, second} & set(pair)]
    place = np.argsort(order)
    return Exchanges(np.where(labels == OPEN, OPEN, place[labels]), tuple(done), _doubtful(apart, loss, np.diag(groups)))


def _doubtful(apart: FloatArray, loss: dict[tuple[int, int], float], own: FloatArray) -> tuple[int, ...]:
    """Labels whose tracks may be mixed up; of what exchanges of pairs cost, and of what each label does (labels,)."""
    found = {label for pair, cost in loss.items() if cost < LEAST_GAIN for label in pair}
    apart = apart.copy()
    np.fill_diagonal(apart, np.inf)
    for label in np.flatnonzero(own > np.median(own) + ILL).tolist():
        nearest = np.argsort(apart[label], kind="stable")[:BESIDE]
        found |= {label, *(int(other) for other in nearest if apart[label, other] < NEAR_M)}
    return tuple(sorted(found))


def _exchanged(order: list[int], first: int, second: int) -> list[int]:
    new = list(order)
    new[first], new[second] = order[second], order[first]
    return new


def _pairs(apart: FloatArray, costs: FloatArray, free: BoolArray) -> list[tuple[int, int]]:
    """Pairs of labels that may be exchanged, of those (labels,) that are free."""
    own = np.diag(costs)
    against = costs + costs.T - own - own[:, None]
    rows, columns = np.nonzero(np.triu((apart < NEAR_M) & (against < AGAINST) & free & free[:, None], 1))
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def _trial(template: Template, tracks: Tracks, labels: IntArray, followed: Followed) -> Trial:
    """The frames that differ most, and where their fit begins."""
    seen = observed(tracks, labels, len(template.labels), followed.at.numpy())
    chosen = spread_subset(seen, FRAMES)
    size = template.prior.actor.scale(followed.actor.skeleton) or 1.0
    allowed = np.where(template.deviation > WIDE_M, ALLOWED * template.deviation, template.deviation)
    place = replace(template.placement, offset_deviation=np.maximum(template.placement.offset_deviation, allowed))
    return Trial(template.scaled(size).actor, template.prior, place, seen[chosen].apart(), followed.pose[chosen], POSE_SCALES_M)
