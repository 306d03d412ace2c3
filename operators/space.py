# SPDX-License-Identifier: GPL-3.0-or-later
"""Between a take's metres, axes and samples and Blender's units, axes and frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..model.core.axes import TO_Y_UP, Y_UP_TO_Z_UP

if TYPE_CHECKING:
    from ..model.core.take import Axis, FloatArray


class Space(NamedTuple):
    """Where a take lies in a scene.

    Attributes:
        up_axis: Of the take.
        units_per_metre: Blender units, from the scene's unit scale.
    """

    up_axis: Axis
    units_per_metre: float

    @property
    def turn(self) -> FloatArray:
        """(3, 3): from the take's axes to Blender's."""
        return Y_UP_TO_Z_UP @ TO_Y_UP[self.up_axis]

    def to_blender(self, points: FloatArray) -> FloatArray:
        """(..., 3) from metres on the take's axes."""
        return points @ self.turn.T * self.units_per_metre

    def to_take(self, points: FloatArray) -> FloatArray:
        """(..., 3) to metres on the take's axes."""
        return points @ self.turn / self.units_per_metre


class Timing(NamedTuple):
    """Which scene frame each sample of a take plays on: `start + step * sample`.

    Attributes:
        start: Scene frame of the first sample.
        step: Scene frames per sample; 1 where the scene plays at the take's rate.
        samples: How many there are.
    """

    start: float
    step: float
    samples: int

    @property
    def frames(self) -> FloatArray:
        """(samples,) scene frames."""
        return self.start + self.step * np.arange(self.samples)

    @property
    def whole(self) -> bool:
        """Each sample has a scene frame of its own."""
        return self.step == 1.0 and float(self.start).is_integer()
