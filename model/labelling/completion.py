# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels for what has no name in a take most of whose markers have one, all the time or now and then.

The names stay, and all tracks of a marker tell where it sits, so the rest needs no search for a body: the rounds of `refinement.py` begin
with the names. What they do not reach, such as a limb that has no name for a while, key frames do, in which bodies start from where the
body is followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from ..actors import prior as priors
from ..actors.prior import Prior, unusual_size
from ..core.parallel import side_by_side, usable_cores
from ..core.progress import StageProgress, part_of
from ..core.take import BoolArray, FloatArray, IntArray, Take
from ..marker_sets.marker_set import MarkerSet
from ..solver.device import one_torch_thread
from .assignment import with_more
from .following import Followed, follow
from .ill_fitting import begun_near
from .key_frames import FEWEST, KeyFrames, choose_key_frames, long_tracks
from .label import key_frame_count, labelled, looked_over, tracked
from .labelled import Labelled
from .refinement import Refined, looked_again, refine, samples_open
from .registration import register, votes
from .strays import strays
from .template import Template, template_of_set
from .tracks import OPEN, Tracks

#: Rounds at most: labels reach as far as tracks last in each.
ROUNDS = 24
#: How often key frames are looked at, and from how many usual poses bodies start there beside the one that was followed.
LOOKS, POSES = 3, 3
#: A key frame is believed in which this part of the labelled points is so near to its label, in m.
FOUND_PART, FOUND_M = 0.8, 0.1
#: Where each stage ends, of the whole.
FIRST, REACHED = 0.4, 0.75


def label_rest(
    take: Take,
    names: Mapping[str, str],
    marker_set: MarkerSet,
    prior: Prior | None = None,
    progress: StageProgress | None = None,
    workers: int | None = None,
) -> Labelled:
    """Find the labels of tracks that have no name.

    Args:
        take: Of one person; tracks without a name may begin, end and change column at any time.
        names: {column of the take: label of the set} of columns that have a name, and samples; at least one.
        marker_set: Which the person wears.
        prior: What is known of people; None for the bundled one.
        progress: Called with a stage and the part of the whole that is done, 0 to 1.
        workers: Threads; None for as many as there are cores. The result is the same for any number.

    Returns:
        Every track with its label; tracks whose name the body contradicts have none.
    """
    known = prior or priors.bundled()
    with one_torch_thread(), side_by_side(workers or usable_cores()), torch.no_grad():
        return _label_rest(take, names, template_of_set(marker_set, known), progress or (lambda _stage, _part: None))


def _label_rest(take: Take, names: Mapping[str, str], template: Template, progress: StageProgress) -> Labelled:
    """See `label_rest`."""
    take, tracks, computed = tracked(take)
    row_of = {label: row for row, label in enumerate(template.labels)}
    named = np.array([row_of[names[column]] if column in names else OPEN for column in take.labels])[tracks.columns]
    tracks = replace(tracks, named=named)
    # who is of unusual size is labelled as somebody of usual size
    followed = follow(template, tracks, named)
    size = unusual_size(template.prior, followed.actor) or 1.0
    own = tracks.shrunk(size)

    followed = followed if size == 1.0 else follow(template, own, named)
    first = _found_in_key_frames(template, own, followed, named)
    refined = refine(template, own, first, progress=part_of(lambda part: progress("label", part), 0.0, FIRST), most=ROUNDS)
    refined = _reached(template, own, refined)
    progress("label", REACHED)
    compare = part_of(lambda part: progress("compare", part), REACHED, 1.0)
    tracks, own, refined = looked_over(template, tracks, own, refined, None, compare)
    lost = strays(template.joints, own, refined.labels, refined.evidence) | _contradicted(own, refined.evidence.scores)
    return labelled(take, tracks, template, replace(refined, labels=np.where(lost, OPEN, refined.labels)), computed, size)


def _contradicted(tracks: Tracks, scores: FloatArray) -> BoolArray:
    """(tracks,) whose names are no likelier than none, by the scores (tracks, labels)."""
    return tracks.have_names & (scores[np.arange(len(tracks)), tracks.named] < 0)


def _reached(template: Template, tracks: Tracks, refined: Refined) -> Refined:
    """The labels, with those that tracks get in key frames, while these leave fewer tracks without one."""

    def look(now: Refined) -> IntArray:
        without = (now.labels[long_tracks(tracks)] == OPEN).any()
        return _found_in_key_frames(template, tracks, now.followed, now.labels) if without else now.labels

    again = partial(refine, template, tracks, most=ROUNDS)
    return looked_again(refined, look, again, partial(samples_open, tracks), LOOKS)


def _found_in_key_frames(template: Template, tracks: Tracks, followed: Followed, labels: IntArray) -> IntArray:
    """(tracks,) the labels, and those that open tracks get beside them in key frames."""
    keys, actor = choose_key_frames(tracks, max(FEWEST, key_frame_count(tracks))), followed.actor
    if not len(keys.frames):
        return labels
    found = register(replace(template, actor=actor, given=True), keys, begun_near(template, followed, keys, POSES))
    believed = [key for key in range(len(keys.frames)) if _as_labelled(found.markers[key], keys, key, labels)]
    scores = votes(found, keys, np.array(believed, dtype=int), template.spread, len(tracks))
    scores[np.setdiff1d(np.arange(len(tracks)), long_tracks(tracks))] = 0.0
    return with_more(scores, tracks, labels)


def _as_labelled(markers: FloatArray, keys: KeyFrames, key: int, labels: IntArray) -> bool:
    """Whether a body, by its markers (labels, 3) in metres, has what is labelled in a key frame where it is."""
    there = keys.there[key]
    own = labels[keys.tracks[key][there]]
    away = np.linalg.norm(keys.points[key][there] - markers[own], axis=-1)[own != OPEN]
    return bool(len(away) and (away < FOUND_M).mean() >= FOUND_PART)
