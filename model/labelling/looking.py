# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is looked for in key frames, and who is found there: how large, and by which template, or in which poses if none explains them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..actors.actor import Actor
from ..actors.hierarchy import same_hierarchy
from ..actors.prior import UNUSUAL_SIZE, Prior
from ..core.errors import BonesetterError
from ..core.progress import Progress, each_of, shares
from ..core.take import FloatArray, Take
from ..marker_sets.marker_set import CATALOGUE, MarkerSet
from ..proposer.starts import Initialise, other_hierarchy
from .anywhere import Candidate, begun, look_anywhere
from .choice import Choice, choose
from .key_frames import KeyFrames
from .reattachment import Known
from .registration import any_way, upright
from .stature import likely_sizes, standing_m
from .template import Template, template_of_actor, template_of_set
from .unknown import known_of

#: Half of a marker set is looked for among so many points, of its labels: a set leaves few out, and little else is there.
LEAST_OF_HALF, MOST_OF_HALF = 0.7, 1.2


@dataclass(frozen=True, eq=False)
class Hints:
    """What is known of whom a take shows, see `label_take`."""

    actor: Actor | None
    marker_set: MarkerSet | None
    prior: Prior
    sets: tuple[MarkerSet, ...]
    unknown_set: bool

    @property
    def told(self) -> bool:
        """Whether it is told what to look for."""
        return self.actor is not None or self.marker_set is not None

    @cached_property
    def people(self) -> Known:
        """What is known of anybody."""
        return known_of(self.prior, self.sets)

    @property
    def templates(self) -> list[Template]:
        """What may be looked for."""
        return self._looked_for[0]

    @property
    def standing_m(self) -> float:
        """How tall the markers of a usual person stand, in metres."""
        return float(np.median([standing_m(template.actor) for template in self.templates]))

    @property
    def initialise(self) -> Initialise | None:
        """Where poses begin if the network does not know the actor's joints."""
        return self._looked_for[1]

    @cached_property
    def _looked_for(self) -> tuple[list[Template], Initialise | None]:
        actor, prior = self.actor, self.prior
        if actor is None:
            sets = [self.marker_set] if self.marker_set else [known for known in self.sets if not known.name.startswith(CATALOGUE)]
            return [template_of_set(known, prior) for known in sets], None
        if same_hierarchy(actor, prior):
            return [template_of_actor(actor, prior)], None
        own, _, initialise = other_hierarchy(actor, prior, self.marker_set or self.sets[0])
        return [template_of_actor(actor, own)], initialise


@dataclass(frozen=True, eq=False)
class Somebody:
    """Who was found in key frames.

    Attributes:
        size: How large, of a usual person; 1 where that is usual, or an actor is given.
        keys: The key frames, shrunk by the size.
        choice: The template that explains their points; None if none does.
        candidates: Then the likeliest poses of each.
    """

    size: float
    keys: KeyFrames
    choice: Choice | None
    candidates: list[list[Candidate]]

    @property
    def wears_all(self) -> bool:
        """Whether a template explains the points that is no half of a set."""
        return self.choice is not None and not self.choice.template.half

    def as_usual(self) -> Somebody:
        """The same, shrunk to the size that the choice has found where that is unusual."""
        found = self.choice
        if found is None or found.template.given or abs(found.registration.size - 1.0) <= UNUSUAL_SIZE:
            return self
        size = found.registration.size
        choice = replace(found, registration=found.registration.shrunk(size))
        return replace(self, size=size * self.size, keys=self.keys.shrunk(size), choice=choice)


def find_somebody(take: Take, keys: KeyFrames, what: Hints, progress: Progress | None = None) -> Somebody:
    """The person whom key frames show.

    Args:
        take: The keys'.
        keys: At least one frame, each with at least one point.
        what: Is known.
        progress: Called with the part that is done.

    Raises:
        BonesetterError: Nobody is found who is as was told.
    """
    sizes = (1.0,) if what.actor is not None else likely_sizes(keys, take.up_axis, what.standing_m)
    own = [(size, keys.shrunk(size)) for size in sizes]
    found: list[Somebody] = []
    # who stands and wears a set that is known is found in the first part of it
    parts, turns = shares(progress), upright(take.up_axis)
    if not what.unknown_set:
        told = each_of(next(parts), len(own))
        found = [Somebody(size, shrunk, choose(what.templates, shrunk, turns, next(told)), []) for size, shrunk in own]
        best = min(found, key=_cost)
        if _is_found(best, keys):
            return best.as_usual()
        halves = _half_found(what, keys, turns)
        if halves is not None and _is_found(halves, keys):
            return halves.as_usual()
    # nobody stands, or nobody wears a set that is known: poses that are found by the skin
    told, surface = each_of(next(parts), len(own)), what.people.surface
    bare = [Somebody(size, shrunk, None, look_anywhere(surface, what.prior, shrunk, take.up_axis, next(told))) for size, shrunk in own]
    anybody = min(bare, key=lambda one: sum(candidates[0].cost for candidates in one.candidates))
    if found:
        begin = any_way(take.up_axis) if what.initialise else [begun(each) for each in anybody.candidates]
        lying = replace(anybody, choice=choose(what.templates, anybody.keys, begin, next(parts)))
        best = min((*found, lying), key=_cost)
        if best.choice is not None and best.choice.explains:
            return best.as_usual()
        if what.told and best.choice is not None:
            raise BonesetterError(
                f"The points of {take.name} are not where {best.choice.template.name} has its markers: choose another actor or marker set."
            )
    return anybody


def _is_found(somebody: Somebody, keys: KeyFrames) -> bool:
    """Whether a template explains the points, in half of the key frames at least."""
    choice = somebody.choice
    return choice is not None and choice.explains and len(choice.registration.believed) >= len(keys.frames) / 2


def _half_found(what: Hints, keys: KeyFrames, turns: FloatArray) -> Somebody | None:
    """Somebody who wears only the markers of the legs, or of all else, as is likeliest; None if there are too many or few points."""
    points = float(np.median(keys.there.sum(axis=1)))
    halves = [half for template in what.templates for half in template.halves()]
    likely = [half for half in halves if LEAST_OF_HALF <= points / len(half.labels) <= MOST_OF_HALF]
    return Somebody(1.0, keys, choose(likely, keys, turns), []) if likely else None


def _cost(somebody: Somebody) -> float:
    """Of the choice, for each point."""
    return np.inf if somebody.choice is None else somebody.choice.cost
