# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator says that cannot do what it was asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import bpy

from ..model.core.errors import BonesetterError
from .translation import translated

Execute = Callable[[Any, bpy.types.Context], set[str]]
#: The last line of a Python traceback: what the error is called, its number, what it says, and the path it says it of.
RAISED = re.compile(r"(?:[\w.]+: )?(?:\[\w+ -?\d+\] )?(.*?)(?:: '.*')?$")


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


@contextmanager
def said_of(path: Path) -> Iterator[None]:
    """What Blender or the system says against a file that is written becomes one sentence.

    Raises:
        BonesetterError: It says something.
    """
    from ..model.storage.atomic import place_of

    try:
        yield
    except (OSError, RuntimeError) as error:
        place = place_of(path)
        why = _reason(error).replace(str(path), str(place))
        raise BonesetterError(f"{place} cannot be written ({why}): choose another folder or format.") from error


def _reason(error: Exception) -> str:
    """What an error says, of a Python traceback, which Blender gives where an exporter failed, its last line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith("Location: ")]
    if "Traceback" in str(error):
        return RAISED.sub(r"\1", lines[-1])
    return " ".join(lines).removeprefix("Error: ")


def refuse_tweak_mode(armature: bpy.types.Object) -> None:
    """Refuse what gives an armature of the user's another action, or plays all of its strips, while one of them is edited.

    Raises:
        BonesetterError: One is.
    """
    animation = armature.animation_data
    if animation is not None and animation.use_tweak_mode:
        raise BonesetterError(f"A strip of {armature.name} is in tweak mode: leave it with Tab in the NLA editor first.")
