# SPDX-License-Identifier: GPL-3.0-or-later
"""What the network learns from: synthetic actors in any marker set, seen through any corruption, known well or not at all.

Every pool is drawn from (seed, its number) and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import roma
import torch
from torch import Tensor

from ..actors.prior import ActorPrior, Prior
from ..core.take import FloatArray, Take
from ..proposer.features import Figure, Framed, Known, into_frames
from ..synthetic.bodies import Bodies, draw_bodies
from ..synthetic.corruptions import Recipe, corrupt
from ..synthetic.markers import Footage, Windows, cut_windows, to_tensor

#: The rate that the network works at.
RATE_HZ = 15.0
#: Marker places that are drawn beside the prior's own for each pool, and how many labels a window has at most.
DRAWN_PLACES, MOST_LABELS = 30, 48
#: How often a take has all of the prior's own labels; else it has a part of them and of the drawn ones, this many at least.
WHOLE_SET, FEWEST_LABELS = 0.4, 14
#: How far from the bone skin is, in m, by the names of joints; how far beside its mean a drawn place is on a person, at most.
SKIN_M = {"UpLeg": 0.075, "Leg": 0.05, "Foot": 0.035, "Arm": 0.045, "ForeArm": 0.035, "Hand": 0.025, "Head": 0.1, "Neck": 0.06}
TRUNK_M, LEAST_SPREAD_M, MOST_SPREAD_M = 0.12, 0.012, 0.03
#: How often an actor is unknown, and known exactly; else he was fitted: offsets, bones and the turn of a joint's markers are off
#: by up to this.
UNKNOWN, EXACT = 0.45, 0.25
FITTED_M, FITTED_COMPONENTS, FITTED_RAD = 0.02, 0.6, 0.12
#: A sample this far from its marker is none of it, in m.
FALSE_M = 0.02


@dataclass(frozen=True, eq=False)
class SamplePool:
    """Windows with their truth; B windows, each `together` of one actor.

    Attributes:
        known: Of B windows.
        framed: What is seen.
        pose: (B, T, 6 + C) the root's place in m and rotation vector in the body frame, then q.
        true: (B, T, K) 1 where a sample is its marker's.
        offsets: (B, K, 3) how far the true offset is from what is known, in m.
        components: (B, components) the same of the bones.
        together: Windows of one actor, one after the other.
    """

    known: Known
    framed: Framed
    pose: Tensor
    true: Tensor
    offsets: Tensor
    components: Tensor
    together: int

    def __len__(self) -> int:
        return len(self.pose)

    def actors(self, rows: Tensor) -> SamplePool:
        """All windows of some actors."""
        each = (rows[:, None] * self.together + torch.arange(self.together)).flatten()
        parts = (self.pose[each], self.true[each], self.offsets[each], self.components[each])
        return SamplePool(self.known[each], self.framed[each], *parts, self.together)


@dataclass(frozen=True, eq=False)
class Source:
    """Makes pools.

    Attributes:
        footage: Motion to cut from.
        prior: How people are built and marked.
        mix: (chance, recipe) of the corruptions.
        actors, together, frames: Actors of a pool, windows of each, frames of a window.
        seed: Decides all pools together with their numbers.
    """

    footage: Footage
    prior: Prior
    mix: Sequence[tuple[float, Recipe]]
    actors: int
    together: int
    frames: int
    seed: Sequence[int]

    def pool(self, number: int) -> SamplePool:
        """The pool of that number."""
        random = np.random.default_rng([*self.seed, number])
        wider = with_drawn_places(self.prior.actor, random)
        weights = random.standard_normal((self.actors, wider.bone_basis.shape[-1]))
        bodies = _bodies(wider, weights, self.together, random)
        windows = cut_windows(self.footage, bodies, self.frames, random, RATE_HZ)
        labels = _label_sets(self.actors, len(self.prior.actor.labels), len(wider.labels), random).repeat(self.together, axis=0)
        known, offsets, components = _known(wider, bodies, weights, self.together, labels, random)
        shown, true = self._corrupted(windows, wider.labels, labels, number, random)
        return _framed(Figure(self.prior), known, windows, shown, true, offsets, components, self.together)

    def _corrupted(
        self, windows: Windows, names: tuple[str, ...], labels: FloatArray, number: int, random: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """Samples (B, T, K, 3), NaN where missing, and whether each is its marker's (B, T, K)."""
        chances = np.array([chance for chance, _ in self.mix])
        chosen = random.choice(len(self.mix), size=len(labels) // self.together, p=chances / chances.sum()).repeat(self.together)
        markers = windows.markers.numpy()
        shown = np.full((*markers.shape[:2], labels.shape[1], 3), np.nan, np.float32)
        true = np.zeros(shown.shape[:3], np.float32)
        for row, (columns, kind) in enumerate(zip(labels, chosen, strict=True)):
            columns = columns[columns >= 0]
            clean = markers[row][:, columns]
            take = Take("window", tuple(names[c] for c in columns), clean, np.zeros(clean.shape[:2], np.float32), RATE_HZ)
            seen = corrupt(take, self.mix[int(kind)][1], (*self.seed, number, row)).positions[:, : len(columns)]
            shown[row, :, : len(columns)] = seen
            true[row, :, : len(columns)] = np.linalg.norm(seen - clean, axis=-1) < FALSE_M
        return shown, true


def with_drawn_places(actor: ActorPrior, random: np.random.Generator) -> ActorPrior:
    """The prior of actors with more marker places, anywhere on the body, named by numbers."""
    lengths = np.linalg.norm(actor.bone_mean, axis=-1)
    chances = np.sqrt(lengths + 0.02) * np.array([0.3 if name.endswith(("Index1", "Thumb", "ToeBase")) else 1.0 for name in actor.joints])
    carriers = random.choice(len(lengths), size=DRAWN_PLACES, p=chances / chances.sum())
    around = random.standard_normal((DRAWN_PLACES, 3))
    around /= np.linalg.norm(around, axis=-1, keepdims=True)
    skin = np.array([next((far for part, far in SKIN_M.items() if part in actor.joints[c]), TRUNK_M) for c in carriers])
    along = random.uniform(0.0, 1.0, (DRAWN_PLACES, 1)) * actor.bone_mean[carriers]
    offsets = along + around * skin[:, None] * random.uniform(0.7, 1.3, (DRAWN_PLACES, 1))
    spread = np.repeat(random.uniform(LEAST_SPREAD_M, MOST_SPREAD_M, (DRAWN_PLACES, 1)), 3, axis=1)
    return replace(
        actor,
        labels=(*actor.labels, *(f"drawn {number}" for number in range(DRAWN_PLACES))),
        carriers=(*actor.carriers, *carriers.tolist()),
        offset_mean=np.concatenate([actor.offset_mean, offsets]),
        offset_deviation=np.concatenate([actor.offset_deviation, spread]),
    )


def _bodies(actor: ActorPrior, weights: FloatArray, together: int, random: np.random.Generator) -> Bodies:
    """Each actor `together` times."""
    bones = actor.bone_mean + np.einsum("jic,bc->bji", actor.bone_basis, weights)
    drawn = [draw_bodies(actor, 1, random, own) for own in bones]
    parts = (np.concatenate([getattr(body, name) for body in drawn]).repeat(together, axis=0) for name in ("bones", "offsets", "skin"))
    return Bodies(actor.joints, actor.parents, actor.labels, actor.carriers, *parts)


def _label_sets(actors: int, own: int, places: int, random: np.random.Generator) -> FloatArray:
    """(actors, MOST_LABELS) columns of each actor's labels in a random order, -1 where there is none."""
    sets = np.full((actors, MOST_LABELS), -1)
    for row in sets:
        if random.random() < WHOLE_SET:
            chosen = random.permutation(own)
        else:
            count = random.integers(FEWEST_LABELS, MOST_LABELS + 1)
            mine = min(own, round(count * random.uniform(0.3, 1.0)))
            others = random.permutation(np.arange(own, places))[: count - mine]
            chosen = random.permutation(np.concatenate([random.permutation(own)[:mine], others]))
        row[: len(chosen)] = chosen
    return sets


def _known(
    actor: ActorPrior, bodies: Bodies, weights: FloatArray, together: int, labels: FloatArray, random: np.random.Generator
) -> tuple[Known, Tensor, Tensor]:
    """What is told of each window's actor, and how far the true offsets and components are from it."""
    count = len(weights)
    true = bodies.offsets[::together]
    luck = random.random(count)
    unknown, exact = luck < UNKNOWN, luck > 1 - EXACT
    off_m = np.where(exact, 0.0, random.uniform(0.2, 1.0, count) * FITTED_M)[:, None, None]
    turn = np.where(exact, 0.0, FITTED_RAD)[:, None, None] * random.standard_normal((count, len(actor.joints), 3))
    drift = np.cross(turn[:, list(actor.carriers)], true)
    told = true + drift + off_m * random.standard_normal(true.shape)
    told = np.where(unknown[:, None, None], actor.offset_mean, told)
    spread = np.where(unknown[:, None, None], actor.offset_deviation, np.sqrt(off_m**2 + (FITTED_RAD * 0.05 * (off_m > 0)) ** 2))
    bone_spread = np.where(unknown, 1.0, np.where(exact, 0.0, random.uniform(0.1, 1.0, count) * FITTED_COMPONENTS))
    told_weights = np.where(unknown[:, None], 0.0, weights + bone_spread[:, None] * random.standard_normal(weights.shape))
    bones = actor.bone_mean + np.einsum("jic,bc->bji", actor.bone_basis, told_weights)
    columns = np.maximum(labels, 0)
    rows = np.arange(len(labels))[:, None]
    each = np.arange(count).repeat(together)
    known = Known(
        to_tensor(bones[each]),
        to_tensor(bone_spread[each]),
        torch.from_numpy(np.array(actor.carriers)[columns]),
        to_tensor(told[each][rows, columns]),
        to_tensor(np.broadcast_to(spread, true.shape)[each][rows, columns]),
    )
    away = (true - told)[each][rows, columns] * (labels >= 0)[..., None]
    return known, to_tensor(away), to_tensor((weights - told_weights)[each])


def _framed(
    figure: Figure, known: Known, windows: Windows, shown: FloatArray, true: FloatArray, offsets: Tensor, components: Tensor, together: int
) -> SamplePool:
    present = np.asarray(np.isfinite(shown).all(axis=-1), dtype=np.float32)
    framed = into_frames(figure, known, torch.from_numpy(np.nan_to_num(shown)), to_tensor(present))
    back = framed.turn.transpose(-1, -2)
    root = (back @ (windows.root - framed.root)[..., None])[..., 0]
    turn = roma.rotmat_to_rotvec(back @ windows.local[:, :, 0])
    pose = torch.cat([root, turn, figure.coordinates_of(windows.local)], -1)
    return SamplePool(known, framed, pose, torch.from_numpy(true), offsets, components, together)
