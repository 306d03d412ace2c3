# SPDX-License-Identifier: GPL-3.0-or-later
"""The markers of a take on their way to the solver: matched to labels, cleaned, and as it takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
import torch
from torch import Tensor

from ..actors.placement import Placement
from ..actors.prior import unusual_size
from ..core.errors import BonesetterError
from ..core.findings import Finding
from ..core.memory import give_back
from ..core.settings import Settings
from ..core.take import BoolArray, CleanTake, Take, is_long
from ..marker_sets.marker_set import MarkerSet
from ..markers.cleaning import clean
from ..markers.corrections import Correction, without_pinned
from ..markers.exchanges import put_exchanged_back
from ..markers.matching import SAID_WHEN_ABSENT, match_all
from ..markers.sides import look_mirrored, put_sides_right
from ..proposer.propose import InitialGuess
from ..solver.attachment import enough_samples
from ..solver.misplaced import Settled, all_settled, settle
from ..solver.observations import Observations, observe
from ..solver.take_actor import KnownFit
from .subject import Subject

#: A sample farther than this from the origin, in m, is none: single precision would not hold it.
FARTHEST_M = 1e5


class Judging(Enum):
    """What is done about labels that sit elsewhere than they say: nothing, they are put right, or, where these leave doubts, all are found
    by motion."""

    NONE = 0
    MENDING = 1
    DOUBTING = 2


class MisleadingLabelsError(Exception):
    """Labels are wrong so that all had better be found by motion; never seen by the user.

    Attributes:
        mendable: Whether most are right, so that they can be put right if motion finds nobody.
    """

    def __init__(self, *, mendable: bool) -> None:
        super().__init__("labels sit elsewhere than they say")
        self.mendable = mendable


@dataclass(frozen=True, eq=False)
class Matched:
    """A take on its subject's labels.

    Attributes:
        take: Those labels that the marker set knows first, behind them those that may be attached to a bone.
        placement: Of the labels that the marker set knows.
        others: The other labels.
        corrections: Where labels, or left and right, were exchanged.
        findings: What the user should know so far.
    """

    take: Take
    placement: Placement
    others: tuple[str, ...]
    corrections: tuple[Correction, ...]
    findings: tuple[Finding, ...]


def match_take(take: Take, subject: Subject) -> Matched:
    """Put a take onto its subject's labels, left and right put right.

    Raises:
        BonesetterError: It has too few of the marker set's labels.
    """
    known, unknown = match_all(take, subject.marker_set)
    # labels that are wrong all the take long are put right of an unknown actor alone; a given one tells them by himself, moment by moment
    unsure = subject.options.relabel and subject.actor is None
    known, exchanged = put_exchanged_back(known, subject.marker_set.pairs) if unsure else (known, ())
    placement = subject.prior.placement(subject.marker_set, known.labels)
    mirrored = look_mirrored(known, placement, subject.prior)
    righted, sides = put_sides_right(known, subject.marker_set, placement, subject.prior) if subject.options.relabel else (known, ())
    righted, sides = without_pinned(known, righted, sides)
    others, findings = enough_samples(unknown)
    whole = righted.beside(others) if others.labels else righted
    columns = {**unknown.file_columns, **known.file_columns}
    matching = known.findings[len(take.findings) :]
    said = tuple(finding.called(columns) for finding in (*matching, *findings, *mirrored))
    return Matched(whole, placement, others.labels, (*exchanged, *sides), (*take.findings, *said))


def resettle(
    matched: Matched, subject: Subject, guess: InitialGuess, at: Tensor, few: Observations, fitted: KnownFit | None, judging: Judging
) -> Matched | None:
    """The take with its labels where its markers sit; None where that is where they are.

    Args:
        matched: As the names say.
        subject: Whose marker offsets are not known.
        guess: Poses at the coarse rate to begin from.
        at, few: The frames at that rate, and what is seen in them.
        fitted: The actor by these labels; None where none could be fitted.
        judging: What may be done.

    Raises:
        MisleadingLabelsError: Many labels are wrong, or it is not clear where markers belong whose labels are.
    """
    marker_set, known = subject.marker_set, len(matched.placement.labels)
    absent = tuple(label for label in marker_set.labels if label not in matched.placement.labels)
    # of a set that has everything there is a place for any marker: only what belongs to the labels of the take is missed
    if catalogue := len(absent) > SAID_WHEN_ABSENT * known:
        absent = _missed(marker_set, matched.placement.labels) if matched.others else ()
    places = subject.prior.placement(marker_set, matched.placement.labels + absent) if absent else matched.placement
    if fitted is not None and _all_settled(matched, places, at, few, fitted, catalogue=bool(catalogue)):
        return None
    size = unusual_size(subject.prior, guess.actor) or 1.0
    known_of_size, placed = subject.prior.of_size(size), places.of_size(size)
    unfiltered = _unfiltered(matched.take, at, few)
    settled = settle(guess.actor, known_of_size, placed, known, unfiltered, guess.pose, catalogue=catalogue)
    if settled is None:
        return None
    if settled.mostly or (settled.unclear and judging is Judging.DOUBTING):
        raise MisleadingLabelsError(mendable=not settled.mostly)
    take, held = matched.take, {int(label): row for row, label in enumerate(settled.labels) if label >= 0}
    order = [held[label] for label in sorted(held, key=lambda label: marker_set.labels.index(places.labels[label]))]
    labels = tuple(places.labels[settled.labels[row]] for row in order)
    core = sum(label in labels for label in marker_set.core)
    if len(labels) < marker_set.fewest_markers or core < min(3, len(marker_set.core)):
        return None
    rest = [row for row in range(len(take.labels)) if row not in order]
    others = _free_names(take, rest, labels)
    placement = subject.prior.placement(marker_set, labels)
    righted, sides = put_sides_right(take.only(order, labels), marker_set, placement, subject.prior)
    whole = righted.beside(take.only(rest, others)) if rest else righted
    called = dict(zip(rest, others, strict=True))
    findings = tuple(_misplaced(take, row, places.labels, settled, known, called) for row in range(len(take.labels)))
    said = tuple(finding for finding in findings if finding is not None)
    if not said:
        return None
    return Matched(whole, placement, others, (*matched.corrections, *sides), (*_still_true(matched.findings, labels), *said))


def _missed(marker_set: MarkerSet, labels: tuple[str, ...]) -> tuple[str, ...]:
    """Labels of a set that a take with the given ones is expected to have: the other side's, and those of the middle of the trunk."""
    other = {one: two for pair in marker_set.pairs for one, two in (pair, pair[::-1])}
    expected = {other[label] for label in labels if label in other} | (set(marker_set.core) - set(other))
    return tuple(label for label in marker_set.labels if label in expected and label not in labels)


