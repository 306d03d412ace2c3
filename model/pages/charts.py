# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawings on a page, as SVG in the page's own colours: curves over time, strips of what a marker is, bars, stick figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from ..actors.joint_names import side_of
from ..core.stretches import stretches
from ..core.take import FloatArray, all_finite
from .markup import tag
from .shown import Shown

#: Width of a drawing and of the names at its left, and how many columns a strip and a curve have at most.
WIDTH, NAMES, COLUMNS = 960.0, 96.0, 640
ROW, CURVE_HEIGHT, AXIS = 13.0, 170.0, 18.0
#: A figure's picture, in its own units, and how far a sample is from its place before a line joins them, in m.
FIGURE, FAR_M = 200.0, 0.025
STEPS = (1.0, 2.0, 5.0)


def curve(mean: FloatArray, worst: FloatArray, number: Callable[[int], int], limit: float) -> Element:
    """Two curves in mm over a take's frames, one below the other, each column with the largest value in it.

    Args:
        mean, worst: (frames,), NaN where unknown.
        number: What the user calls a frame.
        limit: Drawn as a line across.
    """
    edges = _edges(len(mean))
    lines = [np.array([_largest(values[start:end]) for start, end in pairwise(edges)]) for values in (mean, worst)]
    # a lone wild sample must not flatten the rest
    known = lines[1][np.isfinite(lines[1])]
    top = max(limit * 1.2, float(np.percentile(known, 95)) * 1.1 if len(known) else 0.0)
    across = NAMES + (WIDTH - NAMES) * (edges[:-1] + edges[1:]) / 2 / max(1, len(mean))
    down = [CURVE_HEIGHT * (1 - np.minimum(line, top) / top) for line in lines]
    step = _step(top / 4)
    grid: list[Element] = []
    for value in np.arange(0, top, step):
        y = CURVE_HEIGHT * (1 - value / top)
        grid += [tag("line", x1=NAMES, x2=WIDTH, y1=y, y2=y, class_="grid"), _text(f"{value:g} mm", NAMES - 8, y + 4, "end")]
    y = CURVE_HEIGHT * (1 - limit / top)
    areas = [tag("path", d=_area(across, down[1], run), class_="worst") for run in stretches(np.isfinite(lines[1])).tolist()]
    means = [tag("path", d=_path(across, down[0], run), class_="mean") for run in stretches(np.isfinite(lines[0])).tolist()]
    limits = tag("line", x1=NAMES, x2=WIDTH, y1=y, y2=y, class_="limit")
    return _drawing(CURVE_HEIGHT, *areas, *grid, limits, *means, *_frames(len(mean), number, CURVE_HEIGHT))


def strip(rows: Sequence[tuple[str, NDArray[np.uint8]]], kinds: Sequence[tuple[str, str]], number: Callable[[int], int]) -> Element:
    """A row for each name, in the colour of the worst that it is in each column of frames.

    Args:
        rows: Names, and (frames,) kinds; 0 is left as the ground.
        kinds: (class, in words) of each kind but 0.
        number: What the user calls a frame.
    """
    frames = len(rows[0][1]) if rows else 0
    edges = _edges(frames)
    drawn: list[Element] = []
    for row, (name, codes) in enumerate(rows):
        worst = np.array([codes[start:end].max() for start, end in pairwise(edges)], dtype=np.uint8)
        y = row * ROW
        drawn += [_text(name, NAMES - 8, y + 9, "end"), tag("rect", x=NAMES, y=y, width=WIDTH - NAMES, height=ROW - 3, class_="ground")]
        for kind, (style, words) in enumerate(kinds, start=1):
            for start, end in stretches(worst == kind).tolist():
                within = edges[start] + np.flatnonzero(codes[edges[start] : edges[end]] == kind)
                x = NAMES + (WIDTH - NAMES) * float(edges[start]) / frames
                width = (WIDTH - NAMES) * float(edges[end] - edges[start]) / frames
                said = tag("title", f"{name}, {words}: frames {number(int(within[0]))} to {number(int(within[-1]))}")
                drawn.append(tag("rect", said, x=x, y=y, width=max(width, 1.0), height=ROW - 3, class_=style))
    return _drawing(len(rows) * ROW, *drawn, *_frames(frames, number, len(rows) * ROW))


def bar(value: float | None, most: float) -> Element:
    """A number as a bar, beside others of which the largest is `most`."""
    length = 0.0 if value is None or most <= 0 else 100 * min(1.0, value / most)
    drawn = [tag("rect", width=100.0, height=8.0, class_="bar-ground"), tag("rect", width=length, height=8.0, class_="bar")]
    return tag("svg", *drawn, viewBox="0 0 100 8", preserveAspectRatio="none", style="height:.5rem;min-width:5rem;margin-top:.42rem")


