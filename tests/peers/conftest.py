# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports what crashes unless it comes before scipy, as the peers' process does."""

from __future__ import annotations

import contextlib
from importlib import import_module

with contextlib.suppress(ImportError):
    import_module("pymomentum.marker_tracking")
