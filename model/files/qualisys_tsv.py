# SPDX-License-Identifier: GPL-3.0-or-later
"""TSV as Qualisys Track Manager (QTM) exports it.

Lines of a name and its values, MARKER_NAMES last or nearly so; in some exports a row that names every column; a row for each frame, with or
without its number and its time before the coordinates. Positions are in mm, Z is up by QTM's convention.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..core.take import BonesetterError, Take
from .text import MISSING, in_every_frame, left_out, numbers, rate_of, read_lines, take_of

#: Lines of a header, at most.
MOST_LINES = 40
#: A kind of trajectory that QTM computed.
VIRTUAL = "virtual"


def recognises(first_line: str) -> bool:
    """Whether a text file that begins so is Qualisys'."""
    return first_line.startswith("NO_OF_FRAMES")


def read_qualisys_tsv(path: Path) -> Take:
    """Read the markers of a TSV file that QTM exported.

    Raises:
        BonesetterError: The path cannot be read, is not QTM's, holds rigid bodies instead of markers, or is damaged.
    """
    lines = read_lines(path)
    if not recognises(lines[0]):
        raise BonesetterError(f"{path.name} is not a TSV file of Qualisys (it does not begin with NO_OF_FRAMES): export it from QTM.")
    header, start = _header(lines)
    if "6D" in header.get("DATA_INCLUDED", ()):
        raise BonesetterError(f"{path.name} holds rigid bodies (6D): export the 3D data of the markers.")
    names = header.get("MARKER_NAMES", [])
    rows = [(number, line.split("\t")) for number, line in enumerate(lines[start:], start=start + 1) if line.strip()]
    titles = [cell.strip().lower() for cell in rows[0][1]] if rows and not _is_data(rows[0][1]) else []
    rows = rows[1:] if titles else rows
    before = _columns_before(titles, len(rows[0][1]) if rows else 0, 3 * len(names))
    table = numbers(path, [cells for _, cells in rows], before + 3 * len(names), rows[0][0] if rows else 0)
    unknown = np.full(len(table), np.nan)
    frames = table[:, 0] if before == 2 or "frame" in titles else unknown
    seconds = table[:, before - 1] if before == 2 or "time" in titles else unknown
    rate = rate_of(path, _rates(header), seconds, "FREQUENCY")
    first, positions = in_every_frame(path, frames, table[:, before:])
    take = take_of(path, names, positions, rate, first, "mm", "the unit", "Z")
    kinds = [kind.lower() for kind in header.get("TRAJECTORY_TYPES", [])]
    virtual = [row for row, kind in enumerate(kinds[: len(names)]) if kind == VIRTUAL]
    if not virtual or len(virtual) == len(names):
        return take
    kept = take.only([row for row in range(len(names)) if row not in virtual])
    return replace(kept, findings=kept.findings + left_out("trajectories that QTM computed", [take.labels[row] for row in virtual]))


def _header(lines: list[str]) -> tuple[dict[str, list[str]], int]:
    """{name: values}, and where the rows begin."""
    header: dict[str, list[str]] = {}
    for number, line in enumerate(lines[:MOST_LINES]):
        name, *values = (cell.strip() for cell in line.split("\t"))
        if not name.isupper() or not name.replace("_", "").isalnum() or name[0].isdigit():
            return header, number
        while values and not values[-1]:
            values.pop()
        header[name] = values
    return header, min(len(lines), MOST_LINES)


def _rates(header: dict[str, list[str]]) -> list[float]:
    try:
        return [float(value) for value in header.get("FREQUENCY", [])[:1]]
    except ValueError:
        return []


def _is_data(cells: list[str]) -> bool:
    """Whether a row holds numbers, and not names."""
    said = [cell.strip() for cell in cells if cell.strip().lower() not in MISSING]
    try:
        return all(isinstance(float(cell), float) for cell in said)
    except ValueError:
        return False


def _columns_before(titles: list[str], width: int, coordinates: int) -> int:
    """Columns before the coordinates: by their titles, else by how many are too many."""
    if titles:
        return sum(title in ("frame", "time") for title in titles[:2])
    return min(2, max(0, width - coordinates))
