# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers that move about on their bone do not take the limb along: a sleeve that slides on a synthetic forearm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.actors.actor import Actor
from model.actors.placement import Placement
from model.core.settings import Settings
from model.core.skeleton import CMU_JOINTS
from model.core.take import FloatArray, Take
from model.engine.pipeline import solve_take
from model.result.solution import Solution
from model.solver.kinematics import looseness_of
from model.synthetic.synthesis import SyntheticTake, synthesise

#: Markers of a sleeve, half way along the forearm and so far around it, in metres.
SLEEVE, AROUND_M = 9, 0.05


def sleeve(made: SyntheticTake, slid: FloatArray) -> FloatArray:
    """(frames, markers, 3) in metres: around the left forearm, and along it by (frames,) in metres."""
    positions, global_rotations = made.motion.forward()
    forearm = CMU_JOINTS.index("LeftForeArm")
    bone = made.motion.skeleton.bones[forearm]
    along = bone / np.linalg.norm(bone)
    side = np.cross(along, (0.0, 0.0, 1.0))
    side /= np.linalg.norm(side)
    angles = 2 * np.pi * np.arange(SLEEVE) / SLEEVE
    ring = AROUND_M * (np.cos(angles)[:, None] * side + np.sin(angles)[:, None] * np.cross(along, side))
    local = 0.5 * bone + ring + slid[:, None, None] * along
    return positions[:, None, forearm] + np.einsum("fij,fmj->fmi", global_rotations[:, forearm], local)


def with_markers(take: Take, name: str, points: FloatArray) -> Take:
    random = np.random.default_rng(0)
    return replace(
        take,
        labels=take.labels + tuple(f"{name}{row}" for row in range(points.shape[1])),
        positions=np.concatenate([take.positions, points + random.normal(scale=0.0005, size=points.shape)], axis=1),
        residuals=np.concatenate([take.residuals, np.zeros(points.shape[:2])], axis=1),
    )


@pytest.fixture(scope="module")
def made() -> SyntheticTake:
    return synthesise(seconds=6.0, rate_hz=60.0, seed=3)


@pytest.fixture(scope="module")
def plain(made: SyntheticTake) -> Solution:
    return solve_take(made.take, Settings())


def apart_mm(one: Solution, other: Solution) -> FloatArray:
    return 1000 * np.linalg.norm(one.positions - other.positions, axis=-1)


def test_a_sleeve_that_slides_does_not_take_the_arm_along(made: SyntheticTake, plain: Solution) -> None:
    slid = 0.03 * np.sin(np.arange(made.take.frames) / 20)
    solved = solve_take(with_markers(made.take, "Sleeve", sleeve(made, slid)), Settings())
    loose_m = solved.actor.loose_m
    assert solved.actor.labels[-SLEEVE:] == tuple(f"Sleeve{row}" for row in range(SLEEVE))
    assert loose_m is not None
    np.testing.assert_allclose(loose_m[-SLEEVE:], slid.std(), atol=0.006)
    assert not loose_m[:-SLEEVE].any(), "known markers are what they were"
    arm = [CMU_JOINTS.index(joint) for joint in ("LeftArm", "LeftForeArm", "LeftHand")]
    assert apart_mm(solved, plain)[:, arm].mean() < 3.0


@pytest.mark.parametrize("settings", [Settings(), Settings(fit_actor=True)])
def test_an_actor_who_is_given_knows_the_sleeve(made: SyntheticTake, plain: Solution, settings: Settings) -> None:
    slid = 0.03 * np.sin(np.arange(made.take.frames) / 20)
    take = with_markers(made.take, "Sleeve", sleeve(made, slid))
    solved = solve_take(take, settings, solve_take(take, Settings()).actor)
    assert solved.actor.loose_m is not None
    assert (solved.actor.loose_m[-SLEEVE:] > 0.015).all()
    assert apart_mm(solved, plain).mean() < 3.0


def test_rigid_markers_count_as_any(made: SyntheticTake) -> None:
    solved = solve_take(with_markers(made.take, "Sleeve", sleeve(made, np.zeros(made.take.frames))), Settings())
    assert solved.actor.labels[-SLEEVE:] == tuple(f"Sleeve{row}" for row in range(SLEEVE))
    assert solved.actor.loose_m is None


def test_of_a_bone_s_loose_markers_each_counts_for_what_moves_with_it() -> None:
    """The one on another bone is moved by itself, and one that is not loose counts in full."""
    import torch

    actor = _actor(("a", "b", "c", "d", "e"), (20, 20, 20, 4, 20), np.array([0.01, 0.02, 0.03, 0.02, 0.0]))
    found = looseness_of(actor, torch.device("cpu"), torch.float64)
    assert found is not None
    np.testing.assert_allclose(found.numpy(), [2 * 0.01**2, 2 * 0.02**2, 2 * 0.03**2, 0.0, 0.0])
    assert looseness_of(actor.only([0, 3, 4]), torch.device("cpu"), torch.float64) is None, "each is alone"


def test_loose_markers_stay_so_among_fewer_more_and_in_another_size() -> None:
    actor = _actor(("a", "b"), (20, 20), np.array([0.0, 0.02]))
    placement = Placement(("c",), (4,), np.zeros((1, 3)), np.full((1, 3), 0.01), (4,))
    for other, said in (
        (actor.only([1]), [0.02]),
        (actor.beside(placement), [0.0, 0.02, 0.0]),
        (actor.of_size(0.5), [0.0, 0.01]),
    ):
        assert other.loose_m is not None
        np.testing.assert_allclose(other.loose_m, said)


def _actor(labels: tuple[str, ...], joints: tuple[int, ...], loose_m: FloatArray) -> Actor:
    skeleton = synthesise(seconds=0.5, rate_hz=30.0, seed=0).motion.skeleton
    return Actor(skeleton, labels, joints, np.zeros((len(labels), 3)), loose_m=loose_m)
