# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels for a marker set that nobody has described: markers are made of the tracks themselves, and each is put on a bone.

The tracks of one key frame are the first markers; those of the others are linked to them by their places in the joints' frames. Then
markers and labels are settled (`settling.py`), and where many labels are astray still, this begins again with another key frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..actors.prior import Prior
from ..core.errors import BonesetterError
from ..core.progress import Progress, shares
from ..core.take import BoolArray, FloatArray, IntArray, Take
from ..marker_sets.marker_set import MarkerSet
from .agreement import agreeing, believed
from .anywhere import Candidate
from .assignment import assign_tracks
from .key_frames import KeyFrames
from .landmarks import landmarks_of
from .naming import named, named_columns, names_of
from .reattachment import Known, Markers
from .refinement import Refined
from .settling import mostly_named, refine_markers, refined_by, without_scraps
from .surface import surface_of
from .template import Template
from .tracks import OPEN, Tracks

#: Tracks of other key frames are linked to a marker by this deviation in m, and cost so much if they are not.
LINK_M, UNLINKED = 0.03, 4.5
#: The first markers are made in the key frame with the lowest cost of a point, of those that have this part of the most points.
FULL_PART = 0.85
#: The least part of a point that is on a joint, and how much a track may move on its joint between key frames, in m.
LEAST_PART, MOVES_M = 0.01, 0.04
#: Markers are made of another key frame, too, so many at most, while this part of the labelled samples is not where it should be.
STARTS, ASTRAY = 2, 0.03
#: Where a point of the key frames that are believed costs more than this, nobody is there; nor where less than this part of their points
#: has a label in the end.
NOBODY, SOMEBODYS_PART = 1.75, 0.55


def known_of(prior: Prior, sets: Sequence[MarkerSet]) -> Known:
    """What is known of people, and of where the given marker sets put markers."""
    return Known(prior, surface_of(prior, sets), landmarks_of(prior, sets), prior.mean_actor().skeleton.zero_places)


def label_unknown(
    take: Take,
    tracks: Tracks,
    keys: KeyFrames,
    candidates: Sequence[Sequence[Candidate]],
    body: Known,
    progress: Progress | None = None,
) -> tuple[Template, Refined]:
    """Label all tracks by markers that are made of them.

    Args:
        take: Of one person.
        tracks: Of the take.
        keys: Its key frames, at least one.
        candidates: The likeliest poses of each, see `look_anywhere`.
        body: What is known of people.
        progress: Called with the part that is done.

    Returns:
        A template of the markers, by generated names, and what was found for it.

    Raises:
        BonesetterError: There is no body among the points.
    """
    chosen = [each[pick] for each, pick in zip(candidates, agreeing(candidates, keys, len(tracks)), strict=True)]
    good = believed(chosen, keys, len(tracks))
    if np.median([chosen[key].cost / keys.there[key].sum() for key in good.tolist()]) > NOBODY:
        raise _nobody(take)
    size = float(np.median([chosen[key].size for key in good.tolist()]))
    columns = named_columns(take)
    parts, best = shares(progress), None
    # where columns hold one marker throughout, these are the first markers of any key frame
    for first in fullest(chosen, keys, good)[: 1 if mostly_named(tracks, columns) else STARTS]:
        begun = first_markers(chosen, keys, good, first, tracks, body, size)
        found = refine_markers(begun, tracks, columns, body, size, next(parts))
        best = found if best is None or found.astray.part < best.astray.part else best
        if best.astray.elsewhere < ASTRAY:
            break
    assert best is not None
    whole = replace(best, markers=replace(best.markers, labels=without_scraps(best.markers.labels, tracks)))
    points = np.concatenate([keys.tracks[key][keys.there[key]] for key in good.tolist()])
    if (whole.markers.labels[points] != OPEN).mean() < SOMEBODYS_PART:
        raise _nobody(take)
    template, refined = refined_by(whole, tracks, body)
    return named(template, refined, names_of(columns, tracks, refined.labels))


def _nobody(take: Take) -> BonesetterError:
    return BonesetterError(
        f"The points of {take.name} are not where a bundled marker set has its markers, and no body is found among them without one: "
        "describe your markers in a marker-set file and choose it as Marker Set in the panel, or --layout in the shell; or give an "
        "actor."
    )


def fullest(chosen: Sequence[Candidate], keys: KeyFrames, believed: IntArray) -> list[int]:
    """The key frames with nearly most points, of those that are believed, the one with the lowest cost of a point first."""
    points = keys.there.sum(axis=1)
    full = [key for key in believed.tolist() if points[key] >= FULL_PART * points[believed].max()]
    return sorted(full, key=lambda key: chosen[key].cost / points[key])


def first_markers(
    chosen: Sequence[Candidate], keys: KeyFrames, believed: IntArray, first: int, tracks: Tracks, body: Known, size: float
) -> Markers:
    """Markers from key frames.

    Args:
        chosen: The pose of each key frame.
        keys: The key frames.
        believed: Those that count.
        first: The one whose points become markers.
        tracks: Of the take.
        body: What is known of people.
        size: Of the body in the key frames, of a mean one.
    """
    places: dict[int, list[FloatArray]] = {}
    likely: dict[int, list[FloatArray]] = {}
    for key in believed.tolist():
        points, pose = keys.points[key][keys.there[key]], chosen[key]
        local = np.einsum("jba,pjb->pja", pose.rotations, points[:, None] - pose.positions)
        for row, track in enumerate(keys.tracks[key][keys.there[key]].tolist()):
            places.setdefault(track, []).append(local[row])
            likely.setdefault(track, []).append(np.log(pose.on_joints[row] + LEAST_PART))
    means = {track: np.mean(each, axis=0) for track, each in places.items()}
    joint_of = {track: _likeliest(np.array(places[track]), np.array(likely[track]), body.surface.carriers) for track in places}
    rows = keys.tracks[first][keys.there[first]]
    joints = np.array([joint_of[int(track)] for track in rows])
    offsets = np.array([means[int(track)][joint] for track, joint in zip(rows, joints, strict=True)])
    scores = np.zeros((len(tracks), len(rows)))
    for track, mean in means.items():
        squared = ((mean[joints] - offsets) ** 2).sum(-1)
        scores[track] = (UNLINKED - squared / (2 * LINK_M**2)) * len(places[track])
    scores[rows] = 0.0
    scores[rows, np.arange(len(rows))] = 1e4
    moves = np.zeros((len(rows), len(body.zero_places)))
    landmarks = body.landmarks.nearest(joints, body.zero_places[joints] + offsets / size, moves)
    found = np.array([means[int(track)] for track in rows])
    joints = np.where(landmarks >= 0, body.landmarks.joints[landmarks], joints)
    offsets = found[np.arange(len(rows)), joints]
    return Markers(joints, offsets, assign_tracks(scores, tracks, np.array(sorted(means))), landmarks)


def _likeliest(places: FloatArray, likely: FloatArray, carriers: BoolArray) -> int:
    """The joint of a track, of its places (keys, joints, 3) and of how likely it is on each joint (keys, joints), as a logarithm."""
    scatter = ((places - places.mean(axis=0)) ** 2).sum(-1).mean(axis=0)
    cost = -likely.mean(axis=0) + np.sqrt(len(places)) * scatter / (2 * MOVES_M**2)
    return int(np.where(carriers, cost, np.inf).argmin())
