# SPDX-License-Identifier: GPL-3.0-or-later
"""Where soles that stand belong, of soles whose places are known."""

from __future__ import annotations

import numpy as np
import pytest

from model.core.take import FloatArray
from model.feet.contacts import Track
from model.feet.footing import calm_footing
from model.result.contacts import Contact, Sole

RATE, FRAMES = 100.0, 1000
SOLE = Sole("foot", "foot", (0,))


def standing(off_m: FloatArray) -> FloatArray:
    """(FRAMES, 3) in metres: how a sole is moved that stands all along, which the solver has `off_m` (FRAMES,) from its marker."""
    seen = np.zeros((FRAMES, 1, 3))
    solved = seen + off_m[:, None, None] * np.array([1.0, 0.0, 0.0])
    still = np.zeros(FRAMES)
    track = Track(SOLE, seen, seen, solved, np.full(1, -0.1), still, still)
    (footing,) = calm_footing([track], [[Contact(SOLE, 0, FRAMES - 1)]], RATE, "Z")
    return footing.moved


def test_a_slow_drift_of_the_solver_is_taken_back() -> None:
    drift = np.linspace(-0.004, 0.004, FRAMES)
    np.testing.assert_allclose(standing(drift)[100:-100, 0], -drift[100:-100], atol=1e-4)


@pytest.mark.parametrize("failing", [50, 150, 300])
def test_a_failure_of_the_solver_does_not_move_the_rest_of_the_stance(failing: int) -> None:
    off = np.zeros(FRAMES)
    off[-failing:] = 0.4
    assert np.abs(standing(off)[: FRAMES - failing - 20]).max() < 0.005
