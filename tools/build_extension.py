#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the extension's zip for a release, with the wheels of ezc3d, which reads C3D files, for every Python that Blender has.

Blender's own build command does the work, from the bpy wheel or an installed Blender. Wheels are downloaded, never committed.
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

#: Blender 4.5 and 5.0; 5.1 and later; Linux distributions' own builds.
PYTHONS = ("3.11", "3.13", "3.14")
PLATFORMS = {
    "linux-x64": ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"),
    "windows-x64": ("win_amd64",),
    "macos-arm64": ("macosx_11_0_arm64", "macosx_12_0_arm64", "macosx_14_0_arm64", "macosx_15_0_arm64"),
}


def main() -> int:
    """Build; returns an exit code."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--out", type=Path, default=ROOT / "build", help="folder for the zip")
    parser.add_argument("--no-wheels", action="store_true", help="leave ezc3d to Blender's Python, as tests do")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "bonesetter"
        copy_tracked(source)
        if not arguments.no_wheels:
            add_wheels(source)
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


def add_wheels(source: Path) -> None:
    """Download ezc3d for each Python and platform, and name the wheels in the manifest."""
    wheels = source / "wheels"
    for platform, tags in PLATFORMS.items():
        for python in PYTHONS:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(wheels)]
            command += ["--python-version", python, *(f"--platform={tag}" for tag in tags), "ezc3d"]
            if subprocess.run(command, check=False).returncode != 0:
                print(f"no wheel of ezc3d for Python {python} on {platform}: there the engine's Python reads the files", file=sys.stderr)
    names = sorted(path.name for path in wheels.glob("*.whl"))
    if not names:
        raise SystemExit("no wheel could be downloaded: try again with the network, or with --no-wheels")
    manifest = source / "blender_manifest.toml"
    lines = "\n".join(f'  "./wheels/{name}",' for name in names)
    text = manifest.read_text(encoding="utf-8")
    # Before the first table: what follows one belongs to it.
    head, table, rest = text.partition("\n[")
    manifest.write_text(f"{head}\nwheels = [\n{lines}\n]\n{table}{rest}", encoding="utf-8")


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
