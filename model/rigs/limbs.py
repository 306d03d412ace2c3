# SPDX-License-Identifier: GPL-3.0-or-later
"""Legs and arms of a target: two bones, bent at knee or elbow and turned at hip or shoulder so that they end where they are wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..core.fading import ease
from ..core.rotations import rotvec_to_rotmat
from ..core.take import FloatArray
from .figure import Anatomy, turn_betweens

if TYPE_CHECKING:
    from .retarget import Keyed

#: A limb is never stretched further than this part of its length.
STRETCH = 0.9995
#: Sine of the bend of a knee or an elbow below which it counts as straight.
STRAIGHT = 0.05


class Moving(Protocol):
    """A target while its pose is made; `place` puts heads where deltas have them."""

    body: Anatomy
    keyed: tuple[Keyed, ...]
    deltas: FloatArray
    hips: FloatArray
    heads: FloatArray

    def place(self) -> None: ...


def rows_of(moving: Moving, part: str) -> list[int]:
    """Rows of a part's chain among the keyed bones, without those beside it."""
    bones = moving.body.chains[part]
    return [next(row for row, each in enumerate(moving.keyed) if each.bone == bone) for bone in bones]


def turn_part(moving: Moving, part: str, turn: FloatArray) -> None:
    """Turn all bones of a part, those beside it too, by (frames, 3, 3) in the world; heads stay until they are placed."""
    for row in (row for row, each in enumerate(moving.keyed) if each.part == part):
        moving.deltas[:, row] = turn @ moving.deltas[:, row]


def bent_to(upper: FloatArray, lower: FloatArray, aim: FloatArray, hinge: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How two bones are to be turned so that the second ends where it is wanted, or as near as they reach.

    Args:
        upper, lower: (frames, 3) in metres in the world: along the bones.
        aim: (frames, 3) likewise, from where the first bone begins.
        hinge: (frames, 3): the axis about which a straight limb bends.

    Returns:
        Turns (frames, 3, 3) in the world, of the first and of the second bone.
    """
    bend = _bends(upper, lower, np.linalg.norm(aim, axis=1), hinge)
    swing = turn_betweens(upper + np.einsum("fab,fb->fa", bend, lower), aim)
    return swing, swing @ bend


def _bends(first: FloatArray, second: FloatArray, distance: FloatArray, hinge: FloatArray) -> FloatArray:
    """(frames, 3, 3): the turn of the second bone (frames, 3) that brings its end to a distance (frames,) from where the first begins.

    A joint bends about the axis about which it is bent; where it is nearly straight, about the hinge (frames, 3).
    """
    upper, lower = np.linalg.norm(first, axis=1), np.linalg.norm(second, axis=1)
    reached = np.linalg.norm(first + second, axis=1)
    distance = np.clip(distance, np.abs(upper - lower) * 1.001 + 1e-6, np.maximum(STRETCH * (upper + lower), reached))
    wanted = np.pi - np.arccos(np.clip((upper**2 + lower**2 - distance**2) / (2 * upper * lower), -1.0, 1.0))
    along = (first + second) / np.linalg.norm(first + second, axis=1, keepdims=True)
    sideways = hinge - np.sum(hinge * along, axis=1, keepdims=True) * along
    axis = np.cross(first, second) / (upper * lower)[:, None] + STRAIGHT * sideways
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    sine = np.sum(np.cross(first, second) * axis, axis=1)
    bent = np.arctan2(sine, np.sum(first * second, axis=1))
    # a knee that the performer bends backwards a little stays so, unless the leg has to become shorter
    shorter = ease((wanted - np.abs(bent)) / 0.1)
    backwards = shorter * wanted - (1 - shorter) * np.minimum(wanted, np.abs(bent))
    bends = np.where(bent < 0, backwards, wanted) - bent
    return rotvec_to_rotmat(axis * np.where(np.abs(distance - reached) < 1e-9, 0.0, bends)[:, None])
