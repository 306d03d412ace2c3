# SPDX-License-Identifier: GPL-3.0-or-later
"""Which samples of a take are noise, and why.

Three tests, in this order; a sample is flagged by the first that it fails:

residual: the camera system itself gives it a large residual, for this file: see `thresholds.residual_limit`.
jump: it leaves the path of its neighbours in time: see `jumps.py`.
rigid: inside a rigid group it breaks the most distances to the other markers: see `rigid_groups.py`.

What the user pinned is never flagged. Numpy alone is needed, so that Blender shows what a threshold flags before anything is solved.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ..core.findings import Finding
from ..core.settings import Settings
from ..core.take import BoolArray, FloatArray, Take
from .jumps import jumping
from .rigid_groups import breaking
from .thresholds import residual_limit, telling, threshold_findings

Reason = Literal["residual", "jump", "rigid"]
#: In the order in which they are looked for.
REASONS: tuple[Reason, ...] = get_args(Reason)


@dataclass(frozen=True, eq=False)
class Flags:
    """What the noise filter flags of a take.

    Attributes:
        reasons: {reason: (frames, labels)}; no sample has two reasons.
        trusted: (frames, labels): samples that are not flagged.
        limit: (labels,) in metres: the largest residual of each marker that is no noise.
    """

    reasons: dict[Reason, BoolArray]
    trusted: BoolArray
    limit: FloatArray

    @property
    def counts(self) -> dict[Reason, int]:
        """{reason: samples}."""
        return {reason: int(flagged.sum()) for reason, flagged in self.reasons.items()}

    def counts_of(self, labels: Sequence[str]) -> dict[str, dict[str, int]]:
        """{label: {reason: samples}} for the labels, those of the take, that have any."""
        counts = {reason: flagged.sum(axis=0) for reason, flagged in self.reasons.items()}
        per_label = {label: {reason: int(count[row]) for reason, count in counts.items() if count[row]} for row, label in enumerate(labels)}
        return {label: found for label, found in per_label.items() if found}


class NoiseFilter:
    """The noise of one take by any thresholds; what another threshold does not change is not computed again."""

    def __init__(self, take: Take, rigid_groups: Iterable[Sequence[str]]) -> None:
        """Args:
        take: On a marker set's labels.
        rigid_groups: Labels of the markers that keep their distances; those that the take lacks are passed over.
        """
        self._take = take
        self._groups = tuple(rigid_groups)
        self._present = take.present
        self._jumps: tuple[float, BoolArray, BoolArray] | None = None

    def flags(self, settings: Settings) -> Flags:
        """What is flagged by the thresholds of these settings."""
        tell = telling(self._take.residuals, self._present)
        limit = residual_limit(self._take, self._present, tell, settings.max_residual * 1e-3)
        trusted = self._present.copy()
        pinned = self._take.pinned
        free = np.ones_like(trusted) if pinned is None else ~pinned
        reasons: dict[Reason, BoolArray] = {"residual": tell & (self._take.residuals > limit) & free}
        trusted &= ~reasons["residual"]
        reasons["jump"] = self._jumping(trusted, settings.max_speed) & free
        trusted &= ~reasons["jump"]
        reasons["rigid"] = breaking(self._take, trusted, self._groups, settings.rigid_tolerance * 1e-3) & free
        trusted &= ~reasons["rigid"]
        return Flags(reasons, trusted, limit)

    def findings(self, settings: Settings, flags: Flags) -> tuple[Finding, ...]:
        """What is to be said of the thresholds by which these flags were found."""
        return threshold_findings(self._take, {**flags.reasons}, settings, flags.limit)

    def _jumping(self, standing: BoolArray, max_speed: float) -> BoolArray:
        known = self._jumps
        if known is None or known[0] != max_speed or not np.array_equal(known[1], standing):
            self._jumps = known = (max_speed, standing.copy(), jumping(self._take, standing, max_speed))
        return known[2]
