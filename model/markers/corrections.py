# SPDX-License-Identifier: GPL-3.0-or-later
"""What was put right in the labels of a take, and how the user is told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from ..core.findings import GROUPED, Finding, FrameNumber, linked, listed_frames
from ..core.take import Take

Kind = Literal["swapped back", "relabelled", "filled", "dropped", "sides exchanged", "sides doubtful"]


@dataclass(frozen=True)
class Correction:
    """One mistake in labelling.

    Attributes:
        kind: See `Finding`.
        labels: Whose samples, as the kind says.
        first: The first frame, counted from 0.
        last: The last frame, itself included.
    """

    kind: Kind
    labels: tuple[str, ...]
    first: int
    last: int

    def finding(self, number: FrameNumber) -> Finding:
        """As the user is told."""
        frames = ((self.first, self.last),)
        text = f"{GROUPED[self.kind]}: {linked(self.kind, self.labels)} in {listed_frames(frames, number)}."
        return Finding(self.kind, text, self.labels, frames=frames)


def without_pinned(take: Take, corrected: Take, corrections: tuple[Correction, ...]) -> tuple[Take, tuple[Correction, ...]]:
    """A corrected take and its corrections without those of samples that the user pinned.

    Args:
        take: Before, on the same labels.
        corrected: After.
        corrections: Of the one to the other; no two of them are of the same samples.
    """
    if take.pinned is None:
        return corrected, corrections
    kept: list[Correction] = []
    positions, residuals = corrected.positions.copy(), corrected.residuals.copy()
    for each in corrections:
        rows, frames = [take.labels.index(label) for label in each.labels if label in take.labels], slice(each.first, each.last + 1)
        if not take.pinned[frames][:, rows].any():
            kept.append(each)
            continue
        positions[frames, rows], residuals[frames, rows] = take.positions[frames, rows], take.residuals[frames, rows]
    return replace(corrected, positions=positions, residuals=residuals), tuple(kept)


def in_order(corrections: Iterable[Correction]) -> tuple[Correction, ...]:
    """Sorted by time, then by label."""
    return tuple(sorted(corrections, key=lambda each: (each.first, each.last, each.labels)))
