# SPDX-License-Identifier: GPL-3.0-or-later
"""Banded systems, symmetric positive definite or triangular, solved by LAPACK without holding Python's lock.

scipy's own `solveh_banded` and `dtbtrs` make the same calls, to the same bits, but hold the lock meanwhile, so that windows in several
threads would wait for one another, and the former looks through the matrix for what it does not need. The routines are taken from
`scipy.linalg.cython_lapack`, which offers them to other languages; ctypes lets go of the lock during a call.
"""

from __future__ import annotations

import ctypes
import threading
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import (
    LinAlgError,
    cython_lapack,  # pyright: ignore[reportAttributeAccessIssue]  # compiled, without stubs
)
from torch import Tensor

_INT = ctypes.POINTER(ctypes.c_int)
#: What LAPACK's routines for banded systems take last: N, KD, NRHS, AB, LDAB, B, LDB, INFO.
_SYSTEM = (_INT, _INT, _INT, ctypes.c_void_p, _INT, ctypes.c_void_p, _INT, _INT)
#: Those for positive definite ones by the type of the numbers, which take UPLO before; and for triangular ones: UPLO, TRANS, DIAG.
_POSITIVE = {np.dtype(np.float32): "spbsv", np.dtype(np.float64): "dpbsv"}
_TRIANGULAR = "dtbtrs"

_memory = threading.local()


def scratch(count: int, like: Tensor) -> Tensor:
    """Memory for so many numbers of a type on a device, the same one for every call of a thread.

    A window's band is by far the largest thing that a step makes. Getting its pages from the operating system anew, step by step, takes
    a fifth of the time of a solve.

    Returns:
        (count,), holding anything; it is valid until the next call in the same thread.
    """
    memory: Tensor | None = getattr(_memory, "numbers", None)
    if memory is None or len(memory) < count or memory.dtype != like.dtype or memory.device != like.device:
        memory = _memory.numbers = torch.empty(count, dtype=like.dtype, device=like.device)
    return memory[:count]


def solve_banded(band: NDArray[np.floating], right: NDArray[np.floating]) -> None:
    """Solve A x = b by Cholesky factors; x takes the place of b, and the factors that of A.

    Args:
        band: (n, width), contiguous; band[c, k] is A[c + k, c], so the diagonal stands in column 0.
        right: (n,), contiguous, of the same type, single or double precision: b.

    Raises:
        LinAlgError: A is not positive definite.
    """
    if band.dtype not in _POSITIVE or right.dtype != band.dtype:
        raise TypeError("the band and the right side must be of one floating type")
    if right.shape != band.shape[:1]:
        raise ValueError(f"a right side of shape {right.shape} does not go with {len(band)} unknowns")
    if row := _solved(_POSITIVE[band.dtype], (b"L",), band, right):
        raise LinAlgError(f"the matrix is not positive definite in row {row}")


def solve_unit_triangle(band: NDArray[np.floating], right: NDArray[np.floating]) -> None:
    """Solve L x = b for several b, with L a band below a diagonal of ones; x takes the place of b.

    Args:
        band: (n, width), contiguous, in double precision; band[c, k] is L[c + k, c], so column 0 stands for the diagonal, and is not
            looked at.
        right: (systems, n), contiguous: b of each.
    """
    if band.dtype != np.float64 or right.dtype != np.float64:
        raise TypeError("the band and the right sides must be in double precision")
    _solved(_TRIANGULAR, (b"L", b"N", b"U"), band, right)


def _solved(routine: str, kind: tuple[bytes, ...], band: NDArray[np.floating], right: NDArray[np.floating]) -> int:
    """Let LAPACK solve the systems in place; the row, counted from 1, in which it fails, or 0."""
    if not band.flags.c_contiguous or not right.flags.c_contiguous:
        raise TypeError("the band and the right side must be contiguous")
    count, width = band.shape
    n, below, systems, columns = (ctypes.c_int(value) for value in (count, width - 1, right.size // count, width))
    info = ctypes.c_int()
    _routine(routine, len(kind))(*kind, n, below, systems, band.ctypes.data, columns, right.ctypes.data, n, ctypes.byref(info))
    return info.value


@cache
def _routine(name: str, letters: int) -> Any:
    """A routine of LAPACK that takes so many letters, which say of what kind the matrix is, and then a banded system."""
    capsule = cython_lapack.__pyx_capi__[name]
    capsule_name, pointer = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    capsule_name.restype, capsule_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    takes = ctypes.CFUNCTYPE(None, *(ctypes.c_char_p,) * letters, *_SYSTEM)
    return takes(pointer(capsule, capsule_name(capsule)))
