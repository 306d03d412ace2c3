# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes that are cut in mid-motion, at low rates and with samples missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from model.actors import prior as priors
from model.bench.ends import NEVER_MM, WANTED_MM, at_rate, compared, cut, robbed, solved
from model.core.take import Take
from model.result.solution import Solution
from model.synthetic.synthesis import Noise, synthesise

#: How the arms swing: by so much, so often a second; the hands are as fast as in a fight.
SWING_DEG, SWING_HZ = 65.0, 2.2


@pytest.fixture(scope="module")
def swinging() -> Take:
    """A person who swings the arms about as fast as anybody can, with a millimetre of jitter."""
    actor = priors.bundled().mean_actor()
    motion = synthesise(seconds=6.0, noise=Noise(gaps=0.0, long_gaps=0, spikes=0.0, swaps=0)).motion
    rotations = motion.rotations.copy()
    time = np.arange(motion.frames) / motion.rate_hz
    for side, phase in (("Left", 0.0), ("Right", 2.0)):
        angle = SWING_DEG * np.sin(2 * np.pi * SWING_HZ * time + phase)
        joint = actor.skeleton.joints.index(f"{side}Arm")
        rotations[:, joint] = Rotation.from_euler("x", angle[:, None], degrees=True).as_matrix() @ rotations[:, joint]
    markers = actor.markers(replace(motion, rotations=rotations))
    markers += np.random.default_rng(0).normal(scale=0.001, size=markers.shape)
    return Take("swinging", actor.labels, markers, np.zeros(markers.shape[:2]), motion.rate_hz)


@pytest.fixture(scope="module")
def whole(swinging: Take) -> Solution:
    return solved(swinging)


@pytest.mark.parametrize(("rate_hz", "missing"), [(24.0, 0.0), (24.0, 0.1), (30.0, 0.1), (60.0, 0.3), (120.0, 0.3)])
def test_ends_are_as_good_as_the_middle(rate_hz: float, missing: float, swinging: Take, whole: Solution) -> None:
    resampled = at_rate(swinging, rate_hz)
    ends = []
    for number, start in enumerate((0.4, 2.7)):
        window = compared(whole, robbed(cut(resampled, start, 2.5), missing, (7, number)), start, missing, None)
        # by straight lines it was 4 to 38
        assert window.flagged <= 1
        ends += [window.first_mm, window.last_mm]
    assert max(ends) < NEVER_MM
    assert np.median(ends) < WANTED_MM


def test_windows_are_where_and_as_they_should_be(swinging: Take) -> None:
    slow = at_rate(swinging, 24.0)
    np.testing.assert_allclose(slow.positions[10], swinging.positions[50], atol=1e-9)
    fast = at_rate(swinging, 240.0)
    np.testing.assert_allclose(fast.positions[::2][:100], swinging.positions[:100], atol=1e-9)
    part = cut(slow, 2.0, 1.5)
    assert part.first_frame == 48
    np.testing.assert_array_equal(part.positions, slow.positions[48:84])
    left = robbed(part, 0.3, (0, 1))
    assert 1 - left.present.mean() == pytest.approx(0.3, abs=0.03)
    np.testing.assert_array_equal(left.positions[left.present], part.positions[left.present])
    assert robbed(part, 0.0, (0, 1)) is part


def test_gaps_of_a_take_stay_gaps_at_other_rates(swinging: Take) -> None:
    positions = swinging.positions.copy()
    positions[100:200, 3] = np.nan
    resampled = at_rate(replace(swinging, positions=positions), 60.0)
    assert not resampled.present[51:99, 3].any()
    assert resampled.present[:49, 3].all()
    assert resampled.present[101:, 3].all()
