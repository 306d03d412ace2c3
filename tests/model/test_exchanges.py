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
from model.marker_sets.marker_set import load_marker_set
from model.markers.corrections import Correction
from model.markers.exchanges import LEAST_PART, MOST_AT_ONCE, put_exchanged_back
from model.markers.sources import hold_pinned
from model.synthetic.synthesis import Noise, synthesise

RING = ("CLAV", "RUPA", "LFWT")


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


def test_a_change_that_is_not_seen_turns_nothing_round(clean: Take) -> None:
    """The labels are hidden for longer than a path is followed: only the way there shows, and what comes after is right."""
    frames = clean.frames
    start, end, hidden = round(0.3 * frames), round(0.6 * frames), round(0.3 * clean.rate_hz)
    exchanged = ring(clean, RING, start, end)
    positions = exchanged.positions.copy()
    positions[end - hidden : end + hidden, [clean.labels.index(label) for label in RING]] = np.nan
    hiding = replace(exchanged, positions=positions)
    found, corrections = put_exchanged_back(hiding)
    assert found is hiding
    assert corrections == ()


def test_the_sides_of_a_limb_are_said_as_one(clean: Take) -> None:
    start, pairs = round(0.6 * clean.frames), load_marker_set().pairs
    arm = [pair for pair in pairs if pair[0] in ("LUPA", "LELB", "LFRM", "LWRA")]
    exchanged = clean
    for pair in arm:
        exchanged = ring(exchanged, pair, start, clean.frames)
    found, (said,) = put_exchanged_back(exchanged, pairs)
    assert_same(found, clean)
    assert (said.kind, set(said.labels), said.first) == ("sides exchanged", {label for pair in arm for label in pair}, start)


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
    few = cut.only(range(MOST_AT_ONCE))
    assert put_exchanged_back(few) == (few, ())


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


def test_an_exchange_among_spoilt_samples_is_put_back(clean: Take) -> None:
    start = clean.frames // 2
    positions = clean.positions.copy()
    other = clean.labels.index("RSHO")
    positions[start - 3 : start + 3, other] += np.array([0.5, 0.0, 0.0])
    positions[start + 5, other], positions[40, other] = 1e300, np.inf
    spoilt = replace(clean, positions=positions)
    found, corrections = put_exchanged_back(ring(spoilt, RING, start, clean.frames))
    assert_same(found, spoilt)
    assert corrections


@pytest.mark.parametrize("part", ["right", "wrong"])
def test_where_the_user_pinned_samples_nothing_is_moved_against_them(clean: Take, part: str) -> None:
    """In the right part, though it is the shorter one; in the wrong one all is left as it is."""
    start = round(0.3 * clean.frames) if part == "right" else round(0.7 * clean.frames)
    exchanged = ring(clean, RING, start, clean.frames)
    pinned = np.zeros(exchanged.positions.shape[:2], dtype=bool)
    pinned[start - 30 if part == "right" else start + 30, exchanged.labels.index(RING[0])] = True
    found, corrections = put_exchanged_back(replace(exchanged, pinned=pinned))
    assert_same(found, exchanged)
    assert corrections == ()


def test_of_a_ring_that_is_held_nothing_comes_twice() -> None:
    source = np.array([[1, 2, 0, 3]] * 2)
    hold_pinned(source, np.array([[True, False, False, False], [False, False, False, True]]))
    assert source.tolist() == [[0, 1, 2, 3], [1, 2, 0, 3]]


@pytest.mark.parametrize("part", [0.4, 0.6])
def test_a_given_actor_tells_which_part_is_right(clean: Take, part: float) -> None:
    """Most frames do not: they may be wrong, and nothing puts a given actor's labels right that are wrong throughout."""
    right = solve_take(clean, Settings())
    start = round((1 - part) * clean.frames)
    exchanged = solve_take(ring(clean, ("LFWT", "RFWT"), start, clean.frames), Settings(), right.actor)
    whole = solve_take(clean, Settings(), right.actor)
    assert np.linalg.norm(exchanged.positions - whole.positions, axis=-1).mean() < 0.002


def test_the_longer_part_may_be_wrong(clean: Take) -> None:
    """It is so throughout then, and is found by where the markers sit."""
    right = solve_take(clean, Settings())
    exchanged = solve_take(ring(clean, RING, round(0.35 * clean.frames), clean.frames), Settings())
    assert np.linalg.norm(exchanged.positions - right.positions, axis=-1).mean() < 0.001


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
