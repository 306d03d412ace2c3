# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of positions and rotations in hand-made cases, and what may be done to a solve without changing them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from model.core.metrics import (
    bone_constants,
    flips_per_1000,
    local_error,
    pose_error,
)
from model.core.rigid import local_rotations
from model.core.skeleton import Skeleton

from .limbs import ARM, HAND, LIMBS, scored, still, swinging, turns, wild


@pytest.fixture
def truth():
    random = np.random.default_rng(0)
    return random.normal(size=(50, 3, 3)), Rotation.from_rotvec(random.normal(size=(150, 3))).as_matrix().reshape(50, 3, 3, 3)


def test_a_constant_offset_and_rotation_are_no_motion_error(truth):
    positions, global_rotations = truth
    offset = np.array([0.01, 0.02, -0.03])
    constant = Rotation.from_rotvec([0.2, 0, 0.1]).as_matrix()
    error = pose_error(positions - global_rotations @ offset, global_rotations @ constant.T, positions, global_rotations)
    np.testing.assert_allclose(error.position_mm, 1000 * np.linalg.norm(offset))
    np.testing.assert_allclose(error.rotation_deg, np.degrees(np.linalg.norm([0.2, 0, 0.1])))
    np.testing.assert_allclose(error.motion_mm, 0, atol=1e-9)
    np.testing.assert_allclose(error.motion_deg, 0, atol=1e-9)


def test_motion_stays_motion(truth):
    positions, _ = truth
    moved = positions.copy()
    moved[::2, 1, 0] += 0.02
    error = pose_error(moved, np.tile(np.eye(3), (50, 3, 1, 1)), positions, np.tile(np.eye(3), (50, 3, 1, 1)))
    np.testing.assert_allclose(error.motion_mm[:, 1], 10)
    np.testing.assert_allclose(error.motion_mm[:, 0], 0, atol=1e-9)


def test_the_longer_take_is_cut(truth):
    positions, global_rotations = truth
    assert pose_error(positions[:40], global_rotations[:40], positions, global_rotations).motion_mm.shape == (40, 3)


def test_a_constant_shift_of_a_still_body():
    estimate = replace(still(), root=np.tile([0, 0.01, 0], (20, 1)))
    figures = scored(estimate, still())
    assert (figures.frames, figures.failed_frames) == (20, 0)
    assert [figures.jpe_mm, figures.p95_mm, figures.max_mm] == pytest.approx([10, 10, 10])
    assert figures.distance_units == pytest.approx(0.177165, abs=1e-6)  # 1 cm of 5.6444
    zeros = (figures.smoothness_units, figures.joe_global_deg, figures.joe_local_deg, figures.motion_jpe_mm, figures.motion_max_mm)
    assert zeros == pytest.approx([0] * 5, abs=1e-9)


def test_an_offset_is_constant_in_the_bone_that_turns():
    # the arm turns half a circle, then rests: an offset along it is no motion, one along the world is
    swung = swinging(still(41), ARM, np.minimum(np.arange(41.0) * 6, 180))
    positions, global_rotations = swung.forward()
    along_bone, along_world = positions.copy(), positions.copy()
    along_bone[:, ARM] += global_rotations[:, ARM] @ [0, 0.01, 0]
    along_world[:, ARM] += [0, 0.01, 0]
    assert pose_error(along_bone, global_rotations, positions, global_rotations).motion_mm.max() == pytest.approx(0, abs=1e-9)
    of_world = pose_error(along_world, global_rotations, positions, global_rotations)
    np.testing.assert_allclose(of_world.position_mm[:, ARM], 10)
    assert of_world.motion_mm[:, ARM].mean() > 3


def test_a_longer_parent_bone_is_motion_of_a_child_that_turns():
    longer = Skeleton(LIMBS.joints, LIMBS.parents, LIMBS.bones * [1, 1.01, 1])  # the hand is 10 mm further out
    rigid, bending = still(40), swinging(still(40), HAND, np.where(np.arange(40) < 20, 0, 180))
    for motion, motion_mm in ((rigid, 0), (bending, 10)):
        figures = scored(replace(motion, skeleton=longer), motion)
        assert figures.jpe_mm == pytest.approx(10 / 4)
        # the best offset of a joint that is rotated half and half by half a circle is none
        assert figures.motion_max_mm == pytest.approx(motion_mm, abs=1e-9)


