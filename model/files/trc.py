# SPDX-License-Identifier: GPL-3.0-or-later
"""TRC (track row column), the text format of OpenSim, Cortex and many others: read, and written for OpenSim.

Two rows name and give the header's values, one has the markers' labels, one the axes, then there is a row a frame: its number, its
time, and three cells a marker, empty where it is missing. By convention y is up.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..core.axes import TO_Y_UP
from ..core.errors import BonesetterError
from ..core.take import Take
from ..result.solution import Solution
from ..storage.atomic import place_of, replacing
from .text_takes import Columns, Recording, number, read_lines, read_table, take_of

#: Lines in which a header may stand.
HEADER_LINES = 12
MM_PER_METRE = 1e3
#: Frames that are written at once: their numbers as Python has them take eight times the memory of the take's.
FRAMES_AT_ONCE = 4096


def read_trc(path: Path) -> Take:
    """Read the markers of a TRC file.

    Args:
        path: As OpenSim, Motive, Cortex and others write it.

    Returns:
        Positions in metres on the file's own axes, residuals of 0.

    Raises:
        BonesetterError: The path cannot be read, is no TRC, is damaged or cut off, or holds no markers.
    """
    path = Path(path)
    lines = read_lines(path, "a .trc file")
    header = [[cell.strip() for cell in line.split("\t")] for line in lines.some(HEADER_LINES)]
    at = next((row for row, cells in enumerate(header) if cells[0].lower().startswith("frame")), None)
    if at is None:
        raise BonesetterError(f"{path.name} is no TRC file: it has no row of labels that begins with Frame#, choose another.")
    said = _said(header[:at])
    lead = 2 if len(header[at]) > 1 and header[at][1].lower().startswith("time") else 1
    labels = _labels(header[at][lead:])
    axes = header[at + 1] if at + 1 < len(header) and any(cell.upper().startswith("X") for cell in header[at + 1]) else []
    count = max(len(labels), sum(map(bool, axes)) // 3)
    if not count:
        raise BonesetterError(f"{path.name} holds no markers: export it again with them.")
    columns = Columns(lead + 3 * count, range(lead), range(lead, lead + 3 * count, 3))
    numbers, positions = read_table(path, lines, at + 1 + bool(axes), "\t", columns)
    return take_of(
        Recording(
            path=path,
            labels=labels,
            positions=positions,
            numbers=numbers[:, 0],
            times=numbers[:, 1] if lead == 2 else None,
            frames_said=number(said.get("numframes", "")),
            rate_hz=number(said.get("datarate", "")) or number(said.get("camerarate", "")),
            rate_setting="DataRate",
            unit=said.get("units", ""),
            unit_setting="Units",
            up_axis="Y",
        )
    )


def _said(header: Sequence[Sequence[str]]) -> dict[str, str]:
    """{name in small letters: value} of the header's two rows."""
    names = next((row for row, cells in enumerate(header) if "nummarkers" in [cell.lower() for cell in cells]), None)
    if names is None or names + 1 >= len(header):
        return {}
    return {name.lower(): value for name, value in zip(header[names], header[names + 1], strict=False) if name}


def _labels(cells: Sequence[str]) -> list[str]:
    """The labels of a row in which each should stand above the first of its three columns, and in some files follows the one before."""
    if any(cell for place, cell in enumerate(cells) if place % 3):
        return [cell for cell in cells if cell]
    labels = list(cells[::3])
    while labels and not labels[-1]:
        labels.pop()
    return labels


def write_trc(solution: Solution, path: Path) -> None:
    """Write the cleaned markers as TRC, Y up, in millimetres, so that OpenSim reads them.

    A cell is empty where nothing is known of a marker. OpenSim counts the tabs: there is one behind every cell, also the last.

    Args:
        solution: Of a take with any axis up.
        path: Replaced if it exists, and only once the file is whole.
    """
    clean = solution.clean
    take = clean.take
    turn = TO_Y_UP[take.up_axis].T * MM_PER_METRE
    # a space ends a label for some readers
    labels = ["_".join(label.split()) for label in take.labels]
    rate, first = f"{take.rate_hz:.10g}", take.number(0)
    names = ("DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units", "OrigDataRate", "OrigDataStartFrame", "OrigNumFrames")
    values = (rate, rate, take.frames, len(labels), "mm", rate, first, take.frames)
    axes = [f"{axis}{marker}" for marker in range(1, len(labels) + 1) for axis in "XYZ"]
    row = "%d\t%.6f\t" + "%.5f\t" * (3 * len(labels)) + "\n"
    with replacing(path) as stream:
        stream.write(f"PathFileType\t4\t(X/Y/Z)\t{place_of(path).name}\n")
        stream.write("\t".join(names) + "\n" + "\t".join(map(str, values)) + "\n")
        stream.write("Frame#\tTime\t" + "".join(f"{label}\t\t\t" for label in labels) + "\n\t\t" + "".join(f"{axis}\t" for axis in axes))
        stream.write("\n\n")
        for start in range(0, take.frames, FRAMES_AT_ONCE):
            positions = clean.positions[start : start + FRAMES_AT_ONCE] @ turn
            for frame, places in enumerate(positions.reshape(len(positions), -1).tolist(), start):
                stream.write((row % (first + frame, frame / take.rate_hz, *places)).replace("nan", ""))
