# SPDX-License-Identifier: GPL-3.0-or-later
"""The wheels of a full zip: those of the lock file that Install Solver uses, without what Blender has itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name

from installer.download import fetch
from installer.errors import InstallError
from installer.lock import CPU, CUDA, UV, Wheel, path_of, read_lock

from .project import DistributionError
from .targets import Target


class UnreachableError(DistributionError):
    """A wheel cannot be had here, where others can."""


def locked(target: Target, left_out: Iterable[str], *, cuda: bool = False) -> list[Wheel]:
    """The wheels of a target's lock file.

    Args:
        left_out: Packages that are not taken: what Blender has, and what a solve runs without. uv is never taken.
        cuda: Take PyTorch's build for CUDA where there is one for the platform.

    Raises:
        InstallError: There is no lock file for the target, or it is damaged.
    """
    out = {canonicalize_name(name) for name in (UV, *left_out)}
    name = f"{target.platform}-cp{target.python[0]}{target.python[1]}"
    device = CUDA if cuda and path_of(f"{name}-{CUDA}").is_file() else CPU
    return [wheel for wheel in read_lock(f"{name}-{device}").wheels if canonicalize_name(wheel.name) not in out]


def download(wheels: Iterable[Wheel], folder: Path, given: Path | None = None) -> list[Path]:
    """Have wheels in a folder, with their locked hashes; those that are there already are not fetched again.

    Args:
        given: A folder of wheels that is looked into before the network.

    Returns:
        Their paths, in the order of the wheels.

    Raises:
        UnreachableError: A wheel cannot be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [_fetched(wheel, folder, given) for wheel in wheels]


def _fetched(wheel: Wheel, folder: Path, given: Path | None) -> Path:
    try:
        return fetch(wheel, folder, lambda _: None, given)
    except InstallError as error:
        source, reason = urlsplit(wheel.url).netloc, error.__cause__ or error
        raise UnreachableError(f"{wheel.filename} cannot be had from {source} ({reason}): name a folder that has it by --wheels") from error
