# SPDX-License-Identifier: GPL-3.0-or-later
"""What is drawn once and then shown at every redraw as a picture: a name costs as much to draw as all points of a take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader
from mathutils import Matrix

#: Left, right, bottom and top.
Box = tuple[float, float, float, float]
#: Two triangles of a rectangle whose corners are numbered row by row from the lower left one.
_CORNERS = [0, 1, 3, 0, 3, 2]


class Picture:
    """A picture of some pixels, transparent where nothing was drawn."""

    def __init__(self, width: int, height: int, draw: Callable[[], None]) -> None:
        """Args:
        width, height: In pixels.
        draw: Draws it, in its own pixels from its lower left corner.
        """
        self.width, self.height = width, height
        # what Blender's own description of its module leaves open
        self._screen: Any = gpu.types.GPUOffScreen(width, height)
        matrix: Any = gpu.matrix
        with self._screen.bind(), matrix.push_pop(), matrix.push_pop_projection():
            gpu.state.active_framebuffer_get().clear(color=(0.0, 0.0, 0.0, 0.0))
            matrix.load_matrix(Matrix.Identity(4))
            matrix.load_projection_matrix(Matrix(((2 / width, 0, 0, -1), (0, 2 / height, 0, -1), (0, 0, -1, 0), (0, 0, 0, 1))))
            draw()

    def shown(self, places: Sequence[Box], parts: Sequence[Box]) -> Any:
        """A batch of parts of the picture, in its pixels, at places of the viewport, in the viewport's."""
        batch = _rectangles(np.array(parts) / (self.width, self.width, self.height, self.height))
        content = {"pos": _rectangles(np.array(places)), "texCoord": batch}
        return batch_for_shader(gpu.shader.from_builtin("IMAGE"), "TRIS", content)

    def draw(self, batch: Any, blend: str) -> None:
        """Draw a batch that `shown` made."""
        gpu.state.blend_set(blend)
        shader = gpu.shader.from_builtin("IMAGE")
        shader.bind()
        shader.uniform_sampler("image", self._screen.texture_color)
        batch.draw(shader)
        gpu.state.blend_set("NONE")

    def free(self) -> None:
        """Give its memory back; it cannot be drawn any more."""
        self._screen.free()


def _rectangles(boxes: np.ndarray) -> np.ndarray:
    """(6 n, 2): the corners of two triangles for each of (n, 4)."""
    left, right, bottom, top = boxes.T
    corners = np.stack([left, bottom, right, bottom, left, top, right, top], axis=1).reshape(-1, 4, 2)
    return np.ascontiguousarray(corners[:, _CORNERS].reshape(-1, 2), dtype=np.float32)
