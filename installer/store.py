# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder that holds what was installed: an environment for each lock, and a mark in those that are whole."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from .errors import InstallError
from .lock import path_of, read_lock

#: Written last: an environment that lacks it is none.
MARK = "bonesetter.json"
BUILDING, DOWNLOADS, BUSY = "building", "downloads", "busy"
#: Interpreters that uv fetched, which environments are built on.
PYTHONS = "python"


@dataclass(frozen=True)
class Installed:
    """An environment that is whole: where it is, for which target, and by which lock."""

    folder: Path
    target: str
    digest: str

    @property
    def python(self) -> str:
        return str(python_of(self.folder))

    @property
    def current(self) -> bool:
        """Made by the lock file that this version of the extension brings."""
        try:
            return path_of(self.target).is_file() and read_lock(self.target).digest == self.digest
        except InstallError:
            return False


def python_of(environment: Path) -> Path:
    """The interpreter of a virtual environment."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def installed(store: Path) -> Installed | None:
    """What is installed in a store, the newest where there are several; None where nothing is."""
    marks = sorted(store.glob(f"*/{MARK}"), key=lambda mark: mark.stat().st_mtime, reverse=True)
    for mark in marks:
        try:
            facts = json.loads(mark.read_text(encoding="utf-8"))
            found = Installed(mark.parent, str(facts["target"]), str(facts["digest"]))
        except (OSError, ValueError, LookupError, TypeError):
            continue
        if python_of(found.folder).is_file():
            return found
    return None


def mark(folder: Path, target: str, digest: str) -> None:
    """Call an environment whole."""
    facts = asdict(Installed(folder, target, digest))
    del facts["folder"]
    (folder / MARK).write_text(json.dumps(facts), encoding="utf-8")


def clear(folder: Path) -> None:
    """Remove a folder, also where Windows would find the paths of torch's files too long."""
    shutil.rmtree(f"\\\\?\\{folder.absolute()}" if os.name == "nt" else folder)


def remove(store: Path, keep: tuple[str, ...] = ()) -> None:
    """Remove everything in a store but what is named.

    Raises:
        InstallError: Something is in use or protected.
    """
    for path in store.iterdir() if store.is_dir() else ():
        if path.name in (BUSY, *keep):
            continue
        # first what says that it is whole: half removed it is to count for nothing
        (path / MARK).unlink(missing_ok=True) if path.is_dir() else None
        try:
            clear(path) if path.is_dir() else path.unlink()
        except OSError as error:
            raise InstallError(f"{path} cannot be removed ({error.strerror}): close other Blenders and try again.") from error
