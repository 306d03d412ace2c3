# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the markers of takes that OptiTrack's Motive exports as CSV, of any version of the format (1.0 to 1.25 are known).

The first line has pairs of name and value. Some rows describe each column: what it is of (Type), its Name and ID, in newer files its
Parent, and whether it is a position or a rotation; the last of them, which begins with Frame, has the axes. Which rows there are differs
between versions, so they are told by their titles and by what is in them.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..core.errors import BonesetterError
from ..core.findings import Finding
from ..core.take import Take
from .text_takes import Columns, Recording, number, read_lines, read_table, take_of

#: Lines in which a header may stand; a note of the take may have some.
HEADER_LINES = 200
#: Types of columns: what the cameras saw, and where a rigid body or a skeleton that was solved has its markers.
MEASURED = ("marker", "unlabeled marker", "unlabeled")
COMPUTED = ("rigid body marker", "bone marker", "skeleton marker")
TYPES = (*MEASURED, *COMPUTED, "rigid body", "bone", "skeleton")
QUANTITIES = ("position", "rotation")
#: How the names and types of points without a label begin.
UNLABELLED = ("unlabeled", "unlabelled")


@dataclass(frozen=True)
class Point:
    """Three columns with the places of a point.

    Attributes:
        column: The first of them.
        kind: The type, in small letters; empty where the file does not say.
        name: As in the file.
    """

    column: int
    kind: str
    name: str

    @property
    def is_unlabelled(self) -> bool:
        return any(part.lower().startswith(UNLABELLED) for part in (self.kind, *self.name.split(":")))

    @property
    def label(self) -> str:
        """The name; of a point without a label `*` and its number, as other readers have it."""
        return "*" + "".join(filter(str.isdigit, self.name)) if self.is_unlabelled else self.name


def read_csv(path: Path) -> Take:
    """Read the markers of a take that Motive exported.

    Markers that the cameras saw are taken, those without a label too. Rigid bodies and bones are left out, and so are their own
    markers, which are computed, unless no others have labels.

    Args:
        path: As Motive exports it, with markers.

    Returns:
        Positions in metres on the file's own axes, residuals of 0.

    Raises:
        BonesetterError: The path cannot be read, is no such file, is damaged or cut off, or holds no markers.
    """
    path = Path(path)
    lines = read_lines(path, "a .csv file that Motive exported")
    head = lines.some(HEADER_LINES)
    delimiter = ";" if head[0].replace('"', "").startswith("Format Version;") else ","
    header, first = _header(path, head, delimiter)
    findings: list[Finding] = []
    points = _chosen(path, _points(header), findings)
    axes = header[-1]
    times = [column for column, title in enumerate(axes) if title.lower().startswith("time") and "code" not in title.lower()][:1]
    columns = Columns(len(axes), [0, *times], [point.column for point in points])
    numbers, positions = read_table(path, lines, first, delimiter, columns)
    said = dict(zip(header[0][::2], header[0][1::2], strict=False))
    take = take_of(
        Recording(
            path=path,
            labels=[point.label for point in points],
            positions=positions,
            numbers=numbers[:, 0],
            times=numbers[:, 1] if times else None,
            frames_said=number(said.get("Total Exported Frames", "")),
            rate_hz=number(said.get("Export Frame Rate", "")) or number(said.get("Capture Frame Rate", "")),
            rate_setting="Export Frame Rate",
            unit=said.get("Length Units", ""),
            unit_setting="Length Units",
            up_axis="Y",
        )
    )
    return replace(take, findings=(*findings, *take.findings))


def _header(path: Path, lines: Sequence[str], delimiter: str) -> tuple[list[list[str]], int]:
    """The cells of the header's rows, down to the one that begins with Frame, and the index of the line behind it."""
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter)
    rows: list[list[str]] = []
    try:
        for cells in reader:
            rows.append([cell.strip() for cell in cells])
            if not rows[0] or rows[0][0] != "Format Version":
                break
            if cells and rows[-1][0].lower().startswith("frame"):
                return rows, reader.line_num
    except csv.Error:
        pass
    raise BonesetterError(
        f"{path.name} is no CSV that Motive exported, which begins with Format Version: export the take's markers from Motive as CSV, "
        "or from another program as C3D."
    )


def _points(header: Sequence[Sequence[str]]) -> list[Point]:
    """Every position that the header describes."""
    axes, above = header[-1], header[1:-1]
    kinds = _titled(above, "type", TYPES)
    names = _titled(above, "name", ())
    if names is None and kinds is not None:
        # in files without titles the names stand below the types
        names = above[above.index(kinds) + 1] if above.index(kinds) + 1 < len(above) else None
    quantities = _titled(above, "", QUANTITIES)

    def cell(row: Sequence[str] | None, column: int) -> str:
        return row[column] if row is not None and column < len(row) else ""

    return [
        Point(column, cell(kinds, column).lower(), cell(names, column))
        for column in range(len(axes) - 2)
        if [axis.upper() for axis in axes[column : column + 3]] == ["X", "Y", "Z"] and cell(quantities, column).lower() in ("position", "")
    ]


def _titled(rows: Sequence[Sequence[str]], title: str, words: Sequence[str]) -> Sequence[str] | None:
    """The row with a title in front, or else the last one in which such words stand."""
    for cells in rows:
        if title and title in (cell.lower() for cell in cells[:2]):
            return cells
    return next((cells for cells in reversed(rows) if any(cell.lower() in words for cell in cells)), None)


def _chosen(path: Path, points: Sequence[Point], findings: list[Finding]) -> list[Point]:
    """The points that are markers, and what is left out said."""
    measured = [point for point in points if point.kind in (*MEASURED, "")]
    computed = [point for point in points if point.kind in COMPUTED]
    if any(not point.is_unlabelled for point in measured) or not computed:
        if computed:
            said = f"{len(computed)} markers of rigid bodies and skeletons, which Motive computes, are left out."
            findings.append(Finding("left out", said, numbers={"points": len(computed)}))
        if not measured:
            raise BonesetterError(f"{path.name} holds no markers: export it from Motive with Markers switched on.")
        return measured
    said = "The file holds no labelled markers but those of rigid bodies and skeletons, which Motive computes: these are taken."
    findings.append(Finding("file", said, numbers={"points": len(computed)}))
    return [*computed, *measured]
