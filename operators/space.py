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
        placed: (4, 4) where the space lies in the scene in which the armature's bones are keyed, of a take that was placed as a whole,
            markers and armature, by a parent; None where that is the scene's own.
    """

    up_axis: Axis
    units_per_metre: float
    placed: FloatArray | None = None

    @property
    def turn(self) -> FloatArray:
        """(3, 3): from the take's axes to Blender's."""
        return Y_UP_TO_Z_UP @ TO_Y_UP[self.up_axis]

    @property
    def matrix(self) -> FloatArray:
        """(4, 4): `placed`, where there is one."""
        return np.eye(4) if self.placed is None else self.placed

    @property
    def own(self) -> Space:
        """The same where the parent is: what is keyed on the armature's bones, which the parent places."""
        return self._replace(placed=None)

    def to_blender(self, points: FloatArray) -> FloatArray:
        """(..., 3) in the scene, from metres on the take's axes."""
        points = points @ self.turn.T * self.units_per_metre
        return points if self.placed is None else points @ self.placed[:3, :3].T + self.placed[:3, 3]

    def to_take(self, points: FloatArray) -> FloatArray:
        """(..., 3) to metres on the take's axes."""
        if self.placed is not None:
            points = (points - self.placed[:3, 3]) @ np.linalg.inv(self.placed[:3, :3]).T
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
