# SPDX-License-Identifier: GPL-3.0-or-later
"""Tracks: the samples of a column between two breaks, all of one marker, or of a ghost.

A recorder without labels keeps a point in a column as long as it sees it, and puts whatever comes next into any column that is free. So a
column is cut where samples are missing, and where a point jumps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..core.axes import heights
from ..core.stretches import stretches
from ..core.take import Axis, BoolArray, FloatArray, IntArray, Take
from .mirrored import mirror_height

#: A point jumps where it moves by more than this from frame to frame, in m, ...
JUMP_M = 0.04
#: ... and faster than this, in m/s: no marker on a person does.
JUMP_SPEED = 8.0
#: An image in the floor lies below it in so large a part of its frames.
IMAGES_BELOW = 0.9
#: The label of a track that is nobody's, or not known yet.
OPEN = -1


@dataclass(frozen=True, eq=False)
class Tracks:
    """The tracks of a take, ordered by their columns, then by time.

    Attributes:
        positions: (frames, columns, 3) in metres, NaN where missing.
        columns: (tracks,) where each is.
        starts, ends: (tracks,) its first frame and the one behind its last.
        rate_hz: Frames per second.
        up_axis: The axis that points up.
        still: (tracks,) which stand while others move, see `standing.py`; None where that is not looked at.
        named: (tracks,) labels that the file's names say, `OPEN` where it has none; None where names do not matter.
    """

    positions: FloatArray
    columns: IntArray
    starts: IntArray
    ends: IntArray
    rate_hz: float
    up_axis: Axis = "Z"
    still: BoolArray | None = None
    named: IntArray | None = None

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def frames(self) -> int:
        return len(self.positions)

    @cached_property
    def lengths(self) -> IntArray:
        """(tracks,) in frames."""
        return self.ends - self.starts

    @cached_property
    def images(self) -> BoolArray:
        """(tracks,): which are images of others that a glossy floor shows: nobody's."""
        images, floor_m = np.zeros(len(self), dtype=bool), mirror_height(self.positions, self.up_axis)
        if floor_m is not None:
            for track, (start, end) in enumerate(zip(self.starts.tolist(), self.ends.tolist(), strict=True)):
                below = heights(self.positions[start:end, self.columns[track]], self.up_axis) < floor_m
                images[track] = below.mean() > IMAGES_BELOW
        return images

    @cached_property
    def have_names(self) -> BoolArray:
        """(tracks,): which have a name."""
        return np.zeros(len(self), dtype=bool) if self.named is None else self.named != OPEN

    def nameless(self, count: int) -> BoolArray:
        """(labels,): which of so many labels no track has as its name."""
        return np.ones(count, dtype=bool) if self.named is None else ~np.isin(np.arange(count), self.named)

    def opened(self, labels: IntArray, which: BoolArray) -> IntArray:
        """Labels (tracks,) without those of some tracks (tracks,), unless these are their names."""
        return np.where(which & ~self.have_names, OPEN, labels)

    def shrunk(self, size: float) -> Tracks:
        """The same tracks, of somebody so many times as large, as those of somebody of size 1."""
        return self if size == 1.0 else replace(self, positions=self.positions / size)

    def parted(self, cuts: Sequence[tuple[int, int]]) -> tuple[Tracks, IntArray]:
        """The same, some cut in two, and (tracks,) of which of these tracks each is a part.

        Args:
            cuts: Tracks, each once, and the first frame of the second part.
        """
        frames = dict(cuts)
        origins = np.repeat(np.arange(len(self)), [1 + (track in frames) for track in range(len(self))])
        second = np.flatnonzero(np.diff(origins, prepend=-1) == 0)
        starts, ends = self.starts[origins], self.ends[origins]
        starts[second] = ends[second - 1] = [frames[track] for track in origins[second].tolist()]
        still = None if self.still is None else self.still[origins]
        named = None if self.named is None else self.named[origins]
        if named is not None:
            # of two markers that have had one name, it is not known whose it is
            named[np.isin(origins, list(frames))] = OPEN
        return Tracks(self.positions, self.columns[origins], starts, ends, self.rate_hz, self.up_axis, still, named), origins

    def at(self, frame: int) -> IntArray:
        """The tracks that are there in a frame."""
        return np.flatnonzero((self.starts <= frame) & (frame < self.ends))

    def on_labels(self, labels: IntArray, count: int, frames: IntArray) -> FloatArray:
        """(frames, labels, 3) in metres: some frames of the tracks under their labels; NaN where none is.

        Args:
            labels: (tracks,), `OPEN` for those that are left out.
            count: Of labels.
            frames: Ascending.
        """
        found = np.full((len(frames), count, 3), np.nan)
        begins, ends = np.searchsorted(frames, self.starts), np.searchsorted(frames, self.ends)
        for track in np.flatnonzero((labels != OPEN) & (begins < ends)).tolist():
            here = slice(begins[track], ends[track])
            found[here, labels[track]] = self.positions[frames[here], self.columns[track]]
        return found


def cut_tracks(take: Take) -> Tracks:
    """Cut every column of a take at gaps and jumps."""
    positions, jump = take.positions, max(JUMP_M, JUMP_SPEED / take.rate_hz)
    columns: list[int] = []
    bounds: list[IntArray] = []
    present = take.present
    for column in range(len(take.labels)):
        for start, end in stretches(present[:, column]).tolist():
            cuts = np.flatnonzero(steps(positions[start:end, column]) > jump) + start + 1
            edges = np.concatenate([[start], cuts, [end]]).astype(int)
            bounds.append(np.stack([edges[:-1], edges[1:]], axis=-1))
            columns += [column] * (len(edges) - 1)
    whole = np.concatenate(bounds) if bounds else np.zeros((0, 2), dtype=int)
    return Tracks(positions, np.array(columns, dtype=int), whole[:, 0], whole[:, 1], take.rate_hz, take.up_axis)


def steps(path: FloatArray) -> FloatArray:
    """(frames - 1,) in metres: by how much a path (frames, 3) moves into each next frame that neither rest nor steady speed explains."""
    velocity = np.diff(path, axis=0)
    length = np.linalg.norm(velocity, axis=-1)
    change = np.linalg.norm(np.diff(velocity, axis=0), axis=-1)
    least = length.copy()
    least[1:] = np.minimum(least[1:], change)
    least[:-1] = np.minimum(least[:-1], change)
    return least
