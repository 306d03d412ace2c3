# SPDX-License-Identifier: GPL-3.0-or-later
"""Presets as Blender writes them, which are Python, read without being run.

A line sets one property to a number, True, False, or a text. Beside such lines a file has what Blender writes before them, comments, and a
text that describes it. Everything else is refused: a preset that a stranger made can do no more than set values to what they may be.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

from ..core.errors import BonesetterError

Value = float | bool | str
#: What a property may be: of the kind of a value, or one of some texts.
Usual = Value | tuple[str, ...]

#: A preset is some hundred bytes.
MOST_BYTES = 65_536
#: What Blender writes before the values, by the name that a file gives their owner: of the noise filter, and of an operator's options.
HEADS = {"settings": "settings = bpy.context.scene.bonesetter", "op": "op = bpy.context.active_operator"}
_NUMBER = r"[+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][+-]?\d{1,3})?"
#: Texts without escapes, since no value needs any.
_LINE = re.compile(
    rf"(?P<owner>settings|op)\.(?P<name>[a-z_]{{1,63}}) = "
    rf"(?:(?P<number>{_NUMBER})|(?P<flag>True|False)|(?P<quote>['\"])(?P<text>[^'\"\\]*)(?P=quote))"
)
_DESCRIPTION = re.compile(r'\A(?:[ \t]*(?:#[^\n]*)?\n)*("""[^"\\]*"""|\'\'\'[^\'\\]*\'\'\')[ \t]*(?:\n|\Z)')


def read_preset(path: Path, usual: Mapping[str, Usual], owner: str = "settings") -> dict[str, Value]:
    """Read a preset.

    Args:
        path: A preset that Blender wrote, or one of those that are bundled.
        usual: {property: a value of its kind, or the texts that it may be}, of those that it may set.
        owner: What they belong to, one of `HEADS`.

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
        return _values(content.decode("utf-8-sig").replace("\r\n", "\n"), usual, owner)
    except OSError as error:
        raise BonesetterError(f"{path.name} cannot be read ({error.strerror}): choose a preset from the menu.") from error
    except ValueError as error:
        why = "it is no text" if isinstance(error, UnicodeDecodeError) else error
        raise BonesetterError(f"{path.name} is no preset of these options ({why}): add one from the menu.") from error


def _values(content: str, usual: Mapping[str, Usual], owner: str) -> dict[str, Value]:
    described = _DESCRIPTION.match(content)
    begin = described.end() if described else 0
    values: dict[str, Value] = {}
    for number, line in enumerate(content[begin:].split("\n"), start=content.count("\n", 0, begin) + 1):
        code = line.rstrip()
        if not code or code.startswith("#") or code in ("import bpy", HEADS[owner]):
            continue
        found = _LINE.fullmatch(code)
        if found is None or found["owner"] != owner:
            raise ValueError(f"line {number} does more than set a value")
        name, value = found["name"], _value(found)
        if name not in usual:
            raise ValueError(f"line {number} sets {name}, which is none of them")
        if not _may_be(value, usual[name]):
            raise ValueError(f"line {number} sets {name} to what it cannot be")
        values[name] = value
    if not values:
        raise ValueError("it sets nothing")
    return values


def _may_be(value: Value, usual: Usual) -> bool:
    if isinstance(usual, tuple):
        return value in usual
    return type(value) is type(usual) and not (isinstance(value, float) and not math.isfinite(value))


def _value(found: re.Match[str]) -> Value:
    if found["number"] is not None:
        return float(found["number"])
    return found["flag"] == "True" if found["flag"] is not None else found["text"]
