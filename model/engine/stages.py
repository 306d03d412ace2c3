# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages of a solve as their progress and their seconds show them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..core.memory import give_back
from ..core.progress import Progress, StageProgress
from ..core.take import is_long

#: Where the work of each stage ends, of the whole: measured on takes of 1,000 to 4,000 frames. Where labels are found by motion, of what
#: is left behind that.
PROGRESS_AFTER = {
    "match": 0.02,
    "clean": 0.07,
    "propose": 0.19,
    "calibrate": 0.37,
    "find": 0.65,
    "relabel": 0.67,
    "pose": 0.88,
    "smooth": 0.89,
    "feet": 0.94,
    "results": 1.0,
}
#: And the stage that only takes without known labels have, with its part of what is left to do.
LABELS, LABELS_PART = "labels", 0.65


class Stopwatch:
    """Seconds per stage, and progress over all of them; after each the memory of a long take's is given back."""

    def __init__(self, progress: StageProgress | None, frames: int) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = progress or (lambda _stage, _part: None)
        self._from = self._others_from = 0.0
        self._long = is_long(frames)

    @contextmanager
    def stage(self, name: str) -> Iterator[Progress]:
        """Times a stage; yields a function that takes the part of the stage that is done."""
        begin, start, others = time.perf_counter(), self._from, self._others_from
        end = start + (1 - start) * LABELS_PART if name == LABELS else others + (1 - others) * PROGRESS_AFTER[name]
        self._progress(name, start)
        done = False
        try:
            yield lambda part: self._progress(name, start + (end - start) * part)
            done = True
        finally:
            self.give_back()
            if done:
                self.seconds[name] = time.perf_counter() - begin
            # also behind a stage that failed: a progress never goes back
            self._from = end
            if name == LABELS:
                self._others_from = end

    def give_back(self) -> None:
        """Give the system back what of a long take is not needed any more."""
        if self._long:
            give_back()
