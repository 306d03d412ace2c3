# SPDX-License-Identifier: GPL-3.0-or-later
"""An object that markers sit on and nobody wears: a stick, a ball, a tool."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.take import BoolArray, FloatArray


@dataclass(frozen=True, eq=False)
class Prop:
    """A rigid object and its path through a take, on the take's own axes.

    Attributes:
        name: The common beginning of its markers' names, else `Prop 1` and so on.
        labels: What the file calls its markers; of points without names all columns that hold their samples.
        places: (markers, 3) in metres: where its markers sit, from its middle, on its axes.
        positions: (frames, 3) in metres: its middle, the mean of its markers' places.
        rotations: (frames, 4) unit quaternions w x y z from its axes onto the take's. They are one and the same in the first frame in
            which it is seen.
        keyed: (frames,) where its markers tell of it, gaps of up to half a second included; elsewhere it stays where it was last seen.
        residual_mm: How far its markers are from where they should be, root mean square.
    """

    name: str
    labels: tuple[str, ...]
    places: FloatArray
    positions: FloatArray
    rotations: FloatArray
    keyed: BoolArray
    residual_mm: float
