# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers that are made of tracks, settled: each on its bone, and each track under its marker.

The body is followed by what is labelled so far, every marker is put on the joint in whose frame it is stillest, tracks are labelled anew,
and tracks that are still on a bone and have no label become markers, in turns until nothing changes. Then labels are put right by what
tracks are apart (`rigid_sets.py`), as long as that leaves fewer of them astray.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..actors.placement import Placement
from ..core.progress import Progress, shares
from ..core.take import BoolArray, IntArray
from .assignment import assign_tracks
from .evidence import Evidence, find_evidence
from .following import follow
from .naming import by_columns
from .reattachment import Known, Markers, reattached, stillest
from .refinement import FEW_CHANGES, Refined
from .rigid_sets import MENDS, better_labels, segments_of
from .rigidity import Astray, astray
from .template import Template
from .tracks import OPEN, Tracks

#: How surely a marker's place is known, in m; of people of its size, how far off the skin and along it from where it was found it may be.
PLACE_M, OFF_SKIN_M, ALONG_SKIN_M = 0.035, 0.015, 0.035
#: A track that has no label becomes a marker if it lasts so many seconds and moves no more on a bone than this, in m.
NEW_SECONDS, NEW_STILL_M = 0.5, 0.03
#: Two markers that are never seen at once are one if they are no farther apart than this, in m.
SAME_M = 0.05
#: Markers are brought together, and others made, where fewer samples than this part changed their label.
SETTLING = 0.15
#: Rounds at most; the last ones judge by all frames and make no markers; and rounds for labels that were put right.
ROUNDS, UNGATED_ROUNDS, ROUNDS_AGAIN = 12, 2, 5
#: How often labels are put right by what tracks are apart, and from where on that is tried: a smaller part of the labelled samples is
#: elsewhere as skin moves.
ATTEMPTS, SKIN = 3, 0.012

#: What the findings call it.
NAME = "an unknown marker set"


@dataclass(frozen=True, eq=False)
class Settled:
    """Markers whose labels agree with the body that is followed by them.

    Attributes:
        markers: With their labels.
        size: Of the body, of a mean one.
        astray: How many samples are not where their labels should be.
        rounds: How many it took.
    """

    markers: Markers
    size: float
    astray: Astray
    rounds: int


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
    progress: Progress | None = None,
) -> Settled:
    """Label all tracks, and put every marker on its bone.

    Args:
        markers: From key frames.
        tracks: Of the take.
        columns: Those that hold one marker throughout, see `named_columns`.
        body: What is known of people.
        size: Of the body in the key frames, of a mean one.
        progress: Called with the part that is done.
    """
    parts = shares(progress)
    found = settle(markers, tracks, columns, body, size, ROUNDS, next(parts))
    for _ in range(0 if mostly_named(tracks, columns) else ATTEMPTS):
        labels = _better(found, tracks, body) if found.astray.elsewhere >= SKIN else None
        if labels is None:
            break
        other = settle(replace(found.markers, labels=labels), tracks, columns, body, found.size, ROUNDS_AGAIN, next(parts))
        if other.astray.part > (1 - MENDS) * found.astray.part:
            break
        found = replace(other, rounds=found.rounds + other.rounds)
    return found


def mostly_named(tracks: Tracks, columns: Mapping[int, str]) -> bool:
    """Whether most samples are in columns that hold one marker throughout: which of them belong together is known then."""
    return 2 * tracks.lengths[np.isin(tracks.columns, list(columns))].sum() > tracks.lengths.sum()


def _better(found: Settled, tracks: Tracks, body: Known) -> IntArray | None:
    """Labels (tracks,) of which less is astray by what tracks are apart."""
    _, refined = refined_by(found, tracks, body)
    names, joints = body.prior.actor.joints, found.markers.joints.tolist()
    return better_labels(names, joints, refined.evidence.places, tracks, refined.labels, found.astray)


def settle(
    markers: Markers,
    tracks: Tracks,
    columns: Mapping[int, str],
    body: Known,
    size: float,
    rounds: int,
    progress: Progress | None = None,
) -> Settled:
    """Follow the body by the labels, and put markers on bones and tracks under labels by that body, until nothing changes.

    Args:
        markers: With labels to begin from.
        tracks, columns, body, size, progress: As `refine_markers` has them.
        rounds: At most.
    """
    template, before = template_of_markers(markers, body, size), None
    labels = by_columns(markers.labels, tracks, columns)
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
        if not ungated and changed < SETTLING and number < rounds - UNGATED_ROUNDS:
            whole = replace(markers, labels=labels)
            more = with_new(whole if columns else merged(whole, tracks, evidence), tracks, evidence, body.surface.carriers)
            if more is not whole:
                settled, before = False, None
            markers, labels = more, by_columns(more.labels, tracks, columns)
        template = template_of_markers(markers, body, size)
        if progress is not None:
            progress(min(1.0, number / rounds))
        ungated += bool(ungated or settled or number >= rounds - UNGATED_ROUNDS)
        if ungated > UNGATED_ROUNDS or (ungated > 1 and settled):
            break
    found = replace(markers, labels=labels)
    segments = segments_of(body.prior.actor.joints, markers.joints.tolist())
    return Settled(found, size, astray(segments, tracks, labels), number)


def refined_by(found: Settled, tracks: Tracks, body: Known) -> tuple[Template, Refined]:
    """The body that is followed by settled labels, and what it says of them."""
    labels, template = found.markers.labels, template_of_markers(found.markers, body, found.size)
    followed = follow(template, tracks, labels)
    return template, Refined(labels, followed, find_evidence(template, tracks, labels, followed, gated=False), found.rounds)


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
