# SPDX-License-Identifier: GPL-3.0-or-later
"""Tracks that change their marker, cut where they do.

Where two markers of different limbs pass each other, such as a wrist and a knee, cameras may take the one for the other: the point goes on
smoothly with another marker, and the track as a whole is still on no bone. Each of its parts is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..core.take import FloatArray
from .evidence import Evidence
from .following import Followed
from .tracks import Tracks, steps

#: A track may have two markers that scatters by this on every bone, root mean square in m: few of its samples may be another's. It has
#: where each part scatters by no more than the second on some bone, and the whole, all samples counted in full, by so many times as much.
LOOSE_M, STILL_M, WANDERS = 0.015, 0.03, 3.0
#: Each part lasts so many seconds at least, without so many of the frames that are followed on either side of the change: the body is
#: followed less well there.
LEAST_SECONDS, AROUND = 0.25, 2


class Passing(NamedTuple):
    """A track that has another marker from a frame on."""

    track: int
    frame: int


def find_passings(tracks: Tracks, followed: Followed, evidence: Evidence) -> list[Passing]:
    """The tracks that change their marker, with one frame of each, the likeliest; of tracks with several changes one is found.

    Args:
        tracks: Of the take.
        followed: The body, found by the tracks that have a label.
        evidence: How still each track is on each joint.
    """
    at = followed.at.numpy()
    loose = np.sqrt(evidence.scatter.min(axis=1, initial=np.inf)) >= LOOSE_M
    rows = np.flatnonzero(loose & (tracks.lengths >= 2 * LEAST_SECONDS * tracks.rate_hz))
    if not len(rows) or len(at) < 2:
        return []
    positions, rotations = followed.at_frames(at)
    least = max(3, round(LEAST_SECONDS * tracks.rate_hz / float(np.median(np.diff(at)))))
    found: list[Passing] = []
    for track in rows.tolist():
        here = slice(*np.searchsorted(at, (tracks.starts[track], tracks.ends[track])).tolist())
        path = tracks.positions[at[here], tracks.columns[track]]
        local = np.einsum("fjba,fjb->fja", rotations[here], path[:, None] - positions[here])
        change = changes(local, least)
        if change is not None:
            first, last = (int(at[here][min(max(change + by, 0), len(path) - 1)]) for by in (-AROUND, AROUND))
            found.append(Passing(track, _likeliest_frame(tracks, track, first, last)))
    return found


def changes(local: FloatArray, least: int) -> int | None:
    """The sample from which on a point rides on another joint; None where it rides on one all along, or on none.

    Args:
        local: (samples, joints, 3) in metres: where it is in the frames of the joints.
        least: Samples of each part.
    """
    if len(local) < 2 * (least + AROUND):
        return None
    # about one of the samples, so that what is far from the joint loses no precision
    moved = local - local[len(local) // 2]
    before, after = _scatter(moved), _scatter(moved[::-1])
    counts = np.arange(least, len(local) - least - 2 * AROUND + 1)
    others = len(local) - counts - 2 * AROUND
    first, second = before[counts - 1], after[others - 1]
    split = int((first.min(axis=1) + second.min(axis=1)).argmin())
    joints = first[split].argmin(), second[split].argmin()
    parts = first[split].min() / counts[split], second[split].min() / others[split]
    still, whole = max(LOOSE_M, np.sqrt(max(parts))), np.sqrt(before[-1].min() / len(local))
    return int(counts[split]) + AROUND if still <= STILL_M and whole >= WANDERS * still and joints[0] != joints[1] else None


def _scatter(local: FloatArray) -> FloatArray:
    """(samples, joints) in m^2: the sum of squared distances of the samples up to each from their mean, of (samples, joints, 3)."""
    counts = np.arange(1, len(local) + 1)[:, None]
    return (local**2).sum(axis=-1).cumsum(axis=0) - (local.cumsum(axis=0) ** 2).sum(axis=-1) / counts


def _likeliest_frame(tracks: Tracks, track: int, first: int, last: int) -> int:
    """Of some frames, the one into which a track makes the step that its way before and behind explains least."""
    first = max(first, int(tracks.starts[track]))
    path = tracks.positions[first : min(last + 1, int(tracks.ends[track])), tracks.columns[track]]
    return first + 1 + int(steps(path).argmax())
