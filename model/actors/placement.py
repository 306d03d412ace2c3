# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the markers of a take are expected on the body, before the take is seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..core.take import FloatArray


@dataclass(frozen=True, eq=False)
class Placement:
    """A Gaussian over each marker's place, in metres, on the zero pose's axes.

    Attributes:
        labels: One per marker, unique.
        joints: (labels,) index of the joint whose bone each marker rides on.
        offset_mean: (labels, 3), from that joint, of an actor of mean build.
        offset_deviation: (labels, 3) standard deviation.
        origins: (labels,) index of the joint by which each marker lies: where other bones than the mean ones put that joint, the
            marker is expected with it.
        offset_basis: (labels, 3, components): how the bones' components, see `ActorPrior.bone_basis`, shift a marker from its joint;
            None where they do not.
    """

    labels: tuple[str, ...]
    joints: tuple[int, ...]
    offset_mean: FloatArray
    offset_deviation: FloatArray
    origins: tuple[int, ...]
    offset_basis: FloatArray | None = None

    def only(self, rows: Sequence[int]) -> Placement:
        """Some of these markers, in that order."""
        chosen = list(rows)
        return Placement(
            tuple(self.labels[row] for row in chosen),
            tuple(self.joints[row] for row in chosen),
            self.offset_mean[chosen],
            self.offset_deviation[chosen],
            tuple(self.origins[row] for row in chosen),
            None if self.offset_basis is None else self.offset_basis[chosen],
        )

    def of_size(self, size: float) -> Placement:
        """Of people so many times as large."""
        basis = None if self.offset_basis is None else size * self.offset_basis
        return replace(self, offset_mean=size * self.offset_mean, offset_deviation=size * self.offset_deviation, offset_basis=basis)

    def __add__(self, other: Placement) -> Placement:
        """These markers, then the others, which bones do not shift."""
        basis = self.offset_basis
        return Placement(
            self.labels + other.labels,
            self.joints + other.joints,
            np.concatenate([self.offset_mean, other.offset_mean]),
            np.concatenate([self.offset_deviation, other.offset_deviation]),
            self.origins + other.origins,
            None if basis is None else np.concatenate([basis, np.zeros((len(other.labels), *basis.shape[1:]))]),
        )
