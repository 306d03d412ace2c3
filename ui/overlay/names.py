# SPDX-License-Identifier: GPL-3.0-or-later
"""Names in the viewport: of markers that are selected and of the one under the mouse, with their state where it is a problem, and of takes
where there are several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bpy
import numpy as np

from ...model.review.states import NAMES, State
from ...operators.review import Review
from ...operators.translation import translated
from ...operators.view import covered_top
from .colours import palette_of
from .kept import Kept
from .points import at
from .shown import hovered, selected_rows, shown_takes
from .texts import Text, Texts, width

#: More names than this hide one another.
MOST = 14
SIZE, TAKE_SIZE, LIFT = 11, 13, 9
#: Of a name: how much of white is in its colour, so that dark states can be read, and pixels of a letter and of a line, about.
WHITE, LETTER, LINE = 0.55, 6.5, 15.0
#: Pixels from the mouse within which a marker is under it.
NEAR = 12.0

kept: Kept[Texts] = Kept()


def draw() -> None:
    """Blender calls it for every redraw of a viewport, in pixels."""
    context = bpy.context
    if not context.scene.bonesetter.show_names:
        return
    wanted: list[tuple[Text, float, float]] = []
    takes = list(shown_takes(context))
    for line, (number, take, review) in enumerate(takes):
        sample = review.sample(context.scene.frame_current_final)
        if not 0 <= sample < len(review.world):
            continue
        if len(takes) > 1:
            wanted += _of_take(
                context, take.name, review.world[sample], palette_of(number)[State.SEEN].tolist(), line, len(takes) - 1 - line
            )
        wanted += _of_markers(context, number, take, review, sample)
    if wanted:
        texts = tuple(text for text, _, _ in wanted)
        picture = kept.get(context, texts, lambda: Texts(texts))
        picture.draw(picture.at(np.array([place for _, *place in wanted])))


def _of_markers(
    context: bpy.types.Context, number: int, take: bpy.types.Collection, review: Review, sample: int
) -> list[tuple[Text, float, float]]:
    """The names of a take's markers, with the pixels of their lower left corners."""
    over, chosen = hovered(take, review), selected_rows(context, take, review)
    rows = [*([over] if over is not None else []), *[row for row in chosen if row != over]]
    if len(chosen) > MOST:
        rows = rows[:1] if over is not None else []
    if not rows:
        return []
    scale = context.preferences.system.ui_scale
    places, colours = at(review, sample, palette_of(number))
    pixels = to_pixels(context, places[rows])
    seen = [row for row, (x, _) in zip(rows, pixels, strict=True) if np.isfinite(x)]
    texts = [_text(review.names[row], State(int(review.states.codes[sample, row]))) for row in seen]
    corners = apart(pixels[np.isfinite(pixels[:, 0])] + (LIFT * scale, LIFT * 0.5 * scale), texts, scale)
    found: list[tuple[Text, float, float]] = []
    for row, text, (x, y) in zip(seen, texts, corners.tolist(), strict=True):
        red, green, blue, _ = (WHITE + (1 - WHITE) * colours[row]).tolist()
        found.append((Text(text, (red, green, blue), SIZE * scale, grounded=True), x, y))
    return found


def _text(label: str, state: State) -> str:
    return label if state == State.SEEN else f"{label}: {translated(NAMES[state])}"


def apart(corners: np.ndarray, texts: Sequence[str], scale: float) -> np.ndarray:
    """(n, 2): the lower left corners of texts, moved up from (n, 2) as far as it takes for none to lie upon another."""
    placed = np.zeros((0, 2))
    widths = LETTER * scale * np.array([len(text) for text in texts], dtype=float)
    for number, corner in enumerate(corners):
        x, y = corner
        beside = (placed[:, 0] < x + widths[number]) & (x < placed[:, 0] + widths[:number])
        # from below: who is in the way moves it over himself
        for other in np.sort(placed[beside, 1]):
            if abs(other - y) < LINE * scale:
                y = other + LINE * scale
        placed = np.vstack([placed, (x, y)])
    return placed


def _of_take(
    context: bpy.types.Context, name: str, places: np.ndarray, colour: list[float], above: int, below: int
) -> list[tuple[Text, float, float]]:
    """The name of one of several takes above its highest marker, in its colour, so many lines above and below those of others: they may
    stand in one another."""
    seen = places[np.isfinite(places).all(axis=1)]
    if not len(seen):
        return []
    scale = context.preferences.system.ui_scale
    ((x, y),) = to_pixels(context, np.array([[*seen[:, :2].mean(axis=0), seen[:, 2].max()]])).tolist()
    if not np.isfinite(x):
        return []
    red, green, blue, _ = colour
    text = Text(name, (red, green, blue), TAKE_SIZE * scale, grounded=True)
    # where the head is near the viewport's upper edge or above it they stand below its headers, still one above the other
    highest = context.region.height - covered_top(context, context.area) - (1 + below) * 1.5 * TAKE_SIZE * scale
    return [(text, x - 0.5 * width(text), min(y + (3 * LIFT + 1.5 * TAKE_SIZE * above) * scale, highest))]


def to_pixels(context: bpy.types.Context, places: np.ndarray) -> np.ndarray:
    """(n, 2): where places (n, 3) of the scene lie in the viewport; NaN behind the eye."""
    view: Any = context.region_data
    region = context.region
    whole = np.array(view.perspective_matrix)
    points = places @ whole[:3, :3].T + whole[:3, 3]
    depth = places @ whole[3, :3] + whole[3, 3]
    depth = np.where(depth > 0, depth, np.nan)
    return (points[:, :2] / depth[:, None] * 0.5 + 0.5) * (region.width, region.height)


def under(context: bpy.types.Context, x: float, y: float) -> tuple[int, int] | None:
    """The marker that is nearest to a pixel of the viewport: its take's session_uid and its row."""
    best, found = NEAR * context.preferences.system.ui_scale, None
    for number, take, review in shown_takes(context):
        sample = review.sample(context.scene.frame_current_final)
        if 0 <= sample < len(review.world):
            places, _ = at(review, sample, palette_of(number))
            away = np.nan_to_num(np.hypot(*(to_pixels(context, places) - (x, y)).T), nan=np.inf)
            if len(away) and away.min() < best:
                best, found = float(away.min()), (take.session_uid, int(away.argmin()))
    return found
