# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers that no set knows, attached by fitting: on synthetic takes, whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from model.actors.actor import Actor
from model.actors.prior import bundled
from model.core.metrics import pose_error
from model.core.motion import Motion, forward
from model.core.rotations import unitquat_to_rotmat
from model.core.settings import Settings
from model.core.skeleton import CMU_JOINTS
from model.core.take import Take
from model.engine.pipeline import solve_take
from model.result.solution import Solution
from model.solver.attachment import FEWEST_SAMPLES, LEAST_DEVIATION_M, MOST_SPREAD_M, still_place
from model.solver.options import SolverOptions
from model.synthetic.synthesis import synthesise

#: Markers that the set does not know: joint, offset in metres. One on a wand, one on a hat.
STRANGE = {"Wand": ("RightUpLeg", (-0.30, -0.20, 0.05)), "Hat": ("Head", (0.02, 0.25, -0.05))}


@dataclass(frozen=True, eq=False)
class Strange:
    """A take with strange markers and its truth."""

    take: Take
    motion: Motion


def with_markers(take: Take, labels: list[str], positions: np.ndarray) -> Take:
    return replace(
        take,
        labels=take.labels + tuple(labels),
        positions=np.concatenate([take.positions, positions], axis=1),
        residuals=np.concatenate([take.residuals, np.zeros(positions.shape[:2])], axis=1),
    )


@pytest.fixture(scope="module")
def strange() -> Strange:
    """The synthetic person with a wand and a hat, a ball on the floor and a marker that is hardly ever seen."""
    made = synthesise(seconds=10.0, rate_hz=60.0, seed=3)
    joints = tuple(CMU_JOINTS.index(joint) for joint, _ in STRANGE.values())
    offsets = np.array([offset for _, offset in STRANGE.values()])
    worn = Actor(made.motion.skeleton, tuple(STRANGE), joints, offsets).markers(made.motion)
    random = np.random.default_rng(0)
    worn += random.normal(scale=0.003, size=worn.shape)
    worn[100:220, 0] = np.nan
    others = np.full((len(worn), 2, 3), np.nan)
    others[:, 0] = (0.3, 0.2, 0.1)
    others[:8, 1] = worn[:8, 1] + 0.02
    return Strange(with_markers(made.take, [*STRANGE, "Ball", "Rare"], np.concatenate([worn, others], axis=1)), made.motion)


@pytest.fixture(scope="module")
def solution(strange: Strange) -> Solution:
    return solve_take(strange.take, Settings())


def motion_mm(solution: Solution, motion: Motion) -> float:
    positions, global_rotations = forward(solution.actor.skeleton, unitquat_to_rotmat(solution.rotations), solution.positions[:, 0])
    return float(pose_error(positions, global_rotations, *motion.forward()).motion_mm.mean())


def test_unknown_markers_are_attached_where_they_are(solution: Solution) -> None:
    actor = solution.actor
    assert actor.labels[-2:] == ("Wand", "Hat")
    assert solution.clean.take.labels == actor.labels
    assert solution.markers_model.shape[1] == solution.clean.trusted.shape[1] == len(actor.labels)
    for label, (joint, offset) in STRANGE.items():
        row = actor.labels.index(label)
        assert actor.skeleton.joints[actor.marker_joints[row]] == joint
        # an offset is measured from a joint, and the hip that the fit finds here is 4 cm off itself
        assert np.linalg.norm(actor.marker_offsets[row] - offset) < 0.06
        residual = np.linalg.norm(solution.clean.take.positions[:, row] - solution.markers_model[:, row], axis=-1)
        # a degree of the thigh's twist is 6 mm at the end of the wand
        assert np.nanmean(residual) < 0.02


def test_what_was_attached_and_what_not_is_said(solution: Solution) -> None:
    assert "Attached by fitting, as the marker set does not know them: Wand to RightUpLeg, Hat to Head." in solution.warnings
    assert "Left out, as the marker set does not know them and they stay still on no bone: Ball." in solution.warnings
    assert "Left out, as the marker set does not know them and they have few samples: Rare." in solution.warnings


def test_the_poses_are_no_worse_for_it(solution: Solution, strange: Strange) -> None:
    known = strange.take.only(range(len(strange.take.labels) - 4))
    without = solve_take(known, Settings())
    assert not [warning for warning in without.warnings if "does not know" in warning]
    assert motion_mm(solution, strange.motion) < motion_mm(without, strange.motion) + 0.5


