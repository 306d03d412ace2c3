# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays on their way between Blender and the engine process: npz files, because JSON would be many times slower."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.axes import AXES
from ..core.errors import BonesetterError
from ..core.findings import Finding, finding_of
from ..core.skeleton import Skeleton
from ..core.take import Axis, BoolArray, FloatArray, Take
from ..feet.contacts import find_soles
from ..result.solution import Solution
from ..result.solved import SolvedMarkers, SolvedProp, Stance
from ..result.unheld import Unheld
from ..storage.arrays import FLAGS, NUMBERS, TEXT, WHOLE_NUMBERS, read_arrays
from ..storage.atomic import replacing
from .npz import prop_arrays

#: What goes between the two: see `read_arrays`. F frames, L labels, J joints.
TAKE = {
    "name": (TEXT, ()),
    "labels": (TEXT, ("L",)),
    "positions": (NUMBERS, ("F", "L", 3)),
    "residuals": (NUMBERS, ("F", "L")),
    "rate_hz": (NUMBERS, ()),
    "first_frame": (NUMBERS, ()),
    "frame_step": (NUMBERS, ()),
    "up_axis": (TEXT, ()),
    "findings": (TEXT, ("N",)),
    "source": (TEXT, ()),
    "pinned": (WHOLE_NUMBERS, ("F", "L")),
}
POSE = {
    "joints": (TEXT, ("J",)),
    "parents": (WHOLE_NUMBERS, ("J",)),
    "bones": (NUMBERS, ("J", 3)),
    "offsets": (NUMBERS, ("J", 3)),
    "rotations": (NUMBERS, ("F", "J", 4)),
    "positions": (NUMBERS, ("F", "J", 3)),
    "keyed": (FLAGS, ("F", "J")),
    "labels": (TEXT, ("L",)),
    "places": (NUMBERS, ("F", "L", 3)),
    "stances": (TEXT, ("N",)),
    "props": (TEXT, ("P",)),
    "prop_positions": (NUMBERS, ("P", "F", 3)),
    "prop_rotations": (NUMBERS, ("P", "F", 4)),
    "prop_keyed": (FLAGS, ("P", "F")),
    "feet": (TEXT, ("M",)),
    "floor_m": (NUMBERS, ()),
}
UNHELD = {
    "root": (NUMBERS, ("F", 3)),
    "turn": (NUMBERS, ("F", 3, 3)),
    "q": (NUMBERS, ("F", "C")),
    "rows": (WHOLE_NUMBERS, ("R",)),
    "samples": (NUMBERS, ("F", "R", 3)),
    "trusted": (FLAGS, ("F", "R")),
    "rate_hz": (NUMBERS, ()),
    "up_axis": (TEXT, ()),
    "origins": (TEXT, ("L",)),
    "keyed": (FLAGS, ("F", "J")),
}


@dataclass(frozen=True, eq=False)
class SolvedPose:
    """What Blender needs of a solution.

    Attributes:
        skeleton: The actor's bones in the zero pose, in metres.
        rotations: (frames, joints, 4) local unit quaternions w x y z from the zero pose.
        positions: (frames, joints, 3) in metres on the take's own axes.
        keyed: (frames, joints) where a joint gets a key; None for everywhere.
        markers: Where it puts the markers; None where nobody asks.
        props: Objects that move in the take.
    """

    skeleton: Skeleton
    rotations: FloatArray
    positions: FloatArray
    keyed: BoolArray | None = None
    markers: SolvedMarkers | None = None
    props: tuple[SolvedProp, ...] = ()


def save_take(take: Take, path: Path) -> None:
    """Write a take as it is."""
    _write(
        path,
        name=take.name,
        labels=np.array(take.labels, dtype=str),
        positions=take.positions,
        residuals=take.residuals,
        rate_hz=take.rate_hz,
        first_frame=take.first_frame,
        frame_step=take.frame_step,
        up_axis=take.up_axis,
        findings=np.array([json.dumps(each.document(int)) for each in take.findings], dtype=str),
        source=str(take.source or ""),
        pinned=np.zeros(take.positions.shape[:2], dtype=np.uint8) if take.pinned is None else take.pinned.astype(np.uint8),
    )


def load_take(path: Path) -> Take:
    """The take that `save_take` wrote.

    Raises:
        BonesetterError: The file is missing or damaged.
    """
    arrays = _read(path, TAKE)
    findings = tuple(_finding(path, str(document)) for document in arrays["findings"])
    return Take(
        name=str(arrays["name"]),
        labels=tuple(str(label) for label in arrays["labels"]),
        positions=arrays["positions"],
        residuals=arrays["residuals"],
        rate_hz=float(arrays["rate_hz"]),
        first_frame=float(arrays["first_frame"]),
        frame_step=float(arrays["frame_step"]),
        up_axis=_axis(str(arrays["up_axis"])),
        findings=findings,
        source=Path(str(arrays["source"])) if str(arrays["source"]) else None,
        pinned=arrays["pinned"] > 0 if arrays["pinned"].any() else None,
    ).kept()


