# SPDX-License-Identifier: GPL-3.0-or-later
"""Where torch computes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ..core.errors import BonesetterError


def find_device(name: str) -> torch.device:
    """The torch device of that name; "auto" is a GPU where torch finds one on which it computes, else the CPU.

    Raises:
        BonesetterError: Torch cannot use it here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() and _failure("cuda") is None else "cpu")
    if (error := _failure(name)) is not None:
        raise BonesetterError(f"Torch cannot compute on {name!r} here: choose auto or cpu.") from error
    return torch.device(name)


def _failure(name: str) -> Exception | None:
    """Why torch cannot compute on a device: it is not there, or is a GPU older or newer than what torch was built for."""
    try:
        torch.ones(1, device=torch.device(name)).add(1).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        return error
    return None


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Within the block torch computes in the thread that calls it: sums in several threads would be rounded in another order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
