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
#: Who stands is at least so many times as tall as the points reach along the floor, also with stretched arms.
UPRIGHT = 0.8


def likely_sizes(keys: KeyFrames, up_axis: Axis, usual_m: float) -> tuple[float, ...]:
    """How large somebody in the key frames may be, of a usual person: as usual, and as tall as the points where somebody may stand so.

    Args:
        keys: At least one frame, each with at least one point.
        up_axis: The take's.
        usual_m: How tall the markers of a usual person stand, in metres.
    """
    reach = np.array([np.ptp(points[there], axis=0) for points, there in zip(keys.points, keys.there, strict=True)])
    tall = reach[:, up_index(up_axis)]
    stands = np.median(tall / np.delete(reach, up_index(up_axis), axis=1).max(axis=1).clip(1e-6)) >= UPRIGHT
    size = float(np.median(tall)) / usual_m
    return (1.0, size) if stands and SMALLEST <= size <= LARGEST and abs(size - 1.0) > UNUSUAL else (1.0,)


def standing_m(actor: Actor) -> float:
    """How tall an actor's markers stand in the zero pose, in metres."""
    return float(np.ptp(actor.skeleton.zero_places[list(actor.marker_joints), 1] + actor.marker_offsets[:, 1]))
