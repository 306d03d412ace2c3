# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and write C3D files."""

from __future__ import annotations

import re
import struct
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ezc3d
import numpy as np

from ..atomic import replacing
from ..take import Axis, BonesetterError, BoolArray, FloatArray, Take
from .c3d_records import records_are_sound

#: Metres per unit, by the names that cameras and labs write into POINT:UNITS.
METRES_PER_UNIT: Mapping[str, float] = {
    "mm": 1e-3,
    "millimeter": 1e-3,
    "millimeters": 1e-3,
    "millimetre": 1e-3,
    "millimetres": 1e-3,
    "cm": 1e-2,
    "centimeter": 1e-2,
    "centimeters": 1e-2,
    "centimetre": 1e-2,
    "centimetres": 1e-2,
    "dm": 1e-1,
    "m": 1.0,
    "meter": 1.0,
    "meters": 1.0,
    "metre": 1.0,
    "metres": 1.0,
    "in": 0.0254,
    "inch": 0.0254,
    "inches": 0.0254,
    "ft": 0.3048,
    "feet": 0.3048,
}

#: A person's markers span about this much in a frame; the unit of a file that names none is the one that comes nearest.
USUAL_SPAN = 1.8

#: Frames are counted in 16 bits in a C3D's header, and ezc3d reads no further.
MOST_FRAMES = 65_535

#: The parameter section counts its blocks of 512 bytes in one byte; some writers use more than that.
LONGEST_SECTION = 4096 * 512

#: Lists of points that a lab's model computed, as named in the C3D manual and by Vicon.
MODEL_OUTPUTS = ("ANGLES", "FORCES", "MOMENTS", "POWERS", "SCALARS", "REACTIONS")

HEAD = re.compile(r"[LR][FB]HD$|ARIEL$|HEAD$", re.IGNORECASE)
FEET = re.compile(r"(HEE|HEEL|HEL|TOE|MT[15]|ANK|FCC|FM[125]|FAL|TAM)$", re.IGNORECASE)

#: Head above feet by this much, in metres: the take is upright along that axis.
UPRIGHT = 0.5


@dataclass(frozen=True)
class _Header:
    """What the file itself promises; ezc3d replaces these numbers by what it could read."""

    points: int
    first_frame: int
    last_frame: int


def read_c3d(path: Path) -> Take:
    """Read the markers of a C3D file.

    A sample is missing where its residual is negative, or its position is not finite or exactly zero. Points that a lab's
    model computed are left out. Where a file has no sound unit or axis, it is inferred and the take's warnings say so.

    Args:
        path: A C3D file of any processor type, integer or float.

    Returns:
        Positions and residuals in metres on the file's own axes.

    Raises:
        BonesetterError: The path cannot be read, is no C3D, is cut off or too long, or holds no markers.
    """
    path = Path(path)
    header = _read_header(path)
    try:
        content = ezc3d.c3d(str(path))
    # ezc3d's C++ raises whatever its parser stumbles over: any of it means that the file is damaged.
    except Exception as error:
        raise BonesetterError(f"{path.name} is not a readable C3D file: export it again.") from error
    group = content["parameters"].get("POINT", {})
    points: FloatArray = content["data"]["points"]
    _check_complete(path, header, content, points.shape[2])
    if points.shape[1] == 0:
        raise BonesetterError(f"{path.name} holds no points: choose a C3D file with markers.")
    rate = float(content["header"]["points"]["frame_rate"])
    if not (np.isfinite(rate) and rate > 0):
        raise BonesetterError(f"{path.name} gives no frame rate: set POINT:RATE in it.")

    warnings: list[str] = []
    labels = _labels(group, points.shape[1])
    markers = _markers(group, labels, path.name, warnings)
    labels = tuple(labels[marker] for marker in markers)
    positions, residuals = _samples(points, content["data"]["meta_points"]["residuals"], markers)
    scale = _metres_per_unit(group, positions, path.name, warnings)
    positions *= scale
    residuals *= scale
    return Take(
        name=path.stem,
        labels=labels,
        positions=positions,
        residuals=residuals,
        rate_hz=rate,
        first_frame=int(content["header"]["points"]["first_frame"]) + 1,
        up_axis=_up_axis(group, labels, positions),
        warnings=tuple(warnings),
    )


