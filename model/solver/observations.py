# SPDX-License-Identifier: GPL-3.0-or-later
"""The markers of a take as the solver takes them: samples with how far each is believed, and the noise that shows in them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..core.parallel import columns, each
from ..core.stretches import frames_from
from ..core.take import DOUBLE_FRAMES, CleanTake, all_finite

#: Standard deviation of a marker about its place on a rigid bone, in metres: where nothing is known of the take yet, and the least
#: and the most that is believed once it shows.
MARKER_SIGMA_M, LEAST_SIGMA_M, MOST_SIGMA_M = 0.012, 0.0015, 0.012
#: By how much the deviations that show are widened: of the cameras' jitter, which poses do not follow, and of skin, which carries
#: the markers of a bone together for a while, so that the pose takes up most of what it does.
JITTER_WIDENING, SKIN_WIDENING = 1.5, 5.0
#: Median of the length of a vector of three standard normal numbers.
MEDIAN_LENGTH = 1.538
#: Poses are found at this rate first, or a little more, so near that one step refines them at the take's own.
COARSE_HZ = 20.0
#: Frames that are chosen here and there are posed as if so many seconds apart, so that none is held to another's pose.
SECONDS_APART = 10.0
#: A filled gap says less than a sample: the first at its ends, the second deep inside, half way so many seconds from the nearest sample.
#: How far off a curve through a gap is grows with that time's square, its variance with the fourth power, until it is as good a guess
#: as any of where a hidden limb is.
FILLED_CONFIDENCE, LEAST_FILLED_CONFIDENCE, FILLED_SECONDS = 0.3, 0.01, 0.04


@dataclass(frozen=True, eq=False)
class Observations:
    """Marker samples of a run of frames.

    Attributes:
        points: (frames, labels, 3) in metres; any finite number where the confidence is 0.
        confidence: (frames, labels): 1 for a sample, less for a filled gap, 0 for none.
        seconds: Between two frames.
        jitter_m: Standard deviation of the cameras' noise along an axis, see `jitter_of`.
        sigma_m: Standard deviation of a marker about its place on a rigid bone, along an axis.
    """

    points: Tensor
    confidence: Tensor
    seconds: float
    jitter_m: float = 0.0
    sigma_m: float = MARKER_SIGMA_M

    def __getitem__(self, frames: Tensor | slice) -> Observations:
        return replace(self, points=self.points[frames], confidence=self.confidence[frames])

    def only(self, markers: Sequence[int]) -> Observations:
        """Of these markers only, by their indices and in that order."""
        rows = list(markers)
        return replace(self, points=self.points[:, rows], confidence=self.confidence[:, rows])

    def apart(self) -> Observations:
        """The same, no frame of which is held to its neighbour's pose."""
        return replace(self, seconds=SECONDS_APART)

    def judged_by(self, residuals: Tensor, least_m: float = LEAST_SIGMA_M, markers: Tensor | slice = slice(None)) -> Observations:
        """With `sigma_m`, of at least `least_m`, from what shows in the residuals (frames, labels, 3), in metres, of a solve.

        White noise averages out over a bone's markers and over time, so it may be followed closely. What exceeds it is skin:
        a take of markers on a rigid body is followed to its jitter, one of a person as far as `MOST_SIGMA_M` allows. `markers` are the
        columns that tell.
        """
        lengths = residuals[:, markers].norm(dim=-1)[self.confidence[:, markers] >= 1]
        if not len(lengths):
            return self
        shown = float(lengths.median()) / MEDIAN_LENGTH
        skin2 = max(shown**2 - self.jitter_m**2, 0.0)
        sigma = ((JITTER_WIDENING * self.jitter_m) ** 2 + SKIN_WIDENING**2 * skin2) ** 0.5
        return replace(self, sigma_m=min(max(sigma, least_m), MOST_SIGMA_M))


def observe(cleaned: CleanTake, device: torch.device) -> Observations:
    """The cleaned markers as the solver takes them; several threads take some markers at a time."""
    seconds = 1.0 / cleaned.take.rate_hz
    points = torch.empty(cleaned.positions.shape)
    confidence = torch.empty(points.shape[:2])

    def work(own: slice) -> Tensor:
        positions, trusted = cleaned.positions[:, own], cleaned.trusted[:, own]
        certain = np.ones(trusted.shape)
        gappy = ~trusted.all(axis=0)
        near = 1.0 / (1.0 + (frames_from(trusted[:, gappy]) * seconds / FILLED_SECONDS) ** 4)
        filled = LEAST_FILLED_CONFIDENCE + (FILLED_CONFIDENCE - LEAST_FILLED_CONFIDENCE) * near
        certain[:, gappy] = np.where(trusted[:, gappy], 1.0, np.where(all_finite(positions[:, gappy]), filled, 0.0))
        confidence[:, own] = torch.as_tensor(certain)
        points[:, own] = torch.as_tensor(np.nan_to_num(positions, nan=0.0))
        return unexplained(points[:, own], torch.as_tensor(trusted))[::apart].contiguous()

    # of an hour every fifth one tells the noise as well, in a fifth of the memory
    apart = 1 + len(points) // (DOUBLE_FRAMES + 1)
    lengths = list(each(work, columns(points.shape[1], len(points))))
    return Observations(points.to(device), confidence.to(device), seconds, jitter_of(torch.cat(lengths)))


def unexplained(points: Tensor, trusted: Tensor) -> Tensor:
    """The part of the samples that no movement explains: lengths in metres, of every five samples that follow on one another.

    The fourth difference of a path all but takes movement away and leaves white noise with sqrt(70) times its deviation
    (the binomial coefficients' squares sum to 70).

    Args:
        points: (frames, labels, 3) in metres, frames as they were taken.
        trusted: (frames, labels).
    """
    if len(points) < 5:
        return points.new_empty(0)
    return points.diff(n=4, dim=0).norm(dim=-1)[trusted.unfold(0, 5, 1).all(-1)]


def jitter_of(lengths: Tensor) -> float:
    """Standard deviation of the cameras' noise along an axis, in metres, of `unexplained` lengths: in the median those of quiet moments."""
    return float(lengths.median()) / MEDIAN_LENGTH / 70**0.5 if len(lengths) else 0.0


def coarse(seen: Observations) -> tuple[Tensor, Observations]:
    """Frames at the coarse rate (ascending, first and last included), and what is seen in them."""
    frames = len(seen.points)
    # never a lower rate: a hand that swings between two frames is not where a straight line has it
    stride = max(1, math.floor(1 / (COARSE_HZ * seen.seconds) + 1e-6))
    at = torch.tensor([*range(0, frames - 1, stride), frames - 1], device=seen.points.device)
    return at, replace(seen[at], seconds=stride * seen.seconds)
