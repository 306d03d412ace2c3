# SPDX-License-Identifier: GPL-3.0-or-later
"""Odd takes: each is solved, or refused in a sentence, and no library warns of anything on the way."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from model.core.errors import BonesetterError
from model.core.settings import Settings
from model.core.take import Take
from model.engine.pipeline import solve_take
from model.result.report import build_report
from model.synthetic.synthesis import Noise, synthesise


@pytest.fixture(scope="module")
def take() -> Take:
    return synthesise(seconds=1.0, rate_hz=60.0, noise=Noise(gaps=0.0, long_gaps=0, spikes=0.0, swaps=0)).take


def only_frames(take: Take, frames: slice) -> Take:
    return replace(take, positions=take.positions[frames], residuals=take.residuals[frames])


def moved(take: Take, change: Callable[[np.ndarray], None]) -> Take:
    positions = take.positions.copy()
    change(positions)
    return replace(take, positions=positions)


def put(where: Any, value: Any) -> Callable[[np.ndarray], None]:
    def change(positions: np.ndarray) -> None:
        positions[where] = value

    return change


ODD: dict[str, Callable[[Take], Take]] = {
    "one frame": lambda take: only_frames(take, slice(1)),
    "two frames": lambda take: only_frames(take, slice(2)),
    "three frames": lambda take: only_frames(take, slice(3)),
    "a marker without samples": lambda take: moved(take, put(np.s_[:, 4], np.nan)),
    "a marker with one sample": lambda take: moved(take, put(np.s_[1:, 4], np.nan)),
    "frames without markers": lambda take: moved(take, put(np.s_[10:30], np.nan)),
    "no marker in the first half": lambda take: moved(take, put(np.s_[:30], np.nan)),
    "no marker at all": lambda take: moved(take, put(np.s_[:], np.nan)),
    "upper body": lambda take: moved(take, put(np.s_[:, 27:], np.nan)),
    "a spike": lambda take: moved(take, put(np.s_[30, 3], 8e7)),
    "spikes beyond four bytes": lambda take: moved(take, put(np.s_[30:33, 3:6], 1e300)),
    "a spike in one frame": lambda take: moved(only_frames(take, slice(1)), put(np.s_[0, 3], 8e7)),
    "infinity": lambda take: moved(take, put(np.s_[30:40, 3, 1], np.inf)),
    "all in one place": lambda take: moved(take, put(np.s_[:], 1.0)),
    "nobody moves": lambda take: moved(take, put(np.s_[:], take.positions[:1])),
    "one rigid group in one place": lambda take: moved(take, put(np.s_[:, :4], take.positions[:, :1])),
    "residuals of -1": lambda take: replace(take, residuals=np.full_like(take.residuals, -1.0)),
    "residuals that are none": lambda take: replace(take, residuals=np.full_like(take.residuals, np.nan)),
    "residuals that are large": lambda take: replace(take, residuals=np.full_like(take.residuals, 0.1)),
    "1 Hz": lambda take: replace(take, rate_hz=1.0),
    "10 kHz": lambda take: replace(take, rate_hz=10000.0),
    "kilometres off": lambda take: replace(take, positions=take.positions + 1e5),
    "a thousand times as large": lambda take: replace(take, positions=take.positions * 1000),
    "a thousandth as large": lambda take: replace(take, positions=take.positions / 1000),
}


@pytest.mark.parametrize("trait", ODD)
def test_an_odd_take_is_solved_or_refused_without_warnings(trait: str, take: Take) -> None:
    odd = ODD[trait](take)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            solution = solve_take(odd, Settings())
        except BonesetterError as error:
            assert str(error).endswith(".")
            return
        report = build_report(solution, solution.seconds)
    assert np.isfinite(solution.positions).all()
    json.dumps(report, allow_nan=False)


def test_a_spike_in_a_lone_frame_makes_no_mean(take: Take) -> None:
    solution = solve_take(ODD["a spike in one frame"](take), Settings())
    residual = build_report(solution, {})["marker_residual_mm"]
    assert residual["mean"] < 30
    assert sum(solution.clean.flagged[take.labels[3]].values()) == 1
