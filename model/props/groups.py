# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tracks keep their distances from one another: rigid groups, and the tracks that continue their markers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.stretches import evenly
from ..core.take import BoolArray, FloatArray, IntArray, Take, all_finite
from ..labelling.tracks import Tracks, cut_tracks
from ..markers.matching import labelled_columns
from ..markers.rigid_groups import breaking
from .rigid_poses import rigid_poses, settled_shape

#: The distance of two rigid points changes by no more than this in most of their common frames, in m, and is no longer than this.
KEPT_M, LONGEST_M = 0.004, 2.0
#: Most: this percentile of them.
MOST = 90
#: Frames in which two tracks are compared, the fewest that count, and the seconds that they must be together.
LOOKED_AT, FEWEST, TOGETHER_SECONDS = 200, 8, 0.5
#: Groups begin among so many tracks, the longest.
MOST_TRACKS = 150
#: Something has moved that was this far from its usual place, in m.
MOVED_M = 0.05
#: Two tracks are of one marker where they sit so near each other on the object, in m.
SAME_M = 0.012
#: A sample is no member's that breaks its distances by more than this, in m.
BROKEN_M = 0.012


@dataclass(frozen=True, eq=False)
class Group:
    """Markers that are rigid to each other.

    Attributes:
        columns: (markers) of the take, the columns that hold each marker's samples.
        samples: (frames, markers, 3) in metres, NaN where missing.
        places: (markers, 3) in metres, on axes of the group's own.
        tracks: Of its markers.
    """

    columns: tuple[tuple[int, ...], ...]
    samples: FloatArray
    places: FloatArray
    tracks: frozenset[int]

    @property
    def moves(self) -> bool:
        """Whether it is ever elsewhere than it usually is."""
        return bool(any(_moves(self.samples[:, marker]) for marker in range(self.samples.shape[1])))


def tracks_of(take: Take) -> Tracks:
    """The tracks of a take: a column that has a name is one, whatever its gaps, and others are cut."""
    named = np.zeros(len(take.labels), dtype=bool)
    named[labelled_columns(take)] = True
    cut = cut_tracks(take)
    parts = [row for row in range(len(cut)) if not named[cut.columns[row]]]
    columns, starts, ends = cut.columns[parts].tolist(), cut.starts[parts].tolist(), cut.ends[parts].tolist()
    present = take.present
    for column in np.flatnonzero(named & present.any(axis=0)).tolist():
        seen = np.flatnonzero(present[:, column])
        columns.append(column)
        starts.append(int(seen[0]))
        ends.append(int(seen[-1]) + 1)
    return Tracks(take.positions, np.array(columns, dtype=int), np.array(starts, dtype=int), np.array(ends, dtype=int), take.rate_hz)


def rigid_groups(take: Take, families: list[str]) -> list[Group]:
    """Groups of three markers or more that are rigid to each other.

    Args:
        take: Columns that are not on a body.
        families: What each column's name begins with; empty for columns without a name. Points that stand still are rigid to each other
            whatever they are on, so only those of one family are then taken for a group.
    """
    tracks = tracks_of(take)
    order = np.argsort(-tracks.lengths, kind="stable")
    long = order[tracks.lengths[order] >= TOGETHER_SECONDS * take.rate_hz][:MOST_TRACKS]
    near = _adjacent(tracks, long, [families[tracks.columns[row]] for row in long.tolist()])
    groups: list[Group] = []
    taken: set[int] = set()
    for seed, first in enumerate(long.tolist()):
        # a track of a group may also tell of a time in which the group's other markers had other tracks
        rows = long[_clique(near, seed)]
        if first in taken or sum(row not in taken for row in rows.tolist()) < 2 or len(rows) < 3:
            continue
        if (group := _grown(tracks, rows, taken)) is not None:
            groups.append(_mended(take, group))
            taken |= group.tracks
    return _joined(groups)


