# SPDX-License-Identifier: GPL-3.0-or-later
"""A solved take as its page shows it, measured once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.axes import TO_Y_UP
from ..core.distances import distances
from ..core.stretches import stretches
from ..core.take import BoolArray, FloatArray, IntArray, all_finite

#: Pictures of the worst frames, and how far they are apart at least, in s.
WORST, APART_SECONDS = 4, 0.5
#: What a sample is, the worse the higher.
SEEN, GAP, MISSING, FLAGGED = range(4)


@dataclass(frozen=True, eq=False)
class Shown:
    """A solved take.

    Attributes:
        name: Of the take.
        report: Of `build_report`.
        joints, parents: Names, and indices of their parents, -1 for the root.
        bones: (joints, 3) in metres: where each joint is from its parent in the zero pose.
        positions: (frames, joints, 3) in metres, y up.
        labels: Of the markers.
        markers, places: (frames, labels, 3) in metres, y up: cleaned samples, NaN where there is none, and where the solver puts them.
        present, trusted: (frames, labels) where the file has a sample, and where that was not flagged.
    """

    name: str
    report: Mapping[str, Any]
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    bones: FloatArray
    positions: FloatArray
    labels: tuple[str, ...]
    markers: FloatArray
    places: FloatArray
    present: BoolArray
    trusted: BoolArray

    @property
    def frames(self) -> int:
        return len(self.positions)

    @property
    def rate_hz(self) -> float:
        return float(self.report["rate_hz"])

    def number(self, frame: int) -> int:
        """The number, as the user sees it, of a frame counted from 0."""
        return round(self.report["first_frame"] + self.report["frame_step"] * frame)

    @cached_property
    def residual_mm(self) -> FloatArray:
        """(frames, labels) in mm: how far trusted samples are from where the solver puts the marker, NaN elsewhere."""
        return np.where(self.trusted, distances(self.markers, self.places) * 1000, np.nan)

    @cached_property
    def frame_residual_mm(self) -> FloatArray:
        """(frames,) in mm: the mean over the markers, NaN where no sample is trusted."""
        counts = self.trusted.sum(axis=1)
        return np.nansum(self.residual_mm, axis=1) / np.where(counts, counts, np.nan)

    @cached_property
    def codes(self) -> NDArray[np.uint8]:
        """(frames, labels): SEEN, GAP for a missing sample that was filled, MISSING, FLAGGED."""
        codes = np.full(self.present.shape, SEEN, dtype=np.uint8)
        codes[~self.present] = MISSING
        codes[~self.present & all_finite(self.markers)] = GAP
        codes[self.present & ~self.trusted] = FLAGGED
        return codes

    def gaps(self, marker: int) -> IntArray:
        """(gaps, 2): the first frame of each gap in a marker's samples, and the one behind its last."""
        return stretches(~self.present[:, marker])

    @cached_property
    def worst_frames(self) -> list[int]:
        """Those in which the trusted markers are farthest from their places, the worst first, none near to another."""
        found: list[int] = []
        apart = APART_SECONDS * self.rate_hz
        known = np.flatnonzero(np.isfinite(self.frame_residual_mm))
        for frame in known[np.argsort(-self.frame_residual_mm[known], kind="stable")].tolist():
            if all(abs(frame - other) >= apart for other in found):
                found.append(frame)
            if len(found) == WORST:
                break
        return found


def shown(name: str, arrays: Mapping[str, NDArray], report: Mapping[str, Any]) -> Shown:
    """A take from its arrays and its report.

    Args:
        name: Of the take.
        arrays: As in an npz. Of files of earlier versions, which do not say it, every finite marker counts as a trusted sample.
        report: Of the same solve.

    Raises:
        ValueError: They are of different takes.
    """
    if report["frames"] != len(arrays["positions"]) or set(report["marker_residual_mm"]["per_label"]) != set(arrays["labels"].tolist()):
        raise ValueError("it is of another take, or of another solve")
    axis = str(arrays.get("up_axis", "Z"))
    turn = next((turn for each, turn in TO_Y_UP.items() if each == axis), TO_Y_UP["Z"])
    seen: BoolArray = all_finite(arrays["markers"])
    return Shown(
        name=name,
        report=report,
        joints=tuple(str(each) for each in arrays["joints"]),
        parents=tuple(int(each) for each in arrays["parents"]),
        bones=arrays["offsets"],
        positions=arrays["positions"] @ turn.T,
        labels=tuple(str(each) for each in arrays["labels"]),
        markers=arrays["markers"] @ turn.T,
        places=arrays["markers_model"] @ turn.T,
        present=arrays.get("present", seen),
        trusted=arrays.get("trusted", seen),
    )
