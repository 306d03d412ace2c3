# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom a take shows and which point is which marker: by the file's labels, or by motion where too few of them are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..actors import prior as priors
from ..actors.actor import Actor
from ..actors.hierarchy import same_hierarchy
from ..actors.prior import Prior
from ..core.errors import BonesetterError
from ..core.findings import Finding
from ..core.progress import Progress
from ..core.settings import Settings
from ..core.take import Take
from ..marker_sets.marker_set import MarkerSet
from ..markers.computed import without_computed
from ..markers.matching import TooFewLabelsError, choose_marker_set
from ..markers.upright import decide_up
from ..solver.options import SolverOptions
from .missing_labels import columns_by_label, completed, lacks_names, names_of
from .subject import Subject, choose_subject
from .trajectories import Matched, match_take

if TYPE_CHECKING:
    from ..labelling.labelled import Labelled

#: What is raised where equations have no solution: far from everything that people do.
NO_SOLUTION = (np.linalg.LinAlgError, torch.linalg.LinAlgError)  # pyright: ignore[reportPrivateImportUsage]
#: Opens a stage by its name; what it gives is told the part of the stage that is done, 0 to 1.
Stage = Callable[[str], AbstractContextManager[Progress]]


@dataclass(frozen=True, eq=False)
class Identified:
    """A take, whom it shows, and its markers.

    Attributes:
        take: As read, or on the labels that were found by motion.
        subject: Of it.
        matched: The take on its subject's labels.
    """

    take: Take
    subject: Subject
    matched: Matched


def identify(
    take: Take,
    settings: Settings,
    given: Actor | None,
    prior: Prior | None,
    marker_set: MarkerSet | None,
    options: SolverOptions,
    stage: Stage,
    *,
    by_names: bool = True,
) -> Identified:
    """Match the labels of a take without its computed points; where too few are known, or they mislead, find them by motion first.

    Of the stages "match" is by the file's labels, and "labels", which takes longer than all others, by motion.

    Raises:
        BonesetterError: It has too few known labels, and nobody is found in it by motion either.
    """
    take, said = without_computed(take)
    take = replace(take, findings=(*take.findings, *said))

    def by_motion() -> Identified:
        # not above: takes with labels do not wait for it
        from ..labelling.label import label_take

        with stage("labels") as progress:
            found = label_take(take, given, marker_set, prior, lambda _stage, part: progress(part), settings.workers or None)
            return _named(_upright(take, found, settings), found, given, prior, marker_set, options)

    if not by_names:
        return by_motion()
    try:
        with stage("match"):
            named = _identified(take, given, prior, marker_set, options)
    except TooFewLabelsError as too_few:
        if not options.relabel:
            raise
        try:
            return by_motion()
        except BonesetterError as error:
            raise BonesetterError(f"{too_few.why} By motion they are not found either: {error}") from error
    if options.relabel and lacks_names(take, named.subject, named.matched):
        # not above either
        from ..labelling.completion import label_rest

        its_set = named.subject.marker_set
        names = names_of(take, its_set)
        # where they cannot be completed, the names are all there is
        with suppress(BonesetterError, *NO_SOLUTION), stage("labels") as progress:
            found = label_rest(take, names, its_set, prior, lambda _stage, part: progress(part), settings.workers or None)
            whole = completed(take, names, its_set, found)
            return named if whole is None else _identified(whole, given, prior, marker_set, options)
    return named


def _upright(take: Take, found: Labelled, settings: Settings) -> Take:
    """A take whose up axis is what the found labels say, unless it is told: names that nobody knew could not say it."""
    if settings.up != "auto":
        return take
    axis, said = decide_up(found.take.labels, found.take.positions, take.up_axis, said=False)
    return replace(take, up_axis=axis, findings=(*take.findings, *said))


def _named(
    take: Take, found: Labelled, given: Actor | None, prior: Prior | None, marker_set: MarkerSet | None, options: SolverOptions
) -> Identified:
    """The take on the labels that were found."""
    # the file has these samples in other columns: no copy of it can be patched by its labels
    own_set = _set_of(found, given, prior, marker_set)
    said = (*(_in_columns(finding, found) for finding in found.findings), *_contradicted(take, found, own_set))
    named = replace(
        found.take, source=None, up_axis=take.up_axis, findings=(*take.findings, *said), tracks_from=columns_by_label(found.tracks)
    )
    return _identified(named, given, prior, own_set, options)


def _in_columns(finding: Finding, found: Labelled) -> Finding:
    """What is said of found labels, with the columns of the take as read that it is about."""
    rows = [row for row in found.tracks if not finding.frames or (row.first, row.last) in finding.frames]
    if finding.labels:
        return finding.called(columns_by_label(row for row in rows if row.label))
    return replace(finding, labels=tuple(dict.fromkeys(row.column for row in rows if not row.label)))


def _contradicted(take: Take, found: Labelled, marker_set: MarkerSet | None) -> tuple[Finding, ...]:
    """Which columns have a label of the set and sit at the place of another one."""
    frames: dict[str, Counter[str]] = {}
    for row in found.tracks:
        frames.setdefault(row.column, Counter())[row.label] += row.samples
    known = marker_set or choose_marker_set(take)
    said = []
    for column, labels in frames.items():
        label, own = labels.most_common(1)[0][0], known.find(column)
        if own is not None and own != label:
            where = f"it is taken for {label}, at whose place it sits" if label else "its label is not believed"
            text = f"{column} is not where {own} belongs throughout the take: {where}."
            said.append(Finding("misplaced", text, (label or column,)).called({label: (column,)}))
    return tuple(said)


def _identified(take: Take, given: Actor | None, prior: Prior | None, marker_set: MarkerSet | None, options: SolverOptions) -> Identified:
    subject = choose_subject(take, given, prior, marker_set, options)
    return Identified(take, subject, match_take(take, subject))


def _set_of(found: Labelled, given: Actor | None, prior: Prior | None, marker_set: MarkerSet | None) -> MarkerSet | None:
    """The set of the found labels; None where it is told by them."""
    if given is None:
        return found.marker_set
    from ..labelling.layout import layout_of

    labels = [label for label in found.take.labels if not label.startswith("*")]
    known = marker_set or choose_marker_set(found.take)
    if all(known.find(label) for label in labels) or not same_hierarchy(given, prior or priors.bundled()):
        return marker_set
    return layout_of(found)
