# SPDX-License-Identifier: GPL-3.0-or-later
"""A solve of nobody, so that the first solve of somebody takes no longer than later ones: what is loaded or set up on first use, is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ..actors import prior as priors
from ..core.settings import Settings
from ..core.take import Take
from ..solver.kinematics import Body, Pose, to_array
from .pipeline import solve_take

#: The shortest take that goes through every stage as a long one does: feet stand, a gap is filled.
FRAMES, RATE_HZ = 40, 60.0
#: How far each coordinate swings, in its own standard deviations, and the markers' jitter in metres.
SWING, JITTER_M = 0.3, 5e-4


class StoppedError(Exception):
    """Something better to do has come up."""


def rehearse(interrupted: Callable[[], bool]) -> None:
    """Solve the dummy take.

    Args:
        interrupted: Asked many times a second whether to stop.
    """

    def progress(_stage: str, _part: float) -> None:
        if interrupted():
            raise StoppedError

    try:
        progress("", 0.0)
        solve_take(dummy_take(), Settings(), None, progress)
    except StoppedError:
        pass


def dummy_take() -> Take:
    """A person of mean build who stands and swings a little; Y up, always the same."""
    prior = priors.bundled()
    actor = prior.mean_actor()
    body = Body(actor, prior.pose, torch.device("cpu"), torch.float64)
    rest = body.rest(FRAMES)
    deviation = np.sqrt(np.diag(np.linalg.inv(prior.pose.precision)))
    swing = np.sin(2 * np.pi * np.arange(FRAMES) / RATE_HZ)[:, None] * SWING * deviation
    # the legs stand
    legs = [joint for joint, name in enumerate(actor.skeleton.joints) if "Leg" in name or "Foot" in name]
    swing[:, np.isin(prior.pose.joints_of, legs)] = 0.0
    markers = to_array(body.posed(Pose(rest.root, rest.turn, torch.as_tensor(swing))).markers)
    markers += np.random.default_rng(0).normal(scale=JITTER_M, size=markers.shape)
    markers[10:14, actor.labels.index("LFIN")] = np.nan
    return Take("rehearsal", actor.labels, markers, np.zeros(markers.shape[:2]), RATE_HZ, up_axis="Y")
