# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses as arrays of positions, rotations and markers, some frames at a time."""

from __future__ import annotations

import numpy as np

from ..core.curves import hermite, spline_slopes
from ..core.parallel import columns, run_each
from ..core.rigid import steady
from ..core.take import FloatArray, number_type
from .fit import Found
from .frames import Window, spans, windows
from .kinematics import Body, Pose, to_array
from .rotations import rotmat_to_unitquat


def marker_places(body: Body, found: Found, frames: int) -> FloatArray:
    """(frames, labels, 3) in metres: the markers of the poses that were found, on a smooth curve in between."""
    markers = np.empty((found.pose.frames, len(body.labels), 3))

    def place(span: slice) -> None:
        markers[span] = to_array(body.posed(found.pose[span]).markers)

    run_each(place, spans(found.pose.frames))
    if frames < 2:
        return markers
    at, places = found.at.cpu().numpy(), np.empty((frames, *markers.shape[1:]), dtype=number_type(frames))
    slopes = spline_slopes(at, markers)

    def work(window: Window) -> None:
        places[window.frames] = hermite(at, markers, slopes, np.arange(window.frames.start, window.frames.stop))

    run_each(work, windows(frames))
    return places


def as_arrays(body: Body, pose: Pose) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Positions (frames, joints, 3), local quaternions w x y z (frames, joints, 4) and markers (frames, labels, 3) of poses.

    They are in the precision of `number_type`; the solver's own is single.
    """
    frames, joints = pose.frames, len(body.joints)
    shapes = ((joints, 3), (joints, 4), (len(body.labels), 3))
    positions, rotations, markers = (np.empty((frames, *shape), dtype=number_type(frames)) for shape in shapes)

    def work(here: slice) -> None:
        posed = body.posed(pose[here])
        positions[here], markers[here] = to_array(posed.positions), to_array(posed.markers)
        rotations[here] = to_array(rotmat_to_unitquat(posed.local))

    run_each(work, spans(frames))

    def keep_signs(some: slice) -> None:
        steady(rotations[:, some])

    run_each(keep_signs, columns(joints, frames))
    return positions, rotations, markers
