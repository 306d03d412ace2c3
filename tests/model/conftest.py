# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes and solutions that need no data and no solver."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from model.threads import share_the_machine

share_the_machine()

import numpy as np
import pytest

from model.bvh import TO_Y_UP
from model.cleaning import clean
from model.marker_set import MarkerSet, load_marker_set
from model.motion import quaternions
from model.prior import bundled
from model.settings import Settings
from model.solution import Solution
from model.synthesis import SyntheticTake, marker_positions, synthesise
from model.take import Axis, Take

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("BONESETTER_DATA") or ROOT.parent / "shared" / "data")


@pytest.fixture(scope="session")
def takes_folder() -> Path:
    """The real takes; a test that asks for them is skipped where there are none."""
    folder = DATA / "takes"
    if not folder.is_dir():
        pytest.skip(f"the real takes are not at {folder}")
    return folder


@pytest.fixture(scope="session")
def marker_set() -> MarkerSet:
    return load_marker_set()


@pytest.fixture(scope="session")
def synthetic() -> SyntheticTake:
    return synthesise(seconds=10.0, seed=1)


@pytest.fixture
def small_take() -> Take:
    """Four markers, five frames, one of them missing."""
    positions = np.random.default_rng(0).normal(size=(5, 4, 3))
    positions[2, 1] = np.nan
    return Take("small", ("LFHD", "RFHD", "C7", "CLAV"), positions, np.zeros((5, 4)), 100.0)


@pytest.fixture(scope="session")
def solved(synthetic: SyntheticTake, marker_set: MarkerSet) -> Callable[[Axis], Solution]:
    """A true solution of the synthetic take, with its Z or its Y axis up."""

    def make(up_axis: Axis) -> Solution:
        turn = np.eye(3) if up_axis == "Z" else TO_Y_UP["Z"]
        actor = bundled().mean_actor()
        motion = synthetic.motion.turned(turn)
        take = replace(synthetic.take, positions=synthetic.take.positions @ turn.T, up_axis=up_axis, warnings=("Said.",))
        return Solution(
            clean=clean(take, marker_set, Settings()),
            actor=actor,
            rotations=quaternions(motion.rotations),
            positions=motion.forward()[0],
            markers_model=marker_positions(actor, motion),
            warnings=take.warnings,
            seconds={"pose": 0.5},
        )

    return make
