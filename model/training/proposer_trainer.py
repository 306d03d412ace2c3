# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the network that proposes: pool by pool, with a checkpoint after each, resumable to the bit."""

from __future__ import annotations

import math
import time
import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import dacite
import numpy as np
import roma
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ..actors.prior import Prior
from ..core.errors import BonesetterError
from ..core.progress import StageProgress
from ..proposer.network import LEAST_SPREAD, ROOT_M, ROOT_RAD, Estimate, NetworkOutput, Proposer, Size, write_proposer
from ..synthetic.markers import footage_of
from .checkpoint import read_checkpoint, write_checkpoint
from .curve import Epoch
from .proposer_samples import SamplePool, Source
from .schedule import LARGEST_GRADIENT, VALIDATION_SEED, cosine

#: The learning rate rises over this part of the run and ends at this part of itself.
WARMING, LAST_RATE = 0.02, 0.02
#: How much each part of the loss counts beside the last round's pose, whose numbers count 1 on average.
EARLIER_ROUNDS, RELIABILITY, OFFSETS, BONES, ROOT_LOSS = 0.3, 0.3, 0.2, 0.1, 0.15
#: A negative log likelihood lets a network give up hard numbers; weighed by sigma to the power 2 BETA it does less (Seitzer et al.
#: 2022, arXiv 2203.09168).
BETA = 0.35
#: Truths further off than this many deviations of the prior are a file's glitch, and teach nothing.
GLITCH = 6.0


@dataclass(frozen=True)
class Mixed:
    """A recipe of corruptions and how often a take gets it."""

    chance: float
    recipe: dict[str, dict[str, int | float]]


@dataclass(frozen=True)
class ProposerRun:
    """All settings of a run.

    Attributes:
        name: The file's stem.
        mix: {what it is called: recipe and chance}.
        size: Of the network.
        pools: To train on, each `passes` times.
        actors, together, frames: Actors of a pool, windows of each, frames of a window at 15 Hz.
        batch: Actors of a step.
        learning_rate, weight_decay: Of AdamW.
        validation_actors: Of the validation's pool.
        motion: The splits to train on.
        seed: Decides everything.
    """

    name: str
    mix: dict[str, Mixed]
    size: Size = field(default_factory=Size)
    pools: int = 100
    passes: int = 2
    actors: int = 128
    together: int = 3
    frames: int = 24
    batch: int = 8
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    validation_actors: int = 96
    motion: list[Literal["train", "poses"]] = field(default_factory=lambda: ["train", "poses"])
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be trained.

        Raises:
            BonesetterError: A number makes no sense.
        """
        for name in ("pools", "passes", "actors", "together", "frames", "batch", "validation_actors"):
            if getattr(self, name) < 1:
                raise BonesetterError(f"{name} is {getattr(self, name)}: it must be 1 or more.")
        if not self.mix or not self.motion or self.seed < 0:
            raise BonesetterError("The run needs a mix of corruptions, motion, and a seed of 0 or more.")


def read_run(path: Path) -> ProposerRun:
    """Read a run.

    Raises:
        BonesetterError: The file cannot be read, is no TOML, or says something that no run knows.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return dacite.from_dict(ProposerRun, {**table, "name": path.stem}, dacite.Config(strict=True))
    except OSError as error:
        raise BonesetterError(f"{path} cannot be read ({error.strerror}): give a run's TOML file.") from error
    except (ValueError, dacite.DaciteError) as error:
        raise BonesetterError(f"{path} is no run of the proposing network ({error}): see proposer.toml.") from error


def beta_nll(mean: Tensor, log_sigma: Tensor, truth: Tensor) -> Tensor:
    """Negative log likelihood of a Gaussian, up to a constant, weighed by sigma to the power 2 BETA."""
    return (0.5 * ((truth - mean) * torch.exp(-log_sigma)) ** 2 + log_sigma) * torch.exp(2 * BETA * log_sigma.detach())


def targets(network: Proposer, pool: SamplePool) -> Tensor:
    """The true pose (B, T, 6 + C) in the network's units."""
    units = torch.cat([pool.pose.new_tensor([ROOT_M] * 3 + [ROOT_RAD] * 3), network.figure.deviation])
    return pool.pose / units


def pose_loss(estimate: Estimate, truth: Tensor) -> Tensor:
    """Of one round."""
    sound = (truth.abs() < GLITCH).to(truth.dtype)
    each = beta_nll(estimate.pose, estimate.log_sigma, truth) * sound
    return each[..., 6:].mean() + ROOT_LOSS * each[..., :6].mean()


def loss_of(network: Proposer, pool: SamplePool) -> tuple[Tensor, NetworkOutput]:
    """The whole loss of some windows, and the answer."""
    answer = network(pool.known, pool.framed)
    truth = targets(network, pool)
    rounds = [pose_loss(estimate, truth) for estimate in answer.estimates]
    seen = pool.framed.confidence > 0
    reliability = binary_cross_entropy_with_logits(answer.reliability[seen], pool.true[seen])
    one = slice(None, None, pool.together)
    known = pool.known[one]
    sizes = network.sizes(known, answer.evidence.gathered(pool.together))
    looked = seen.unflatten(0, (-1, pool.together)).any(2).any(1)[..., None] & (known.spread > LEAST_SPREAD)
    offsets = beta_nll(sizes.offsets, sizes.offset_log, pool.offsets[one] / known.spread.clamp_min(LEAST_SPREAD))
    strange = (known.bone_spread > LEAST_SPREAD)[:, None].to(truth.dtype)
    bones = beta_nll(sizes.bones, sizes.bone_log, pool.components[one] / known.bone_spread.clamp_min(LEAST_SPREAD)[:, None])
    return (
        rounds[-1]
        + EARLIER_ROUNDS * torch.stack([*rounds[:-1], truth.new_zeros(())]).sum()
        + RELIABILITY * reliability
        + OFFSETS * (offsets * looked).sum() / looked.sum().clamp_min(1)
        + BONES * (bones * strange).mean()
    ), answer


