# SPDX-License-Identifier: GPL-3.0-or-later
"""A solved take before its feet were held: what it takes to hold them otherwise without solving anything again."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.take import Axis, BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Unheld:
    """Poses before feet were held, and what the feet's markers show.

    Attributes:
        root: (frames, 3) in metres.
        turn: (frames, 3, 3), the root's rotation.
        q: (frames, coordinates) in radians.
        rows: (markers,) of the feet's markers among the actor's.
        samples: (frames, markers, 3) in metres, as the file has them; NaN where there is none.
        trusted: (frames, markers): not flagged.
        rate_hz: Frames per second.
        up_axis: The axis of the take that points up.
        origins: What the file calls each of the actor's markers.
        keyed: (frames, joints) whether markers tell of the joint's pose.
    """

    root: FloatArray
    turn: FloatArray
    q: FloatArray
    rows: IntArray
    samples: FloatArray
    trusted: BoolArray
    rate_hz: float
    up_axis: Axis
    origins: tuple[str, ...]
    keyed: BoolArray
