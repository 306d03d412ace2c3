# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress for people at a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

from ..core.progress import StageProgress


@contextmanager
def progress_bar(name: str) -> Iterator[StageProgress]:
    """A progress bar on a terminal, nothing elsewhere; yields what is told the stage and the part of the whole that is done."""
    layout = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}{postfix}"
    with tqdm(total=1.0, desc=name, bar_format=layout, leave=False, disable=None, file=sys.stderr) as bar:

        def progress(stage: str, part: float) -> None:
            bar.set_postfix_str(stage, refresh=False)
            bar.update(max(0.0, part - bar.n))

        yield progress
