# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion that synthetic markers are made of: clips behind each other, parted where angles flip."""

from __future__ import annotations

import numpy as np
import pytest

from model.core.motion import FASTEST_RAD
from model.core.rotations import unitquat_to_rotmat
from model.core.skeleton import CMU_JOINTS
from model.synthetic.markers import (
    LEAST_PART,
    gather_footage,
    leg_length,
    sound_parts,
)

from .synthetic_people import rotated, standing


def test_footage_is_the_motion_turned_upright(synthetic, footage):
    np.testing.assert_allclose(footage.root, synthetic.motion.root, atol=1e-5)
    np.testing.assert_allclose(unitquat_to_rotmat(footage.rotations.numpy()), synthetic.motion.rotations, atol=1e-5)
    assert (footage.rotations[1:] * footage.rotations[:-1]).sum(-1).min() > 0.9, "a sign flips"
    assert footage.legs[0] == pytest.approx(leg_length(synthetic.motion.skeleton.bones, CMU_JOINTS))


def test_clips_lie_one_behind_the_other_and_much_motion_counts_less_than_its_frames():
    footage = gather_footage([standing(400), standing(100, 60.0), standing(300)], ["much", "little", "much"])
    assert footage.starts.tolist() == [0, 400, 500]
    assert footage.lengths.tolist() == [400, 100, 300]
    assert footage.rates_hz.tolist() == [120.0, 60.0, 120.0]
    assert len(footage.root) == 800
    assert footage.chances.sum() == pytest.approx(1)
    assert footage.chances[0] / footage.chances[2] == pytest.approx(400 / 300)
    assert (footage.chances[0] + footage.chances[2]) / footage.chances[1] == pytest.approx(np.sqrt(7))


def test_a_clip_is_parted_where_an_angle_flips():
    angles = np.zeros(200)
    angles[100:] = 170.0
    angles[100] = 90.0  # over two steps, so that one frame lies between
    parts = sound_parts(rotated(standing(200), "LeftLeg", angles))
    assert [part.frames for part in parts] == [100, 99]
    np.testing.assert_array_equal(parts[1].root, standing(99).root)
    whole = rotated(standing(200), "LeftLeg", angles).rotations
    np.testing.assert_array_equal(np.concatenate([parts[0].rotations, parts[1].rotations]), np.delete(whole, 100, axis=0))


def test_short_parts_between_flips_are_left_out_but_short_clips_are_not():
    angles = np.zeros(200)
    angles[100 : 100 + LEAST_PART - 1] = 90.0
    assert [part.frames for part in sound_parts(rotated(standing(200), "RightArm", angles))] == [100]
    assert [part.frames for part in sound_parts(standing(5))] == [5]
    assert [part.frames for part in sound_parts(standing(1))] == [1]


@pytest.mark.parametrize("rate_hz", [60.0, 120.0])
def test_only_what_nobody_can_do_is_a_flip(rate_hz):
    fastest = np.degrees(FASTEST_RAD / rate_hz)
    for step, parts in ((0.98 * fastest, 1), (1.02 * fastest, 2)):
        angles = np.where(np.arange(160) < 80, 0.0, step)
        assert len(sound_parts(rotated(standing(160, rate_hz), "LeftArm", angles))) == parts
    # fingers and toes are noisy everywhere
    wild = np.where(np.arange(160) < 80, 0.0, 120.0)
    assert len(sound_parts(rotated(standing(160), "LThumb", wild))) == 1
    assert len(sound_parts(rotated(standing(160), "RightToeBase", wild))) == 1
