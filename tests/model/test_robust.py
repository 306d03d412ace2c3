# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest
import torch

from model.solver.robust import OUTLYING, kernel_cost, kernel_weight, settled_place


def test_a_weight_is_what_a_cost_rises_by() -> None:
    squared = torch.linspace(0.0, 0.5, 50, dtype=torch.float64).requires_grad_()
    kernel_cost(squared, 0.04).sum().backward()
    assert squared.grad is not None
    torch.testing.assert_close(squared.grad, kernel_weight(squared.detach(), 0.04))
    assert kernel_cost(torch.tensor(1e6), 0.04).item() <= 0.04


def test_outlying_samples_move_no_place_and_each_place_has_its_own() -> None:
    random = np.random.default_rng(0)
    places = np.array([[0.0, 0.1, 0.2], [-0.3, 0.0, 0.1]])
    samples = places + 0.002 * random.standard_normal((200, 2, 3))
    samples[:20, 0] += 0.5
    samples[150:, 1] -= 0.4
    means, spreads = settled_place(samples)
    np.testing.assert_allclose(means, places, atol=0.0006)
    np.testing.assert_allclose(spreads, 0.002 * 3**0.5, rtol=0.15)
    alone, spread = settled_place(samples[:, 1])
    np.testing.assert_allclose(alone, means[1])
    np.testing.assert_allclose(spread, spreads[1])


@pytest.mark.parametrize("count", [1, 8, 21])
def test_a_settled_place_is_the_mean_of_what_is_near_the_median(count: int) -> None:
    samples = np.random.default_rng(count).standard_t(2, (count, 4, 5, 3))
    means, spreads = settled_place(samples)
    assert means.shape == (4, 5, 3)
    for place in np.ndindex(4, 5):
        own = samples[:, *place]
        lengths = np.linalg.norm(own - np.median(own, axis=0), axis=-1)
        near = own[lengths <= OUTLYING * np.median(lengths) + 1e-9]
        np.testing.assert_allclose(means[place], near.mean(axis=0), atol=1e-12)
        np.testing.assert_allclose(spreads[place], np.sqrt(((near - near.mean(axis=0)) ** 2).sum(axis=-1).mean()), atol=1e-12)
