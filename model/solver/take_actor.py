# SPDX-License-Identifier: GPL-3.0-or-later
"""The actor of a take, given or fitted, with every marker of the take that belongs to a bone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..actors.actor import Actor
from ..actors.given_sizes import prior_around
from ..actors.placement import Placement
from ..actors.prior import Prior, unusual_size
from ..core.findings import Finding
from ..core.progress import Progress, part_of
from .attachment import attach
from .calibration import Calibrated, fit_actor
from .kinematics import Body, Pose
from .observations import Observations
from .options import EVERYTHING, SolverOptions


def on_labels_of_take(actor: Actor, placement: Placement, others: tuple[str, ...]) -> tuple[Actor, tuple[Finding, ...]]:
    """A given actor on a take's labels, and what is said of those that it lacks.

    Args:
        actor: Fitted before.
        placement: Of the take's labels that the marker set knows: where the actor lacks one, its usual place is taken.
        others: The take's other labels: those stay that the actor has.
    """
    labels = placement.labels + tuple(label for label in others if label in actor.labels)
    findings: tuple[Finding, ...] = ()
    if unknown := tuple(label for label in placement.labels if label not in actor.labels):
        said = f"The actor has no place for {', '.join(unknown)}: the usual one is taken."
        findings = (Finding("usual place", said, unknown),)
        actor = actor.beside(placement.only([placement.labels.index(label) for label in unknown]))
    return actor.only([actor.labels.index(label) for label in labels]), findings


@dataclass(frozen=True, eq=False)
class KnownFit:
    """An actor that was fitted to those of a take's markers that the set knows.

    Attributes:
        calibrated: The actor, and the poses of the frames that it was fitted to.
        prior, placement: Of bones, poses and markers, both for people of its size.
        size: Which that is, of the mean person; 1 where it is usual.
    """

    calibrated: Calibrated
    prior: Prior
    placement: Placement
    size: float = 1.0

    @property
    def actor(self) -> Actor:
        return self.calibrated.actor


def fit_any_size(
    start: Actor,
    prior: Prior,
    placement: Placement,
    seen: Observations,
    pose: Pose,
    progress: Progress | None = None,
    options: SolverOptions = EVERYTHING,
) -> KnownFit:
    """Fit an actor to a take, and once more where it is found to be of a size that the prior does not know.

    A child's knee marker sits by its knee. The prior has it as far from the hip as an adult's, with no more than its usual deviation: the
    knee was found up the thigh.

    Args:
        start: To begin from, with the placement's markers.
        prior, placement: Of bones, poses and markers.
        seen: At the coarse rate, of these markers, or of these before others.
        pose: Of these frames, to begin from.
        progress: Called with the part that is done.
        options: Of the fit.
    """
    found = _fit(start, prior, placement, seen, pose, progress, options)
    size = unusual_size(prior, found.actor)
    if size is None:
        return KnownFit(found, prior, placement)
    prior, placement = prior.of_size(size), placement.of_size(size)
    usual = prior.mean_actor(placement)
    begun = replace(start, skeleton=usual.skeleton, marker_offsets=usual.marker_offsets)
    return KnownFit(_fit(begun, prior, placement, seen, pose, None, options), prior, placement, size)


def with_others(
    fitted: KnownFit, labels: tuple[str, ...], few: Observations, pose: Pose, progress: Progress | None = None
) -> tuple[Actor, tuple[Finding, ...]]:
    """A fitted actor with the markers attached that no set knows.

    Args:
        fitted: To the known ones.
        labels: Of all markers, those of the placement first.
        few: Of all markers, at the coarse rate.
        pose: Of these frames, to begin from.
        progress: Called with the part that is done.

    Returns:
        The actor, and what was attached and what was left out.
    """
    if len(fitted.placement.labels) == len(labels):
        return fitted.actor, ()
    return attach(fitted.actor, fitted.placement, fitted.prior, labels, few, pose, progress)


def _fit(
    start: Actor,
    prior: Prior,
    placement: Placement,
    seen: Observations,
    pose: Pose,
    progress: Progress | None,
    options: SolverOptions,
) -> Calibrated:
    """`fit_actor` from an actor, to the markers of the placement, which may stand before others."""
    known = len(placement.labels)
    seen = seen.only(range(known)) if seen.points.shape[1] > known else seen
    return fit_actor(Body(start, prior.pose, seen.points.device, seen.points.dtype), prior, placement, seen, pose, progress, options)


def fit_given_to_take(
    given: Actor,
    prior: Prior,
    labels: tuple[str, ...],
    few: Observations,
    pose: Pose,
    progress: Progress | None = None,
    options: SolverOptions = EVERYTHING,
) -> tuple[Actor, tuple[Finding, ...]]:
    """Fit a given actor of any hierarchy to a take: its bones and marker places, which stay near what its file says.

    Args:
        given: On the take's labels.
        prior: Of the actor's poses.
        labels: Of all markers.
        few: Of all markers, at the coarse rate.
        pose: Of these frames, to begin from.
        progress: Called with the part that is done.
        options: Of the fit.

    Returns:
        The actor, and how far it is from the given one, what was attached and what was left out.
    """
    around, placement = prior_around(given, prior)
    rows = [labels.index(label) for label in given.labels]
    rows += [row for row in range(len(labels)) if row not in rows]
    names, seen = tuple(labels[row] for row in rows), few.only(rows)
    fitted = KnownFit(_fit(given, around, placement, seen, pose, part_of(progress, 0.0, 0.5), options), around, placement)
    actor, attached = with_others(fitted, names, seen, pose, part_of(progress, 0.5, 1.0))
    return actor, (_fitted(given, actor), *attached)


def _fitted(given: Actor, actor: Actor) -> Finding:
    """How far a given actor that was fitted is from what its file says."""
    lengths = [np.linalg.norm(each.skeleton.offsets, axis=1).sum() for each in (given, actor)]
    size = 100 * float(lengths[1] / max(lengths[0], 1e-9))
    away_mm = 1000 * np.linalg.norm(actor.marker_offsets[: len(given.labels)] - given.marker_offsets, axis=1)
    farthest = given.labels[int(away_mm.argmax())]
    text = (
        f"The actor was fitted to the take: bones are {size:.1f} % of their length in all, markers {away_mm.mean():.0f} mm from where the "
        f"actor has them on average, {farthest} {away_mm.max():.0f} mm."
    )
    return Finding("fitted", text, (farthest,), numbers={"size_percent": round(size, 1), "moved_mm": round(float(away_mm.mean()), 1)})
