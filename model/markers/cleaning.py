# SPDX-License-Identifier: GPL-3.0-or-later
"""Flag the noise of a take with its reason (`flags.py`), and fill short gaps (`gaps.py`)."""

from __future__ import annotations

import numpy as np

from ..core.parallel import both
from ..core.settings import Settings
from ..core.take import CleanTake, Take
from ..marker_sets.marker_set import MarkerSet
from .flags import NoiseFilter
from .gaps import fill_gaps


def clean(take: Take, marker_set: MarkerSet, settings: Settings) -> CleanTake:
    """Flag noise by the settings' thresholds and fill the gaps up to `settings.max_gap`.

    Args:
        take: On the marker set's labels.
        marker_set: Its rigid groups.
        settings: Thresholds.

    Returns:
        The cleaned take. A gap at either end of a marker, also one left by flagged samples, is filled for `gaps.ON_SECONDS`.
    """
    noise = NoiseFilter(take, marker_set.rigid_groups.values())
    flags = noise.flags(settings)
    positions = take.positions.copy()
    positions[~flags.trusted] = np.nan

    def fill() -> None:
        fill_gaps(positions, flags.trusted, take, marker_set, settings.max_gap)

    # what is to be said of the flags takes as long as the filling
    _, findings = both(fill, lambda: noise.findings(settings, flags))
    return CleanTake(take, positions, flags.trusted, flags.counts_of(take.labels), findings)