def test_a_saved_actor_knows_them(solution: Solution, strange: Strange) -> None:
    again = solve_take(strange.take, Settings(), solution.actor)
    assert again.actor.labels == solution.actor.labels
    np.testing.assert_allclose(again.actor.marker_offsets, solution.actor.marker_offsets)
    assert not any("Attached" in warning for warning in again.warnings)


def test_a_given_actor_keeps_its_bones_when_markers_are_attached(solution: Solution, strange: Strange) -> None:
    keep = [row for row, label in enumerate(solution.actor.labels) if label != "Hat"]
    actor = solution.actor.only(keep)
    again = solve_take(strange.take, Settings(), actor)
    assert again.actor.labels == solution.actor.labels
    assert again.actor.offset_sigma is not None
    # found in poses that were found without it, it is no surer than an attachment is held to be
    assert (again.actor.offset_sigma[-1] >= LEAST_DEVIATION_M).all()
    np.testing.assert_array_equal(again.actor.offset_sigma[:-1], actor.offset_sigma)
    np.testing.assert_array_equal(again.actor.skeleton.bones, actor.skeleton.bones)
    assert np.linalg.norm(again.actor.marker_offsets[-1] - STRANGE["Hat"][1]) < 0.03


def test_a_known_marker_under_a_strange_name_comes_back(strange: Strange) -> None:
    """Markers under other names end on the bones that they came from, also where no label of the set is given to them."""
    renamed = {"LSHN": "Spot1", "RHEE": "Spot2", "LUPA": "Spot3"}
    take = strange.take.only(range(len(strange.take.labels) - 4))
    take = replace(take, labels=tuple(renamed.get(label, label) for label in take.labels))
    assert set(renamed) <= set(solve_take(take, Settings()).actor.labels)
    solution = solve_take(take, Settings(), options=SolverOptions(relabel=False))
    truth = bundled().mean_actor()
    for label, spot in renamed.items():
        row, true = solution.actor.labels.index(spot), truth.labels.index(label)
        assert solution.actor.marker_joints[row] == truth.marker_joints[true]
        assert np.linalg.norm(solution.actor.marker_offsets[row] - truth.marker_offsets[true]) < 0.03


@pytest.fixture(scope="module")
def moving() -> Motion:
    return synthesise(seconds=5.0, rate_hz=30.0).motion


def place_of(motion: Motion, points: np.ndarray, seen: np.ndarray | None = None):
    positions, global_rotations = motion.forward()
    seen = np.ones(len(points), dtype=bool) if seen is None else seen
    return still_place(points, seen, positions, global_rotations, motion.skeleton.bones)


def test_a_third_of_strays_does_not_move_the_place(moving: Motion) -> None:
    actor = Actor(moving.skeleton, ("Wand",), (CMU_JOINTS.index("RightUpLeg"),), np.array([STRANGE["Wand"][1]]))
    points = actor.markers(moving)[:, 0]
    random = np.random.default_rng(1)
    points += random.normal(scale=0.002, size=points.shape)
    strays = random.random(len(points)) < 0.3
    points[strays] += random.normal(scale=0.5, size=(strays.sum(), 3))
    place = place_of(moving, points)
    assert place is not None
    assert place.fits
    assert CMU_JOINTS[place.joint] == "RightUpLeg"
    np.testing.assert_allclose(place.offset, STRANGE["Wand"][1], atol=0.003)


def test_what_moves_with_no_bone_fits_none(moving: Motion) -> None:
    still = place_of(moving, np.tile([0.5, 0.5, 0.0], (len(moving.root), 1)))
    assert still is not None
    assert still.spread_m > MOST_SPREAD_M
    assert not still.fits
    far = place_of(moving, moving.root + 5.0 * moving.rotations[:, 0, :, 1])
    assert far is not None
    assert far.spread_m < MOST_SPREAD_M
    assert not far.fits


def test_few_samples_say_nothing(moving: Motion) -> None:
    seen = np.zeros(len(moving.root), dtype=bool)
    seen[: FEWEST_SAMPLES - 1] = True
    assert place_of(moving, moving.root, seen) is None


def test_a_person_who_stands_still_wears_a_marker_on_the_nearest_bone() -> None:
    """Where nothing moves, every joint is as still: the nearest bone has it."""
    mean = bundled()
    still = Motion(mean.mean_actor().skeleton, np.repeat(mean.pose.mean_rotations[None], 20, axis=0), np.zeros((20, 3)), 30.0)
    actor = Actor(still.skeleton, ("Wand",), (CMU_JOINTS.index("RightLeg"),), np.array([[-0.1, -0.2, 0.03]]))
    place = place_of(still, actor.markers(still)[:, 0])
    assert place is not None
    assert CMU_JOINTS[place.joint] == "RightLeg"
