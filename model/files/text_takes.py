# SPDX-License-Identifier: GPL-3.0-or-later
"""What the readers of text share: tables of numbers, a row a frame, and the take that comes of them.

Nothing that a header says of a table's size is believed: there are as many frames as there are rows.
"""

from __future__ import annotations

import codecs
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from operator import itemgetter
from pathlib import Path

import numpy as np

from ..core.errors import BonesetterError
from ..core.findings import Finding
from ..core.take import Axis, FloatArray, Take, number_type
from ..markers.upright import decide_up
from .figure import believable_rate, drop_absurd, metres_per_unit, unique_labels

#: Cells of a sample that is missing, in any case of their letters.
NO_NUMBER = ("", "null", "nan", "n/a", "-")
#: Larger numbers are no places in any unit; their squares must still be numbers.
LARGEST = 1e9
#: Of a file, looked at once.
PART_BYTES = 1 << 20
#: Frames that a file leaves out become missing ones, up to this many for each that is there.
MOST_LEFT_OUT = 3


@dataclass(frozen=True, eq=False)
class Recording:
    """What a text file says, before anything is inferred.

    Attributes:
        path: Of the file.
        labels: As the file has them; empty for a point without one.
        positions: (frames, labels, 3) in the file's unit, NaN where missing.
        numbers: (frames,) of the frames, None where the file has none.
        times: (frames,) in seconds, None where the file has none.
        frames_said: How many there are, as the header says; None where it does not.
        rate_hz: As the header says, None where it does not.
        rate_setting: What the rate is called in the file.
        unit: As the header says, empty where it does not.
        unit_setting: What the unit is called in the file.
        up_axis: Of the program that writes such files.
    """

    path: Path
    labels: Sequence[str]
    positions: FloatArray
    numbers: FloatArray | None
    times: FloatArray | None
    frames_said: float | None
    rate_hz: float | None
    rate_setting: str
    unit: str
    unit_setting: str
    up_axis: Axis


@dataclass(frozen=True)
class Lines:
    """The lines of a text file, read whenever they are asked for: all of an hour's at once take half a gigabyte.

    Attributes:
        path: Of the file.
        kind: What should be in it, for the user.
        encoding: Of the text.
    """

    path: Path
    kind: str
    encoding: str

    def __iter__(self) -> Iterator[str]:
        """Without their ends, whichever these are. The last is empty where the file ends with a line's end.

        Raises:
            BonesetterError: The file cannot be read any more.
        """
        line = "\n"
        try:
            with self.path.open(encoding=self.encoding, errors="replace") as stream:
                for line in stream:
                    yield line.removesuffix("\n")
        except OSError as error:
            raise _unreadable(self.path, self.kind, error) from error
        if line.endswith("\n"):
            yield ""

    def some(self, count: int, first: int = 0) -> list[str]:
        """So many of them, from that index on, or as many as there are."""
        return list(islice(self, first, first + count))


