# SPDX-License-Identifier: GPL-3.0-or-later
"""A training run as one TOML file. docs/training.md explains it with an example."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import dacite

from ..core.errors import BonesetterError
from .preprocessing import Preprocessing


@dataclass(frozen=True)
class NetworkSettings:
    """Which network, and its own options."""

    kind: str
    options: dict[str, int | float] = field(default_factory=dict)


@dataclass(frozen=True)
class RootSettings:
    """Whether the root has a network of its own, of the same kind, which markers that one sees, and its options if not the same."""

    learned: Literal["together", "apart"] = "together"
    markers: Literal["all", "body"] = "all"
    options: dict[str, int | float] | None = None


@dataclass(frozen=True)
class TrainingSettings:
    """How long and how.

    Attributes:
        epochs: Pools to train on.
        clips, frames: Windows of a pool, and their length.
        window: Frames that the network sees at once.
        batch: Frames of a step.
        learning_rate: At the beginning; it falls to a hundredth along a cosine.
        cooldown: How many of the epochs, the last ones, are trained at that hundredth, so that the curve of validation can become flat.
        weight_decay: Of AdamW.
        patience: Epochs without a better validation after which the run ends; 0: never.
        validation_clips: Windows of the validation's pool.
        motion: The splits to train on.
    """

    epochs: int = 20
    clips: int = 128
    frames: int = 240
    window: int = 1
    batch: int = 256
    learning_rate: float = 1e-3
    cooldown: int = 0
    weight_decay: float = 1e-2
    patience: int = 0
    validation_clips: int = 48
    motion: list[Literal["train", "poses"]] = field(default_factory=lambda: ["train"])

    def __post_init__(self) -> None:
        """Refuse what cannot be trained.

        Raises:
            BonesetterError: A number makes no sense.
        """
        for name in ("epochs", "clips", "frames", "window", "batch", "validation_clips"):
            if getattr(self, name) < 1:
                raise BonesetterError(f"training.{name} is {getattr(self, name)}: it must be 1 or more.")
        if self.window > self.frames:
            raise BonesetterError(f"training.window is {self.window}: it must not be longer than the {self.frames} frames of a clip.")
        pool = self.clips * (self.frames // self.window) * self.window
        if not self.window <= self.batch <= pool:
            raise BonesetterError(f"training.batch is {self.batch}: it must hold a window ({self.window}) and fit into a pool ({pool}).")
        if not min(self.patience, self.learning_rate, self.weight_decay) >= 0:
            raise BonesetterError("training.patience, learning_rate and weight_decay must not be negative.")
        if not 0 <= self.cooldown < self.epochs:
            raise BonesetterError(f"training.cooldown is {self.cooldown}: it must not be negative, and less than the {self.epochs} epochs.")
        if not self.motion:
            raise BonesetterError("training.motion names no split: leave it out, or choose train, poses or both.")


@dataclass(frozen=True)
class Run:
    """All settings of a run.

    Attributes:
        name: The file's stem.
        network, root, preprocessing, training: See there.
        loss: {loss: weight}.
        corruption: {corruption: parameters}, in order.
        output: How rotations are written.
        normalise: Inputs to mean 0 and deviation 1, per "axis" or per "feature".
        joint_weights: {joint: how much it counts}; 1 for the others.
        seed: Decides everything.
    """

    name: str
    network: NetworkSettings
    loss: dict[str, float]
    corruption: dict[str, dict[str, int | float]]
    root: RootSettings = field(default_factory=RootSettings)
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    output: Literal["matrix", "quaternion", "raw quaternion", "6d"] = "matrix"
    normalise: Literal["none", "axis", "feature"] = "none"
    joint_weights: dict[str, float] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what does not go together.

        Raises:
            BonesetterError: The seed is negative, or the loss wants another output.
        """
        if self.seed < 0:
            raise BonesetterError(f"The seed is {self.seed}: it must be 0 or more.")
        if "quaternion" in self.loss and "quaternion" not in self.output:
            raise BonesetterError(f'The loss "quaternion" cannot judge the output "{self.output}": choose the output "quaternion".')


def read_run(path: Path) -> Run:
    """Read a run.

    Raises:
        BonesetterError: The file is no TOML, or says something that no run knows.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BonesetterError(f"{path} is not TOML ({error}): see docs/training.md.") from error
    return read_table(table, path.stem)


def read_table(table: Mapping[str, Any], name: str) -> Run:
    """A run from the tables of a file.

    Raises:
        BonesetterError: They say something that no run knows.
    """
    try:
        return dacite.from_dict(Run, {**table, "name": name}, dacite.Config(strict=True))
    except dacite.DaciteError as error:
        raise BonesetterError(f"The run {name} is not complete or not known ({error}): see docs/training.md.") from error
