# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of hand-made cases, and what may be done to a solve without changing them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from model.core.metrics import (
    CMU_UNIT,
    FEET,
    WRISTS,
    bone_constants,
    distance_units,
    flips_per_1000,
    foot_contact,
    foot_skate_mm_s,
    jitter,
    local_error,
    marker_error_mm,
    pose_error,
    smoothness_units,
    speed_ratio,
)
from model.core.motion import Motion
from model.core.rigid import local_rotations, rotation_angles_deg
from model.core.scores import Figures, score
from model.core.skeleton import CMU_JOINTS, CMU_PARENTS, Skeleton
from model.core.take import BonesetterError
from model.result.report import marker_residuals_mm

RATE = 100.0
ARM, HAND, FOOT = 1, 2, 3
#: A root that carries an arm and a foot, where it is; the arm carries a hand, a metre further along y.
LIMBS = Skeleton(("root", "arm", "hand", "foot"), (-1, 0, 1, 0), np.array([[0, 0, 0], [0, 1, 0], [0, 0.2, 0], [0, 0, 0.2]]))


def scored(estimate: Motion, truth: Motion, markers: np.ndarray | None = None, true_markers: np.ndarray | None = None) -> Figures:
    return score(estimate, truth, markers, true_markers, feet=("foot",), wrists=("hand",))


def turns(*rotvec_deg: float) -> np.ndarray:
    return Rotation.from_rotvec(rotvec_deg, degrees=True).as_matrix()


def still(frames: int = 20) -> Motion:
    return Motion(LIMBS, np.tile(np.eye(3), (frames, 4, 1, 1)), np.zeros((frames, 3)), RATE)


def wild(seed: int, frames: int = 12) -> Motion:
    random = np.random.default_rng(seed)
    rotations = Rotation.from_rotvec(random.normal(size=(frames * 4, 3))).as_matrix().reshape(frames, 4, 3, 3)
    return Motion(LIMBS, rotations, random.normal(size=(frames, 3)), RATE)


def swinging(motion: Motion, joint: int, degrees: np.ndarray) -> Motion:
    """A joint rotated further about x, by so many degrees in each frame."""
    rotations = motion.rotations.copy()
    rotations[:, joint] = rotations[:, joint] @ Rotation.from_euler("x", degrees[:, None], degrees=True).as_matrix()
    return replace(motion, rotations=rotations)


def failing(motion: Motion, frames: slice) -> Motion:
    rotations = motion.rotations.copy()
    rotations[frames, 1] = np.nan
    return replace(motion, rotations=rotations)


