# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers in the viewport: points in the colour of their state, sticks within rigid groups, trails, lines to solved places."""

from __future__ import annotations

from typing import Any

import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader

from ...model.review.states import State
from ...operators.review import Review
from .colours import palette_of
from .places import carried
from .shown import hovered, selected_rows, shown_takes

#: Pixels.
SMALL, POINT, LARGE, LINE = 4.0, 7.0, 12.0, 2.0
STICK_ALPHA = 0.35
#: What the actor carries.
PLACE = (1.0, 1.0, 1.0)
#: More markers than this that are selected have no trails: theirs would hide one another, and after an import all are selected.
MOST_TRAILS = 14
#: Pieces of a trail on either side of the playhead, at most.
PIECES = 24


class _Drawing:
    """What is drawn of all takes: every batch that goes to the GPU costs as much as some hundred corners, so there is one of each kind."""

    def __init__(self) -> None:
        self._ends: list[np.ndarray] = []
        self._of_ends: list[np.ndarray] = []
        self._places: dict[float, list[np.ndarray]] = {POINT: [], LARGE: [], SMALL: []}
        self._of_places: dict[float, list[np.ndarray]] = {POINT: [], LARGE: [], SMALL: []}

    def lines(self, ends: np.ndarray, colours: Any) -> None:
        """Lines between each two of ends (2 n, 3), in colours (4,) or (2 n, 4)."""
        if len(ends):
            self._ends.append(ends)
            self._of_ends.append(np.broadcast_to(np.asarray(colours, dtype=np.float32), (len(ends), 4)))

    def points(self, places: np.ndarray, colours: np.ndarray, size: float) -> None:
        """Points at places (n, 3), but for those that are NaN, in colours (n, 4)."""
        known = np.isfinite(places[:, 0])
        if known.any():
            self._places[size].append(places[known])
            self._of_places[size].append(colours[known])

    def draw(self, scale: float) -> None:
        gpu.state.blend_set("ALPHA")
        if self._ends:
            shader = gpu.shader.from_builtin("POLYLINE_FLAT_COLOR")
            batch = batch_for_shader(shader, "LINES", _content(self._ends, self._of_ends))
            shader.bind()
            shader.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
            shader.uniform_float("lineWidth", LINE * scale)
            batch.draw(shader)
        shader = gpu.shader.from_builtin("POINT_FLAT_COLOR")
        for size, places in self._places.items():
            if places:
                gpu.state.point_size_set(size * scale)
                batch_for_shader(shader, "POINTS", _content(places, self._of_places[size])).draw(shader)
        gpu.state.blend_set("NONE")
        gpu.state.point_size_set(1.0)


def _content(places: list[np.ndarray], colours: list[np.ndarray]) -> dict[str, Any]:
    # as one row after the other: Blender reads the memory, and of repeated rows numpy joins the columns
    joined = {"pos": np.concatenate(places), "color": np.concatenate(colours)}
    return {name: np.ascontiguousarray(numbers, dtype=np.float32) for name, numbers in joined.items()}


def draw() -> None:
    """Blender calls it for every redraw of a viewport, in the scene's space."""
    context = bpy.context
    options = context.scene.bonesetter
    drawing = _Drawing()
    for number, take, review in shown_takes(context):
        sample = review.sample(context.scene.frame_current_final)
        if not 0 <= sample < len(review.world):
            continue
        palette = palette_of(number)
        places, colours = at(review, sample, palette)
        chosen = selected_rows(context, take, review)
        if options.show_sticks:
            drawing.lines(_sticks(review, places), (*palette[State.SEEN][:3], STICK_ALPHA))
        if options.show_trails and 0 < len(chosen) <= MOST_TRAILS:
            drawing.lines(*_trails(review, sample, chosen, palette, options.trail_seconds))
        drawing.lines(_to_solved(review, sample), palette[State.FAR])
        if options.show_places and len(ends := carried(take, review, sample)):
            drawing.lines(ends, (*PLACE, STICK_ALPHA))
            drawing.points(ends[1::2], np.tile(np.array([(*PLACE, 1.0)], dtype=np.float32), (len(ends) // 2, 1)), SMALL)
        over = hovered(take, review)
        large = np.zeros(len(places), dtype=bool)
        large[[*chosen, *([over] if over is not None else [])]] = True
        drawing.points(places[~large], colours[~large], POINT)
        drawing.points(places[large], colours[large], LARGE)
    drawing.draw(context.preferences.system.ui_scale)


def at(review: Review, sample: int, palette: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the markers are drawn at a sample, (labels, 3), see `Review.places`, and their colours."""
    return review.places(sample), palette[review.states.codes[sample]]


def _sticks(review: Review, places: np.ndarray) -> np.ndarray:
    ends = places[review.sticks]
    return ends[np.isfinite(ends).all(axis=(1, 2))].reshape(-1, 3)


def _to_solved(review: Review, sample: int) -> np.ndarray:
    """(2 n, 3): from each marker that is far off to where the solve puts it."""
    rows = np.flatnonzero(review.states.codes[sample] == State.FAR)
    return np.stack([review.world[sample, rows], review.solved_world[sample, rows]], axis=1).reshape(-1, 3)


def _trails(review: Review, sample: int, rows: list[int], palette: np.ndarray, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """The ways of some markers around a sample, as ends (2 n, 3) and colours (2 n, 4) of lines: those of the worst state in each."""
    reach = max(1, round(seconds * review.take.rate_hz))
    step = -(-reach // PIECES)
    first = sample - (min(reach, sample) // step) * step
    last = min(len(review.world) - 1, sample + reach)
    if last <= first:
        return np.zeros((0, 3)), np.zeros((0, 4))
    path = review.world[first : last + 1 : step][:, rows]
    starts = np.arange(first + 1, last + 1, step)[: len(path) - 1]
    codes = np.maximum.reduceat(review.states.codes[: first + step * (len(path) - 1) + 1, rows], starts, axis=0)
    pieces = np.stack([path[:-1], path[1:]], axis=2)
    colours = palette[np.stack([codes, codes], axis=2)]
    kept = np.isfinite(pieces).all(axis=(2, 3))
    return pieces[kept].reshape(-1, 3), colours[kept].reshape(-1, 4)
