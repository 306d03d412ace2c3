# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels for a marker set that nobody has described: markers are made of the tracks themselves, and each is put on a bone.

The tracks of one key frame are the first markers; those of the others are linked to them by their places in the joints' frames. Then
the body is followed by what is labelled so far, every marker is put on the joint in whose frame it is stillest, tracks are labelled
anew, and tracks that are still on a bone and have no label become markers, in turns until nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..actors.placement import Placement
from ..actors.prior import Prior
from ..core.errors import BonesetterError
from ..core.take import BoolArray, FloatArray, IntArray, Take
from ..marker_sets.marker_set import MarkerSet
from .agreement import agreeing, believed
from .anywhere import Candidate
from .assignment import assign_tracks
from .evidence import Evidence, find_evidence
from .following import follow
from .key_frames import KeyFrames
from .landmarks import landmarks_of
from .naming import by_columns, named, named_columns, names_of
from .reattachment import Known, Markers, reattached, stillest
from .refinement import FEW_CHANGES, Refined
from .surface import surface_of
from .template import Template
from .tracks import OPEN, Tracks

#: How surely a marker's place is known, in m; of people of its size, how far off the skin and along it from where it was found it may be.
PLACE_M, OFF_SKIN_M, ALONG_SKIN_M = 0.035, 0.015, 0.035
#: Tracks of other key frames are linked to a marker by this deviation in m, and cost so much if they are not.
LINK_M, UNLINKED = 0.03, 4.5
#: The first markers are made in the key frame with the lowest cost of a point, of those that have this part of the most points.
FULL_PART = 0.85
#: The least part of a point that is on a joint, and how much a track may move on its joint between key frames, in m.
LEAST_PART, MOVES_M = 0.01, 0.04
#: A track that has no label becomes a marker if it lasts so many seconds and moves no more on a bone than this, in m.
NEW_SECONDS, NEW_STILL_M = 0.5, 0.03
#: Two markers that are never seen at once are one if they are no farther apart than this, in m.
SAME_M = 0.05
#: Markers are brought together, and others made, where fewer samples than this part changed their label.
SETTLING = 0.15
#: Rounds at most; the last ones judge by all frames and make no markers.
ROUNDS, UNGATED_ROUNDS = 12, 2


#: What the findings call it.
NAME = "an unknown marker set"
#: Where a point of the key frames that are believed costs more than this, nobody is there.
NOBODY = 1.75


def known_of(prior: Prior, sets: Sequence[MarkerSet]) -> Known:
    """What is known of people, and of where the given marker sets put markers."""
    return Known(prior, surface_of(prior, sets), landmarks_of(prior, sets), prior.mean_actor().skeleton.zero_places)


