# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON files that people write: read within bounds, and checked."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from reprlib import repr as shown
from typing import Any

#: No file that a person or Bonesetter writes is larger, nor is a name longer.
MOST_BYTES, LONGEST_NAME = 10_000_000, 255
#: Categories of characters that no name has: controls, such as line breaks, and halves of characters.
NOT_IN_NAMES = ("Cc", "Cs")


def read_json(path: Path) -> Any:
    """The document in a file.

    Raises:
        OSError: The file cannot be read.
        ValueError: It holds no JSON, or too much; the text says so in a few words.
    """
    with path.open("rb") as stream:
        content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES // 1_000_000} MB")
    try:
        return json.loads(content.decode("utf-8-sig"))
    except RecursionError as error:
        raise ValueError("its lists lie too deep in one another") from error


def check_version(document: Any, kind: str, version: int) -> None:
    """That a document is of a kind, and of the version that is read.

    Raises:
        ValueError: It is not; the text says so in a few words.
        KeyError: It says nothing of that.
    """
    if document["format"] != kind or type(document["version"]) is not int or document["version"] < 1:
        raise ValueError("another format or version")
    if document["version"] > version:
        raise ValueError("written by a newer Bonesetter: install that one")
    if document["version"] < version:
        raise ValueError("written by an older Bonesetter, in a form that is no longer read")


def checked_name(what: str, value: Any) -> str:
    """A name from a document.

    Raises:
        ValueError: It is none; the text begins with `what`.
    """
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{what} has {shown(value)} for its name")
    if len(value) > LONGEST_NAME:
        raise ValueError(f"{what} has a name of {len(value)} letters, more than {LONGEST_NAME}")
    if any(unicodedata.category(letter) in NOT_IN_NAMES for letter in value):
        raise ValueError(f"{what} has {value!a} for its name, with letters that cannot be written")
    return value


def checked_number(what: str, value: Any, most: float) -> float:
    """A number from a document, no further from 0 than `most`.

    Raises:
        ValueError: It is none, or too large; the text begins with `what`.
    """
    # Python takes true for a number; one that is not finite fails the comparison, which whole numbers of any size stand
    if type(value) not in (int, float):
        raise ValueError(f"{what} is {shown(value)}, which is no number")
    if not abs(value) <= most:
        raise ValueError(f"{what} is {shown(value)}: it must lie within {most:g} of 0")
    return float(value)
