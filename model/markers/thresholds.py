# SPDX-License-Identifier: GPL-3.0-or-later
"""What the noise filter's thresholds mean for a file: residuals are judged by the file's own, and what removes much is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..core.findings import Finding, shortened
from ..core.settings import SETTINGS, Settings
from ..core.take import BoolArray, FloatArray, IntArray, Take

#: A threshold that removes more than so much of a marker, or of a take, is raised or said.
MUCH_OF_MARKER, MUCH_OF_TAKE = 0.05, 0.02
#: Residuals up to so many times the median of a file's, or of a marker's, are usual for it.
USUAL_RESIDUAL = 3.0
#: The largest residual of a file is where its scale ends, if more than this part of its samples has it, and more than so many.
END_OF_SCALE, END_OF_SCALE_SAMPLES = 0.01, 10


@dataclass(frozen=True)
class Much:
    """What a threshold removes of a take.

    Attributes:
        labels: Of which much is removed, those with most of it first. Where much of the take but little of each marker is, the marker
            with most of it stands for all; none where it is not much.
        part: Of all samples.
    """

    labels: tuple[str, ...]
    part: float


def telling(residuals: FloatArray, present: BoolArray) -> BoolArray:
    """Which residuals tell a sample from others.

    Those of a marker that has the same throughout do not, nor those at the end of the file's scale, where many are.

    Args:
        residuals: (frames, labels) in metres.
        present: (frames, labels), where there are samples.

    Returns:
        (frames, labels).
    """
    if not present.any():
        return present
    lowest, highest = np.where(present, residuals, np.inf).min(axis=0), np.where(present, residuals, -np.inf).max(axis=0)
    at_the_end = present & (residuals == highest.max())
    saturated = at_the_end.sum() > max(END_OF_SCALE * present.sum(), END_OF_SCALE_SAMPLES)
    return present & (lowest < highest) & ~(at_the_end & saturated)


def residual_limit(take: Take, present: BoolArray, tell: BoolArray, threshold: float) -> FloatArray:
    """The largest residual of each marker that is no noise, (labels,) in metres.

    It is the threshold, in metres, or what is usual in the file where that would remove much of a marker or of the take. Camera
    systems measure residuals in ways of their own: 11 to 13 mm throughout are no noise where markers are solved to 3 mm.

    Args:
        take: Whose residuals.
        present: (frames, labels), where it has samples.
        tell: (frames, labels), which of their residuals are `telling`.
        threshold: In metres.
    """
    over = tell & (take.residuals > threshold)
    limit = np.full(len(take.labels), threshold)
    if over.sum() > MUCH_OF_TAKE * present.sum():
        limit = np.maximum(limit, USUAL_RESIDUAL * np.median(take.residuals[present]))
    for marker in np.flatnonzero(over.sum(axis=0) > MUCH_OF_MARKER * present.sum(axis=0)):
        limit[marker] = max(limit[marker], USUAL_RESIDUAL * np.median(take.residuals[present[:, marker], marker]))
    return limit


def threshold_findings(take: Take, reasons: Mapping[str, BoolArray], settings: Settings, limit: FloatArray) -> tuple[Finding, ...]:
    """One finding for each threshold that removes much, or would have.

    Args:
        take: Before it was cleaned.
        reasons: {reason: (frames, labels)}, what was flagged.
        settings: The thresholds.
        limit: `residual_limit` of the take.
    """
    present = take.present
    much_of = partial(much_removed, take.labels, np.count_nonzero(present, axis=0))
    over = much_of(present & (take.residuals > settings.max_residual * 1e-3))
    removed = much_of(reasons["residual"])
    found = [_kept(over, settings.max_residual, limit)] if over.labels and over.labels != removed.labels else []
    names = {"jump": SETTINGS["max_speed"].said(settings.max_speed), "rigid": SETTINGS["rigid_tolerance"].said(settings.rigid_tolerance)}
    if not found:
        names["residual"] = SETTINGS["max_residual"].said(settings.max_residual)
    for reason, name in names.items():
        much = removed if reason == "residual" else much_of(reasons[reason])
        if much.labels:
            above_all = shortened(much.labels)
            text = f"The {name} removed {much.part:.1%} of the samples, above all of {above_all}: raise it if they look right."
            found.append(Finding("threshold", text, much.labels))
    return tuple(found)


def _kept(over: Much, max_residual: float, limit: FloatArray) -> Finding:
    """Samples that a threshold in mm would have removed."""
    raised = limit.max() * 1000
    why = f"it was raised to {raised:.0f} mm" if raised > max_residual else "these were kept, as they tell no sample from another"
    much = f"{over.part:.1%} of the samples, above all of {shortened(over.labels)}"
    text = f"Camera residuals are above the {SETTINGS['max_residual'].said(max_residual)} in {much}: {why}."
    return Finding("threshold", text, over.labels)


def much_removed(labels: tuple[str, ...], counts: IntArray, removed: BoolArray) -> Much:
    """Of which labels much is removed.

    Args:
        labels: Of the take.
        counts: (labels,) how many samples each has.
        removed: (frames, labels), which of them are removed.
    """
    gone = np.count_nonzero(removed, axis=0)
    parts = gone / np.maximum(counts, 1)
    whole = float(gone.sum() / max(counts.sum(), 1))
    order = np.argsort(-parts, kind="stable")
    much = [marker for marker in order if parts[marker] > MUCH_OF_MARKER]
    if not much and whole > MUCH_OF_TAKE:
        much = [order[0]]
    return Much(tuple(labels[marker] for marker in much), whole)
