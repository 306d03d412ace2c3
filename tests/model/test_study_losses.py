# SPDX-License-Identifier: GPL-3.0-or-later
"""The study's losses on three joints in a row, a metre from each other along y, of one window of two frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from model.core.errors import BonesetterError
from model.study.generator import Pool
from model.study.losses import LOSSES, Prediction, Truth, weighed
from model.study.outputs import OUTPUTS

from .study_networks import OUTPUT_NAMES, about, rotations, same

BONES = torch.tensor([[[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]])
PARENTS = (-1, 0, 1)


def truth_of(output: str, local: Tensor | None = None, weights: tuple[float, ...] = (1.0, 1.0, 1.0)) -> Truth:
    local = rotations(1, 2, 3) if local is None else local
    pool = Pool(torch.zeros(1, 2, 6, 4), local, torch.tensor([[[0.0, 1.0, 2.0], [0.5, 1.0, 2.0]]]), BONES)
    usual = torch.eye(3).expand(3, 3, 3)
    return Truth(pool, OUTPUTS[output].encode(local, usual), PARENTS, torch.tensor(weights))


def answer_of(truth: Truth, output: str, numbers: Tensor | None = None, place: Tensor | None = None) -> Prediction:
    return Prediction(truth.numbers if numbers is None else numbers, truth.pool.place if place is None else place, OUTPUTS[output])


def rotated(truth: Truth, output: str, joint: int, degrees: float, axis: str = "x") -> Prediction:
    """The truth with one joint rotated further."""
    local = truth.pool.local.clone()
    local[:, :, joint] = local[:, :, joint] @ about(axis, [degrees])[0]
    return answer_of(truth, output, OUTPUTS[output].encode(local, torch.eye(3).expand(3, 3, 3)))


def value(name: str, answer: Prediction, truth: Truth) -> float:
    return LOSSES[name](answer, truth).item()


@pytest.mark.parametrize("output", OUTPUT_NAMES)
@pytest.mark.parametrize("name", ["mse", "l1", "geodesic", "position", "smoothness", "quaternion"])
def test_losses_are_0_at_the_truth_and_more_beside_it(name, output):
    if name == "quaternion":
        output = "quaternion"
    truth = truth_of(output)
    # of a sine near 0 single precision knows three digits
    assert value(name, answer_of(truth, output), truth) == pytest.approx(0, abs=2e-3)
    moved = truth.pool.place + torch.tensor([[[0.0, 0, 0], [0.3, 0, 0]]])
    for wrong in (
        answer_of(truth, output, truth.numbers + torch.tensor([0.0, 0.5])[None, :, None, None]),
        answer_of(truth, output, place=moved),
    ):
        assert value(name, wrong, truth) > 0.01


@pytest.mark.parametrize("name", ["mse", "l1", "quaternion", "geodesic", "position"])
@pytest.mark.parametrize("output", OUTPUT_NAMES)
def test_losses_can_be_followed_downhill_from_anywhere(name, output):
    truth = truth_of(output)
    random = torch.Generator().manual_seed(0)
    for numbers in (truth.numbers, torch.randn(truth.numbers.shape, generator=random)):
        numbers, place = numbers.clone().requires_grad_(), truth.pool.place.clone().requires_grad_()
        gradients = torch.autograd.grad(LOSSES[name](Prediction(numbers, place, OUTPUTS[output]), truth), (numbers, place))
        assert all(gradient.isfinite().all() for gradient in gradients)


def test_mse_and_l1_are_means():
    truth = truth_of("6d")
    off = answer_of(truth, "6d", truth.numbers + 0.5, truth.pool.place - 0.2)
    assert value("mse", off, truth) == pytest.approx(0.25 + 0.04)
    assert value("l1", off, truth) == pytest.approx(0.5 + 0.2)


def test_cross_entropy_falls_without_limit():
    """Where numbers may be negative, -t log p has no least value: far away from the truth it is less than at the truth."""
    truth = truth_of("matrix", torch.eye(3).expand(1, 2, 3, 3, 3) @ about("z", [180.0])[0])
    assert (truth.numbers < 0).any()
    falling = [value("cross_entropy", answer_of(truth, "matrix", scale * truth.numbers), truth) for scale in (1.0, 10.0, 100.0, 1000.0)]
    assert falling[0] > falling[1] > falling[2] > falling[3]
    assert falling[3] < -1000


def test_geodesic_is_the_angle():
    truth = truth_of("matrix")
    assert value("geodesic", rotated(truth, "matrix", 1, 30), truth) == pytest.approx(np.radians(30) / 3, abs=1e-3)
    moved = answer_of(truth, "matrix", place=truth.pool.place + 0.3)
    assert value("geodesic", moved, truth) == pytest.approx(0.3, abs=2e-3)


def test_the_quaternion_loss_minds_neither_sign_nor_length():
    truth = truth_of("quaternion")
    signs = torch.tensor([[[1.0, -1.0, 1.0], [-1.0, -1.0, 1.0]]])[..., None]
    assert value("quaternion", answer_of(truth, "quaternion", 3.0 * signs * truth.numbers), truth) == pytest.approx(0, abs=1e-6)
    assert value("l1", answer_of(truth, "quaternion", signs * truth.numbers), truth) > 0.1
    # 1 - cos²(half the angle)
    assert value("quaternion", rotated(truth, "quaternion", 2, 60), truth) == pytest.approx(0.25 / 3, abs=1e-5)


@pytest.mark.parametrize("output", OUTPUT_NAMES)
def test_position_is_the_distance_by_forward_kinematics(output):
    truth = truth_of(output, torch.eye(3).expand(1, 2, 3, 3, 3))
    same(truth.positions[0, 0], torch.tensor([[0.0, 1.0, 2.0], [0.0, 2.0, 2.0], [0.0, 3.0, 2.0]]))
    # the root rotated by 90 degrees swings the joints a and b, 1 m and 2 m away
    chord = 2**0.5
    assert value("position", rotated(truth, output, 0, 90), truth) == pytest.approx((1 + 2) * chord / 3, abs=1e-5)
    assert value("position", rotated(truth, output, 1, 90), truth) == pytest.approx(chord / 3, abs=1e-5)
    assert value("position", rotated(truth, output, 2, 90), truth) == pytest.approx(0, abs=1e-5), "its own bone has no joint at its end"
    moved = answer_of(truth, output, place=truth.pool.place + torch.tensor([0.0, 3.0, 4.0]))
    assert value("position", moved, truth) == pytest.approx(5, abs=1e-5)


def test_smoothness_is_of_steps_only():
    truth = truth_of("6d")
    constant = answer_of(truth, "6d", truth.numbers + 0.7, truth.pool.place - 0.4)
    assert value("smoothness", constant, truth) == pytest.approx(0, abs=1e-6)
    shaking = torch.tensor([0.0, 0.6])[None, :, None]
    assert value(
        "smoothness", answer_of(truth, "6d", truth.numbers + shaking[..., None], truth.pool.place + shaking), truth
    ) == pytest.approx(1.2)
    pool = truth.pool.cut(1)
    alone = replace(truth, pool=pool, numbers=truth.numbers.transpose(0, 1))
    assert value("smoothness", answer_of(alone, "6d", alone.numbers + 1), alone) == 0


@pytest.mark.parametrize("name", ["mse", "l1", "quaternion", "geodesic", "smoothness"])
def test_joints_count_as_much_as_they_weigh(name):
    weights = (0.5, 0.0, 2.5)
    truth = truth_of("quaternion", torch.eye(3).expand(1, 2, 3, 3, 3))
    weighty = replace(truth, joint_weights=torch.tensor(weights))
    for joint in range(3):
        numbers = truth.numbers.clone()
        numbers[:, 1, joint] += torch.tensor([0.0, 0.4, 0.0, 0.0])
        wrong = answer_of(truth, "quaternion", numbers)
        assert value(name, wrong, truth) > 5e-3
        assert value(name, wrong, weighty) == pytest.approx(weights[joint] * value(name, wrong, truth), abs=1e-6)


def test_position_weighs_joints_by_where_they_get():
    truth = replace(truth_of("matrix", torch.eye(3).expand(1, 2, 3, 3, 3)), joint_weights=torch.tensor([0.5, 0.0, 2.5]))
    assert value("position", rotated(truth, "matrix", 0, 90), truth) == pytest.approx(2.5 * 2 * 2**0.5 / 3, abs=1e-5)
    everywhere = answer_of(truth, "matrix", place=truth.pool.place + torch.tensor([0.0, 3.0, 4.0]))
    assert value("position", everywhere, truth) == pytest.approx(5, abs=1e-5), "their mean is 1"


def test_a_run_weighs_its_losses():
    truth = truth_of("6d")
    answer = answer_of(truth, "6d", truth.numbers + 0.5, truth.pool.place - 0.2)
    assert weighed({"l1": 2.0, "mse": 0.1})(answer, truth).item() == pytest.approx(2 * 0.7 + 0.1 * 0.29)
    assert weighed({"l1": 1})(answer, truth).item() == pytest.approx(0.7)


def test_unknown_losses_are_refused():
    with pytest.raises(BonesetterError, match=r"^There is no loss 'huber': choose from mse, l1, .*smoothness\.$"):
        weighed({"l1": 1.0, "huber": 1.0})
    with pytest.raises(BonesetterError, match="choose from mse"):
        weighed({})
