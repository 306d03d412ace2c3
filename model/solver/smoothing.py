# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the markers' own jitter out of solved poses without delaying or flattening what the body did."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ..core.parallel import columns, run_each
from ..core.rigid import quaternions
from ..core.rotations import unitquat_to_rotmat
from ..core.take import FloatArray
from .banded import solve_unit_triangle
from .kinematics import Pose, to_array

#: Cut-off frequencies in Hz at smooth = 0 (no filter above it) and smooth = 1. Voluntary movement lies below about 10 Hz,
#: the impact of a punch or a landing below about 20 Hz (Winter, Biomechanics and Motor Control, ch. 3).
HIGHEST_HZ, LOWEST_HZ = 60.0, 5.0
#: Curves that a thread filters at once, at most.
CURVES_AT_ONCE = 16


def cutoff_hz(smooth: float) -> float:
    """The low-pass filter's cut-off for a smoothness from 0 to 1, on a logarithmic scale."""
    return HIGHEST_HZ * (LOWEST_HZ / HIGHEST_HZ) ** smooth


def low_pass(values: FloatArray, rate_hz: float, smooth: float) -> FloatArray:
    """Filter curves (frames, ...) forwards and backwards, so that nothing is delayed; the input where there is nothing to filter."""
    cutoff = cutoff_hz(smooth)
    if smooth <= 0 or cutoff >= 0.45 * rate_hz or len(values) < 3:
        return values
    padding = min(len(values) - 1, round(3 * rate_hz / cutoff))
    # rotated about its ends, a curve goes on beyond them as it came
    before, after = 2 * values[:1] - values[padding:0:-1], 2 * values[-1:] - values[-2 : -padding - 2 : -1]
    curves = np.concatenate([before, values, after]).reshape(len(values) + 2 * padding, -1)
    filtered = np.empty((len(values), curves.shape[1]), dtype=values.dtype)

    def work(own: slice) -> None:
        curve = curves[:, own]
        for _ in range(2):
            curve = butterworth(curve, cutoff, rate_hz)[::-1]
        filtered[:, own] = curve[padding : len(values) + padding]

    run_each(work, columns(curves.shape[1], len(values), CURVES_AT_ONCE))
    return filtered.reshape(values.shape)


def butterworth(values: FloatArray, cutoff_hz: float, rate_hz: float) -> FloatArray:
    """Curves (frames, n) through a Butterworth low-pass filter of second order, as if they had stood still before the first frame.

    With y the filter's output of x, y[t] + a1 y[t-1] + a2 y[t-2] = b (x[t] + 2 x[t-1] + x[t-2]): a triangular band of three diagonals,
    which LAPACK solves for all curves. What stands still passes unchanged, so both begin at the first frame's value.

    Source: Oppenheim and Schafer, Discrete-Time Signal Processing, sec. 7.1: the bilinear transform, its frequencies prewarped.
    """
    k = math.tan(math.pi * cutoff_hz / rate_hz)
    scale = 1 / (1 + math.sqrt(2) * k + k * k)
    first = values[:1]
    moved = (values - first).T
    filtered = np.array(moved, dtype=float, order="C")
    filtered[:, 1:] += 2 * moved[:, :-1]
    filtered[:, 2:] += moved[:, :-2]
    filtered *= k * k * scale
    band = np.empty((len(values), 3))
    band[:] = 1.0, 2 * (k * k - 1) * scale, (1 - math.sqrt(2) * k + k * k) * scale
    solve_unit_triangle(band, filtered)
    return filtered.T + first


def smooth_rotations(rotations: FloatArray, rate_hz: float, smooth: float) -> FloatArray:
    """Filter rotations (frames, 3, 3) that turn little within the filter's reach: their quaternions, brought back to length 1."""
    return unitquat_to_rotmat(low_pass(quaternions(rotations), rate_hz, smooth))


def smoothed(pose: Pose, rate_hz: float, smooth: float) -> Pose:
    """The pose without jitter."""
    like = pose.q
    root, turn, q = torch.empty_like(pose.root), torch.empty_like(pose.turn), torch.empty_like(like)

    def smooth_root() -> None:
        root[:] = _like(low_pass(to_array(pose.root), rate_hz, smooth), like)
        turn[:] = _like(smooth_rotations(to_array(pose.turn), rate_hz, smooth), like)

    def smooth_joints(own: slice) -> None:
        q[:, own] = _like(low_pass(to_array(pose.q[:, own]), rate_hz, smooth), like)

    joints = [partial(smooth_joints, own) for own in columns(like.shape[1], pose.frames, CURVES_AT_ONCE)]
    # the root takes longest
    run_each(lambda part: part(), (smooth_root, *joints))
    return Pose(root, turn, q)


def _like(values: FloatArray, like: Tensor) -> Tensor:
    """The numbers as a tensor of the kind of another one."""
    return torch.as_tensor(np.ascontiguousarray(values), dtype=like.dtype, device=like.device)
