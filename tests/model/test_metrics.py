# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of hand-made cases."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from model.metrics import jitter, pose_error
from model.report import marker_residuals_mm


@pytest.fixture
def truth():
    random = np.random.default_rng(0)
    return random.normal(size=(50, 3, 3)), Rotation.from_rotvec(random.normal(size=(150, 3))).as_matrix().reshape(50, 3, 3, 3)


def test_a_constant_offset_and_rotation_are_no_motion_error(truth):
    positions, turned = truth
    offset = np.array([0.01, 0.02, -0.03])
    constant = Rotation.from_rotvec([0.2, 0, 0.1]).as_matrix()
    error = pose_error(positions - turned @ offset, turned @ constant.T, positions, turned)
    np.testing.assert_allclose(error.position_mm, 1000 * np.linalg.norm(offset))
    np.testing.assert_allclose(error.rotation_deg, np.degrees(np.linalg.norm([0.2, 0, 0.1])))
    np.testing.assert_allclose(error.motion_mm, 0, atol=1e-9)
    np.testing.assert_allclose(error.motion_deg, 0, atol=1e-5)


def test_motion_stays_motion(truth):
    positions, _ = truth
    moved = positions.copy()
    moved[::2, 1, 0] += 0.02
    error = pose_error(moved, np.tile(np.eye(3), (50, 3, 1, 1)), positions, np.tile(np.eye(3), (50, 3, 1, 1)))
    np.testing.assert_allclose(error.motion_mm[:, 1], 10)
    np.testing.assert_allclose(error.motion_mm[:, 0], 0, atol=1e-9)


def test_the_longer_take_is_cut(truth):
    positions, turned = truth
    assert pose_error(positions[:40], turned[:40], positions, turned).motion_mm.shape == (40, 3)


def test_residuals_are_missing_where_samples_are():
    markers = np.array([[[0.0, 0, 0], [np.nan, 0, 0]]])
    residuals = marker_residuals_mm(markers, np.array([[[0.003, 0.004, 0], [0.0, 0, 0]]]))
    np.testing.assert_allclose(residuals, [[5.0, np.nan]])


def test_jitter_is_acceleration():
    time = np.arange(100) / 100
    assert jitter(np.stack([3 * time**2, 0 * time, 5 * time], axis=-1)[:, None], 100.0) == pytest.approx(6.0)
