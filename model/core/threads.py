# SPDX-License-Identifier: GPL-3.0-or-later
"""How the engine's process shares the machine. Imports little, so that it can run before anything that starts threads."""

import os

from .memory import keep_freed


def share_the_machine() -> None:
    """Set, for this process and before numpy and torch are imported, how their threads wait; what the user has set stays.

    Torch's threads and OpenBLAS's take turns, and each pool spins while the other works. With another program on the same
    two cores that made a solve up to 14 times slower; sleeping torch threads and a single one for OpenBLAS cost nothing alone.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    keep_freed()
