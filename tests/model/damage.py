# SPDX-License-Identifier: GPL-3.0-or-later
"""What may happen to a file on its way, drawn at random: for the tests and for `make fuzz`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

#: What a byte is changed to where not every value is tried: zero, the largest, signs, and near misses.
TELLING = (0x00, 0x01, 0x02, 0x7F, 0x80, 0xFE, 0xFF)


def one_byte_changes(content: bytes, every: bool = False) -> Iterator[bytes]:
    """The file with one byte of its header or parameters changed, to some telling values, or to every one."""
    end = 512 * (1 + content[514])
    for place in [*range(24), *range(512, end)]:
        for value in range(256) if every else (*TELLING, content[place] ^ 1, (content[place] + 1) % 256):
            if value != content[place]:
                yield content[:place] + bytes([value]) + content[place + 1 :]


def damaged(content: bytes, random: np.random.Generator) -> bytes:
    """The file damaged in one of several ways."""
    kind = random.integers(6)
    changed = bytearray(content)
    if kind == 0:
        return content[: random.integers(len(content) + 1)]
    if kind == 1:
        place = int(random.integers(len(content)))
        return content[:place] + random.bytes(int(random.integers(1, 600))) + content[place:]
    if kind == 2:
        place, length = int(random.integers(len(content))), int(random.integers(1, 600))
        return content[:place] + content[place + length :]
    last = (24, min(len(content), 512 * (1 + content[514])), len(content))[kind - 3]
    for place in random.integers(last, size=random.integers(1, 12)).tolist():
        changed[place] = random.choice(TELLING) if random.integers(2) else random.integers(256)
    return bytes(changed)
