# SPDX-License-Identifier: GPL-3.0-or-later
"""What a file of markers need not say, or says wrongly: its unit and the axis that points up, told by the figure itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from ..core.findings import Finding
from ..core.take import Axis, BonesetterError, FloatArray

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

HEAD = re.compile(r"[LR][FB]HD$|ARIEL$|HEAD$", re.IGNORECASE)
FEET = re.compile(r"(HEE|HEEL|HEL|TOE|MT[15]|ANK|FCC|FM[125]|FAL|TAM)$", re.IGNORECASE)

#: Head above feet by this much, in metres: the take is upright along that axis.
UPRIGHT = 0.5

#: From head to feet a person is so large, in metres, lying or crouching too; and all markers of a frame span so much, of whatever they
#: are on, in a room of any size. Else the unit is wrong.
SIZES, SPANS = (0.3, 4.0), (0.03, 60.0)

#: No sample is farther from the origin, in metres.
FARTHEST_M = 10_000.0


def unique_labels(given: Sequence[str], points: int) -> tuple[str, ...]:
    """One unique name per point: unnamed ones get `*n`, a name that repeats gets `-1`, `-2`."""
    names = [*given[:points], *[""] * (points - len(given))]
    taken, repeats = set(names), Counter[str]()
    labels: dict[str, None] = {}
    for point, name in enumerate(names):
        label = name or f"*{point}"
        while label in labels or (repeats[name] and label in taken):
            repeats[name] += 1
            label = f"{name}-{repeats[name]}"
        labels[label] = None
    return tuple(labels)


def metres_per_unit(unit: str, where: str, labels: tuple[str, ...], positions: FloatArray, findings: list[Finding]) -> float:
    """By the unit that a file names, unless the figure would then be no person's size; by that size where it names none.

    Args:
        unit: As the file has it; empty for none.
        where: The file's name and the field of the unit, for the sentence that tells what to do.
        labels: Of the markers.
        positions: (frames, labels, 3) in the file's unit; NaN where missing.
        findings: Gets what was assumed.

    Raises:
        BonesetterError: The unit is unknown.
    """
    size = _size(labels, positions)
    if not unit:
        likely = _likely_unit(size or _span(positions)) or "mm"
        findings.append(Finding("file", f"The file names no unit: {likely} is assumed, by the size of the figure."))
        return METRES_PER_UNIT[likely]
    metres = _unit(unit)
    if metres is None:
        file, _, field = where.rpartition(": ")
        raise BonesetterError(f"{file} is in the unknown unit {unit!r}: set {field} in it to mm, cm or m.")
    return _believable(unit, metres, size, _span(positions), findings)


def _unit(name: str) -> float | None:
    """Metres per unit of that name, which may be cut off after three letters or more; None where there is none of it."""
    name = name.lower().rstrip(".")
    if name in METRES_PER_UNIT:
        return METRES_PER_UNIT[name]
    meant = {metres for whole, metres in METRES_PER_UNIT.items() if len(name) >= 3 and whole.startswith(name)}
    return meant.pop() if len(meant) == 1 else None


def _believable(unit: str, metres: float, size: float, span: float, findings: list[Finding]) -> float:
    """A unit, or the one that the file must mean where a figure would be a finger's or a house's size."""
    found, (least, most) = (size, SIZES) if size else (span, SPANS)
    likely = _likely_unit(found)
    if likely is None or least <= found * metres <= most or METRES_PER_UNIT[likely] == metres:
        return metres
    shown = f"{found * metres:.3g} m"
    said = f"The file says that its unit is {unit}, but its figure would then be {shown} large: {likely} is assumed."
    findings.append(Finding("file", said))
    return METRES_PER_UNIT[likely]


def _likely_unit(size: float) -> str | None:
    """The unit in which a figure of that size comes nearest to a person's; None where there is no figure."""
    return min(("mm", "cm", "m"), key=lambda guess: abs(np.log(METRES_PER_UNIT[guess] * size / USUAL_SPAN))) if size else None


def _size(labels: tuple[str, ...], positions: FloatArray) -> float:
    """The usual distance from a person's head to the feet; 0 where their labels are unknown."""
    apart = _from_feet_to_head(labels, positions)
    return float(np.median(np.linalg.norm(apart, axis=-1))) if len(apart) else 0.0


def drop_absurd(positions: FloatArray, residuals: FloatArray, findings: list[Finding]) -> None:
    """Samples that no cameras see are missing, or one of them would drown all others; in place."""
    absurd = np.abs(positions).max(axis=-1) > FARTHEST_M
    if absurd.any():
        positions[absurd], residuals[absurd] = np.nan, 0.0
        findings.append(Finding("left out", f"{int(absurd.sum())} samples are more than {FARTHEST_M / 1000:g} km away and are left out."))


def _span(positions: FloatArray) -> float:
    """The usual diagonal of the box around all markers of a frame; 0 where there is none."""
    some = positions[:: max(1, len(positions) // 50)]
    some = some[np.isfinite(some[..., 0]).sum(axis=1) >= 2]
    if not len(some):
        return 0.0
    return float(np.median(np.linalg.norm(np.nanmax(some, axis=1) - np.nanmin(some, axis=1), axis=-1)))


def up_axis(labels: tuple[str, ...], positions: FloatArray, declared: Axis) -> Axis:
    """Which axis points up: the figure's own word where it stands and its labels are known, else the file's.

    Args:
        labels: Of the markers.
        positions: (frames, labels, 3) in metres.
        declared: By the file or its format.
    """
    return _head_above_feet(labels, positions) or declared


def _head_above_feet(labels: tuple[str, ...], positions: FloatArray) -> Axis | None:
    rise = _from_feet_to_head(labels, positions)
    if not len(rise):
        return None
    _, y, z = np.median(rise, axis=0)
    if max(y, z) < UPRIGHT:
        return None
    return "Y" if y > z else "Z"


def _from_feet_to_head(labels: tuple[str, ...], positions: FloatArray) -> FloatArray:
    """(some frames, 3): in those of which head and feet are known."""
    some = positions[:: max(1, len(positions) // 200)]
    head = [index for index, label in enumerate(labels) if HEAD.search(label)]
    feet = [index for index, label in enumerate(labels) if FEET.search(label)]
    with np.errstate(invalid="ignore"):
        rise = _mean_present(some[:, head]) - _mean_present(some[:, feet])
    return rise[np.isfinite(rise).all(axis=-1)]


def _mean_present(positions: FloatArray) -> FloatArray:
    """(frames, 3): the mean over the markers that are there, NaN where none is."""
    present = np.isfinite(positions).all(axis=-1, keepdims=True)
    return np.where(present, positions, 0.0).sum(axis=1) / present.sum(axis=1)
