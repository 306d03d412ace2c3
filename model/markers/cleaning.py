# SPDX-License-Identifier: GPL-3.0-or-later
"""Flag the noise of a take with its reason, and fill short gaps.

Three tests, in this order; a sample is flagged by the first that it fails:

residual: the camera system itself gives it a large residual, for this file: see `thresholds.residual_limit`.
jump: it leaves the path of its neighbours in time: see `jumps.py`.
rigid: inside a rigid group it breaks the most distances to the other markers: see `rigid_groups.py`.
"""

from __future__ import annotations

import numpy as np

from ..core.settings import Settings
from ..core.take import BoolArray, CleanTake, Take
from ..marker_sets.marker_set import MarkerSet
from .gaps import fill_gaps
from .jumps import jumping
from .rigid_groups import breaking
from .thresholds import residual_limit, telling, threshold_findings


def clean(take: Take, marker_set: MarkerSet, settings: Settings) -> CleanTake:
    """Flag noise by the settings' thresholds and fill the gaps up to `settings.max_gap`.

    Args:
        take: On the marker set's labels.
        marker_set: Its rigid groups.
        settings: Thresholds.

    Returns:
        The cleaned take. A gap at either end of a marker, also one left by flagged samples, is filled for `gaps.ON_SECONDS`.
    """
    present = take.present
    trusted = present.copy()
    reasons: dict[str, BoolArray] = {}

    limit = residual_limit(take, settings.max_residual * 1e-3)
    reasons["residual"] = telling(take.residuals, present) & (take.residuals > limit)
    trusted &= ~reasons["residual"]
    reasons["jump"] = jumping(take, trusted, settings.max_speed)
    trusted &= ~reasons["jump"]
    reasons["rigid"] = breaking(take, trusted, marker_set, settings.rigid_tolerance * 1e-3)
    trusted &= ~reasons["rigid"]

    positions = np.where(trusted[..., None], take.positions, np.nan)
    fill_gaps(positions, trusted, take, marker_set, settings.max_gap)
    return CleanTake(take, positions, trusted, _counts(take, reasons), threshold_findings(take, reasons, settings, limit))


def _counts(take: Take, reasons: dict[str, BoolArray]) -> dict[str, dict[str, int]]:
    counts = {reason: flagged.sum(axis=0) for reason, flagged in reasons.items()}
    per_label = {
        label: {reason: int(count[marker]) for reason, count in counts.items() if count[marker]} for marker, label in enumerate(take.labels)
    }
    return {label: found for label, found in per_label.items() if found}
