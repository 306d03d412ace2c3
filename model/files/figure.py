# SPDX-License-Identifier: GPL-3.0-or-later
"""What every reader of markers asks of the figure in them, whatever the format: its rate and unit, which axis is up, what is no sample.

What a file declares is often wrong or missing, but people are of a known size, and mostly stand on their feet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from ..core.errors import BonesetterError
from ..core.findings import Finding
from ..core.take import FloatArray
from ..markers.upright import directions

#: Metres per unit, by the names that camera systems and labs write into their files.
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

#: Rates that a camera system has, in Hz.
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 1.0, 10_000.0

#: A person's markers span about this much in a frame; the unit of a file that names none is the one that comes nearest.
USUAL_SPAN = 1.8

#: From head to feet a person is so large, in metres, lying or crouching too; and all markers of a frame span so much, of whatever they
#: are on, in a room of any size. Else the unit is wrong.
SIZES, SPANS = (0.3, 4.0), (0.03, 60.0)
#: Who walks is so large: a figure in metric units that is not may be one in inches or feet that is.
WALKING = (0.8, 2.3)

#: How tall the adult is whose labels have their usual heights, in metres.
ADULT_M = 1.75

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


def believable_rate(file: str, setting: str, said: Sequence[tuple[str, float | None]], findings: list[Finding]) -> float:
    """Frames per second, by the first of a file's witnesses that may be right.

    Args:
        file: Its name.
        setting: What the rate is called in the file, for the user who has to put it right.
        said: Who says it, and what it says, in Hz, or None.
        findings: Get what contradicts it.

    Raises:
        BonesetterError: None of them is a camera system's.
    """
    rates = [(who, rate) for who, rate in said if rate is not None and LOWEST_RATE_HZ <= rate <= HIGHEST_RATE_HZ]
    if not rates:
        found = next((f"{rate:g} Hz" for _, rate in said if rate), "no frame rate")
        raise BonesetterError(f"{file} gives {found}, which cannot be true: set {setting} in it to its frames per second.")
    (who, rate), *others = rates
    for other, differs in others:
        if abs(rate - differs) > 0.01 * rate:
            findings.append(Finding("file", f"{who} says {rate:g} Hz, {other} {differs:g} Hz: {rate:g} Hz is taken."))
    return rate


def metres_per_unit(file: str, setting: str, unit: str, labels: Sequence[str], positions: FloatArray, findings: list[Finding]) -> float:
    """By the unit that a file names, unless the figure would then be no person's size; by that size where it names none.

    Args:
        file: Its name.
        setting: What its unit is called in the file, for the user who has to put it right.
        unit: The unit that it names, empty where it names none.
        labels: Of the markers.
        positions: (frames, labels, 3) in the file's unit, NaN where missing.
        findings: Get what is assumed.

    Raises:
        BonesetterError: There is no such unit.
    """
    size = _size(labels, positions)
    if not unit:
        likely = _likely_unit(size, _span(positions)) or "mm"
        findings.append(Finding("file", f"The file names no unit: {likely} is assumed, by the size of the figure."))
        return METRES_PER_UNIT[likely]
    metres = _unit(unit)
    if metres is None:
        raise BonesetterError(f"{file} is in the unknown unit {unit!r}: set {setting} in it to mm, cm or m.")
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
    likely = _likely_unit(size, span)
    if likely is None or least <= found * metres <= most:
        return metres
    believed = METRES_PER_UNIT[likely]
    if size and not least <= size * believed <= most:
        # somebody has multiplied them by ten
        believed = 10.0 ** round(np.log10(USUAL_SPAN / size))
        likely = f"{believed * 1000:g} mm"
    if believed == metres:
        return metres
    shown = f"{found * metres:.3g} m"
    said = f"The file says that its unit is {unit}, but its figure would then be {shown} large: {likely} is assumed."
    findings.append(Finding("file", said))
    return believed


def _likely_unit(size: float, span: float) -> str | None:
    """The unit in which a figure comes nearest to a person's; None where there is no figure.

    Args:
        size: How tall it is, in the file's unit; 0 where that is not known.
        span: How far its markers reach, in the file's unit, which says too little of it to tell centimetres from inches; or 0.
    """
    if not (size or span):
        return None
    metric = min(("mm", "cm", "m"), key=lambda guess: abs(np.log(METRES_PER_UNIT[guess] * (size or span) / USUAL_SPAN)))
    walking = [unit for unit in (metric, "inches", "feet") if WALKING[0] <= METRES_PER_UNIT[unit] * size <= WALKING[1]]
    return walking[0] if walking else metric


def _size(labels: Sequence[str], positions: FloatArray) -> float:
    """How tall a person is by the labels whose heights are known; 0 where too few are."""
    along = directions(labels, positions)
    return ADULT_M * float(np.median(np.linalg.norm(along, axis=-1))) if len(along) else 0.0


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