def _adjacent(tracks: Tracks, rows: IntArray, families: list[str]) -> IntArray:
    """(rows, rows): 1 for tracks that keep their distance, -1 for those that do not, 0 for those that are never together."""
    found = np.zeros((len(rows), len(rows)), dtype=int)
    moves = [_moves(_path(tracks, row)) for row in rows.tolist()]
    for one in range(len(rows)):
        for other in range(one):
            kept = _kept(tracks, int(rows[one]), int(rows[other]))
            still_strangers = not (families[one] and families[one] == families[other]) and not (moves[one] and moves[other])
            found[one, other] = found[other, one] = -1 if kept > 0 and still_strangers else kept
    return found


def _path(tracks: Tracks, row: int) -> FloatArray:
    return tracks.positions[tracks.starts[row] : tracks.ends[row], tracks.columns[row]]


def _moves(path: FloatArray) -> bool:
    seen = path[all_finite(path)]
    return bool(len(seen) and (np.linalg.norm(seen - np.median(seen, axis=0), axis=-1) > MOVED_M).any())


def _kept(tracks: Tracks, one: int, other: int) -> int:
    """Whether two tracks keep their distance: 1 or -1; 0 where they are hardly ever together."""
    start, end = max(tracks.starts[one], tracks.starts[other]), min(tracks.ends[one], tracks.ends[other])
    if end - start < TOGETHER_SECONDS * tracks.rate_hz:
        return 0
    frames = evenly(start, end, LOOKED_AT)
    away = np.linalg.norm(tracks.positions[frames, tracks.columns[one]] - tracks.positions[frames, tracks.columns[other]], axis=-1)
    away = away[np.isfinite(away)]
    if len(away) < FEWEST:
        return 0
    middle = np.median(away)
    return 1 if middle <= LONGEST_M and np.percentile(np.abs(away - middle), MOST) <= KEPT_M else -1


def _clique(near: IntArray, seed: int) -> IntArray:
    """Tracks that are all rigid to each other as far as they are seen together, from a first one."""
    members = [seed]
    for row in np.flatnonzero(near[seed] > 0).tolist():
        if (near[row, members] >= 0).all() and (near[row, members] > 0).sum() >= min(2, len(members)):
            members.append(row)
    return np.array(members)


