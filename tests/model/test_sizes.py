# SPDX-License-Identifier: GPL-3.0-or-later
"""People who are smaller or larger than those whom the prior knows: children, and very tall people."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import model.solver.take_actor as take_actor
from model.actors import prior as priors
from model.actors.prior import unusual_size
from model.core.settings import Settings
from model.core.take import Take
from model.engine.pipeline import solve_take
from model.marker_sets.marker_set import load_marker_set
from model.result.solution import Solution
from model.solver.calibration import fit_actor
from model.synthetic.synthesis import SyntheticTake


def of_size(take: Take, size: float) -> Take:
    return replace(take, positions=size * take.positions)


@pytest.fixture(scope="module")
def usual(synthetic: SyntheticTake) -> Solution:
    return solve_take(synthetic.take, Settings())


@pytest.mark.parametrize("size", [0.75, 1.25])
def test_a_child_and_a_giant_are_solved_as_somebody_of_usual_size(synthetic: SyntheticTake, usual: Solution, size: float) -> None:
    found = solve_take(of_size(synthetic.take, size), Settings())
    apart = np.linalg.norm(found.positions / size - usual.positions, axis=-1)
    assert apart.mean() < 0.005
    joints = list(found.actor.skeleton.joints)
    # the thigh's markers held the knee where an adult's is
    assert apart[:, [joints.index("LeftLeg"), joints.index("RightLeg")]].mean() < 0.010
    assert not [finding.text for finding in found.findings if finding.kind == "misplaced"]


def test_only_unusual_sizes_are_fitted_twice(synthetic: SyntheticTake, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0

    def counted(*given: object) -> object:
        nonlocal count
        count += 1
        return fit_actor(*given)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(take_actor, "fit_actor", counted)
    solve_take(synthetic.take, Settings())
    assert count == 1
    solve_take(of_size(synthetic.take, 0.8), Settings())
    assert count == 3


def test_priors_of_a_size_are_scaled_whole() -> None:
    prior = priors.bundled()
    small = prior.of_size(0.8)
    marker_set = load_marker_set()
    placement, of_small = (each.placement(marker_set, marker_set.labels) for each in (prior, small))
    assert np.allclose(placement.of_size(0.8).offset_mean, of_small.offset_mean)
    assert np.allclose(placement.of_size(0.8).offset_deviation, of_small.offset_deviation)
    assert unusual_size(prior, small.mean_actor()) == pytest.approx(0.8)
    assert unusual_size(prior, prior.mean_actor()) is None
    assert unusual_size(small, small.mean_actor()) is None
