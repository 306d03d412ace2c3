# SPDX-License-Identifier: GPL-3.0-or-later
"""The strip along the frames of a take: a row a part of the body or a marker, its worst state in each column, and curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..core.take import FloatArray, IntArray
from ..marker_sets.marker_set import MarkerSet
from .states import StateArray

Number = TypeVar("Number", bound=np.generic)

PARTS = ("Head", "Torso", "Left Arm", "Right Arm", "Left Leg", "Right Leg")
OTHER = "Others"
ARM, LEG, HEAD = ("Shoulder", "Arm", "Hand", "Finger", "Thumb"), ("Leg", "Foot", "Toe", "HipJoint"), ("Head", "Neck")


@dataclass(frozen=True)
class Row:
    """A row of the strip: its name, and the take's markers that it is about."""

    name: str
    markers: tuple[int, ...]


def part_rows(labels: Sequence[str], marker_set: MarkerSet | None) -> tuple[Row, ...]:
    """A row for each part of the body that has markers, and one for those of which no set knows where they sit."""
    joints = dict(zip(marker_set.labels, marker_set.joints, strict=True)) if marker_set is not None else {}
    found: dict[str, list[int]] = {name: [] for name in (*PARTS, OTHER)}
    for marker, label in enumerate(labels):
        found[_part(joints.get(label, ""))].append(marker)
    return tuple(Row(name, tuple(markers)) for name, markers in found.items() if markers)


def _part(joint: str) -> str:
    side = "Left" if joint.startswith("L") and not joint.startswith("Lower") else "Right"
    if any(name in joint for name in HEAD):
        return "Head"
    if any(name in joint for name in LEG):
        return f"{side} Leg"
    if any(name in joint for name in ARM):
        return f"{side} Arm"
    return "Torso" if joint else OTHER


def without_subject(labels: Sequence[str]) -> tuple[str, ...]:
    """The labels without a subject and colon, where only one subject is among them: it tells none of them from another.

    They stay as they are where they could not be told apart any more.
    """
    subjects = {label.rpartition(":")[0] for label in labels if ":" in label}
    short = tuple(label.rpartition(":")[2] for label in labels)
    return short if len(subjects) == 1 and all(short) and len(set(short)) == len(set(labels)) else tuple(labels)


def columns(frames: int, first: float, last: float, count: int) -> IntArray:
    """(count + 1): the samples at which the columns of a strip from sample `first` to `last` begin, and the end of the last one.

    Samples before the take or behind it are -1 or `frames`: a column between two of the same shows nothing.
    """
    edges = np.floor(np.linspace(first, last + 1, count + 1) + 1e-9).astype(np.intp)
    return np.clip(edges, -1, frames)


def worst(codes: StateArray, rows: Sequence[Row], edges: IntArray) -> IntArray:
    """(rows, columns): the worst state of a row's markers in each column, -1 where the take has no sample."""
    frames = len(codes)
    starts = np.clip(edges[:-1], 0, max(0, frames - 1))
    ends = np.maximum(edges[1:], starts + 1)
    outside = (edges[:-1] < 0) & (edges[1:] <= 0) | (edges[:-1] >= frames)
    found = np.full((len(rows), len(starts)), -1, dtype=np.intp)
    for index, row in enumerate(rows):
        per_frame = codes[:, list(row.markers)].max(axis=1).astype(np.intp)
        found[index] = _reduced(per_frame, starts, ends)
        found[index, outside] = -1
    return found


def highest(values: FloatArray, edges: IntArray) -> FloatArray:
    """(columns,): the largest value of (frames,) in each column, NaN where there is none."""
    frames = len(values)
    starts = np.clip(edges[:-1], 0, max(0, frames - 1))
    found = _reduced(np.nan_to_num(values, nan=-np.inf), starts, np.maximum(edges[1:], starts + 1))
    found = np.where(np.isfinite(found), found, np.nan)
    found[(edges[:-1] >= frames) | ((edges[:-1] < 0) & (edges[1:] <= 0))] = np.nan
    return found


def _reduced(values: NDArray[Number], starts: IntArray, ends: IntArray) -> NDArray[Number]:
    """The largest of values[start:end] for each start and end; where a column is narrower than a sample, that sample."""
    widest = int((ends - starts).max(initial=1))
    found = values[starts]
    for step in range(1, widest):
        found = np.maximum(found, values[np.minimum(starts + step, np.minimum(ends, len(values)) - 1)])
    return found


def runs(states: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Starts, ends and states of the runs of equal states (columns,), those of -1 left out."""
    if not len(states):
        none = np.zeros(0, dtype=np.intp)
        return none, none, none
    starts = np.concatenate([[0], np.flatnonzero(np.diff(states)) + 1])
    ends = np.concatenate([starts[1:], [len(states)]])
    kept = states[starts] >= 0
    return starts[kept], ends[kept], states[starts][kept]
