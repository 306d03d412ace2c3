#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a farm's tasks cost here, in CPU seconds, for docs/farm.md: `.venv/engine/bin/python tools/measure_farm.py TAKE.c3d ...`

For each take: solving it with an actor that is fitted to it, and with that actor given, with the pages that a farm's tasks write, by one
process of one thread. The start of a process is what one take costs more than a further one in the same process. At last, the report of
10,000 takes. CPU seconds do not depend on what else the machine does, but for caches and shared cores.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: How many further takes a task is measured with.
MORE = 4
REPORTED = 10_000


def cpu_seconds(arguments: Sequence[str | Path]) -> float:
    """User and system seconds of the engine called with these arguments, and of its own processes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run([sys.executable, "-m", "model", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(run.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(take: Path, folder: Path) -> str:
    """A row of the table."""
    rest = ["--format", "bvh", "npz", "html", "--workers", "1"]
    actor = folder / "fitted" / "actor.json"
    fitted = cpu_seconds(["solve", take, "--out", folder / "fitted", "--save-actor", actor, *rest])
    copies = [folder / f"{number}{take.suffix}" for number in range(1 + MORE)]
    for copy in copies:
        shutil.copy(take, copy)
    one = cpu_seconds(["solve", copies[0], "--out", folder / "one", "--actor", actor, *rest])
    several = cpu_seconds(["solve", *copies, "--out", folder / "several", "--actor", actor, *rest])
    each = (several - one) / MORE
    start = one - each
    frames = json.loads((folder / "one" / "0.json").read_text(encoding="utf-8"))["frames"]
    size = sum(path.stat().st_size for path in (folder / "one").iterdir()) / 1e6
    return f"| {take.stem} | {frames} | {fitted - start:.1f} | {each:.1f} | {start:.1f} | {size:.1f} |"


def measure_report(solved: Path, folder: Path) -> float:
    """CPU seconds of the report of many takes, which are all the same."""
    folder.mkdir()
    for number in range(REPORTED):
        for kind in (".json", ".html", ".npz"):
            os.link(solved / f"0{kind}", folder / f"take {number}{kind}")
    seconds = cpu_seconds(["report", folder, "--out", folder])
    assert f"{REPORTED} takes:" in (folder / "index.html").read_text(encoding="utf-8")
    return seconds


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description="CPU seconds of a farm's tasks.")
    parser.add_argument("takes", nargs="+", type=Path)
    takes: list[Path] = parser.parse_args().takes
    print("| take | frames | solved with an actor of its own, s | with a given actor, s | to start a process, s | results, MB |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="bonesetter-farm-") as scratch:
        for number, take in enumerate(takes):
            folder = Path(scratch) / str(number)
            folder.mkdir()
            print(measure(take.resolve(), folder), flush=True)
        report = measure_report(Path(scratch) / "0" / "one", Path(scratch) / "report")
        print(f"\nThe report of {REPORTED:,} takes: {report:.0f} s")


if __name__ == "__main__":
    main()
