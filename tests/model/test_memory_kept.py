# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's process keeps what it frees until it is told to give it back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: A thread that needs 24 MB again and again; prints how many pages it got from the system for that, and what is kept afterwards, in MB.
NEEDS_AGAIN = """
import resource, threading
from pathlib import Path
{first}
import numpy as np

def work():
    for _ in range(50):
        [np.ones(300_000) for _ in range(10)]

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6

thread = threading.Thread(target=work)
begun, before = resident(), resource.getrusage(resource.RUSAGE_SELF).ru_minflt
thread.start()
thread.join()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, resident() - begun)
from model.core.memory import give_back
give_back()
print(resident() - begun)
"""


def measured(first: str) -> tuple[float, float, float]:
    """Pages got, MB kept, MB kept after `give_back`, where a process begins so."""
    done = subprocess.run([sys.executable, "-c", NEEDS_AGAIN.format(first=first)], cwd=ROOT, capture_output=True, text=True, check=True)
    pages, kept, left = map(float, done.stdout.split())
    return pages, kept, left


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_a_thread_gets_its_memory_once() -> None:
    usual, _, _ = measured("")
    pages, kept, left = measured("from model.core.threads import share_the_machine\nshare_the_machine()")
    assert pages < 0.2 * usual
    assert kept > 15
    assert left < 5


#: Threads that need 19 MB, as those of twenty solves; prints what the process holds more after them, in MB.
THREADS = """
import resource, threading
from pathlib import Path
from model.core.threads import share_the_machine
share_the_machine()
from model.core.memory import give_back
from model.core.parallel import run_each, side_by_side
import numpy as np

def work(number):
    for _ in range(10):
        [np.ones(300_000) for _ in range(8)]

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6

begun = resident()
for _ in range(20):
    with side_by_side(2):
        run_each(work, range(6))
    give_back()
print(resident() - begun)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_threads_give_back_what_they_kept() -> None:
    # without it 38 to 48 every time; with it now and then 17 where other programs keep the cores busy
    left = min(
        float(subprocess.run([sys.executable, "-c", THREADS], cwd=ROOT, capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    )
    assert left < 8
