# SPDX-License-Identifier: GPL-3.0-or-later
"""What calls this program once more, from whatever folder and under whatever name it runs."""

from __future__ import annotations

import sys
from pathlib import Path

#: Argument 1 is the folder of the package that argument 2 names; the rest is the package's.
BOOT = (
    "import runpy, sys; sys.path.insert(0, sys.argv[1]); package = sys.argv[2]; del sys.argv[1:3]; "
    "runpy.run_module(package, run_name='__main__')"
)


def boot_command() -> list[str]:
    """The words before the arguments."""
    package = __name__.removesuffix(".shell.boot")
    return [sys.executable, "-c", BOOT, str(Path(__file__).resolve().parents[2]), package]
