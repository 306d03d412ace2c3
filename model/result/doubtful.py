# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers that are to be looked at: stretches that the filter left out, and those that are far from where the solver puts them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core.findings import Finding, FrameNumber, listed_frames
from ..core.stretches import stretches
from ..core.take import BoolArray, CleanTake, FloatArray

#: Stretches that are nearer to each other than this are one, in s, and shorter ones harm nobody: they are bridged by what is around them.
NEAR_SECONDS, SHORT_SECONDS = 0.1, 0.05
#: A sample is far off where it is farther from its solved place than this, in m, and than this many times as far as half of its marker's.
FAR_M, FAR_RATIO = 0.035, 3.0
KINDS = ("flagged", "far")


def far_samples(off: FloatArray) -> BoolArray:
    """(frames, labels): which samples are far off, by how far (frames, labels) in m each is from its solved place; NaN is not known."""
    far: BoolArray = off > FAR_M
    # medians only where they matter
    some = far.any(axis=0)
    far[:, some] &= off[:, some] > FAR_RATIO * np.nanmedian(off[:, some], axis=0)
    return far


def doubtful_of(clean: CleanTake, off: FloatArray) -> tuple[Finding, ...]:
    """`doubtful` of a take that was just solved, its labels as the solve calls them.

    Args:
        clean: The take.
        off: (frames, labels) in m: how far each sample of the file is from where its marker is solved, NaN where there is none.
    """
    take, trusted = clean.take, clean.trusted
    found: list[Finding] = []
    # one marker after the other: of an hour, arrays of all of them are much memory
    for row, label in enumerate(take.labels):
        one = slice(row, row + 1)
        far = far_samples(np.where(trusted[:, one], off[:, one], np.nan))
        flagged = np.isfinite(off[:, one]) & ~trusted[:, one]
        found += doubtful(flagged, far, off[:, one], (label,), take.rate_hz, take.number)
    return tuple(found)


def doubtful(
    flagged: BoolArray, far: BoolArray, off: FloatArray, labels: Sequence[str], rate_hz: float, number: FrameNumber
) -> tuple[Finding, ...]:
    """A finding for each marker that has stretches of flagged samples, and one for each that is far from its solved place.

    A stretch in which both come is of the kind that most of it is.

    Args:
        flagged, far: (frames, labels) samples that were left out, and those that are far off; none that somebody has settled.
        off: (frames, labels) in m: how far each sample is from its solved place, NaN where that is unknown.
        labels: As the file calls them.
        rate_hz: Of the take.
        number: What the user calls a frame.
    """
    bad = flagged | far
    found: list[Finding] = []
    for row in np.flatnonzero(bad.any(axis=0)).tolist():
        spans = _joined(bad[:, row], round(NEAR_SECONDS * rate_hz), round(SHORT_SECONDS * rate_hz))
        left_out = [span for span in spans if 2 * flagged[span[0] : span[1] + 1, row].sum() >= bad[span[0] : span[1] + 1, row].sum()]
        distant = [span for span in spans if span not in left_out]
        if left_out:
            text = f"{labels[row]} was taken for noise and left out in {listed_frames(left_out, number)}."
            found.append(Finding("flagged", text, (labels[row],), frames=tuple(left_out)))
        if distant:
            most = 1000 * max(float(np.nanmax(off[first : last + 1, row])) for first, last in distant)
            where = listed_frames(distant, number)
            text = f"{labels[row]} is up to {most:.0f} mm from where it is solved in {where}: look which of the two is right."
            found.append(Finding("far", text, (labels[row],), frames=tuple(distant), numbers={"away_mm": round(most, 1)}))
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
