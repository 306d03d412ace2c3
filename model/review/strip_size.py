# SPDX-License-Identifier: GPL-3.0-or-later
"""How high the strip at a viewport's lower edge is: who draws it and who frames what stands above it have to agree."""

from __future__ import annotations

#: Pixels at the interface's usual size: of a row, between rows, of the curves, and around all.
ROW, GAP, CURVES, MARGIN = 11, 2, 28, 8
#: A strip that is higher than this part of a viewport is not drawn.
MOST_PART = 0.5


def strip_height(rows: int, *, curves: bool) -> int:
    """Pixels, at the interface's usual size, of a strip of so many rows, without the margin below it."""
    return 2 * GAP + rows * (ROW + GAP) + (CURVES if curves else 0)
