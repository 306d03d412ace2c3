# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts that are painted once and then shown as parts of a picture: to draw one anew costs as much as all points of a take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import blf
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader
from mathutils import Matrix

#: Pixels around a text in the picture, so that none shows anything of its neighbour.
PAD = 2
#: How far down and to the right the shadow lies, in pixels; a soft one would be drawn many times.
SHADOW_PIXELS, SHADOW = 1, (0.0, 0.0, 0.0)
#: Two triangles of a rectangle whose corners are numbered row by row from the lower left one.
_CORNERS = [0, 1, 3, 0, 3, 2]


@dataclass(frozen=True)
class Text:
    """A line of letters in a colour (red, green, blue) and a size in pixels, with a shadow or without."""

    letters: str
    colour: tuple[float, float, float]
    size: float
    shadow: bool = False


class Texts:
    """Some texts, one above the other in a picture.

    Each is painted onto its own colour, fully transparent, so that it is blended as Blender blends a text: premultiplied colours would look
    thin, since viewports blend linear light.
    """

    def __init__(self, texts: Sequence[Text]) -> None:
        self.texts = tuple(texts)
        # first all shadows, so that none lies upon another's letters
        painted = [*((text, SHADOW) for text in texts if text.shadow), *((text, text.colour) for text in texts)]
        self._below = [round(0.4 * text.size) + PAD for text, _ in painted]
        heights = np.array([below + round(1.2 * text.size) for (text, _), below in zip(painted, self._below, strict=True)])
        widths = [round(_width(text)) + 2 * PAD for text, _ in painted]
        tops = np.cumsum(heights)
        #: Left, right, bottom and top of each, in the picture's pixels.
        self._boxes = np.stack([np.zeros(len(painted)), widths, tops - heights, tops], axis=1)
        self._size = max(widths, default=1), int(tops[-1]) if len(tops) else 1
        self._screen: Any = gpu.types.GPUOffScreen(*self._size)
        self._paint(painted)

    def _paint(self, painted: Sequence[tuple[Text, tuple[float, float, float]]]) -> None:
        width, height = self._size
        # what Blender's own description of its module leaves open
        matrix: Any = gpu.matrix
        with self._screen.bind(), matrix.push_pop(), matrix.push_pop_projection():
            matrix.load_matrix(Matrix.Identity(4))
            matrix.load_projection_matrix(Matrix(((2 / width, 0, 0, -1), (0, 2 / height, 0, -1), (0, 0, -1, 0), (0, 0, 0, 1))))
            gpu.state.blend_set("NONE")
            ground = np.repeat(np.array([(*colour, 0.0) for _, colour in painted], dtype=np.float32).reshape(-1, 4), 6, axis=0)
            shader = gpu.shader.from_builtin("FLAT_COLOR")
            batch_for_shader(shader, "TRIS", {"pos": _rectangles(self._boxes), "color": ground}).draw(shader)
            for (text, colour), box, below in zip(painted, self._boxes, self._below, strict=True):
                blf.size(0, text.size)
                blf.color(0, *colour, 1.0)
                blf.position(0, PAD, float(box[2]) + below, 0)
                blf.draw(0, text.letters)

    def at(self, places: np.ndarray) -> Any:
        """A batch of all texts, the lower left corner of each at one of places (n, 2) in the viewport's pixels."""
        shaded = places[[row for row, text in enumerate(self.texts) if text.shadow]]
        corners = np.concatenate([np.add(shaded, (SHADOW_PIXELS, -SHADOW_PIXELS)), places])
        # on whole pixels, or letters would be blurred
        left, bottom = np.round(corners).T - ([PAD], [0]) - np.stack([np.zeros(len(self._below)), self._below])
        width, height = self._boxes[:, 1], self._boxes[:, 3] - self._boxes[:, 2]
        shown = np.stack([left, left + width, bottom, bottom + height], axis=1)
        parts = self._boxes / (self._size[0], self._size[0], self._size[1], self._size[1])
        content = {"pos": _rectangles(shown), "texCoord": _rectangles(parts)}
        return batch_for_shader(gpu.shader.from_builtin("IMAGE"), "TRIS", content)

    def draw(self, batch: Any) -> None:
        """Draw a batch that `at` made."""
        gpu.state.blend_set("ALPHA")
        shader = gpu.shader.from_builtin("IMAGE")
        shader.bind()
        shader.uniform_sampler("image", self._screen.texture_color)
        batch.draw(shader)
        gpu.state.blend_set("NONE")

    def free(self) -> None:
        """Give the picture's memory back; it cannot be drawn any more."""
        self._screen.free()


def _width(text: Text) -> float:
    blf.size(0, text.size)
    return blf.dimensions(0, text.letters)[0]


def _rectangles(boxes: np.ndarray) -> np.ndarray:
    """(6 n, 2): the corners of two triangles for each of (n, 4): left, right, bottom and top."""
    left, right, bottom, top = boxes.T
    corners = np.stack([left, bottom, right, bottom, left, top, right, top], axis=1).reshape(-1, 4, 2)
    return np.ascontiguousarray(corners[:, _CORNERS].reshape(-1, 2), dtype=np.float32)
