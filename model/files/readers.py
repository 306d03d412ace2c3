# SPDX-License-Identifier: GPL-3.0-or-later
"""The formats that takes are read from: a new one is a module beside this and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import cast

from ..core.take import BonesetterError, Take


@dataclass(frozen=True)
class Format:
    """A format of takes.

    Attributes:
        name: As people call it.
        suffixes: Of its files, in lower case.
        module: In this package. It has the function `read`, from a path to a take, and, where other formats have the same suffix,
            `recognises`, from the first line of a file to whether it is of this one.
        read: Name of that function.
    """

    name: str
    suffixes: tuple[str, ...]
    module: str
    read: str

    def recognises(self, path: Path) -> bool:
        """Whether a text file begins as this format's do."""
        with path.open("rb") as stream:
            line = stream.readline(4096)
        return getattr(import_module(f".{self.module}", __package__), "recognises")(line.decode("utf-8-sig", "replace"))  # noqa: B009

    def take(self, path: Path) -> Take:
        """Read a file of this format."""
        return cast(Callable[[Path], Take], getattr(import_module(f".{self.module}", __package__), self.read))(path)


FORMATS = (
    Format("C3D", (".c3d",), "c3d", "read_c3d"),
    Format("TRC", (".trc",), "trc", "read_trc"),
    Format("CSV of Motive", (".csv",), "motive_csv", "read_motive_csv"),
    Format("TSV of Qualisys", (".tsv",), "qualisys_tsv", "read_qualisys_tsv"),
)
#: Suffixes of all formats.
SUFFIXES = tuple(dict.fromkeys(suffix for one in FORMATS for suffix in one.suffixes))
#: Suffixes under which exports of text are found too, whatever wrote them.
TEXT = (".trc", ".csv", ".tsv", ".txt")


def read_take(path: Path) -> Take:
    """Read the markers of a file of any of these formats; one of text is told by how it begins, not by its suffix.

    Raises:
        BonesetterError: No reader knows the file, or it is damaged, cut off or without markers.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in TEXT and path.is_file():
        texts = [one for one in FORMATS if set(one.suffixes) & set(TEXT)]
        try:
            known = next((one for one in texts if one.recognises(path)), None)
        except OSError as error:
            raise BonesetterError(f"{path.name} cannot be read ({error.strerror}): choose another file.") from error
        if known is not None:
            return known.take(path)
    known = next((one for one in FORMATS if suffix in one.suffixes), None)
    if known is None:
        listed = ", ".join(f"{one.name} ({', '.join(one.suffixes)})" for one in FORMATS)
        raise BonesetterError(f"{path.name} is of no format that is read: choose one of {listed}.")
    return known.take(path)
