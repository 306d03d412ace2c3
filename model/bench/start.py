# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m model time-start`: how long the engine takes to its first frame, beside importing torch, numpy and ezc3d alone."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ..core.errors import BonesetterError
from ..datasets.lab_takes import PROJECT
from ..files.c3d_writer import write_c3d
from ..shell.terminal import progress_bar
from ..synthetic.synthesis import synthesise

#: What every engine with torch has to wait for.
IMPORTS = "import os, torch, numpy, ezc3d; os._exit(0)"
#: `python -m model`, which ends when it is first told of work on the frames.
FIRST_FRAME = """
import os, sys
from contextlib import contextmanager
from model.core.threads import share_the_machine
share_the_machine()
import model.shell.solve
from model.shell.cli import main
@contextmanager
def ended(name):
    yield lambda stage, part: os._exit(0)
model.shell.solve.progress_bar = ended
main(sys.argv[1:])
os._exit(1)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--repeats", type=int, default=9, metavar="N", help="starts of each kind, in turns (%(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Print medians of both in seconds, and their ratio."""
    imports, starts = [], []
    with tempfile.TemporaryDirectory() as folder, progress_bar("time-start") as progress:
        take = Path(folder) / "take.c3d"
        write_c3d(synthesise(seconds=1.0).take, take)
        start = [FIRST_FRAME, "solve", str(take), "--out", folder, "--force"]
        for repeat in range(-1, max(1, arguments.repeats)):
            both = seconds([IMPORTS]), seconds(start)
            # the first of each reads everything from the disk
            if repeat >= 0:
                imports.append(both[0])
                starts.append(both[1])
            progress("starting", (repeat + 1) / max(1, arguments.repeats))
    alone, whole = statistics.median(imports), statistics.median(starts)
    print(f"importing torch, numpy and ezc3d {alone:.2f} s, to the first frame {whole:.2f} s: {whole / alone:.2f} times")
    return 0


def seconds(code: list[str]) -> float:
    """How long a Python takes to run some code, given with its arguments, from its start to its end.

    Raises:
        BonesetterError: It failed.
    """
    begin = time.perf_counter()
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", *code], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
        raise BonesetterError(f"The start could not be timed ({why}): install what pyproject.toml lists.")
    return time.perf_counter() - begin
