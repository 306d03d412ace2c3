# SPDX-License-Identifier: GPL-3.0-or-later
"""A format that is read or written: what it is called, and where the function is that does it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple


class Format(NamedTuple):
    """An entry of `readers.READERS` or `output.WRITERS`.

    Attributes:
        label: For the user.
        function: "module.name" in this folder; imported when it is first called, since some bring what others do without.
    """

    label: str
    function: str

    def load(self) -> Callable[..., Any]:
        """The function."""
        module, _, name = self.function.rpartition(".")
        return getattr(importlib.import_module(f".{module}", __package__), name)
