# SPDX-License-Identifier: GPL-3.0-or-later
"""What the noise filter will flag of a take, as far as that is known before it is solved.

A solve puts labels right before it filters: there the flags of exchanged markers differ.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..core.errors import BonesetterError
from ..core.findings import Finding
from ..core.settings import Settings
from ..core.take import BoolArray, FloatArray, IntArray, Take
from ..marker_sets.marker_set import MarkerSet
from .flags import REASONS, NoiseFilter, Reason
from .matching import choose_marker_set, match_all, sampled_enough


@dataclass(frozen=True, eq=False)
class Flagged:
    """What is flagged of a take, on its own labels.

    Attributes:
        reasons: {reason: (frames, labels)}.
        samples: How many samples the filter judges.
        limit: (labels,) in metres: the largest residual that is no noise; infinite for markers that are not solved.
        findings: About thresholds that remove much.
    """

    reasons: dict[Reason, BoolArray]
    samples: int
    limit: FloatArray
    findings: tuple[Finding, ...]

    @property
    def counts(self) -> dict[Reason, int]:
        """{reason: samples}."""
        return {reason: int(flagged.sum()) for reason, flagged in self.reasons.items()}

    @property
    def any(self) -> BoolArray:
        """(frames, labels): flagged for whatever reason."""
        return np.logical_or.reduce(list(self.reasons.values()))


class Preview:
    """The markers of a take as the filter meets them, and what it flags of them."""

    def __init__(self, take: Take, muted: BoolArray | None = None) -> None:
        """Args:
        take: As read from a file, or gathered from a scene.
        muted: (labels,) markers that a solve leaves out; None for none.
        """
        self.take = take
        known, self.marker_set = _matched(take if muted is None else take.only(np.flatnonzero(~muted).tolist()))
        groups = self.marker_set.rigid_groups.values() if self.marker_set else ()
        #: Rows of the markers that are solved, as far as labels tell.
        self.rows: IntArray = np.array([take.labels.index(label) for label in known.file_labels], dtype=np.intp)
        #: Rows of the take's markers that keep their distances, a tuple a group.
        row_of = dict(zip(known.labels, self.rows.tolist(), strict=True))
        self.rigid_groups = tuple(tuple(row_of[label] for label in labels if label in row_of) for labels in groups)
        on_set = dict(zip(self.rows.tolist(), known.labels, strict=True))
        #: For each of the take's markers, what its marker set calls it; its own label where no set knows it.
        self.known_labels = tuple(on_set.get(row, label) for row, label in enumerate(take.labels))
        self._columns = known.file_columns
        self._samples = int(known.present.sum())
        self._noise = NoiseFilter(known, groups)

    def flagged(self, settings: Settings) -> Flagged:
        """What these thresholds flag."""
        flags = self._noise.flags(settings)
        shape = self.take.positions.shape[:2]
        reasons: dict[Reason, BoolArray] = {reason: np.zeros(shape, dtype=bool) for reason in REASONS}
        for reason in REASONS:
            reasons[reason][:, self.rows] = flags.reasons[reason]
        limit = np.full(shape[1], np.inf)
        limit[self.rows] = flags.limit
        findings = tuple(each.called(self._columns) for each in self._noise.findings(settings, flags))
        return Flagged(reasons, self._samples, limit, findings)


def _matched(take: Take) -> tuple[Take, MarkerSet | None]:
    try:
        marker_set = choose_marker_set(take)
        known, unknown = match_all(take, marker_set)
    except BonesetterError:
        # labels will be found by motion, or the take cannot be solved
        return replace(take, origins=take.labels), None
    others = unknown.only(np.flatnonzero(sampled_enough(unknown)).tolist())
    return (known.beside(others) if others.labels else known), marker_set
