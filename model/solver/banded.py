# SPDX-License-Identifier: GPL-3.0-or-later
"""Banded symmetric positive definite systems, solved by LAPACK without holding Python's lock.

scipy's own `solveh_banded` makes the same call, to the same bits, but holds the lock meanwhile, so that windows in several threads would
wait for one another, and looks through the matrix for what it does not need. The routine is taken from `scipy.linalg.cython_lapack`,
which offers it to other languages; ctypes lets go of the lock during a call.
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
#: LAPACK's drivers by the type of the numbers, and what they take: UPLO, N, KD, NRHS, AB, LDAB, B, LDB, INFO.
_DRIVERS = {np.dtype(np.float32): "spbsv", np.dtype(np.float64): "dpbsv"}
_ARGUMENTS = ctypes.CFUNCTYPE(None, ctypes.c_char_p, _INT, _INT, _INT, ctypes.c_void_p, _INT, ctypes.c_void_p, _INT, _INT)

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
    count, width = band.shape
    if band.dtype not in _DRIVERS or right.dtype != band.dtype or not band.flags.c_contiguous or not right.flags.c_contiguous:
        raise TypeError("the band and the right side must be contiguous and of one floating type")
    if right.shape != (count,):
        raise ValueError(f"a right side of shape {right.shape} does not go with {count} unknowns")
    n, below, one, rows = (ctypes.c_int(value) for value in (count, width - 1, 1, width))
    info = ctypes.c_int()
    _driver(_DRIVERS[band.dtype])(b"L", n, below, one, band.ctypes.data, rows, right.ctypes.data, n, ctypes.byref(info))
    if info.value:
        raise LinAlgError(f"the matrix is not positive definite in row {info.value}")


@cache
def _driver(routine: str) -> Any:
    capsule = cython_lapack.__pyx_capi__[routine]
    name, pointer = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return _ARGUMENTS(pointer(capsule, name(capsule)))
