# SPDX-License-Identifier: GPL-3.0-or-later
"""How the samples of a C3D file lie in it, and reading them.

Header and parameters both say how many points, analog words and frames there are, whether samples are floats, and where they begin, and
in some files they disagree. The size of the file then decides: the samples fill it up to less than one block of 512 bytes.
"""

from __future__ import annotations

import itertools
import math
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.errors import BonesetterError
from ..core.take import FloatArray
from .c3d_parameters import BLOCK, DEC, INTEL, MIPS, DamagedSectionError, Group, Parameter, floats, read_parameters

#: The parameter section counts its blocks in one byte; some writers use more than that.
LONGEST_SECTION = 4096 * BLOCK
#: The largest frame number that a header can hold.
LAST_COUNTED = 65_535
#: Bytes of samples that are read at once.
AT_ONCE = 1 << 23


@dataclass(frozen=True)
class Header:
    """What the first block of a file says.

    Attributes:
        points: In a frame.
        analog_words: In a frame.
        first_frame, last_frame: As the capture counted them.
        scale: Of integers; negative where samples are floats.
        data_block: In which the samples begin, counted from 1.
        rate_hz: Frames per second.
    """

    points: int
    analog_words: int
    first_frame: int
    last_frame: int
    scale: float
    data_block: int
    rate_hz: float

    @property
    def frames(self) -> int:
        return self.last_frame - self.first_frame + 1


@dataclass(frozen=True)
class Layout:
    """Where the samples are.

    Attributes:
        start: In bytes.
        points: In a frame, four words each.
        analog_words: In a frame, behind its points.
        frames: How many.
        is_float: Words are floats of four bytes, else integers of two.
    """

    start: int
    points: int
    analog_words: int
    frames: int
    is_float: bool

    @property
    def frame_words(self) -> int:
        return 4 * self.points + self.analog_words

    @property
    def frame_bytes(self) -> int:
        return self.frame_words * (4 if self.is_float else 2)

    @property
    def end(self) -> int:
        return self.start + self.frames * self.frame_bytes

    def fills(self, size: int) -> bool:
        """Whether the samples end in the last block of a file of that size."""
        return size - BLOCK < self.end <= size


@dataclass(frozen=True)
class Contents:
    """All of a file that is not samples.

    Attributes:
        path: Of the file.
        size: In bytes.
        processor: `INTEL`, `DEC` or `MIPS`.
        header: The first block.
        groups: {group: {name: parameter}}.
    """

    path: Path
    size: int
    processor: int
    header: Header
    groups: Mapping[str, Group]

    def parameter(self, group: str, name: str) -> Parameter | None:
        return self.groups.get(group, {}).get(name)

    def number(self, group: str, name: str) -> float | None:
        """The first finite number of a parameter; None where it has none."""
        parameter = self.parameter(group, name)
        numbers = parameter.numbers if parameter else np.empty(0)
        return float(numbers[0]) if len(numbers) and math.isfinite(numbers[0]) else None

    def texts(self, group: str, name: str) -> tuple[str, ...]:
        """The strings of a parameter and of its continuations: a parameter holds at most 255, the rest is in NAME2, NAME3 and so on."""
        found: list[str] = []
        for part in itertools.count(1):
            parameter = self.parameter(group, name if part == 1 else f"{name}{part}")
            if parameter is None:
                return tuple(found)
            found += parameter.texts
        return ()


