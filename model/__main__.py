# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m model`."""

import sys

from .core.threads import share_the_machine

share_the_machine()

from .shell.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
