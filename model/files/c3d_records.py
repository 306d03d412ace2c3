# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks a C3D file's parameter records before a parser follows them.

ezc3d trusts every length in a file: one that points past the end, or back, can make it loop for ever or crash, and with it
Blender. Layout: c3d.org, The C3D File Format User Guide, "The parameter section".
"""

from __future__ import annotations

import math
import struct

#: The section begins with two reserved bytes, its length in blocks and the processor type.
SECTION_START = 4
#: Bytes per element, by a parameter's type: characters, bytes, integers, floats.
ELEMENT_BYTES = {-1: 1, 1: 1, 2: 2, 4: 4}


def records_are_sound(section: bytes, order: str) -> bool:
    """Whether every record of a parameter section lies within the file and leads on to the next.

    Args:
        section: From the start of the parameter section to the end of the file.
        order: "<" where integers are stored little end first, ">" where big.
    """
    position = SECTION_START
    while position + 2 <= len(section):
        name_length, group = struct.unpack_from("bb", section, position)
        if name_length == 0:
            return True
        link = position + 2 + abs(name_length)
        if link + 2 > len(section):
            return False
        (step,) = struct.unpack_from(f"{order}H", section, link)
        content, following = link + 2, link + step
        # a link of 0 ends the list; what belongs to the record then only has to lie within the file
        limit = following if step else len(section)
        if limit > len(section) or _content_end(section, content, group) > limit:
            return False
        if step == 0:
            return True
        position = following
    return False


def _content_end(section: bytes, start: int, group: int) -> float:
    """Where a record's content ends by its own lengths; infinite where they make no sense. Groups have negative numbers."""
    description = start
    if group > 0:
        if start + 2 > len(section):
            return math.inf
        kind, dimensions = struct.unpack_from("bB", section, start)
        shape = section[start + 2 : start + 2 + dimensions]
        if kind not in ELEMENT_BYTES or len(shape) < dimensions:
            return math.inf
        description = start + 2 + dimensions + ELEMENT_BYTES[kind] * math.prod(shape)
    if description >= len(section):
        return math.inf
    return description + 1 + section[description]
