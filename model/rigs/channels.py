# SPDX-License-Identifier: GPL-3.0-or-later
"""A retargeted motion as the channels of bones: rotations from rest in a bone's own axes, and the location of the bone that travels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..core.fading import smoothed
from ..core.rigid import quaternions
from ..core.rotations import rotmat_to_unitquat
from ..core.take import FloatArray
from .retarget import Retargeted

#: What carries the character over the floor.
Travel = Literal["HIPS", "ROOT", "OBJECT", "PLACE"]
#: How quickly the heading of a root bone may change, as the standard deviation of a filter in s: it shall not sway with the hips.
HEADING_S = 0.25


@dataclass(frozen=True, eq=False)
class Channels:
    """What is keyed.

    Attributes:
        rotations: {bone: (frames, 3, 3) from rest, in the bone's own axes}.
        locations: {bone: (frames, 3) in the object's units, in the bone's own axes}.
        places, headings: (frames, 3) in metres and (frames,) in radians about the vertical, in the world: of what carries the character,
            from where it stands at rest; none where nothing does.
    """

    rotations: dict[str, FloatArray]
    locations: dict[str, FloatArray]
    places: FloatArray | None = None
    headings: FloatArray | None = None


def channels(moved: Retargeted, travel: Travel, unit: float) -> Channels:
    """The channels of a retargeted motion.

    Args:
        moved: The motion.
        travel: What carries the character.
        unit: Metres for each of the object's units.
    """
    rig, keyed = moved.rig, moved.keyed
    carried, places, headings = _travel(moved, travel)
    rotations: dict[str, FloatArray] = {}
    locations: dict[str, FloatArray] = {}
    for row, each in enumerate(keyed):
        turn, above = rig.turns[each.bone], each.turn_parent
        before = _still(carried, travel) if each.free else carried if above < 0 else moved.deltas[:, above]
        rotations[rig.names[each.bone]] = turn.T @ np.swapaxes(before, -1, -2) @ moved.deltas[:, row] @ turn
    first = keyed[0]
    at_rest = _followed(moved, travel, carried, places)
    heads = moved.heads[:, 0].copy()
    if travel == "PLACE":
        heads[:, :2] -= moved.heads[:, 0, :2] - rig.heads[first.bone, :2]
    # a location goes along with the parent even where the bone itself does not turn with it
    parent = carried if first.pivot == first.bone else _still(carried, travel)
    axes = rig.location_axes(first.bone)
    locations[rig.names[first.bone]] = np.einsum("ba,fcb,fc->fa", axes, parent, heads - at_rest) / unit
    if travel == "ROOT":
        assert places is not None
        bone = rig.index[moved.bone_map.root]
        own = rig.turns[bone]
        rotations[moved.bone_map.root] = own.T @ carried @ own
        # its head turns about itself
        locations[moved.bone_map.root] = places @ rig.location_axes(bone) / unit
    return Channels(rotations, locations, places if travel == "OBJECT" else None, headings if travel == "OBJECT" else None)


def steady_quaternions(rotations: FloatArray) -> FloatArray:
    """(frames, 4) w x y z of rotations (frames, 3, 3): continuous, and beginning near to none."""
    quats = quaternions(rotations)
    return quats if quats[0, 0] >= 0 else -quats


def eulers(rotations: FloatArray, order: str) -> FloatArray:
    """Angles (frames, 3) in radians about x, y and z of rotations (frames, 3, 3), the first of `order` turned first, without jumps.

    Source: Shoemake, Euler angle conversion, Graphics Gems IV, 1994. Each pose has two sets of angles; of both, in each frame, the one
    counts that is nearer to the frame before.
    """
    i, j, k = ("XYZ".index(axis) for axis in order)
    sign = 1.0 if (i + 1) % 3 == j else -1.0
    middle = np.arcsin(np.clip(-sign * rotations[:, k, i], -1.0, 1.0))
    first = np.arctan2(sign * rotations[:, k, j], rotations[:, k, k])
    last = np.arctan2(sign * rotations[:, j, i], rotations[:, i, i])
    sets = np.empty((2, len(rotations), 3))
    sets[0][:, [i, j, k]] = np.stack([first, middle, last], axis=-1)
    sets[1][:, [i, j, k]] = np.stack([first + np.pi, np.pi - middle, last + np.pi], axis=-1)
    # how far each set of a frame is from each of the frame before, by whole turns alike: (frames, sets before, sets)
    apart = sets[None, :, 1:] - sets[:, None, :-1]
    apart = np.abs(apart - 2 * np.pi * np.round(apart / (2 * np.pi))).sum(axis=-1)
    first_apart = np.abs(sets[:, 0] - 2 * np.pi * np.round(sets[:, 0] / (2 * np.pi))).sum(axis=-1)
    nearest = np.argmin(apart, axis=1).T.tolist()
    chosen = [int(np.argmin(first_apart))]
    for each in nearest:
        chosen.append(each[chosen[-1]])
    found = sets[chosen, np.arange(len(rotations))]
    found[0] -= 2 * np.pi * np.round(found[0] / (2 * np.pi))
    return np.unwrap(found, axis=0)


def _travel(moved: Retargeted, travel: Travel) -> tuple[FloatArray, FloatArray | None, FloatArray | None]:
    """What carries the character: its deltas (frames, 3, 3), places (frames, 3) from rest, and headings (frames,)."""
    still = np.tile(np.eye(3), (len(moved.deltas), 1, 1))
    if travel not in ("ROOT", "OBJECT"):
        return still, None, None
    quats = rotmat_to_unitquat(moved.deltas[:, 0])
    # of a body that lies on its back or its head the heading is anything: its weight is none
    w, z = quats[:, 0], quats[:, 3]
    ahead = smoothed(np.stack([w * w - z * z, 2 * w * z], axis=-1), HEADING_S * moved.rate_hz)
    headings = np.unwrap(np.arctan2(ahead[:, 1], ahead[:, 0]))
    cosine, sine = np.cos(headings), np.sin(headings)
    carried = still.copy()
    carried[:, 0, 0], carried[:, 0, 1], carried[:, 1, 0], carried[:, 1, 1] = cosine, -sine, sine, cosine
    places = moved.heads[:, 0] - moved.rig.heads[moved.keyed[0].bone]
    places[:, 2] = 0.0
    pivot = _pivot(moved, travel)
    hips = moved.rig.heads[moved.keyed[0].bone] - pivot
    # the hips stay above what carries them as they are at rest
    places = places + hips - np.einsum("fab,b->fa", carried, hips)
    places[:, 2] = 0.0
    return carried, places, headings


def _still(carried: FloatArray, travel: Travel) -> FloatArray:
    """Deltas (frames, 3, 3) of a bone at rest that turns with no other, not even with a root, but with the object."""
    return carried if travel == "OBJECT" else np.broadcast_to(np.eye(3), carried.shape)


def _pivot(moved: Retargeted, travel: Travel) -> FloatArray:
    return moved.rig.origin if travel == "OBJECT" else moved.rig.heads[moved.rig.index[moved.bone_map.root]]


def _followed(moved: Retargeted, travel: Travel, carried: FloatArray, places: FloatArray | None) -> FloatArray:
    """(frames, 3): where the bone that travels would be without a location of its own."""
    head, loose = moved.rig.heads[moved.keyed[0].bone], moved.rig.heads[moved.keyed[0].pivot]
    if places is None:
        return np.broadcast_to(head, (len(carried), 3))
    pivot = _pivot(moved, travel)
    return pivot + places + np.einsum("fab,b->fa", carried, loose - pivot) + _still(carried, travel) @ (head - loose)
