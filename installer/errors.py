# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong in an installation."""

from __future__ import annotations


class InstallError(Exception):
    """An installation that cannot go on; its text is a sentence for users that says what to do."""


class CancelledError(Exception):
    """Nobody wants the installation any more."""
