# SPDX-License-Identifier: GPL-3.0-or-later
"""Stretches of a take that labels do not reach: all tracks break at once where a recorder drops frames, or somebody leaves and comes back.

The rounds of `refinement.py` go on from track to track, so they end where no track goes on. In such a stretch somebody is looked for in key
frames of its own, in the poses before and behind it and in upright ones.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import torch

from ..core.stretches import evenly, stretches
from ..core.take import BoolArray, IntArray
from ..proposer.starts import Initialise
from ..solver.kinematics import Pose
from .annealing import in_shapes, middles, pose_terms, usual_poses
from .assignment import with_more
from .choice import TRIAL_POSES
from .following import Followed, coarse_frames
from .key_frames import KeyFrames, key_frames_at, long_tracks
from .refinement import Refined, looked_again, refine, samples_open
from .registration import BELIEVED, Begun, register, upright, votes
from .template import Template
from .tracks import OPEN, Tracks

#: Labels do not reach a frame that has so many points on long tracks without labels, more than this part of all.
FEWEST_POINTS, OPEN_PART = 10, 0.5
#: Tracks of at least this many seconds are looked at: where all are short, these are no ghosts.
LEAST_SECONDS = 0.05
#: Key frames of a stretch, and of all at most, each time that one is looked for, and how often.
KEYS_OF_STRETCH, MOST_KEYS, LOOKS = 3, 100, 3


def with_unreached(template: Template, tracks: Tracks, refined: Refined, most_cost: float, initialise: Initialise | None = None) -> Refined:
    """The labels, with those of stretches that they do not reach.

    Args:
        template: The body.
        tracks: Of the take.
        refined: The labels, and the body that was followed by them.
        most_cost: What a body cost at most in the key frames in which it was found, see `Registration`.
        initialise: See `follow`.
    """

    def look(now: Refined) -> IntArray:
        keys = unreached_keys(tracks, now.labels)
        return _found(template, tracks, keys, now, most_cost) if len(keys.frames) else now.labels

    again = partial(refine, template, tracks, initialise=initialise)
    return looked_again(refined, look, again, partial(samples_open, tracks), LOOKS)


def unreached_keys(tracks: Tracks, labels: IntArray) -> KeyFrames:
    """Key frames of the stretches that labels (tracks,) do not reach: each track there is in one, if so many others are, too."""
    rows, at, chosen = long_tracks(tracks, LEAST_SECONDS), coarse_frames(tracks), list[int]()
    without = rows[labels[rows] == OPEN]
    left = np.where(unreached(tracks, labels), _counted(tracks, without), 0)
    while len(chosen) < MOST_KEYS and left.max(initial=0) >= FEWEST_POINTS:
        some = at[_some_of(left == left.max())]
        chosen += some.tolist()
        there = ((tracks.starts[without, None] <= some) & (some < tracks.ends[without, None])).any(1)
        left -= _counted(tracks, without[there])
        without = without[~there]
    return key_frames_at(tracks, np.array(sorted(chosen), dtype=int), rows)


def _some_of(most: BoolArray) -> IntArray:
    """Some indices of the longest stretch of frames, (F,): in a single one somebody may be hard to find."""
    found = stretches(most)
    start, end = found[np.diff(found)[:, 0].argmax()].tolist()
    return evenly(start, end, KEYS_OF_STRETCH)


def unreached(tracks: Tracks, labels: IntArray) -> BoolArray:
    """(F,): which of the frames that are followed labels (tracks,) do not reach."""
    rows = long_tracks(tracks, LEAST_SECONDS)
    every, left = _counted(tracks, rows), _counted(tracks, rows[labels[rows] == OPEN])
    return (left >= FEWEST_POINTS) & (left > OPEN_PART * every)


def _counted(tracks: Tracks, rows: IntArray) -> IntArray:
    """(F,): how many of some tracks are there in each of the frames that are followed."""
    at = coarse_frames(tracks)
    changes = np.zeros(len(at) + 1, dtype=int)
    np.add.at(changes, np.searchsorted(at, tracks.starts[rows]), 1)
    np.add.at(changes, np.searchsorted(at, tracks.ends[rows]), -1)
    return changes.cumsum()[:-1]


def _found(template: Template, tracks: Tracks, keys: KeyFrames, refined: Refined, most_cost: float) -> IntArray:
    """(tracks,) the labels, and those that open tracks get beside them in key frames."""
    whole = replace(template, actor=refined.followed.actor, given=True)
    near = register(whole, keys, _begun(template, refined.followed, keys))
    anew = register(whole, keys, upright(tracks.up_axis), TRIAL_POSES)
    found = near.where_cheaper(anew)
    scores = votes(found, keys, np.flatnonzero(found.costs <= BELIEVED * most_cost), template.spread, len(tracks))
    return with_more(scores, tracks, refined.labels)


def _begun(template: Template, followed: Followed, keys: KeyFrames) -> list[Begun]:
    """In each key frame the body as it was before and behind it, and in usual poses turned like it, amid the points."""
    shapes = usual_poses(followed.body, pose_terms(template.prior.pose), TRIAL_POSES)
    return [
        _amid(followed, in_shapes(followed.pose[torch.as_tensor(beside)], shapes), middle)
        for beside, middle in zip(_beside(followed, keys.frames), middles(keys), strict=True)
    ]


def _beside(followed: Followed, frames: IntArray) -> list[IntArray]:
    """For each of some frames the nearest of the frames followed, by their indices, that have enough labels before and behind it."""
    seen = np.flatnonzero(followed.seen.sum(1).numpy() >= FEWEST_POINTS)
    behind = np.searchsorted(followed.at.numpy()[seen], frames)
    return [np.unique(seen[np.clip([place - 1, place], 0, len(seen) - 1)]) if len(seen) else np.zeros(1, dtype=int) for place in behind]


def _amid(followed: Followed, poses: Pose, middle: torch.Tensor) -> Begun:
    """Bodies whose markers' mean is (3,) in metres."""
    away = followed.body.posed(poses).markers.mean(1)
    return Begun(replace(poses, root=poses.root + middle - away), torch.ones(poses.frames))
