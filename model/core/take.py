# SPDX-License-Identifier: GPL-3.0-or-later
"""The markers of one take, as every stage of the engine before the solver sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .findings import Finding

FloatArray = NDArray[np.floating]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.intp]

#: "-Z" of a take whose Z axis points down.
Axis = Literal["Y", "Z", "X", "-Y", "-Z", "-X"]


#: Takes of more frames than this, a quarter of an hour at 120 Hz, are kept in single precision from the file to the result, which some
#: metres away from the origin is 0.0002 mm: samples are stored so in most files, and an hour in double precision takes 6 GB.
DOUBLE_FRAMES = 100_000


def is_long(frames: int) -> bool:
    """Whether a take of so many frames is so long that its memory is spared."""
    return frames > DOUBLE_FRAMES


def number_type(frames: int) -> type[np.float64] | type[np.float32]:
    """In which precision a take of so many frames is kept."""
    return np.float32 if is_long(frames) else np.float64


def all_finite(points: FloatArray) -> BoolArray:
    """(...): which of the points (..., 3) are known. By axis: over a last axis of three numpy is five times slower."""
    x, y, z = np.isfinite(points[..., 0]), np.isfinite(points[..., 1]), np.isfinite(points[..., 2])
    x &= y
    x &= z
    return x


@dataclass(frozen=True, eq=False)
class Take:
    """Labelled marker trajectories.

    Attributes:
        name: The file's stem.
        labels: One name per marker, unique.
        positions: (frames, labels, 3) in metres on the take's own axes; NaN where a sample is missing.
        residuals: (frames, labels) in metres, the camera system's own measure of each sample; 0 where it gives none. Both arrays are in the
            precision of `number_type`.
        rate_hz: Frames per second.
        first_frame: Number of the first frame: as the capture counted in a file, the scene's in Blender.
        frame_step: Between the numbers of two frames: not 1 where Blender plays the take at another rate than its own.
        up_axis: The axis of the take that points up.
        findings: What the user should know of how it was read and matched.
        source: The file that it was read from; None where it comes from none.
        origins: What each marker is called in that file; empty where that is its label.
        pinned: (frames, labels): samples that the user says are right: neither flagged nor put under another label. None for no sample.
        tracks_from: {origin: the file's columns that hold its samples}, of markers whose labels were found by motion.
    """

    name: str
    labels: tuple[str, ...]
    positions: FloatArray
    residuals: FloatArray
    rate_hz: float
    first_frame: float = 1
    frame_step: float = 1.0
    up_axis: Axis = "Z"
    findings: tuple[Finding, ...] = ()
    source: Path | None = None
    origins: tuple[str, ...] = ()
    pinned: BoolArray | None = None
    tracks_from: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    @property
    def frames(self) -> int:
        return self.positions.shape[0]

    def number(self, frame: int) -> int:
        """The number, as the user sees it, of a frame counted from 0."""
        return round(self.first_frame + self.frame_step * frame)

    def kept(self) -> Take:
        """The same in the precision in which takes of its length are kept."""
        if not is_long(self.frames):
            return self
        return replace(
            self, positions=self.positions.astype(np.float32, copy=False), residuals=self.residuals.astype(np.float32, copy=False)
        )

    @property
    def file_labels(self) -> tuple[str, ...]:
        """What each marker is called in the file that the take was read from."""
        return self.origins or self.labels

    @property
    def file_columns(self) -> dict[str, tuple[str, ...]]:
        """{label: the file's columns that hold its samples}: more than one only where labels were found by motion."""
        return {label: self.tracks_from.get(name, (name,)) for label, name in zip(self.labels, self.file_labels, strict=True)}

    @property
    def present(self) -> BoolArray:
        """(frames, labels): True where the file has a sample."""
        return all_finite(self.positions)

    def only(self, markers: Sequence[int], labels: tuple[str, ...] | None = None) -> Take:
        """A copy with these markers only, by their indices and in that order; under other labels where they are given."""
        rows = list(markers)
        named = tuple(self.labels[row] for row in rows) if labels is None else labels
        origins = tuple(self.file_labels[row] for row in rows)
        pinned = None if self.pinned is None else self.pinned[:, rows]
        positions, residuals = self.positions.take(rows, axis=1), self.residuals.take(rows, axis=1)
        return replace(self, labels=named, positions=positions, residuals=residuals, origins=origins, pinned=pinned)

    def under(self, labels: Mapping[str, str]) -> Take:
        """With the markers of some labels under others; one whose label another marker gets keeps its name with a question mark behind."""
        given = set(labels.values())
        named = tuple(labels.get(label, f"{label}?" if label in given else label) for label in self.labels)
        return self.only(range(len(self.labels)), named)

    def beside(self, other: Take) -> Take:
        """With the markers of another take of the same frames behind its own."""
        return replace(
            self,
            labels=self.labels + other.labels,
            positions=np.concatenate([self.positions, other.positions], axis=1),
            residuals=np.concatenate([self.residuals, other.residuals], axis=1),
            origins=self.file_labels + other.file_labels,
            pinned=None if self.pinned is None or other.pinned is None else np.concatenate([self.pinned, other.pinned], axis=1),
        )


@dataclass(frozen=True, eq=False)
class CleanTake:
    """A take on a marker set's labels, with its noise flagged and its gaps filled.

    Attributes:
        take: The take as read, its labels those of the marker set, in the set's order; a label that the file lacks is absent.
        positions: (frames, labels, 3) in metres: flagged samples replaced, gaps up to the longest allowed filled; NaN elsewhere.
        trusted: (frames, labels): True where the position is a sample of the file that was not flagged.
        flagged: {label: {reason: samples}} for the labels that have any.
        findings: About the filter's thresholds.
    """

    take: Take
    positions: FloatArray
    trusted: BoolArray
    flagged: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    findings: tuple[Finding, ...] = ()

    def only(self, markers: Sequence[int]) -> CleanTake:
        """A copy with these markers only, by their indices and in that order."""
        rows = list(markers)
        take = self.take.only(rows)
        flagged = {label: counts for label, counts in self.flagged.items() if label in take.labels}
        return CleanTake(take, self.positions[:, rows], self.trusted[:, rows], flagged, self.findings)
