# SPDX-License-Identifier: GPL-3.0-or-later
"""The strip along the lower edge of the viewport: over the frames of the scene a row a part of the body, or a marker that is selected,
in the colours of its states, both feet's contacts, and curves of residual and confidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader

from ...model.result.solved import Stance
from ...model.review.states import State
from ...model.review.strip import Row, columns, highest, runs, worst
from ...model.review.strip_size import CURVES, GAP, MARGIN, MOST_PART, ROW, strip_height
from ...operators.review import Review
from ...operators.takes import takes_of
from ...operators.translation import translated
from ...operators.view import covered_sides
from .colours import palette_of
from .kept import Kept
from .shown import active_review, selected_rows, wanted
from .texts import Text, Texts, rectangles

#: Pixels at the interface's usual size: of the rows' names.
NAMES_WIDTH = 78
#: More markers than this that are selected have no rows of their own.
MOST_ROWS = 10
#: The top of the residual's curve, in m.
TOP_M = 0.03
BACKGROUND, TEXT, PLAYHEAD = (0.09, 0.09, 0.09, 1.0), (0.85, 0.85, 0.85), (0.35, 0.6, 1.0, 1.0)
RESIDUAL, CONFIDENCE = (0.95, 0.55, 0.3, 1.0), (0.4, 0.75, 0.5, 1.0)
HEEL, BALL = (0.55, 0.75, 0.35, 1.0), (0.8, 0.9, 0.5, 1.0)
#: Pixels of a column, at least: a problem of one frame of many is seen, and there is half as much to draw.
COLUMN = 2
#: What is drawn of seen samples: less bright than problems.
CALM = (0.20, 0.28, 0.33, 1.0)


@dataclass(frozen=True)
class Bars:
    """Where what of the strip lies, in pixels of the viewport from its lower left corner.

    Attributes:
        left, right: Of the bars, without the names.
        bottom, top: Of all.
        scale: Of the interface.
        first, last: Frames of the scene.
        rows: From the top down.
        feet: Names of the feet that have a row below them.
        curves: Whether there are curves below these.
    """

    left: int
    right: int
    bottom: int
    top: int
    scale: float
    first: int
    last: int
    rows: tuple[Row, ...]
    feet: tuple[str, ...]
    curves: bool

    def holds(self, x: float, y: float) -> bool:
        return self.left <= x <= self.right and self.bottom <= y <= self.top

    def frame_at(self, x: float) -> int:
        part = (x - self.left) / max(1, self.right - self.left)
        return round(min(max(self.first + part * (self.last + 1 - self.first) - 0.5, self.first), self.last))

    def x_of(self, frame: float) -> float:
        return self.left + (frame + 0.5 - self.first) / (self.last + 1 - self.first) * (self.right - self.left)

    def row_top(self, index: int) -> float:
        return self.top - (GAP + index * (ROW + GAP)) * self.scale

    def row_at(self, y: float) -> Row | None:
        for index, row in enumerate(self.rows):
            if self.row_top(index) - (ROW + GAP) * self.scale < y <= self.row_top(index):
                return row
        return None


def bars(context: bpy.types.Context) -> Bars | None:
    """The strip of a viewport; None where it has none or is too small for one."""
    active = _wanted(context)
    return _bars(context, *active) if active is not None else None


def _wanted(context: bpy.types.Context) -> tuple[bpy.types.Collection, Review] | None:
    return active_review(context) if wanted(context) and context.scene.bonesetter.show_strip else None


def _bars(context: bpy.types.Context, take: bpy.types.Collection, review: Review) -> Bars | None:
    scene, region, scale = context.scene, context.region, context.preferences.system.ui_scale
    first, last = (scene.frame_preview_start, scene.frame_preview_end) if scene.use_preview_range else (scene.frame_start, scene.frame_end)
    chosen = selected_rows(context, take, review)
    rows = review.rows
    if 0 < len(chosen) <= MOST_ROWS:
        rows = tuple(Row(review.names[row], (row,)) for row in sorted(chosen))
    stances = review.solved.stances if review.solved is not None else ()
    feet = tuple(sorted({stance.foot for stance in stances}))
    curves = review.solved is not None
    height = strip_height(len(rows) + len(feet), curves=curves) * scale
    before, behind = covered_sides(context, context.area)
    left = before + round((MARGIN + NAMES_WIDTH) * scale)
    right = region.width - behind - round(MARGIN * scale)
    # the redo panel stands in the same corner
    panels = [one.height for one in context.area.regions if one.type == "HUD" and one.height > 1]
    bottom = round(MARGIN * scale) + max(panels, default=0)
    if right - left < 100 or height > MOST_PART * region.height or last < first:
        return None
    return Bars(left, right, bottom, bottom + round(height), scale, first, last, rows, feet, curves)


@dataclass(frozen=True)
class _Picture:
    """What playing leaves as it is: all but the playhead.

    Attributes:
        batches: Shaders, and what each draws.
        names: Of the rows and curves.
        named: These, where they stand.
    """

    batches: list[tuple[Any, Any]]
    names: Texts
    named: Any

    def free(self) -> None:
        """Give the memory of the names back."""
        self.names.free()


kept: Kept[_Picture] = Kept()


def draw() -> None:
    """Blender calls it for every redraw of a viewport, in pixels."""
    context = bpy.context
    active = _wanted(context)
    strip = _bars(context, *active) if active is not None else None
    if strip is None or active is None:
        return
    take, review = active
    number = takes_of(context.scene).index(take)
    shows = (take.session_uid, review.version, number, strip, bpy.app.translations.locale)
    picture = kept.get(context, shows, lambda: _picture(strip, review, number))
    # opaque, and none of them twice: most of what a redraw costs is filling pixels
    gpu.state.blend_set("NONE")
    for shader, batch in picture.batches:
        batch.draw(shader)
    x = strip.x_of(context.scene.frame_current_final)
    if strip.left <= x <= strip.right:
        shader, batch = _quads([(x - strip.scale, x + strip.scale, strip.bottom, strip.top)], [PLAYHEAD])
        batch.draw(shader)
    picture.names.draw(picture.named)


def _picture(strip: Bars, review: Review, number: int) -> _Picture:
    names, places = _names(strip)
    return _Picture(_batches(strip, review, number), names, names.at(places))


def _batches(strip: Bars, review: Review, number: int) -> list[tuple[Any, Any]]:
    """All but the playhead and the names."""
    boxes = _ground(strip)
    colours: list[Sequence[float]] = [BACKGROUND] * len(boxes)
    palette = palette_of(number)
    palette[State.SEEN] = CALM
    count = (strip.right - strip.left) // COLUMN
    width = (strip.right - strip.left) / count
    edges = columns(len(review.states.codes), review.sample(strip.first), review.sample(strip.last), count)
    height = ROW * strip.scale
    for index, states in enumerate(worst(review.states.codes, strip.rows, edges)):
        top = strip.row_top(index)
        # before the take and behind it the ground shows
        for start, end, state in zip(*runs(states + 1), strict=True):
            boxes.append((strip.left + width * start, strip.left + width * end, top - height, top))
            colours.append(palette[state - 1].tolist() if state else BACKGROUND)
    for index, foot in enumerate(strip.feet):
        top = strip.row_top(len(strip.rows) + index)
        stances = [stance for stance in (review.solved.stances if review.solved else ()) if stance.foot == foot]
        for stance in stances:
            boxes.append(_stance_box(strip, review, stance, top))
            colours.append(BALL if stance.part == "ball" else HEEL)
    made = [_quads(boxes, colours)]
    if strip.curves:
        curves = (highest(review.states.residual, edges) / TOP_M, RESIDUAL), (-highest(-review.states.confidence, edges), CONFIDENCE)
        made.append(_curves(strip, curves))
    return made


def _ground(strip: Bars) -> list[tuple[float, float, float, float]]:
    """Boxes below all that is drawn, but for the rows of markers, which cover theirs."""
    left, right, bottom = strip.left - NAMES_WIDTH * strip.scale, strip.right, strip.row_top(len(strip.rows))
    boxes: list[tuple[float, float, float, float]] = [(left, strip.left, bottom, strip.top), (left, right, strip.bottom, bottom)]
    above: float = strip.top
    for index in range(len(strip.rows)):
        top = strip.row_top(index)
        boxes.append((strip.left, right, top, above))
        above = top - ROW * strip.scale
    return [*boxes, (strip.left, right, bottom, above)]


def _stance_box(strip: Bars, review: Review, stance: Stance, top: float) -> tuple[float, float, float, float]:
    """A heel's in the lower half of its foot's row, a ball's in the upper one."""
    half = 0.5 * ROW * strip.scale
    ends = (strip.x_of(review.frame(stance.first) - 0.5), strip.x_of(review.frame(stance.last) + 0.5))
    left, right = (min(max(end, strip.left), strip.right) for end in ends)
    lower, upper = {"heel": (top - 2 * half, top - half), "ball": (top - half, top)}.get(stance.part, (top - 2 * half, top))
    return left, right, lower, upper