def _grown(tracks: Tracks, rows: IntArray, taken: set[int]) -> Group | None:
    """The group that begins with some tracks, with all tracks that continue it; None where three of them are never seen at once."""
    frame = max((int(tracks.starts[row]) for row in rows), key=lambda start: int((_there(tracks, rows, start)).sum()))
    first = rows[_there(tracks, rows, frame)]
    if len(first) < 3:
        return None
    begin, end = tracks.starts[first].max(), tracks.ends[first].min()
    samples = np.full((tracks.frames, len(first), 3), np.nan)
    samples[begin:end] = tracks.positions[begin:end, tracks.columns[first]]
    whole = np.flatnonzero(all_finite(samples).all(axis=1))
    if len(whole) < FEWEST:
        return None
    places = settled_shape(samples, samples[whole[len(whole) // 2]] - samples[whole[len(whole) // 2]].mean(axis=0))
    return _followed(tracks, first, samples, places, taken)


def _there(tracks: Tracks, rows: IntArray, frame: int) -> BoolArray:
    return (tracks.starts[rows] <= frame) & (frame < tracks.ends[rows])


def _followed(tracks: Tracks, first: IntArray, samples: FloatArray, places: FloatArray, taken: set[int]) -> Group:
    """A group with every track that sits still on it, as one of its markers or as a further one."""
    of_marker: list[list[int]] = [[row] for row in first.tolist()]
    for row in first.tolist():
        here = slice(tracks.starts[row], tracks.ends[row])
        samples[here, of_marker.index([row])] = _path(tracks, row)
    open_rows = [row for row in range(len(tracks)) if row not in taken and row not in first]
    while True:
        poses, before = rigid_poses(samples, places), len(open_rows)
        for row in list(open_rows):
            here = slice(tracks.starts[row], tracks.ends[row])
            local = poses.local(_path(tracks, row), here)
            local = local[all_finite(local)]
            if len(local) < min(FEWEST, int(tracks.lengths[row])) or len(local) < 2:
                continue
            place = np.median(local, axis=0)
            if np.percentile(np.linalg.norm(local - place, axis=-1), MOST) > 2 * KEPT_M or np.linalg.norm(place) > LONGEST_M:
                continue
            marker = int(np.linalg.norm(places - place, axis=-1).argmin())
            if np.linalg.norm(places[marker] - place) > SAME_M:
                if tracks.lengths[row] < TOGETHER_SECONDS * tracks.rate_hz:
                    continue
                marker = len(of_marker)
                of_marker.append([])
                places = np.concatenate([places, place[None]])
                samples = np.concatenate([samples, np.full((len(samples), 1, 3), np.nan)], axis=1)
            elif (all_finite(samples[here, marker]) & all_finite(_path(tracks, row))).any():
                continue
            of_marker[marker].append(row)
            samples[here, marker] = np.where(np.isfinite(_path(tracks, row)), _path(tracks, row), samples[here, marker])
            open_rows.remove(row)
        if len(open_rows) == before:
            break
    columns = tuple(tuple(dict.fromkeys(int(tracks.columns[row]) for row in rows)) for rows in of_marker)
    return Group(columns, samples, settled_shape(samples, places), frozenset(row for rows in of_marker for row in rows))


def _mended(take: Take, group: Group) -> Group:
    """Without samples that break its distances, such as those of two labels that were exchanged for a while."""
    labels = tuple(str(marker) for marker in range(len(group.columns)))
    own = Take("", labels, group.samples, np.zeros(group.samples.shape[:2]), take.rate_hz)
    broken = breaking(own, own.present, [labels], BROKEN_M)
    samples = np.where(broken[..., None], np.nan, group.samples)
    return Group(group.columns, samples, settled_shape(samples, group.places), group.tracks)


def _joined(groups: list[Group]) -> list[Group]:
    """Groups of which one is the other, come back: of one shape, and never at two places at once."""
    found: list[Group] = []
    for group in groups:
        for row, other in enumerate(found):
            if (both := _as_one(other, group)) is not None:
                found[row] = both
                break
        else:
            if not any(group.tracks & other.tracks for other in found):
                found.append(group)
    return found


def _as_one(one: Group, other: Group) -> Group | None:
    """Two groups as one; None where they are not."""
    markers = _congruent(one.places, other.places)
    if markers is None:
        return None
    ours, theirs = all_finite(one.samples), all_finite(other.samples)
    both = ours[:, markers] & theirs
    same = (one.samples[:, markers] == other.samples).all(axis=-1)
    shared = bool(one.tracks & other.tracks)
    if (both & ~same).any() or (not shared and (ours.any(axis=1) & theirs.any(axis=1)).any()):
        return None
    columns, samples = list(one.columns), one.samples.copy()
    for marker, at in enumerate(markers.tolist()):
        columns[at] = tuple(dict.fromkeys((*columns[at], *other.columns[marker])))
        samples[theirs[:, marker], at] = other.samples[theirs[:, marker], marker]
    return Group(tuple(columns), samples, settled_shape(samples, one.places), one.tracks | other.tracks)


def _congruent(places: FloatArray, others: FloatArray) -> IntArray | None:
    """Which of places (m, 3) each of others (n, 3), no more of them, sits at when brought there; None where the shapes differ."""
    if not 3 <= len(others) <= len(places):
        return None
    own, theirs = (np.linalg.norm(points[:, None] - points, axis=-1) for points in (places, others))
    ways = [[at] for at in range(len(places))]
    for marker in range(1, len(others)):
        fits = np.abs(own[:, :, None] - theirs[marker, :marker][None, None]) <= SAME_M / 2
        ways = [
            [*way, at]
            for way in ways
            for at in range(len(places))
            if at not in way and all(fits[at, way[before], before] for before in range(marker))
        ]
    if not ways:
        return None
    off = [float(np.abs(own[np.ix_(way, way)] - theirs).sum()) for way in ways]
    return np.array(ways[int(np.argmin(off))])
