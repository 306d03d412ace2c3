# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of zips as a repository to which Blender subscribes, written by Blender's own command."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from .blender import run_extension
from .project import DistributionError, version

INDEX = "index.json"


def generate(folder: Path) -> Path:
    """Write `index.json` of the zips in a folder; returns its path.

    Raises:
        DistributionError: The index does not offer exactly these zips.
    """
    run_extension("server-generate", "--repo-dir", folder)
    index = folder / INDEX
    if wrong := problems(folder):
        raise DistributionError(f"{index}: {'; '.join(wrong)}")
    return index


def problems(folder: Path) -> list[str]:
    """What is wrong with the index of a folder; nothing where it is as it should be."""
    offered = json.loads((folder / INDEX).read_text(encoding="utf-8"))["data"]
    by_file = {item["archive_url"].removeprefix("./"): item for item in offered}
    archives = {path.name: path for path in folder.glob("*.zip")}
    found = [f"does not offer {name}" for name in sorted(archives.keys() - by_file.keys())]
    found += [f"offers {name}, which is not there" for name in sorted(by_file.keys() - archives.keys())]
    for name in sorted(by_file.keys() & archives.keys()):
        item, archive = by_file[name], archives[name]
        if item["archive_hash"] != f"sha256:{sha256(archive)}" or item["archive_size"] != archive.stat().st_size:
            found.append(f"{name} is not the file that was indexed")
        if item["version"] != version():
            found.append(f"offers {name} as version {item['version']}")
    # Blender takes any of several that fit, so only one may
    fits = [
        (platform, python) for item in offered for platform in item.get("platforms", [""]) for python in item.get("python_versions", [""])
    ]
    return found + [
        f"offers several zips for {' '.join(one).strip() or 'every Blender'}" for one in sorted({f for f in fits if fits.count(f) > 1})
    ]


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
