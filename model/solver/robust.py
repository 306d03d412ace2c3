# SPDX-License-Identifier: GPL-3.0-or-later
"""What does not fit loses its say: Geman and McClure's kernel, and places that outlying samples do not move.

The kernel is rho(r) = r^2 s^2 / (r^2 + s^2) of a distance r at the scale s: r^2 where that is small, never more than s^2.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ..core.distances import squared_lengths
from ..core.take import FloatArray

#: Samples farther from the middle than so many median distances are not the marker's own.
OUTLYING = 3.0


def kernel_cost(squared: Tensor, scale2: float) -> Tensor:
    """rho in m^2, of squared distances (any shape) and s^2, both in m^2."""
    return squared * scale2 / (squared + scale2)


def kernel_weight(squared: Tensor, scale2: float | Tensor) -> Tensor:
    """How much squared distances (any shape) count in least squares, 0 to 1, as in Black and Rangarajan 1996: rho's derivative.

    Args:
        squared: In m^2.
        scale2: s^2 in m^2: one, or one for each.
    """
    return (scale2 / (scale2 + squared)) ** 2


def settled_place(samples: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The mean (..., 3) of samples (samples, ..., 3) that do not lie far off, and the root mean square distance (...) of these from it.

    Each of the places ... has its own samples that do.
    """
    count, *places, _ = samples.shape
    # the samples of a coordinate side by side: numpy sorts and sums these several times faster
    values = np.ascontiguousarray(samples.reshape(count, -1).T).reshape(*places, 3, count)
    distance = np.sqrt(squared_lengths((values - _median(values)).swapaxes(-2, -1)))
    near = distance <= OUTLYING * _median(distance) + 1e-9
    kept = near.sum(axis=-1)
    mean = (values * near[..., None, :]).sum(axis=-1) / kept[..., None]
    return mean, np.sqrt((near * squared_lengths((values - mean[..., None]).swapaxes(-2, -1))).sum(axis=-1) / kept)


def _median(values: FloatArray) -> FloatArray:
    """(..., 1): of values (..., samples); numpy's own is four times slower where the samples are few."""
    ordered, count = np.sort(values, axis=-1), values.shape[-1]
    return 0.5 * (ordered[..., (count - 1) // 2, None] + ordered[..., count // 2, None])
