# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers as the solver sees them, and the poses that it finds in them."""

import numpy as np
import torch

from model.actors.prior import bundled
from model.solver.coarse_poses import find_poses
from model.solver.fit import Observations, fit_poses
from model.solver.kinematics import Body, Pose


def observed(markers: np.ndarray, rate_hz: float = 120.0) -> Observations:
    known = np.isfinite(markers).all(axis=-1)
    return Observations(torch.as_tensor(np.nan_to_num(markers)), torch.as_tensor(known.astype(float)), 1 / rate_hz)


def solved(body: Body, seen: Observations) -> Pose:
    return fit_poses(body, bundled().pose, seen, find_poses(body, bundled().pose, seen))
