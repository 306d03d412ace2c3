# SPDX-License-Identifier: GPL-3.0-or-later
"""How a motion moves beside the truth: steps, jitter, feet that skate, flips, speed."""

from dataclasses import replace

import numpy as np
import pytest

from model.core.metrics import (
    CMU_UNIT,
    distance_units,
    flips_per_1000,
    foot_contact,
    foot_skate_mm_s,
    jitter,
    smoothness_units,
    speed_ratio,
)

from .limbs import ARM, HAND, RATE, scored, still, swinging, walk


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
