# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints: all that a training needs to go on as if it had never been stopped, in one file that is whole or not there."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ..core.errors import BonesetterError
from ..storage.atomic import replacing


def random_state() -> dict[str, Any]:
    """Where this process's random numbers of torch are: the CPU's and each GPU's, which draws its dropout by itself."""
    return {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []}


def restore_random(state: Mapping[str, Any] | Tensor) -> None:
    """Go on from a `random_state`, of as many GPUs as there are now; checkpoints of earlier versions hold the CPU's alone."""
    if isinstance(state, Tensor):
        state = {"cpu": state, "cuda": []}
    # torch wants all of them in the CPU's memory, wherever the checkpoint was read to
    torch.set_rng_state(state["cpu"].cpu())
    if torch.cuda.is_available():
        torch.cuda.set_rng_state_all([each.cpu() for each in state["cuda"][: torch.cuda.device_count()]])


def write_checkpoint(path: Path, run: Mapping[str, Any], network: nn.Module, optimiser: Optimizer, **more: Any) -> None:
    """Write a checkpoint.

    Args:
        path: The file.
        run: All that decides what the training does; a checkpoint of another run is refused.
        network, optimiser: Their state is kept.
        more: What else the training wants back.
    """
    state = {"run": dict(run), "network": network.state_dict(), "optimiser": optimiser.state_dict(), **more}
    with replacing(path, binary=True) as stream:
        torch.save(state, stream)


def read_checkpoint(path: Path, run: Mapping[str, Any], device: torch.device) -> dict[str, Any] | None:
    """What `write_checkpoint` wrote, `more` among it; None where there is none.

    Raises:
        BonesetterError: It cannot be read, or is another run's.
    """
    if not path.exists():
        return None
    try:
        state = cast(dict[str, Any], torch.load(path, map_location=device, weights_only=True))
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise BonesetterError(f"{path} cannot be read: begin again with --restart.") from error
    if state["run"] != dict(run):
        raise BonesetterError(f"{path.parent} holds another run, or an older form of this one: begin again with --restart.")
    return state
