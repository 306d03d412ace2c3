# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom a take shows: chosen once, before anything is fitted."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..actors import prior as priors
from ..actors.actor import Actor
from ..actors.hierarchy import same_hierarchy
from ..actors.placement import Placement
from ..actors.prior import Prior
from ..core.findings import Finding
from ..core.progress import Progress
from ..core.take import Take
from ..marker_sets.marker_set import MarkerSet
from ..markers.matching import choose_marker_set
from ..proposer.propose import InitialGuess, as_proposed, bundled_network, fitted_actor, propose_poses, unknown_actor
from ..proposer.starts import Initialise, other_hierarchy
from ..solver.advice import Advice
from ..solver.attachment import attach
from ..solver.fit import place_root, prior_terms
from ..solver.kinematics import Body, Pose
from ..solver.observations import Observations
from ..solver.options import EVERYTHING, SolverOptions
from ..solver.take_actor import KnownFit, fit_any_size, fit_given_to_take, on_labels_of_take, with_others

#: Whom the network takes to differ in size from the mean person by more than this part is shown to it again.
SHOWN_AGAIN = 0.08


@dataclass(frozen=True, eq=False)
class Subject:
    """What is known of the person of a take beforehand.

    Attributes:
        prior: Of poses, and, of the bundled hierarchy, of bones and marker offsets.
        marker_set: Of the take's labels.
        actor: Fitted before, or None.
        initialise: Where poses of the actor's hierarchy begin, if the network does not know that; else None.
        options: What the solver uses.
    """

    prior: Prior
    marker_set: MarkerSet
    actor: Actor | None
    initialise: Initialise | None = None
    options: SolverOptions = EVERYTHING

    def on_labels_of(self, placement: Placement, others: tuple[str, ...]) -> tuple[Actor | None, tuple[Finding, ...]]:
        """The given actor, if any, on a take's labels; see `on_labels_of_take`."""
        return (None, ()) if self.actor is None else on_labels_of_take(self.actor, placement, others)

    def initial_guess(self, actor: Actor | None, placement: Placement, labels: tuple[str, ...], few: Observations) -> InitialGuess:
        """Poses at the coarse rate to begin from, and whose: by the markers whose places are known.

        Args:
            actor: The given one on the take's labels, or None.
            placement: Of the take's labels that the marker set knows.
            labels: Of all markers.
            few: Of all markers, at the coarse rate.
        """
        known = placement.labels if actor is None else actor.labels
        seen = few.only([labels.index(label) for label in known])
        if actor is not None and self.initialise is not None:
            body = Body(actor, self.prior.pose, few.points.device, few.points.dtype)
            return InitialGuess(self.initialise(body, seen), None, actor)
        if not self.options.network:
            return self._mean_pose(actor or self.prior.mean_actor(placement), seen)
        if actor is None:
            pose, advice, whose = self._proposed(placement, seen)
        else:
            pose, advice, _ = propose_poses(bundled_network(), fitted_actor(actor), seen)
            whose = actor
        return InitialGuess(pose, advice.on(known, labels), whose)

    def _proposed(self, placement: Placement, seen: Observations, size: float = 1.0) -> tuple[Pose, Advice, Actor]:
        """What the network says of an unknown actor who is about so many times as large as the people whom it knows.

        It has met no child: one of 1.1 m it takes for one of 1.3 m. Shown once more, enlarged by what it has said, it is told right.
        """
        network, shrunk = bundled_network(), replace(seen, points=seen.points / size)
        pose, advice, said = propose_poses(network, unknown_actor(self.prior, placement), shrunk)
        actor = as_proposed(network, self.prior.mean_actor(placement), said)
        found = self.prior.actor.scale(actor.skeleton)
        if size == 1.0 and found is not None and abs(found - 1.0) > SHOWN_AGAIN:
            return self._proposed(placement, seen, found)
        return replace(pose, root=size * pose.root), advice, actor.of_size(size)

    def _mean_pose(self, actor: Actor, seen: Observations) -> InitialGuess:
        """The mean pose, laid on the trunk."""
        body = Body(actor, self.prior.pose, seen.points.device, seen.points.dtype)
        terms = prior_terms(self.prior.pose, seen.seconds, seen.points)
        return InitialGuess(place_root(body, terms, seen), None, actor)

    def fit_known(self, guess: InitialGuess, placement: Placement, few: Observations, progress: Progress | None) -> KnownFit | None:
        """An actor that is fitted to those of a take's markers that the set knows; None where one is given, or none is to be fitted.

        Args:
            guess: Poses to begin from, and whose.
            placement: Of these markers.
            few: Of all markers, these first, at the coarse rate.
            progress: Called with the part that is done.
        """
        if self.actor is not None or not self.options.calibrate:
            return None
        return fit_any_size(guess.actor, self.prior, placement, few, guess.pose, progress, self.options)

    def calibrated(
        self,
        fitted: KnownFit | None,
        guess: InitialGuess,
        placement: Placement,
        labels: tuple[str, ...],
        few: Observations,
        progress: Progress | None,
        *,
        fit_given: bool = False,
    ) -> tuple[Actor, tuple[Finding, ...]]:
        """The actor with all of the take's markers that belong to a bone: the given one, or the one that was fitted to the take.

        With `fit_given` the given one is fitted to the take, too, beginning from what its file says.
        """
        if fitted is not None:
            return with_others(fitted, labels, few, guess.pose, progress)
        if self.actor is None:
            return self.prior.mean_actor(placement), ()
        if fit_given:
            return fit_given_to_take(guess.actor, self.prior, labels, few, guess.pose, progress, self.options)
        if len(guess.actor.labels) == len(labels):
            return guess.actor, ()
        return attach(guess.actor, None, self.prior, labels, few, guess.pose)


def choose_subject(
    take: Take, actor: Actor | None, prior: Prior | None, marker_set: MarkerSet | None, options: SolverOptions = EVERYTHING
) -> Subject:
    """Whom a take shows.

    Args:
        take: As read.
        actor: Fitted before, on any hierarchy, or None.
        prior: Of the bundled hierarchy; None for the bundled one.
        marker_set: None for the bundled one that knows most of the labels.
        options: What the solver uses.
    """
    known, labels = prior or priors.bundled(), marker_set or choose_marker_set(take)
    if actor is None or same_hierarchy(actor, known):
        centred = known.centred(labels)
        return Subject(replace(centred, pose=options.prior(centred.pose)), labels, actor, options=options)
    own, of_actor, initialise = other_hierarchy(actor, known, labels)
    return Subject(replace(own, pose=options.prior(own.pose)), of_actor, actor, initialise, options)
