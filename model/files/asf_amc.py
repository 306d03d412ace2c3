# SPDX-License-Identifier: GPL-3.0-or-later
"""Acclaim skeletons (ASF) and motion (AMC), as CMU and HDM05 distribute them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from ..core.errors import BonesetterError
from ..core.motion import Motion
from ..core.skeleton import CMU_HIERARCHY, CMU_JOINTS, CMU_PARENTS, Skeleton
from ..core.take import FloatArray

INCH = 0.0254
#: Columns are the ASF's axes on the axes of the C3D of the same session: (x, y, z) of the C3D is (z, x, y) of the ASF.
ASF_TO_C3D = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])

#: A line that holds a frame's number alone.
_FRAME_NUMBER = re.compile(r"^[ \t]*\d+[ \t\r]*$", re.MULTILINE)


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
    try:
        blocks, unit = _bone_blocks(_text(path))
        names = [asf for _, asf, _ in CMU_HIERARCHY[1:]]
        missing = [name for name in names if name not in blocks]
        if missing and blocks:
            raise BonesetterError(f"{path.name} lacks the bone {missing[0]}: only ASF files with the CMU skeleton can be read.")
        metres = INCH / unit
        bones = np.zeros((len(CMU_JOINTS), 3))
        axes = np.tile(np.eye(3), (len(CMU_JOINTS), 1, 1))
        freedoms: list[tuple[str, ...]] = [("tx", "ty", "tz", "rx", "ry", "rz")]
        for index, name in enumerate(names, start=1):
            block = blocks[name]
            direction = np.array(block["direction"][:3], dtype=float)
            # what becomes of a direction of zeros is refused below
            with np.errstate(all="ignore"):
                bones[index] = direction / np.linalg.norm(direction) * float(block["length"][0]) * metres
            axes[index] = Rotation.from_euler("xyz", np.array(block["axis"][:3], dtype=float), degrees=True).as_matrix()
            freedoms.append(_freedom(block.get("dof", [])))
        if not (unit > 0 and np.isfinite(bones).all() and np.isfinite(axes).all()):
            raise ValueError("a number in it is none")
    except (KeyError, IndexError, ValueError, ZeroDivisionError) as error:
        raise BonesetterError(f"{path.name} is not an ASF skeleton: choose the .asf of the CMU skeleton.") from error
    return AsfSkeleton(Skeleton(CMU_JOINTS, CMU_PARENTS, bones), axes, tuple(freedoms), metres)


def read_amc(path: Path, asf: AsfSkeleton, rate_hz: float = 120.0) -> Motion:
    """Read the motion of an AMC on its ASF's axes; a last frame that is cut off is left out.

    Raises:
        BonesetterError: The file cannot be read, holds no whole frame, or is damaged within.
    """
    table = _amc_table(path)
    names = [name for _, name, _ in CMU_HIERARCHY]
    lengths = {name: len(freedom) for name, freedom in zip(names, asf.degrees_of_freedom, strict=True) if freedom}
    if any(name not in table or table[name].shape[1] != length for name, length in lengths.items()):
        raise BonesetterError(f"{path.name} holds no whole frame: choose an AMC that belongs to the ASF.")
    root = table["root"]
    rotations = np.tile(np.eye(3), (len(root), len(names), 1, 1))
    rotations[:, 0] = Rotation.from_euler("xyz", root[:, 3:], degrees=True).as_matrix()
    for index, (name, freedom) in enumerate(zip(names, asf.degrees_of_freedom, strict=True)):
        if index and freedom:
            # x is applied first; turning about the bone's own one or two axes only is quicker than about three
            axes, angles = "".join(axis[1] for axis in sorted(freedom)), table[name][:, np.argsort(freedom)]
            turn = Rotation.from_euler(axes, angles, degrees=True).as_matrix()
            rotations[:, index] = asf.axes[index] @ turn @ asf.axes[index].T
    return Motion(asf.skeleton, rotations, root[:, :3] * asf.metres_per_unit, rate_hz)


def _text(path: Path) -> str:
    try:
        # HDM05's files are latin-1; every keyword is ASCII
        return path.read_text(encoding="latin-1")
    except OSError as error:
        raise BonesetterError(f"{path.name} cannot be read ({error.strerror}): choose another file.") from error


def _freedom(words: list[str]) -> tuple[str, ...]:
    """A bone's degrees of freedom; a ValueError where it has others than three rotations."""
    if len(set(words)) < len(words) or not {"rx", "ry", "rz"}.issuperset(words):
        raise ValueError(f"dof {' '.join(words)}")
    return tuple(words)


def _bone_blocks(text: str) -> tuple[dict[str, dict[str, list[str]]], float]:
    """The words of every bone's block by bone and key, and the file's units of length (an inch is `length` units)."""
    blocks: dict[str, dict[str, list[str]]] = {}
    block: dict[str, list[str]] = {}
    unit = 0.0
    for words in filter(None, map(str.split, text.splitlines())):
        if words[0] == "length" and not unit:
            unit = float(words[1])
        if words[0] == "begin":
            block = {}
        elif words[0] == "end" and "name" in block:
            blocks[block["name"][0]] = block
        else:
            block[words[0]] = words[1:]
    return blocks, unit


def _amc_table(path: Path) -> dict[str, FloatArray]:
    """The numbers (frames, columns) of every bone; empty where not even one frame has begun.

    The first frame says what a frame looks like: cutting the whole file into words and taking every n-th is several times
    quicker than reading it line by line.
    """
    text = _text(path)
    begins = [match.start() for match, _ in zip(_FRAME_NUMBER.finditer(text), range(2), strict=False)]
    if not begins:
        return {}
    pattern = text[begins[0] : begins[1] if len(begins) > 1 else None].split()
    words = text[begins[0] :].split()
    size, frames = len(pattern), len(words) // len(pattern)
    names = [column for column in range(1, size) if pattern[column][0].isalpha()]
    table = {}
    try:
        for column, after in pairwise([*names, size]):
            if words[column : frames * size : size].count(pattern[column]) != frames:
                raise ValueError(pattern[column])
            numbers = [list(map(float, words[start : frames * size : size])) for start in range(column + 1, after)]
            table[pattern[column]] = np.array(numbers).reshape(after - column - 1, frames).T
        if not all(np.isfinite(numbers).all() for numbers in table.values()):
            raise ValueError("a number is none")
    except ValueError as error:
        raise BonesetterError(f"{path.name} is damaged: some frame differs from the first in its bones or numbers.") from error
    return table
