# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames in which the body fits worse than in others: a limb that is found folded there, by labels that are wrong in the same way.

Poses and labels agree there, so that rounds leave both as they are; but points lie beside their labels or have none, and the pose is less
usual. In key frames of such stretches the body is registered anew, from where it was followed and in usual poses. Where it costs less, what
it says takes the place of labels that are others, and the rounds begin again.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import torch

from ..core.stretches import evenly, stretches
from ..core.take import FloatArray, IntArray
from ..proposer.starts import Initialise
from ..solver.kinematics import to_array
from .annealing import in_shapes, pose_cost, pose_terms, usual_poses
from .assignment import with_more
from .following import Followed
from .key_frames import KeyFrames, key_frames_at, long_tracks
from .refinement import Refined, looked_again, refine
from .registration import Begun, hard_assignment, hard_cost, register, votes
from .template import Template
from .tracks import Tracks

#: How well the body fits is seen in a frame for each so many seconds, but in no more than these, and in those with so many points.
APART_SECONDS, MOST_SEEN, FEWEST_POINTS = 0.25, 600, 10
#: It fits ill where it costs more than so many times the median.
ILL = 1.25
#: Key frames of a stretch in which it does, and of all at most, and from how many usual poses bodies start there.
KEYS_OF_STRETCH, MOST_KEYS, POSES = 3, 100, 3
#: A body is taken that costs less by more than this, in the units of a log-likelihood.
LEAST_GAIN = 6.0
#: How often this is looked at.
LOOKS = 3


def with_better_fits(template: Template, tracks: Tracks, refined: Refined, initialise: Initialise | None = None) -> Refined:
    """The labels, those put right by which the body fits worse than it does in other frames.

    Args:
        template: The body.
        tracks: Of the take.
        refined: The labels, and the body that was followed by them.
        initialise: See `follow`.
    """
    seen = _seen(tracks)
    if not len(seen.frames):
        return refined

    def look(now: Refined) -> IntArray:
        costs = costs_of(template, now.followed, seen)
        ill = ill_fitting(costs)
        return _found(template, tracks, seen.only(ill), now, costs[ill]) if len(ill) else now.labels

    def cost(now: Refined) -> float:
        return float(costs_of(template, now.followed, seen).sum())

    return looked_again(refined, look, partial(refine, template, tracks, initialise=initialise), cost, LOOKS)


def begun_near(template: Template, followed: Followed, keys: KeyFrames, poses: int) -> list[Begun]:
    """In each key frame the body as it was followed, and in so many usual poses where that stands."""
    shapes = usual_poses(followed.body, pose_terms(template.prior.pose), poses)
    near = followed.pose_at(keys.frames)
    return [Begun(in_shapes(near[key : key + 1], shapes), torch.ones(1 + len(shapes))) for key in range(len(keys.frames))]


def costs_of(template: Template, followed: Followed, keys: KeyFrames) -> FloatArray:
    """(K,) what a body costs in key frames as it was followed: as those of `Registration`, whatever labels their points have."""
    near = followed.pose_at(keys.frames)
    markers = to_array(followed.body.posed(near).markers)
    usual = to_array(pose_cost(pose_terms(template.prior.pose), near))
    assigned = [hard_cost(markers[key], keys.points[key][there], template.spread) for key, there in enumerate(keys.there)]
    return usual + np.array(assigned)


def ill_fitting(costs: FloatArray) -> IntArray:
    """Some frames of each stretch in which the costs (frames,) are higher than usual, ascending; of too many the costliest."""
    ill = [evenly(start, end, KEYS_OF_STRETCH) for start, end in stretches(costs > ILL * np.median(costs)).tolist()]
    chosen = np.concatenate([np.zeros(0, dtype=int), *ill])
    return np.sort(chosen[np.argsort(-costs[chosen], kind="stable")[:MOST_KEYS]])


def _seen(tracks: Tracks) -> KeyFrames:
    """The frames in which it is seen how well a body fits."""
    count = int(np.clip(tracks.frames / tracks.rate_hz / APART_SECONDS, 2, MOST_SEEN))
    frames = key_frames_at(tracks, evenly(0, tracks.frames, count), long_tracks(tracks))
    return frames.only(np.flatnonzero(frames.there.sum(axis=1) >= FEWEST_POINTS))


def _found(template: Template, tracks: Tracks, keys: KeyFrames, refined: Refined, costs: FloatArray) -> IntArray:
    """(tracks,) the labels, those replaced that differ where a body is found that costs less than the one followed, (K,)."""
    whole = replace(template, actor=refined.followed.actor, given=True)
    found = register(whole, keys, begun_near(template, refined.followed, keys, POSES))
    cheaper = np.flatnonzero(found.costs < costs - LEAST_GAIN)
    scores = votes(found, keys, cheaper, template.spread, len(tracks))
    differing = np.zeros(len(tracks), dtype=bool)
    for key in cheaper.tolist():
        there = keys.there[key]
        given, _ = hard_assignment(found.markers[key], keys.points[key][there], template.spread)
        rows = keys.tracks[key][there]
        differing[rows[given != refined.labels[rows]]] = True
    return with_more(scores, tracks, tracks.opened(refined.labels, differing))
