# SPDX-License-Identifier: GPL-3.0-or-later
"""How a network writes a rotation: the study's matrix and quaternion, and 6D."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import roma
import torch
from torch import Tensor


@dataclass(frozen=True)
class Output:
    """A way to write a rotation in numbers.

    Attributes:
        width: How many numbers.
        encode: Rotations (..., joints, 3, 3) and each joint's usual rotation (joints, 3, 3) to numbers (..., joints, width).
        decode: Any numbers (..., width) to rotations (..., 3, 3).
    """

    width: int
    encode: Callable[[Tensor, Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]


def _matrix(rotations: Tensor, usual: Tensor) -> Tensor:  # noqa: ARG001
    return rotations.flatten(-2)


def _from_matrix(numbers: Tensor) -> Tensor:
    """The nearest rotation in the least squares sense."""
    rotations = roma.special_procrustes(numbers.unflatten(-1, (3, 3)))
    assert isinstance(rotations, Tensor)
    return rotations


def _raw_quaternion(rotations: Tensor, usual: Tensor) -> Tensor:  # noqa: ARG001
    """w x y z with the sign that the formula gives: the largest number positive. It jumps where another becomes the largest."""
    quats = roma.rotmat_to_unitquat(rotations)[..., [3, 0, 1, 2]]
    largest = quats.gather(-1, quats.abs().argmax(-1, keepdim=True))
    return quats * torch.where(largest < 0, -1.0, 1.0)


def _quaternion(rotations: Tensor, usual: Tensor) -> Tensor:
    """w x y z on the side of the joint's usual rotation: no jump within 180 degrees of it, and no joint leaves that."""
    quats, middle = (roma.rotmat_to_unitquat(r)[..., [3, 0, 1, 2]] for r in (rotations, usual))
    return quats * torch.where((quats * middle).sum(-1, keepdim=True) < 0, -1.0, 1.0)


def _from_quaternion(numbers: Tensor) -> Tensor:
    unit = torch.nn.functional.normalize(numbers, dim=-1, eps=1e-6)
    return roma.unitquat_to_rotmat(unit[..., [1, 2, 3, 0]])


def _six(rotations: Tensor, usual: Tensor) -> Tensor:  # noqa: ARG001
    """The first two columns: Zhou et al. 2019, On the Continuity of Rotation Representations in Neural Networks."""
    return rotations[..., :2].flatten(-2)


def _from_six(numbers: Tensor) -> Tensor:
    return roma.special_gramschmidt(numbers.unflatten(-1, (3, 2)))


OUTPUTS = {
    "matrix": Output(9, _matrix, _from_matrix),
    "quaternion": Output(4, _quaternion, _from_quaternion),
    "raw quaternion": Output(4, _raw_quaternion, _from_quaternion),
    "6d": Output(6, _six, _from_six),
}
