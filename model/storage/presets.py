# SPDX-License-Identifier: GPL-3.0-or-later
"""Presets as Blender writes them, which are Python, read without being run.

A line sets one property to a number, True, False, or a text. Beside such lines a file has what Blender writes before them, comments, and a
text that describes it. Everything else is refused: a preset that a stranger made can do no more than set a value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

from ..core.errors import BonesetterError

Value = float | bool | str

#: A preset is some hundred bytes.
MOST_BYTES = 65_536
#: What Blender writes before the values.
HEAD = ("import bpy", "settings = bpy.context.scene.bonesetter")
_NUMBER = r"[+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][+-]?\d{1,3})?"
#: Texts without escapes, since no value needs any.
_LINE = re.compile(
    rf"settings\.(?P<name>[a-z_]{{1,63}}) = "
    rf"(?:(?P<number>{_NUMBER})|(?P<flag>True|False)|(?P<quote>['\"])(?P<text>[^'\"\\]*)(?P=quote))"
)
_DESCRIPTION = re.compile(r'\A(?:[ \t]*(?:#[^\n]*)?\n)*("""[^"\\]*"""|\'\'\'[^\'\\]*\'\'\')[ \t]*(?:\n|\Z)')


def read_preset(path: Path, usual: Mapping[str, Value]) -> dict[str, Value]:
    """Read a preset.

    Args:
        path: A preset that Blender wrote, or one of those that are bundled.
        usual: {property: a value of its kind}, of those that it may set.

    Returns:
        {property: value}, in the file's order.

    Raises:
        BonesetterError: The file cannot be read, or holds anything else; nothing of it was run.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ValueError(f"it is larger than {MOST_BYTES // 1024} kB")
        return _values(content.decode("utf-8-sig").replace("\r\n", "\n"), usual)
    except OSError as error:
        raise BonesetterError(f"{path.name} cannot be read ({error.strerror}): choose a preset from the menu.") from error
    except ValueError as error:
        why = "it is no text" if isinstance(error, UnicodeDecodeError) else error
        raise BonesetterError(f"{path.name} is no preset of the noise filter ({why}): add one from the menu.") from error


def _values(content: str, usual: Mapping[str, Value]) -> dict[str, Value]:
    described = _DESCRIPTION.match(content)
    begin = described.end() if described else 0
    values: dict[str, Value] = {}
    for number, line in enumerate(content[begin:].split("\n"), start=content.count("\n", 0, begin) + 1):
        code = line.rstrip()
        if not code or code.startswith("#") or code in HEAD:
            continue
        found = _LINE.fullmatch(code)
        if found is None:
            raise ValueError(f"line {number} does more than set a value")
        name, value = found["name"], _value(found)
        if name not in usual:
            raise ValueError(f"line {number} sets {name}, which is no threshold")
        if type(value) is not type(usual[name]) or (isinstance(value, float) and not math.isfinite(value)):
            raise ValueError(f"line {number} sets {name} to what it cannot be")
        values[name] = value
    if not values:
        raise ValueError("it sets nothing")
    return values


def _value(found: re.Match[str]) -> Value:
    if found["number"] is not None:
        return float(found["number"])
    return found["flag"] == "True" if found["flag"] is not None else found["text"]
