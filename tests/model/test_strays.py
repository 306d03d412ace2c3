# SPDX-License-Identifier: GPL-3.0-or-later
"""Tracks that got a label while its marker was hidden, and lie elsewhere than all others of it."""

from __future__ import annotations

import numpy as np
import pytest

from model.labelling.evidence import Evidence
from model.labelling.strays import strays
from model.labelling.tracks import OPEN, Tracks

RATE_HZ = 100.0


def of(seconds: list[float], away_mm: list[float], scatter_mm: float = 3.0, labels: list[int] | None = None) -> np.ndarray:
    """Which of tracks are astray that follow on one another, so far along an axis of the frame of their label's joint."""
    lengths = np.round(np.array(seconds) * RATE_HZ).astype(int)
    ends = np.cumsum(lengths)
    count = len(lengths)
    tracks = Tracks(np.zeros((int(ends[-1]), 1, 3)), np.zeros(count, dtype=int), ends - lengths, ends, RATE_HZ)
    places = np.zeros((count, 2, 3))
    places[:, 1, 0] = np.array(away_mm) / 1000
    evidence = Evidence(places, np.full((count, 2), (scatter_mm / 1000) ** 2), np.ones(count), np.zeros((count, 2)))
    return strays([1, 1], tracks, np.array(labels or [0] * count), evidence)


def test_a_short_track_far_from_all_others_is_astray() -> None:
    assert of([5.0, 0.2, 5.0], [2.0, 60.0, -2.0]).tolist() == [False, True, False]


def test_how_far_is_far_is_what_the_label_itself_does() -> None:
    assert not of([5.0, 0.2, 5.0], [2.0, 30.0, -2.0]).any()
    # of a marker on loose skin, from track to track or within them
    assert not of([5.0, 0.2, 5.0], [12.0, 60.0, -12.0]).any()
    assert not of([5.0, 0.2, 5.0], [2.0, 60.0, -2.0], scatter_mm=15.0).any()


def test_what_lasts_may_have_been_put_on_again_elsewhere() -> None:
    assert not of([20.0, 3.0, 20.0], [2.0, 60.0, -2.0]).any()


@pytest.mark.parametrize("seconds", [[5.0, 3.0, 5.0], [0.8, 0.2, 0.8]])
def test_few_others_prove_nothing(seconds: list[float]) -> None:
    assert not of(seconds, [2.0, 90.0, -2.0]).any()


def test_a_label_that_is_seen_for_an_instant_is_nobodys() -> None:
    assert of([5.0, 0.1, 5.0, 0.1], [0.0, 0.0, 0.0, 0.0], labels=[0, 1, 0, 1]).tolist() == [False, True, False, True]
    assert not of([5.0, 0.3, 5.0], [0.0, 0.0, 0.0], labels=[0, 1, 0]).any()
    # a tenth of a short take is no instant
    assert not of([0.8, 0.1], [0.0, 0.0], labels=[0, 1]).any()


def test_what_has_no_label_is_not_judged() -> None:
    assert not of([5.0, 0.2, 5.0], [2.0, 60.0, -2.0], labels=[0, OPEN, 0]).any()
