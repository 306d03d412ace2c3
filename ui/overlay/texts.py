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
#: Behind a text that may lie upon anything.
GROUND = (0.09, 0.09, 0.09, 0.7)
#: Two triangles of a rectangle whose corners are numbered row by row from the lower left one.
_CORNERS = [0, 1, 3, 0, 3, 2]


@dataclass(frozen=True)
class Text:
    """A line of letters in a colour (red, green, blue) and a size in pixels, on a ground of its own or on what is there."""

    letters: str
    colour: tuple[float, float, float]
    size: float
    grounded: bool = False


class Texts:
    """Some texts, one above the other in a picture.

    Each is painted onto its own colour, fully transparent, so that it is blended as Blender blends a text: premultiplied colours would look
    thin, since viewports blend linear light.
    """

    def __init__(self, texts: Sequence[Text]) -> None:
        self.texts = tuple(texts)
        self._below = np.array([round(0.4 * text.size) + PAD for text in texts])
        heights = self._below + [round(1.2 * text.size) for text in texts]
        widths = np.array([round(width(text)) + 2 * PAD for text in texts])
        tops = np.cumsum(heights)
        #: Left, right, bottom and top of each, in the picture's pixels; above all of them lies some of the ground.
        self._boxes = np.stack([0 * widths, widths, tops - heights, tops], axis=1)
        self._size = int(widths.max()), int(tops[-1]) + 2 * PAD
        self._screen: Any = gpu.types.GPUOffScreen(*self._size)
        self._paint()

    def _paint(self) -> None:
        # what Blender's own description of its module leaves open
        matrix: Any = gpu.matrix
        viewport, scissor = gpu.state.viewport_get(), gpu.state.scissor_get()
        try:
            self._paint_within(matrix)
        finally:
            # unbinding leaves those of the picture to what is drawn next
            gpu.state.viewport_set(*viewport)
            gpu.state.scissor_set(*scissor)

    def _paint_within(self, matrix: Any) -> None:
        across, height = self._size
        with self._screen.bind(), matrix.push_pop(), matrix.push_pop_projection():
            matrix.load_matrix(Matrix.Identity(4))
            matrix.load_projection_matrix(Matrix(((2 / across, 0, 0, -1), (0, 2 / height, 0, -1), (0, 0, -1, 0), (0, 0, 0, 1))))
            gpu.state.blend_set("NONE")
            boxes = np.concatenate([self._boxes, [(0, across, height - 2 * PAD, height)]])
            colours = np.array([*((*text.colour, 0.0) for text in self.texts), GROUND], dtype=np.float32)
            shader = gpu.shader.from_builtin("FLAT_COLOR")
            batch_for_shader(shader, "TRIS", {"pos": rectangles(boxes), "color": np.repeat(colours, 6, axis=0)}).draw(shader)
            for text, box, below in zip(self.texts, self._boxes.tolist(), self._below.tolist(), strict=True):
                blf.size(0, text.size)
                blf.color(0, *text.colour, 1.0)
                blf.position(0, PAD, box[2] + below, 0)
                blf.draw(0, text.letters)

    def at(self, places: np.ndarray) -> Any:
        """A batch of all texts, the lower left corner of each at one of places (n, 2) in the viewport's pixels."""
        # on whole pixels, or letters would be blurred
        left, bottom = np.round(places).T - (np.full(len(places), PAD), self._below)
        right, top = left + self._boxes[:, 1], bottom + self._boxes[:, 3] - self._boxes[:, 2]
        # a lower case g and a capital reach so far
        size = np.array([text.size for text in self.texts])
        grounds = np.stack([left, right, np.round(bottom + self._below - 0.3 * size), np.round(bottom + self._below + 0.95 * size)], axis=1)
        grounds = grounds[[text.grounded for text in self.texts]]
        across, height = self._size
        ground = np.tile((PAD, PAD, height - PAD, height - PAD), (len(grounds), 1))
        # first every ground, so that none lies upon another's letters
        shown = np.concatenate([grounds, np.stack([left, right, bottom, top], axis=1)])
        parts = np.concatenate([ground, self._boxes]) / (across, across, height, height)
        content = {"pos": rectangles(shown), "texCoord": rectangles(parts)}
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


def width(text: Text) -> float:
    """In pixels."""
    blf.size(0, text.size)
    return blf.dimensions(0, text.letters)[0]


def rectangles(boxes: np.ndarray) -> np.ndarray:
    """(6 n, 2): the corners of two triangles for each of (n, 4): left, right, bottom and top."""
    left, right, bottom, top = boxes.T
    corners = np.stack([left, bottom, right, bottom, left, top, right, top], axis=1).reshape(-1, 4, 2)
    return np.ascontiguousarray(corners[:, _CORNERS].reshape(-1, 2), dtype=np.float32)
