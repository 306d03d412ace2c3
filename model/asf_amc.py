# SPDX-License-Identifier: GPL-3.0-or-later
"""Acclaim skeletons (ASF) and motion (AMC), as CMU and HDM05 distribute them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from .motion import Motion
from .skeleton import CMU_HIERARCHY, CMU_JOINTS, CMU_PARENTS, Skeleton
from .take import BonesetterError, FloatArray

INCH = 0.0254
#: Columns are the ASF's axes on the axes of the C3D of the same session: (x, y, z) of the C3D is (z, x, y) of the ASF.
ASF_TO_C3D = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


@dataclass(frozen=True, eq=False)
class AsfSkeleton:
    """A CMU skeleton and how its AMC files turn it.

    Attributes:
        skeleton: Joints under their BVH names.
        axes: (joints, 3, 3): C of each bone; an AMC rotation M turns the bone by C M C^-1.
        degrees_of_freedom: For each joint the AMC's columns, from "rx", "ry", "rz" ("tx" ... for the root).
    """

    skeleton: Skeleton
    axes: FloatArray
    degrees_of_freedom: tuple[tuple[str, ...], ...]
    metres_per_unit: float


def read_asf(path: Path) -> AsfSkeleton:
    """Read an ASF that has the 31 bones of the CMU skeleton.

    Raises:
        BonesetterError: The file is no ASF or lacks a bone.
    """
    blocks, unit = _bone_blocks(path)
    names = [asf for _, asf, _ in CMU_HIERARCHY[1:]]
    missing = [name for name in names if name not in blocks]
    if missing:
        raise BonesetterError(f"{path.name} lacks the bone {missing[0]}: only ASF files with the CMU skeleton can be read.")
    metres = INCH / unit
    bones = np.zeros((len(CMU_JOINTS), 3))
    axes = np.tile(np.eye(3), (len(CMU_JOINTS), 1, 1))
    freedoms: list[tuple[str, ...]] = [("tx", "ty", "tz", "rx", "ry", "rz")]
    for index, name in enumerate(names, start=1):
        block = blocks[name]
        direction = np.array(block["direction"][:3], dtype=float)
        bones[index] = direction / np.linalg.norm(direction) * float(block["length"][0]) * metres
        axes[index] = Rotation.from_euler("xyz", np.array(block["axis"][:3], dtype=float), degrees=True).as_matrix()
        freedoms.append(tuple(block.get("dof", [])))
    return AsfSkeleton(Skeleton(CMU_JOINTS, CMU_PARENTS, bones), axes, tuple(freedoms), metres)


def read_amc(path: Path, asf: AsfSkeleton, rate_hz: float = 120.0) -> Motion:
    """Read the motion of an AMC on its ASF's axes; a last frame that is cut off is left out.

    Raises:
        BonesetterError: The file holds no whole frame.
    """
    rows = _amc_rows(path)
    names = [name for _, name, _ in CMU_HIERARCHY]
    lengths = {name: len(freedom) for name, freedom in zip(names, asf.degrees_of_freedom, strict=True) if freedom}
    whole = min((len(rows.get(name, [])) for name in lengths), default=0)
    while whole and any(len(rows[name][whole - 1]) != length for name, length in lengths.items()):
        whole -= 1
    if not whole:
        raise BonesetterError(f"{path.name} holds no whole frame: choose an AMC that belongs to the ASF.")
    rotations = np.tile(np.eye(3), (whole, len(names), 1, 1))
    root = np.array(rows["root"][:whole], dtype=float)
    rotations[:, 0] = Rotation.from_euler("xyz", root[:, 3:], degrees=True).as_matrix()
    for index, (name, freedom) in enumerate(zip(names, asf.degrees_of_freedom, strict=True)):
        if index and freedom:
            angles = np.zeros((whole, 3))
            angles[:, ["xyz".index(axis[1]) for axis in freedom]] = np.array(rows[name][:whole], dtype=float)
            turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
            rotations[:, index] = asf.axes[index] @ turn @ asf.axes[index].T
    return Motion(asf.skeleton, rotations, root[:, :3] * asf.metres_per_unit, rate_hz)


def _bone_blocks(path: Path) -> tuple[dict[str, dict[str, list[str]]], float]:
    """The words of every bone's block by bone and key, and the file's units of length (an inch is `length` units)."""
    blocks: dict[str, dict[str, list[str]]] = {}
    block: dict[str, list[str]] = {}
    unit = 0.0
    # HDM05's files are latin-1; every ASF keyword is ASCII
    for line in path.read_text(encoding="latin-1").splitlines():
        words = line.split()
        if not words:
            continue
        if words[0] == "length" and not unit:
            unit = float(words[1])
        if words[0] == "begin":
            block = {}
        elif words[0] == "end" and "name" in block:
            blocks[block["name"][0]] = block
        else:
            block[words[0]] = words[1:]
    if not blocks or unit <= 0:
        raise BonesetterError(f"{path.name} is not an ASF skeleton.")
    return blocks, unit


def _amc_rows(path: Path) -> dict[str, list[list[str]]]:
    """The numbers of every bone, frame by frame, as text."""
    lines = path.read_text(encoding="latin-1").splitlines()
    starts = [number for number, line in enumerate(lines) if line.strip().isdigit()]
    rows: dict[str, list[list[str]]] = {}
    for first, last in pairwise([*starts, len(lines)]):
        for line in lines[first + 1 : last]:
            name, *numbers = line.split() or [""]
            rows.setdefault(name, []).append(numbers)
    return rows
