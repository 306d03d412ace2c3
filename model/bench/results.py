# SPDX-License-Identifier: GPL-3.0-or-later
"""What a comparison gives: each contestant's figures on each take, their means, and the file that keeps them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from ..storage.atomic import replacing

#: Figures of which several takes have the sum, and the largest; of all others they have the mean.
SUMS = ("frames", "failed_frames", "unplaced_samples")
LARGEST = ("max_mm", "motion_max_mm")
#: What depends on the machine's mood, and what is too near 0 for a ratio.
NOT_COMPARED = ("frames_per_second", "flips_per_1000", "failed_frames", "unplaced_samples")

Actors = Literal["none", "fitted", "true"]


@dataclass(frozen=True)
class Line:
    """One contestant on one case.

    Attributes:
        contestant, actors, case, condition: Who, with which actors, on what.
        figures: None where it failed.
        error: Why, in a sentence.
        seconds: For all of the frames.
    """

    contestant: str
    actors: Actors
    case: str
    condition: str
    figures: dict[str, float] | None
    error: str | None
    seconds: float


@dataclass(frozen=True)
class Entry:
    """One contestant with one kind of actors: its lines, version and peak memory, and whether it got excerpts only."""

    contestant: str
    kind: str
    actors: Actors
    lines: list[Line]
    version: str
    peak_mb: float
    slow: bool
    error: str | None


def mean_by_frames(values: Sequence[float], frames: Sequence[float]) -> float:
    """The mean over several takes in every document of the bench: each take counts by its frames; NaN where none has a value.

    Args:
        values: One for each take; a NaN has no say.
        frames: How many each take has.
    """
    given, weights = np.asarray(values, dtype=float), np.asarray(frames, dtype=float)
    known = np.isfinite(given)
    return float(np.average(given[known], weights=weights[known])) if known.any() else math.nan


def mean_figures(lines: Sequence[Line]) -> dict[str, float] | None:
    """The figures of several takes as one: means by `mean_by_frames`, the largest of the largest, sums of counts, frames a second."""
    scored = [line for line in lines if line.figures is not None]
    if not scored:
        return None
    every = [line.figures for line in scored if line.figures is not None]
    frames = [figures["frames"] for figures in every]
    joined: dict[str, float] = {}
    for name in every[0]:
        values = [figures[name] for figures in every]
        if name in SUMS:
            joined[name] = sum(values)
        elif name in LARGEST:
            joined[name] = max((value for value in values if math.isfinite(value)), default=math.nan)
        else:
            joined[name] = mean_by_frames(values, frames)
    seconds = sum(line.seconds for line in scored)
    return joined | {"frames_per_second": sum(frames) / seconds if seconds else math.nan}


def of_condition(entry: Entry, condition: str) -> Entry:
    """The entry with the lines of one condition only."""
    return replace(entry, lines=[line for line in entry.lines if line.condition == condition])


def write_results(entries: Sequence[Entry], path: Path) -> None:
    """Keep everything as JSON."""
    with replacing(path) as stream:
        json.dump([asdict(entry) for entry in entries], stream)


def read_results(path: Path) -> list[Entry]:
    """What `write_results` wrote; nothing where there is none, or one of another version."""
    try:
        documents = json.loads(path.read_text())
        return [Entry(**{**document, "lines": [Line(**line) for line in document["lines"]]}) for document in documents]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def differences(before: Sequence[Entry], after: Sequence[Entry]) -> dict[tuple[str, Actors, str], float]:
    """{(contestant, actors, condition): largest relative difference of a figure of accuracy between two runs} of what is in both."""
    known = {(line.contestant, line.actors, line.case): line.figures for entry in before for line in entry.lines if line.figures}
    largest: dict[tuple[str, Actors, str], float] = {}
    for line in (line for entry in after for line in entry.lines):
        earlier = known.get((line.contestant, line.actors, line.case), {})
        apart = [
            abs(value - earlier[name]) / abs(earlier[name])
            for name, value in (line.figures or {}).items()
            if name in earlier and name not in NOT_COMPARED and math.isfinite(value) and math.isfinite(earlier[name]) and earlier[name]
        ]
        if apart:
            row = (line.contestant, line.actors, line.condition)
            largest[row] = max(largest.get(row, 0.0), *apart)
    return largest
