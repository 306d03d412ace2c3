# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the markers of C3D files.

A reader of our own, because none that is kept up can be trusted with any file: ezc3d 1.7.2 crashes the process on damaged files and on
some sound ones, reads others for ever, stops at 65,535 frames, knows no MIPS files, and cannot be told what a file's size proves of its
layout. This one needs numpy alone, so that Blender's own Python can read wherever Blender runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.findings import Finding
from ..core.take import Axis, BonesetterError, BoolArray, FloatArray, Take
from .c3d_layout import Contents, Layout, find_layout, read_contents, read_samples
from .figure import drop_absurd, metres_per_unit, unique_labels, up_axis

#: Lists of points that a lab's model computed, as named in the C3D manual and by Vicon.
MODEL_OUTPUTS = ("ANGLES", "FORCES", "MOMENTS", "POWERS", "SCALARS", "REACTIONS")

#: Rates that a camera system has, in Hz.
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 1.0, 10_000.0


@dataclass(frozen=True, eq=False)
class C3D:
    """A file that was read.

    Attributes:
        contents: Its header and parameters.
        layout: Of its samples.
        points: {label of the take: place of its point in a frame}.
        scale: What integers, and all residuals, are counted in, in the file's unit.
        metres: Per unit.
        take: Its markers.
    """

    contents: Contents
    layout: Layout
    points: dict[str, int]
    scale: float
    metres: float
    take: Take


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
    return open_c3d(path).take


def open_c3d(path: Path) -> C3D:
    """The same, with where in the file the samples are.

    Raises:
        BonesetterError: See `read_c3d`.
    """
    path = Path(path)
    contents = read_contents(path)
    layout = find_layout(contents)
    findings: list[Finding] = []
    rate = _rate_hz(contents, findings)
    names = unique_labels(contents.texts("POINT", "LABELS"), layout.points)
    markers = _markers(contents, names, findings)
    labels = tuple(names[marker] for marker in markers)
    scale = _scale(contents, layout)
    positions, residuals = _samples(contents, layout, markers, scale)
    unit = next(iter(contents.texts("POINT", "UNITS")), "")
    metres = metres_per_unit(unit, f"{path.name}: POINT:UNITS", labels, positions, findings)
    positions *= metres
    residuals *= metres
    drop_absurd(positions, residuals, findings)
    take = Take(
        name=path.stem,
        labels=labels,
        positions=positions,
        residuals=residuals,
        rate_hz=rate,
        first_frame=contents.header.first_frame,
        up_axis=_up_axis(contents, labels, positions),
        findings=tuple(findings),
        source=str(path.resolve()),
    )
    return C3D(contents, layout, dict(zip(labels, markers, strict=True)), scale, metres, take)


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


def _samples(contents: Contents, layout: Layout, markers: list[int], scale: float) -> tuple[FloatArray, FloatArray]:
    """Positions (frames, markers, 3), NaN where missing, and residuals (frames, markers), both in the file's unit.

    The fourth word of a sample is negative where it is invalid; else its high byte is the residual, in units of the scale, and its low
    byte says which cameras saw it. In files of floats it is that number as a float.
    """
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


def _up_axis(contents: Contents, labels: tuple[str, ...], positions: FloatArray) -> Axis:
    """Which axis of the file points up.

    The figure itself is the best witness: where its head stands above its feet, that axis is up. Y_SCREEN, which names the
    axis that points up on the screen, is only believed when the figure lies or its labels are unknown (of its sign nothing is:
    labs write -Z into files that are Z up). A file that says nothing is Z up, as most are.
    """
    screen = next(iter(contents.texts("POINT", "Y_SCREEN")), "").upper()
    return up_axis(labels, positions, "Y" if screen.endswith("Y") else "Z")
