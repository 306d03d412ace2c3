# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of the solver that a study switches off to see what they are worth; a user's settings are in `core/settings.py`."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields, replace

import numpy as np

from ..actors.prior import PosePrior
from .advice import Advice

#: So wide, in metres, that Geman and McClure's kernel is least squares.
LEAST_SQUARES_M = 1e3
#: How much of the pose prior and of the coupling is left where they are switched off: some, or the equations could not be solved.
NEXT_TO_NOTHING = 2e-3


@dataclass(frozen=True)
class KernelScales:
    """Scales of the robust kernel in metres, one Gauss-Newton step each: wide while poses are far off, then a few marker deviations.

    Attributes:
        coarse, settling: While poses are found, the second once the noise of the take is known.
        fine: At the take's own rate.
        ends: Then in the first and last moments, where samples are missing there.
        again: In the second try of frames that ended in a wrong minimum.
        actor_poses, actor_sizes, actor_settling: While an actor is fitted: of its poses alone, of its poses and sizes, and once the
            noise of the take is known.
    """

    coarse: tuple[float, ...] = (0.3, 0.2, 0.1, 0.05, 0.04)
    settling: tuple[float, ...] = (0.04, 0.04)
    fine: tuple[float, ...] = (0.03,)
    ends: tuple[float, ...] = (0.2, 0.1, 0.05, 0.03)
    again: tuple[float, ...] = (0.3, 0.3, 0.2, 0.2, 0.1, 0.1, 0.05, 0.04)
    actor_poses: tuple[float, ...] = (0.1,)
    actor_sizes: tuple[float, ...] = (0.05, 0.04)
    actor_settling: tuple[float, ...] = (0.04, 0.04, 0.04)

    def least_squares(self) -> KernelScales:
        """As many steps without a kernel."""
        return KernelScales(*((LEAST_SQUARES_M,) * len(scales) for scales in astuple(self)))

    def not_graduated(self) -> KernelScales:
        """As many steps, all of the scale with which poses, or sizes, end."""
        ends = {each.name: getattr(self, each.name)[-1] for each in fields(self)} | {"actor_poses": self.actor_settling[-1]}
        return KernelScales(**{name: (scale,) * len(getattr(self, name)) for name, scale in ends.items()})


@dataclass(frozen=True)
class SolverOptions:
    """What the solver uses; all of it by default.

    Attributes:
        scales: Of the robust kernel.
        network: Begin from the network's poses and sizes, else from the mean person in the mean pose, and without advice.
        fit: Fit poses to the markers, else take the network's, straight in between.
        calibrate: Fit the actor, else take the mean person with the markers where they usually are.
        own_offsets: End the actor's fit with the marker offsets that its poses ask for.
        reliabilities: Believe samples by the network's reliability while the kernel is wide.
        advice: Pull hidden coordinates to what the network says.
        limits: Hold joints within their limits.
        pose_prior: Hold poses near the usual ones.
        coupling: Hold joints near their neighbours in time.
        noise_of_take: Follow markers as closely as the noise of the take allows, else as closely in every take.
        relabel: Put labels right.
        hold_feet: Hold standing feet.
    """

    scales: KernelScales = KernelScales()
    network: bool = True
    fit: bool = True
    calibrate: bool = True
    own_offsets: bool = True
    reliabilities: bool = True
    advice: bool = True
    limits: bool = True
    pose_prior: bool = True
    coupling: bool = True
    noise_of_take: bool = True
    relabel: bool = True
    hold_feet: bool = True

    def prior(self, prior: PosePrior) -> PosePrior:
        """The part of a pose prior that is used, the very same where that is all."""
        if self.limits and self.pose_prior and self.coupling:
            return prior
        return replace(
            prior,
            limits=prior.limits if self.limits else np.stack([np.full(len(prior.speed), -np.inf), np.full(len(prior.speed), np.inf)]),
            precision=prior.precision if self.pose_prior else NEXT_TO_NOTHING * prior.precision,
            speed=prior.speed if self.coupling else prior.speed / NEXT_TO_NOTHING,
        )

    def advised(self, advice: Advice | None) -> Advice | None:
        """The part of the network's advice that is used."""
        if advice is None or (self.reliabilities and self.advice):
            return advice
        precision = advice.precision if self.advice else advice.precision.new_zeros(advice.precision.shape)
        reliability = advice.reliability if self.reliabilities else advice.reliability.new_ones(advice.reliability.shape)
        return Advice(advice.q, precision, reliability)


#: What every solve of a user does.
EVERYTHING = SolverOptions()
