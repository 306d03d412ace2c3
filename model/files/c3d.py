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

from ..core.errors import BonesetterError
from ..core.findings import Finding
from ..core.take import Axis, BoolArray, FloatArray, Take, number_type
from ..markers.upright import decide_up
from .c3d_layout import Contents, Layout, find_layout, read_contents, read_samples
from .figure import believable_rate, drop_absurd, metres_per_unit, unique_labels

#: Lists of points that a lab's model computed, as named in the C3D manual and by Vicon.
MODEL_OUTPUTS = ("ANGLES", "FORCES", "MOMENTS", "POWERS", "SCALARS", "REACTIONS")


@dataclass(frozen=True, eq=False)
class Source:
    """A C3D file as it was read, for whoever writes into a copy of it.

    Attributes:
        contents: All of it that is not samples.
        layout: Where the samples are.
        points: Of each of the take's markers, its place among the points of a frame.
        metres: Per unit of the file.
        scale: What residuals, and positions that are integers, are counted in, in the file's unit.
        take: Its markers.
    """

    contents: Contents
    layout: Layout
    points: tuple[int, ...]
    metres: float
    scale: float
    take: Take

    def read_bytes(self) -> bytes:
        """The whole file.

        Raises:
            BonesetterError: It is no longer as large as when it was read.
        """
        content = self.contents.path.read_bytes()
        if len(content) != self.contents.size:
            raise BonesetterError(f"{self.contents.path.name} changed while it was read: try again.")
        return content


def c3d_of(take: Take) -> Path | None:
    """The C3D that a take comes from; None where it comes from none, or that is gone."""
    path = take.source
    return path if path is not None and path.suffix.lower() == ".c3d" and path.is_file() else None


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
    return read_source(path).take


def read_source(path: Path) -> Source:
    """Read a C3D file as `read_c3d` does, with where all of it lies."""
    path = Path(path)
    contents = read_contents(path)
    layout = find_layout(contents)
    findings: list[Finding] = []
    rates = (("POINT:RATE", contents.number("POINT", "RATE")), ("the header", contents.header.rate_hz))
    rate = believable_rate(path.name, "POINT:RATE", rates, findings)
    names = unique_labels(contents.texts("POINT", "LABELS"), layout.points)
    markers = _markers(contents, names, findings)
    labels = tuple(names[marker] for marker in markers)
    scale = _scale(contents, layout)
    positions, residuals = _samples(contents, layout, markers, scale)
    unit = next(iter(contents.texts("POINT", "UNITS")), "")
    metres = metres_per_unit(path.name, "POINT:UNITS", unit, labels, positions, findings)
    positions *= metres
    residuals *= metres
    drop_absurd(positions, residuals, findings)
    declared, said = _declared_axis(contents)
    up, decided = decide_up(labels, positions, declared, said=said)
    take = Take(
        name=path.stem,
        labels=labels,
        positions=positions,
        residuals=residuals,
        rate_hz=rate,
        first_frame=contents.header.first_frame,
        up_axis=up,
        findings=(*findings, *decided),
    )
    return Source(contents, layout, tuple(markers), metres, scale, take)


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
    kept = number_type(layout.frames)
    positions = np.empty((layout.frames, len(markers), 3), dtype=kept)
    residuals = np.empty((layout.frames, len(markers)), dtype=kept)
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


def _declared_axis(contents: Contents) -> tuple[Axis, bool]:
    """The axis that points up on the screen, which Y_SCREEN names, and whether the file says so.

    Its sign is not believed: labs write -Z into files that are Z up. A file that says nothing is Z up, as most are.
    """
    screen = next(iter(contents.texts("POINT", "Y_SCREEN")), "").upper()
    return ("Y" if screen.endswith("Y") else "Z"), screen.endswith(("Y", "Z"))
