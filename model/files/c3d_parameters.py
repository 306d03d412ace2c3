# SPDX-License-Identifier: GPL-3.0-or-later
"""The parameter section of a C3D file: groups of named parameters, as a chain of records.

A record is: the length of its name (one byte, negative where it is locked), its group (one byte, negative where the record is the group
itself), the name, and two bytes that say how far behind them the next record begins (0 in the last). Of a parameter follow its type,
its dimensions and its values, and of both a description, which nothing here needs and some writers leave out.

Every length is checked against the file before it is followed, so that no file can lead the reader astray. Layout: c3d.org, The C3D
File Format User Guide, "The parameter section".
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..core.take import FloatArray

#: Bytes of a block, of which sections and samples take whole ones.
BLOCK = 512
#: The section begins with two reserved bytes, its length in blocks and the processor type.
SECTION_START = 4
#: Bytes per element, by a parameter's type: characters, bytes, integers, floats.
ELEMENT_BYTES = {-1: 1, 1: 1, 2: 2, 4: 4}
#: Processor types: who wrote the file decides the order of bytes, and how a number with a fraction is stored.
INTEL, DEC, MIPS = 84, 85, 86


class DamagedSectionError(ValueError):
    """The chain of records leads out of the file, or a record out of itself."""


@dataclass(frozen=True)
class Parameter:
    """A parameter as it is stored.

    Attributes:
        kind: -1 characters, 1 bytes, 2 integers, 4 floats.
        shape: Its dimensions, the fastest first; none for a single value.
        data: Its bytes.
        processor: Of the file.
    """

    kind: int
    shape: tuple[int, ...]
    data: bytes
    processor: int

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The strings of a parameter of characters, without what fills them up; nothing of another."""
        if self.kind != -1:
            return ()
        width = self.shape[0] if self.shape else 1
        count = math.prod(self.shape[1:]) if width else 0
        return tuple(decoded([self.data[width * row : width * (row + 1)] for row in range(count)]))

    @cached_property
    def numbers(self) -> FloatArray:
        """(n,): the values of a parameter of numbers, whatever its shape; none of one of characters. Integers are without a sign."""
        if self.kind < 0:
            return np.empty(0)
        if self.kind == 4:
            return floats(self.data, self.processor).astype(float)
        order = ">" if self.processor == MIPS else "<"
        return np.frombuffer(self.data, "u1" if self.kind == 1 else f"{order}u2").astype(float)


Group = dict[str, Parameter]


def read_parameters(section: bytes, processor: int) -> dict[str, Group]:
    """{group: {name: parameter}} of a parameter section, all names in capitals.

    Args:
        section: All of it, and nothing behind it.
        processor: Its type.

    Raises:
        DamagedSectionError: A length in it cannot be true.
    """
    names: dict[int, str] = {}
    found: list[tuple[int, str, Parameter]] = []
    for number, name, start, end in _records(section, ">" if processor == MIPS else "<"):
        if number > 0:
            found.append((number, name, _parameter(section, start, end, processor)))
        elif number < 0:
            if start < end and start + 1 + section[start] > end:
                raise DamagedSectionError("a description leaves its record")
            if names.setdefault(-number, name) != name:
                raise DamagedSectionError("two groups have one number")
    groups: dict[str, Group] = {name: {} for name in names.values()}
    # a group may stand behind its parameters
    for number, name, parameter in found:
        if number in names:
            groups[names[number]].setdefault(name, parameter)
    return groups


@dataclass(frozen=True)
class Record:
    """A record of the section as it is stored, for whoever writes the section again.

    Attributes:
        group: Its group, negative where it is the group itself.
        name: In capitals.
        stored_name: As it is stored.
        locked: Whether programs are asked not to change it.
        body: What follows the step to the next record.
    """

    group: int
    name: str
    stored_name: bytes
    locked: bool
    body: bytes

    def with_number(self, number: int, processor: int) -> Record:
        """The same parameter with another first value, which must be a number of the kind that it is."""
        shape, start, stop = _values(self.body, 0, len(self.body))
        kind, order = self.body[0], ">" if processor == MIPS else "<"
        if kind == 4:
            value = stored_floats(np.array([float(number)]), processor)
        elif kind == 2:
            value = struct.pack(f"{order}H", number)
        else:
            raise DamagedSectionError(f"{self.name} is no number that could be {number}")
        if stop - start < len(value):
            raise DamagedSectionError(f"{self.name} has no value, its dimensions are {shape}")
        return replace(self, body=self.body[:start] + value + self.body[start + len(value) :])


def read_records(section: bytes, processor: int) -> list[Record]:
    """The records of a parameter section, in their order.

    Raises:
        DamagedSectionError: A length in it cannot be true.
    """
    found, begin = [], SECTION_START
    for group, name, start, end in _records(section, ">" if processor == MIPS else "<"):
        name_length = struct.unpack_from("b", section, begin)[0]
        body = section[start:end]
        if end == len(section):
            # the last one leads nowhere: it ends with its values and its description
            stop = start if group < 0 else _values(section, start, end)[2]
            body = section[start : min(end, stop + 1 + section[stop])] if stop < end else section[start:stop]
        found.append(Record(group, name, section[begin + 2 : begin + 2 + abs(name_length)], name_length < 0, body))
        begin = end
    return found


