# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from model.core.rigid import nearest_rotations, turn_between
from model.core.skeleton import CMU_PARENTS, Skeleton
from model.core.stretches import frames_from, stretches


def test_the_nearest_rotation_takes_points_where_they_went_and_is_no_reflection() -> None:
    random = np.random.default_rng(0)
    turns = Rotation.from_rotvec(random.standard_normal((20, 3))).as_matrix()
    points = random.standard_normal((6, 3))
    points[:, 2] *= 1e-3  # nearly flat: noise would mirror them
    went = points @ turns.swapaxes(-1, -2) + 1e-2 * random.standard_normal((20, 6, 3))
    found = nearest_rotations(np.einsum("fki,kj->fij", went, points))
    np.testing.assert_allclose(np.linalg.det(found), 1.0)
    assert np.degrees(Rotation.from_matrix(found.swapaxes(-1, -2) @ turns).magnitude()).max() < 2.0
    assert nearest_rotations(turns.astype(np.float32)).dtype == np.float32


def test_the_smallest_turn_between_two_directions() -> None:
    start, end = np.array([0.0, 2.0, 0.0]), np.array([0.3, 0.0, -0.4])
    turn = turn_between(start, end)
    np.testing.assert_allclose(turn @ start / 2.0, end / 0.5, atol=1e-12)
    assert np.isclose(Rotation.from_matrix(turn).magnitude(), np.pi / 2)
    np.testing.assert_allclose(turn_between(end, 3 * end), np.eye(3), atol=1e-12)


def test_a_stretch_ends_behind_its_last_frame() -> None:
    assert stretches(np.array([True, True, False, True, False, False, True])).tolist() == [[0, 2], [3, 4], [6, 7]]
    assert stretches(np.zeros(5, dtype=bool)).shape == (0, 2)
    assert stretches(np.zeros(0, dtype=bool)).shape == (0, 2)


def test_every_frame_knows_how_far_the_nearest_flag_of_its_column_is() -> None:
    flags = np.array([[0, 0, 1], [1, 0, 0], [0, 0, 0], [0, 0, 0], [1, 0, 0]], dtype=bool)
    np.testing.assert_array_equal(frames_from(flags).T, [[1, 0, 1, 1, 0], [np.inf] * 5, [0, 1, 2, 3, 4]])
    assert frames_from(np.zeros((0, 2), dtype=bool)).shape == (0, 2)


def test_what_hangs_below_a_joint() -> None:
    below = Skeleton(tuple(map(str, range(len(CMU_PARENTS)))), CMU_PARENTS, np.zeros((len(CMU_PARENTS), 3))).below
    assert below[0].all()
    assert below.diagonal().all()
    for joint, parent in enumerate(CMU_PARENTS):
        if parent >= 0:
            assert below[parent, joint]
            assert not below[joint, parent]
