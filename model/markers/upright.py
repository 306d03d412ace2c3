# SPDX-License-Identifier: GPL-3.0-or-later
"""Which axis points up and how large the figure is, told from labelled markers.

Every label that a bundled marker set knows has a height in a standing person. The regression of a frame's markers on these heights is
the direction from the feet to the head, with the length 1 for an adult of usual size: it needs neither the head nor the feet, and a few
wrong labels hardly move it. A person stands or walks most of the time, and lies on the floor where all markers are low along the axis
that the file declares; floors are at height 0. Where no label is known the floor alone tells: the lowest points stay on it, and a person is
above.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from ..core.axes import AXES, heights, up_vector
from ..core.findings import Finding
from ..core.take import Axis, BoolArray, FloatArray, all_finite
from ..marker_sets.marker_set import bundled_marker_sets

#: Height in metres of the markers that ride on a joint, in the zero pose of the mean person; arms go anywhere. Without the side.
HEIGHTS_M = {
    "Head": 1.55,
    "Neck": 1.4,
    "Shoulder": 1.37,
    "Spine1": 1.28,
    "Spine": 1.06,
    "LowerBack": 0.99,
    "Hips": 0.91,
    "HipJoint": 0.82,
    "UpLeg": 0.56,
    "Leg": 0.2,
    "Foot": 0.0,
    "ToeBase": 0.0,
}
SIDE = re.compile(r"^(Left|Right|L(?=HipJoint)|R(?=HipJoint))")
#: Names that no set knows, but tell head and feet all the same.
HEAD = re.compile(r"HEAD|HD$", re.IGNORECASE)
FEET = re.compile(r"(HEE|HEEL|HEL|TOE|MT[15]|ANK|FCC|FM[125]|FAL|TAM)$", re.IGNORECASE)
PREFIX = re.compile(r".*[:.]|^[^_]*_(?=.{2})")

#: Frames that are looked at.
FRAMES = 200
#: The heights of a frame's markers must differ by this, as a standard deviation in metres.
LEAST_SPREAD_M = 0.15
#: A person stands along an axis where the direction is nearer to it than this cosine, and stretched to this part of an adult, ...
NEAR, STRETCHED = 0.8, 0.5
#: ... in more than this part of the frames.
MOSTLY = 0.5
#: Where somebody lies on the floor no marker is higher than this, in metres.
LYING_M = 0.7
#: The lowest marker of a frame stays this near to 0, and to itself, while it is on the floor, in metres: the floor's own level, and how
#: far it varies between the 10th and the 90th percentile while somebody lies, or stands, walks and jumps.
FLOOR_M, LYING_RANGE_M, STANDING_RANGE_M = 0.12, 0.15, 0.25
#: How tall the points of somebody without known labels are who stands, in metres, and how many a frame has to have.
TALL_M, FEWEST_POINTS = (0.9, 2.4), 10
#: A room's wall does not follow who walks: the lowest marker along an axis that is level varies by more than this, in metres.
WALKING_M = 0.4


@lru_cache(maxsize=4096)
def usual_height(label: str) -> float | None:
    """Of a label, with or without a prefix, in a standing adult, in metres; None where nothing is known of it, or it is an arm's."""
    names = (label, PREFIX.sub("", label))
    for name in names:
        for marker_set in bundled_marker_sets():
            if (found := marker_set.find(name)) is not None:
                joint = marker_set.places[marker_set.labels.index(found)].joint
                return HEIGHTS_M.get(SIDE.sub("", joint).replace("Neck1", "Neck"))
    return HEIGHTS_M["Head"] if HEAD.search(label) else HEIGHTS_M["Foot"] if FEET.search(label) else None


def directions(labels: Sequence[str], positions: FloatArray) -> FloatArray:
    """(some frames, 3): from the feet to the head, of length 1 for an adult who stands in positions (frames, labels, 3) in metres."""
    rows = [row for row, label in enumerate(labels) if usual_height(label) is not None]
    some = _spread(positions)[:, rows]
    usual = np.array([usual_height(labels[row]) for row in rows], dtype=float)
    seen = all_finite(some)
    count = np.maximum(seen.sum(axis=1, keepdims=True), 1)
    apart = seen * (usual - (seen * usual).sum(axis=1, keepdims=True) / count)
    variance = (apart**2).sum(axis=1)
    told = variance > LEAST_SPREAD_M**2 * count[:, 0]
    return np.einsum("fl,fli->fi", apart[told], np.nan_to_num(some[told])) / variance[told, None]


