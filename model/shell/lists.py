# SPDX-License-Identifier: GPL-3.0-or-later
"""Which takes a run is about: those named, those of a list in a file, or a part of them, as each machine of several gets."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..core.errors import BonesetterError
from ..files.readers import READERS
from .cli import UsageError

#: How a name that is no text in the system's encoding is kept.
ERRORS = "surrogateescape"


def add_list_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that say which takes a session has."""
    parser.add_argument("takes", nargs="*", type=Path, metavar="TAKE", help=f"files of markers: {' '.join(READERS)}")
    parser.add_argument(
        "--list", type=Path, metavar="LIST.txt", help="a text file with a take a line, from the list's own folder unless --list-folder says"
    )
    parser.add_argument("--list-folder", type=Path, metavar="DIR", help="the folder from which the takes of --list are named")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that say which takes."""
    add_list_arguments(parser)
    parser.add_argument(
        "--part", type=_part, metavar="K/N", help="only the K-th of N parts of the takes, to share a session among N machines or tasks"
    )


def choose_takes(arguments: argparse.Namespace) -> None:
    """Put the takes that a run is about into `arguments.takes`.

    Raises:
        UsageError: There are none.
        BonesetterError: The list cannot be read.
    """
    takes = [*arguments.takes, *(read_list(arguments.list, arguments.list_folder) if arguments.list else [])]
    if not takes:
        raise UsageError("No take is named: name takes, or a --list that has some.")
    part = getattr(arguments, "part", None)
    arguments.takes = part_of(takes, *part) if part else takes
    # chosen once
    arguments.list = arguments.part = None


def part_of(takes: Sequence[Path], number: int, parts: int) -> list[Path]:
    """The takes of one of several parts, numbered from 1; neighbours stay together, and parts differ by one take at most."""
    return list(takes[(number - 1) * len(takes) // parts : number * len(takes) // parts])


def read_list(path: Path, folder: Path | None = None) -> list[Path]:
    """The takes of a list: UTF-8, a name a line, empty lines left out.

    Args:
        path: Of the list.
        folder: From which relative names go; None for the list's own.

    Raises:
        BonesetterError: It cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig", errors=ERRORS)
    except OSError as error:
        raise BonesetterError(f"The list {path} cannot be read ({error.strerror}): name a text file with a take a line.") from error
    if "\0" in text:
        raise BonesetterError(f"The list {path} is no text: name a text file with a take a line.")
    names = (line.removesuffix("\r") for line in text.split("\n"))
    return [(folder or path.parent) / name for name in names if name.strip()]


def list_text(takes: Iterable[str]) -> bytes:
    """The file of a list of takes.

    Raises:
        BonesetterError: A take's name has a line break.
    """
    names = list(takes)
    for name in names:
        if "\n" in name or "\r" in name:
            raise BonesetterError(f"{name!r} has a line break in its name, which no list can have: rename the take.")
    return "".join(f"{name}\n" for name in names).encode("utf-8", ERRORS)


def _part(text: str) -> tuple[int, int]:
    number, _, parts = text.partition("/")
    if not (number.isdecimal() and parts.isdecimal() and 1 <= int(number) <= int(parts)):
        raise argparse.ArgumentTypeError(f"{text!r} is no part: write 2/5 for the second of five")
    return int(number), int(parts)
