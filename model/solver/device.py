# SPDX-License-Identifier: GPL-3.0-or-later
"""Where torch computes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ..core.errors import BonesetterError


def find_device(name: str) -> torch.device:
    """The torch device of that name; "auto" is a GPU where torch finds one, else the CPU.

    Raises:
        BonesetterError: Torch cannot use it here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise BonesetterError(f"Torch cannot compute on {name!r} here: choose auto or cpu.") from error
    return device


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Within the block torch computes in the thread that calls it: sums in several threads would be rounded in another order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
