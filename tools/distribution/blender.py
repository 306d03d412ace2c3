# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's own command for extensions, and the zips that it builds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from .project import MANIFEST, ROOT, DistributionError, copy_source, version
from .targets import Target

_CLI = "scripts/addons_core/bl_pkg/cli/blender_ext.py"


def extension_command() -> list[str]:
    """Blender's command for extensions: of $BLENDER, of a bpy wheel, or of the Blender on the path.

    Raises:
        DistributionError: There is none of them.
    """
    if blender := os.environ.get("BLENDER"):
        return [blender, "--command", "extension"]
    for package in _bpy_wheels():
        for cli in package.glob(f"*/{_CLI}"):
            return [sys.executable, str(cli)]
    if blender := shutil.which("blender"):
        return [blender, "--command", "extension"]
    raise DistributionError("neither Blender nor its bpy wheel is here: set BLENDER to Blender's path, or run tools/environment bpy-5.2")


def _bpy_wheels() -> Iterator[Path]:
    """Where the package bpy lies: of this Python, then of the environments of the tests, the newest Blender first."""
    own = find_spec("bpy")
    if own is not None and own.origin is not None:
        yield Path(own.origin).parent
    yield from sorted(ROOT.glob(".venv/bpy-*/lib/python*/site-packages/bpy"), reverse=True)


def run_extension(*arguments: object) -> str:
    """Run Blender's command for extensions; returns what it printed.

    Raises:
        DistributionError: It failed.
    """
    done = subprocess.run([*extension_command(), *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise DistributionError(f"blender extension {arguments[0]} failed: {(done.stdout + done.stderr).strip()}")
    return done.stdout


def full_manifest(manifest: str, target: Target, wheels: Iterable[str]) -> str:
    """The text of a manifest that lists wheels, by their file names, for a target's platform."""
    lines = ",\n".join(f'  "./wheels/{name}"' for name in sorted(wheels))
    own = f'platforms = ["{target.platform}"]\nwheels = [\n{lines},\n]\n'
    head, bracket, tables = manifest.partition("\n[")
    text = f"{head}\n{own}{bracket}{tables}"
    if tomllib.loads(text) != {**tomllib.loads(manifest), **tomllib.loads(own)}:
        raise DistributionError(f"{MANIFEST}: platforms and wheels belong before its first table, and only into full zips")
    return text


def zip_name(target: Target | None) -> str:
    """The file name of the light zip, or of a target's full zip."""
    return f"bonesetter-{version()}{f'-full-{target.name}' if target else ''}.zip"


def build(out: Path, target: Target | None = None, wheels: Iterable[Path] = ()) -> Path:
    """Build the light zip, or the full zip of a target with its wheels, into a folder; returns its path.

    Raises:
        DistributionError: Blender refused to build it.
    """
    out.mkdir(parents=True, exist_ok=True)
    archive = out / zip_name(target)
    # beside the zip, so that wheels of hundreds of MB can be linked instead of copied
    with tempfile.TemporaryDirectory(dir=out, prefix=".source-") as folder:
        source = Path(folder) / "bonesetter"
        copy_source(source)
        if target:
            wheels = list(wheels)
            (source / "wheels").mkdir()
            for wheel in wheels:
                _link(wheel, source / "wheels" / wheel.name)
            path = source / MANIFEST
            path.write_text(full_manifest(path.read_text(encoding="utf-8"), target, (wheel.name for wheel in wheels)), encoding="utf-8")
        run_extension("build", "--source-dir", source, "--output-filepath", archive)
    return archive


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # another file system
        shutil.copy(source, target)


def clear(folder: Path) -> None:
    """Remove what an earlier build left in a folder: a repository offers one version."""
    for path in (*folder.glob("bonesetter-*.zip"), folder / "index.json"):
        path.unlink(missing_ok=True)


def report(archive: Path) -> None:
    """Print the path and the size of a zip."""
    print(f"{archive}  {archive.stat().st_size / 1e6:.1f} MB", flush=True)
