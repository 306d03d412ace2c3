# SPDX-License-Identifier: GPL-3.0-or-later
"""biorbd: its extended Kalman filter, begun from its inverse kinematics of one frame."""

from __future__ import annotations

import io
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

import biorbd  # pyright: ignore[reportMissingImports]
import numpy as np

from ...actors.actor import Actor
from ...core.take import FloatArray, Take
from . import Solved
from .articulation import Articulation, articulate
from .biomod import biomod

SLOW = False

#: Variance of a marker's coordinate in m^2. biorbd's own 1e-10 believes the markers so much that an outlier throws the filter off.
NOISE = 1e-8


def version() -> str:
    """biorbd's."""
    return biorbd.__version__


def solve(actor: Actor, take: Take) -> Solved:
    """Solve a take frame by frame; the filter leaves a marker out of a frame where it is NaN.

    A frame without markers, through which it would fly on, repeats the one before. Nothing draws the angles to a mean pose, so
    those that the markers do not tell are locked.
    """
    body = articulate(actor, take, determined=True)
    model = model_of(body)
    order = [body.actor.labels.index(name.to_string()) for name in model.technicalMarkerNames()]
    q = filtered(model, take.positions[:, order], take.rate_hz, body.first)
    motion = body.motion(q[:, 3:], body.start + q[:, :3] @ (body.rest[0] @ body.axes[0]).T, take.rate_hz)
    return Solved(motion, body.actor.markers(motion))


def filtered(model: biorbd.Model, markers: FloatArray, rate_hz: float, first: int) -> FloatArray:
    """The coordinates (frames, coordinates) of every frame.

    Args:
        model: With M technical markers.
        markers: (frames, M, 3) in metres.
        rate_hz: Frames per second.
        first: The frame to begin from, without which the filter may settle far off.
    """
    with redirect_stdout(io.StringIO()):  # it reports each hundredth frame
        begun = biorbd.InverseKinematics(model, markers[first : first + 1].transpose(2, 1, 0)).solve("lm")[:, 0]
    kalman = biorbd.KalmanReconsMarkers(model, biorbd.KalmanParam(rate_hz, NOISE))
    q, speed = biorbd.GeneralizedCoordinates(begun), biorbd.GeneralizedVelocity(model)
    acceleration = biorbd.GeneralizedAcceleration(model)
    kalman.setInitState(q, speed, acceleration)
    found = np.empty((len(markers), model.nbQ()))
    for frame, points in enumerate(markers):
        if np.isfinite(points).any():
            kalman.reconstructFrame(model, points.reshape(-1), q, speed, acceleration)
        found[frame] = q.to_array()
    return found


def model_of(body: Articulation) -> biorbd.Model:
    """The body as a model, by way of a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "body.bioMod"
        path.write_text(biomod(body), encoding="utf-8")
        return biorbd.Model(str(path))
