# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that one process locks against others. The system unlocks them however the process ends."""

from __future__ import annotations

import contextlib
import sys
from typing import IO


def lock_file(stream: IO[bytes]) -> bool:
    """Lock an open file until it is closed; False where another process has."""
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
