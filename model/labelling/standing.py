# SPDX-License-Identifier: GPL-3.0-or-later
"""Points that stand still while a person moves: reflections of lamps, rails and other cameras, which a room always has.

Twenty of them around somebody who works on one spot are as many points as half a body. No marker on a person keeps its place as they do,
except on a foot that is planted, beside which others move, and on legs of somebody who sits: so where no set explains a take without what
stands, all is looked at.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from ..core.stretches import evenly
from ..core.take import BoolArray, FloatArray, IntArray, all_finite
from .tracks import OPEN, Tracks

#: Within so many metres a point stands: cameras' jitter is less, and who stands still sways by 15 mm.
STILL_M = 0.003
#: Tracks that stand so near to one another are of one point, which the cameras lose now and then.
SAME_PLACE_M = 0.005
#: It stands for at least so many seconds, in which the middle of all that moves goes so far, in metres: a foot stands for less in a step.
STANDING_SECONDS, MOVED_M = 3.0, 0.15
#: And from first to last for this part of the take: a foot that is planted for longer moves before or behind it, in other tracks if it is
#: lost meanwhile.
STANDING_PART = 0.5
#: A foot's marker has another that moves so near, in metres, in so many of the frames.
BESIDE_M, BESIDE = 0.25, 0.6
#: Frames in which a track is looked at, and those beside it, and frames of a take by which those that move are.
LOOKED_AT, MOST_FRAMES = 24, 1000


def standing(tracks: Tracks) -> BoolArray:
    """(tracks,): which of them stand while others move."""
    stands = np.zeros(len(tracks), dtype=bool)
    places, still = _places(tracks)
    least = max(STANDING_SECONDS * tracks.rate_hz, STANDING_PART * tracks.frames)
    groups = [group for group in _together(places, np.flatnonzero(still)) if _span(tracks, group) >= least]
    # somebody who stands still for a while, and then elsewhere, makes a chain of places
    groups = [group for group in groups if _away(places[group]) < STILL_M]
    if not groups:
        return stands
    for group in groups:
        stands[group] = True
    moving, frames = _samples(tracks, ~stands)
    if not len(frames):
        return np.zeros(len(tracks), dtype=bool)
    middle = np.nanmedian(moving, axis=1)
    for group in groups:
        here = np.flatnonzero((frames >= tracks.starts[group].min()) & (frames < tracks.ends[group].max()))
        moved = len(here) and np.linalg.norm(np.ptp(middle[here], axis=0)) > MOVED_M
        stands[group] = moved and _beside(moving[here[:: -(-len(here) // LOOKED_AT)]], np.median(places[group], axis=0)) < BESIDE
    return stands


def with_standing_marked(tracks: Tracks) -> Tracks:
    """The tracks, those marked that stand while others move."""
    return replace(tracks, still=standing(tracks))


def _beside(moving: FloatArray, place: FloatArray) -> float:
    """In how large a part of the frames any of the points that move (frames, columns, 3) is near a place."""
    nearest = np.nanmin(np.linalg.norm(moving - place, axis=-1), axis=1, initial=np.inf)
    return float((nearest < BESIDE_M).mean())


def _span(tracks: Tracks, group: IntArray) -> int:
    """Frames from where the first of some tracks begins to where the last ends."""
    return int(tracks.ends[group].max() - tracks.starts[group].min())


def _places(tracks: Tracks) -> tuple[FloatArray, BoolArray]:
    """(tracks, 3) in metres, where each is in the middle, and (tracks,) whether it stays there."""
    part = np.linspace(0.0, 1.0, LOOKED_AT)
    frames = np.rint(tracks.starts[:, None] + part * (tracks.lengths - 1)[:, None]).astype(int)
    points = tracks.positions[frames, tracks.columns[:, None]]
    places = np.median(points, axis=1)
    return places, _away(points.swapaxes(0, 1)) < STILL_M


def _away(points: FloatArray) -> FloatArray:
    """(...) in metres: how far points (points, ..., 3) are from their median, but for one in twenty, which may be noise."""
    return np.percentile(np.linalg.norm(points - np.median(points, axis=0), axis=-1), 95, axis=0)


def _samples(tracks: Tracks, rows: BoolArray) -> tuple[FloatArray, IntArray]:
    """(frames, columns, 3) in metres: tracks in the columns and in some of the frames that have any, NaN elsewhere; and which."""
    frames = evenly(0, tracks.frames, MOST_FRAMES)
    points = tracks.on_labels(np.where(rows, tracks.columns, OPEN), tracks.positions.shape[1], frames)
    there = all_finite(points)
    some = there.any(axis=1)
    return points[some][:, there.any(axis=0)], frames[some]


def _together(places: FloatArray, rows: IntArray) -> list[IntArray]:
    """Of some rows of places (tracks, 3) those that are of one point each."""
    if not len(rows):
        return []
    pairs = KDTree(places[rows]).query_pairs(SAME_PLACE_M, output_type="ndarray")
    links = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(rows), len(rows)))
    count, group = connected_components(links, directed=False)
    order = np.argsort(group, kind="stable")
    return [rows[own] for own in np.split(order, np.searchsorted(group[order], np.arange(1, count)))]