def walk(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """One joint's positions (frames, 1, 3) in metres."""
    return np.stack([x, 0 * x, z], axis=-1)[:, None]


@pytest.fixture
def truth():
    random = np.random.default_rng(0)
    return random.normal(size=(50, 3, 3)), Rotation.from_rotvec(random.normal(size=(150, 3))).as_matrix().reshape(50, 3, 3, 3)


# Positions and rotations


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


def test_local_rotations_undo_forward_kinematics():
    motion = wild(1)
    np.testing.assert_allclose(local_rotations(motion.forward()[1], LIMBS.parents), motion.rotations, atol=1e-12)


@pytest.mark.parametrize("degrees", [0.0, 1e-9, 0.1, 90.0, 179.9999999, 180.0])
def test_angles_are_exact_everywhere(degrees):
    start = turns(10, 20, 30)
    assert rotation_angles_deg(start, start @ turns(0, degrees, 0)) == pytest.approx(degrees, rel=1e-6, abs=1e-12)


def test_the_angle_to_nothing_is_nan():
    assert np.isnan(rotation_angles_deg(np.eye(3), np.full((3, 3), np.nan)))


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


# Movement


def test_cmu_units():
    positions = np.zeros((10, 2, 3))
    moved = positions.copy()
    moved[:, 0, 2] = 0.056444
    assert distance_units(moved, positions) == pytest.approx(0.5, rel=1e-4)
    assert smoothness_units(moved, positions) == 0


def test_smoothness_is_the_difference_of_steps():
    truth = np.random.default_rng(0).normal(size=(30, 2, 3))
    estimate = truth + np.array([1, 2, 3])
    estimate[:, 0, 1] += np.where(np.arange(30) % 2, 0.01, -0.01)  # the joint of two that steps by 2 cm more
    assert smoothness_units(estimate, truth) == pytest.approx(0.02 / CMU_UNIT / 2)
    assert smoothness_units(truth[::-1] * 0, truth) == pytest.approx(smoothness_units(truth, truth * 0))


def test_jitter_is_acceleration():
    time = np.arange(100) / 100
    assert jitter(np.stack([3 * time**2, 0 * time, 5 * time], axis=-1)[:, None], 100.0) == pytest.approx(6.0)


def test_jitter_of_a_sine_wobble():
    wobble = walk(0 * np.arange(2000.0), 0.001 * np.sin(2 * np.pi * 3 * np.arange(2000) / RATE))
    assert jitter(wobble, RATE) == pytest.approx(0.001 * (2 * np.pi * 3) ** 2 * 2 / np.pi, rel=0.01)
    doubled, single = (replace(still(2000), root=size * wobble[:, 0]) for size in (2, 1))
    assert scored(doubled, single).jitter_ratio == pytest.approx(2)


@pytest.mark.parametrize("length", [0, 1, 2])
def test_jitter_needs_three_frames(length):
    assert np.isnan(jitter(np.zeros((length, 4, 3)), RATE))


def test_a_foot_that_slides_while_it_stands_skates():
    frames = np.arange(200)
    lifted = np.where(frames < 100, 0.08, 0.3)  # an ankle stands 8 cm above the floor
    truth = walk(0.0 * frames, lifted)
    bobbing = 0.01 * np.sin(frames)
    slides = walk(np.where(frames < 100, 0.001, 0.05) * frames, lifted + bobbing)
    assert foot_skate_mm_s(slides, truth, RATE, "Z") == pytest.approx(100)  # 1 mm per frame
    assert foot_skate_mm_s(truth, truth, RATE, "Z") == 0
    np.testing.assert_array_equal(foot_contact(truth, RATE, "Z")[:, 0], frames[1:] < 100)


def test_the_other_axis_may_be_up():
    frames = np.arange(200)
    height = np.where(frames < 100, 0.08, 0.3) + np.where(frames % 2, 0.001, 0)
    y_up = walk(0.001 * frames, height)[..., [0, 2, 1]]
    assert foot_skate_mm_s(y_up, y_up, RATE, "Y") == pytest.approx(100)
    assert foot_contact(y_up, RATE, "Y").sum() == 99


def test_a_foot_stands_from_one_low_frame_to_the_next():
    lifted = walk(np.zeros(200), 0.03 + 0.0021 * np.clip(np.arange(200) - 99, 0, None))  # 23 frames more below 5 cm
    np.testing.assert_array_equal(foot_contact(lifted, RATE, "Z")[:, 0], np.arange(199) < 99 + 23)
    np.testing.assert_array_equal(foot_contact(lifted[::-1], RATE, "Z")[:, 0], np.arange(199)[::-1] < 99 + 23)


def test_a_foot_that_passes_low_does_not_stand():
    swinging_through = walk(0.01 * np.arange(100), np.full(100, 0.03))
    assert not foot_contact(swinging_through, RATE, "Z").any()
    assert np.isnan(foot_skate_mm_s(swinging_through, swinging_through, RATE, "Z"))


def test_the_truths_own_skating_is_told():
    truth = replace(still(50), root=np.arange(50)[:, None] * [0.001, 0, 0])
    figures = scored(still(50), truth)
    assert figures.foot_skate_mm_s == 0
    assert figures.true_foot_skate_mm_s == pytest.approx(100)


def test_one_flipped_frame_flips_there_and_back():
    truth = swinging(still(1001), HAND, np.arange(1001.0))
    flipped = swinging(truth, ARM, np.where(np.arange(1001) == 400, 170.0, 0.0))
    assert flips_per_1000(flipped.rotations, truth.rotations) == pytest.approx(2)
    assert scored(flipped, truth).flips_per_1000 == pytest.approx(2)
    assert flips_per_1000(truth.rotations, truth.rotations) == 0


@pytest.mark.parametrize(("turn", "true_turn", "flips"), [(59, 0, 0), (61, 0, 1), (61, 29, 1), (61, 31, 0)])
def test_fast_turns_are_no_flips(turn, true_turn, flips):
    solve, truth = (swinging(still(11), ARM, np.where(np.arange(11) < 5, 0.0, by)) for by in (turn, true_turn))
    assert flips_per_1000(solve.rotations, truth.rotations) == flips * 100


def test_a_smeared_motion_is_slower():
    wave = np.sin(2 * np.pi * np.arange(400) / 40)
    fast, resting = walk(wave, 0 * wave), np.zeros((400, 1, 3))
    assert speed_ratio(0.5 * fast, fast) == pytest.approx(0.5)
    truth = np.concatenate([fast, resting], axis=1)
    trembling = np.concatenate([0.7 * fast, 0.001 * fast], axis=1)
    assert speed_ratio(trembling, truth) == pytest.approx(0.7, rel=0.01)  # the hand that rests has no say
    assert np.isnan(speed_ratio(resting, resting))


# Markers


def test_residuals_are_missing_where_samples_are():
    markers = np.array([[[0.0, 0, 0], [np.nan, 0, 0]]])
    residuals = marker_residuals_mm(markers, np.array([[[0.003, 0.004, 0], [0.0, 0, 0]]]))
    np.testing.assert_allclose(residuals, [[5.0, np.nan]])


def test_marker_error():
    true_markers = np.zeros((20, 4, 3))
    true_markers[:, 3] = np.nan
    markers = true_markers + np.array([0.003, 0.004, 0])
    markers[:, 3] = 100.0
    markers[:, 2] *= 4
    assert marker_error_mm(markers, true_markers) == pytest.approx((5 + 5 + 20) / 3)
    # not placed: in a frame that failed, where no truth is, and one that counts
    markers[0, 0] = markers[3, 3] = markers[5, 2] = np.nan
    figures = scored(failing(still(), slice(0, 1)), still(), markers, true_markers)
    assert figures.mpe_mm == pytest.approx((19 * 5 + 19 * 5 + 18 * 20) / 56)
    assert figures.unplaced_samples == 1
    assert np.isnan(scored(still(), still(), markers).mpe_mm)
    with pytest.raises(ValueError, match="not the same"):
        scored(still(), still(), markers[:, :1], true_markers)


# All of it


def test_a_perfect_solve():
    motion = wild(5, 200)
    markers = np.random.default_rng(0).normal(size=(200, 4, 3))
    motion = replace(motion, root=motion.root * 0, rotations=np.concatenate([still(100).rotations, motion.rotations[100:]]))
    figures = scored(motion, motion, markers, markers)
    errors = {name: value for name, value in vars(figures).items() if not name.endswith("ratio") and name != "frames"}
    assert errors == pytest.approx(dict.fromkeys(errors, 0.0), abs=1e-9)
    assert (figures.jitter_ratio, figures.wrist_speed_ratio) == (1, 1)


def test_failed_frames_are_counted_and_left_out():
    truth = replace(wild(7, 40), root=np.arange(40)[:, None] * [0.001, 0, 0])
    estimate = replace(truth, root=truth.root + np.array([0, 0, 0.01]))
    figures = scored(failing(estimate, slice(10, 14)), truth)
    assert (figures.frames, figures.failed_frames) == (40, 4)
    assert [figures.jpe_mm, figures.max_mm] == pytest.approx([10, 10])
    # nothing bridges the frames that failed
    assert [figures.smoothness_units, figures.flips_per_1000] == pytest.approx([0, 0], abs=1e-9)
    assert [figures.jitter_ratio, figures.wrist_speed_ratio] == pytest.approx([1, 1])
    assert all(
        np.isfinite(value) for name, value in vars(figures).items() if name not in ("mpe_mm", "foot_skate_mm_s", "true_foot_skate_mm_s")
    )


def test_frames_that_failed_are_as_if_they_were_not_there():
    truth, solve = wild(8, 30), wild(9, 30)
    failed = scored(failing(solve, slice(20, 30)), truth)
    shorter = scored(replace(solve, rotations=solve.rotations[:20], root=solve.root[:20]), truth)
    assert (failed.failed_frames, shorter.failed_frames, shorter.frames) == (10, 0, 20)
    figures = vars(failed) | {"frames": 20, "failed_frames": 0}
    assert figures == pytest.approx(vars(shorter), nan_ok=True)


def test_a_frame_without_truth_is_no_failure():
    assert scored(still(), failing(still(), slice(0, 15))).failed_frames == 0
    assert scored(failing(still(), slice(14, 17)), failing(still(), slice(0, 15))).failed_frames == 2


def test_the_longer_motion_and_its_markers_are_cut():
    markers = np.zeros((30, 2, 3))
    for estimate, truth in ((still(30), still(20)), (still(20), still(30))):
        figures = scored(estimate, truth, markers[: estimate.frames], markers[: truth.frames])
        assert (figures.frames, figures.failed_frames, figures.mpe_mm, figures.unplaced_samples) == (20, 0, 0, 0)


def test_half_may_fail_and_no_more():
    assert scored(failing(still(), slice(0, 10)), still()).failed_frames == 10
    for failed, frames in ((slice(0, 11), 20), (slice(0, 1), 1), (slice(0), 0)):
        with pytest.raises(BonesetterError, match="at least half"):
            scored(failing(still(frames), failed), still(frames))


@pytest.mark.filterwarnings("error")
def test_one_frame_has_no_motion():
    markers = np.zeros((1, 2, 3))
    figures = scored(replace(still(1), root=np.array([[0, 0, 0.01]])), still(1), markers, markers)
    assert figures.jpe_mm == pytest.approx(10)
    assert (figures.joe_global_deg, figures.joe_local_deg, figures.mpe_mm) == (0, 0, 0)
    temporal = {name for name, value in vars(figures).items() if np.isnan(value)}
    motion = {name for name in vars(figures) if name.startswith("motion")}
    moving = {"smoothness_units", "jitter_ratio", "foot_skate_mm_s", "true_foot_skate_mm_s", "flips_per_1000", "wrist_speed_ratio"}
    assert temporal == motion | moving


@pytest.mark.filterwarnings("error")
def test_a_body_without_feet_or_hands():
    figures = score(still(), still(), feet=(), wrists=())
    assert np.isnan([figures.foot_skate_mm_s, figures.wrist_speed_ratio]).all()


def test_what_cannot_be_compared():
    other = Skeleton(("root", "leg", "hand", "foot"), LIMBS.parents, LIMBS.bones)
    with pytest.raises(BonesetterError, match="different joints"):
        scored(replace(still(), skeleton=other), still())
    with pytest.raises(BonesetterError, match="resample"):
        scored(replace(still(), rate_hz=60.0), still())
    with pytest.raises(BonesetterError, match="no joint LeftFoot"):
        score(still(), still())


def test_scoring_takes_no_steps_for_each_frame(steps):
    random = np.random.default_rng(0)

    def scored_steps(frames: int) -> int:
        rotations = Rotation.from_rotvec(0.1 * random.normal(size=(frames * 31, 3))).as_matrix().reshape(frames, 31, 3, 3)
        skeleton = Skeleton(CMU_JOINTS, CMU_PARENTS, random.normal(size=(31, 3)))
        motion = Motion(skeleton, rotations, random.normal(size=(frames, 3)), RATE)
        return steps(lambda: score(motion, motion, feet=FEET, wrists=WRISTS))

    scored_steps(400)
    assert scored_steps(4000) < 1.2 * scored_steps(400)
