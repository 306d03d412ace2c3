# SPDX-License-Identifier: GPL-3.0-or-later
"""Why an operator cannot run now, in the same words wherever that is so: a grey button shows them."""

from __future__ import annotations

from typing import Any

import bpy

from .session import session
from .takes import active_take


class OfTake:
    """An operator that needs a take with markers."""

    @classmethod
    def poll(cls: Any, context: bpy.types.Context) -> bool:
        if active_take(context) is None:
            cls.poll_message_set("Import a take first, or select a marker of a take")
            return False
        return True


def is_idle(cls: Any) -> bool:
    """Whether no take is being solved; else the operator `cls` says so."""
    if session.solve is not None:
        cls.poll_message_set("A take is being solved: press Esc to cancel it")
        return False
    return True
