#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the extension adds to Blender's start, for docs/reliability.md: `tools/measure_enabling.py [RUNS]`

The extension's files are enabled in every bpy environment below `.venv`, in turns, each time in a process of its own. The first run of each
writes the bytecode, as it does where a user enables the extension for the first time, and is told apart.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENABLE = """
import os, sys, time
import bpy
import addon_utils
bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
bpy.context.preferences.extensions.repos.new(name="dev", module="dev", custom_directory=sys.argv[1])
began = time.process_time()
enabled = addon_utils.enable("bl_ext.dev.bonesetter")
print("took", 1e3 * (time.process_time() - began), enabled is not None, flush=True)
os._exit(0)  # the 4.5 wheel hangs at exit while a class is registered
"""


def enabled(python: Path, repository: str) -> float:
    """Milliseconds of the processor, of all threads."""
    # where bytecode must not be written, every start compiles
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run([python, "-c", ENABLE, repository], env=environment, capture_output=True, text=True, timeout=120, check=True)
    took = [line.split() for line in done.stdout.splitlines() if line.startswith("took ")]
    if not took or took[0][2] != "True":
        sys.exit(f"{python} could not enable the extension:\n{done.stdout}{done.stderr}")
    return float(took[0][1])


def main() -> None:
    """Measure, and print a table."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    pythons = sorted(ROOT.glob(".venv/bpy-*/bin/python"))
    with tempfile.TemporaryDirectory() as repository:
        package = Path(repository) / "bonesetter"
        package.mkdir()
        archive = subprocess.run(["git", "-C", ROOT, "archive", "HEAD"], capture_output=True, check=True).stdout
        subprocess.run(["tar", "--extract", "--directory", package], input=archive, check=True)
        first = {python: enabled(python, repository) for python in pythons}
        took = [{python: enabled(python, repository) for python in pythons} for _ in range(runs)]
    print("| | least, ms | median | most | the first time |\n|---|---|---|---|---|")
    for python in pythons:
        values = [each[python] for each in took]
        cells = (min(values), statistics.median(values), max(values), first[python])
        print(f"| {python.parents[1].name} | {' | '.join(f'{value:.0f}' for value in cells)} |")


if __name__ == "__main__":
    main()