def read_contents(path: Path) -> Contents:
    """Read header and parameters.

    Raises:
        BonesetterError: The file cannot be read, is no C3D, or is damaged or cut off before its samples.
    """
    try:
        with path.open("rb") as stream:
            first = stream.read(BLOCK)
            if not first:
                raise BonesetterError(f"{path.name} is empty: export it again.")
            if len(first) < BLOCK or first[1] != 0x50 or first[0] == 0:
                raise BonesetterError(f"{path.name} is not a C3D file, whatever it is called: export it again.")
            stream.seek((first[0] - 1) * BLOCK)
            section = stream.read(LONGEST_SECTION)
            size = os.fstat(stream.fileno()).st_size
    except OSError as error:
        raise BonesetterError(f"{path.name} cannot be read ({error.strerror}): choose a .c3d file.") from error
    try:
        processor = section[3]
        if processor not in (INTEL, DEC, MIPS):
            raise DamagedSectionError("no such processor")
        header = _header(first, processor)
        blocks = max(section[2], header.data_block - first[0])
        groups = read_parameters(section[: blocks * BLOCK], processor)
    except (DamagedSectionError, IndexError) as error:
        raise BonesetterError(f"{path.name} is damaged or cut off within its parameters: copy or export it again.") from error
    return Contents(path, size, processor, header, groups)


def _header(block: bytes, processor: int) -> Header:
    order = ">" if processor == MIPS else "<"
    points, analog_words, first, last = struct.unpack_from(f"{order}4H", block, 2)
    (data_block,) = struct.unpack_from(f"{order}H", block, 16)
    scale, rate = (float(floats(block[start : start + 4], processor)[0]) for start in (12, 20))
    return Header(points, analog_words, first, last, scale, data_block, rate)


