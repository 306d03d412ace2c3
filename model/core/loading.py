# SPDX-License-Identifier: GPL-3.0-or-later
"""Importing what is large, such as torch."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Generator[None]:
    """Import, in here, without Python's search for cyclic garbage, and leave what was imported out of it for good.

    An import of torch makes some hundred thousand objects, which all stay. Each search looks through those that there are by then:
    together they took a tenth of the time of importing torch. Whoever has turned the search off keeps it off.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