def _axis(name: str) -> Axis:
    """The axis of that name; Z where there is none."""
    for axis in AXES:
        if axis == name:
            return axis
    return "Z"


def save_pose(solution: Solution, path: Path) -> None:
    """Write of a solution what Blender needs."""
    skeleton = solution.actor.skeleton
    _write(
        path,
        joints=np.array(skeleton.joints, dtype=str),
        parents=np.array(skeleton.parents),
        bones=skeleton.bones,
        offsets=skeleton.offsets,
        rotations=solution.rotations,
        positions=solution.positions,
        keyed=np.ones(solution.rotations.shape[:2], dtype=bool) if solution.keyed is None else solution.keyed,
        labels=np.array(solution.clean.take.file_labels, dtype=str),
        places=solution.markers_model.astype(np.float32),
        stances=np.array([json.dumps(asdict(each)) for each in _stances(solution)], dtype=str),
        **{**prop_arrays(solution.props, len(solution.rotations)), "props": np.array(_described(solution), dtype=str)},
        feet=np.array(list(dict.fromkeys(sole.foot for sole in find_soles(solution.actor))), dtype=str),
        floor_m=np.nan if solution.floor_m is None else solution.floor_m,
    )


def _stances(solution: Solution) -> list[Stance]:
    return [Stance(each.sole.foot, each.sole.part, each.first, each.last) for each in solution.contacts]


def _described(solution: Solution) -> list[str]:
    return [json.dumps([prop.name, *prop.labels]) for prop in solution.props]


def load_pose(path: Path) -> SolvedPose:
    """The pose that `save_pose` wrote.

    Raises:
        BonesetterError: The file is missing or damaged.
    """
    arrays = _read(path, POSE)
    joints = tuple(str(joint) for joint in arrays["joints"])
    parents = tuple(int(parent) for parent in arrays["parents"])
    skeleton = Skeleton(joints, parents, arrays["bones"], arrays["offsets"])
    try:
        stances = tuple(Stance(**json.loads(str(each))) for each in arrays["stances"])
        props = tuple(
            SolvedProp(name, tuple(labels), arrays["prop_positions"][row], arrays["prop_rotations"][row], arrays["prop_keyed"][row])
            for row, (name, *labels) in enumerate(json.loads(str(each)) for each in arrays["props"])
        )
    except (ValueError, TypeError) as error:
        raise _unreadable(path, ValueError(error)) from error
    feet = tuple(str(foot) for foot in arrays["feet"])
    floor_m = float(arrays["floor_m"])
    labels = tuple(str(label) for label in arrays["labels"])
    markers = SolvedMarkers(labels, arrays["places"], stances, feet, floor_m if np.isfinite(floor_m) else None)
    return SolvedPose(skeleton, arrays["rotations"], arrays["positions"], arrays["keyed"], markers, props)


def save_unheld(unheld: Unheld, path: Path) -> None:
    """Write a take before its feet were held."""
    arrays = {name: getattr(unheld, name) for name in UNHELD}
    arrays["samples"] = unheld.samples.astype(np.float32)
    arrays["origins"] = np.array(unheld.origins, dtype=str)
    _write(path, **arrays)


def load_unheld(path: Path) -> Unheld:
    """What `save_unheld` wrote.

    Raises:
        BonesetterError: The file is missing or damaged.
    """
    arrays: dict[str, Any] = dict(_read(path, UNHELD))
    arrays["rate_hz"], arrays["up_axis"] = float(arrays["rate_hz"]), _axis(str(arrays["up_axis"]))
    arrays["origins"] = tuple(str(label) for label in arrays["origins"])
    return Unheld(**arrays)


def _finding(path: Path, document: str) -> Finding:
    try:
        return finding_of(json.loads(document))
    except ValueError as error:
        raise _unreadable(path, error) from error


def _read(path: Path, wanted: Mapping[str, tuple[str, tuple[int | str, ...]]]) -> dict[str, NDArray]:
    try:
        return read_arrays(path, wanted)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError | ValueError) -> BonesetterError:
    why = error.strerror if isinstance(error, OSError) else error
    return BonesetterError(f"{path}, which goes between Blender and the engine, cannot be read ({why}): try again.")


def _write(path: Path, **arrays: Any) -> None:
    # Whole or not at all: the engine may be killed at any moment.
    with replacing(path, binary=True) as stream:
        np.savez(stream, **arrays)