def write_c3d(take: Take, path: Path) -> None:
    """Write a take as a C3D file of floats in millimetres; a missing sample gets the residual -1.

    Args:
        take: At most 65,535 frames.
        path: Replaced if it exists.

    Raises:
        BonesetterError: The take is too long for a C3D file, or the file cannot be written.
    """
    first = round(take.first_frame)
    if first - 1 + take.frames > MOST_FRAMES:
        raise BonesetterError(f"{take.name} has more than {MOST_FRAMES} frames, more than a C3D file can count: split it.")
    missing = ~take.present.T
    content = ezc3d.c3d()
    points = np.ones((4, len(take.labels), take.frames))
    points[:3] = np.where(missing, 0.0, take.positions.transpose(2, 1, 0) * 1e3)
    content["data"]["points"] = points
    content["data"]["meta_points"]["residuals"] = np.where(missing, -1.0, take.residuals.T * 1e3)[None]
    content["data"]["meta_points"]["camera_masks"] = np.zeros((7, len(take.labels), take.frames), dtype=bool)
    content["header"]["points"]["first_frame"] = first - 1
    content.add_parameter("POINT", "UNITS", ["mm"])
    content.add_parameter("POINT", "RATE", [take.rate_hz])
    content.add_parameter("POINT", "LABELS", list(take.labels))
    content.add_parameter("POINT", "X_SCREEN", ["+X"])
    content.add_parameter("POINT", "Y_SCREEN", [f"+{take.up_axis}"])
    # ezc3d says nothing when it cannot write, so it writes where that is sure to work
    with tempfile.TemporaryDirectory() as folder, replacing(path, binary=True) as stream:
        whole = Path(folder) / "take.c3d"
        content.write(str(whole))
        stream.write(whole.read_bytes())


def _read_header(path: Path) -> _Header:
    try:
        with path.open("rb") as stream:
            header = stream.read(512)
            if not header:
                raise BonesetterError(f"{path.name} is empty: export it again.")
            if len(header) < 512 or header[1] != 0x50 or header[0] == 0:
                raise BonesetterError(f"{path.name} is not a C3D file: choose a .c3d file.")
            stream.seek((header[0] - 1) * 512)
            section = stream.read(LONGEST_SECTION)
    except OSError as error:
        raise BonesetterError(f"{path.name} cannot be read ({error.strerror}): choose a .c3d file.") from error
    # Intel and DEC store integers little end first; only MIPS (86) does not.
    order = ">" if section[3:4] == b"\x56" else "<"
    (data_block,) = struct.unpack_from(f"{order}H", header, 16)
    blocks_end = (header[0] - 1 + (section[2] if len(section) > 2 else 0)) * 512
    if max(blocks_end, (data_block - 1) * 512) > path.stat().st_size or not records_are_sound(section, order):
        raise BonesetterError(f"{path.name} is damaged or cut off within its parameters: copy or export it again.")
    points, _, first, last = struct.unpack_from(f"{order}4H", header, 2)
    return _Header(points, first, last)


def _check_complete(path: Path, header: _Header, content: Mapping[str, Any], frames: int) -> None:
    """Refuse a file of which ezc3d, without saying so, read only a part."""
    promised = _promised_frames(header, content["parameters"])
    if frames >= MOST_FRAMES and promised > frames:
        raise BonesetterError(
            f"{path.name} has {promised} frames, more than the {MOST_FRAMES} that can be read: split it into shorter takes."
        )
    counted = header.last_frame - header.first_frame + 1
    if frames < counted < MOST_FRAMES or (frames == 0 and counted > 0):
        raise BonesetterError(f"{path.name} is cut off: it holds {frames} of its {counted} frames, copy or export it again.")
    if frames == 0:
        raise BonesetterError(f"{path.name} holds no frames: choose a C3D file with markers.")


def _promised_frames(header: _Header, parameters: Mapping[str, Any]) -> int:
    """Frames by the largest of the counters that exist: long takes overflow the older ones."""
    promised = [header.last_frame - header.first_frame + 1]
    long_frames = parameters.get("POINT", {}).get("LONG_FRAMES", {}).get("value", ())
    promised += [int(value) for value in long_frames if np.isfinite(value)]
    trial = parameters.get("TRIAL", {})
    start, end = (_two_words(trial.get(f"ACTUAL_{name}_FIELD", {}).get("value", ())) for name in ("START", "END"))
    if start and end:
        promised.append(end - start + 1)
    return max(promised)


def _two_words(words: Iterable[Any]) -> int:
    """A frame number that is stored as a low and a high 16-bit word, which ezc3d reads as signed ones."""
    return sum((int(word) & 0xFFFF) << (16 * place) for place, word in enumerate(list(words)[:2]))


def _continued(group: Mapping[str, Any], name: str) -> Iterator[str]:
    """The strings of a parameter and of its continuations: a C3D parameter holds at most 255, the rest is in NAME2, NAME3."""
    part = 1
    while (parameter := group.get(name if part == 1 else f"{name}{part}")) is not None:
        values = parameter["value"]
        yield from (str(value).strip() for value in values)
        part += 1


def _labels(group: Mapping[str, Any], points: int) -> tuple[str, ...]:
    """One unique name per point: unnamed ones get `*n`, a name that repeats gets `-1`, `-2`."""
    given = list(_continued(group, "LABELS"))[:points]
    given += [""] * (points - len(given))
    labels: list[str] = []
    taken = set(given)
    seen: set[str] = set()
    for point, name in enumerate(given):
        label = name or f"*{point}"
        repeat = 0
        while label in seen or (repeat and label in taken):
            repeat += 1
            label = f"{name}-{repeat}"
        seen.add(label)
        labels.append(label)
    return tuple(labels)


