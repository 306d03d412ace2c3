# SPDX-License-Identifier: GPL-3.0-or-later
"""The ablation: every variant changes the solve that it is about, and nothing afterwards."""

from dataclasses import replace

import numpy as np
import pytest

from model.actors.prior import bundled
from model.bench.ablation import VARIANTS, WHOLE, Row, document, measure, solved
from model.bench.cases import Case
from model.core.settings import Settings
from model.solver import fit
from model.synthetic.corruptions import corrupt
from model.synthetic.synthesis import synthesise


@pytest.fixture(scope="module")
def case() -> Case:
    """Two seconds, with markers moved and lost, so that every part has something to do."""
    made = synthesise(seconds=2.0, seed=4)
    take = corrupt(made.take, {"occlusion": {"part": 0.2}, "shifts": {"part": 0.1, "distance": 0.1}}, 0)
    return Case("walk", "clean", take, made.motion, made.markers, bundled().mean_actor())


@pytest.fixture(scope="module")
def whole(case: Case) -> Row:
    return measure(WHOLE, [case], lambda: None)


@pytest.mark.parametrize("variant", VARIANTS[1:], ids=lambda variant: variant.name)
def test_every_variant_solves_otherwise(variant, case, whole):
    before = fit.POSE_WEIGHT, fit.COARSE_SCALES_M, fit.find_poses
    row = measure(variant, [case], lambda: None)
    assert (fit.POSE_WEIGHT, fit.COARSE_SCALES_M, fit.find_poses) == before
    assert np.isfinite(row.millimetres["clean"])
    # what is relabelled, beyond its limits or in a wrong minimum need not be anything in an easy take
    if variant.name not in ("relabelling", "graduation", "joint limits"):
        assert row.millimetres["clean"] != whole.millimetres["clean"]


def test_afterwards_all_is_as_before(case, whole):
    again, _ = solved(case, Settings())
    assert again is not None
    assert again.motion_jpe_mm == whole.millimetres["clean"]


def test_the_table_says_how_many_times_the_whole_solvers(whole):
    worse = replace(whole, variant=VARIANTS[1], millimetres={"clean": 2 * whole.millimetres["clean"]})
    failed = replace(whole, variant=VARIANTS[2], millimetres={"clean": float("nan")})
    text = document([whole, worse, failed], 1234, 0)
    assert "1,234 frames" in text
    assert "| **2.00** " in text
    assert "| fails |" in text