def _all_settled(matched: Matched, places: Placement, at: Tensor, few: Observations, fitted: KnownFit, *, catalogue: bool) -> bool:
    """Whether every marker is seen to sit at its own label in the poses to which an actor was fitted."""
    calibrated = fitted.calibrated
    frames = _unfiltered(matched.take, at[calibrated.at], few[calibrated.at].apart())
    known = len(matched.placement.labels)
    return all_settled(fitted.actor, fitted.prior.pose, places.of_size(fitted.size), known, frames, calibrated.pose, catalogue=catalogue)


def _unfiltered(take: Take, at: Tensor, few: Observations) -> Observations:
    """All samples of the frames `at`: a marker under a wrong label breaks its rigid group, so the filter flags all of it."""
    frames = at.cpu().numpy()
    positions = take.positions[frames]
    with np.errstate(invalid="ignore"):
        there: BoolArray = np.all(np.abs(positions) < FARTHEST_M, axis=-1)
    points = torch.as_tensor(np.where(there[..., None], positions, 0.0)).to(few.points)
    return replace(few, points=points, confidence=torch.as_tensor(there).to(few.points))


def _free_names(take: Take, rows: Sequence[int], taken: tuple[str, ...]) -> tuple[str, ...]:
    """Names of markers that sit at no label: their labels, or what the file calls them where another marker has that label now."""
    found: list[str] = []
    for row in rows:
        label = take.labels[row]
        name = label if label not in taken else take.file_labels[row].rpartition(":")[2].strip()
        while name in taken or name in found:
            name += "?"
        found.append(name)
    return tuple(found)


def _still_true(findings: tuple[Finding, ...], labels: tuple[str, ...]) -> tuple[Finding, ...]:
    """Without labels of the set that are missing no more."""
    return tuple(each for each in findings if each.kind != "missing" or not set(each.labels) & set(labels))


def _misplaced(take: Take, row: int, labels: tuple[str, ...], settled: Settled, known: int, called: dict[int, str]) -> Finding | None:
    """What is said of a marker that sits elsewhere than its label says; `called` are the new names of those that sit at no label."""
    name, held = take.file_labels[row], int(settled.labels[row])
    if held == (row if row < known else -1):
        return None
    if row >= known:
        text = f"{name} is taken for {labels[held]}, at whose place it sits."
        return Finding("misplaced", text, (labels[held],)).called({labels[held]: take.file_columns[take.labels[row]]})
    away_mm = 1000 * float(settled.away_m[row])
    where = f"it is taken for {labels[held]}, at whose place it sits" if held >= 0 else "its label is not believed"
    said = f"{name} is {away_mm:.0f} mm from where {labels[row]} belongs throughout the take: {where}."
    label = labels[held] if held >= 0 else called[row]
    finding = Finding("misplaced", said, (label,), numbers={"away_mm": round(away_mm, 1)})
    return finding.called({label: take.file_columns[take.labels[row]]})


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
    if is_long(take.frames):
        give_back()
    return Trajectories(take, cleaned, observe(cleaned, device))
