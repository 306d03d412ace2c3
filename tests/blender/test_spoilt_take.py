# SPDX-License-Identifier: GPL-3.0-or-later
"""5 % of a real take's samples are swapped and moved: clicks on the findings lead to all of it, and repaired it is solved as before."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from .conftest import DATA
from .spoilt import joints, missed, repair, spoil

TAKE = DATA / "takes" / "cmu_02_05" / "02_05.c3d"


@pytest.fixture(autouse=True)
def engine(engine_python, monkeypatch):
    monkeypatch.setenv("BONESETTER_ENGINE_PYTHON", engine_python)


def solve(take):
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    return joints(take)


def off_mm(places, clean):
    return np.linalg.norm(places - clean, axis=-1).mean() * 1000


@pytest.mark.skipif(not TAKE.is_file(), reason="needs the data's 02_05")
def test_what_is_spoilt_is_found_and_repaired(ext, scene):
    assert bpy.ops.bonesetter.import_c3d(filepath=str(TAKE)) == {"FINISHED"}
    take = scene.bonesetter.take
    clean = solve(take)
    done = spoil(ext, scene, take)
    assert {each.kind for each in done} == {"swap", "move"}
    spoilt = solve(take)
    assert missed(ext, scene, take, done) == []
    repair(ext, scene, take, done, "swap")
    repair(ext, scene, take, done, "delete")
    solve(take)
    repair(ext, scene, take, done, "fill")
    repaired = solve(take)
    print(f"joints from the clean solve, mean: spoilt {off_mm(spoilt, clean):.2f} mm, repaired {off_mm(repaired, clean):.2f} mm")
    assert off_mm(repaired, clean) < min(0.5, off_mm(spoilt, clean))


def test_what_is_spoilt_in_a_synthetic_take_is_found(ext, scene, synthetic_c3d):
    assert bpy.ops.bonesetter.import_c3d(filepath=str(synthetic_c3d)) == {"FINISHED"}
    take = scene.bonesetter.take
    done = spoil(ext, scene, take, seed=3)
    solve(take)
    assert missed(ext, scene, take, done) == []
