# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are written whole or not at all, one or several together.

They are written in a hidden folder beside their places, which bears the process's number and a digest of its machine's name, and moved
from there when all is written. What a killed process left of them is cleared by the next one that writes into the same folder.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from ..core.errors import BonesetterError

#: How the folders' names begin; the process's number and its machine follow.
STAGING = ".bonesetter-"
#: This machine in the folders' names: where several write into a shared folder, the numbers of each say nothing of the others' processes.
MACHINE = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
#: Where nobody tells which processes run, as on another machine, a folder that is older than this was left behind, in s.
ABANDONED_SECONDS = 86_400.0


@contextmanager
def staged() -> Iterator[Callable[[Path], Path]]:
    """Files that take their places together when the block ends; after an error nothing has changed.

    Yields a function that says where to write what is to take the place of a path. Staged once more, a file is left to the outer block.

    Raises:
        BonesetterError: A folder cannot be written to, or the disk is full.
    """
    folders: dict[Path, Path] = {}
    moves: list[tuple[Path, Path]] = []

    def beside(path: Path) -> Path:
        if _is_staging(path.parent):
            return path
        if path.parent not in folders:
            with _one_sentence(path):
                clear_abandoned(path.parent)
                folders[path.parent] = Path(tempfile.mkdtemp(dir=path.parent, prefix=f"{STAGING}{os.getpid()}-{MACHINE}-"))
        moves.append((folders[path.parent] / path.name, path))
        return moves[-1][0]

    try:
        yield beside
        _put_in_place(moves)
    finally:
        for folder in folders.values():
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def replacing(path: Path, binary: bool = False) -> Iterator[IO[Any]]:
    """A stream whose content takes the place of `path` when the block ends; after an error nothing has changed.

    Raises:
        BonesetterError: The folder cannot be written to, or the disk is full.
    """
    mode, encoding = ("wb", None) if binary else ("w", "utf-8")
    with staged() as beside, _one_sentence(path), beside(path).open(mode, encoding=encoding) as stream:
        yield stream


def place_of(path: Path) -> Path:
    """Where a file that is written to a path will be in the end: elsewhere, if it is staged."""
    return path.parent.parent / path.name if _is_staging(path.parent) else path


def _put_in_place(moves: Sequence[tuple[Path, Path]]) -> None:
    """Move every file to its place; where one cannot be moved, those before it are taken back, and what they replaced is there again."""
    undo: list[Callable[[], Any]] = []
    try:
        for part, path in moves:
            with _one_sentence(path):
                if path.is_dir():
                    raise IsADirectoryError(None, "there is a folder of that name")
                before = part.with_name(f"before-{len(undo)}") if path.exists() and part != moves[-1][0] else None
                undo.append(_moved(part, path, before))
    except BaseException:
        for step in reversed(undo):
            with suppress(OSError):
                step()
        raise


def _moved(part: Path, path: Path, before: Path | None) -> Callable[[], Any]:
    """Move a file to its place, and what it replaces to `before`; returns what takes it back.

    After the last file nothing is taken back: it replaces the other in one step, without a `before`.
    """
    if before is None:
        os.replace(part, path)
        return path.unlink
    os.replace(path, before)
    try:
        os.replace(part, path)
    except OSError:
        os.replace(before, path)
        raise
    return lambda: os.replace(before, path)


@contextmanager
def _one_sentence(path: Path) -> Iterator[None]:
    """What the system says against a path that is written, for the user."""
    try:
        yield
    except OSError as error:
        raise BonesetterError(
            f"{place_of(path)} cannot be written ({error.strerror}): choose another folder or free some space."
        ) from error


def _is_staging(folder: Path) -> bool:
    return folder.name.startswith(STAGING)


def clear_abandoned(folder: Path) -> None:
    """Remove what killed processes left in a folder."""
    for left in folder.glob(f"{STAGING}*-*"):
        number, machine = left.name.removeprefix(STAGING).split("-")[:2]
        if number.isdigit() and not (_runs(int(number), left) if machine == MACHINE else _is_young(left)):
            shutil.rmtree(left, ignore_errors=True)


def _runs(process: int, folder: Path) -> bool:
    """Whether the process that made a folder still runs."""
    if sys.platform == "win32":  # there os.kill would end it
        return _is_young(folder)
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _is_young(folder: Path) -> bool:
    """Whether a folder may be in use, by its age; one that cannot be asked may."""
    with suppress(OSError):
        return time.time() - folder.stat().st_mtime < ABANDONED_SECONDS
    return True
