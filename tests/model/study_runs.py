# SPDX-License-Identifier: GPL-3.0-or-later
"""Tiny runs of the study: their files, their training, and what it leaves in a folder."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from scipy.spatial.transform import Rotation
from torch import Tensor

from model.actors.prior import bundled
from model.core.motion import Motion
from model.core.skeleton import CMU_JOINTS
from model.files.asf_amc import ASF_TO_C3D
from model.study.run_file import Run, read_table
from model.study.trainer import Epoch, Trainer
from model.synthetic.synthesis import SyntheticTake

CPU = torch.device("cpu")
#: 192 frames in four steps: an epoch takes some hundredths of a second.
TINY = {"epochs": 3, "clips": 8, "frames": 24, "batch": 48, "validation_clips": 4, "learning_rate": 3e-3}


def tables(kind: str = "linear", options: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A tiny run's file."""
    chosen = {"width": 16} if options is None else options
    base = {"network": {"kind": kind, "options": chosen}, "loss": {"l1": 1.0}, "corruption": {"jitter": {}, "occlusion": {}}}
    return {**base, **more, "training": {**TINY, **more.get("training", {})}}


def toml(table: dict[str, Any]) -> str:
    """Enough of TOML for a run."""
    lines = []
    for name, value in table.items():
        inner = "{" + ", ".join(toml({k: v}).strip() for k, v in value.items()) + "}" if isinstance(value, dict) else json.dumps(value)
        lines.append(f"{name} = {inner}")
    return "\n".join(lines) + "\n"


def nodding(synthetic: SyntheticTake, degrees: float, frames: slice) -> Motion:
    """A part of the synthetic motion on the ASF's axes with the neck rotated by always the same angle, to be known by."""
    motion = synthetic.motion.on_axes(ASF_TO_C3D.T)
    rotations = motion.rotations[frames].copy()
    rotations[:, CMU_JOINTS.index("Neck1")] = Rotation.from_euler("x", degrees, degrees=True).as_matrix()
    return replace(motion, rotations=rotations, root=motion.root[frames])


#: How far who nods in which split, in degrees.
NODS = {"train": 10.0, "validation": 30.0, "test": 50.0}


class KilledError(Exception):
    """Stands for whatever ends a process."""


def trained(folder: Path, run: Run, stop: int = 0) -> list[Epoch]:
    """Train a run, killed after an epoch if that is said; its history."""

    def told(epoch: Epoch) -> None:
        if epoch.epoch == stop:
            raise KilledError

    trainer = Trainer(run, folder, bundled(), CPU)
    with suppress(KilledError):
        trainer.train(told)
    return trainer.history


def weights(folder: Path) -> dict[str, Tensor]:
    with safe_open(folder / "weights.safetensors", framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def state(folder: Path) -> dict[str, Any]:
    return torch.load(folder / "checkpoint.pt", weights_only=True)


def timeless(history: list[Epoch]) -> list[Epoch]:
    return [replace(epoch, seconds=0.0) for epoch in history]


def identical(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def read(**more: Any) -> Run:
    return read_table(tables(**more), "tiny")
