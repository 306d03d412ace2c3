# SPDX-License-Identifier: GPL-3.0-or-later
"""Given actors of any hierarchy that are fitted to a take: their bones and marker places."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.actors.actor import Actor
from model.actors.actor_file import read_actor, write_actor
from model.actors.given_sizes import prior_around
from model.actors.hierarchy import carrying, prior_of
from model.actors.placement import Placement
from model.actors.prior import Prior, bundled
from model.core.metrics import PoseError, pose_error
from model.core.motion import Motion, forward
from model.core.rotations import unitquat_to_rotmat
from model.core.settings import Settings
from model.engine.pipeline import solve_take
from model.result.solution import Solution
from model.shell.cli import main
from model.solver.calibration import ActorFit, SizeParameters
from model.solver.kinematics import Body, Pose
from model.solver.observations import Observations
from model.synthetic.synthesis import SyntheticTake

from .c3d_files import write
from .soft_person import another, person, taken, walking

FITTED = Settings(fit_actor=True)


def nameless(actor: Actor) -> Actor:
    """Nothing tells how its joints move, and no marker set knows its labels."""
    joints = tuple(f"j{number}" for number in range(len(actor.skeleton.joints)))
    labels = tuple(f"m{number:02}" for number in range(len(actor.labels)))
    return replace(actor, skeleton=replace(actor.skeleton, joints=joints), labels=labels)


@pytest.fixture(scope="module")
def given() -> Actor:
    """56 markers on 24 joints."""
    return nameless(person(more=True))


@pytest.fixture(scope="module")
def other(given: Actor) -> Actor:
    return another(given, 1)


@pytest.fixture(scope="module")
def motion(other: Actor, synthetic: SyntheticTake) -> Motion:
    """Of the other person."""
    return Motion(other.skeleton, walking(person(), synthetic.motion).rotations, synthetic.motion.root, synthetic.motion.rate_hz)


def error_of(solution: Solution, motion: Motion) -> PoseError:
    positions, rotations = forward(solution.actor.skeleton, unitquat_to_rotmat(solution.rotations), solution.positions[:, 0])
    return pose_error(positions, rotations, *motion.forward())


def test_an_actor_of_another_person_is_fitted(given: Actor, other: Actor, motion: Motion, tmp_path: Path) -> None:
    take = taken(other, motion)
    as_given = solve_take(take, Settings(), given)
    np.testing.assert_array_equal(as_given.actor.skeleton.offsets, given.skeleton.offsets)
    fitted = solve_take(take, FITTED, given)
    before, after = error_of(as_given, motion), error_of(fitted, motion)
    assert before.position_mm.mean() > 15
    assert after.position_mm.mean() < before.position_mm.mean() / 2.5
    assert after.motion_mm.mean() < min(1.5, before.motion_mm.mean() / 4)
    assert after.motion_deg.mean() < min(1.5, before.motion_deg.mean() / 2)
    said = next(each for each in fitted.findings if each.kind == "fitted")
    assert 104 < said.numbers["size_percent"] < 110
    assert fitted.actor.offset_sigma is not None
    # what is saved solves another take of that person as well, and is not changed by that
    write_actor(fitted.actor, tmp_path / "other.json")
    kept = read_actor(tmp_path / "other.json")
    np.testing.assert_allclose(kept.skeleton.offsets, fitted.actor.skeleton.offsets, atol=1e-6)
    again = solve_take(take, Settings(), kept)
    assert error_of(again, motion).motion_mm.mean() < 1.5
    assert again.actor.skeleton.offsets.tolist() == kept.skeleton.offsets.tolist()


def test_an_actor_that_is_right_stays_as_it_is(given: Actor, synthetic: SyntheticTake) -> None:
    own = walking(person(more=True), synthetic.motion)
    own = Motion(given.skeleton, own.rotations, own.root, own.rate_hz)
    fitted = solve_take(taken(given, own), FITTED, given)
    assert np.abs(fitted.actor.skeleton.offsets - given.skeleton.offsets).max() < 0.01
    assert error_of(fitted, own).position_mm.mean() < 4


def test_the_shell_fits_and_saves(given: Actor, other: Actor, motion: Motion, tmp_path: Path) -> None:
    short = Motion(motion.skeleton, motion.rotations[:240], motion.root[:240], motion.rate_hz)
    take = taken(other, short)
    points = 1000 * take.positions.transpose(2, 1, 0)
    write(tmp_path / "walk.c3d", points, list(take.labels), {"RATE": [take.rate_hz]}, np.zeros(points.shape[1:]))
    write_actor(given, tmp_path / "given.json")
    told = ["--actor", str(tmp_path / "given.json"), "--fit-actor", "--save-actor", str(tmp_path / "other.json")]
    assert main(["solve", str(tmp_path / "walk.c3d"), "--out", str(tmp_path / "out"), *told]) == 0
    lengths = [np.linalg.norm(each.skeleton.offsets, axis=1).sum() for each in (given, read_actor(tmp_path / "other.json"))]
    assert 1.04 < lengths[1] / lengths[0] < 1.10


def test_an_actor_of_the_bundled_joints_is_fitted_too(synthetic: SyntheticTake, prior: Prior) -> None:
    mean = prior.mean_actor()
    given = replace(mean, skeleton=replace(mean.skeleton, bones=0.92 * mean.skeleton.bones))
    kept, fitted = (solve_take(synthetic.take, settings, given) for settings in (Settings(), FITTED))
    assert kept.actor.skeleton.bones.tolist() == given.skeleton.bones.tolist()
    errors = [error_of(each, synthetic.motion).position_mm.mean() for each in (kept, fitted)]
    assert errors[1] < errors[0] / 1.5


@pytest.fixture(scope="module")
def fit() -> ActorFit:
    """Of a body whose joints sit at places of their own and share markers."""
    actor = person()
    known = prior_of(actor, bundled(), carrying(actor, bundled()))
    around, placement = prior_around(actor, known)
    body = Body(actor, known.pose, torch.device("cpu"), torch.float64)
    points = torch.zeros(2, len(actor.labels), 3, dtype=torch.float64)
    return ActorFit(body, around, placement, Observations(points, torch.ones(2, len(actor.labels), dtype=torch.float64), 0.05))


def test_the_derivative_by_the_sizes_is_that_of_the_markers(fit: ActorFit) -> None:
    random = torch.Generator().manual_seed(1)
    q = 0.3 * torch.randn(2, fit.body.coordinates, generator=random, dtype=torch.float64)
    rest = fit.body.rest(2)
    pose = Pose(rest.root, rest.turn, q)
    sizes = replace(fit.start(), components=torch.randn(fit.size_basis.shape[-1], generator=random, dtype=torch.float64))
    torch.testing.assert_close(fit.start().components, torch.zeros_like(sizes.components), atol=1e-9, rtol=0.0)
    analytic = fit.bone_jacobian(fit.sized(sizes).posed(pose).global_rotations)
    for component in range(fit.size_basis.shape[-1]):
        ends = []
        for step in (1e-5, -1e-5):
            moved = sizes.components.clone()
            moved[component] += step
            ends.append(fit.sized(SizeParameters(moved, sizes.offsets)).posed(pose).markers)
        torch.testing.assert_close(analytic[..., component], (ends[0] - ends[1]) / 2e-5, atol=1e-6, rtol=1e-5)


def test_a_larger_person_is_expected_to_be_larger_in_all(fit: ActorFit) -> None:
    """One number scales every bone, also those that are drawn, and every marker's place."""
    actor = fit.body.actor
    components = torch.zeros(fit.size_basis.shape[-1], dtype=torch.float64)
    components[0] = 1.0
    larger = fit.actor(SizeParameters(components, fit.offset_mean + fit.drawn @ components))
    np.testing.assert_allclose(larger.skeleton.offsets, 1.08 * actor.skeleton.offsets, atol=1e-12)
    np.testing.assert_allclose(larger.marker_offsets, 1.08 * actor.marker_offsets, atol=1e-12)


def test_markers_of_a_placement_are_taken_and_joined_with_how_bones_shift_them(fit: ActorFit) -> None:
    _, placement = prior_around(person(), prior_of(person(), bundled(), carrying(person(), bundled())))
    assert placement.offset_basis is not None
    few = placement.only([3, 1])
    more = few + Placement(("X",), (0,), np.zeros((1, 3)), np.ones((1, 3)), (0,))
    assert more.offset_basis is not None
    np.testing.assert_array_equal(more.offset_basis[:2], placement.offset_basis[[3, 1]])
    assert not more.offset_basis[2].any()
