# SPDX-License-Identifier: GPL-3.0-or-later
"""Short tracks that got a label because its marker was hidden meanwhile, such as reflections near its place, lose it again.

While labels are sought a marker may sit decimetres off, since poses are rough. Once they are found, each label's own tracks show how
closely it keeps its place on its bone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core.take import BoolArray, FloatArray, IntArray
from .evidence import Evidence
from .tracks import Tracks

#: A track is astray if it is so many usual deviations of its label from where the others are, each of at least so much in m, ...
DEVIATIONS, LEAST_DEVIATION_M = 6.0, 0.006
#: ... and if these last so many times as long as it does, and so many seconds at least; one that lasts longer than this, in s, stays: a
#: marker may have been put on again elsewhere.
OTHERS_TIMES, OTHERS_SECONDS, LONGEST_SECONDS = 4.0, 2.0, 2.0
#: A label is nobody's if all of its tracks together last less than this, in s, and less than this part of the take.
SEEN_SECONDS, SEEN_PART = 0.25, 0.1


def strays(joints: Sequence[int], tracks: Tracks, labels: IntArray, evidence: Evidence) -> BoolArray:
    """(tracks,) which have a label that is hardly theirs.

    Args:
        joints: (labels,) index of the joint that carries each.
        tracks: Of the take.
        labels: (tracks,).
        evidence: Where the tracks are in the frames of the joints.
    """
    found = np.zeros(len(tracks), dtype=bool)
    for label, joint in enumerate(joints):
        rows = np.flatnonzero(labels == label)
        seconds = tracks.lengths[rows] / tracks.rate_hz
        if seconds.sum() < min(SEEN_SECONDS, SEEN_PART * tracks.frames / tracks.rate_hz):
            found[rows] = True
            continue
        others = np.maximum(seconds.sum() - seconds, 1e-9)
        places, scatter = evidence.places[rows, joint], evidence.scatter[rows, joint]
        means = _of_others(seconds, places)
        # how far the others are from their mean, from track to track and within each
        variances = _of_others(seconds, ((places**2).sum(axis=-1) + scatter)[:, None])[:, 0] - (means**2).sum(axis=-1)
        deviations = np.sqrt(np.maximum(variances, LEAST_DEVIATION_M**2))
        far = np.linalg.norm(places - means, axis=-1) > DEVIATIONS * deviations
        found[rows] = far & (seconds <= LONGEST_SECONDS) & (others >= np.maximum(OTHERS_SECONDS, OTHERS_TIMES * seconds))
    return found


def _of_others(weights: FloatArray, values: FloatArray) -> FloatArray:
    """The mean, by weights (rows,), of the values (rows, n) of all rows but each."""
    weighted = weights[:, None] * values
    return (weighted.sum(axis=0) - weighted) / np.maximum(weights.sum() - weights, 1e-9)[:, None]