def find_layout(contents: Contents) -> Layout:
    """Where the samples are, by header and parameters, or, where these disagree, by what of them the file's size proves.

    Raises:
        BonesetterError: Nothing that they say fits the file, which is then cut off or damaged, or it holds no frames.
    """
    name, size = contents.path.name, contents.size
    candidates = _candidates(contents)
    if not any(one.frames for one in candidates):
        raise BonesetterError(f"{name} holds no frames: choose a C3D file with markers.")
    candidates = [one for one in candidates if one.frames and one.points]
    if not candidates:
        raise BonesetterError(f"{name} holds no points: choose a C3D file with markers.")
    whole = [one for one in candidates if one.fills(size)]
    if whole:
        return whole[0]
    alike = {(one.points, one.analog_words, one.is_float, one.start) for one in candidates}
    if len(alike) > 1:
        raise BonesetterError(f"{name} contradicts itself ({_contradiction(contents)}), and its size fits neither: export it again.")
    # padding is allowed to be longer; of a count that overflowed the larger ones are the true ones
    roomy = [one for one in candidates if one.end <= size]
    if roomy:
        return max(roomy, key=lambda one: one.frames)
    shortest = min(candidates, key=lambda one: one.frames)
    there = max(0, (size - shortest.start) // shortest.frame_bytes)
    raise BonesetterError(f"{name} is cut off: it holds {there} of its {shortest.frames} frames, copy or export it again.")


def _candidates(contents: Contents) -> list[Layout]:
    """Every layout that header and parameters say between them, the header's own first."""
    header = contents.header
    points = _both(header.points, contents.number("POINT", "USED"))
    analog = _both(header.analog_words, _analog_words(contents))
    blocks = [block for block in _both(header.data_block, contents.number("POINT", "DATA_START")) if block > 1]
    scales = (header.scale, contents.number("POINT", "SCALE"))
    kinds = list(dict.fromkeys(scale < 0 for scale in scales if scale is not None))
    frames = _frame_counts(contents)
    every = itertools.product(points, analog, blocks, kinds, frames)
    return [Layout((block - 1) * BLOCK, one, words, count, kind) for one, words, block, kind, count in every]


def _both(header: int, parameter: float | None) -> list[int]:
    """What the header says, and what a parameter says if that is something else."""
    return [header] if parameter is None or parameter == header else [header, int(parameter)]


def _analog_words(contents: Contents) -> float | None:
    """In a frame, by the parameters: channels times the samples of each; None where they do not say."""
    used, rate = contents.number("ANALOG", "USED"), contents.number("ANALOG", "RATE")
    frames = contents.number("POINT", "RATE") or contents.header.rate_hz
    if used == 0:
        return 0.0
    samples = rate / frames if rate is not None and frames > 0 else math.inf
    return used * round(samples) if used is not None and 0 <= samples < 1 << 16 else None


def _frame_counts(contents: Contents) -> list[int]:
    """How many frames there are, by each counter that is there: long takes overflow the older ones, of 16 bits."""
    counts = [contents.number("POINT", "LONG_FRAMES")]
    start, end = (_frame_number(contents.parameter("TRIAL", f"ACTUAL_{name}_FIELD")) for name in ("START", "END"))
    if start is not None and end is not None:
        counts.append(end - start + 1)
    # a header that counts as far as it can has given up
    counts.insert(len(counts) if contents.header.last_frame == LAST_COUNTED else 0, contents.header.frames)
    counts.append(contents.number("POINT", "FRAMES"))
    return list(dict.fromkeys(int(count) for count in counts if count is not None and 0 <= count < 1 << 31))


def _frame_number(parameter: Parameter | None) -> int | None:
    """A frame number that is stored as a low and a high word, or as one number."""
    numbers = parameter.numbers[:2] if parameter else np.empty(0)
    if not len(numbers) or not np.isfinite(numbers).all():
        return None
    if parameter and parameter.kind == 4:
        return int(numbers[0]) if abs(numbers[0]) < 1 << 31 else None
    return sum(int(word) << (16 * place) for place, word in enumerate(numbers))


def _contradiction(contents: Contents) -> str:
    """What header and parameters say differently, in words."""
    header, said = contents.header, []
    pairs: list[tuple[str, float, str, float | None]] = [
        ("points", header.points, "POINT:USED", contents.number("POINT", "USED")),
        ("analog words a frame", header.analog_words, "ANALOG:USED and ANALOG:RATE", _analog_words(contents)),
        ("as the block of its samples", header.data_block, "POINT:DATA_START", contents.number("POINT", "DATA_START")),
        ("as its scale", header.scale, "POINT:SCALE", contents.number("POINT", "SCALE")),
    ]
    for what, own, parameter, other in pairs:
        if other is not None and other != own:
            said.append(f"its header says {own:g} {what}, {parameter} {other:g}")
    return "; ".join(said)


def read_samples(contents: Contents, layout: Layout, wanted: list[int], each: Callable[[slice, FloatArray], None]) -> None:
    """Read the four words of the wanted points, some frames after the other, so that memory stays small.

    Args:
        contents: Of the file.
        layout: Of the file.
        wanted: Points, by their place in a frame.
        each: Is given a slice of the frames and (frames, points, 4) numbers as they are stored: a position and what says how good it is.

    Raises:
        BonesetterError: The file cannot be read, or has become shorter.
    """
    chosen = slice(None) if wanted == list(range(layout.points)) else wanted
    for first, data in sample_bytes(contents, layout):
        words = _words(data, layout.is_float, contents.processor).reshape(-1, layout.frame_words)
        each(slice(first, first + len(words)), words[:, : 4 * layout.points].reshape(len(words), layout.points, 4)[:, chosen])


def sample_bytes(contents: Contents, layout: Layout) -> Iterator[tuple[int, bytes]]:
    """The samples as they are stored, some frames after the other: the first frame of each part, and its bytes.

    Raises:
        BonesetterError: The file cannot be read, or has become shorter.
    """
    step = max(1, AT_ONCE // layout.frame_bytes)
    with contents.path.open("rb") as stream:
        stream.seek(layout.start)
        for first in range(0, layout.frames, step):
            count = min(step, layout.frames - first)
            data = stream.read(count * layout.frame_bytes)
            if len(data) < count * layout.frame_bytes:
                raise BonesetterError(f"{contents.path.name} changed while it was read: try again.")
            yield first, data


def _words(data: bytes, is_float: bool, processor: int) -> np.ndarray:
    if is_float:
        return floats(data, processor)
    return np.frombuffer(data, ">i2" if processor == MIPS else "<i2")