def _quads(boxes: Sequence[tuple[float, float, float, float]], colours: Sequence[Sequence[float]]) -> tuple[Any, Any]:
    """Boxes (left, right, bottom, top), each in its colour."""
    corners = rectangles(np.array(boxes))
    shader = gpu.shader.from_builtin("FLAT_COLOR")
    # a flat colour is that of a triangle's last corner
    return shader, batch_for_shader(shader, "TRIS", {"pos": corners, "color": np.repeat(np.array(colours, dtype=np.float32), 6, axis=0)})


def _curves(strip: Bars, curves: Sequence[tuple[np.ndarray, Sequence[float]]]) -> tuple[Any, Any]:
    """Lines of values (columns,) of 0 to 1, NaN where there is none, each in its colour."""
    floor = strip.bottom + GAP * strip.scale
    pieces: list[np.ndarray] = []
    colours: list[np.ndarray] = []
    for values, colour in curves:
        xs = strip.left + (strip.right - strip.left) * (np.arange(len(values)) + 0.5) / len(values)
        ys = floor + np.clip(values, 0.0, 1.0) * (CURVES - 2 * GAP) * strip.scale
        points = np.stack([xs, ys], axis=1).astype(np.float32)
        ends = np.stack([points[:-1], points[1:]], axis=1)
        pieces.append(ends[np.isfinite(ends).all(axis=(1, 2))].reshape(-1, 2))
        colours.append(np.tile(np.array(colour, dtype=np.float32), (len(pieces[-1]), 1)))
    shader = gpu.shader.from_builtin("FLAT_COLOR")
    return shader, batch_for_shader(shader, "LINES", {"pos": np.concatenate(pieces), "color": np.concatenate(colours)})


def _names(strip: Bars) -> tuple[Texts, np.ndarray]:
    """The names of rows and curves, and (n, 2) where they stand."""
    x, size = strip.left - (NAMES_WIDTH - 4) * strip.scale, 10 * strip.scale
    names = [translated(row.name) for row in strip.rows]
    names += [translated("Left Foot" if foot.startswith("L") else "Right Foot") for foot in strip.feet]
    texts = [Text(name[:13], TEXT, size) for name in names]
    places = [(x, strip.row_top(index) - (ROW - 2) * strip.scale) for index in range(len(names))]
    if strip.curves:
        lines = (translated("Residual"), RESIDUAL), (translated("Confidence"), CONFIDENCE)
        texts += [Text(name, colour[:3], size) for name, colour in lines]
        places += [(x, strip.bottom + (GAP + 2 + 12 * line) * strip.scale) for line in range(len(lines))]
    return Texts(texts), np.array(places)
