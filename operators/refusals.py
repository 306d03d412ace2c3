# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator says that cannot do what it was asked."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import bpy

from ..model.core.errors import BonesetterError
from .translation import translated

Execute = Callable[[Any, bpy.types.Context], set[str]]


def says_why(execute: Execute) -> Execute:
    """An operator's `execute` that reports a BonesetterError, and is cancelled by it."""

    @wraps(execute)
    def told(self: Any, context: bpy.types.Context) -> set[str]:
        try:
            return execute(self, context)
        except BonesetterError as error:
            self.report({"ERROR"}, translated(str(error)))
            return {"CANCELLED"}

    return told
