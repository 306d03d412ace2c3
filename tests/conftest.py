# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine's tests and Blender's share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest


@pytest.fixture
def steps() -> Callable[[Callable[[], object]], int]:
    """Counts the lines of Python that this thread runs for something: numpy takes one for any number of frames, a loop one for each.

    So a test says that long takes are quick without a clock, which a busy machine would put wrong.
    """

    def count(work: Callable[[], object]) -> int:
        counted = 0

        def trace(_frame: FrameType, event: str, _argument: Any) -> Any:
            nonlocal counted
            counted += event == "line"
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            work()
        finally:
            sys.settrace(before)
        return counted

    return count