def test_percentile_and_maximum_of_a_lone_outlier():
    root = np.zeros((100, 3))
    root[7] = [0, 0, 0.3]
    figures = scored(replace(still(100), root=root), still(100))
    assert [figures.jpe_mm, figures.p95_mm, figures.max_mm] == pytest.approx([3, 0, 300])
    assert [figures.motion_p95_mm, figures.motion_max_mm] == pytest.approx([3, 297])


def test_a_joint_turned_by_a_constant_turns_its_children_too():
    truth = swinging(still(), 0, np.arange(20.0) * 5)
    figures = scored(swinging(truth, ARM, np.full(20, 5.0)), truth)
    assert figures.joe_global_deg == pytest.approx((5 + 5) / 4)
    assert figures.joe_local_deg == pytest.approx(5 / 4)
    assert figures.motion_joe_global_deg == pytest.approx(0, abs=1e-9)
    assert figures.motion_joe_local_deg == pytest.approx(0, abs=1e-9)


def test_a_joint_that_wobbles_is_motion():
    figures = scored(swinging(still(), ARM, np.tile([5.0, -5.0], 10)), still())
    assert figures.joe_global_deg == pytest.approx(10 / 4)
    assert figures.motion_joe_global_deg == pytest.approx(10 / 4)
    assert figures.motion_joe_local_deg == pytest.approx(5 / 4)


def test_axes_that_lie_otherwise_are_in_two_local_rotations_and_in_no_motion():
    truth = wild(3, 30)
    global_rotations = truth.forward()[1]
    twisted = global_rotations.copy()
    twisted[:, ARM] = twisted[:, ARM] @ turns(20, 0, 0)
    raw, motion = local_error(twisted, global_rotations, LIMBS.parents)
    np.testing.assert_allclose(raw.mean(axis=0), [0, 20, 20, 0], atol=1e-9)
    np.testing.assert_allclose(motion, 0, atol=1e-9)


def test_constants_are_the_chordal_mean():
    spread = Rotation.from_rotvec(np.random.default_rng(4).normal(scale=1.5, size=(200, 3)))
    constants = bone_constants(np.tile(np.eye(3), (200, 1, 1, 1)), spread.as_matrix()[:, None])
    np.testing.assert_allclose(constants[0], spread.mean().as_matrix(), atol=1e-9)


def test_constants_are_never_reflections():
    # half turns about x, y and z: their sum is diag(-1, -3, -5)
    halves = np.repeat([np.diag([1.0, -1, -1]), np.diag([-1.0, 1, -1]), np.diag([-1.0, -1, 1])], [4, 3, 2], axis=0)
    constants = bone_constants(np.tile(np.eye(3), (9, 1, 1, 1)), halves[:, None])
    np.testing.assert_allclose(constants[0], np.diag([1, -1, -1]), atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_no_convention_is_a_motion_error(seed):
    truth, solve, random = wild(seed), wild(seed + 1), np.random.default_rng(seed)
    (true_positions, true_global_rotations), (positions, global_rotations) = truth.forward(), solve.forward()
    constants = Rotation.from_rotvec(random.normal(size=(4, 3))).as_matrix()
    shifted = positions + np.einsum("fjik,jk->fji", global_rotations, random.normal(size=(4, 3)))
    before = pose_error(positions, global_rotations, true_positions, true_global_rotations)
    after = pose_error(shifted, global_rotations @ constants, true_positions, true_global_rotations)
    np.testing.assert_allclose(after.motion_mm, before.motion_mm, atol=1e-6)
    np.testing.assert_allclose(after.motion_deg, before.motion_deg, atol=1e-6)
    local = [
        local_error(rotations, true_global_rotations, LIMBS.parents)[1] for rotations in (global_rotations, global_rotations @ constants)
    ]
    np.testing.assert_allclose(local[1], local[0], atol=1e-6)
    flips = [
        flips_per_1000(local_rotations(rotations, LIMBS.parents), truth.rotations)
        for rotations in (global_rotations, global_rotations @ constants)
    ]
    assert flips[0] == flips[1]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_a_turned_world_changes_nothing_but_the_roots_rotation(seed):
    truth, solve = wild(seed), wild(seed + 1)
    turn = Rotation.random(rng=seed).as_matrix()
    global_rotations, true_global_rotations = solve.forward()[1], truth.forward()[1]
    raw = local_error(global_rotations, true_global_rotations, LIMBS.parents)[0]
    np.testing.assert_allclose(local_error(turn @ global_rotations, turn @ true_global_rotations, LIMBS.parents)[0], raw, atol=1e-6)
    np.testing.assert_allclose(local_error(turn @ global_rotations, true_global_rotations, LIMBS.parents)[0][:, 1:], raw[:, 1:], atol=1e-6)
