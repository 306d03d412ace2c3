# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames whose poses begin wrongly, since a few markers of the pelvis mislead the network, are found from frames that are right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from model.core.settings import Settings
from model.core.take import FloatArray, Take
from model.engine.pipeline import solve_take
from model.synthetic.synthesis import Noise, synthesise

PELVIS = ("LFWT", "RFWT", "LBWT", "RBWT")


@pytest.fixture(scope="module")
def walk() -> Take:
    return synthesise(6.0, seed=3, noise=Noise(gaps=0.0, long_gaps=0, spikes=0.0, swaps=0)).take


@pytest.fixture(scope="module")
def clean(walk: Take) -> FloatArray:
    """(frames, joints, 3) in metres, of the walk as it is."""
    return solve_take(walk, Settings()).positions


def spoilt(take: Take, change: Callable[[FloatArray, list[int]], None]) -> Take:
    """The take with the samples of the pelvis (frames, labels, 3) changed in place, whose columns are given."""
    positions = take.positions.copy()
    change(positions, [take.labels.index(label) for label in PELVIS])
    return replace(take, positions=positions)


def exchanged(first: int, second: int, frames: slice) -> Callable[[FloatArray, list[int]], None]:
    def change(positions: FloatArray, pelvis: list[int]) -> None:
        pair = [pelvis[first], pelvis[second]]
        positions[frames, pair] = positions[frames, pair[::-1]]

    return change


def stuck(positions: FloatArray, pelvis: list[int]) -> None:
    """The front markers stay where they are for two seconds."""
    positions[240:480, pelvis[:2]] = positions[239, pelvis[:2]] + 1e-4 * np.sin(np.arange(240))[:, None, None]


@pytest.mark.parametrize(
    "change",
    [
        exchanged(0, 1, slice(360, 720)),
        exchanged(0, 2, slice(360, 720)),
        exchanged(1, 2, slice(300, 700)),
        exchanged(0, 2, slice(640, 720)),
        stuck,
    ],
)
def test_a_pelvis_that_misleads_does_not_turn_the_body_over(walk: Take, clean: FloatArray, change: Callable) -> None:
    found = solve_take(spoilt(walk, change), Settings()).positions
    apart = np.linalg.norm(found - clean, axis=-1)
    assert apart.mean() < 0.02
    assert apart.max() < 0.15


def test_what_fails_for_a_while_leaves_the_rest_of_a_stance_alone(walk: Take) -> None:
    """Somebody stands for six seconds; in the last half second two labels of the pelvis are exchanged."""
    random = np.random.default_rng(0)
    standing = replace(walk, positions=walk.positions[:1] + random.normal(0.0, 5e-4, walk.positions.shape))
    found = solve_take(spoilt(standing, exchanged(0, 2, slice(660, 720))), Settings()).positions
    assert np.linalg.norm(found - solve_take(standing, Settings()).positions, axis=-1)[:600].mean() < 0.005
