# SPDX-License-Identifier: GPL-3.0-or-later
"""Stated deviations and probabilities are compared with what comes out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from model.actors.prior import bundled
from model.bench import certainty
from model.bench.cases import Case
from model.bench.certainty import Probabilities, Stated
from model.synthetic.synthesis import synthesise


@pytest.mark.parametrize("honest", [0.5, 1.0, 2.0])
def test_what_is_drawn_with_its_deviation_is_honest(honest):
    random = np.random.default_rng(0)
    sigma = random.uniform(0.5, 20.0, 40_000)
    stated = Stated(random.normal(0.0, honest * sigma), sigma, "mm")
    assert stated.scale == pytest.approx(honest, rel=0.02)
    for said, true in stated.bins():
        assert true == pytest.approx(honest * said, rel=0.05)
    row = certainty.table({"drawn": stated}).splitlines()[-1].split("|")
    within = [float(cell.strip().rstrip("%")) / 100 for cell in row[-4:-1]]
    if honest == 1.0:
        assert within == pytest.approx(certainty.GAUSSIAN, abs=0.01)
    assert (within[0] < 0.5) == (honest == 2.0)


def test_probabilities_that_come_out_have_no_calibration_error():
    random = np.random.default_rng(0)
    said = random.uniform(0.0, 1.0, 200_000)
    so = (random.uniform(0.0, 1.0, len(said)) < said).astype(float)
    ones = np.ones(len(said))
    assert Probabilities(said, so, ones).calibration_error < 0.01
    assert Probabilities(np.minimum(1.0, said + 0.2), so, ones).calibration_error == pytest.approx(0.2, abs=0.03)
    # weights count: what is wrong has none
    assert Probabilities(said, np.where(said > 0.5, 0.0, so), (said <= 0.5).astype(float)).calibration_error < 0.01


def test_the_network_is_compared_with_the_truth():
    made = synthesise(2.0, seed=3)
    case = Case("a", "clean", made.take, made.motion, made.markers, bundled().mean_actor(), made.take)
    elsewhere = replace(case, truth=made.motion.on_axes(Rotation.from_euler("z", 60, degrees=True).as_matrix()))
    (told, said), (wrong, _) = (certainty.of_case(certainty.bundled_network(), one) for one in (case, elsewhere))
    for what in ("root's place", "root's rotation", "joints", "marker places"):
        assert 0.2 < told[what].scale < 3.0, what
    assert wrong["root's rotation"].scale > 5.0
    assert wrong["joints"].scale == pytest.approx(told["joints"].scale, rel=1e-3), "local rotations are the same"
    # frames at 10 Hz, three numbers each
    assert len(told["root's place"].error) == 3 * 21
    loose = said["reliability of samples without the filter"]
    assert 0.9 < loose.so.mean() < 1.0, "spikes and swaps are among them"
    assert loose.said[loose.so == 0].mean() < loose.said[loose.so == 1].mean()
