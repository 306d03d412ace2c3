# SPDX-License-Identifier: GPL-3.0-or-later
"""The real takes for developing and testing: markers, and the lab's own skeleton where it published one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import BonesetterError
from ..core.motion import Motion
from ..core.take import Take
from ..files.asf_amc import ASF_TO_C3D, read_amc, read_asf
from ..files.c3d import read_c3d

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, eq=False)
class LabTake:
    """Markers, and the lab's own solve of them on the same axes."""

    take: Take
    motion: Motion


def data_folder() -> Path:
    """Where the data is: BONESETTER_DATA, or ../shared/data beside the project."""
    return Path(os.environ.get("BONESETTER_DATA") or PROJECT.parent / "shared" / "data")


def find_c3d(folder: Path) -> Path:
    """The C3D in a take's folder.

    Raises:
        BonesetterError: There is none.
    """
    return _only(folder, "*.c3d")


def read_lab_take(folder: Path) -> LabTake:
    """A take whose folder holds a C3D, an ASF and an AMC.

    Raises:
        BonesetterError: One of them is missing.
    """
    asf = read_asf(_only(folder, "*.asf"))
    take = read_c3d(find_c3d(folder))
    return LabTake(take, read_amc(_only(folder, "*.amc"), asf, take.rate_hz).on_axes(ASF_TO_C3D))


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if not found:
        raise BonesetterError(f"There is no {pattern} in {folder}: point BONESETTER_DATA at the data's folder.")
    return found[0]
