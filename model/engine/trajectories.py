# SPDX-License-Identifier: GPL-3.0-or-later
"""The markers of a take on their way to the solver: matched to labels, cleaned, and as it takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..actors.placement import Placement
from ..core.findings import Finding
from ..core.settings import Settings
from ..core.take import BonesetterError, CleanTake, Take
from ..markers.cleaning import clean
from ..markers.corrections import Correction
from ..markers.matching import match_all
from ..markers.sides import look_mirrored, put_sides_right
from ..solver.attachment import enough_samples
from ..solver.observations import Observations, observe
from .subject import Subject


@dataclass(frozen=True, eq=False)
class Matched:
    """A take on its subject's labels.

    Attributes:
        take: Those labels that the marker set knows first, behind them those that may be attached to a bone.
        placement: Of the labels that the marker set knows.
        others: The other labels.
        sides: Where left and right were exchanged.
        findings: What the user should know so far.
    """

    take: Take
    placement: Placement
    others: tuple[str, ...]
    sides: tuple[Correction, ...]
    findings: tuple[Finding, ...]


def match_take(take: Take, subject: Subject) -> Matched:
    """Put a take onto its subject's labels, left and right put right.

    Raises:
        BonesetterError: It has too few of the marker set's labels.
    """
    known, unknown = match_all(take, subject.marker_set)
    placement = subject.prior.placement(subject.marker_set, known.labels)
    mirrored = look_mirrored(known, placement, subject.prior)
    righted, sides = put_sides_right(known, subject.marker_set, placement, subject.prior) if subject.options.relabel else (known, ())
    others, findings = enough_samples(unknown)
    whole = righted.beside(others) if others.labels else righted
    return Matched(whole, placement, others.labels, sides, (*known.findings, *findings, *mirrored))


@dataclass(frozen=True, eq=False)
class Trajectories:
    """The same markers, as matched, cleaned, and as the solver takes them."""

    take: Take
    cleaned: CleanTake
    observations: Observations

    def only(self, labels: Sequence[str]) -> Trajectories:
        """Of these labels only, in that order."""
        if tuple(labels) == self.take.labels:
            return self
        rows = [self.take.labels.index(label) for label in labels]
        return Trajectories(self.take.only(rows), self.cleaned.only(rows), self.observations.only(rows))


def clean_markers(take: Take, subject: Subject, settings: Settings, device: torch.device) -> Trajectories:
    """Flag noise and fill gaps.

    Raises:
        BonesetterError: Hardly a sample is left.
    """
    cleaned = clean(take, subject.marker_set, settings)
    if cleaned.trusted.any(axis=0).sum() < min(subject.marker_set.fewest_markers, len(take.labels)):
        raise BonesetterError(f"Nearly every sample of {take.name} was flagged as noise: loosen the thresholds of the noise filter.")
    return Trajectories(take, cleaned, observe(cleaned, device))
