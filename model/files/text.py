# SPDX-License-Identifier: GPL-3.0-or-later
"""What formats of text have in common: lines, cells that may be empty, and markers out of columns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ..core.findings import Finding
from ..core.take import Axis, BonesetterError, FloatArray, Take
from .figure import drop_absurd, metres_per_unit, unique_labels, up_axis

#: Rates that a camera system has, in Hz.
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 1.0, 10_000.0
#: A file whose frames are numbered with holes gets so many times its own frames at most.
MOST_HOLES = 4
#: Tables of so many cells may have any number of empty ones; larger ones that are mostly empty are damaged, and would fill the memory.
LARGEST_SPARSE = 1_000_000
#: What stands for a sample that is missing.
MISSING = frozenset(("", "null", "nan", "-nan", "none", "n/a", "-"))


def read_lines(path: Path) -> list[str]:
    """The lines of a text file in UTF-8 or, where it is none, Latin-1; without what ends them.

    Raises:
        BonesetterError: The file cannot be read, or is empty.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BonesetterError(f"{path.name} cannot be read ({error.strerror}): choose another file.") from error
    if not data.strip():
        raise BonesetterError(f"{path.name} is empty: export it again.")
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.splitlines()


def numbers(path: Path, rows: Sequence[Sequence[str]], width: int, first_line: int) -> FloatArray:
    """(rows, width) numbers, NaN where a cell is empty, missing at the end of a row, or says that there is none.

    Args:
        path: For messages.
        rows: Cells of each row.
        width: Columns that are wanted.
        first_line: Number of the first row's line in the file, for messages.

    Raises:
        BonesetterError: A cell is no number, or the rows are far too short.
    """
    if len(rows) * width > LARGEST_SPARSE and len(rows) * width > MOST_HOLES * sum(map(len, rows)):
        raise BonesetterError(f"{path.name} is damaged: its rows are shorter than its header says, export it again.")
    table = np.full((len(rows), width), np.nan)
    for row, cells in enumerate(rows):
        try:
            table[row, : len(cells)] = [math.nan if cell.strip().lower() in MISSING else float(cell) for cell in cells[:width]]
        except ValueError as error:
            said = str(error).partition(": ")[2] or str(error)
            raise BonesetterError(f"{path.name} has {said} in line {first_line + row}, which is no number: export it again.") from error
    table[~np.isfinite(table)] = np.nan
    return table


def rate_of(path: Path, said: Iterable[float], seconds: FloatArray, where: str) -> float:
    """Frames per second: the first sound one that the header says, else that of a column of times (frames,).

    Raises:
        BonesetterError: There is none.
    """
    for rate in said:
        if LOWEST_RATE_HZ <= rate <= HIGHEST_RATE_HZ:
            return rate
    steps = np.diff(seconds)
    steps = steps[np.isfinite(steps)]
    rate = 1.0 / float(np.median(steps)) if len(steps) and np.median(steps) > 0 else 0.0
    if LOWEST_RATE_HZ <= rate <= HIGHEST_RATE_HZ:
        return round(rate, 3)
    raise BonesetterError(f"{path.name} gives no sound frame rate: set {where} in it to its frames per second.")


def in_every_frame(path: Path, frames: FloatArray, table: FloatArray) -> tuple[int, FloatArray]:
    """The number of the first frame, and the table (rows, ...) with a row of NaN for every number that is left out.

    Args:
        path: For messages.
        frames: (rows,) numbers of the frames; NaN throughout where the file has none.
        table: (rows, ...).

    Raises:
        BonesetterError: The numbers do not rise.
    """
    if not len(frames) or not np.isfinite(frames).all():
        return 1, table
    counted = np.rint(frames).astype(np.int64)
    if (np.diff(counted) <= 0).any():
        raise BonesetterError(f"{path.name} has frames that are out of order: export it again.")
    span = int(counted[-1] - counted[0]) + 1
    if span == len(table) or span > MOST_HOLES * len(table):
        return int(counted[0]), table
    whole = np.full((span, *table.shape[1:]), np.nan)
    whole[counted - counted[0]] = table
    return int(counted[0]), whole


def take_of(
    path: Path, names: Sequence[str], table: FloatArray, rate_hz: float, first_frame: int, unit: str, where: str, declared: Axis
) -> Take:
    """A take of markers in a file's own unit.

    Args:
        path: Of the file.
        names: Of the markers, as the file has them.
        table: (frames, 3 markers) positions, NaN where missing; three zeros are missing too.
        rate_hz: Frames per second.
        first_frame: Its number in the file.
        unit: Of the positions; empty where the file names none.
        where: What the file calls its unit, for messages.
        declared: The axis that points up by the format's convention, should the figure not tell.

    Raises:
        BonesetterError: There are no markers or no frames, or the unit is unknown.
    """
    if not len(names) or not len(table):
        raise BonesetterError(f"{path.name} holds no {'markers' if len(table) else 'frames'}: export it again with labelled markers.")
    labels, findings = unique_labels(names, len(names)), []
    positions = table.reshape(len(table), len(labels), 3).copy()
    positions[(positions == 0).all(axis=-1) | ~np.isfinite(positions).all(axis=-1)] = np.nan
    with np.errstate(over="ignore"):
        positions *= metres_per_unit(unit, f"{path.name}: {where}", labels, positions, findings)
    residuals = np.zeros(positions.shape[:2])
    drop_absurd(positions, residuals, findings)
    return Take(
        path.stem,
        labels,
        positions,
        residuals,
        rate_hz,
        first_frame,
        up_axis=up_axis(labels, positions, declared),
        findings=tuple(findings),
        source=str(path.resolve()),
    )


def left_out(what: str, names: Sequence[str]) -> tuple[Finding, ...]:
    """That columns of a kind are left out, if there are any."""
    if not names:
        return ()
    return (Finding("left out", f"{len(names)} {what} are left out.", tuple(names), numbers={"points": len(names)}),)
