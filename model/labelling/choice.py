# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of several templates a take shows: each is looked for in some key frames, and the one that explains their points best is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.progress import Progress, Steps
from ..core.stretches import evenly
from ..core.take import FloatArray, IntArray
from .key_frames import KeyFrames
from .registration import Begun, Registration, register
from .template import Template

#: The template is told by so many of the key frames, from so many poses in each heading.
TRIAL_KEYS, TRIAL_POSES = 4, 3
#: Half of these tell which templates are looked for in the others, too: those that cost at most so many times as much as the best.
LIKELY = 1.5
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
    def cost(self) -> float:
        """Of a point, by the chosen template."""
        return self.costs[self.template.name]

    @property
    def explains(self) -> bool:
        """Whether the take's points are where the template's labels are."""
        return self.cost <= UNKNOWN_COST


@dataclass(frozen=True, eq=False)
class Registered:
    """A template in some of the key frames.

    Attributes:
        registration: In these.
        frames: (K,) which they are, ascending.
    """

    registration: Registration
    frames: IntArray

    def cost_of_a_point(self, keys: KeyFrames) -> float:
        """In the units of a log-likelihood, of the key frames that are believed, labels that have no point included."""
        believed = self.registration.believed
        points = keys.there[self.frames[believed]].sum(axis=1)
        # what any of them has a point for is there, though it is hidden in others
        absent = max(0, self.registration.markers.shape[1] - int(points.max(initial=0)))
        return float((self.registration.costs[believed].sum() + ABSENT * absent * len(points)) / points.sum())

    def beside(self, other: Registered) -> Registered:
        """In the key frames of both."""
        frames = np.concatenate([self.frames, other.frames])
        order = np.argsort(frames)
        one, two = self.registration, other.registration
        both = (one.costs, two.costs), (one.sizes, two.sizes), (one.markers, two.markers)
        return Registered(Registration(*(np.concatenate(values)[order] for values in both)), frames[order])


def choose(templates: Sequence[Template], keys: KeyFrames, begin: FloatArray | Sequence[Begun], progress: Progress | None = None) -> Choice:
    """Find the template that fits.

    Args:
        templates: At least one.
        keys: Of the take.
        begin: Root rotations to start from, or bodies that were found in each key frame, see `register`.
        progress: Called with the part that is done.
    """

    count = len(keys.frames)
    trial = evenly(0, count, TRIAL_KEYS)
    # each template is looked for once or twice, and the best in the rest
    steps = Steps(progress, 2 * len(templates) + 1)

    def found(template: Template, frames: IntArray, before: Registered | None = None) -> Registered:
        starts = begin if isinstance(begin, np.ndarray) else [begin[frame] for frame in frames.tolist()]
        here = Registered(register(template, keys.only(frames), starts, TRIAL_POSES), frames)
        steps.done()
        return here if before is None else before.beside(here)

    # what half of the key frames speak plainly against is not looked for in the others
    tried = [found(template, trial[::2]) for template in templates]
    costs = [each.cost_of_a_point(keys) for each in tried]
    likely = np.flatnonzero(np.array(costs) <= LIKELY * min(costs)).tolist()
    for row in likely if len(trial) > 1 else ():
        tried[row] = found(templates[row], trial[1::2], tried[row])
        costs[row] = tried[row].cost_of_a_point(keys)
    best = min(likely, key=lambda row: costs[row])
    rest = np.setdiff1d(np.arange(count), tried[best].frames)
    whole = found(templates[best], rest, tried[best]) if len(rest) else tried[best]
    names = [template.name for template in templates]
    return Choice(templates[best], whole.registration, dict(zip(names, costs, strict=True)))
