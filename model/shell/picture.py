# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m model picture`: a solved take seen from its npz, the skeleton inside the markers."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..actors.joint_names import side_of
from ..core.take import BonesetterError, FloatArray
from ..files.npz import read_npz
from ..storage.atomic import replacing
from .cli import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: A wider picture is none that anybody looks at.
MOST_FRAMES = 60
#: Of the bones of each side of the body, and of those in its middle.
SIDE_COLOURS = {"Left": "tab:blue", "Right": "tab:red", None: "black"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("solved", type=Path, metavar="SOLVED.npz")
    parser.add_argument("out", type=Path, metavar="OUT.png")
    parser.add_argument("--frames", type=int, default=6, help="how many frames, spread evenly over the take (%(default)s)")
    parser.add_argument("--at", type=int, nargs="+", metavar="FRAME", help="these frames instead, counted from 0")
    parser.add_argument("--up", choices=("Y", "Z"), default="Z", help="the take's axis that points up (%(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Draw the picture."""
    if not 1 <= arguments.frames <= MOST_FRAMES:
        raise UsageError(f"--frames {arguments.frames}: a picture has 1 to {MOST_FRAMES} frames.")
    solved = read_npz(arguments.solved)
    total = len(solved["positions"])
    frames = arguments.at or np.linspace(0, total - 1, min(arguments.frames, total)).round().astype(int).tolist()
    if not all(0 <= frame < total for frame in frames) or len(frames) > MOST_FRAMES:
        raise UsageError(f"--at takes up to {MOST_FRAMES} frames from 0 to {total - 1}.")
    draw(solved, frames, arguments.out, up=arguments.up)
    print(f"{arguments.out}: {len(frames)} frames of {arguments.solved.stem}")
    return 0


def draw(solved: dict[str, NDArray], frames: Sequence[int], out: Path, up: str = "Z") -> None:
    """Write the picture of `figure_of`.

    Args:
        solved: The arrays of an npz.
        frames: Which, counted from 0.
        out: A picture file of any kind that matplotlib writes.
        up: The take's axis that points up.

    Raises:
        BonesetterError: The file's name ends in no kind of picture.
    """
    figure = figure_of(solved, frames, up)
    kinds = figure.canvas.get_supported_filetypes()
    if out.suffix[1:] not in kinds:
        raise BonesetterError(f"{out.name} is no picture file: end its name in one of .{', .'.join(sorted(kinds))}.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out, binary=True) as stream:
        figure.savefig(stream, format=out.suffix[1:], dpi=110)


def figure_of(solved: dict[str, NDArray], frames: Sequence[int], up: str = "Z") -> Figure:
    """Frames side by side, from two sides: bones as lines, markers as dots, where the solver puts them as circles."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2 * len(frames), 6.6), layout="constrained")
    FigureCanvasAgg(figure)
    # One row as the take's first heading happens to be seen, one from the side of it.
    for row, azimuth in enumerate((-60, 30)):
        for column, frame in enumerate(frames):
            axes: Any = figure.add_subplot(2, len(frames), row * len(frames) + column + 1, projection="3d")
            _draw_frame(axes, solved, frame, up)
            axes.view_init(elev=8, azim=azimuth)
            axes.set_title(f"frame {frame}", fontsize=9)
    figure.legend(handles=_key(), loc="outside lower left", ncols=3, fontsize=8, frameon=False)
    return figure


def _key() -> list[Any]:
    """What the lines and dots mean, for the legend."""
    from matplotlib.lines import Line2D

    bones = {"Left": "bones of the left", "Right": "bones of the right", None: "bones of the middle"}
    lines = [Line2D([], [], color=SIDE_COLOURS[side], linewidth=2, label=label) for side, label in bones.items()]
    dots: dict[str, Any] = {"linestyle": "none", "marker": "o"}
    measured = Line2D([], [], **dots, color="tab:green", markersize=3, label="markers as measured, cleaned")
    solved = Line2D([], [], **dots, color="0.6", markerfacecolor="none", markersize=5, label="where the solver puts them")
    count = Line2D([], [], linestyle="none", label="frames are counted from 0")
    return [*lines, measured, solved, count]


def _draw_frame(axes: Any, solved: dict[str, NDArray], frame: int, up: str) -> None:
    joints, markers, model = (_z_up(solved[key][frame], up) for key in ("positions", "markers", "markers_model"))
    for joint, parent in enumerate(solved["parents"]):
        if parent >= 0:
            side = side_of(str(solved["joints"][joint]))
            axes.plot(*joints[[parent, joint]].T, color=SIDE_COLOURS[side], linewidth=2)
    known = np.isfinite(markers).all(axis=-1)
    axes.scatter(*model.T, s=22, facecolors="none", edgecolors="0.6", linewidths=0.7, depthshade=False)
    axes.scatter(*markers[known].T, s=7, color="tab:green", depthshade=False)
    middle = (model.min(axis=0) + model.max(axis=0)) / 2
    reach = float((model.max(axis=0) - model.min(axis=0)).max()) / 2
    for axis, centre in zip("xyz", middle, strict=True):
        getattr(axes, f"set_{axis}lim")(centre - reach, centre + reach)
    axes.set_box_aspect((1, 1, 1), zoom=1.5)
    axes.set_axis_off()


def _z_up(positions: FloatArray, up: str) -> FloatArray:
    return positions if up == "Z" else np.stack([positions[:, 0], -positions[:, 2], positions[:, 1]], axis=-1)