def label_unknown(
    take: Take,
    tracks: Tracks,
    keys: KeyFrames,
    candidates: Sequence[Sequence[Candidate]],
    body: Known,
    progress: Callable[[float], None] | None = None,
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
        raise BonesetterError(
            f"The points of {take.name} are not where a bundled marker set has its markers, and no body is found among them without one: "
            "describe your markers in a marker-set file and choose it as Marker Set in the panel, or --layout in the shell; or give an "
            "actor."
        )
    size = float(np.median([chosen[key].size for key in good.tolist()]))
    first = first_markers(chosen, keys, good, tracks, body, size)
    columns = named_columns(take)
    template, refined = refine_markers(first, tracks, columns, body, size, progress)
    return named(template, refined, names_of(columns, tracks, refined.labels))


def first_markers(chosen: Sequence[Candidate], keys: KeyFrames, believed: IntArray, tracks: Tracks, body: Known, size: float) -> Markers:
    """Markers from key frames.

    Args:
        chosen: The pose of each key frame.
        keys: The key frames.
        believed: Those that count.
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
    points = keys.there.sum(axis=1)
    full = [key for key in believed.tolist() if points[key] >= FULL_PART * points[believed].max()]
    first = min(full, key=lambda key: chosen[key].cost / points[key])
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


def template_of_markers(markers: Markers, body: Known, size: float) -> Template:
    """A person of unknown build with these markers.

    A marker is expected on its landmark, or else on the skin, not far along it from where it was found: otherwise offsets and bones would
    make up for one another's errors, and a body that is found too large would stay so.

    Args:
        markers: Found on a body of the given size.
        body: What is known of people.
        size: Of the body, of a mean one.
    """
    names = tuple(f"marker {row}" for row in range(len(markers.joints)))
    found = markers.offsets / size
    places, normals = body.surface.near(markers.joints, found)
    off = (normals * (found - places)).sum(axis=1, keepdims=True)
    spread = np.sqrt(normals**2 * OFF_SKIN_M**2 + (1 - normals**2) * ALONG_SKIN_M**2)
    on = (markers.landmarks >= 0)[:, None]
    expected = np.where(on, body.landmarks.offsets[markers.landmarks], found - off * normals)
    joints = tuple(int(joint) for joint in markers.joints)
    place = Placement(names, joints, expected, np.where(on, body.landmarks.deviation[markers.landmarks][:, None], spread), joints)
    return Template(NAME, body.prior, place, np.full_like(spread, PLACE_M), body.prior.mean_actor(place), made=True)


def refine_markers(
    markers: Markers,
    tracks: Tracks,
    columns: Mapping[int, str],
    body: Known,
    size: float,
    progress: Callable[[float], None] | None = None,
) -> tuple[Template, Refined]:
    """Label all tracks, and put every marker on its bone.

    Args:
        markers: From key frames.
        tracks: Of the take.
        columns: Those that hold one marker throughout, see `named_columns`.
        body: What is known of people.
        size: Of the body in the key frames, of a mean one.
        progress: Called with the part that is done.
    """
    template, labels, before = template_of_markers(markers, body, size), by_columns(markers.labels, tracks, columns), None
    ungated, number, seen_before = 0, 0, set[bytes]()
    while True:
        number += 1
        followed = follow(template, tracks, labels, before)
        evidence = find_evidence(template, tracks, labels, followed, gated=not ungated)
        size = body.prior.actor.scale(followed.actor.skeleton) or 1.0
        moved = reattached(markers, labels, tracks, evidence, body, size)
        new = by_columns(assign_tracks(evidence.scores, tracks), tracks, columns)
        changed = float(tracks.lengths[new != labels].sum()) / max(int(tracks.lengths.sum()), 1)
        before = followed if changed < FEW_CHANGES and (moved.joints == markers.joints).all() else None
        markers, settled = moved, not (new != labels).any() and before is not None
        settled = settled or new.tobytes() in seen_before
        labels = new
        seen_before.add(labels.tobytes())
        if not ungated and changed < SETTLING and number < ROUNDS - UNGATED_ROUNDS:
            whole = replace(markers, labels=labels)
            more = with_new(whole if columns else merged(whole, tracks, evidence), tracks, evidence, body.surface.carriers)
            if more is not whole:
                settled, before = False, None
            markers, labels = more, by_columns(more.labels, tracks, columns)
        template = template_of_markers(markers, body, size)
        if progress is not None:
            progress(min(1.0, number / ROUNDS))
        ungated += bool(ungated or settled or number >= ROUNDS - UNGATED_ROUNDS)
        if ungated > UNGATED_ROUNDS or (ungated > 1 and settled):
            break
    labels = without_scraps(labels, tracks)
    followed = follow(template, tracks, labels)
    return template, Refined(labels, followed, find_evidence(template, tracks, labels, followed, gated=False), number)


def without_scraps(labels: IntArray, tracks: Tracks) -> IntArray:
    """The labels (tracks,), those left out that have short tracks only: markers are made of longer ones, ghosts are short."""
    longest = np.zeros(int(labels.max(initial=OPEN)) + 1)
    has = labels != OPEN
    np.maximum.at(longest, labels[has], tracks.lengths[has])
    least = min(NEW_SECONDS * tracks.rate_hz, 0.5 * float(longest.max(initial=0.0)))
    return np.where(has & (longest[labels] >= least), labels, OPEN)


def merged(markers: Markers, tracks: Tracks, evidence: Evidence) -> Markers:
    """The markers, those brought together that are never seen at once and sit at the same place of a bone."""
    count = len(markers.joints)
    seen, middles = np.zeros((count, tracks.frames), dtype=np.float32), np.zeros((count, *evidence.places.shape[1:]))
    for track in np.flatnonzero(markers.labels != OPEN).tolist():
        label = markers.labels[track]
        seen[label, tracks.starts[track] : tracks.ends[track]] = 1.0
        middles[label] += tracks.lengths[track] * evidence.places[track]
    frames = seen.sum(axis=1)
    middles /= np.maximum(frames, 1.0)[:, None, None]
    own = middles[np.arange(count), markers.joints]
    apart = np.linalg.norm(middles[:, markers.joints] - own, axis=-1)
    apart = np.where((seen @ seen.T > 0) | (frames == 0) | (frames == 0)[:, None], np.inf, np.maximum(apart, apart.T))
    into = np.arange(count)
    for first, second in zip(*np.unravel_index(np.argsort(apart, axis=None, kind="stable"), apart.shape), strict=True):
        if apart[first, second] > SAME_M:
            break
        if into[first] == first and into[second] == second and not (seen[first] @ seen[second]):
            kept, gone = (first, second) if frames[first] >= frames[second] else (second, first)
            into[gone], seen[kept] = kept, np.maximum(seen[kept], seen[gone])
    if (into == np.arange(count)).all():
        return markers
    while (into[into] != into).any():
        into = into[into]
    left = np.unique(into)
    labels = np.where(markers.labels == OPEN, OPEN, np.searchsorted(left, into[markers.labels]))
    return Markers(markers.joints[left], markers.offsets[left], labels, markers.landmarks[left])


def with_new(markers: Markers, tracks: Tracks, evidence: Evidence, carriers: BoolArray) -> Markers:
    """The markers, and those that are made of tracks that have no label, in the frame that has most of these."""
    free = np.flatnonzero((markers.labels == OPEN) & (tracks.lengths >= NEW_SECONDS * tracks.rate_hz))
    still = [stillest(evidence, track, carriers) for track in free.tolist()]
    kept = [(track, joint) for track, (joint, moves) in zip(free.tolist(), still, strict=True) if moves <= NEW_STILL_M]
    if not kept:
        return markers
    rows, joints = (np.array(each) for each in zip(*kept, strict=True))
    count = np.zeros(tracks.frames + 1)
    np.add.at(count, tracks.starts[rows], 1)
    np.add.at(count, tracks.ends[rows], -1)
    frame = int(np.cumsum(count).argmax())
    here = (tracks.starts[rows] <= frame) & (frame < tracks.ends[rows])
    rows, joints = rows[here], joints[here]
    labels = markers.labels.copy()
    labels[rows] = len(markers.joints) + np.arange(len(rows))
    offsets = evidence.places[rows, joints]
    landmarks = np.concatenate([markers.landmarks, np.full(len(rows), -1)])
    return Markers(np.concatenate([markers.joints, joints]), np.concatenate([markers.offsets, offsets]), labels, landmarks)
