# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays in npz files as `numpy.savez` writes them: read within bounds, without running anything that a file may hold."""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

#: What an array holds: kinds of numpy's types.
NUMBERS, WHOLE_NUMBERS, TEXT, FLAGS = "fiu", "iu", "U", "b"
#: What zipfile and numpy raise of damaged files; numpy reads an array's header as Python's text, without running it.
DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, KeyError, TypeError),
    *(RuntimeError, NotImplementedError, SyntaxError, tokenize.TokenError),
)


#: {name: (what an array holds, its shape)}. A length that is given by a letter is any, the same wherever the letter stands.
Wanted = Mapping[str, tuple[str, tuple[int | str, ...]]]


def read_arrays(path: Path, wanted: Wanted, optional: Wanted | None = None) -> dict[str, NDArray]:
    """Read the wanted arrays.

    Args:
        path: The file.
        wanted: Those that must be there.
        optional: Those that may lack, and are checked where they do not.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no npz, or lacks an array, or one is of another kind or shape; the text says so in a few words.
    """
    lengths: dict[str, int] = {}
    arrays = _loaded(path, list(wanted), list(optional or ()))
    for name, (kinds, shape) in {**wanted, **(optional or {})}.items():
        if name not in arrays:
            continue
        array = arrays[name]
        if array.dtype.kind not in kinds or array.ndim != len(shape):
            raise ValueError(f"its {name} are of another kind")
        for length, asked in zip(array.shape, shape, strict=True):
            if length != (lengths.setdefault(asked, length) if isinstance(asked, str) else asked):
                raise ValueError(f"its {name} are of the shape {array.shape}")
    return arrays


def _loaded(path: Path, names: list[str], optional: list[str]) -> dict[str, NDArray]:
    try:
        with zipfile.ZipFile(path) as file:
            members = file.infolist()
            # savez compresses nothing, so a file that grows as it is read is none of its
            if sum(member.file_size for member in members) > path.stat().st_size:
                raise ValueError("it holds more than it is large")
        with np.load(path, allow_pickle=False) as arrays:
            if lacking := [name for name in names if name not in arrays]:
                raise ValueError(f"it lacks {lacking[0]}")
            return {name: np.asarray(arrays[name]) for name in names + [name for name in optional if name in arrays]}
    except DAMAGED as error:
        raise ValueError("it is no npz, or damaged") from error
    except MemoryError as error:
        raise ValueError("its arrays are larger than the memory") from error