class ProposerTrainer:
    """A run in the making.

    Args:
        run: Its settings.
        folder: Where its checkpoint, weights and log are kept.
        prior: How people move, are built and marked.
    """

    def __init__(self, run: ProposerRun, folder: Path, prior: Prior) -> None:
        self.run, self.folder = run, folder
        torch.manual_seed(run.seed)
        self.network = Proposer(prior, run.size)
        mix = [(each.chance, each.recipe) for each in run.mix.values()]
        self.source = Source(footage_of(tuple(run.motion)), prior, mix, run.actors, run.together, run.frames, (run.seed,))
        footage = footage_of(("validation",))
        self.validation = Source(footage, prior, mix, run.validation_actors, run.together, run.frames, (VALIDATION_SEED,)).pool(0)
        self.optimiser = torch.optim.AdamW(self.network.parameters(), lr=run.learning_rate, weight_decay=run.weight_decay)
        self.history: list[Epoch] = []

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    def train(self, told: Callable[[Epoch], None], progress: StageProgress | None = None, until: int | None = None) -> None:
        """Train from the last checkpoint to the end.

        Args:
            told: Called after every pool.
            progress: Called with a stage and the part of the whole that is done, if there is one.
            until: Pools after which to stop though the run goes on.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._resume()
        before, begin = self.history[-1].seconds if self.history else 0.0, time.perf_counter()
        for number in range(len(self.history), min(self.run.pools, until or self.run.pools)):
            train_loss = self._pool(number, progress)
            loss, degrees, root_mm = self._validate()
            self.history.append(Epoch(number + 1, train_loss, loss, degrees, root_mm, before + time.perf_counter() - begin))
            self._save()
            told(self.history[-1])

    def _pool(self, number: int, progress: StageProgress | None) -> float:
        """Train on one pool; returns the mean loss."""
        run = self.run
        pool = self.source.pool(number)
        random = np.random.default_rng([run.seed, number])
        steps = max(1, run.actors // run.batch) * run.passes
        order = np.concatenate([random.permutation(run.actors) for _ in range(run.passes)])
        self.network.train()
        losses = []
        for step, rows in enumerate(np.array_split(order, steps)):
            done = (number + step / steps) / run.pools
            for group in self.optimiser.param_groups:
                group["lr"] = run.learning_rate * _rate(done)
            value, _ = loss_of(self.network, pool.actors(torch.from_numpy(rows)))
            self.optimiser.zero_grad()
            value.backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT)
            self.optimiser.step()
            losses.append(float(value.detach()))
            if progress is not None:
                progress("train", done)
        return float(np.mean(losses))

    @torch.no_grad()
    def _validate(self) -> tuple[float, float, float]:
        """Loss, mean angle in degrees of local rotations, distance of the root in mm."""
        self.network.eval()
        losses, angles, roots = [], [], []
        figure = self.network.figure
        for rows in torch.arange(self.run.validation_actors).split(self.run.batch):
            pool = self.validation.actors(rows)
            value, answer = loss_of(self.network, pool)
            root, turn, q = self.network.decoded(answer.estimates[-1])
            rotated = roma.rotmat_geodesic_distance(turn, roma.rotvec_to_rotmat(pool.pose[..., 3:6]))
            joints = _joint_angles(figure.of, figure.axes, figure.joints, q, pool.pose[..., 6:])
            losses.append(float(value) * len(rows))
            angles.append(float((joints[..., 1:].sum(-1) + rotated).mean() / figure.joints) * len(rows))
            roots.append(float((root - pool.pose[..., :3]).norm(dim=-1).mean()) * len(rows))
        loss, angle, root = (sum(values) / self.run.validation_actors for values in (losses, angles, roots))
        return loss, math.degrees(angle), root * 1000

    def _save(self) -> None:
        """Write the checkpoint, and the weights: with a falling rate the last are the best."""
        write_proposer(self.network, self.folder / "weights.safetensors", asdict(self.history[-1]))
        history = [asdict(epoch) for epoch in self.history]
        write_checkpoint(self.checkpoint, asdict(self.run), self.network, self.optimiser, history=history)

    def _resume(self) -> None:
        """Go on from the checkpoint, if there is one of this run.

        Raises:
            BonesetterError: The folder holds another run's.
        """
        if state := read_checkpoint(self.checkpoint, asdict(self.run), torch.device("cpu")):
            self.network.load_state_dict(state["network"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.history = [Epoch(**epoch) for epoch in state["history"]]


def _joint_angles(of: Tensor, axes: Tensor, joints: int, q: Tensor, true: Tensor) -> Tensor:
    """(B, T, J) angles in radians between the joints' rotations."""

    def rotated(values: Tensor) -> Tensor:
        u = values.new_zeros(values[..., 0].numel(), joints, 3)
        return roma.rotvec_to_rotmat(u.index_add_(1, of, values.flatten(0, -2)[..., None] * axes))

    return roma.rotmat_geodesic_distance(rotated(q), rotated(true)).view(*q.shape[:2], joints)


def _rate(done: float) -> float:
    return min(1.0, done / WARMING + 0.01) * cosine(done, LAST_RATE)
