# SPDX-License-Identifier: GPL-3.0-or-later
"""Why an operator cannot run now, in the same words wherever that is so: a grey button shows them."""

from __future__ import annotations

from typing import Any

import bpy

from ..model.core.errors import BonesetterError
from .session import session
from .takes import active_take, ask_for_own
from .translation import translated


class OfTake:
    """An operator that needs a take with markers."""

    @classmethod
    def poll(cls: Any, context: bpy.types.Context) -> bool:
        if active_take(context) is None:
            cls.poll_message_set("Import a take first, or select a marker of a take")
            return False
        return True


def is_own(cls: Any, context: bpy.types.Context) -> bool:
    """Whether the take may be changed in this file; else the operator `cls` says why not."""
    try:
        if (take := active_take(context)) is not None:
            ask_for_own(take)
    except BonesetterError as error:
        cls.poll_message_set(translated(str(error)))
        return False
    return True


def is_idle(cls: Any) -> bool:
    """Whether no take is being solved; else the operator `cls` says so."""
    if session.solve is not None:
        cls.poll_message_set("A take is being solved: press Esc to cancel it")
        return False
    return True
