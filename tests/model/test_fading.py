# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that are smoothed: each stretch as if there were no other."""

from __future__ import annotations

import numpy as np

from model.core.fading import smoothed, smoothed_within


def test_stretches_are_smoothed_as_if_alone() -> None:
    values = np.random.default_rng(2).normal(size=(60, 2))
    stretches = [(0, 1), (3, 20), (20, 41), (50, 60)]
    found = smoothed_within(values, stretches, 2.5)
    for start, end in stretches:
        assert np.abs(found[start:end] - smoothed(values[start:end], 2.5)).max() < 1e-12
    kept = np.ones(60, dtype=bool)
    for start, end in stretches:
        kept[start:end] = False
    assert np.array_equal(found[kept], values[kept])
    assert np.abs(found[0] - values[0]).max() < 1e-12
    assert np.array_equal(smoothed_within(values, [], 2.5), values)


def test_smoothing_keeps_what_is_straight_and_calms_what_is_not() -> None:
    line = np.linspace(0.0, 5.0, 80)[:, None]
    assert np.abs(smoothed(line, 3.0) - line)[10:-10].max() < 1e-12
    noise = np.random.default_rng(1).normal(size=(400, 1))
    assert smoothed(noise, 3.0).std() < 0.4 * noise.std()
