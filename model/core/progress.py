# SPDX-License-Identifier: GPL-3.0-or-later
"""How far work has come: what is called with the part that is done, from 0 to 1, and the same for parts of the work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Progress = Callable[[float], None]
#: The same of work in stages: called with a stage's name, too.
StageProgress = Callable[[str, float], None]

#: Each of several attempts takes this part of what is left of a progress.
SHARE = 0.7


def part_of(progress: Progress | None, start: float, end: float) -> Progress | None:
    """A progress for a part of the work."""
    return None if progress is None else lambda part: progress(start + (end - start) * part)


def each_of(progress: Progress | None, count: int) -> Iterator[Progress | None]:
    """A progress for each of so many parts that take as long."""
    return (part_of(progress, row / count, (row + 1) / count) for row in range(count))


def shares(progress: Progress | None) -> Iterator[Progress | None]:
    """A progress for each of several attempts, of which nobody knows how many there will be: each takes most of what is left."""
    start = 0.0
    while True:
        end = start + (1 - start) * SHARE
        yield part_of(progress, start, end)
        start = end


@dataclass
class Steps:
    """Tells a progress of steps that several threads do; of one at a time."""

    progress: Progress | None
    count: int
    _done: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def done(self) -> None:
        """One step more is done."""
        if self.progress is None:
            return
        with self._lock:
            self._done += 1
            self.progress(self._done / self.count)
