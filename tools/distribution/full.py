# SPDX-License-Identifier: GPL-3.0-or-later
"""The full zips: the extension with the wheels of its engine, for computers without a network."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from . import checks, repository
from .blender import build, clear, report, run_extension
from .project import ROOT, DistributionError, full_settings
from .targets import Target, targets
from .wheels import UnreachableError, download, locked

#: Wheels are kept here from one build to the next.
CACHE = ROOT / "build" / "wheels"

#: Space in GB that a full zip may take for its wheels, a download under way, and itself.
_NEEDED = {False: 1.5, True: 12.0}


def chosen(names: list[str] | None, settings: dict[str, Any]) -> list[Target]:
    """The targets of these names, or all of them.

    Raises:
        DistributionError: There is no such target.
    """
    every = {target.name: target for target in targets(settings["platforms"], settings["blender_has"])}
    if unknown := [name for name in names or () if name not in every]:
        raise DistributionError(f"no such target: {', '.join(unknown)}; there are {', '.join(every)}")
    return [target for name, target in every.items() if not names or name in names]


def build_all(out: Path, names: list[str] | None = None, *, cuda: bool = False, given: Path | None = None) -> list[str]:
    """Build and check full zips and the repository that offers them.

    Args:
        names: The targets' names; all where there are none.
        cuda: Take PyTorch's build for CUDA where there is one for the platform.
        given: A folder of wheels that is looked into before the network.

    Returns:
        The names of targets that were skipped, because a wheel of theirs cannot be had here.

    Raises:
        DistributionError: A zip could not be built, or is not as it should be.
    """
    settings = full_settings()
    wanted = chosen(names, settings)
    out.mkdir(parents=True, exist_ok=True)
    clear(out)
    skipped = []
    for target in wanted:
        try:
            report(build_one(out, target, settings, cuda=cuda, given=given))
        except UnreachableError as error:
            print(f"SKIPPED {target.name}: {error}.", file=sys.stderr, flush=True)
            skipped.append(target.name)
    if len(skipped) < len(wanted):
        repository.generate(out)
    return skipped


def build_one(out: Path, target: Target, settings: dict[str, Any], *, cuda: bool, given: Path | None) -> Path:
    """Build and check the full zip of a target; returns its path."""
    has, without = settings["blender_has"][target.python_version], settings["left_out"]
    wheels = locked(target, (*has, *without), cuda=cuda)
    for folder in (CACHE / target.name, out):
        _check_space(folder, _NEEDED[cuda])
    archive = build(out, target, download(wheels, CACHE / target.name, given))
    run_extension("validate", archive)
    if wrong := checks.problems(archive, target, wheels, has, without):
        archive.unlink()
        raise DistributionError(f"{archive.name} is not as it should be: {'; '.join(wrong)}")
    return archive


def _check_space(folder: Path, needed: float) -> None:
    """Raise where a folder's disk has less space, in GB."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free / 1e9
    if free < needed:
        raise DistributionError(f"{folder} has {free:.1f} GB of free space, and a full zip may take {needed:.1f} GB")
