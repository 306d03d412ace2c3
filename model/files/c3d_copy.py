# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the cleaned markers of a solution as C3D: into a copy of the C3D that they come from, so that all else of it is kept.

The samples that were cleaned or relabelled take the place of those of the same markers, under the labels that the file has for them.
Every other byte stays as it is: parameters, events, analog data, other points, and samples that nothing was wrong with. Markers that
come from no C3D make a new one.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..core.take import BoolArray, CleanTake, FloatArray, IntArray, all_finite
from ..result.solution import Solution
from ..storage.atomic import replacing
from .c3d import Source, c3d_of, read_source
from .c3d_parameters import MIPS, stored_floats
from .c3d_writer import write_c3d

#: A position nearer to the file's own is the same: on its way through Blender it lost some digits. In metres.
SAME_M = 1e-5
#: What 16 bits hold, and the largest residual that one byte with a sign does.
LARGEST_WORD, LARGEST_RESIDUAL = 32_767, 127
#: The fourth word of a sample that is missing; that of one that was computed is 0.
INVALID = -1.0


def write_cleaned_c3d(solution: Solution, path: Path) -> None:
    """Write the cleaned markers as C3D; a sample that was filled has the residual 0, one that is missing -1.

    Args:
        solution: Of any take. Where it comes from a C3D that is still there, with these markers and frames, that is copied.
        path: Replaced if it exists, and only once the file is whole.

    Raises:
        BonesetterError: The source cannot be read any more, or the file cannot be written.
    """
    clean = solution.clean
    source = _source(clean)
    if source is None:
        residuals = np.where(clean.trusted, clean.take.residuals, 0.0)
        write_c3d(replace(clean.take, positions=clean.positions, residuals=residuals), path)
        return
    content = _patched(source, clean)
    with replacing(path, binary=True) as stream:
        stream.write(content)


def _source(clean: CleanTake) -> Source | None:
    """The C3D that a take comes from; None where there is none that has its markers and frames."""
    path = c3d_of(clean.take)
    if path is None:
        return None
    source = read_source(path)
    same = source.take.frames == clean.take.frames and set(clean.take.file_labels) <= set(source.take.labels)
    return source if same else None


def _patched(source: Source, clean: CleanTake) -> bytearray:
    """The bytes of the source, with the cleaned samples in it."""
    layout, content = source.layout, bytearray(source.read_bytes())
    count = layout.frames * (4 * layout.points + layout.analog_words)
    words = np.frombuffer(content, "<u4" if layout.is_float else "<u2", count, layout.start).reshape(layout.frames, -1)
    places = {label: marker for marker, label in enumerate(source.take.labels)}
    markers = [places[label] for label in clean.take.file_labels]
    moved: list[tuple[IntArray, FloatArray]] = []
    for row, marker in enumerate(markers):
        new, old = clean.positions[:, row], source.take.positions[:, marker]
        frames = np.flatnonzero(~_same(new, old))
        trusted = clean.trusted[frames, row]
        residuals = np.where(trusted, clean.take.residuals[frames, row], 0.0)
        _write(words, source, marker, frames, new[frames], residuals)
        moved.append((frames[trusted], new[frames[trusted]]))
    others = [marker for marker in range(len(source.take.labels)) if marker not in set(markers)]
    _take_away(words, source, others, moved)
    return content


def _same(new: FloatArray, old: FloatArray) -> BoolArray:
    """(frames,): where two trajectories (frames, 3) agree, also in that both are missing."""
    there = all_finite(new), all_finite(old)
    with np.errstate(invalid="ignore"):
        near = np.abs(new - old).max(axis=-1) <= SAME_M
    return np.asarray((there[0] & there[1] & near) | ~(there[0] | there[1]))


def _take_away(words: np.ndarray, source: Source, others: list[int], moved: list[tuple[IntArray, FloatArray]]) -> None:
    """What was put under a marker's label, from an unlabelled point or a duplicate, is no longer under its own."""
    frames = np.concatenate([frames for frames, _ in moved])
    positions = np.concatenate([positions for _, positions in moved])
    for marker in others if len(frames) else ():
        taken = frames[all_finite(positions) & _same(positions, source.take.positions[frames, marker])]
        _write(words, source, marker, taken, np.full((len(taken), 3), np.nan), np.zeros(len(taken)))


def _write(words: np.ndarray, source: Source, marker: int, frames: IntArray, positions: FloatArray, residuals: FloatArray) -> None:
    """Write samples of a marker into the file's words (frames, words), in place.

    Args:
        words: As they are stored.
        source: Of the file.
        marker: Of the source's take.
        frames: In which its samples change.
        positions: (frames, 3) in metres; NaN where the sample is missing.
        residuals: (frames,) in metres.
    """
    samples = np.empty((len(frames), 4))
    samples[:, :3] = positions / source.metres
    samples[:, 3] = np.rint(residuals / source.metres / source.scale).clip(0, LARGEST_RESIDUAL) * 256
    if not source.layout.is_float:
        samples[:, :3] = np.rint(samples[:, :3] / source.scale)
        samples[np.abs(samples[:, :3]).max(axis=-1) > LARGEST_WORD] = np.nan
    samples[~all_finite(samples)] = 0.0, 0.0, 0.0, INVALID
    first = 4 * source.points[marker]
    words[frames, first : first + 4] = stored(samples, source)


def stored(samples: FloatArray, source: Source) -> np.ndarray:
    """Numbers as the file's words, of its kind and of its processor's order."""
    processor = source.contents.processor
    if source.layout.is_float:
        return np.frombuffer(stored_floats(samples, processor), "<u4").reshape(samples.shape)
    return samples.astype(">i2" if processor == MIPS else "<i2").view("<u2")
