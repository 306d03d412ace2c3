# SPDX-License-Identifier: GPL-3.0-or-later
"""What a solve did, as the numbers a user is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..actors.actor import Actor
from ..core.distances import distances
from ..core.findings import Finding
from ..core.take import CleanTake, FloatArray
from ..storage.atomic import replacing
from .doubtful import doubtful_of
from .solution import Solution

#: Mean marker residuals up to these, in mm, are usual, and to be looked at. Of public takes that are right they are 0.5 to 9.5 mm; of takes
#: that were solved with another person's actor 29 mm or more.
USUAL_MM, LOOK_MM = 10.0, 25.0
Judgement = Literal["usual", "look at it", "wrong"]


def judged(residual_mm: float) -> Judgement:
    """What a mean marker residual says of a solve. A usual one proves nothing of rotations that markers hardly tell of."""
    if residual_mm <= USUAL_MM:
        return "usual"
    return "look at it" if residual_mm <= LOOK_MM else "wrong"


def build_report(solution: Solution, seconds: Mapping[str, float]) -> dict[str, Any]:
    """The report of a solution, ready for JSON.

    Marker residuals are distances in mm from the samples of the file to where the solver puts that marker; a sample that was
    relabelled counts under its right label. Means are of the samples that are trusted: a lone spike would make any mean, and is
    counted in `flagged`. The median and the 95th percentile are of every sample, flagged or not: they show when much was flagged.

    Args:
        solution: Of any take.
        seconds: {stage: seconds}, in order and disjoint, the solution's own and those of its reading and writing.

    Returns:
        `frames`, how many; `first_frame` and `frame_step`, by which findings number them: as the file does, in Blender as the scene
        does; `rate_hz`, `seconds` {stage: seconds}, `marker_residual_mm` {`mean`, `median`, `p95`, `per_label` (means)} (None
        where there is no such sample), `marker_sigma_mm` {label: standard deviation, root mean square of the three axes}, how sure the
        actor is of its markers' places, the least sure first, without those of which it says nothing, `flagged` {label: {reason:
        samples}}, `contacts` {foot: {sole: {`spans`, `seconds`, `frames` [[first, last], ...]}}}, how often, how long and when each
        stands, `floor_mm`, where (None where none does), `findings` [{`kind`, `text`, `labels`, `bones`, `frames` [[first, last], ...],
        `numbers`, `columns`}] (see `Finding`), `doubtful`, the same of markers that are to be looked at (see `doubtful.py`), and
        `warnings`, the findings in sentences.
    """
    take = solution.clean.take
    off = distances(take.positions, solution.markers_model)
    return {
        "frames": take.frames,
        "first_frame": take.first_frame,
        "frame_step": take.frame_step,
        "rate_hz": take.rate_hz,
        "seconds": {stage: round(float(value), 6) for stage, value in seconds.items()},
        "marker_residual_mm": _marker_residual_mm(solution, off),
        "marker_sigma_mm": _marker_sigma_mm(solution.actor),
        "flagged": {label: dict(counts) for label, counts in solution.clean.flagged.items()},
        "contacts": _contacts(solution),
        "floor_mm": None if solution.floor_m is None else round(1000 * solution.floor_m, 2),
        "findings": [each.document(take.number) for each in solution.findings],
        "doubtful": [each.document(take.number) for each in doubtful_of(solution.clean, off)],
        "warnings": solution.warnings,
    }


def write_report(report: Mapping[str, Any], path: Path) -> None:
    """Write a report as strict JSON."""
    with replacing(path) as stream:
        stream.write(json.dumps(report, indent=1, allow_nan=False) + "\n")


def marker_residuals_mm(markers: FloatArray, markers_model: FloatArray) -> FloatArray:
    """Distance (frames, labels) in mm between samples (frames, labels, 3), NaN where missing, and the solver's markers."""
    found = distances(markers, markers_model)
    found *= 1000
    return found


def _marker_residual_mm(solution: Solution, off: FloatArray) -> dict[str, Any]:
    """Of distances (frames, labels) in m."""
    take, trusted = solution.clean.take, solution.clean.trusted
    everything = off[take.present]
    return {
        "mean": _rounded_mm(off[trusted], np.mean),
        "median": _rounded_mm(everything, np.median),
        "p95": _rounded_mm(everything, _p95),
        "per_label": {label: _rounded_mm(off[trusted[:, row], row], np.mean) for row, label in enumerate(take.labels)},
    }


def _marker_sigma_mm(actor: Actor) -> dict[str, float]:
    if actor.offset_sigma is None:
        return {}
    sigmas = np.sqrt((actor.offset_sigma**2).mean(axis=1)) * 1000
    return {actor.labels[row]: round(float(sigmas[row]), 2) for row in np.argsort(-sigmas) if np.isfinite(sigmas[row])}


def _contacts(solution: Solution) -> dict[str, dict[str, dict[str, Any]]]:
    found: dict[str, dict[str, dict[str, Any]]] = {}
    take = solution.clean.take
    for contact in solution.contacts:
        sole = found.setdefault(contact.sole.foot, {}).setdefault(contact.sole.part, {"spans": 0, "seconds": 0.0, "frames": []})
        sole["spans"] += 1
        sole["seconds"] = round(sole["seconds"] + (contact.last - contact.first + 1) / take.rate_hz, 6)
        sole["frames"].append([take.number(contact.first), take.number(contact.last)])
    return found


def _p95(values: FloatArray) -> float:
    return float(np.percentile(values, 95))


def _rounded_mm(values: FloatArray, statistic: Any) -> float | None:
    """A statistic in mm of values in m."""
    return round(1000 * float(statistic(values)), 4) if len(values) else None


def far_off(cleaned: CleanTake, markers: FloatArray) -> tuple[Finding, ...]:
    """That a solve is wrong, whose markers (frames, labels, 3) are so far from those of the file; nothing of any other."""
    residuals_mm = marker_residuals_mm(cleaned.take.positions, markers)[cleaned.trusted]
    off_mm = float(residuals_mm.mean()) if len(residuals_mm) else 0.0
    if judged(off_mm) != "wrong":
        return ()
    said = f"The markers are {off_mm:.0f} mm off on average: their labels or the actor may be wrong."
    return (Finding("far off", said, numbers={"residual_mm": round(off_mm, 1)}),)
