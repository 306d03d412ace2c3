#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the extension's zip for a release: no wheels, so it installs wherever Blender runs.

Blender's own build command does the work, from the bpy wheel or an installed Blender.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Build; returns an exit code."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--out", type=Path, default=ROOT / "build", help="folder for the zip")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "bonesetter"
        copy_tracked(source)
        return subprocess.run(
            [*blender_extension(), "build", "--source-dir", source, "--output-dir", arguments.out], check=False
        ).returncode


def copy_tracked(target: Path) -> None:
    """Copy what git knows or would add: nothing that happens to lie about gets into a release."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(command, capture_output=True, check=True).stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)


def blender_extension() -> list[str]:
    """Blender's command for extensions: in the bpy wheel that runs this, else of the Blender on the path."""
    bpy = find_spec("bpy")
    if bpy is not None and bpy.origin is not None:
        (cli,) = Path(bpy.origin).parent.glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py")
        return [sys.executable, str(cli)]
    blender = os.environ.get("BLENDER") or shutil.which("blender")
    if blender is None:
        raise SystemExit("neither the bpy wheel nor Blender is here: set BLENDER to its path")
    return [blender, "--command", "extension"]


if __name__ == "__main__":
    sys.exit(main())
