# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m model picture`: a solved take seen from its npz, the skeleton inside the markers, a body around it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..actors.joint_names import side_of
from ..core.axes import AXES, TO_Y_UP, Y_UP_TO_Z_UP
from ..core.errors import BonesetterError
from ..core.motion import forward
from ..core.rotations import unitquat_to_rotmat
from ..core.skeleton import Skeleton
from ..core.take import Axis, FloatArray
from ..files.npz import read_npz
from ..rigs.body import bone_groups, read_body, shaped, skinned
from ..rigs.families import recognise
from ..rigs.figure import Anatomy
from ..rigs.rig import Rig
from ..rigs.shape import recognise_shape
from ..storage.atomic import replacing
from .cli import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: A wider picture is none that anybody looks at.
MOST_FRAMES = 60
#: Of the bones of each side of the body, and of those in its middle.
BODY_COLOUR, BODY_ALPHA = np.array([0.85, 0.75, 0.65]), 0.3
SIDE_COLOURS = {"Left": "tab:blue", "Right": "tab:red", None: "black"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("solved", type=Path, metavar="SOLVED.npz")
    parser.add_argument("out", type=Path, metavar="OUT.png")
    parser.add_argument("--frames", type=int, default=6, help="how many frames, spread evenly over the take (%(default)s)")
    parser.add_argument("--at", type=int, nargs="+", metavar="FRAME", help="these frames instead, counted from 0")
    parser.add_argument("--no-body", action="store_true", help="draw bones and markers alone")
    parser.add_argument("--up", choices=AXES, default="Z", help="the take's axis that points up, --up=-Z where Z points down (%(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Draw the picture."""
    if not 1 <= arguments.frames <= MOST_FRAMES:
        raise UsageError(f"--frames {arguments.frames}: a picture has 1 to {MOST_FRAMES} frames.")
    solved = read_npz(arguments.solved)
    total = len(solved["positions"])
    frames = arguments.at or np.linspace(0, total - 1, min(arguments.frames, total)).round().astype(int).tolist()
    if not all(0 <= frame < total for frame in frames) or len(frames) > MOST_FRAMES:
        raise UsageError(f"--at takes up to {MOST_FRAMES} frames from 0 to {total - 1}.")
    draw(solved, frames, arguments.out, up=arguments.up, body=not arguments.no_body)
    print(f"{arguments.out}: {len(frames)} frames of {arguments.solved.stem}")
    return 0


def draw(solved: dict[str, NDArray], frames: Sequence[int], out: Path, up: Axis = "Z", body: bool = True) -> None:
    """Write the picture of `figure_of`.

    Args:
        solved: The arrays of an npz.
        frames: Which, counted from 0.
        out: A picture file of any kind that matplotlib writes.
        up: The take's axis that points up.
        body: Whether a body is drawn around the bones.

    Raises:
        BonesetterError: The file's name ends in no kind of picture.
    """
    figure = figure_of(solved, frames, up, body)
    kinds = figure.canvas.get_supported_filetypes()
    if out.suffix[1:] not in kinds:
        raise BonesetterError(f"{out.name} is no picture file: end its name in one of .{', .'.join(sorted(kinds))}.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out, binary=True) as stream:
        figure.savefig(stream, format=out.suffix[1:], dpi=110)


def figure_of(solved: dict[str, NDArray], frames: Sequence[int], up: Axis = "Z", body: bool = False) -> Figure:
    """Frames side by side, from two sides: bones as lines, markers as dots, the solver's as circles, a body around them."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2 * len(frames), 6.6), layout="constrained")
    FigureCanvasAgg(figure)
    bodies = bodies_of(solved, frames) if body else None
    # One row as the take's first heading happens to be seen, one from the side of it.
    for row, azimuth in enumerate((-60, 30)):
        for column, frame in enumerate(frames):
            axes: Any = figure.add_subplot(2, len(frames), row * len(frames) + column + 1, projection="3d")
            points = _draw_frame(axes, solved, frame, up)
            if bodies is not None:
                points = _z_up(bodies[column], up)
                _draw_body(axes, points)
            _frame_up(axes, points)
            axes.view_init(elev=8, azim=azimuth)
            axes.set_title(f"frame {frame}", fontsize=9)
    figure.legend(handles=_key(), loc="outside lower left", ncols=3, fontsize=8, frameon=False)
    return figure


def bodies_of(solved: dict[str, NDArray], frames: Sequence[int]) -> FloatArray | None:
    """(frames, vertices, 3) in metres on the take's axes: a body as the bones take it; None where no body is found in the joints."""
    joints, parents = tuple(str(name) for name in solved["joints"]), tuple(int(parent) for parent in solved["parents"])
    count = len(joints)
    skeleton = Skeleton(joints, parents, np.zeros((count, 3)), solved["offsets"])
    rest, _ = forward(skeleton, np.tile(np.eye(3), (1, count, 1, 1)), np.zeros((1, 3)))
    # a bone goes on to its last child, and one without children as far again as its parent came
    tails = rest[0] + 0.5 * solved["offsets"]
    for joint, parent in enumerate(parents):
        if parent >= 0:
            tails[parent] = rest[0, joint]
    rig = Rig(joints, parents, rest[0], tails, np.tile(np.eye(3), (count, 1, 1)))
    bone_map = recognise(rig) or recognise_shape(rig)
    if bone_map is None:
        return None
    body, target = read_body(), Anatomy(rig, bone_map)
    points = shaped(body, target)
    groups = bone_groups(body, points, target)
    rotations = unitquat_to_rotmat(solved["rotations"][list(frames)])
    _, turned = forward(skeleton, rotations, solved["positions"][list(frames), 0])
    heads = solved["positions"][list(frames)]
    return np.stack([skinned(points, groups, rig, turned[row], heads[row]) for row in range(len(frames))])


def _draw_body(axes: Any, points: FloatArray) -> None:
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    triangles = points[read_body().triangles]
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    light = 0.6 + 0.4 * np.clip(normals @ np.array([0.3, -0.5, 0.8]), -1.0, 1.0)
    axes.add_collection3d(Poly3DCollection(triangles, facecolors=light[:, None] * BODY_COLOUR, edgecolors="none", alpha=BODY_ALPHA))


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


def _draw_frame(axes: Any, solved: dict[str, NDArray], frame: int, up: Axis) -> FloatArray:
    """Draw bones and markers; returns the solver's (labels, 3), z up."""
    joints, markers, model = (_z_up(solved[key][frame], up) for key in ("positions", "markers", "markers_model"))
    for joint, parent in enumerate(solved["parents"]):
        if parent >= 0:
            side = side_of(str(solved["joints"][joint]))
            axes.plot(*joints[[parent, joint]].T, color=SIDE_COLOURS[side], linewidth=2)
    known = np.isfinite(markers).all(axis=-1)
    axes.scatter(*model.T, s=22, facecolors="none", edgecolors="0.6", linewidths=0.7, depthshade=False)
    axes.scatter(*markers[known].T, s=7, color="tab:green", depthshade=False)
    return model


def _frame_up(axes: Any, points: FloatArray) -> None:
    """Have axes show all of some points (points, 3), and no axes."""
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    reach = float((points.max(axis=0) - points.min(axis=0)).max()) / 2
    for axis, centre in zip("xyz", middle, strict=True):
        getattr(axes, f"set_{axis}lim")(centre - reach, centre + reach)
    axes.set_box_aspect((1, 1, 1), zoom=1.5)
    axes.set_axis_off()


def _z_up(positions: FloatArray, up: Axis) -> FloatArray:
    return positions @ (Y_UP_TO_Z_UP @ TO_Y_UP[up]).T
