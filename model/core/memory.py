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

#: glibc's parameters (malloc.h): from which size on an array gets pages of its own, in bytes; how much that is free at the end of its
#: memory it keeps; and by how much it grows.
M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_TOP_PAD = -3, -1, -2
OWN_PAGES_FROM, KEPT, GROWTH = 32 << 20, 1 << 30, 64 << 20
#: Bytes whose release makes glibc look at how much is free at the end of a thread's memory: it does from 64 kB on.
RELEASED = 128 << 10

#: Whether this process keeps what it frees.
_keeps = False


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


def keep_freed() -> None:
    """Let this process keep what it frees for the arrays that come next, until `give_back` and `threads_giving_back`.

    Else glibc gives the memory of a thread's large arrays back at once, and the system clears every page of the next ones: of two threads
    that solve 20,000 frames 150,000 pages, for which each waited 0.2 s of 2.6. Does nothing with other libraries of C.
    """
    global _keeps
    _keeps = True
    for parameter, value in ((M_MMAP_THRESHOLD, OWN_PAGES_FROM), (M_TRIM_THRESHOLD, KEPT), (M_TOP_PAD, GROWTH)):
        _of_glibc("mallopt", parameter, value)


def give_back() -> None:
    """Give the system back what was freed: glibc keeps it, in pieces between what is still in use, for each thread by itself.

    Of an hour of markers that is more than a gigabyte. Does nothing with other libraries of C.
    """
    _of_glibc("malloc_trim", 0)


@contextmanager
def threads_giving_back() -> Generator[None, None, None]:
    """Within the block, a thread that calls `release` gives back what is free at the end of its memory, which `give_back` does not see.

    Else an engine holds 8 to 32 MB more for each thread, now and then one more than before.
    """
    if not _keeps:
        yield
        return
    for parameter in (M_TRIM_THRESHOLD, M_TOP_PAD):
        _of_glibc("mallopt", parameter, 0)
    try:
        yield
    finally:
        keep_freed()


def release() -> None:
    """Free a little, so that glibc looks at this thread's memory."""
    bytearray(RELEASED)


def _of_glibc(name: str, *values: int) -> None:
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            getattr(ctypes.CDLL(None), name)(*values)
