# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels that are exchanged from some frame on, put back by the markers' paths, on takes whose markers are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.core.findings import sentences
from model.core.settings import Settings
from model.core.take import Take
from model.engine.pipeline import solve_take
from model.markers.corrections import Correction
from model.markers.exchanges import LEAST_PART, put_exchanged_back
from model.synthetic.synthesis import Noise, synthesise

RING = ("LHEE", "RUPA", "LFWT")


@pytest.fixture(scope="module")
def clean() -> Take:
    """Eight seconds with jitter and nothing else."""
    return synthesise(seconds=8.0, seed=3, noise=Noise(gaps=0.0, long_gaps=0, spikes=0.0, swaps=0)).take


def ring(take: Take, labels: tuple[str, ...], start: int, end: int, hidden: int = 0) -> Take:
    """From one frame to before another each label has the next one's marker; about both changes none of them is seen for some frames."""
    rows = [take.labels.index(label) for label in labels]
    positions = take.positions.copy()
    positions[start:end, rows] = take.positions[start:end, rows[1:] + rows[:1]]
    for change in (start, end):
        if 0 < change < take.frames:
            positions[change : change + hidden, rows] = np.nan
    return replace(take, positions=positions)


def assert_same(one: Take, other: Take) -> None:
    np.testing.assert_array_equal(one.positions, other.positions)


@pytest.mark.parametrize("part", [0.15, 0.4, 0.5])
@pytest.mark.parametrize("labels", [("LFWT", "RFWT"), RING, ("LFHD", "RKNE", "LELB", "CLAV", "RTOE")])
def test_labels_that_are_exchanged_to_the_end_are_put_back(clean: Take, labels: tuple[str, ...], part: float) -> None:
    start = clean.frames - round(part * clean.frames)
    found, corrections = put_exchanged_back(ring(clean, labels, start, clean.frames))
    assert_same(found, clean)
    assert {(each.first, each.last) for each in corrections} == {(start, clean.frames - 1)}
    assert {label for each in corrections for label in each.labels} == set(labels)


@pytest.mark.parametrize("labels", [("LSHO", "C7"), RING])
def test_labels_that_are_exchanged_in_the_middle_are_put_back(clean: Take, labels: tuple[str, ...]) -> None:
    start, end = clean.frames // 4, clean.frames // 2
    found, corrections = put_exchanged_back(ring(clean, labels, start, end))
    assert_same(found, clean)
    assert {(each.first, each.last) for each in corrections} == {(start, end - 1)}


def test_what_is_so_for_most_of_the_take_is_held_to_be_right(clean: Take) -> None:
    """It may be wrong, and is so throughout then, which is told by where the markers sit."""
    start = round(0.3 * clean.frames)
    found, _ = put_exchanged_back(ring(clean, RING, start, clean.frames))
    assert_same(found, ring(clean, RING, 0, clean.frames))


def test_several_changes_of_the_same_labels(clean: Take) -> None:
    frames = clean.frames
    once = ring(clean, RING, frames // 2, frames)
    found, _ = put_exchanged_back(ring(once, RING[:2], 3 * frames // 4, frames))
    assert_same(found, clean)


def test_labels_that_are_exchanged_while_they_are_hidden(clean: Take) -> None:
    start, hidden = clean.frames // 2, round(0.04 * clean.rate_hz)
    exchanged = ring(clean, RING, start, clean.frames, hidden)
    found, corrections = put_exchanged_back(exchanged)
    assert corrections
    seen = np.isfinite(found.positions)
    np.testing.assert_array_equal(found.positions[seen], clean.positions[seen])
    assert seen.sum() == np.isfinite(exchanged.positions).sum(), "nothing is lost"


def test_what_is_short_is_left_to_the_solve(clean: Take) -> None:
    end = clean.frames // 2 + round(0.8 * LEAST_PART * clean.frames)
    exchanged = ring(clean, RING, clean.frames // 2, end)
    found, corrections = put_exchanged_back(exchanged)
    assert found is exchanged
    assert corrections == ()


@pytest.mark.parametrize("seed", range(4))
def test_a_clean_take_and_a_noisy_one_are_left_alone(clean: Take, seed: int) -> None:
    noisy = synthesise(seconds=8.0, seed=seed, noise=Noise(swaps=0)).take
    for take in (clean, noisy):
        found, corrections = put_exchanged_back(take)
        assert found is take
        assert corrections == ()


def test_missing_frames_exchange_nothing(clean: Take) -> None:
    """All markers are elsewhere at once."""
    rest = np.r_[0 : clean.frames // 3, 2 * clean.frames // 3 : clean.frames]
    cut = replace(clean, positions=clean.positions[rest], residuals=clean.residuals[rest])
    assert put_exchanged_back(cut) == (cut, ())


def test_what_is_not_a_number_or_beyond_all_is_no_change(clean: Take) -> None:
    positions = clean.positions.copy()
    positions[100, 3:9], positions[101, 3:5], positions[102, 3:5] = np.inf, 1e300, -1e300
    positions[100, 3], positions[200, 4], positions[300:, 5], positions[:, 6] = np.inf, 1e300, np.nan, np.nan
    spoilt = replace(clean, positions=positions)
    assert put_exchanged_back(spoilt)[1] == ()
    none = replace(clean, positions=np.full_like(positions, np.nan))
    assert put_exchanged_back(none)[1] == ()
    one = replace(clean, positions=clean.positions[:1], residuals=clean.residuals[:1])
    assert put_exchanged_back(one)[1] == ()


def test_samples_that_the_user_pinned_stay(clean: Take) -> None:
    start = clean.frames // 2
    exchanged = ring(clean, ("LFWT", "RFWT"), start, clean.frames)
    pinned = np.zeros(exchanged.positions.shape[:2], dtype=bool)
    pinned[start:, [exchanged.labels.index(label) for label in ("LFWT", "RFWT")]] = True
    found, corrections = put_exchanged_back(replace(exchanged, pinned=pinned))
    assert_same(found, exchanged)
    assert corrections == ()


def test_a_solve_is_that_of_the_right_labels(clean: Take) -> None:
    """It was right in no part: an actor of half right labels is none."""
    right = solve_take(clean, Settings())
    exchanged = solve_take(ring(clean, RING, 3 * clean.frames // 5, clean.frames), Settings())
    np.testing.assert_array_equal(exchanged.positions, right.positions)
    said = sentences(exchanged.findings, exchanged.clean.take.number)
    assert any(text.startswith("Samples under a wrong label were given the right one") for text in said)


def test_pairs_are_said_to_be_swapped_back(clean: Take) -> None:
    start = clean.frames // 2
    _, corrections = put_exchanged_back(ring(clean, ("LFWT", "RFWT"), start, clean.frames))
    assert corrections == (Correction("swapped back", ("LFWT", "RFWT"), start, clean.frames - 1),)
