# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the light zip, the full zips and the repositories of both, check them file by file, and print their sizes.

    python -m tools.distribution [--out DIR] [--light] [--target linux-x64-py311 ...] [--wheels DIR] [--cuda]

`docs/release.md` says what comes of it. Exits 1 where a zip could not be built or is not as it should be. A target of which a wheel
cannot be had is skipped, and said.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .blender import extension_command
from .full import build_all
from .light import build_light
from .project import ROOT, DistributionError


def main(arguments: list[str] | None = None) -> int:
    """Build what the command line asks for; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.distribution", description=__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "dist", help="folder for the zips and index.json")
    parser.add_argument("--light", action="store_true", help="build the light zip only")
    parser.add_argument("--target", action="append", help="build the full zip of this target only, such as linux-x64-py311")
    parser.add_argument("--wheels", type=Path, metavar="DIR", help="folder of wheels to look into before the network")
    parser.add_argument("--cuda", action="store_true", help="take PyTorch's build for CUDA, of several GB, where there is one")
    options = parser.parse_args(arguments)
    try:
        extension_command()  # before anything that takes long
        build_light(options.out)
        if not options.light:
            build_all(options.out / "full", options.target, cuda=options.cuda, given=options.wheels)
    except DistributionError as error:
        print(f"{error}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
