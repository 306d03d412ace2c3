# SPDX-License-Identifier: GPL-3.0-or-later
"""How the study's networks write rotations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from model.study.outputs import OUTPUTS

from .study_networks import OUTPUT_NAMES, about, rotations, same


@pytest.mark.parametrize("name", OUTPUT_NAMES)
def test_any_rotation_comes_back_from_its_numbers(name):
    output = OUTPUTS[name]
    true, usual = rotations(4, 50, 31), rotations(31, seed=1)
    numbers = output.encode(true, usual)
    assert numbers.shape == (4, 50, 31, output.width)
    same(output.decode(numbers), true, 3e-6)


@pytest.mark.parametrize("name", OUTPUT_NAMES)
def test_half_turns_come_back_too(name):
    true = torch.cat([about("x", [180.0]), about("y", [180.0]), about("z", [180.0, -180.0, 179.99]), torch.eye(3)[None]])[:, None]
    same(OUTPUTS[name].decode(OUTPUTS[name].encode(true, torch.eye(3)[None])), true, 3e-6)


@pytest.mark.parametrize("name", OUTPUT_NAMES)
def test_any_numbers_are_a_rotation(name):
    output = OUTPUTS[name]
    numbers = (
        torch.randn(5, 400, output.width, generator=torch.Generator().manual_seed(0))
        * torch.tensor([1e-2, 0.1, 1.0, 10.0, 100.0])[:, None, None]
    )
    matrices = output.decode(numbers)
    same(matrices @ matrices.mT, torch.eye(3).expand(5, 400, 3, 3), 2e-4)
    same(torch.linalg.det(matrices), torch.ones(5, 400), 2e-4)


def test_numbers_are_in_the_order_that_is_said():
    quarter = about("x", [90.0])[:, None]
    half = 0.5**0.5
    same(OUTPUTS["quaternion"].encode(quarter, torch.eye(3)[None])[0, 0], torch.tensor([half, half, 0, 0]))
    same(OUTPUTS["matrix"].encode(quarter, torch.eye(3)[None])[0, 0], torch.tensor([1.0, 0, 0, 0, 0, -1, 0, 1, 0]))
    six = OUTPUTS["6d"].encode(quarter, torch.eye(3)[None])[0, 0].reshape(3, 2)
    same(six, torch.tensor([[1.0, 0], [0, 0], [0, 1]]))


def test_the_nearest_rotation_is_taken_from_a_matrix():
    true = rotations(20)
    stretched = true * torch.tensor([0.5, 2.0, 3.0])  # columns of any length
    same(OUTPUTS["matrix"].decode(stretched.flatten(-2)), true, 1e-5)


def jumps(name: str, sweep: Tensor, usual: Tensor) -> int:
    numbers = OUTPUTS[name].encode(sweep[:, None], usual[None])[:, 0]
    return int(((numbers[1:] - numbers[:-1]).norm(dim=-1) > 1).sum())


@pytest.mark.parametrize("sign", [1, -1])
def test_quaternions_pass_the_switch_of_the_formula_without_a_jump(sign):
    """A turn from 45 to 135 degrees: at 90 the largest number is no longer w. Backwards it is -x, and the formula's sign jumps."""
    sweep = about("x", sign * np.linspace(45, 135, 91))
    assert jumps("raw quaternion", sweep, torch.eye(3)) == (0 if sign > 0 else 1)
    assert jumps("quaternion", sweep, torch.eye(3)) == 0


def test_quaternions_jump_only_a_half_turn_from_the_usual():
    sweep = about("x", np.linspace(-179, 539, 719))
    turns = jumps("quaternion", sweep, torch.eye(3)), jumps("raw quaternion", sweep, torch.eye(3))
    assert turns == (1, 2)
    # a joint whose usual turn is a half one is at ease there, where w = 0
    around = about("x", np.linspace(91, 269, 179))
    assert jumps("quaternion", around, about("x", [180.0])[0]) == 0
    assert jumps("raw quaternion", around, about("x", [180.0])[0]) == 0
    assert jumps("raw quaternion", about("y", np.linspace(260, 280, 21)), torch.eye(3)) == 1
    assert jumps("quaternion", about("y", np.linspace(260, 280, 21)), about("y", [180.0])[0]) == 0


def test_quaternions_are_on_the_side_of_any_usual_rotation():
    usual = rotations(200, seed=2)
    near = usual @ matrices_about(usual.shape[0])
    output = OUTPUTS["quaternion"]
    agree = (output.encode(near, usual) * output.encode(usual, usual)).sum(-1)
    assert (agree > 0).all(), "within 170 degrees of the usual"
    assert (usual[:, 0, 0] < 0).any()


def matrices_about(count: int) -> Tensor:
    """Turns by 170 degrees about any axis."""
    axes = np.random.default_rng(3).normal(size=(count, 3))
    return torch.from_numpy(Rotation.from_rotvec(np.radians(170) * axes / np.linalg.norm(axes, axis=1, keepdims=True)).as_matrix()).float()
