# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes that could not be solved, noted as files beside the results of the others, where several processes or machines solve a session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from ..storage.atomic import replacing

#: How a note's name ends, after the take's; its text is the sentence that says why.
ENDING = ".failed.txt"


def note_failures(folder: Path, takes: Iterable[str], failed: Mapping[str, str]) -> None:
    """Note which takes could not be solved, and remove the notes of those that could.

    Args:
        folder: Of the results.
        takes: Names of all that were to be solved.
        failed: {name of a take that could not be solved: why}.

    Raises:
        BonesetterError: A note cannot be written.
    """
    for name in takes:
        note = folder / f"{name}{ENDING}"
        if why := failed.get(name):
            with replacing(note) as stream:
                stream.write(f"{why}\n")
        else:
            with suppress(OSError):
                note.unlink(missing_ok=True)


def noted_failures(folder: Path) -> dict[str, str]:
    """{name of a take that could not be solved: why}, of the notes in a folder."""
    return {
        note.name.removesuffix(ENDING): note.read_text(encoding="utf-8", errors="replace").strip()
        for note in sorted(folder.glob(f"*{ENDING}"))
    }
