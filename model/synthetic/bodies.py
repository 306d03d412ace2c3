# SPDX-License-Identifier: GPL-3.0-or-later
"""Synthetic actors: people who were never measured, built and marked like those who were."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..actors.actor import Actor
from ..actors.prior import ActorPrior
from ..core.skeleton import Skeleton
from ..core.take import FloatArray

#: How far skin carries a marker when its joint turns by a radian, in m: standard deviation of each number of the slope.
SKIN_M_PER_RAD = 0.004
#: How far a marker slides about its place otherwise, in m, and how fast it does, in Hz.
SLIDING_M, SLIDING_HZ = 0.002, 1.5


@dataclass(frozen=True, eq=False)
class Bodies:
    """Synthetic actors of one hierarchy with one set of labels.

    Attributes:
        joints, parents, labels, carriers: As in `ActorPrior`, the same for all.
        bones: (bodies, joints, 3) in metres.
        offsets: (bodies, labels, 3) in metres, from the joint that carries the marker.
        skin: (bodies, labels, 3, 3) in metres per radian: how a marker's place changes with the turn of its joint.
    """

    joints: tuple[str, ...]
    parents: tuple[int, ...]
    labels: tuple[str, ...]
    carriers: tuple[int, ...]
    bones: FloatArray
    offsets: FloatArray
    skin: FloatArray

    def actor(self, row: int) -> Actor:
        """One of them as the actor that a solver may be given."""
        return Actor(Skeleton(self.joints, self.parents, self.bones[row]), self.labels, self.carriers, self.offsets[row])


def draw_bodies(prior: ActorPrior, count: int, random: np.random.Generator, bones: FloatArray | None = None) -> Bodies:
    """Draw actors from the Gaussians that were measured on real ones, their spread widened as the prior has it.

    Args:
        prior: Of bones and marker offsets.
        count: How many.
        random: Decides all.
        bones: (joints, 3) in metres, to give all of them the skeleton of a real subject; None to draw that too.
    """
    if bones is None:
        weights = random.standard_normal((count, prior.bone_basis.shape[-1]))
        drawn = prior.bone_mean + np.einsum("jic,bc->bji", prior.bone_basis, weights)
    else:
        drawn = np.repeat(bones[None], count, axis=0)
    # a tall person's markers sit farther from the joints
    size = np.linalg.norm(drawn, axis=-1).sum(axis=1) / np.linalg.norm(prior.bone_mean, axis=-1).sum()
    places = random.standard_normal((count, len(prior.labels), 3)) * prior.offset_deviation
    offsets = prior.offset_mean * size[:, None, None] + places
    skin = random.standard_normal((count, len(prior.labels), 3, 3)) * SKIN_M_PER_RAD
    return Bodies(prior.joints, prior.parents, prior.labels, prior.carriers, drawn, offsets, skin)
