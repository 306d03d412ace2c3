# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch the solver's wheels for a computer without a network: `python -m installer FOLDER --python 3.13` in the extension's folder.

On the other computer, From Folder... in the panel installs them.
"""

from __future__ import annotations

import argparse
import platform
import sys
from pathlib import Path

from .download import Progress, fetch
from .errors import InstallError
from .lock import CPU, CUDA, LOCKS, PLATFORMS, Wheel, path_of, read_lock


def main() -> int:
    """Fetch; returns an exit code."""
    here = PLATFORMS.get((sys.platform, platform.machine().lower()))
    parser = argparse.ArgumentParser(prog="python -m installer", description=__doc__, allow_abbrev=False)
    parser.add_argument("folder", type=Path, help="where the wheels go")
    parser.add_argument(
        "--platform", choices=sorted(set(PLATFORMS.values())), default=here, help="of the other computer (default: this one's)"
    )
    parser.add_argument(
        "--python",
        required=True,
        help="version of its Blender's Python: 3.11 of Blender 4.5 and 5.0 from blender.org, 3.13 from 5.1 on; in Blender's Python Console "
        "`import sys; sys.version` shows it",
    )
    parser.add_argument("--device", choices=(CPU, CUDA), default=CPU, help="what torch is built for (default: %(default)s)")
    parser.add_argument("--wheels", type=Path, help="a folder of wheels that need not be downloaded")
    parser.add_argument("--index", default="", help="a mirror of the package index to use")
    wanted = parser.parse_args()
    name = f"{wanted.platform}-cp{wanted.python.replace('.', '')}-{wanted.device}"
    if not path_of(name).is_file():
        known = ", ".join(sorted(path.name.split(".")[1] for path in LOCKS.glob("*.toml")))
        print(f"There is no solver for {name}: choose one of {known}.", file=sys.stderr)
        return 2
    lock = read_lock(name)
    try:
        wanted.folder.mkdir(parents=True, exist_ok=True)
        for wheel in lock.wheels:
            fetch(wheel, wanted.folder, _bar(wheel), wanted.wheels, wanted.index)
            if not sys.stdout.isatty():
                print(wheel.filename, flush=True)
    except (InstallError, OSError) as error:
        print(f"{_end()}{error}", file=sys.stderr)
        return 1
    print(f"{_end()}{len(lock.wheels)} wheels, {lock.size / 1e6:.0f} MB, are in {wanted.folder}.")
    return 0


def _end() -> str:
    """Ends the line of a progress that was drawn."""
    return "\n" if sys.stdout.isatty() else ""


def _bar(wheel: Wheel) -> Progress:
    """Progress on a terminal, nothing elsewhere: there it would be hundreds of updates on one line."""
    if not sys.stdout.isatty():
        return lambda _done: None

    def progress(done: int) -> None:
        print(f"\r{wheel.filename[:60]:<60} {done / 1e6:6.1f} of {wheel.size / 1e6:.1f} MB", end="", flush=True)

    return progress


if __name__ == "__main__":
    sys.exit(main())
