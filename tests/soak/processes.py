# SPDX-License-Identifier: GPL-3.0-or-later
"""What processes take of the machine, from Linux's /proc."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

#: How often memory is looked at, in s.
EVERY = 1.0


def memory_mb(process: int) -> float:
    """Memory that a process holds; 0 for one that is gone."""
    return _status_mb(process, "VmRSS")


def most_memory_mb(process: int) -> float:
    """The most that it ever held."""
    return _status_mb(process, "VmHWM")


def open_files(process: int) -> int:
    """How many files, pipes and sockets a process has open."""
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


def _status_mb(process: int, entry: str) -> float:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((float(line.split()[1]) / 1024 for line in lines if line.startswith(f"{entry}:")), 0.0)


@dataclass
class Watched:
    """What came of a command.

    Attributes:
        code: Its exit code.
        said, complained: What it printed.
        times_s, memory_mb: Its memory over time, without that of processes it started.
        most_mb: The most that it held.
    """

    code: int = 0
    said: str = ""
    complained: str = ""
    times_s: list[float] = field(default_factory=list[float])
    memory_mb: list[float] = field(default_factory=list[float])
    most_mb: float = 0.0


def watched(command: Sequence[str], folder: Path) -> Watched:
    """Run a command in a folder and note its memory until it ends."""
    process = subprocess.Popen(list(command), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    found, ended, begin = Watched(), threading.Event(), time.perf_counter()

    def look() -> None:
        while not ended.wait(EVERY):
            if (now := memory_mb(process.pid)) > 0:
                found.times_s.append(time.perf_counter() - begin)
                found.memory_mb.append(now)
                found.most_mb = max(found.most_mb, most_memory_mb(process.pid))

    thread = threading.Thread(target=look)
    thread.start()
    found.said, found.complained = process.communicate()
    ended.set()
    thread.join()
    found.code = process.returncode
    return found
