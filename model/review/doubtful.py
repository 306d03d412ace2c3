# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers that are to be looked at: stretches that the filter left out, and those that are far from where the solver puts them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core.findings import Finding, FrameNumber, listed_frames
from ..core.stretches import stretches
from ..core.take import BoolArray
from .states import FLAGGED, State, StateArray

#: Stretches that are nearer to each other than this are one, in s, and shorter ones harm nobody: they are bridged by what is around them.
NEAR_SECONDS, SHORT_SECONDS = 0.1, 0.05
KINDS = ("flagged", "far")


def doubtful(codes: StateArray, labels: Sequence[str], rate_hz: float, number: FrameNumber) -> tuple[Finding, ...]:
    """A finding for each marker that has stretches of flagged samples, and one for each that is far from its solved place.

    A stretch in which both come is of the kind that most of it is.

    Args:
        codes: (frames, labels) of `State`.
        labels: As the file calls them.
        rate_hz: Of the take.
        number: What the user calls a frame.
    """
    flagged: BoolArray = np.isin(codes, tuple(FLAGGED.values()))
    bad = flagged | (codes == State.FAR)
    found: list[Finding] = []
    for row in np.flatnonzero(bad.any(axis=0)).tolist():
        spans = _joined(bad[:, row], round(NEAR_SECONDS * rate_hz), round(SHORT_SECONDS * rate_hz))
        left_out = [span for span in spans if 2 * flagged[span[0] : span[1] + 1, row].sum() >= bad[span[0] : span[1] + 1, row].sum()]
        far = [span for span in spans if span not in left_out]
        if left_out:
            text = f"{labels[row]} was taken for noise and left out in {listed_frames(left_out, number)}."
            found.append(Finding("flagged", text, (labels[row],), frames=tuple(left_out)))
        if far:
            text = f"{labels[row]} is far from where it is solved in {listed_frames(far, number)}: look which of the two is right."
            found.append(Finding("far", text, (labels[row],), frames=tuple(far)))
    return tuple(found)


def _joined(flags: BoolArray, near: int, short: int) -> list[tuple[int, int]]:
    """First and last frame of each stretch of flags (frames,), those that are near to each other joined, short ones left out."""
    joined: list[tuple[int, int]] = []
    for start, end in stretches(flags).tolist():
        if joined and start - joined[-1][1] - 1 <= near:
            joined[-1] = (joined[-1][0], end - 1)
        else:
            joined.append((start, end - 1))
    return [(first, last) for first, last in joined if last - first + 1 >= short]
