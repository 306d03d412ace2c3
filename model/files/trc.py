# SPDX-License-Identifier: GPL-3.0-or-later
"""TRC, the tab-separated markers of OpenSim, Motive and Cortex.

Three lines of a header, the second naming the values of the third; a line with the labels, each above three columns; a line that numbers
these; a row for each frame: its number, its time and the coordinates. Empty cells are missing samples. By OpenSim's convention Y is up.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..core.take import BonesetterError, FloatArray, Take
from ..result.solution import Solution
from ..storage.atomic import replacing
from .text import in_every_frame, numbers, rate_of, read_lines, take_of

#: Columns before the markers': the frame's number and its time.
BEFORE = 2
#: Positions are written in mm with so many decimals: a nanometre is less than single precision tells.
DECIMALS = 5


def recognises(first_line: str) -> bool:
    """Whether a text file that begins so is TRC."""
    return first_line.startswith("PathFileType")


def read_trc(path: Path) -> Take:
    """Read the markers of a TRC file.

    Raises:
        BonesetterError: The path cannot be read, is no TRC, or is damaged or without markers.
    """
    lines = read_lines(path)
    if not recognises(lines[0]):
        raise BonesetterError(f"{path.name} is not a TRC file (it does not begin with PathFileType): choose a .trc file.")
    if len(lines) < 5:
        raise BonesetterError(f"{path.name} is cut off within its header: export it again.")
    header = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=False))
    header = {name.strip(): value.strip() for name, value in header.items()}
    names = [cell.strip() for cell in lines[3].split("\t")[BEFORE:] if cell.strip()]
    rows = [(number, line.split("\t")) for number, line in enumerate(lines[4:], start=5) if line.strip()]
    # the line that numbers the columns, and what Cortex leaves of it
    rows = [(number, cells) for number, cells in rows if cells[0].strip()]
    first_line = rows[0][0] if rows else 0
    table = numbers(path, [cells for _, cells in rows], BEFORE + 3 * len(names), first_line)
    rate = rate_of(path, _rates(header), table[:, 1], "DataRate")
    first, positions = in_every_frame(path, table[:, 0], table[:, BEFORE:])
    return take_of(path, names, positions, rate, first, header.get("Units", ""), "Units", "Y")


def _rates(header: dict[str, str]) -> list[float]:
    found = []
    for name in ("DataRate", "CameraRate"):
        try:
            found.append(float(header.get(name, "")))
        except ValueError:
            continue
    return found


def write_trc(solution: Solution, path: Path) -> None:
    """Write the cleaned markers of a solution in mm, Y up, as OpenSim expects; missing samples are empty cells."""
    clean = solution.clean
    take = clean.take
    positions = _y_up(clean.positions, take) * 1e3
    first, rate = round(take.first_frame), f"{take.rate_hz:g}"
    names = ("DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units", "OrigDataRate", "OrigDataStartFrame", "OrigNumFrames")
    values = (rate, rate, str(take.frames), str(len(take.labels)), "mm", rate, str(first), str(take.frames))
    with replacing(path) as stream:
        stream.write(f"PathFileType\t4\t(X/Y/Z)\t{take.name}.trc\n")
        stream.write("\t".join(names) + "\n" + "\t".join(values) + "\n")
        stream.write("Frame#\tTime\t" + "\t\t\t".join(take.labels) + "\t\t\n")
        stream.write("\t\t" + "\t".join(f"{axis}{marker}" for marker in range(1, len(take.labels) + 1) for axis in "XYZ") + "\n\n")
        for frame, row in enumerate(positions.reshape(take.frames, -1).tolist()):
            cells = ["" if value != value else f"{value:.{DECIMALS}f}" for value in row]
            stream.write(f"{first + frame}\t{frame / take.rate_hz:.6f}\t" + "\t".join(cells) + "\n")


def _y_up(positions: FloatArray, take: Take) -> FloatArray:
    return positions if take.up_axis == "Y" else np.stack([positions[..., 0], positions[..., 2], -positions[..., 1]], axis=-1)
