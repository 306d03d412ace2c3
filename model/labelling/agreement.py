# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of each key frame's candidate poses are true: those by which every track stays on one segment.

A body turned by 180 degrees, or with left and right exchanged, lies as well among the points of one frame as the true one. Between
frames it gives itself away: a track that was on the left thigh would be on the right one. So the candidates of all key frames are
chosen together, in turns from every candidate, and what costs least in sum is taken.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core.take import FloatArray, IntArray
from .anywhere import Candidate
from .key_frames import KeyFrames

#: Turns of choosing at most.
TURNS = 4
#: What a track is believed to be on a segment that it has never been on, beside 1 for each key frame that it was.
UNSEEN = 0.02
#: The least agreement that counts, so that a single track does not decide.
LEAST_AGREEMENT = 0.05
#: A key frame is believed whose cost of a point is no more than this, or than so many times the lower quartile.
BELIEVED, BELIEVED_PART = 1.3, 1.05
#: And if it agrees with the others about the tracks that they share, on average by so much, of so many tracks; so many are always left.
AGREES, KNOWN, FEWEST = 0.3, 8, 3


def agreeing(candidates: Sequence[Sequence[Candidate]], keys: KeyFrames, tracks: int) -> list[int]:
    """The candidate of each key frame, of those that agree best.

    Args:
        candidates: Of each key frame, at least one.
        keys: The key frames.
        tracks: How many the take has.
    """
    own = [keys.tracks[key][keys.there[key]] for key in range(len(keys.frames))]
    best: tuple[float, list[int]] | None = None
    for first, each in enumerate(candidates):
        for start in range(len(each)):
            total, picks = _agreed_from(candidates, own, tracks, first, start)
            if best is None or total < best[0]:
                best = total, picks
    return best[1] if best is not None else []


def _agreed_from(
    candidates: Sequence[Sequence[Candidate]], own: Sequence[IntArray], tracks: int, first: int, start: int
) -> tuple[float, list[int]]:
    """What costs least in sum beginning with one candidate: the cost, and the candidate of each key frame."""
    picks: dict[int, int] = {first: start}
    total = np.inf
    for _ in range(TURNS):
        seen, count = np.full((tracks, candidates[first][start].segments.shape[1]), UNSEEN), np.zeros(tracks)
        for key, pick in picks.items():
            seen[own[key]] += candidates[key][pick].segments
            count[own[key]] += 1
        seen /= seen.sum(axis=1, keepdims=True)
        costs = [np.array([each.cost + _disagreement(each, own[key], seen, count) for each in candidates[key]]) for key in range(len(own))]
        total = float(sum(cost.min() for cost in costs))
        again = {key: int(cost.argmin()) for key, cost in enumerate(costs)}
        if again == picks:
            break
        picks = again
    return total, [picks[key] for key in range(len(own))]


def _disagreement(candidate: Candidate, tracks: IntArray, seen: FloatArray, count: FloatArray) -> float:
    """How unlikely it is that tracks are on the candidate's segments, of those that are known from other key frames."""
    known = count[tracks] > 0
    agree = (candidate.segments[known] * seen[tracks[known]]).sum(axis=1)
    return float(-np.log(np.clip(agree, LEAST_AGREEMENT, 1.0)).sum())


def believed(candidates: Sequence[Candidate], keys: KeyFrames, tracks: int) -> IntArray:
    """The key frames whose poses explain their points about as well as most do, and agree with the others.

    Args:
        candidates: Of each key frame, the chosen one.
        keys: The key frames.
        tracks: How many the take has.
    """
    own = [keys.tracks[key][keys.there[key]] for key in range(len(keys.frames))]
    costs = np.array([each.cost for each in candidates]) / keys.there.sum(axis=1)
    good = costs <= max(BELIEVED, BELIEVED_PART * float(np.percentile(costs, 25)), float(costs.min()))
    for key in np.argsort(-costs).tolist():
        if not good[key] or good.sum() <= FEWEST:
            continue
        others = [other for other in np.flatnonzero(good).tolist() if other != key]
        seen, count = np.full((tracks, candidates[key].segments.shape[1]), UNSEEN), np.zeros(tracks)
        for other in others:
            seen[own[other]] += candidates[other].segments
            count[own[other]] += 1
        known = count[own[key]] > 0
        agree = (candidates[key].segments * seen[own[key]]).sum(axis=1) / seen[own[key]].sum(axis=1)
        good[key] = known.sum() < KNOWN or float(agree[known].mean()) >= AGREES
    return np.flatnonzero(good)
