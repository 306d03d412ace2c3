# SPDX-License-Identifier: GPL-3.0-or-later
"""What a network is told to make small. A loss is a function of an answer and the truth; a run weighs as many as it likes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import roma
import torch
from torch import Tensor
from torch.nn import functional

from ..core.errors import BonesetterError
from ..solver.kinematics import forward
from .generator import Pool
from .outputs import Output


@dataclass(frozen=True, eq=False)
class Truth:
    """What should have been answered.

    Attributes:
        pool: Rotations (windows, frames, joints, 3, 3), the root's place (windows, frames, 3) and the joints' offsets.
        numbers: (windows, frames, joints, width), the rotations as the network is to write them.
        parents: Of each joint.
        joint_weights: (joints,), how much each counts; their mean is 1.
    """

    pool: Pool
    numbers: Tensor
    parents: tuple[int, ...]
    joint_weights: Tensor

    @cached_property
    def positions(self) -> Tensor:
        """(windows, frames, joints, 3) in units of the frame."""
        return forward(self.pool.local, self.pool.place, self.pool.offsets[:, None], self.parents)[0]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What was answered: numbers (windows, frames, joints, width) and the root's place (windows, frames, 3)."""

    numbers: Tensor
    place: Tensor
    output: Output

    @cached_property
    def rotations(self) -> Tensor:
        """(windows, frames, joints, 3, 3)."""
        return self.output.decode(self.numbers)


Loss = Callable[[Prediction, Truth], Tensor]
LOSSES: dict[str, Loss] = {}


def loss(function: Loss) -> Loss:
    """Enter a loss under its own name."""
    LOSSES[function.__name__] = function
    return function


@loss
def mse(answer: Prediction, truth: Truth) -> Tensor:
    """Mean squared difference of the numbers, and of the root's place."""
    numbers = ((answer.numbers - truth.numbers) ** 2 * truth.joint_weights[:, None]).mean()
    return numbers + ((answer.place - truth.pool.place) ** 2).mean()


@loss
def l1(answer: Prediction, truth: Truth) -> Tensor:
    """Mean absolute difference of the numbers, and of the root's place."""
    numbers = ((answer.numbers - truth.numbers).abs() * truth.joint_weights[:, None]).mean()
    return numbers + (answer.place - truth.pool.place).abs().mean()


@loss
def cross_entropy(answer: Prediction, truth: Truth) -> Tensor:
    """The study's: the numbers of a frame taken for the chances of classes.

    Of numbers that may be negative it has no minimum: -t log p grows without limit towards minus infinity where t < 0.
    """
    return functional.cross_entropy(answer.numbers.flatten(0, 1).flatten(1), truth.numbers.flatten(0, 1).flatten(1)) + functional.mse_loss(
        answer.place, truth.pool.place
    )


@loss
def quaternion(answer: Prediction, truth: Truth) -> Tensor:
    """1 - (q . q')^2, which does not mind the sign: Huynh 2009, Metrics for 3D Rotations. Quaternions only; the root's place in L1."""
    unit = functional.normalize(answer.numbers, dim=-1, eps=1e-6)
    apart = 1.0 - (unit * truth.numbers).sum(-1) ** 2
    return (apart * truth.joint_weights).mean() + (answer.place - truth.pool.place).abs().mean()


@loss
def geodesic(answer: Prediction, truth: Truth) -> Tensor:
    """Mean angle between rotations in radians; the root's place in L1."""
    angles = roma.rotmat_geodesic_distance(answer.rotations, truth.pool.local)
    return (angles * truth.joint_weights).mean() + (answer.place - truth.pool.place).abs().mean()


@loss
def position(answer: Prediction, truth: Truth) -> Tensor:
    """Mean distance of joints by forward kinematics with the true bones, in units of the frame."""
    reached = forward(answer.rotations, answer.place, truth.pool.offsets[:, None], truth.parents)[0]
    return ((reached - truth.positions).norm(dim=-1) * truth.joint_weights).mean()


@loss
def smoothness(answer: Prediction, truth: Truth) -> Tensor:
    """Mean absolute difference of the numbers' steps from frame to frame. Windows of one frame have none."""
    steps, true_steps = (torch.diff(values, dim=1) for values in (answer.numbers, truth.numbers))
    moves, true_moves = (torch.diff(values, dim=1) for values in (answer.place, truth.pool.place))
    if not steps.numel():
        return answer.numbers.new_zeros(())
    return ((steps - true_steps).abs() * truth.joint_weights[:, None]).mean() + (moves - true_moves).abs().mean()


def weighed(weights: Mapping[str, float]) -> Loss:
    """The sum of losses.

    Raises:
        BonesetterError: A name is no loss, or there is none.
    """
    unknown = [name for name in weights if name not in LOSSES]
    if unknown or not weights:
        raise BonesetterError(f"There is no loss {', '.join(unknown)!r}: choose from {', '.join(LOSSES)}.")
    return lambda answer, truth: torch.stack([weight * LOSSES[name](answer, truth) for name, weight in weights.items()]).sum()
