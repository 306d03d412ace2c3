# SPDX-License-Identifier: GPL-3.0-or-later
"""C3D files byte by byte, sound and odd ones: ezc3d writes only what it reads."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

INTEL, DEC, MIPS = 84, 85, 86
#: A value as it is stored: its type, its dimensions, its bytes.
Raw = tuple[int, tuple[int, ...], bytes]


def figure(frames: int = 3) -> np.ndarray:
    """(frames, 4, 3) in mm, Z up: a figure that walks, its head and feet."""
    places = np.array([[0, 100, 1700], [0, -100, 1700], [50, 100, 40], [50, -100, 40]], dtype=float)
    return places + np.arange(frames)[:, None, None] * np.array([8.0, 0.0, 0.0])


LABELS = ("LFHD", "RFHD", "LTOE", "RTOE")


@dataclass
class C3D:
    """A file to be written. What is None is what the points say.

    Attributes:
        points: (frames, points, 3).
        quality: (frames, points): the fourth words.
        analog: (frames, words): behind each frame's points.
        parameters: {group: {name: value}}: text, texts, numbers, or a `Raw` value; None leaves one out that would be there.
        header: Fields of the header that are not what the points say: points, analog, first, last, scale, block, rate.
        scale: Of integers; negative for floats.
        descriptions: Whether records end with a description's length.
        groups_last: Whether groups stand behind their parameters.
        terminated: Whether the last record leads nowhere, as it should.
        padding: Bytes behind the samples.
    """

    points: np.ndarray = field(default_factory=figure)
    labels: Sequence[str | bytes] = LABELS
    quality: np.ndarray | None = None
    analog: np.ndarray | None = None
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    header: Mapping[str, float] = field(default_factory=dict)
    scale: float = -1.0
    processor: int = INTEL
    rate: float = 100.0
    descriptions: bool = True
    groups_last: bool = False
    terminated: bool = True
    padding: int | None = None

    @property
    def order(self) -> str:
        return ">" if self.processor == MIPS else "<"

    def number(self, value: float) -> bytes:
        """A float as the processor stores it."""
        if self.processor != DEC:
            return struct.pack(f"{self.order}f", value)
        high, low = struct.unpack("<2H", struct.pack(">f", value * 4)[::-1])[::-1]
        return struct.pack("<2H", high, low)

    def stored(self, value: Any) -> Raw:
        """A parameter's value."""
        if isinstance(value, tuple) and len(value) == 3 and isinstance(value[2], bytes):
            return value
        if isinstance(value, str):
            value = [value]
        if isinstance(value, (list, tuple)) and any(isinstance(one, (str, bytes)) for one in value):
            texts = [one.encode() if isinstance(one, str) else one for one in value]
            width = max(map(len, texts), default=0)
            return -1, (width, len(texts)), b"".join(one.ljust(width) for one in texts)
        numbers = np.atleast_1d(value)
        shape = tuple(np.shape(value))
        if numbers.dtype.kind == "f":
            return 4, shape, b"".join(self.number(one) for one in numbers.ravel().tolist())
        return 2, shape, b"".join(struct.pack(f"{self.order}H", one & 0xFFFF) for one in numbers.ravel().tolist())

    def section(self) -> bytes:
        """The parameter section, in whole blocks, its block count left at 0."""
        frames, points = self.points.shape[:2]
        usual = {
            "POINT": {
                "USED": points,
                "FRAMES": frames & 0xFFFF,
                "SCALE": self.scale,
                "RATE": self.rate,
                "UNITS": "mm",
                "DATA_START": 0,
                "LABELS": list(self.labels),
            },
            "ANALOG": {"USED": 0, "RATE": 0.0},
        }
        every = {group: {**usual.get(group, {}), **self.parameters.get(group, {})} for group in {**usual, **self.parameters}}
        groups, values = [], []
        for number, (group, members) in enumerate(every.items(), start=1):
            groups.append((group.encode(), -number, b""))
            for name, value in members.items():
                if value is not None:
                    kind, shape, data = self.stored(value)
                    values.append((name.encode(), number, struct.pack("bB", kind, len(shape)) + bytes(shape) + data))
        records = values + groups if self.groups_last else groups + values
        text = bytearray(b"\0\0\0" + bytes([self.processor]))
        for place, (name, number, content) in enumerate(records):
            content += b"\0" if self.descriptions else b""
            last = place == len(records) - 1
            step = (0 if self.terminated else 0x3F01) if last else len(content) + 2
            text += struct.pack("bb", len(name), number) + name + struct.pack(f"{self.order}H", step) + content
        return bytes(text.ljust(512 * math.ceil(len(text) / 512), b"\0"))

    def samples(self) -> bytes:
        """The frames."""
        frames, points = self.points.shape[:2]
        words = np.zeros((frames, points, 4))
        words[..., :3] = self.points if self.scale < 0 else np.rint(self.points / self.scale)
        words[..., 3] = 0.0 if self.quality is None else self.quality
        rows = words.reshape(frames, -1)
        if self.analog is not None:
            rows = np.concatenate([rows, self.analog], axis=1)
        if self.scale >= 0:
            return rows.astype(f"{self.order}i2").tobytes()
        if self.processor == DEC:
            return b"".join(self.number(one) for one in rows.ravel().tolist())
        return rows.astype(f"{self.order}f4").tobytes()

    def bytes(self) -> bytes:
        """The whole file."""
        frames, points = self.points.shape[:2]
        section = bytearray(self.section())
        blocks = len(section) // 512
        section[2] = min(blocks, 255)
        analog = 0 if self.analog is None else self.analog.shape[1]
        said = {"points": points, "analog": analog, "first": 1, "last": frames, "scale": self.scale, "block": 2 + blocks, "rate": self.rate}
        said.update(self.header)
        words = struct.pack(f"{self.order}5H", *(int(said[name]) & 0xFFFF for name in ("points", "analog", "first", "last")), 10)
        words += self.number(said["scale"]) + struct.pack(f"{self.order}2H", int(said["block"]), 0) + self.number(said["rate"])
        samples = self.samples()
        padding = -len(samples) % 512 if self.padding is None else self.padding
        return (b"\x02\x50" + words).ljust(512, b"\0") + bytes(section) + samples + bytes(padding)
