# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of several templates a take shows: each is looked for in some key frames, and the one that explains their points best is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..core.take import FloatArray, IntArray
from ..solver.frames import joined
from .key_frames import KeyFrames
from .registration import Begun, Registration, register
from .template import Template

#: The template is told by so many of the key frames, from so many poses in each heading.
TRIAL_KEYS, TRIAL_POSES = 4, 3
#: What a label costs that no point is left for, in the units of a log-likelihood: else the set with the most labels explained every take.
ABSENT = 2.0
#: A set whose cost of a point is higher than this is not the take's: as much as if every fifth point were nobody's.
UNKNOWN_COST = 1.9


@dataclass(frozen=True, eq=False)
class Choice:
    """A template in key frames.

    Attributes:
        template: The chosen one, of the size that was found.
        registration: In all key frames.
        costs: {template's name: its cost of a point} of all that were tried.
    """

    template: Template
    registration: Registration
    costs: dict[str, float]

    @property
    def explains(self) -> bool:
        """Whether the take's points are where the template's labels are."""
        return self.costs[self.template.name] <= UNKNOWN_COST


def choose(templates: Sequence[Template], keys: KeyFrames, begin: FloatArray | Sequence[Begun]) -> Choice:
    """Find the template that fits.

    Args:
        templates: At least one.
        keys: Of the take.
        begin: Root rotations to start from, or bodies that were found in each key frame, see `register`.
    """

    count = len(keys.frames)
    trial = np.unique(np.linspace(0, count - 1, min(TRIAL_KEYS, count)).round().astype(int))
    rest = np.setdiff1d(np.arange(count), trial)

    def of(frames: IntArray) -> FloatArray | Sequence[Begun]:
        return begin if isinstance(begin, np.ndarray) else [begin[frame] for frame in frames.tolist()]

    tried = [register(template, keys.only(trial), of(trial), TRIAL_POSES) for template in templates]
    costs = [_cost_of_a_point(each, keys, trial) for each in tried]
    best = int(np.argmin(costs))
    registration = tried[best]
    if len(rest):
        registration = _together(registration, register(templates[best], keys.only(rest), of(rest), TRIAL_POSES), trial, rest)
    names = [template.name for template in templates]
    return Choice(templates[best], registration, dict(zip(names, costs, strict=True)))


def _cost_of_a_point(registration: Registration, keys: KeyFrames, trial: IntArray) -> float:
    """Of the key frames that are believed, labels that have no point included."""
    believed = registration.believed
    points = keys.there[trial[believed]].sum(axis=1)
    absent = np.maximum(0, registration.markers.shape[1] - points)
    return float((registration.costs[believed].sum() + ABSENT * absent.sum()) / points.sum())


def _together(first: Registration, second: Registration, of_first: IntArray, of_second: IntArray) -> Registration:
    """One registration of both's key frames, in their order."""
    order = np.argsort(np.concatenate([of_first, of_second]))
    return Registration(
        first.body,
        joined([first.pose, second.pose])[torch.as_tensor(order)],
        np.concatenate([first.costs, second.costs])[order],
        np.concatenate([first.sizes, second.sizes])[order],
        np.concatenate([first.markers, second.markers])[order],
    )
