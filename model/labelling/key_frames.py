# SPDX-License-Identifier: GPL-3.0-or-later
"""Key frames: the few frames of a take in which a body is looked for without knowing anything of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy.sparse.csgraph import connected_components

from ..core.axes import up_index
from ..core.take import BoolArray, FloatArray, IntArray
from .tracks import OPEN, Tracks

#: Tracks of at least this many seconds are looked at: ghosts are shorter.
LONG_SECONDS = 0.25
#: One key frame a second, but no fewer and no more than this.
FEWEST, MOST = 8, 16
#: A key frame has at least this part of the points of the frames that have the most.
POINTS_PART = 0.6
#: What height, of the tallest frames', counts beside the number of points: who stands is told from others most easily.
HEIGHT_WEIGHT = 0.5
#: Points nearer to each other than this are of one body, in m.
LINK_M = 0.5


@dataclass(frozen=True, eq=False)
class KeyFrames:
    """Points of K frames, as many in each as the fullest has: behind its own a frame has zeros.

    Attributes:
        frames: (K,) ascending.
        points: (K, points, 3) in metres.
        tracks: (K, points) the track of each, `OPEN` where there is none.
    """

    frames: IntArray
    points: FloatArray
    tracks: IntArray

    @property
    def there(self) -> BoolArray:
        """(K, points): which points there are."""
        return self.tracks != OPEN

    def only(self, keys: IntArray | slice) -> KeyFrames:
        """Some of the key frames."""
        return KeyFrames(self.frames[keys], self.points[keys], self.tracks[keys])

    def of_parts(self, parts: Tracks, origins: IntArray) -> KeyFrames:
        """The same points, of tracks that were cut: see `Tracks.parted`."""
        first = np.searchsorted(origins, self.tracks)
        second = np.minimum(first + 1, len(origins) - 1)
        later = (origins[second] == self.tracks) & (parts.starts[second] <= self.frames[:, None])
        return replace(self, tracks=np.where(self.there, np.where(later, second, first), OPEN))

    def shrunk(self, size: float) -> KeyFrames:
        """The same points, of somebody so many times as large, as those of somebody of size 1."""
        return self if size == 1.0 else replace(self, points=self.points / size)


def long_tracks(tracks: Tracks, seconds: float = LONG_SECONDS) -> IntArray:
    """The tracks that key frames are made of: those that are no ghosts, and no reflections, standing or in the floor."""
    long = (tracks.lengths >= seconds * tracks.rate_hz) & ~tracks.images
    return np.flatnonzero(long if tracks.still is None else long & ~tracks.still)


def choose_key_frames(tracks: Tracks, count: int | None = None) -> KeyFrames:
    """Key frames spread over the take, each with many points and tall among those around it.

    Args:
        tracks: Of a take.
        count: How many; None for one a second.
    """
    rows = long_tracks(tracks)
    wanted = count or int(np.clip(tracks.frames / tracks.rate_hz, FEWEST, MOST))
    return key_frames_at(tracks, _best_frames(tracks, rows, up_index(tracks.up_axis), wanted), rows)


def key_frames_at(tracks: Tracks, frames: IntArray, rows: IntArray) -> KeyFrames:
    """Some frames, ascending, as key frames, with the points of some tracks."""
    chosen = np.zeros(len(tracks), dtype=bool)
    chosen[rows] = True
    of_frames = []
    for frame in frames.tolist():
        here = tracks.at(frame)
        here = here[chosen[here]]
        points = tracks.positions[frame, tracks.columns[here]]
        body = largest_cluster(points)
        of_frames.append((here[body], points[body]))
    most = max((len(here) for here, _ in of_frames), default=0)
    points, ids = np.zeros((len(frames), most, 3)), np.full((len(frames), most), OPEN)
    for key, (here, there) in enumerate(of_frames):
        points[key, : len(here)], ids[key, : len(here)] = there, here
    return KeyFrames(frames, points, ids)


def _best_frames(tracks: Tracks, rows: IntArray, up: int, wanted: int) -> IntArray:
    """Of each of so many stretches of frames that have enough points, the one that tells most."""
    count, low, high = np.zeros(tracks.frames), np.full(tracks.frames, np.inf), np.full(tracks.frames, -np.inf)
    for track in rows.tolist():
        here = slice(tracks.starts[track], tracks.ends[track])
        heights = tracks.positions[here, tracks.columns[track], up]
        count[here] += 1
        np.minimum(low[here], heights, out=low[here])
        np.maximum(high[here], heights, out=high[here])
    enough = np.flatnonzero((count > 0) & (count >= POINTS_PART * np.percentile(count, 95)))
    if not len(enough):
        return np.zeros(0, dtype=int)
    tall = high[enough] - low[enough]
    worth = count[enough] / count.max() + HEIGHT_WEIGHT * tall / max(float(np.percentile(tall, 95)), 1e-6)
    edges = np.linspace(0, len(enough), min(wanted, len(enough)) + 1).astype(int)
    return np.array([enough[start + int(worth[start:end].argmax())] for start, end in pairwise(edges.tolist())])


def largest_cluster(points: FloatArray) -> BoolArray:
    """(points,): those of the largest group of points (points, 3) that a chain of near ones links."""
    near = np.linalg.norm(points[:, None] - points, axis=-1) < LINK_M
    _, group = connected_components(near)
    return group == np.bincount(group, minlength=1).argmax()
