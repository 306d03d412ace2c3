# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a C3D under other labels: a copy whose samples lie in other columns, and all else as it was.

Tracks move as they are stored, with what the cameras said of them. Parameters, events, analog data and computed points are kept;
`POINT:LABELS`, `DESCRIPTIONS`, `USED` and `DATA_START` are made anew, since there may be another number of points.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..core.errors import BonesetterError
from ..labelling.labelled import Labelled
from ..storage.atomic import replacing
from .c3d import Source, c3d_of, read_source
from .c3d_copy import INVALID, stored
from .c3d_layout import BLOCK
from .c3d_parameters import MIPS, Record, read_records, written_section
from .c3d_writer import write_c3d

#: A parameter of characters holds at most so many strings, each at most so long: both are counted in a byte.
MOST_STRINGS, LONGEST_STRING = 255, 127


def write_labelled_c3d(labelled: Labelled, path: Path) -> None:
    """Write the found labels as C3D.

    Args:
        labelled: Where its take comes from a C3D that is still there, that is copied; else a new file is made.
        path: Replaced if it exists, and only once the file is whole.

    Raises:
        BonesetterError: The source cannot be read any more, or the file cannot be written.
    """
    origin = c3d_of(labelled.take)
    if origin is None:
        write_c3d(labelled.take, path)
        return
    source = read_source(origin)
    if source.take.frames != labelled.take.frames or not {row.column for row in labelled.tracks} <= set(source.take.labels):
        raise BonesetterError(f"{origin.name} changed since it was read: label it again.")
    content = _rewritten(source, labelled)
    with replacing(path, binary=True) as stream:
        stream.write(content)


def _rewritten(source: Source, labelled: Labelled) -> bytes:
    """The file's bytes: header, parameters and samples."""
    layout = source.layout
    content = source.read_bytes()
    moved, seen = {row.column for row in labelled.tracks}, set(np.flatnonzero(source.take.present.any(axis=0)).tolist())
    # what a lab's model computed stays behind the markers; columns that are empty now are left out
    columns = enumerate(zip(source.points, source.take.labels, strict=True))
    markers = {point for row, (point, label) in columns if label in moved or row not in seen}
    others = [point for point in range(layout.points) if point not in markers]
    points = len(labelled.take.labels) + len(others)
    labels = _texts(source, "LABELS", layout.points)
    descriptions = _texts(source, "DESCRIPTIONS", layout.points)
    names = [*labelled.take.labels, *(labels[point] for point in others)]
    said = ["" for _ in labelled.take.labels] + [descriptions[point] for point in others]
    start = (content[0] - 1) * BLOCK
    section = _section(content[start : layout.start], source, content[0], points, names, said)
    data_block = (start + len(section)) // BLOCK + 1
    order = ">" if source.contents.processor == MIPS else "<"
    header = bytearray(content[:start])
    struct.pack_into(f"{order}H", header, 2, points)
    struct.pack_into(f"{order}H", header, 16, data_block)
    samples = _samples(content, source, labelled, others)
    return bytes(header) + section + samples + bytes(-len(samples) % BLOCK)


def _texts(source: Source, name: str, count: int) -> list[str]:
    """A text for each point, empty where the file has none."""
    texts = list(source.contents.texts("POINT", name))[:count]
    return texts + [""] * (count - len(texts))


def _section(section: bytes, source: Source, first_block: int, points: int, names: Sequence[str], descriptions: Sequence[str]) -> bytes:
    """The parameter section, which begins in that block, for so many points of these names."""
    processor = source.contents.processor
    records = read_records(section, processor)
    group = next((record.group for record in records if record.group < 0 and record.name == "POINT"), None)
    if group is None:
        raise BonesetterError(f"{source.contents.path.name} has no group POINT, whose labels could be replaced: export it again.")
    kept = [record for record in records if not (record.group == -group and _continues(record.name))]
    kept += _of_texts(-group, "LABELS", names)
    if any(descriptions):
        kept += _of_texts(-group, "DESCRIPTIONS", descriptions)
    for row, record in enumerate(kept):
        if record.group == -group and record.name == "USED":
            kept[row] = record.with_number(points, processor)
    data_block = first_block + len(written_section(section, kept, processor)) // BLOCK
    for row, record in enumerate(kept):
        if record.group == -group and record.name == "DATA_START":
            kept[row] = record.with_number(data_block, processor)
    return written_section(section, kept, processor)


def _continues(name: str) -> bool:
    """Whether a parameter is one of those that are made anew: `LABELS`, `LABELS2`, `DESCRIPTIONS` and so on."""
    return any(name == kind or (name.startswith(kind) and name[len(kind) :].isdigit()) for kind in ("LABELS", "DESCRIPTIONS"))


def _of_texts(group: int, name: str, texts: Sequence[str]) -> list[Record]:
    """The records of a parameter of strings and of its continuations."""
    encoded = [text.encode("utf-8")[:LONGEST_STRING] for text in texts]
    records = []
    for part, first in enumerate(range(0, len(encoded), MOST_STRINGS), start=1):
        here = encoded[first : first + MOST_STRINGS]
        width = max(1, *(len(text) for text in here))
        body = struct.pack("bBBB", -1, 2, width, len(here)) + b"".join(text.ljust(width) for text in here)
        own = name if part == 1 else f"{name}{part}"
        records.append(Record(group, own, own.encode(), False, body + b"\0"))
    return records


def _samples(content: bytes, source: Source, labelled: Labelled, others: list[int]) -> bytes:
    """The samples, markers first in the order of the found labels, then computed points, then analog words."""
    layout, take = source.layout, labelled.take
    kind = "<u4" if layout.is_float else "<u2"
    words = np.frombuffer(content, kind, layout.frames * layout.frame_words, layout.start).reshape(layout.frames, -1)
    count = len(take.labels)
    missing = stored(np.array([[0.0, 0.0, 0.0, INVALID]]), source)[0]
    points = np.empty((layout.frames, count + len(others), 4), dtype=kind)
    points[:, :count] = missing
    old = words[:, : 4 * layout.points].reshape(layout.frames, layout.points, 4)
    columns = {label: source.points[row] for row, label in enumerate(source.take.labels)}
    places = {label: row for row, label in enumerate(take.labels)}
    for row in labelled.tracks:
        here = slice(row.first, row.last + 1)
        points[here, places[row.kept_as]] = old[here, columns[row.column]]
    points[:, count:] = old[:, others]
    return np.concatenate([points.reshape(layout.frames, -1), words[:, 4 * layout.points :]], axis=1).tobytes()
