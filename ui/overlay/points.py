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
from .shown import hovered, selected_rows, shown_takes

#: Pixels.
POINT, LARGE, LINE, STICK = 7.0, 12.0, 2.0, 1.5
STICK_ALPHA = 0.35


def draw() -> None:
    """Blender calls it for every redraw of a viewport, in the scene's space."""
    context = bpy.context
    options = context.scene.bonesetter
    for number, take, review in shown_takes(context):
        sample = review.sample(context.scene.frame_current_final)
        if not 0 <= sample < len(review.world):
            continue
        gpu.state.blend_set("ALPHA")
        places, colours = at(review, sample, palette_of(number))
        chosen = selected_rows(context, take, review)
        if options.show_sticks:
            _lines(_sticks(review, places), None, (*colours_of_stick(number), STICK_ALPHA), STICK)
        if options.show_trails:
            _trails(review, sample, chosen, palette_of(number), options.trail_seconds)
        _lines(_to_solved(review, sample), None, tuple(palette_of(number)[State.FAR]), LINE)
        over = hovered(take)
        large = {*chosen, over} - {None}
        _points(places, colours, [row for row in range(len(places)) if row not in large], POINT)
        _points(places, colours, sorted(large), LARGE)
        gpu.state.blend_set("NONE")
        gpu.state.point_size_set(1.0)


def at(review: Review, sample: int, palette: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the markers are drawn at a sample, (labels, 3), those without a sample where the solve puts them, and their colours."""
    seen = review.world[sample]
    places = np.where(np.isfinite(seen), seen, review.solved_world[sample])
    return places, palette[review.states.codes[sample]]


def colours_of_stick(number: int) -> tuple[float, float, float]:
    red, green, blue, _ = palette_of(number)[State.SEEN].tolist()
    return red, green, blue


def _sticks(review: Review, places: np.ndarray) -> np.ndarray:
    ends = places[review.sticks]
    return ends[np.isfinite(ends).all(axis=(1, 2))].reshape(-1, 3)


def _to_solved(review: Review, sample: int) -> np.ndarray:
    """(2 n, 3): from each marker that is far off to where the solve puts it."""
    rows = np.flatnonzero(review.states.codes[sample] == State.FAR)
    return np.stack([review.world[sample, rows], review.solved_world[sample, rows]], axis=1).reshape(-1, 3)


def _trails(review: Review, sample: int, rows: list[int], palette: np.ndarray, seconds: float) -> None:
    """The ways of some markers around a sample."""
    reach = max(1, round(seconds * review.take.rate_hz))
    frames = slice(max(0, sample - reach), sample + reach + 1)
    path = review.world[frames][:, rows]
    codes = review.states.codes[frames][:, rows]
    pieces = np.stack([path[:-1], path[1:]], axis=2)
    colours = palette[np.stack([codes[1:], codes[1:]], axis=2)]
    kept = np.isfinite(pieces).all(axis=(2, 3))
    _lines(pieces[kept].reshape(-1, 3), colours[kept].reshape(-1, 4), None, LINE)


def _points(places: np.ndarray, colours: np.ndarray, rows: list[int], size: float) -> None:
    rows = [row for row in rows if np.isfinite(places[row, 0])]
    if not rows:
        return
    gpu.state.point_size_set(size * bpy.context.preferences.system.ui_scale)
    shader = gpu.shader.from_builtin("POINT_FLAT_COLOR")
    batch = batch_for_shader(shader, "POINTS", {"pos": places[rows].astype(np.float32), "color": colours[rows].astype(np.float32)})
    batch.draw(shader)


def _lines(ends: np.ndarray, colours: np.ndarray | None, colour: Any, width: float) -> None:
    """Lines between each two of ends (2 n, 3), each in a colour of its own or all in one."""
    if not len(ends):
        return
    shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR" if colours is None else "POLYLINE_FLAT_COLOR")
    content: dict[str, Any] = {"pos": ends.astype(np.float32)}
    if colours is not None:
        content["color"] = colours.astype(np.float32)
    batch = batch_for_shader(shader, "LINES", content)
    shader.bind()
    shader.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
    shader.uniform_float("lineWidth", width * bpy.context.preferences.system.ui_scale)
    if colours is None:
        shader.uniform_float("color", colour)
    batch.draw(shader)
