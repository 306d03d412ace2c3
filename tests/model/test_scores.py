# SPDX-License-Identifier: GPL-3.0-or-later
"""All figures of a solve: errors of markers, frames that failed, motions that cannot be compared."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from model.core.errors import BonesetterError
from model.core.metrics import (
    FEET,
    WRISTS,
    marker_error_mm,
)
from model.core.motion import Motion
from model.core.scores import score
from model.core.skeleton import CMU_JOINTS, CMU_PARENTS, Skeleton
from model.result.report import marker_residuals_mm

from .limbs import LIMBS, RATE, failing, scored, still, wild


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
