# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a solution as npz, for other programs: metres on the take's own axes, quaternions w x y z."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from ..atomic import replacing
from ..solution import Solution
from ..take import BonesetterError, FloatArray

KEYS = ("joints", "positions", "markers", "rotations", "parents", "offsets", "labels", "rate_hz", "markers_model")


def write_npz(solution: Solution, path: Path) -> None:
    """Write the arrays of `KEYS`.

    `joints` (their names, 31 in the bundled hierarchy), `positions` (frames, joints, 3), `rotations` (frames, joints, 4) local from
    the zero pose, `parents`, `offsets` (joints, 3), `labels`, `rate_hz`, `markers` (frames, labels, 3), the cleaned input with NaN
    where nothing is known, and `markers_model`, of the same shape, the solver's own for every frame.
    """
    skeleton = solution.actor.skeleton
    arrays = {
        "joints": np.array(skeleton.joints, dtype=str),
        "positions": solution.positions,
        "markers": solution.clean.positions,
        "rotations": solution.rotations,
        "parents": np.array(skeleton.parents),
        "offsets": skeleton.offsets,
        "labels": np.array(solution.clean.take.labels, dtype=str),
        "rate_hz": np.array(solution.clean.take.rate_hz),
        "markers_model": solution.markers_model,
    }
    with replacing(path, binary=True) as stream:
        np.savez(stream, **arrays)


def read_npz(path: Path) -> dict[str, FloatArray]:
    """The arrays that `write_npz` wrote.

    Raises:
        BonesetterError: The file cannot be read or is no solved take.
    """
    try:
        with np.load(path) as arrays:
            return {key: arrays[key] for key in KEYS}
    except OSError as error:
        raise BonesetterError(f"{path.name} cannot be read ({error.strerror}): choose an .npz that Bonesetter wrote.") from error
    except (ValueError, KeyError, BadZipFile) as error:
        raise BonesetterError(f"{path.name} is no solved take: choose an .npz that Bonesetter wrote.") from error
