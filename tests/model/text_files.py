# SPDX-License-Identifier: GPL-3.0-or-later
"""TRC, CSV and TSV files as OpenSim, Motive and QTM write them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from .c3d_bytes import LABELS, figure

#: Cells of a rigid body's place, by which a test knows it, in m.
RIGID_BODY_M = 0.777


def y_up(points: np.ndarray) -> np.ndarray:
    """(..., 3) on the axes of a program whose y points up."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)


def cells(row: np.ndarray, missing: str) -> list[str]:
    return [missing if np.isnan(value) else f"{value:.6f}" for value in row.ravel()]


def trc(
    points: np.ndarray | None = None,
    labels: Sequence[str] = LABELS,
    unit: str = "mm",
    rate: str = "100.00",
    numbers: Iterable[int] | None = None,
    missing: str = "",
    turn: Callable[[np.ndarray], np.ndarray] = y_up,
) -> str:
    """A TRC file of points (frames, labels, 3), Z up, at 100 Hz."""
    points = figure(6) if points is None else points
    frames, count = points.shape[:2]
    names = "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames"
    lines = ["PathFileType\t4\t(X/Y/Z)\ta.trc", names, f"{rate}\t{rate}\t{frames}\t{count}\t{unit}\t{rate}\t1\t{frames}"]
    lines.append("Frame#\tTime\t" + "\t\t\t".join(labels) + "\t\t")
    lines += ["\t\t" + "\t".join(f"{axis}{marker + 1}" for marker in range(count) for axis in "XYZ"), ""]
    for frame, number in enumerate(numbers or range(1, frames + 1)):
        time = (number - 1 if numbers is None or (list(numbers) == sorted(set(numbers)) and _gapped(numbers)) else frame) / 100
        lines.append("\t".join([str(number), f"{time:.6f}", *cells(turn(points[frame]), missing)]))
    return "\n".join(lines) + "\n"


def _gapped(numbers: Iterable[int]) -> bool:
    """Whether frames were left out between others, instead of all at a lower rate."""
    return len(set(np.diff(list(numbers)).tolist())) > 1


def motive(
    points: np.ndarray | None = None,
    subject: str = "",
    unit: str = "Millimeters",
    rate: str = "100.000000",
    numbers: Iterable[int] | None = None,
    missing: str = "",
    titles: Sequence[str] = ("Type", "Name", "ID"),
    rotations: int = 4,
    time_code: bool = False,
    measured: bool = True,
    computed: bool = True,
    strays: bool = True,
) -> str:
    """Motive's CSV of points (frames, labels, 3), Z up, in the unit, at 100 Hz: a rigid body first, then its own markers, what the cameras
    saw, and two points without a label."""
    points = figure(6) if points is None else points
    frames = len(points)
    own = RIGID_BODY_M * {"Millimeters": 1000, "Centimeters": 100, "Meters": 1}[unit]
    axes, upright = "XYZW"[:rotations], y_up(points)
    # type, name, quantity, axes, and the cells of a frame
    columns: list[tuple[str, str, str, str, Callable[[int], list[str]]]] = [
        ("Rigid Body", "Head", "Rotation", axes, lambda frame: ["0.5"] * rotations),
        ("Rigid Body", "Head", "Position", "XYZ", lambda frame: [f"{own:.6f}"] * 3),
        ("Rigid Body", "Head", "Mean Marker Error", " ", lambda frame: ["0.000100"]),
    ]
    for kind, wanted in (("Rigid Body Marker", computed), ("Marker", measured)):
        for marker, label in enumerate(LABELS) if wanted else ():
            name = f"{subject}{label}"
            columns.append((kind, name, "Position", "XYZ", lambda frame, marker=marker: cells(upright[frame, marker], missing)))
            if kind != "Marker":
                columns.append((kind, name, "Marker Quality", " ", lambda frame: ["1.000000"]))
    for number in (2016, 2017) if strays else ():
        stray = lambda frame: cells(upright[frame, 0] * 1.01, missing)  # noqa: E731
        columns.append(("Marker", f"Unlabeled {number}", "Position", "XYZ", stray))
    lead = ["Frame", "Time (Seconds)", *(["TimeCode"] if time_code else [])]
    pad = [""] * (len(lead) - 2)
    said = f"Format Version,1.23,Take Name,Aufnahme é,Take Notes,,Capture Frame Rate,{rate},Export Frame Rate,{rate}"
    lines = [f"{said},Total Exported Frames,{frames},Rotation Type,Quaternion,Length Units,{unit},Coordinate Space,Global", ""]
    values = {"ID": '"4CF0B31A"', "Parent": ""}
    for row, title in enumerate(titles):
        per = [[(column[0], column[1], values.get(title, ""))[min(row, 2)]] * len(column[3]) for column in columns]
        lines.append(",".join(["", title, *pad, *(cell for one in per for cell in one)]))
    lines.append(",".join(["", "", *pad, *(column[2] for column in columns for _ in column[3])]))
    lines.append(",".join([*lead, *(axis.strip() for column in columns for axis in column[3])]))
    for frame, number in enumerate(numbers or range(frames)):
        time = f"{(number if numbers else frame) / 100:.6f}"
        code = ["15:26:46:12.02"] if time_code else []
        lines.append(",".join([str(number), time, *code, *(cell for column in columns for cell in column[4](frame))]))
    return "\n".join(lines) + "\n"


def qualisys(
    points: np.ndarray | None = None,
    rate: str = "100",
    missing: str = "0.000",
    lead: int = 0,
    titled: bool = False,
    types: bool = True,
    end: str = "",
    first: int = 1,
) -> str:
    """QTM's TSV of points (frames, labels, 3) in mm, at 100 Hz; `lead` 1 numbers the frames, 2 gives their times, too."""
    points = figure(6) if points is None else points
    lines = [f"NO_OF_FRAMES\t{len(points)}", "NO_OF_CAMERAS\t8", f"NO_OF_MARKERS\t{len(LABELS)}", f"FREQUENCY\t{rate}", "NO_OF_ANALOG\t0"]
    lines += ["ANALOG_FREQUENCY\t0", "DESCRIPTION\t--", "TIME_STAMP\t2024-04-15, 10:39:38.777\t406646.66137317", "DATA_INCLUDED\t3D"]
    lines += ["EVENT\tHeel strike\t3\t0.02", "MARKER_NAMES\t" + "\t".join(LABELS)]
    if types:
        lines.append("TRAJECTORY_TYPES\t" + "\t".join(["Measured", "Mixed", "Gap-filled", "Measured"]))
    if titled:
        lines.append("\t".join([*("Frame", "Time")[:lead], *(f"{label} {axis}" for label in LABELS for axis in "XYZ")]) + end)
    for frame, row in enumerate(points):
        leading = [str(first + frame), f"{(first + frame - 1) / 100:.5f}"][:lead]
        lines.append("\t".join([*leading, *cells(row, missing)]) + end)
    return "\n".join(lines) + "\n"
