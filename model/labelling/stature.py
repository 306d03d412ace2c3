# SPDX-License-Identifier: GPL-3.0-or-later
"""How large somebody is: a child is looked for, and labelled, as if it were shown by an adult's points.

What is known of how far markers are from one another, and all thresholds in metres, are of people of usual size.
"""

from __future__ import annotations

import numpy as np

from ..actors.actor import Actor
from ..core.axes import up_index
from ..core.take import Axis
from .key_frames import KeyFrames

#: Points stand unusually tall, or not as tall as usual, where that differs by more than this part; and how small and how large people are.
UNUSUAL, SMALLEST, LARGEST = 0.15, 0.45, 1.4


def likely_sizes(keys: KeyFrames, up_axis: Axis, usual_m: float) -> tuple[float, ...]:
    """How large somebody in the key frames may be, of a usual person: as usual, and as tall as the points where somebody may stand so.

    Args:
        keys: At least one frame, each with at least one point.
        up_axis: The take's.
        usual_m: How tall the markers of a usual person stand, in metres.
    """
    index = up_index(up_axis)
    tall = [np.ptp(points[there, index]) for points, there in zip(keys.points, keys.there, strict=True)]
    size = float(np.median(tall)) / usual_m
    return (1.0, size) if SMALLEST <= size <= LARGEST and abs(size - 1.0) > UNUSUAL else (1.0,)


def standing_m(actor: Actor) -> float:
    """How tall an actor's markers stand in the zero pose, in metres."""
    return float(np.ptp(actor.skeleton.zero_places[list(actor.marker_joints), 1] + actor.marker_offsets[:, 1]))
