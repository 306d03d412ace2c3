# SPDX-License-Identifier: GPL-3.0-or-later
"""Cleaned markers as C3D: put into a copy of the file that they come from, all else of which stays as it is.

Analog channels, events, parameters and the points that are not solved are the source's own bytes. Only samples that cleaning changed
are written: what was flagged, filled, or put under another label.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..core.take import BonesetterError, CleanTake, FloatArray, all_finite
from ..result.solution import Solution
from ..storage.atomic import replacing
from .c3d import C3D, open_c3d
from .c3d_layout import sample_bytes
from .c3d_parameters import MIPS, floats, stored

#: Positions that are nearer than this in metres are the same.
SAME_M = 1e-9
#: Of a sample without cameras: one that was filled, and one that is missing.
FILLED, MISSING = 0, -1
#: The residual has seven bits, in the upper byte of the fourth word.
LARGEST_RESIDUAL = 127


def write_clean_c3d(solution: Solution, path: Path) -> None:
    """Write the cleaned markers of a solution, in a copy of the take's C3D file or, where it comes from none, in a new file.

    Args:
        solution: Of any take.
        path: Replaced if it exists.

    Raises:
        BonesetterError: The file cannot be written, or a new one could not count the frames.
    """
    clean = solution.clean
    source = _source(clean)
    if source is None:
        from .c3d_writer import write_c3d  # not above: Blender's Python has no ezc3d

        write_c3d(replace(clean.take, positions=clean.positions), path)
        return
    with replacing(path, binary=True) as stream, source.contents.path.open("rb") as original:
        stream.write(original.read(source.layout.start))
        for first, data in sample_bytes(source.contents, source.layout):
            stream.write(_patched(source, clean, first, data))
        original.seek(source.layout.end)
        while rest := original.read(1 << 20):
            stream.write(rest)


def _source(clean: CleanTake) -> C3D | None:
    """The C3D file of a take; None where it comes from none, or that is not the same take any more."""
    path = Path(clean.take.source) if clean.take.source else None
    if path is None or path.suffix.lower() != ".c3d" or not path.is_file():
        return None
    try:
        source = open_c3d(path)
    except BonesetterError:
        return None
    known = set(clean.take.in_file) <= set(source.points)
    return source if known and source.take.frames == clean.take.frames else None


def _patched(source: C3D, clean: CleanTake, first: int, data: bytes) -> bytes:
    """The bytes of some frames with the cleaned markers in them."""
    layout, processor = source.layout, source.contents.processor
    raw = np.frombuffer(data, "<u4" if layout.is_float else "<u2").reshape(-1, layout.frame_words).copy()
    frames = slice(first, first + len(raw))
    columns = 4 * np.array([source.points[name] for name in clean.take.in_file])[:, None] + np.arange(4)
    wanted, quality = _words(source, clean, frames)
    if layout.is_float:
        before = floats(raw.tobytes(), processor).reshape(raw.shape)[:, columns]
        encoded = stored(np.concatenate([wanted, quality[..., None]], axis=-1), processor)
    else:
        order = ">i2" if processor == MIPS else "<i2"
        before = np.frombuffer(raw.tobytes(), order).reshape(raw.shape)[:, columns].astype(float)
        before[..., :3] *= source.scale
        whole = np.concatenate([np.rint(wanted / source.scale).clip(-32768, 32767), quality[..., None]], axis=-1)
        encoded = whole.astype(order).view("<u2")
    changed = _differ(before, wanted, quality, source.metres)
    raw[:, columns] = np.where(changed[..., None], encoded, raw[:, columns])
    return raw.tobytes()


def _words(source: C3D, clean: CleanTake, frames: slice) -> tuple[FloatArray, FloatArray]:
    """Of the frames the positions (frames, labels, 3) in the file's unit, 0 where missing, and the fourth words (frames, labels)."""
    positions = clean.positions[frames] / source.metres
    known = all_finite(positions)
    residual = np.rint(clean.take.residuals[frames] / (source.metres * source.scale)).clip(0, LARGEST_RESIDUAL)
    quality = np.where(known, np.where(clean.trusted[frames], residual * 256, FILLED), MISSING)
    return np.where(known[..., None], positions, 0.0), quality


def _differ(before: FloatArray, wanted: FloatArray, quality: FloatArray, metres: float) -> np.ndarray:
    """(frames, labels): where the file has another sample, or has one where none is wanted, or the other way round."""
    with np.errstate(invalid="ignore", over="ignore"):
        moved = ~(np.abs(before[..., :3] * metres - wanted * metres) < SAME_M).all(axis=-1)
        was_missing = ~(before[..., 3] >= 0) | (before[..., :3] == 0).all(axis=-1) | ~np.isfinite(before[..., :3]).all(axis=-1)
    is_missing = quality < 0
    return np.where(is_missing, ~was_missing, moved | was_missing)
