# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the markers of C3D files.

A reader of our own, because none that is kept up can be trusted with any file: ezc3d 1.7.2 crashes the process on damaged files and on
some sound ones, reads others for ever, stops at 65,535 frames, knows no MIPS files, and cannot be told what a file's size proves of its
layout. This one needs numpy alone, so that Blender's own Python can read wherever Blender runs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..core.findings import Finding
from ..core.take import Axis, BonesetterError, BoolArray, FloatArray, Take
from .c3d_layout import Contents, Layout, find_layout, read_contents, read_samples

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

#: Lists of points that a lab's model computed, as named in the C3D manual and by Vicon.
MODEL_OUTPUTS = ("ANGLES", "FORCES", "MOMENTS", "POWERS", "SCALARS", "REACTIONS")

HEAD = re.compile(r"[LR][FB]HD$|ARIEL$|HEAD$", re.IGNORECASE)
FEET = re.compile(r"(HEE|HEEL|HEL|TOE|MT[15]|ANK|FCC|FM[125]|FAL|TAM)$", re.IGNORECASE)

#: Head above feet by this much, in metres: the take is upright along that axis.
UPRIGHT = 0.5

#: Rates that a camera system has, in Hz.
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 1.0, 10_000.0

#: From head to feet a person is so large, in metres, lying or crouching too; and all markers of a frame span so much, of whatever they
#: are on, in a room of any size. Else the unit is wrong.
SIZES, SPANS = (0.3, 4.0), (0.03, 60.0)

#: No sample is farther from the origin, in metres.
FARTHEST_M = 10_000.0


def read_c3d(path: Path) -> Take:
    """Read the markers of a C3D file.

    A sample is missing where its residual is negative, or its position is not finite, exactly zero or kilometres away. Points that a
    lab's model computed are left out. Where a file has no sound unit, rate or axis, it is inferred and the take's findings say so.

    Args:
        path: A C3D file of any processor type, of integers or floats, of any length.

    Returns:
        Positions and residuals in metres on the file's own axes.

    Raises:
        BonesetterError: The path cannot be read, is no C3D, is damaged, cut off or contradicts itself, or holds no markers.
    """
    path = Path(path)
    contents = read_contents(path)
    layout = find_layout(contents)
    findings: list[Finding] = []
    rate = _rate_hz(contents, findings)
    names = _labels(contents.texts("POINT", "LABELS"), layout.points)
    markers = _markers(contents, names, findings)
    labels = tuple(names[marker] for marker in markers)
    positions, residuals = _samples(contents, layout, markers)
    metres = _metres_per_unit(contents, labels, positions, findings)
    positions *= metres
    residuals *= metres
    _drop_absurd(positions, residuals, findings)
    return Take(
        name=path.stem,
        labels=labels,
        positions=positions,
        residuals=residuals,
        rate_hz=rate,
        first_frame=contents.header.first_frame,
        up_axis=_up_axis(contents, labels, positions),
        findings=tuple(findings),
    )


def _rate_hz(contents: Contents, findings: list[Finding]) -> float:
    """POINT:RATE, or the header's rate where that is none."""
    said = (contents.number("POINT", "RATE"), contents.header.rate_hz)
    rates = [rate for rate in said if rate is not None and LOWEST_RATE_HZ <= rate <= HIGHEST_RATE_HZ]
    if not rates:
        found = next((f"{rate:g} Hz" for rate in said if rate), "no frame rate")
        raise BonesetterError(f"{contents.path.name} gives {found}, which cannot be true: set POINT:RATE in it to its frames per second.")
    if len(rates) == 2 and abs(rates[0] - rates[1]) > 0.01 * rates[0]:
        findings.append(Finding("file", f"POINT:RATE says {rates[0]:g} Hz, the header {rates[1]:g} Hz: {rates[0]:g} Hz is taken."))
    return rates[0]


def _labels(given: tuple[str, ...], points: int) -> tuple[str, ...]:
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


def _markers(contents: Contents, labels: tuple[str, ...], findings: list[Finding]) -> list[int]:
    """Indices of the points that are markers, not outputs of a lab's model."""
    groups = {*MODEL_OUTPUTS, *contents.texts("POINT", "TYPE_GROUPS")[::2]} - {"LABELS", "DESCRIPTIONS", "UNITS"}
    computed = {output for group in groups for output in contents.texts("POINT", group.upper())}
    computed.update(_segment_axes(labels))
    markers = [point for point, label in enumerate(labels) if label not in computed]
    if not markers:
        raise BonesetterError(f"{contents.path.name} holds only computed points: choose a C3D file with markers.")
    if left_out := len(labels) - len(markers):
        said = f"{left_out} points are outputs of a model (angles, forces, segment axes), not markers, and are left out."
        findings.append(Finding("left out", said, numbers={"points": left_out}))
    return markers


