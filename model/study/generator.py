# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches for training: pools of windows, corrupted and prepared, each drawn from (seed, its number) and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..actors.prior import Prior
from ..core.take import FloatArray, Take
from ..synthetic.bodies import draw_bodies
from ..synthetic.corruptions import corrupt
from ..synthetic.markers import RATE_HZ, Footage, cut_windows
from .preprocessing import Preprocessing, prepare, reference_of, to_frame

Recipe = Mapping[str, Mapping[str, float | int]]


@dataclass(frozen=True, eq=False)
class Pool:
    """Windows as a network learns from them; see `Prepared` and `to_frame`.

    Attributes:
        features: (windows, frames, labels, 4).
        local: (windows, frames, joints, 3, 3), the root's rotation and place in the window's own frames.
        place: (windows, frames, 3).
        offsets: (windows, joints, 3), where joints sit in their parents' frames, in units of the frame.
    """

    features: Tensor
    local: Tensor
    place: Tensor
    offsets: Tensor

    @property
    def frames(self) -> int:
        return self.place.shape[0] * self.place.shape[1]

    def cut(self, window: int) -> Pool:
        """The same in shorter windows; what is left over at their ends is not used."""
        whole = self.place.shape[1] // window * window
        parts = whole // window

        def pieces(values: Tensor) -> Tensor:
            return values[:, :whole].reshape(-1, window, *values.shape[2:])

        return Pool(pieces(self.features), pieces(self.local), pieces(self.place), self.offsets.repeat_interleave(parts, dim=0))

    def __getitem__(self, rows: Tensor) -> Pool:
        return Pool(self.features[rows], self.local[rows], self.place[rows], self.offsets[rows])

    def to(self, device: torch.device) -> Pool:
        return Pool(*(values.to(device) for values in (self.features, self.local, self.place, self.offsets)))


@dataclass(frozen=True, eq=False)
class Generator:
    """Makes pools.

    Attributes:
        footage: Motion to cut from.
        prior: How people are built and marked.
        switches: How markers are prepared.
        recipe: {corruption: parameters}, in order.
        clips, frames: Windows of a pool, and their length.
        seed: Decides all pools together with their numbers.
    """

    footage: Footage
    prior: Prior
    switches: Preprocessing
    recipe: Recipe
    clips: int
    frames: int
    seed: Sequence[int]

    def pool(self, number: int) -> Pool:
        """The pool of that number."""
        random = np.random.default_rng([*self.seed, number])
        bodies = draw_bodies(self.prior.actor, self.clips, random)
        windows = cut_windows(self.footage, bodies, self.frames, random)
        seen = corrupted_windows(windows.markers.numpy(), bodies.labels, self.recipe, (*self.seed, number))
        prepared = prepare(seen, reference_of(self.prior), self.switches, RATE_HZ)
        local, place = to_frame(windows.local, windows.root, prepared)
        return Pool(prepared.features, local, place, windows.offsets / prepared.scale[:, None, None])

    def pools(self, first: int, last: int) -> Iterator[Pool]:
        """Pools `first` to `last` - 1; a thread makes the next while one is used."""
        with ThreadPoolExecutor(1) as ahead:
            waiting: Future[Pool] | None = ahead.submit(self.pool, first) if first < last else None
            for number in range(first, last):
                assert waiting is not None
                pool = waiting.result()
                waiting = ahead.submit(self.pool, number + 1) if number + 1 < last else None
                yield pool


def corrupted_windows(markers: FloatArray, labels: tuple[str, ...], recipe: Recipe, seed: Sequence[int]) -> FloatArray:
    """Corrupt each window (windows, frames, labels, 3) in metres by itself; points that a corruption adds are left out."""
    none = np.zeros(markers.shape[1:3], dtype=np.float32)
    return np.stack(
        [
            corrupt(Take("window", labels, window, none, RATE_HZ), recipe, (*seed, row)).positions[:, : len(labels)]
            for row, window in enumerate(markers)
        ]
    )


def batches(pool: Pool, window: int, size: int, random: np.random.Generator) -> Iterator[Pool]:
    """All windows of a pool, `size` frames at a time, in random order; a last batch that is not whole is left out."""
    pieces = pool.cut(window)
    order = torch.from_numpy(random.permutation(len(pieces.place)))
    for rows in order.split(max(1, size // window)):
        if len(rows) == max(1, size // window):
            yield pieces[rows]
