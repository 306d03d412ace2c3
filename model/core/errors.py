# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong for reasons that a user can mend."""

from __future__ import annotations


class BonesetterError(Exception):
    """Something the user can act on: its text is one clear sentence that says what to do."""
