# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels by those that were wrong, tried again: what was judged while a limb was held by wrong markers, or by none, may be wrong too.

A hand that is held by one wrong marker turns, and what is left of it then fits as well the wrong way round. So whoever sits at labels that
were wrong, or near these, is tried there in turns: an actor is fitted with the markers of two labels exchanged, and with a marker that has
no label at one of them. The best is kept, until none is better.
"""

from __future__ import annotations

import numpy as np

from ..core.parallel import each
from ..core.take import BoolArray, FloatArray, IntArray
from .trials import NONE, Trial, distances

#: Labels that sit nearer to each other than this in the mean pose may be exchanged, in m.
NEAR_M = 0.16
#: A change is believed that gains more than this, in the units of a log-likelihood, and one that the file's labels contradict more; and so
#: many are.
LEAST_GAIN, AGAINST_FILE, MOST_CHANGES = 2.0, 4.0, 8
#: A marker without a label is tried at labels that cost it less than this.
TRIED = 64.0


def retried(trial: Trial, held: IntArray, own: IntArray, costs: FloatArray) -> IntArray:
    """(markers,): the labels at whose places markers sit.

    Args:
        trial: Of all markers and labels.
        held: (markers,) the labels that were found, or -1.
        own: (markers,) index of each marker's label in the file, or -1.
        costs: (markers, labels) of each marker at each label's place; not finite where it may not be moved to.
    """
    at, file = (_markers_at(found, len(trial.places.labels)) for found in (held, own))
    near = distances(trial.start, trial.prior.pose) < NEAR_M
    wrong, tried, best = at != file, {at.tobytes()}, trial.cost(at.tolist())
    for _ in range(MOST_CHANGES):
        options = [new for new in _changes(at, wrong, near, costs) if new.tobytes() not in tried]
        if not options:
            break
        tried |= {new.tobytes() for new in options}
        fitted = np.array(list(each(trial.cost, [new.tolist() for new in options])))
        contradict = np.array([(new != file).sum() for new in options]) - (at != file).sum()
        gains = best - fitted - AGAINST_FILE * contradict
        chosen = int(gains.argmax())
        if not gains[chosen] > LEAST_GAIN:
            break
        at, best = options[chosen], float(fitted[chosen])
        wrong |= at != file
    found = np.full(len(held), -1)
    found[at[at != NONE]] = np.flatnonzero(at != NONE)
    return found


def _markers_at(labels: IntArray, count: int) -> IntArray:
    """(count,): the marker at each label, or `NONE`; of the labels of markers (markers,), -1 for none."""
    at = np.full(count, NONE)
    at[labels[labels >= 0]] = np.flatnonzero(labels >= 0)
    return at


def _changes(at: IntArray, wrong: BoolArray, near: BoolArray, costs: FloatArray) -> list[IntArray]:
    """What may be instead of the markers at labels (labels,): two labels exchanged, or one of them given to a marker that has none.

    Args:
        at: The marker at each label, or `NONE`.
        wrong: (labels,) whose marker is or was not the file's.
        near: (labels, labels) which may be mixed up.
        costs: (markers, labels), not finite where a marker may not be moved to.
    """
    changes = []
    for first, second in np.argwhere(np.triu(near, 1) & (wrong | wrong[:, None])).tolist():
        new = at.copy()
        new[[first, second]] = at[[second, first]]
        changes.append(new)
    for marker in np.setdiff1d(np.arange(len(costs)), at).tolist():
        for label in np.flatnonzero(wrong & (costs[marker] < TRIED)).tolist():
            new = at.copy()
            new[label] = marker
            changes.append(new)
    moved = [(new != at) & (new != NONE) for new in changes]
    return [new for new, rows in zip(changes, moved, strict=True) if np.isfinite(costs[new[rows], rows]).all()]
