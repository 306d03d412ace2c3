# SPDX-License-Identifier: GPL-3.0-or-later
"""Which marker is at which label, tried by fitting an actor: bones, marker offsets and poses that are fitted together cost more under wrong
labels, because the prior expects less of the bones that these take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..actors.actor import Actor
from ..actors.placement import Placement
from ..actors.prior import PosePrior, Prior
from ..core.take import FloatArray
from .calibration import INDEPENDENCE, ActorFit
from .kinematics import Body, Pose, to_array
from .observations import Observations
from .robust import kernel_cost
from .topology import ROOT_DOF

#: A marker without a label: it costs as much as one that is far from its label.
NONE = -1
#: Scales of the robust kernel in m by which sizes are fitted, behind those of poses alone.
SIZE_SCALES_M = (0.1, 0.07, 0.05, 0.05)
#: How far markers are from their places in a cost, the scale of its kernel, in m, and how far a joint may be past its limit.
SIGMA_M, KERNEL_M, LIMIT_RAD = 0.008, 0.06, np.radians(2.0)


@dataclass(frozen=True, eq=False)
class Trial:
    """Frames whose markers are put at labels, and how well an actor fits them.

    Attributes:
        start: With all labels.
        prior: Of poses and bones.
        places: Of the start's labels, in that order.
        seen: Of all markers.
        pose: Of the same frames, where each fit begins.
        scales_m: Of the robust kernel, by which poses alone are fitted first.
    """

    start: Actor
    prior: Prior
    places: Placement
    seen: Observations
    pose: Pose
    scales_m: tuple[float, ...]

    def cost(self, markers: Sequence[int]) -> float:
        """Of the actor that fits best, in the units of a log-likelihood; infinite where none is found.

        Args:
            markers: (labels,) the marker at each label, or `NONE`.
        """
        try:
            cost = self._cost(markers)
        except torch.linalg.LinAlgError:  # pyright: ignore[reportPrivateImportUsage]
            return float("inf")
        return cost if np.isfinite(cost) else float("inf")

    def _cost(self, markers: Sequence[int]) -> float:
        labels = [label for label, marker in enumerate(markers) if marker != NONE]
        seen = self.seen.only([markers[label] for label in labels])
        body = Body(self.start.only(labels), self.prior.pose, seen.points.device, seen.points.dtype)
        fit = ActorFit(body, self.prior, self.places.only(labels), seen)
        sizes, pose = fit.start(), self.pose
        for scale in self.scales_m:
            pose, _ = fit.step(pose, sizes, scale, fit_sizes=False)
        for scale in SIZE_SCALES_M:
            pose, sizes = fit.step(pose, sizes, scale, fit_sizes=True)
        squared = ((fit.sized(sizes).posed(pose).markers - seen.points) ** 2).sum(-1)
        lost = (self.seen.confidence.sum() - seen.confidence.sum()) * KERNEL_M**2
        off = ((seen.confidence * kernel_cost(squared, KERNEL_M**2)).sum() + lost) / (2 * SIGMA_M**2)
        unusual = torch.einsum("fc,cd,fd->", pose.q, fit.terms.precision[ROOT_DOF:, ROOT_DOF:], pose.q) / 2
        beyond = (pose.q - pose.q.clamp(fit.terms.limits[0], fit.terms.limits[1])).square().sum() / (2 * LIMIT_RAD**2)
        away = torch.cat([sizes.components, (sizes.offsets - fit.offset_mean).flatten()])
        return float(INDEPENDENCE * (off + unusual + beyond) + away @ fit.precision @ away / 2)


def distances(actor: Actor, prior: PosePrior) -> FloatArray:
    """(labels, labels) in metres: how far an actor's markers are from one another in the mean pose."""
    body = Body(actor, prior, torch.device("cpu"), torch.float32)
    places = to_array(body.posed(body.rest(1)).markers[0])
    return np.linalg.norm(places[:, None] - places, axis=-1)