def decide_up(labels: Sequence[str], positions: FloatArray, declared: Axis, *, said: bool) -> tuple[Axis, tuple[Finding, ...]]:
    """Which axis points up.

    Args:
        labels: Of the file.
        positions: (frames, labels, 3) in metres.
        declared: By the file or, where that says nothing, by its format.
        said: Whether it is the file that says so.

    Returns:
        The axis, and a finding where it is not the declared one.
    """
    along = directions(labels, positions)
    whose = "the file says" if said else "such files usually have"
    if not len(along):
        axis = _by_floor(positions, declared)
        if axis == declared:
            return declared, ()
        text = f"{axis} points up in the take, as points on the floor show, not {declared}, as {whose}: set the up axis if that is wrong."
        return axis, (Finding("axes", text),)
    lengths = np.linalg.norm(along, axis=-1)
    standing = {axis: float(((along @ up_vector(axis) > NEAR * lengths) & (lengths > STRETCHED)).mean()) for axis in AXES}
    axis = max(AXES, key=lambda one: (standing[one], one == declared))
    if axis == declared or standing[axis] <= MOSTLY or not _stands(labels, positions, axis, declared):
        return declared, ()
    text = f"{axis} points up in the take, as the markers show, not {declared}, as {whose}: set the up axis if that is wrong."
    return axis, (Finding("axes", text, numbers={"standing_percent": round(100 * standing[axis], 1)}),)


def _by_floor(positions: FloatArray, declared: Axis) -> Axis:
    """The axis along which points without known labels stand on the floor: the declared one if they may, or if others do not tell."""
    some = _spread(positions)
    some = some[all_finite(some).sum(axis=1) >= FEWEST_POINTS]
    if not len(some) or _on_floor(some, declared, STANDING_RANGE_M):
        return declared
    standing: list[Axis] = [axis for axis in AXES if _on_floor(some, axis, LYING_RANGE_M) and TALL_M[0] < _tall(some, axis) < TALL_M[1]]
    return standing[0] if len(standing) == 1 else declared


def _on_floor(some: FloatArray, axis: Axis, most: float) -> bool:
    """Whether the lowest point of some frames (frames, points, 3) but one, which may be nobody's, stays at the floor along an axis."""
    return _stay_on_floor(np.sort(heights(some, axis), axis=1)[:, 1], most)


def _tall(some: FloatArray, axis: Axis) -> float:
    low, high = _levels(some, axis)
    return float(np.median(high - low))


def _stands(labels: Sequence[str], positions: FloatArray, axis: Axis, declared: Axis) -> bool:
    """Whether a person whose head is mostly above the feet along an axis stands, rather than lies on the floor of the declared one."""
    rows = [row for row, label in enumerate(labels) if usual_height(label) is not None]
    some = _spread(positions)[:, rows]
    some = some[all_finite(some).any(axis=1)]
    lowest, _ = _levels(some, axis)
    on_floor = _stay_on_floor(lowest, STANDING_RANGE_M)
    low, high = _levels(some, declared)
    if _stay_on_floor(low, LYING_RANGE_M) and np.percentile(high, 90) < LYING_M:
        # a person stands most of the time
        return on_floor
    walks = _range(low) > WALKING_M and axis[-1] != declared[-1]
    # of the axes that labs use nothing more is asked
    return axis in ("Y", "Z") or on_floor or walks


def _spread(positions: FloatArray) -> FloatArray:
    """Some of the frames, over the whole take."""
    return positions[:: max(1, len(positions) // FRAMES)]


def _range(levels: FloatArray) -> float:
    """How far levels (frames,) vary, but for some frames."""
    return float(np.ptp(np.percentile(levels, [10, 90])))


def _stay_on_floor(lowest: FloatArray, most: float) -> bool:
    """Whether the heights of the lowest point (frames,) are those of the floor, and vary less than the most that they may."""
    return bool(abs(np.median(lowest)) < FLOOR_M) and _range(lowest) < most


def _levels(some: FloatArray, axis: Axis) -> tuple[FloatArray, FloatArray]:
    """Heights (frames,) of the lowest and of the highest marker of some frames (frames, labels, 3), each with one."""
    up = heights(some, axis)
    return np.nanmin(up, axis=1), np.nanmax(up, axis=1)


def known_by_name(labels: Sequence[str]) -> BoolArray:
    """(labels,): whose heights are known."""
    return np.array([usual_height(label) is not None for label in labels], dtype=bool)
