# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves through samples, and the filter that smooths them, beside scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import Akima1DInterpolator, CubicHermiteSpline, CubicSpline
from scipy.signal import butter, sosfiltfilt

from model.core.curves import akima_slopes, hermite, spline_slopes
from model.solver.smoothing import cutoff_hz, low_pass


def samples(count: int, shape: tuple[int, ...] = (4, 3)) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Uneven places (count,), values (count, *shape), and places where a curve through them is wanted, the samples' own included."""
    random = np.random.default_rng(count)
    at = np.cumsum(random.integers(1, 9, count)).astype(float)
    return at, random.normal(size=(count, *shape)), np.concatenate([at, random.uniform(at[0], at[-1], 200)])


@pytest.mark.parametrize("count", [2, 3, 4, 5, 60])
def test_a_spline_is_scipys(count):
    at, values, wanted = samples(count)
    curve = hermite(at, values, spline_slopes(at, values), wanted)
    np.testing.assert_allclose(curve, CubicSpline(at, values)(wanted), atol=1e-11)


@pytest.mark.parametrize("count", [3, 4, 5, 60])
def test_akimas_curve_is_scipys(count):
    at, values, wanted = samples(count)
    curve = hermite(at, values, akima_slopes(at, values), wanted)
    np.testing.assert_allclose(curve, Akima1DInterpolator(at, values)(wanted), atol=1e-11)


def test_akimas_curve_is_straight_where_its_samples_are():
    """There both weights are 0."""
    at = np.arange(12)
    values = np.stack([0.1 * at, np.where(at < 6, 0.0, at - 6.0), np.full(12, 3.0)], axis=-1)
    wanted = np.linspace(0, 11, 111)
    curve = hermite(at, values, akima_slopes(at, values), wanted)
    np.testing.assert_allclose(curve, Akima1DInterpolator(at, values)(wanted), atol=1e-12)
    np.testing.assert_allclose(curve[:, 0], 0.1 * wanted, atol=1e-12)


def test_a_curve_with_given_slopes_is_scipys():
    at, values, wanted = samples(20, (3,))
    slopes = np.random.default_rng(1).normal(size=values.shape)
    np.testing.assert_allclose(hermite(at, values, slopes, wanted), CubicHermiteSpline(at, values, slopes)(wanted), atol=1e-12)


@pytest.mark.parametrize("rate_hz", [30.0, 120.0, 999.0])
@pytest.mark.parametrize("smooth", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("frames", [3, 7, 400])
def test_the_filter_is_scipys(rate_hz, smooth, frames):
    values = np.random.default_rng(frames).normal(size=(frames, 5, 3)).cumsum(axis=0)
    cutoff = cutoff_hz(smooth)
    filtered = low_pass(values, rate_hz, smooth)
    if cutoff >= 0.45 * rate_hz:
        np.testing.assert_array_equal(filtered, values)
        return
    padding = min(frames - 1, round(3 * rate_hz / cutoff))
    theirs = sosfiltfilt(butter(2, cutoff, fs=rate_hz, output="sos"), values, axis=0, padlen=padding)
    np.testing.assert_allclose(filtered, theirs, atol=1e-10 * np.abs(values).max())


def test_the_filter_keeps_the_type_of_the_values():
    assert low_pass(np.ones((40, 3), dtype=np.float32), 120.0, 1.0).dtype == np.float32
