# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's version, and whether a take was made by a newer one."""

from __future__ import annotations

import tomllib
from functools import lru_cache

from .engine import ROOT


@lru_cache(maxsize=1)
def own_version() -> str:
    """As the manifest says it."""
    return tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))["version"]


def newer(made_by: str) -> str:
    """One sentence where a take was made by a newer version than this one; nothing where it was not, or nobody knows."""
    if _parts(made_by) <= _parts(own_version()):
        return ""
    return f"Made with Bonesetter {made_by}, which is newer than this {own_version()}: update it before you change this take."


def _parts(version: str) -> tuple[int, ...]:
    """A version's numbers; none of what is no version."""
    try:
        return tuple(int(part) for part in version.split("-")[0].split("+")[0].split("."))
    except ValueError:
        return ()
