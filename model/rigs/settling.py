# SPDX-License-Identifier: GPL-3.0-or-later
"""Where hips settle over feet that stand: so that legs have least to do, and the hips' path stays as long as it was.

Legs alone would have to turn by degrees for feet that keep one place. What hips take of it goes, on the whole, against their own motion:
feet of a performer that slide by some mm go with the hips. Their path would become shorter by up to some hundredths; that is given back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..core.fading import smoothed
from ..core.take import FloatArray
from .limbs import Moving, rows_of
from .rig import SIDES

#: How quickly hips go where legs have less to do, as the standard deviation of a filter in s.
HIPS_S = 0.03
#: What it costs to move hips along x, y and z, where 1 is an ankle that is as far off across its leg.
HIPS_STAY = (3.0, 3.0, 1.0)
#: Of a leg, the sine of half its knee's bend that counts as straight.
LEAST_BEND = 0.1
#: The length of a path is measured in steps of so many s, and steps slower than so many leg lengths in a second count less.
STEP_S, SLOW = 0.08, 0.05
#: For the length of their path hips go no further than this, in leg lengths.
MOST = 0.02
#: How often what the path lacks is made up for: its length is not quite linear in where hips go.
ROUNDS = 3


@dataclass(frozen=True, eq=False)
class Wanted:
    """Where a foot belongs: its ankle (frames, 3), its deltas and its toe's (frames, 3, 3), and how much it stands (frames,), 0 to 1."""

    ankle: FloatArray
    foot: FloatArray
    toe: FloatArray
    weight: FloatArray


def settled(moving: Moving, wanted: Mapping[str, Wanted], carried: FloatArray, rate_hz: float) -> FloatArray:
    """Where hips are to go so that legs have least to do for feet that stand.

    What a leg has to do grows with what its ankle is off, along it the more the straighter its knee is: a nearly straight leg bends by many
    degrees for a few mm. Hips share that, each frame's least squares, smoothly.

    Args:
        moving: The target, placed where hips are now.
        wanted: {side: where its foot belongs}.
        carried: (frames, 3) in metres: where hips are by the motion that was carried over.
        rate_hz: Frames per second.

    Returns:
        (frames, 3) in metres.
    """
    gone = moving.hips - carried
    sums, matrices = np.zeros_like(carried), np.tile(np.diag(HIPS_STAY), (len(carried), 1, 1))
    for side, want in wanted.items():
        hip, ankle = (moving.heads[:, rows_of(moving, f"{part}.{side}")[0]] for part in ("thigh", "foot"))
        length = moving.body.length(f"thigh.{side}") + moving.body.shin(side)
        along = want.ankle - hip
        along /= np.linalg.norm(along, axis=1, keepdims=True)
        straight = np.linalg.norm(ankle - hip, axis=1) / length
        # of a leg of two equal bones, by how much a part of its length turns each
        stiff = 1.0 / np.maximum(1.0 - straight**2, LEAST_BEND**2)
        outer = along[:, :, None] * along[:, None]
        metric = want.weight[:, None, None] * (np.eye(3) + (stiff - 1.0)[:, None, None] * outer)
        sums += np.einsum("fab,fb->fa", metric, want.ankle - ankle + gone)
        matrices += metric
    joints = np.mean([moving.heads[:, rows_of(moving, f"thigh.{side}")[0]] for side in SIDES], axis=0)
    shift = smoothed(np.linalg.solve(matrices, sums[..., None])[..., 0], HIPS_S * rate_hz)
    return carried + _as_long(shift, joints - gone, matrices, moving.body.leg, rate_hz)


def _as_long(shift: FloatArray, path: FloatArray, matrices: FloatArray, leg: float, rate_hz: float) -> FloatArray:
    """A shift of a path, both (frames, 3), that leaves it as long as it was: of all such shifts the one that costs legs least.

    Costs are each frame's least squares, whose matrices (frames, 3, 3) are given: the shift moves along the gradient of the length, weighed
    with their inverse.
    """
    step = max(1, round(STEP_S * rate_hz))
    if len(path) <= step:
        return shift
    slow = SLOW * leg * step / rate_hz
    wanted, gradient = _length(path, step, slow)
    way = smoothed(np.linalg.solve(matrices, smoothed(gradient, HIPS_S * rate_hz)[..., None])[..., 0], HIPS_S * rate_hz)
    gain, most = float(np.sum(gradient * way)), MOST * leg / max(float(np.linalg.norm(way, axis=1).max()), 1e-12)
    factor = 0.0
    for _ in range(ROUNDS):
        lacks = wanted - _length(path + shift + factor * way, step, slow)[0]
        factor = float(np.clip(factor + lacks / max(gain, 1e-12), -most, most))
    return shift + factor * way


def _length(path: FloatArray, step: int, slow: float) -> tuple[float, FloatArray]:
    """The length of a path (frames, 3) in metres, summed over steps of so many frames from each frame, and its gradient (frames, 3).

    Steps much shorter than `slow`, in metres, count next to nothing: where hips stand still they tremble, in any direction.
    """
    steps = path[step:] - path[:-step]
    lengths = np.sqrt(np.sum(steps**2, axis=1) + slow**2)
    gradient = np.zeros_like(path)
    gradient[step:] += steps / lengths[:, None]
    gradient[:-step] -= steps / lengths[:, None]
    return float(np.sum(lengths - slow)), gradient
