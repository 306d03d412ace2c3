# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains a run: pool by pool, with a checkpoint after each, on one process or on several under torchrun."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import roma
import torch
from torch import Tensor, distributed, nn

from ..actors.prior import Prior
from ..core.errors import BonesetterError
from ..core.progress import StageProgress
from ..core.skeleton import CMU_JOINTS
from ..synthetic.markers import footage_of
from ..training.checkpoint import random_state, read_checkpoint, restore_random, write_checkpoint
from ..training.curve import Epoch
from ..training.schedule import LARGEST_GRADIENT, VALIDATION_SEED, cosine
from .generator import Generator, Pool, batches
from .joint_network import JointNetwork, write_network
from .losses import Truth, weighed
from .run_file import Run

#: The learning rate ends at this part of itself.
LAST_RATE = 0.01
#: Frames of a step of validation, and which part of its windows is rotated into angles, for speed.
VALIDATION_BATCH, ANGLE_STEP = 4096, 8


class Trainer:
    """A run in the making.

    Args:
        run: Its settings.
        folder: Where its checkpoint, weights and log are kept.
        prior: How people are built and marked.
        device: To compute on.
    """

    def __init__(self, run: Run, folder: Path, prior: Prior, device: torch.device) -> None:
        self.run, self.folder, self.prior, self.device = run, folder, prior, device
        self.rank, self.processes = (distributed.get_rank(), distributed.get_world_size()) if distributed.is_initialized() else (0, 1)
        training = run.training
        if training.batch // training.window < self.processes:
            raise BonesetterError(f"A batch of {training.batch} frames is too small for {self.processes} processes: raise training.batch.")
        torch.manual_seed(run.seed)
        self.network = JointNetwork(run, prior).to(device)
        self.loss = weighed(run.loss)
        self.generator = self._generator(tuple(training.motion), (run.seed, self.rank), training.clips)
        self.validation = self._generator(("validation",), (VALIDATION_SEED,), training.validation_clips).pool(0).to(device)
        if run.normalise != "none":
            self.network.normalise(self._generator(tuple(training.motion), (run.seed, VALIDATION_SEED), training.clips).pool(0))
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay, amsgrad=True
        )
        self.joint_weights = _joint_weights(run, device)
        self.history: list[Epoch] = []
        # a seed of the processes' own: their dropout must differ
        torch.manual_seed(run.seed + 1 + self.rank)

    def _generator(self, splits: tuple[str, ...], seed: tuple[int, ...], clips: int) -> Generator:
        training = self.run.training
        return Generator(footage_of(splits), self.prior, self.run.preprocessing, self.run.corruption, clips, training.frames, seed)

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    def train(self, told: Callable[[Epoch], None], progress: StageProgress | None = None) -> bool:
        """Train from the last checkpoint to the end.

        Args:
            told: Called after every epoch.
            progress: Called with a stage and the part of the whole that is done, if there is one.

        Returns:
            Whether the run ended early because validation no longer fell.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._resume()
        training = self.run.training
        model: nn.Module = nn.parallel.DistributedDataParallel(self.network) if self.processes > 1 else self.network
        before, begin = self.history[-1].seconds if self.history else 0.0, time.perf_counter()
        first = len(self.history)
        if self._stale():
            return True
        for number, pool in enumerate(self.generator.pools(first, training.epochs), start=first):
            train_loss = self._epoch(model, pool, number, progress)
            rotation, root, validation_loss = self._validate()
            epoch = Epoch(number + 1, train_loss, validation_loss, rotation, root, before + time.perf_counter() - begin)
            self.history.append(self._agreed(epoch))
            self._save()
            told(self.history[-1])
            if self._stale():
                return True
        return False

    def _agreed(self, epoch: Epoch) -> Epoch:
        """The first process's: a batch's statistics differ between processes, and all must end after the same epoch."""
        box = [epoch]
        if self.processes > 1:
            distributed.broadcast_object_list(box)
        return box[0]

    def _epoch(self, model: nn.Module, pool: Pool, number: int, progress: StageProgress | None) -> float:
        """Train on one pool; returns the mean loss."""
        training = self.run.training
        model.train()
        random = np.random.default_rng([self.run.seed, number, self.rank])
        steps = training.clips * (training.frames // training.window) // max(1, training.batch // training.window // self.processes)
        losses: list[Tensor] = []
        for step, batch in enumerate(batches(pool, training.window, training.batch // self.processes, random)):
            done = number + step / max(1, steps)
            for group in self.optimiser.param_groups:
                group["lr"] = training.learning_rate * cosine(done / (training.epochs - training.cooldown), LAST_RATE)
            batch = batch.to(self.device)
            value = self.loss(model(batch.features), self._truth(batch))
            self.optimiser.zero_grad()
            value.backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT)
            self.optimiser.step()
            losses.append(value.detach())
            if progress is not None:
                progress("train", done / training.epochs)
        mean = torch.stack(losses).mean()
        if self.processes > 1:
            distributed.all_reduce(mean)
            mean /= self.processes
        return float(mean)

    @torch.no_grad()
    def _validate(self) -> tuple[float, float, float]:
        """Mean angle in degrees of local rotations, distance of the root in mm of the reference's size, and loss."""
        self.network.eval()
        pieces = self.validation.cut(self.run.training.window)
        rows = torch.arange(len(pieces.place)).split(max(1, VALIDATION_BATCH // self.run.training.window))
        losses, angles, roots = [], [], []
        for row in rows:
            batch = pieces[row]
            answer, truth = self.network(batch.features), self._truth(batch)
            losses.append(self.loss(answer, truth) * len(row))
            some = self.network.output.decode(answer.numbers[::ANGLE_STEP])
            angles.append(roma.rotmat_geodesic_distance(some, batch.local[::ANGLE_STEP]).mean() * len(row))
            roots.append((answer.place - batch.place).norm(dim=-1).mean() * len(row))
        count = len(pieces.place)
        angle, root, loss = (float(torch.stack(values).sum() / count) for values in (angles, roots, losses))
        return math.degrees(angle), root * 1000, loss

    def _truth(self, pool: Pool) -> Truth:
        numbers = self.network.output.encode(pool.local, self.network.usual)
        return Truth(pool, numbers, self.prior.actor.parents, self.joint_weights)

    def best(self) -> Epoch:
        """The epoch whose weights are kept."""
        return min(self.history, key=lambda epoch: _order(epoch.validation_loss))

    def _stale(self) -> bool:
        patience = self.run.training.patience
        return bool(patience and self.history and self.history[-1].epoch - self.best().epoch >= patience)

    def _save(self) -> None:
        """Write the checkpoint of all processes in one file, and the weights if this epoch is the best."""
        random = [random_state()] * self.processes
        if self.processes > 1:
            distributed.all_gather_object(random, random_state())
        if self.rank:
            return
        if self.best() is self.history[-1]:
            write_network(self.network, self.folder / "weights.safetensors", asdict(self.history[-1]))
        history = [asdict(epoch) for epoch in self.history]
        write_checkpoint(self.checkpoint, asdict(self.run), self.network, self.optimiser, random=random, history=history)

    def _resume(self) -> None:
        """Go on from the checkpoint, if there is one of this run.

        Raises:
            BonesetterError: The folder holds another run's.
        """
        state = read_checkpoint(self.checkpoint, asdict(self.run), self.device)
        if state is None:
            return
        if len(state["random"]) != self.processes:
            raise BonesetterError(f"{self.folder} was begun with {len(state['random'])} processes: go on with as many, or --restart.")
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        restore_random(state["random"][self.rank])
        self.history = [Epoch(**epoch) for epoch in state["history"]]


def _order(loss: float) -> float:
    """A loss that is no number is the worst."""
    return loss if math.isfinite(loss) else math.inf


def _joint_weights(run: Run, device: torch.device) -> Tensor:
    unknown = [name for name in run.joint_weights if name not in CMU_JOINTS]
    if unknown:
        raise BonesetterError(f"There is no joint {unknown[0]!r} to weigh: the joints are {', '.join(CMU_JOINTS)}.")
    weights = torch.tensor([run.joint_weights.get(name, 1.0) for name in CMU_JOINTS], device=device)
    return weights / weights.mean()


@contextmanager
def processes() -> Iterator[int]:
    """Join the other processes that torchrun started, if it did; yields this one's rank."""
    if "RANK" not in os.environ:
        yield 0
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield distributed.get_rank()
    finally:
        distributed.destroy_process_group()
