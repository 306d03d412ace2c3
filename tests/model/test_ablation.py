# SPDX-License-Identifier: GPL-3.0-or-later
"""The ablation: every variant takes away what its name says, and a solve without options is the whole solver."""

from dataclasses import astuple, replace

import numpy as np
import pytest
import torch

from model.actors.prior import bundled
from model.bench.ablation import VARIANTS, WHOLE, Row, Variant, document, measure, solved
from model.bench.cases import Case
from model.core.settings import Settings
from model.engine.pipeline import solve_take
from model.engine.subject import choose_subject
from model.result.solution import Solution
from model.solver.advice import Advice
from model.solver.observations import Observations
from model.solver.options import EVERYTHING, KernelScales, SolverOptions
from model.synthetic.corruptions import corrupt
from model.synthetic.synthesis import synthesise


@pytest.fixture(scope="module")
def case() -> Case:
    """Two seconds, with markers moved, lost and swapped, so that every part has something to do."""
    made = synthesise(seconds=2.0, seed=4)
    take = corrupt(made.take, {"occlusion": {"part": 0.2}, "shifts": {"part": 0.1, "distance": 0.1}}, 0)
    a, b = (take.labels.index(label) for label in ("LWRA", "LWRB"))
    take.positions[60:120, [a, b]] = take.positions[60:120, [b, a]]
    return Case("walk", "clean", take, made.motion, made.markers, bundled().mean_actor(), take)


def of(name: str) -> Variant:
    return next(variant for variant in VARIANTS if variant.name == name)


def solution(case: Case, variant: Variant) -> Solution:
    return solve_take(case.take, variant.settings, options=variant.options)


@pytest.fixture(scope="module")
def whole(case: Case) -> Row:
    return measure(WHOLE, [case], lambda: None)


@pytest.fixture(scope="module")
def usual(case: Case) -> Solution:
    return solution(case, WHOLE)


@pytest.mark.parametrize("variant", VARIANTS[1:], ids=lambda variant: variant.name)
def test_every_variant_solves_otherwise(variant, case, whole):
    assert (variant.options, variant.settings) != (EVERYTHING, Settings())
    row = measure(variant, [case], lambda: None)
    assert np.isfinite(row.millimetres["clean"])
    # no joint of this walk is at its limit
    if variant.name != "joint limits":
        assert row.millimetres["clean"] != whole.millimetres["clean"]


@pytest.mark.parametrize("name", ["fit of poses", "cleaning, robust kernel"])
def test_what_the_solver_needs_most_makes_it_worse(name, case, whole):
    assert measure(of(name), [case], lambda: None).millimetres["clean"] > 1.2 * whole.millimetres["clean"]


def test_without_calibration_the_actor_is_the_mean_one(case, usual):
    found, prior = solution(case, of("calibration")), bundled()
    np.testing.assert_array_equal(found.actor.skeleton.bones, prior.mean_actor().skeleton.bones)
    assert np.abs(usual.actor.skeleton.bones - found.actor.skeleton.bones).max() > 0.005


def test_without_relabelling_labels_stay_swapped(case, usual):
    assert any(finding.kind == "swapped back" for finding in usual.findings)
    found = solution(case, of("relabelling"))
    assert not any(finding.kind == "swapped back" for finding in found.findings)
    np.testing.assert_array_equal(found.clean.take.positions, case.take.positions)


def test_without_held_feet_there_are_no_contacts(case, usual):
    assert usual.contacts
    assert not solution(case, of("feet held")).contacts


def test_without_smoothing_poses_jitter_more(case, usual):
    rough, smooth = (np.abs(np.diff(one.positions, 3, axis=0)).mean() for one in (solution(case, of("smoothing")), usual))
    assert rough > 1.5 * smooth


def test_without_the_network_a_solve_begins_from_the_mean_pose(case):
    subject = choose_subject(case.take, None, None, None, SolverOptions(network=False))
    placement = subject.prior.placement(subject.marker_set, case.take.labels)
    points = torch.as_tensor(np.nan_to_num(case.take.positions), dtype=torch.float32)
    seen = Observations(points, torch.as_tensor(case.take.present, dtype=torch.float32), 0.01)
    guess = subject.initial_guess(None, placement, case.take.labels, seen)
    assert guess.advice is None
    assert not guess.pose.q.any()
    np.testing.assert_array_equal(guess.actor.skeleton.bones, bundled().mean_actor().skeleton.bones)


def test_options_take_away_their_part_of_prior_and_advice():
    prior = bundled().pose
    assert EVERYTHING.prior(prior) is prior
    assert np.isinf(SolverOptions(limits=False).prior(prior).limits).all()
    assert np.abs(SolverOptions(pose_prior=False).prior(prior).precision).max() < 0.01 * np.abs(prior.precision).max()
    assert (SolverOptions(coupling=False).prior(prior).speed > 100 * prior.speed).all()
    advice = Advice(torch.zeros(3, 2), torch.ones(3, 2), torch.full((3, 5), 0.5))
    assert EVERYTHING.advised(advice) is advice
    unpulled, unheard = SolverOptions(advice=False).advised(advice), SolverOptions(reliabilities=False).advised(advice)
    assert unpulled is not None
    assert not unpulled.precision.any()
    assert (unpulled.reliability == 0.5).all()
    assert unheard is not None
    assert (unheard.reliability == 1).all()
    assert unheard.precision.all()


def test_scales_keep_their_number_of_steps():
    whole = KernelScales()
    assert whole.not_graduated().coarse == (0.04,) * 5
    assert whole.not_graduated().actor_poses == (0.04,)
    for other in (whole.least_squares(), whole.not_graduated()):
        assert [len(scales) for scales in astuple(other)] == [len(scales) for scales in astuple(whole)]


def test_without_options_it_is_the_whole_solver(case, whole):
    again, _ = solved(case, Settings())
    assert again is not None
    # a mean by frames is rounded
    assert again.motion_jpe_mm == pytest.approx(whole.millimetres["clean"], rel=1e-12)


def test_the_table_says_how_many_times_the_whole_solvers(whole):
    worse = replace(whole, variant=VARIANTS[1], millimetres={"clean": 2 * whole.millimetres["clean"]})
    failed = replace(whole, variant=VARIANTS[2], millimetres={"clean": float("nan")})
    text = document([whole, worse, failed], 1234, 0)
    assert "1,234 frames" in text
    assert "| **2.00** " in text
    assert "| fails |" in text
