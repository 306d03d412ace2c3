# SPDX-License-Identifier: GPL-3.0-or-later
"""CSV as OptiTrack's Motive exports it.

A line of names and values; rows that say of every column what it is (Type, Name, ID and, in later versions, Parent, each named in the
second column), then what is measured (Position, Rotation, ...); the row with Frame and Time; a row for each frame. Y is up, unless the
export was told otherwise. Which of these rows there are differs from version to version.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..core.take import BonesetterError, Take
from .text import in_every_frame, left_out, numbers, rate_of, read_lines, take_of

#: Types of columns with samples of the cameras, and of points that Motive computed of a solved rigid body or skeleton.
MEASURED, COMPUTED = ("marker", "unlabeled", "unlabeled marker"), ("rigid body marker", "bone marker")
#: Rows of a header, at most.
MOST_ROWS = 12


@dataclass(frozen=True)
class Columns:
    """Three columns of a marker's position.

    Attributes:
        name: Of the marker.
        kind: The type of its columns, in lower case.
        first: The number of the column of x; y and z follow.
    """

    name: str
    kind: str
    first: int


def recognises(first_line: str) -> bool:
    """Whether a text file that begins so is Motive's."""
    return first_line.lstrip('"').startswith("Format Version")


def read_motive_csv(path: Path) -> Take:
    """Read the markers of a CSV file that Motive exported.

    Markers that the cameras saw are read, those without a label too. What Motive computed of rigid bodies and skeletons is left out,
    but where there is nothing else.

    Raises:
        BonesetterError: The path cannot be read, is not Motive's, is damaged, or holds no markers.
    """
    lines = read_lines(path)
    if not recognises(lines[0]):
        raise BonesetterError(f"{path.name} is not a CSV file of Motive (it does not begin with Format Version): export it from Motive.")
    try:
        rows = list(csv.reader(lines))
    except csv.Error as error:
        raise BonesetterError(f"{path.name} is damaged ({error}): export it again.") from error
    header = _header(rows[0])
    if header.get("Coordinate Space", "Global").lower() == "local":
        raise BonesetterError(f"{path.name} was exported in local coordinates: export it in global ones.")
    start = next((row for row in range(1, min(len(rows), MOST_ROWS)) if rows[row] and rows[row][0].strip().lower() == "frame"), None)
    if start is None:
        raise BonesetterError(f"{path.name} has no row that begins with Frame: export it again.")
    found = _positions(rows[1 : start + 1])
    seen = [columns for columns in found if columns.kind in MEASURED]
    computed = [columns for columns in found if columns.kind in COMPUTED]
    chosen = seen or computed
    data = [row for row in rows[start + 1 :] if row and row[0].strip()]
    table = numbers(path, data, max((columns.first + 3 for columns in chosen), default=2), start + 2)
    rate = rate_of(path, _rates(header), table[:, 1], "Export Frame Rate")
    first, whole = in_every_frame(path, table[:, 0], table)
    cells = [column for columns in chosen for column in range(columns.first, columns.first + 3)]
    take = take_of(path, [one.name for one in chosen], whole[:, cells], rate, first, header.get("Length Units", ""), "Length Units", "Y")
    gone = left_out("points that Motive computed of rigid bodies and skeletons", [one.name for one in computed] if seen else ())
    return replace(take, findings=take.findings + gone)


def _header(row: Sequence[str]) -> dict[str, str]:
    return {name.strip(): value.strip() for name, value in zip(row[::2], row[1::2], strict=False)}


def _rates(header: dict[str, str]) -> list[float]:
    found = []
    for name in ("Export Frame Rate", "Capture Frame Rate"):
        try:
            found.append(float(header.get(name, "")))
        except ValueError:
            continue
    return found


def _positions(rows: Sequence[Sequence[str]]) -> list[Columns]:
    """The positions that the rows of a header describe, of which the last names the axes, and the one before it what is measured."""
    said = {row[1].strip().lower(): row for row in rows if len(row) > 1 and row[1].strip()}
    kinds, names = said.get("type", ()), said.get("name", ())
    axes = rows[-1]
    measured = next((row for row in reversed(rows[:-1]) if any(cell.strip() for cell in row)), ())
    found = []
    for column in range(2, len(axes) - 2):
        if [cell.strip().upper() for cell in axes[column : column + 3]] != ["X", "Y", "Z"]:
            continue
        if _cell(measured, column).lower() == "position" and _cell(names, column):
            found.append(Columns(_cell(names, column), _cell(kinds, column).lower(), column))
    return found


def _cell(row: Sequence[str], column: int) -> str:
    return row[column].strip() if column < len(row) else ""
