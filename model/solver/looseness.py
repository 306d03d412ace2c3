# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a marker that was attached by motion moves about on its bone, as one of a finger does on the hand.

A marker spreads about its place for three reasons: the cameras' noise and skin, a pose that the other markers leave unsure, and its own
moving about. The first is known of the take. The second is the marker's variance by Laplace's approximation, the trace of J H^-1 J', of the
poses' normal matrices H without the marker and its Jacobian J. What is left is the third, and no reason to bend a limb.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from ..actors.prior import PosePrior
from ..core.take import FloatArray
from .fit import DAMPING, normal_equations, prior_terms, upper_triangle
from .kinematics import Body, Pose, marker_jacobian, to_array
from .observations import Observations
from .topology import ROOT_DOF

#: Scale of the robust kernel in metres: that of poses which have been found.
SCALE_M = 0.03
#: Of a take's `sigma_m`, which is widened for skin that carries the markers of a bone together, so much is a marker's own: then what this
#: predicts of 48 usual markers of six real takes that were left to motion is in the median what they spread by.
OWN_SIGMA = 0.5
#: Less than this, in m, is skin.
LEAST_M = 0.006
#: A damping of translation and rotation in the world, where a frame has next to no marker.
LEAST_PRECISION = 1.0


def how_loose(body: Body, prior: PosePrior, pose: Pose, seen: Observations, longer: Body, spreads_m: FloatArray) -> FloatArray:
    """(markers,) in metres: how far attached markers move about on their bones; 0 of those whose spread is explained.

    Args:
        body: With the markers that the poses were found by.
        prior: Of its poses.
        pose: Of frames that are apart.
        seen: These frames: the body's markers, and behind them the attached ones. `sigma_m` is that of the take.
        longer: The same body with the attached markers behind its own.
        spreads_m: (markers,) in metres: root mean square distances of the attached markers from their places.
    """
    own, seen = len(body.labels), replace(seen, sigma_m=OWN_SIGMA * seen.sigma_m)
    shown = seen.confidence[:, own:] >= 1
    variances = torch.where(shown, _predicted(body, prior, pose, seen.only(range(own)), longer), torch.nan)
    unsure = to_array(variances.nanmedian(dim=0).values)
    moving = np.sqrt(np.clip(spreads_m**2 - 3 * seen.sigma_m**2 - np.nan_to_num(unsure), 0.0, None))
    return np.where(moving >= LEAST_M, moving, 0.0)


def _predicted(body: Body, prior: PosePrior, pose: Pose, seen: Observations, longer: Body) -> torch.Tensor:
    """(frames, attached markers) in m^2: how unsure poses leave their places, of the three axes together."""
    band, _ = normal_equations(body, pose, seen, prior_terms(prior, seen.seconds, seen.points), SCALE_M)
    matrices = upper_triangle(band)
    diagonal = matrices.diagonal(dim1=1, dim2=2)
    diagonal *= 1 + DAMPING
    diagonal[:, :ROOT_DOF] += LEAST_PRECISION
    covariance = torch.cholesky_inverse(torch.linalg.cholesky(matrices, upper=True), upper=True)
    jacobian = marker_jacobian(longer.topology, pose, longer.posed(pose))[:, len(body.labels) :]
    # the rows of all markers in one product: else the covariance is copied for each
    return ((jacobian.flatten(1, 2) @ covariance).view_as(jacobian) * jacobian).sum((-1, -2))
