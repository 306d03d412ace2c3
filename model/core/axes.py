# SPDX-License-Identifier: GPL-3.0-or-later
"""The axis of a take that points up, and the rotations from it to the axes of files and programs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .take import Axis, FloatArray, Take

#: Columns of a take's axes on those of a Y-up file: (x, y, z) of a Z-up take becomes (x, z, -y). All are rotations, so that nobody
#: is mirrored.
TO_Y_UP: dict[Axis, FloatArray] = {
    "Y": np.eye(3),
    "Z": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]),
    "X": np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
    "-Y": np.diag([1.0, -1.0, -1.0]),
    "-Z": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]),
    "-X": np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]),
}
#: (x, y, z) of a y-up world becomes (x, -z, y): what Blender's own importers do.
Y_UP_TO_Z_UP: FloatArray = TO_Y_UP["Z"].T
AXES: tuple[Axis, ...] = tuple(TO_Y_UP)


def up_index(axis: Axis) -> int:
    """0, 1 or 2: the coordinate that heights are measured along."""
    return "XYZ".index(axis[-1])


def up_sign(axis: Axis) -> float:
    """1.0 where that coordinate grows upwards, -1.0 where it grows downwards."""
    return -1.0 if axis.startswith("-") else 1.0


def up_vector(axis: Axis) -> FloatArray:
    """(3,): the unit vector that points up."""
    return up_sign(axis) * np.eye(3)[up_index(axis)]


def heights(points: FloatArray, axis: Axis) -> FloatArray:
    """(...) in metres of points (..., 3)."""
    along = points[..., up_index(axis)]
    return -along if axis.startswith("-") else along


def pointing_up(take: Take, up: str) -> Take:
    """A take whose up axis is as `Settings.up` says, and no finding says otherwise; the very same for "auto"."""
    if up == "auto":
        return take
    axis = next(axis for axis in AXES if axis.lower() == up)
    return replace(take, up_axis=axis, findings=tuple(each for each in take.findings if each.kind != "axes"))