def read_lines(path: Path, kind: str) -> Lines:
    """The lines of a text file, in UTF-8 or UTF-16, or as Windows writes Western languages.

    Args:
        path: Of the file.
        kind: What should be in it, for the user.

    Raises:
        BonesetterError: The file cannot be read, is empty, or holds no text.
    """
    wide, strict = codecs.getincrementaldecoder("utf-16")("replace"), codecs.getincrementaldecoder("utf-8-sig")()
    encoding, empty, text = "", True, True
    try:
        with path.open("rb") as stream:
            while part := stream.read(PART_BYTES):
                encoding = encoding or ("utf-16" if part.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig")
                empty = empty and not part.strip()
                text = text and "\0" not in wide.decode(part) if encoding == "utf-16" else text and b"\0" not in part
                encoding = encoding if encoding != "utf-8-sig" or _decodes(strict, part) else "cp1252"
    except OSError as error:
        raise _unreadable(path, kind, error) from error
    if empty:
        raise BonesetterError(f"{path.name} is empty: export it again.")
    if not text:
        raise BonesetterError(f"{path.name} is no text: choose {kind}.")
    return Lines(path, kind, encoding if encoding != "utf-8-sig" or _decodes(strict, b"", final=True) else "cp1252")


def _unreadable(path: Path, kind: str, error: OSError) -> BonesetterError:
    return BonesetterError(f"{path.name} cannot be read ({error.strerror}): choose {kind}.")


def _decodes(decoder: codecs.IncrementalDecoder, part: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(part, final)
    except UnicodeDecodeError:
        return False
    return True


def number(cell: str) -> float | None:
    """A number with a decimal point or comma; None where the cell holds none that is finite."""
    try:
        value = float(cell.strip().replace(",", "."))
    except ValueError:
        return None
    return value if np.isfinite(value) else None


@dataclass(frozen=True)
class Columns:
    """Where in a row what is.

    Attributes:
        width: Cells of a row.
        lead: Columns of numbers that are read beside the markers'.
        markers: The first of each marker's three columns.
    """

    width: int
    lead: Sequence[int]
    markers: Sequence[int]

    @property
    def wanted(self) -> list[int]:
        return [*self.lead, *(column + axis for column in self.markers for axis in range(3))]

    def may_end(self, cells: int) -> bool:
        """Whether a row of so many cells lacks whole markers only: some editors drop delimiters with nothing behind them."""
        return cells > max(self.lead, default=-1) and not any(column < cells < column + 3 for column in self.markers)


def read_table(path: Path, lines: Lines, first: int, delimiter: str, columns: Columns) -> tuple[FloatArray, FloatArray]:
    """The rows of numbers of a table; empty lines are passed over.

    Args:
        path: Of the file.
        lines: Of `read_lines`.
        first: The index of the first of them that may be a row.
        delimiter: Between cells.
        columns: Of a row.

    Returns:
        (rows, lead) and (rows, markers, 3), NaN where a cell is empty, none of them larger than `LARGEST`.

    Raises:
        BonesetterError: A row is cut off or too long, or holds something that is no number, or there is no row.
    """
    values, width, lead = array("d"), columns.width, len(columns.lead)
    chosen = itemgetter(*columns.wanted)
    # where frames are numbered, a row of nothing is none
    blank = f" {delimiter}" if lead else " "
    for index, (line, following) in enumerate(pairwise(chain(islice(lines, first, None), [None])), first):
        if not line or not line.strip(blank):
            continue
        cells = line.split(delimiter)
        if len(cells) < width:
            if following is None or not columns.may_end(len(cells)):
                raise BonesetterError(f"{path.name} is cut off in line {index + 1}: copy or export it again.")
            cells += [""] * (width - len(cells))
        elif any(cell.strip() for cell in cells[width:]):
            raise BonesetterError(f"{path.name} has more columns in line {index + 1} than its header names: export it again.")
        values.extend(_row(path, index, chosen(cells)))
    if not values:
        raise BonesetterError(f"{path.name} holds no frames: export it again.")
    table = np.frombuffer(values).reshape(-1, lead + 3 * len(columns.markers))
    np.clip(table, -LARGEST, LARGEST, out=table)
    return table[:, :lead].copy(), table[:, lead:].reshape(len(table), -1, 3)


def _row(path: Path, index: int, cells: Sequence[str]) -> list[float]:
    try:
        return [float(cell) if cell else np.nan for cell in cells]
    except ValueError:
        return [_cell(path, index, cell) for cell in cells]


def _cell(path: Path, index: int, cell: str) -> float:
    if cell.strip().lower() in NO_NUMBER:
        return np.nan
    try:
        return float(cell.replace(",", "."))
    except ValueError as error:
        shown = cell.strip()[:20]
        raise BonesetterError(f"{path.name} has {shown!r} in line {index + 1}, which is no number: export it again.") from error


def take_of(recording: Recording) -> Take:
    """The take of a recording, its positions in metres on the file's own axes.

    A sample is missing where one of its numbers is, or all are zero, or where it is kilometres away. Frames that the file leaves out
    are missing.

    Raises:
        BonesetterError: The frames are out of order, or the rate or the unit cannot be told.
    """
    path, findings = recording.path, list[Finding]()
    file = path.name
    positions = recording.positions.astype(number_type(len(recording.positions)))
    positions[~np.isfinite(positions).all(axis=-1) | (positions == 0).all(axis=-1)] = np.nan
    if recording.frames_said is not None and recording.frames_said > len(positions):
        said = f"The header says {recording.frames_said:.0f} frames, the file holds {len(positions)}: it may be cut off."
        findings.append(Finding("file", said, numbers={"frames": len(positions)}))
    numbers = _whole(recording.numbers)
    step = _step(file, numbers)
    timed = _timed_rate(recording.times, numbers if step is None else None)
    # of frames of which only every second is there the header may know the cameras' rate
    rates = [("the header", recording.rate_hz), ("the time column", timed)]
    rate = believable_rate(file, recording.rate_setting, rates if step in (None, 1) else rates[::-1], findings)
    if numbers is not None and step is None:
        positions = _spread(file, positions, numbers, findings)
    labels = unique_labels(recording.labels, positions.shape[1])
    positions *= metres_per_unit(file, recording.unit_setting, recording.unit, labels, positions, findings)
    residuals = np.zeros(positions.shape[:2], positions.dtype)
    drop_absurd(positions, residuals, findings)
    up, decided = decide_up(labels, positions, recording.up_axis, said=False)
    return Take(
        name=path.stem,
        labels=labels,
        positions=positions,
        residuals=residuals,
        rate_hz=rate,
        first_frame=1 if numbers is None else int(numbers[0]),
        up_axis=up,
        findings=(*findings, *decided),
    )


def _whole(numbers: FloatArray | None) -> FloatArray | None:
    """The numbers of the frames; None where they are none."""
    if numbers is None or not np.isfinite(numbers).all() or (numbers != np.rint(numbers)).any():
        return None
    return numbers


def _step(file: str, numbers: FloatArray | None) -> int | None:
    """By how much the frames' numbers rise from one to the next; None where that differs."""
    if numbers is None or len(numbers) < 2:
        return 1
    steps = np.diff(numbers)
    if (steps <= 0).any():
        raise BonesetterError(f"{file} does not number its frames in rising order: export it again.")
    return int(steps[0]) if (steps == steps[0]).all() else None


def _timed_rate(times: FloatArray | None, numbers: FloatArray | None) -> float | None:
    """Frames per second by the times of the first and the last frame; None where they tell none."""
    if times is None or len(times) < 2 or not np.isfinite(times[[0, -1]]).all() or times[-1] <= times[0]:
        return None
    frames = len(times) - 1 if numbers is None else numbers[-1] - numbers[0]
    return float(frames / (times[-1] - times[0]))


def _spread(file: str, positions: FloatArray, numbers: FloatArray, findings: list[Finding]) -> FloatArray:
    """Every frame at its number, those between missing."""
    places = (numbers - numbers[0]).astype(np.int64)
    frames = int(places[-1]) + 1
    left_out = frames - len(places)
    if left_out > MOST_LEFT_OUT * len(places):
        raise BonesetterError(f"{file} leaves out {left_out} frames of {frames}: export it again with all of them.")
    findings.append(Finding("file", f"The file leaves out {left_out} frames of {frames}: they are missing.", numbers={"frames": left_out}))
    spread = np.full((frames, *positions.shape[1:]), np.nan, positions.dtype)
    spread[places] = positions
    return spread