def written_section(head: bytes, records: list[Record], processor: int) -> bytes:
    """A parameter section of these records, in whole blocks.

    Args:
        head: Begins with the first two bytes of the section that they come from.
        records: At least one.
        processor: Of the file.
    """
    order, written = ">" if processor == MIPS else "<", []
    for record in records:
        length = len(record.stored_name)
        lead = struct.pack("bb", -length if record.locked else length, record.group)
        written.append(lead + record.stored_name + struct.pack(f"{order}H", len(record.body) + 2) + record.body)
    # a name of no letters ends the list
    content = b"".join(written) + b"\0\0"
    blocks = -(-(SECTION_START + len(content)) // BLOCK)
    return (head[:2] + bytes([min(blocks, 255), processor]) + content).ljust(blocks * BLOCK, b"\0")


def _records(section: bytes, order: str) -> Iterator[tuple[int, str, int, int]]:
    """Group, name, and start and end of what follows, of every record."""
    position = SECTION_START
    # where the section ends, the list does, too: not every writer ends it
    while position + 2 <= len(section):
        name_length, group = struct.unpack_from("bb", section, position)
        if name_length == 0:
            return
        start = position + 2 + abs(name_length) + 2
        if start > len(section):
            raise DamagedSectionError("a name leaves the section")
        (step,) = struct.unpack_from(f"{order}H", section, start - 2)
        end = start - 2 + step
        last = step == 0 or end > len(section)
        if last:
            end = len(section)
        elif step < 2:
            raise DamagedSectionError("a record ends before it begins")
        yield group, decoded([section[position + 2 : start - 2]])[0].upper(), start, end
        if step and last and _goes_on(section, group, start):
            raise DamagedSectionError("a record leaves the section")
        if last:
            return
        position = end


def _goes_on(section: bytes, group: int, start: int) -> bool:
    """Whether anything follows a record whose contents begin at `start`: the last one of a sound section may lead anywhere."""
    if group > 0:
        start = _values(section, start, len(section))[2]
    if start < len(section):
        start += 1 + section[start]
    return any(section[start:])


def _parameter(section: bytes, start: int, end: int, processor: int) -> Parameter:
    """The parameter whose type stands at `start`, in a record that goes to before `end`."""
    shape, values, stop = _values(section, start, end)
    return Parameter(struct.unpack_from("b", section, start)[0], shape, section[values:stop], processor)


def _values(section: bytes, start: int, end: int) -> tuple[tuple[int, ...], int, int]:
    """Dimensions, and where the values begin and stop, of the parameter whose type stands at `start`."""
    if start + 2 > end:
        raise DamagedSectionError("a parameter is cut off")
    kind, dimensions = struct.unpack_from("bB", section, start)
    values = start + 2 + dimensions
    if kind not in ELEMENT_BYTES or values > end:
        raise DamagedSectionError("a parameter has no type")
    shape = tuple(section[start + 2 : values])
    stop = values + ELEMENT_BYTES[kind] * math.prod(shape)
    if stop > end:
        raise DamagedSectionError("values leave their record")
    return shape, values, stop


def floats(data: bytes | memoryview, processor: int) -> np.ndarray:
    """(n,) in single precision, of numbers as the processor stores them.

    DEC's have their two words exchanged, and an exponent that is two larger (VAX F floating: Brunner, VAX Architecture Reference Manual).
    """
    if processor == MIPS:
        return np.frombuffer(data, ">f4").astype(np.float32)
    if processor != DEC:
        return np.frombuffer(data, "<f4").astype(np.float32, copy=False)
    words = np.frombuffer(data, "<u2").reshape(-1, 2)[:, ::-1]
    # a number that is none may be of a kind of which the processor complains
    with np.errstate(invalid="ignore"):
        return np.ascontiguousarray(words).view("<f4").ravel() / np.float32(4.0)


def stored_floats(values: FloatArray, processor: int) -> bytes:
    """Numbers as the processor stores them: what `floats` reads."""
    if processor == MIPS:
        return values.astype(">f4").tobytes()
    if processor != DEC:
        return values.astype("<f4").tobytes()
    words = (values * 4.0).astype("<f4").view("<u2").reshape(-1, 2)
    return np.ascontiguousarray(words[:, ::-1]).tobytes()


def decoded(fields: list[bytes]) -> list[str]:
    """Strings of fields of characters of one parameter: in UTF-8 where all of them are that, else as Windows writes Western languages.

    The format knows ASCII alone; what is not printable becomes a space, and what fills a field up is dropped.
    """
    for encoding in ("utf-8", "cp1252", "latin-1"):
        try:
            texts = [_whole(field, encoding).decode(encoding) for field in fields]
        except UnicodeDecodeError:
            continue
        return ["".join(letter if letter.isprintable() else " " for letter in text).strip() for text in texts]
    raise AssertionError("Latin-1 knows every byte")


def _whole(field: bytes, encoding: str) -> bytes:
    """A field without the first bytes of a letter that its width has cut off."""
    field = field.rstrip(b"\0 ")
    if encoding == "utf-8":
        for length in (1, 2, 3):
            lead = field[-length : -length + 1 or None]
            if lead and lead[0] >= 0xC0:
                wanted = 2 if lead[0] < 0xE0 else 3 if lead[0] < 0xF0 else 4
                return field[:-length] if wanted > length else field
    return field
