#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a user waits at first, for docs/reliability.md: `tools/measure_start.py {enabling,solves} [--runs N] [--beside COMMIT]`

`enabling` measures what the extension adds to Blender's start, in ms of the processor. `solves` measures, in ms of the clock, the import of
a synthetic take of 200 frames and three solves of it by a script, of which the first starts the engine.

What is committed is measured in every bpy environment below `.venv`, and with --beside another commit too, all in turns, each time in a
process of its own with new user folders. The first run of each writes the bytecode, as it does where a user enables the extension for the
first time, and is told apart. For `solves`, BONESETTER_ENGINE_PYTHON names the Python of the engine, unless that is the one below `.venv`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
START = """
import os, sys, time, traceback
import bpy
import addon_utils

def fail(*error):
    traceback.print_exception(*error)
    os._exit(1)

sys.excepthook = fail
repository, take = sys.argv[1:]
bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
bpy.context.preferences.extensions.repos.new(name="dev", module="dev", custom_directory=repository)

def enable():
    if addon_utils.enable("bl_ext.dev.bonesetter") is None:
        raise RuntimeError("the extension cannot be enabled")

def measure(what, clock, *steps):
    began = clock()
    for step in steps:
        step()
    print("took", 1e3 * (clock() - began), what, flush=True)
"""
SCRIPTS = {
    "enabling": """
measure("enabling", time.process_time, enable)
""",
    "solves": """
enable()
measure("import", time.perf_counter, lambda: bpy.ops.bonesetter.import_c3d(filepath=take))
for name in ("first", "second", "third"):
    measure(f"{name} solve", time.perf_counter, bpy.ops.bonesetter.solve_markers)
""",
}
#: The 4.5 wheel hangs at exit while a class is registered, hence also `fail` above.
END = "os._exit(0)"
#: Of the synthetic take, at 120 Hz.
FRAMES, RATE_HZ = 200, 120


class Subject(NamedTuple):
    """What is measured: a bpy environment with the extension of a commit, which lies in a folder of extensions."""

    python: Path
    commit: str
    repository: Path


def laid_out(commit: str, folder: Path) -> Path:
    """The extension as it is in a commit, in a new folder of extensions."""
    repository = folder / f"repository-{len(list(folder.iterdir()))}"
    package = repository / "bonesetter"
    package.mkdir(parents=True)
    archive = subprocess.run(["git", "-C", ROOT, "archive", commit], capture_output=True, check=True).stdout
    subprocess.run(["tar", "--extract", "--directory", package], input=archive, check=True)
    return repository


def measured(subject: Subject, script: str, take: Path) -> dict[str, float]:
    """Milliseconds, by what took them, of one Blender that is started, measured and ended."""
    # where bytecode must not be written, every start compiles
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment.setdefault("BONESETTER_ENGINE_PYTHON", str(engine_python()))
    with tempfile.TemporaryDirectory() as user:
        environment["BLENDER_USER_RESOURCES"] = user
        command = [subject.python, "-c", START + script + END, subject.repository, take]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    took = [line.split(maxsplit=2) for line in done.stdout.splitlines() if line.startswith("took ")]
    if done.returncode or not took:
        sys.exit(f"{subject.python} failed with the extension of {subject.commit}:\n{done.stdout}{done.stderr}")
    return {what: float(value) for _, value, what in took}


def engine_python() -> Path:
    """The Python of the environment that the tests' engine runs in."""
    return ROOT / ".venv" / "engine" / "bin" / "python"


def synthesised(folder: Path) -> Path:
    """A synthetic take of `FRAMES` frames."""
    take = folder / "take.c3d"
    python = os.environ.get("BONESETTER_ENGINE_PYTHON") or engine_python()
    subprocess.run(
        [python, "-m", "model", "synthesise", take, "--seconds", str(FRAMES / RATE_HZ)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
    )
    return take


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("what", choices=SCRIPTS)
    parser.add_argument("--runs", type=int, default=9, help="after the first, of each (default: %(default)s)")
    parser.add_argument("--beside", metavar="COMMIT", help="measure this commit's extension in turns with HEAD's")
    options = parser.parse_args()
    script, commits = SCRIPTS[options.what], ["HEAD", *([options.beside] if options.beside else [])]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        repositories = {commit: laid_out(commit, folder) for commit in commits}
        take = synthesised(folder) if options.what == "solves" else folder
        pythons = sorted(ROOT.glob(".venv/bpy-*/bin/python"))
        subjects = [Subject(python, commit, repository) for python in pythons for commit, repository in repositories.items()]
        first = {subject: measured(subject, script, take) for subject in subjects}
        took = [{subject: measured(subject, script, take) for subject in subjects} for _ in range(options.runs)]
    print("| | least, ms | median | most | the first time |\n|---|---|---|---|---|")
    for subject in subjects:
        of = f" of {subject.commit}" if options.beside else ""
        for what, once in first[subject].items():
            values = [each[subject][what] for each in took]
            cells = " | ".join(f"{value:.0f}" for value in (min(values), statistics.median(values), max(values), once))
            print(f"| {subject.python.parents[1].name}, {what}{of} | {cells} |")


if __name__ == "__main__":
    main()
