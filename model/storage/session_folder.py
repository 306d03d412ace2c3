# SPDX-License-Identifier: GPL-3.0-or-later
"""A temporary folder that belongs to this process, and the end of those whose processes are gone.

A process that is killed leaves its folder behind. Each holds a file that its process keeps locked, which the system unlocks however the
process ends: a folder whose file can be locked is nobody's.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from .locking import lock_file

PREFIX = "bonesetter-"
LOCK = "in-use"
#: A younger folder, in s, may be that of a process which has made it and is about to lock it: two Blenders may start at once.
YOUNG_SECONDS = 10.0


class SessionFolder:
    """A new folder, locked until it is removed; those that nobody has locked are removed."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._lock = (self.path / LOCK).open("wb")
        lock_file(self._lock)
        for other in self.path.parent.glob(f"{PREFIX}*"):
            if other != self.path and _is_old(other / LOCK) and _is_free(other / LOCK):
                shutil.rmtree(other, ignore_errors=True)

    def remove(self) -> None:
        """Unlock and remove it."""
        self._lock.close()
        shutil.rmtree(self.path, ignore_errors=True)


def _is_old(path: Path) -> bool:
    """Whether there is such a file, and it is not new."""
    try:
        return time.time() - path.stat().st_mtime > YOUNG_SECONDS
    except OSError:
        return False


def _is_free(path: Path) -> bool:
    try:
        with path.open("r+b") as stream:
            return lock_file(stream)
    except OSError:
        return False