def _segment_axes(labels: tuple[str, ...]) -> set[str]:
    """Labels of segment frames: four points of one stem that end in O (origin), A, L and P (its axes)."""
    known = set(labels)
    stems = {label[:-1] for label in labels if label.endswith("O")}
    frames = ({stem + end for end in "OALP"} for stem in stems if stem)
    return {label for frame in frames if frame <= known for label in frame}


def _samples(contents: Contents, layout: Layout, markers: list[int]) -> tuple[FloatArray, FloatArray]:
    """Positions (frames, markers, 3), NaN where missing, and residuals (frames, markers), both in the file's unit.

    The fourth word of a sample is negative where it is invalid; else its high byte is the residual, in units of the scale, and its low
    byte says which cameras saw it. In files of floats it is that number as a float.
    """
    scale = _scale(contents, layout)
    positions = np.empty((layout.frames, len(markers), 3))
    residuals = np.empty((layout.frames, len(markers)))
    invalid = 0

    def each(frames: slice, words: FloatArray) -> None:
        nonlocal invalid
        here, quality = positions[frames], words[..., 3]
        here[...] = words[..., :3]
        if not layout.is_float:
            here *= scale
        # By axis: summing over a last axis of three is many times slower in numpy.
        x, y, z = here[..., 0], here[..., 1], here[..., 2]
        there = np.isfinite(x) & np.isfinite(y) & np.isfinite(z) & ~((x == 0) & (y == 0) & (z == 0))
        marked: BoolArray = np.asarray(quality < 0)
        invalid += int((there & marked).sum())
        here[~there | marked] = np.nan
        # NaN, and what no 16 bits hold, says nothing
        known = there & ~marked & (quality < 1 << 16)
        residuals[frames] = np.where(known, np.where(known, quality, 0).astype(np.int32) >> 8, 0) * scale

    # numbers that are none may be of a kind of which the processor complains
    with np.errstate(invalid="ignore", over="ignore"):
        read_samples(contents, layout, markers, each)
    if invalid and np.isnan(positions[..., 0]).all():
        raise BonesetterError(
            f"{contents.path.name} marks all of its samples as invalid (their residuals are negative): export it again with valid points."
        )
    return positions, residuals


def _scale(contents: Contents, layout: Layout) -> float:
    """What integers, and all residuals, are counted in, in the file's unit."""
    for scale in (contents.number("POINT", "SCALE"), contents.header.scale):
        if scale is not None and np.isfinite(scale) and scale != 0:
            return abs(scale)
    if layout.is_float:
        return 1.0
    raise BonesetterError(f"{contents.path.name} does not say what its integers are counted in: set POINT:SCALE in it.")


def _metres_per_unit(contents: Contents, labels: tuple[str, ...], positions: FloatArray, findings: list[Finding]) -> float:
    """By POINT:UNITS, unless the figure would then be no person's size; by that size where the file names no unit."""
    unit = next(iter(contents.texts("POINT", "UNITS")), "")
    size = _size(labels, positions)
    if not unit:
        likely = _likely_unit(size or _span(positions)) or "mm"
        findings.append(Finding("file", f"The file names no unit: {likely} is assumed, by the size of the figure."))
        return METRES_PER_UNIT[likely]
    metres = _unit(unit)
    if metres is None:
        raise BonesetterError(f"{contents.path.name} is in the unknown unit {unit!r}: set POINT:UNITS in it to mm, cm or m.")
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


def _drop_absurd(positions: FloatArray, residuals: FloatArray, findings: list[Finding]) -> None:
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


def _up_axis(contents: Contents, labels: tuple[str, ...], positions: FloatArray) -> Axis:
    """Which axis of the file points up.

    The figure itself is the best witness: where its head stands above its feet, that axis is up. Y_SCREEN, which names the
    axis that points up on the screen, is only believed when the figure lies or its labels are unknown (of its sign nothing is:
    labs write -Z into files that are Z up). A file that says nothing is Z up, as most are.
    """
    upright = _head_above_feet(labels, positions)
    if upright is not None:
        return upright
    screen = next(iter(contents.texts("POINT", "Y_SCREEN")), "").upper()
    return "Y" if screen.endswith("Y") else "Z"


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
