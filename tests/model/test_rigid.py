# SPDX-License-Identifier: GPL-3.0-or-later
"""Local rotations and the angles between rotations."""

import numpy as np
import pytest

from model.core.rigid import local_rotations, rotation_angles_deg

from .limbs import LIMBS, turns, wild


def test_local_rotations_undo_forward_kinematics():
    motion = wild(1)
    np.testing.assert_allclose(local_rotations(motion.forward()[1], LIMBS.parents), motion.rotations, atol=1e-12)


@pytest.mark.parametrize("degrees", [0.0, 1e-9, 0.1, 90.0, 179.9999999, 180.0])
def test_angles_are_exact_everywhere(degrees):
    start = turns(10, 20, 30)
    assert rotation_angles_deg(start, start @ turns(0, degrees, 0)) == pytest.approx(degrees, rel=1e-6, abs=1e-12)


def test_the_angle_to_nothing_is_nan():
    assert np.isnan(rotation_angles_deg(np.eye(3), np.full((3, 3), np.nan)))
