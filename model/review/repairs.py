# SPDX-License-Identifier: GPL-3.0-or-later
"""Repairs of markers, on arrays."""

from __future__ import annotations

import numpy as np

from ..core.stretches import stretches
from ..core.take import BoolArray, FloatArray


def filled(samples: FloatArray, places: FloatArray, holes: BoolArray) -> FloatArray:
    """A marker's samples with holes filled from where a solve puts it.

    The solve passes by the samples at some distance: at either end of a hole it is known, and fades from the one to the other, so that
    the marker does not jump. At an end of the take the distance at the other end is kept.

    Args:
        samples: (frames, 3); what is in holes does not count.
        places: (frames, 3) in the same units, NaN where the solve has none.
        holes: (frames,) to be filled; those without a place are left as they are.

    Returns:
        (frames, 3).
    """
    made = samples.copy()
    apart = np.where(holes[:, None], np.nan, samples - places)
    for start, end in stretches(holes & np.isfinite(places).all(axis=-1)).tolist():
        before = apart[start - 1] if start > 0 else np.full(3, np.nan)
        after = apart[end] if end < len(samples) else np.full(3, np.nan)
        before, after = (np.nan_to_num(np.where(np.isfinite(one), one, other)) for one, other in ((before, after), (after, before)))
        fade = (np.arange(1, end - start + 1) / (end - start + 1))[:, None]
        made[start:end] = places[start:end] + (1 - fade) * before + fade * after
    return made


def joined_spans(spans: FloatArray, first: int, last: int, add: bool) -> list[int]:
    """Stretches with one more added to them, or taken out of them.

    Args:
        spans: (stretches, 2) first and last of each.
        first, last: Of the one in question.
        add: Whether it is added.

    Returns:
        First and last of each, one behind the other, in order and apart.
    """
    ends = spans.astype(int)
    flags = np.zeros(max([last, *ends[:, 1].tolist()]) + 1, dtype=bool)
    for start, end in ends.tolist():
        flags[start : end + 1] = True
    flags[first : last + 1] = add
    found = stretches(flags)
    found[:, 1] -= 1
    return found.ravel().tolist()
