# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository as it is released: its version, its files, and what pyproject.toml says of the full zips."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = "blender_manifest.toml"

#: Of a source archive, which has no git to ask: what is made here and belongs into no release.
MADE_HERE = shutil.ignore_patterns(".*", "__pycache__", "build", "out", "runs")


class DistributionError(Exception):
    """Something that keeps a zip or a release from being made, as one sentence."""


def manifest(root: Path = ROOT) -> dict[str, Any]:
    """The manifest of the extension."""
    return tomllib.loads((root / MANIFEST).read_text(encoding="utf-8"))


def version(root: Path = ROOT) -> str:
    """The version: the manifest is where it is set."""
    return manifest(root)["version"]


def full_settings(root: Path = ROOT) -> dict[str, Any]:
    """`[tool.bonesetter.full]` of pyproject.toml: platforms, and what of the engine is left out."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["bonesetter"]["full"]


def is_checkout(root: Path = ROOT) -> bool:
    """Whether git knows this folder as a repository of its own."""
    return (root / ".git").exists()


def tracked_files(root: Path = ROOT) -> list[str]:
    """Paths, relative to the root, of what git knows or would add: nothing that happens to lie about gets into a release."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, capture_output=True, check=True).stdout.decode().split("\0")
    return [name for name in names if name and (root / name).is_file()]


def copy_source(target: Path, root: Path = ROOT) -> None:
    """Copy the source to a folder that does not exist yet."""
    if not is_checkout(root):
        shutil.copytree(root, target, ignore=MADE_HERE)
        return
    for name in tracked_files(root):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, target / name)