def key(*kinds: tuple[str, str]) -> Element:
    """What the colours mean: (class, in words)."""
    boxes = [tag("svg", tag("rect", width=10.0, height=10.0, class_=style), viewBox="0 0 10 10") for style, _ in kinds]
    return tag("p", *(tag("span", box, words) for box, (_, words) in zip(boxes, kinds, strict=True)), class_="key")


def figure(take: Shown, frame: int) -> Element:
    """The person in a frame from the front and from the left side, inside of the markers."""
    joints, markers, places = take.positions[frame], take.markers[frame], take.places[frame]
    reach = np.concatenate([joints, places])
    middle, size = (reach.min(axis=0) + reach.max(axis=0)) / 2, np.ptp(reach, axis=0)
    # who lies needs less height
    scale = FIGURE / 1.1 / max(float(size.max()), 0.1)
    height = FIGURE * 0.1 + float(size[1]) * scale
    across = _left(take, joints)
    # who stands with the left side at our right shows the face
    ahead = np.cross(across, (0.0, 1.0, 0.0))
    drawn: list[Element] = []
    for view, sideways in enumerate((across, ahead)):
        flat = np.array([sideways, (0.0, -1.0, 0.0)]).T * scale
        centre = np.array([FIGURE / 2 + view * FIGURE, height / 2])
        bodies, samples, solved = ((points - middle) @ flat + centre for points in (joints, markers, places))
        drawn += _bones(take, bodies)
        drawn += [tag("circle", cx=x, cy=y, r=3.0, class_="place") for x, y in solved.tolist()]
        for marker in np.flatnonzero(all_finite(markers)).tolist():
            (x, y), (to_x, to_y) = samples[marker].tolist(), solved[marker].tolist()
            if np.linalg.norm(markers[marker] - places[marker]) > FAR_M:
                drawn.append(tag("line", x1=x, y1=y, x2=to_x, y2=to_y, class_="far"))
            drawn.append(tag("circle", tag("title", take.labels[marker]), cx=x, cy=y, r=1.8, class_="sample"))
    return tag("svg", *drawn, viewBox=f"0 0 {2 * FIGURE:g} {height:.0f}", role="img")


def _bones(take: Shown, points: FloatArray) -> list[Element]:
    drawn: list[Element] = []
    for joint, parent in enumerate(take.parents):
        if parent >= 0:
            (x1, y1), (x2, y2) = points[parent].tolist(), points[joint].tolist()
            side = (side_of(take.joints[joint]) or "").lower()
            drawn.append(tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=f"bone {side}".strip()))
    return drawn


def _left(take: Shown, joints: FloatArray) -> FloatArray:
    """(3,): the level direction to the person's left, that of x where the names of the joints do not tell."""
    sides = [side_of(name) for name in take.joints]
    rows = {side: [row for row, each in enumerate(sides) if each == side] for side in ("Left", "Right")}
    if not all(rows.values()):
        return np.array([1.0, 0.0, 0.0])
    across = (joints[rows["Left"]].mean(axis=0) - joints[rows["Right"]].mean(axis=0)) * (1.0, 0.0, 1.0)
    length = float(np.linalg.norm(across))
    return across / length if length > 1e-6 else np.array([1.0, 0.0, 0.0])


def _edges(frames: int) -> NDArray[np.intp]:
    return np.linspace(0, frames, min(frames, COLUMNS) + 1).round().astype(np.intp)


def _largest(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.max()) if len(known) else float("nan")


def _step(least: float) -> float:
    power = 10.0 ** np.floor(np.log10(least))
    return next((step * power for step in STEPS if step * power >= least), 10 * power)


def _path(across: FloatArray, down: FloatArray, run: Sequence[int]) -> str:
    start, end = run
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in zip(across[start:end], down[start:end], strict=True))


def _area(across: FloatArray, down: FloatArray, run: Sequence[int]) -> str:
    start, end = run
    return f"{_path(across, down, run)}L{across[end - 1]:.1f} {CURVE_HEIGHT}L{across[start]:.1f} {CURVE_HEIGHT}Z"


def _frames(frames: int, number: Callable[[int], int], y: float) -> list[Element]:
    """The numbers of some frames below a drawing."""
    step = max(1, round(_step(max(1, frames) / 8)))
    x = (WIDTH - NAMES) / max(1, frames)
    return [_text(f"{number(frame)}", NAMES + x * frame, y + 13, "start") for frame in range(0, frames - step // 2, step)]


def _text(text: str, x: float, y: float, anchor: str) -> Element:
    return tag("text", text, x=x, y=y, text_anchor=anchor)


def _drawing(height: float, *inside: Element) -> Element:
    return tag("svg", *inside, viewBox=f"0 0 {WIDTH:g} {height + AXIS:g}", role="img")
