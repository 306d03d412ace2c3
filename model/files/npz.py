# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a solution as npz, for other programs: metres on the take's own axes, quaternions w x y z."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BonesetterError
from ..result.prop import Prop
from ..result.solution import Solution
from ..storage.arrays import FLAGS, NUMBERS, TEXT, WHOLE_NUMBERS, read_arrays
from ..storage.atomic import replacing

#: What is in the file: see `arrays.read_arrays`. F frames, J joints, L labels.
ARRAYS = {
    "joints": (TEXT, ("J",)),
    "positions": (NUMBERS, ("F", "J", 3)),
    "markers": (NUMBERS, ("F", "L", 3)),
    "rotations": (NUMBERS, ("F", "J", 4)),
    "parents": (WHOLE_NUMBERS, ("J",)),
    "offsets": (NUMBERS, ("J", 3)),
    "labels": (TEXT, ("L",)),
    "rate_hz": (NUMBERS, ()),
    "markers_model": (NUMBERS, ("F", "L", 3)),
}
#: The same of what files of earlier versions lack.
LATER = {
    "keyed": (FLAGS, ("F", "J")),
    "present": (FLAGS, ("F", "L")),
    "trusted": (FLAGS, ("F", "L")),
    "up_axis": (TEXT, ()),
}


def write_npz(solution: Solution, path: Path) -> None:
    """Write the arrays of `arrays_of`."""
    arrays: dict[str, Any] = {**arrays_of(solution)}
    with replacing(path, binary=True) as stream:
        np.savez(stream, **arrays)


def arrays_of(solution: Solution) -> dict[str, NDArray]:
    """A solution as arrays for other programs.

    `joints` (their names, 31 in the bundled hierarchy), `positions` (frames, joints, 3), `rotations` (frames, joints, 4) local from
    the zero pose, `parents`, `offsets` (joints, 3), `labels`, `rate_hz`, `markers` (frames, labels, 3), the cleaned input with NaN
    where nothing is known, and `markers_model`, of the same shape, the solver's own for every frame. Beside them `keyed` (frames, joints)
    is false where the pose of a joint is guessed, since no marker tells of it, `present` and `trusted` (frames, labels) are true where the
    file has a sample, and where that was not flagged, and `up_axis` is the axis that points up; files of earlier versions lack these.
    Where the take has props there are `props` (P names), `prop_positions` (P, frames, 3), `prop_rotations` (P, frames, 4) and
    `prop_keyed` (P, frames), see `Prop`.
    """
    skeleton = solution.actor.skeleton
    return {
        "joints": np.array(skeleton.joints, dtype=str),
        "positions": solution.positions,
        "markers": solution.clean.positions,
        "rotations": solution.rotations,
        "parents": np.array(skeleton.parents),
        "offsets": skeleton.offsets,
        "labels": np.array(solution.clean.take.labels, dtype=str),
        "rate_hz": np.array(solution.clean.take.rate_hz),
        "markers_model": solution.markers_model,
        "keyed": np.ones(solution.rotations.shape[:2], dtype=bool) if solution.keyed is None else solution.keyed,
        "present": solution.clean.take.present,
        "trusted": solution.clean.trusted,
        "up_axis": np.array(solution.clean.take.up_axis, dtype=str),
        **(prop_arrays(solution.props, len(solution.rotations)) if solution.props else {}),
    }


def prop_arrays(props: Sequence[Prop], frames: int) -> dict[str, NDArray]:
    """Props as arrays, see `write_npz`; of shape (0, frames, ...) where there are none."""
    return {
        "props": np.array([prop.name for prop in props], dtype=str),
        "prop_positions": np.array([prop.positions for prop in props]).reshape(-1, frames, 3),
        "prop_rotations": np.array([prop.rotations for prop in props]).reshape(-1, frames, 4),
        "prop_keyed": np.array([prop.keyed for prop in props], dtype=bool).reshape(-1, frames),
    }


def read_npz(path: Path) -> dict[str, NDArray]:
    """The arrays that `write_npz` wrote; of `LATER` those that are there.

    Raises:
        BonesetterError: The file cannot be read or is no solved take.
    """
    try:
        arrays = read_arrays(path, ARRAYS, LATER)
        if not all(np.isfinite(arrays[name]).all() for name in ("positions", "rotations", "offsets", "markers_model")):
            raise ValueError("a number in it is not finite")
        if (arrays["parents"] >= np.arange(len(arrays["joints"]))).any() or not len(arrays["positions"]):
            raise ValueError("it has no frames, or joints before their parents")
    except OSError as error:
        raise BonesetterError(f"{path.name} cannot be read ({error.strerror}): choose an .npz that Bonesetter wrote.") from error
    except ValueError as error:
        raise BonesetterError(f"{path.name} is no solved take ({error}): choose an .npz that Bonesetter wrote.") from error
    return arrays
