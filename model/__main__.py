# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m model`, or `bonesetter` where the engine was installed by pip."""

import sys

from .core.threads import share_the_machine

share_the_machine()

from .shell.cli import main


def run() -> int:
    """The command; returns its exit code."""
    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(run())
