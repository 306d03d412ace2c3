# SPDX-License-Identifier: GPL-3.0-or-later
"""Work on the parts of a take, such as windows of frames, side by side in threads.

Threads suffice, because numpy, torch and LAPACK let go of Python's lock while they compute. How a take is cut into parts never depends
on how many threads there are, so its result does not either.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

from .memory import release, threads_giving_back

Part = TypeVar("Part")
Result = TypeVar("Result")
Other = TypeVar("Other")


#: Values of columns that a thread works on at once, unless a single column has more.
VALUES_AT_ONCE = 1_000_000
#: Columns that a thread works on at once, of usual takes.
COLUMNS_AT_ONCE = 8


@dataclass(frozen=True)
class _Threads:
    executor: ThreadPoolExecutor
    count: int


#: A thread starts with an empty context: what already runs in one of the threads does its own parts one after the other.
_threads: ContextVar[_Threads | None] = ContextVar("threads", default=None)


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def side_by_side(count: int) -> Generator[None, None, None]:
    """Within the block, `each` works in so many threads; with one, in the caller's."""
    if count < 2:
        yield
        return
    with ThreadPoolExecutor(count, thread_name_prefix="Bonesetter") as executor:
        token = _threads.set(_Threads(executor, count))
        try:
            yield
        finally:
            _threads.reset(token)
            with threads_giving_back():
                _released_by_each(executor, count)
                executor.shutdown()


def _released_by_each(executor: ThreadPoolExecutor, count: int) -> None:
    """Let every thread give back what is free at the end of its memory; none of them does it for another."""
    together = threading.Barrier(count)

    def leave() -> None:
        release()
        together.wait()

    for _ in range(count):
        executor.submit(leave)


def each(work: Callable[[Part], Result], parts: Iterable[Part]) -> Generator[Result, None, None]:
    """What `work` makes of every part, in the order of the parts.

    No more parts are begun ahead of the one that is waited for than keep all threads busy, so memory stays that of a few parts. An
    exception of `work` is raised here once the parts that are being worked on are done; no further ones are begun.
    """
    threads = _threads.get()
    if threads is None:
        yield from map(work, parts)
        return
    begun: deque[Future[Result]] = deque()
    try:
        for part in parts:
            begun.append(threads.executor.submit(work, part))
            if len(begun) > threads.count:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        for future in begun:
            future.cancel()


def run_each(work: Callable[[Part], None], parts: Iterable[Part]) -> None:
    """The same for work that has no result, but writes its part of one."""
    for _ in each(work, parts):
        pass


def both(one: Callable[[], Result], other: Callable[[], Other]) -> tuple[Result, Other]:
    """What two functions return: the other runs in one of the threads while the caller's runs the one.

    An exception of either is raised here, the one's if both raise, once what has begun has ended.
    """
    threads = _threads.get()
    if threads is None:
        return one(), other()
    future = threads.executor.submit(other)
    try:
        result = one()
    finally:
        wait((future,))
    return result, future.result()


def columns(count: int, frames: int, most: int = COLUMNS_AT_ONCE) -> list[slice]:
    """Columns of whole takes for `each`: some at once, fewer the more frames there are, so that the memory for it stays small.

    Args:
        count: Of all columns.
        frames: Of each.
        most: At once, of usual takes.
    """
    step = max(1, min(most, VALUES_AT_ONCE // max(1, frames)))
    return [slice(first, min(first + step, count)) for first in range(0, count, step)]
