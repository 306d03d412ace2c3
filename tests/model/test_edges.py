# SPDX-License-Identifier: GPL-3.0-or-later
"""The first and the last frames that are seen beside long gaps are as good as any."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.core.settings import Settings
from model.core.take import Take
from model.engine.pipeline import solve_take
from model.result.solution import Solution
from model.solver import edges
from model.synthetic.synthesis import Noise, synthesise

#: Frames on either side of a gap that are looked at: those to the next coarse frame, and one more.
BESIDE = 7
ARMS = ("SHO", "UPA", "ELB", "FRM", "WRA", "WRB", "FIN")
LEGS = ("THI", "KNE", "SHN", "ANK", "HEE", "TOE", "MT5")


@pytest.fixture(scope="module")
def take() -> Take:
    return synthesise(6.0, 120.0, seed=7, noise=Noise(jitter=5e-4, gaps=0.0, long_gaps=0, spikes=0.0, swaps=0)).take


@pytest.fixture(scope="module")
def whole(take: Take) -> Solution:
    return solve_take(take, Settings())


def hidden(take: Take, ends: tuple[str, ...], start: int, frames: int) -> Take:
    """The take without the markers whose labels end so, of some frames."""
    positions = take.positions.copy()
    rows = [row for row, label in enumerate(take.labels) if label.endswith(ends)]
    positions[start : start + frames, rows] = np.nan
    return replace(take, positions=positions)


def beside(one: Solution, other: Solution, start: int, frames: int) -> float:
    """In metres: the farthest that a joint is from where the other has it, in the frames beside a gap."""
    away = np.linalg.norm(one.positions - other.positions, axis=-1).max(axis=1)
    return float(max(away[start - BESIDE : start].max(), away[start + frames : start + frames + BESIDE].max()))


@pytest.mark.parametrize("ends", [("",), ARMS, LEGS], ids=["everything", "arms", "legs"])
@pytest.mark.parametrize("start", [101, 274, 399])
def test_frames_beside_a_long_gap(take: Take, whole: Solution, ends: tuple[str, ...], start: int) -> None:
    found = solve_take(hidden(take, ends, start, 110), Settings())
    assert beside(found, whole, start, 110) < 0.01


def test_they_are_far_off_without_being_begun_again(take: Take, whole: Solution, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the test above would see."""
    monkeypatch.setattr(edges, "FAR_M", np.inf)
    off = [beside(solve_take(hidden(take, LEGS, start, 110), Settings()), whole, start, 110) for start in (101, 274, 399)]
    assert max(off) > 0.015


def test_a_take_without_gaps_is_found_once(take: Take, whole: Solution, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edges, "begun_again", None)
    np.testing.assert_array_equal(solve_take(take, Settings()).positions, whole.positions)