def _markers(group: Mapping[str, Any], labels: tuple[str, ...], name: str, warnings: list[str]) -> list[int]:
    """Indices of the points that are markers, not outputs of a lab's model."""
    groups: set[str] = set(MODEL_OUTPUTS)
    groups.update(list(_continued(group, "TYPE_GROUPS"))[::2])
    groups -= {"LABELS", "DESCRIPTIONS", "UNITS"}
    computed = {output for type_group in groups for output in _continued(group, type_group)}
    computed.update(_segment_axes(labels))
    markers = [point for point, label in enumerate(labels) if label not in computed]
    if not markers:
        raise BonesetterError(f"{name} holds only computed points: choose a C3D file with markers.")
    if left_out := len(labels) - len(markers):
        warnings.append(f"{left_out} points are outputs of a model (angles, forces, segment axes), not markers, and are left out.")
    return markers


def _segment_axes(labels: tuple[str, ...]) -> set[str]:
    """Labels of segment frames: four points of one stem that end in O (origin), A, L and P (its axes)."""
    known = set(labels)
    stems = {label[:-1] for label in labels if label.endswith("O")}
    frames = ({stem + end for end in "OALP"} for stem in stems if stem)
    return {label for frame in frames if frame <= known for label in frame}


def _samples(points: FloatArray, residuals: FloatArray, markers: list[int]) -> tuple[FloatArray, FloatArray]:
    """Positions (frames, markers, 3), NaN where missing, and residuals (frames, markers), both in the file's unit."""
    chosen = slice(None) if len(markers) == points.shape[1] else markers
    positions = np.ascontiguousarray(points[:3, chosen].transpose(2, 1, 0))
    residual = np.ascontiguousarray(residuals[0, chosen].T)
    # By axis: summing over a last axis of three is many times slower in numpy.
    x, y, z = positions[..., 0], positions[..., 1], positions[..., 2]
    finite = np.isfinite(x) & np.isfinite(y) & np.isfinite(z)
    missing: BoolArray = (residual < 0) | ~finite | ((x == 0) & (y == 0) & (z == 0))
    positions[missing] = np.nan
    residual[missing | ~np.isfinite(residual)] = 0.0
    return positions, residual


def _metres_per_unit(group: Mapping[str, Any], positions: FloatArray, name: str, warnings: list[str]) -> float:
    unit = next(_continued(group, "UNITS"), "")
    if unit:
        try:
            return METRES_PER_UNIT[unit.lower().rstrip(".")]
        except KeyError:
            raise BonesetterError(f"{name} is in the unknown unit {unit!r}: set POINT:UNITS in it to mm, cm or m.") from None
    span = _span(positions)
    unit = min(("mm", "cm", "m"), key=lambda guess: abs(np.log(METRES_PER_UNIT[guess] * span / USUAL_SPAN))) if span else "mm"
    warnings.append(f"The file names no unit: {unit} is assumed, by the size of the figure.")
    return METRES_PER_UNIT[unit]


def _span(positions: FloatArray) -> float:
    """The usual diagonal of the box around all markers of a frame; 0 where there is none."""
    some = positions[:: max(1, len(positions) // 50)]
    some = some[np.isfinite(some[..., 0]).sum(axis=1) >= 2]
    if not len(some):
        return 0.0
    return float(np.median(np.linalg.norm(np.nanmax(some, axis=1) - np.nanmin(some, axis=1), axis=-1)))


def _up_axis(group: Mapping[str, Any], labels: tuple[str, ...], positions: FloatArray) -> Axis:
    """Which axis of the file points up.

    The figure itself is the best witness: where its head stands above its feet, that axis is up. Y_SCREEN, which names the
    axis that points up on the screen, is only believed when the figure lies or its labels are unknown (of its sign nothing is:
    labs write -Z into files that are Z up). A file that says nothing is Z up, as most are.
    """
    upright = _head_above_feet(labels, positions)
    if upright is not None:
        return upright
    screen = next(_continued(group, "Y_SCREEN"), "").upper()
    return "Y" if screen.endswith("Y") else "Z"


def _head_above_feet(labels: tuple[str, ...], positions: FloatArray) -> Axis | None:
    some = positions[:: max(1, len(positions) // 200)]
    head = [index for index, label in enumerate(labels) if HEAD.search(label)]
    feet = [index for index, label in enumerate(labels) if FEET.search(label)]
    with np.errstate(invalid="ignore"):
        rise = _mean_present(some[:, head]) - _mean_present(some[:, feet])
    rise = rise[np.isfinite(rise).all(axis=-1)]
    if not len(rise):
        return None
    _, y, z = np.median(rise, axis=0)
    if max(y, z) < UPRIGHT:
        return None
    return "Y" if y > z else "Z"


def _mean_present(positions: FloatArray) -> FloatArray:
    """(frames, 3): the mean over the markers that are there, NaN where none is."""
    present = np.isfinite(positions).all(axis=-1, keepdims=True)
    return np.where(present, positions, 0.0).sum(axis=1) / present.sum(axis=1)
