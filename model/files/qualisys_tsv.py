# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the markers of takes that Qualisys Track Manager (QTM) exports as TSV.

Each row of the header has a name and its values; the last ones are MARKER_NAMES and, in newer files, TRAJECTORY_TYPES. The export's
options say whether each frame begins with its number and its time, and whether a row above names the columns. Millimetres, by default
z up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ..core.errors import BonesetterError
from ..core.take import FloatArray, Take
from .text_takes import NO_NUMBER, Columns, Recording, number, read_lines, read_table, take_of

#: How a row of the header begins.
NAME = re.compile(r"[A-Z][A-Z0-9_]*$")
#: Columns that may stand before the markers': a number, a time, a time code.
MOST_LEAD = 3
#: Rows by which the columns before the markers' are told.
TELLING_ROWS = 10


def read_tsv(path: Path) -> Take:
    """Read the markers of a take that QTM exported.

    Args:
        path: As QTM exports it, with 3D data.

    Returns:
        Positions in metres on the file's own axes, residuals of 0.

    Raises:
        BonesetterError: The path cannot be read, is no such file, is damaged or cut off, or holds no markers.
    """
    path = Path(path)
    lines = read_lines(path, "a .tsv file that QTM exported")
    said, first = _header(path, lines)
    labels = said.get("MARKER_NAMES", [])
    while labels and not labels[-1]:
        labels.pop()
    if not labels:
        raise BonesetterError(f"{path.name} holds no markers: export its 3D data from QTM.")
    places = 3 * len(labels)
    lead = _lead(lines.some(TELLING_ROWS, first), places)
    # a time code, which may stand third, is no number
    columns = Columns(lead + places, range(min(lead, 2)), range(lead, lead + places, 3))
    leading, positions = read_table(path, lines, first, "\t", columns)
    numbers = leading[:, 0] if lead and _counts(leading[:, 0]) else None
    # a number comes before its time
    times = leading[:, -1] if lead > (numbers is not None) else None
    return take_of(
        Recording(
            path=path,
            labels=labels,
            positions=positions,
            numbers=numbers,
            times=times,
            frames_said=number(next(iter(said.get("NO_OF_FRAMES", [])), "")),
            rate_hz=number(next(iter(said.get("FREQUENCY", [])), "")),
            rate_setting="FREQUENCY",
            unit="mm",
            unit_setting="QTM",
            up_axis="Z",
        )
    )


def _header(path: Path, lines: Iterable[str]) -> tuple[dict[str, list[str]], int]:
    """{name: values} of the header, and the index of the first line of numbers."""
    said: dict[str, list[str]] = {}
    for index, line in enumerate(lines):
        name, *values = (cell.strip() for cell in line.split("\t"))
        if index == 0 and name != "NO_OF_FRAMES":
            raise BonesetterError(
                f"{path.name} is no TSV that QTM exported, which begins with NO_OF_FRAMES: export the take's 3D data from QTM as TSV, "
                "or from another program as C3D."
            )
        if NAME.match(name) and name.lower() not in NO_NUMBER:
            said.setdefault(name, values)
        elif name or any(values):
            break
    else:
        raise BonesetterError(f"{path.name} holds no frames: export it again.")
    if (kind := next(iter(said.get("DATA_INCLUDED", [])), "3D")).upper() != "3D":
        raise BonesetterError(f"{path.name} holds {kind} data, no markers: export its 3D data from QTM.")
    # the row of titles, which need not be there
    titled = any(cell and cell.lower() not in NO_NUMBER and number(cell) is None and ":" not in cell for cell in [name, *values])
    return said, index + titled


def _lead(lines: Sequence[str], places: int) -> int:
    """How many columns stand before the markers' in rows with so many places."""
    rows = [line.split("\t") for line in lines if line.strip(" ")]
    lead = max((len(cells) for cells in rows), default=places) - places
    # some versions end each row with a tab; a number comes with a time
    ended = lead in (1, 3) and not any(cells[-1].strip() for cells in rows)
    return min(max(lead - ended, 0), MOST_LEAD)


def _counts(column: FloatArray) -> bool:
    """Whether a column (frames,) has the frames' numbers."""
    return bool(np.isfinite(column).all() and (column == np.rint(column)).all() and (np.diff(column) > 0).all())
