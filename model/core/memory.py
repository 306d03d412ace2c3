# SPDX-License-Identifier: GPL-3.0-or-later
"""What a computer without enough free memory says, as one sentence; and memory that is not needed any more given back to it."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress

from .errors import BonesetterError

#: How torch, LAPACK's wrappers and Python's threads say it, who raise no MemoryError.
SAID = ("can't allocate memory", "not enough memory", "out of memory", "can't start new thread", "bad_alloc", "bad allocation")


@contextmanager
def within_memory(what: str) -> Generator[None, None, None]:
    """Within the block something is done that takes much memory.

    Raises:
        BonesetterError: There is too little.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not any(words in str(error) for words in SAID):
            raise
        raise BonesetterError(
            f"{what} needs more memory than is free: close other programs, use fewer --workers, or cut it into shorter takes."
        ) from error


def give_back() -> None:
    """Give the system back what was freed: glibc keeps it, in pieces between what is still in use, for each thread by itself.

    Of an hour of markers that is more than a gigabyte. Does nothing with other libraries of C.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
