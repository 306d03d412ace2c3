# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples that repeat the last one of a marker that was lost, and markers that rest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.core.settings import Settings
from model.core.take import BoolArray, FloatArray, Take
from model.engine.pipeline import solve_people, solve_take
from model.markers.frozen import without_frozen
from model.synthetic.synthesis import SyntheticTake

HAND, FOOT = ("RWRA", "RWRB", "RFIN"), ("RANK", "RHEE", "RTOE", "RMT5")


@pytest.fixture
def whole(noiseless: SyntheticTake) -> Take:
    """Six seconds with the noise of cameras, a tenth of a millimetre, and without gaps."""
    take = noiseless.take
    return replace(take, positions=take.positions + np.random.default_rng(0).normal(0.0, 1e-4, take.positions.shape))


def rows(take: Take, labels: tuple[str, ...]) -> list[int]:
    return [take.labels.index(label) for label in labels]


def fastest(take: Take, markers: list[int], frames: int) -> int:
    """Where markers go farthest within so many frames, off the ends."""
    middle = take.positions[:, markers].mean(axis=1)
    away = np.linalg.norm(middle[frames:] - middle[:-frames], axis=-1)
    return int(np.argmax(away[10:-10])) + 10


def frozen_at(take: Take, markers: list[int], first: int, frames: int) -> tuple[Take, BoolArray]:
    """Markers that repeat the sample before a frame for so many, and (frames, labels) the repeats."""
    positions, repeats = take.positions.copy(), np.zeros(take.positions.shape[:2], dtype=bool)
    positions[first : first + frames, markers] = positions[first - 1, markers]
    repeats[first : first + frames, markers] = True
    return replace(take, positions=positions), repeats


def at(take: Take, positions: FloatArray) -> Take:
    return replace(take, positions=positions)


@pytest.mark.parametrize("labels", [HAND, FOOT, ("LFHD", "RFHD", "LBHD", "RBHD"), ("LFWT",)])
@pytest.mark.parametrize("kept_as", [np.float64, np.float32])
def test_what_freezes_is_missing(whole: Take, labels: tuple[str, ...], kept_as: type) -> None:
    take = at(whole, whole.positions.astype(kept_as))
    markers = rows(take, labels)
    first = fastest(take, markers, 60)
    frozen, repeats = frozen_at(take, markers, first, 60)
    left = without_frozen(frozen)
    assert np.array_equal(left.present, take.present & ~repeats)
    assert np.array_equal(left.positions[left.present], take.positions[left.present])
    (finding,) = left.findings
    assert (finding.kind, set(finding.labels), finding.frames) == ("frozen", set(labels), ((first, first + 59),))
    assert finding.text.startswith(f"{60 * len(labels)} samples repeat the one before while the marker moved on")
    assert finding.text.endswith(f"in frames {take.number(first)} to {take.number(first + 59)}.")
    assert without_frozen(left) is left


def test_frames_that_a_recorder_dropped_are_missing(whole: Take) -> None:
    frozen, repeats = frozen_at(whole, [*range(len(whole.labels))], fastest(whole, [*range(len(whole.labels))], 60), 60)
    assert np.array_equal(without_frozen(frozen).present, ~repeats)


@pytest.mark.parametrize("frames", [1, 3, 8])
def test_few_frames_that_a_recorder_dropped_are_bridged(whole: Take, frames: int) -> None:
    everybody = [*range(len(whole.labels))]
    first = fastest(whole, everybody, max(frames, 2))
    frozen, repeats = frozen_at(whole, everybody, first, frames)
    positions = frozen.positions.copy()
    # a marker that is lost behind them is missing in them, too
    positions[first + frames : first + frames + 20, 7] = np.nan
    left = without_frozen(at(whole, positions))
    assert not left.present[first : first + frames + 20, 7].any()
    repeats[:, 7] = False
    assert np.array_equal(left.positions[~repeats], np.where(left.present[..., None], positions, np.nan)[~repeats], equal_nan=True)
    off, held = (np.linalg.norm(each.positions - whole.positions, axis=-1)[repeats] for each in (left, frozen))
    assert off.mean() < 0.2 * held.mean()
    assert left.findings[0].frames == ((first, first + frames - 1),)


def test_a_marker_that_freezes_for_good_is_told_by_those_that_keep_their_distances(whole: Take) -> None:
    (marker,) = rows(whole, ("LFWT",))
    first = fastest(whole, [marker], 200)
    ended, repeats = frozen_at(whole, [marker], first, whole.frames - first)
    assert np.array_equal(without_frozen(ended).present, ~repeats)
    begun = at(whole, whole.positions.copy())
    begun.positions[: first + 100, marker] = begun.positions[first + 100, marker]
    left = without_frozen(begun).present
    assert not left[: first + 100, marker].any()
    assert left[first + 101 :].all()


@pytest.mark.parametrize("step_m", [1e-4, 1e-3])
def test_who_rests_in_a_file_that_rounds_stays(whole: Take, step_m: float) -> None:
    rounded = at(whole, np.round(whole.positions / step_m) * step_m)
    assert without_frozen(rounded) is rounded
    # somebody stands for two seconds, and goes on
    still = np.concatenate([whole.positions[:1].repeat(240, axis=0), whole.positions])
    still += np.random.default_rng(1).normal(0.0, 5e-5, still.shape)
    standing = replace(whole, positions=np.round(still / step_m) * step_m, residuals=np.zeros(still.shape[:2]))
    assert without_frozen(standing) is standing
    # and what freezes is found there, too
    markers = rows(whole, HAND)
    frozen, repeats = frozen_at(rounded, markers, fastest(rounded, markers, 60), 60)
    assert (whole.present & ~without_frozen(frozen).present)[repeats].mean() > 0.95


def test_who_rests_and_is_exchanged_stays(whole: Take) -> None:
    standing = np.concatenate([whole.positions[:1].repeat(240, axis=0), whole.positions])
    positions = np.round(standing, 3)
    one, two = rows(whole, ("RTOE", "RHEE"))
    positions[120:, [one, two]] = positions[120:, [two, one]]
    # one marker moves meanwhile, so that these are no frames that a recorder dropped
    positions[:240, 0] += np.linspace(0.0, 0.5, 240)[:, None]
    exchanged = replace(whole, positions=positions, residuals=np.zeros(positions.shape[:2]))
    assert without_frozen(exchanged) is exchanged


def test_what_an_editor_holds_stays(whole: Take) -> None:
    positions = whole.positions.copy()
    held, put = rows(whole, ("C7", "T10"))
    positions[:, held] = positions[0, held]
    for first in range(0, whole.frames, 100):
        positions[first : first + 100, put] = positions[first, put]
    edited = at(whole, positions)
    assert without_frozen(edited) is edited
    # a pose in front of the motion
    posed = at(whole, whole.positions.copy())
    posed.positions[:100] = whole.positions[300]
    assert without_frozen(posed) is posed


def test_an_object_that_is_laid_down_stays(whole: Take) -> None:
    hand = whole.positions[:, rows(whole, HAND)]
    stick = hand.mean(axis=1, keepdims=True) + np.array([[0.0, 0.0, 0.1], [0.0, 0.2, 0.2], [0.1, 0.0, 0.3]])
    first = fastest(whole, rows(whole, HAND), 200)
    # it comes to rest gently
    fall = np.minimum(np.arange(whole.frames), first)
    both = replace(
        whole,
        labels=(*whole.labels, "stick1", "stick2", "stick3"),
        positions=np.concatenate([whole.positions, stick[fall]], axis=1),
        residuals=np.zeros((whole.frames, len(whole.labels) + 3)),
    )
    assert without_frozen(both) is both


@pytest.mark.parametrize(("times", "begins"), [(2, 0), (4, 0), (4, 3)])
def test_of_a_take_that_repeats_every_sample_a_curve_takes_the_place_of_repeats(whole: Take, times: int, begins: int) -> None:
    frames = np.arange(whole.frames) // times * times
    truth, positions = whole.positions[begins:], whole.positions[frames][begins:]
    positions[:, 3], gap = positions[0, 3], slice(20 * times - begins, 30 * times - begins)
    positions[gap, 5] = np.nan
    repeated = replace(whole, positions=positions, residuals=np.zeros(positions.shape[:2]))
    left = without_frozen(repeated)
    measured = np.flatnonzero((np.arange(len(positions)) + begins) % times == 0)
    assert np.array_equal(left.positions[measured], positions[measured], equal_nan=True)
    assert left.present[measured[0] :, :5].all()
    # one that rests, rests
    assert np.allclose(left.positions[measured[0] :, 3], positions[0, 3], rtol=0.0, atol=1e-12)
    # where there was nothing, there is nothing
    assert not left.present[gap, 5].any()
    off = np.linalg.norm(left.positions - truth, axis=-1)
    held = np.linalg.norm(positions - truth, axis=-1)
    off[:, 3] = held[:, 3] = 0.0
    assert np.nanmean(off[measured[0] :]) < 0.2 * np.nanmean(held[measured[0] :])
    (finding,) = left.findings
    assert finding.text == f"Every sample of the take comes {times} times: the repeats are replaced by a curve through the others."


def test_what_the_user_pinned_stays(whole: Take) -> None:
    markers = rows(whole, HAND)
    frozen, repeats = frozen_at(whole, markers, fastest(whole, markers, 60), 60)
    pinned = np.zeros_like(repeats)
    pinned[:, markers[:1]] = True
    assert np.array_equal(without_frozen(replace(frozen, pinned=pinned)).present, ~(repeats & ~pinned))
    assert without_frozen(replace(frozen, pinned=repeats)).findings == ()


def test_a_take_without_repeats_is_the_very_same(whole: Take, synthetic: SyntheticTake, small_take: Take) -> None:
    for take in (whole, synthetic.take, small_take, at(small_take, small_take.positions[:0]), at(small_take, small_take.positions[:1])):
        assert without_frozen(take) is take
    absurd = frozen_at(whole, [3], 200, 30)[0]
    absurd.positions[100, :] = 1e200
    assert without_frozen(absurd).findings
    gone = at(whole, np.full_like(whole.positions, np.nan))
    assert without_frozen(gone) is gone


def test_a_frozen_hand_is_solved_as_a_missing_one(whole: Take) -> None:
    markers = rows(whole, HAND)
    frozen, repeats = frozen_at(whole, markers, fastest(whole, markers, 60), 60)
    missing = np.where(repeats[..., None], np.nan, frozen.positions)
    solution, wanted = solve_people(frozen, Settings())[0], solve_take(at(whole, missing), Settings())
    assert np.array_equal(solution.positions, wanted.positions)
    assert [each.kind for each in solution.findings].count("frozen") == 1


def test_a_take_that_repeats_every_sample_is_solved_as_if_it_did_not(whole: Take) -> None:
    repeated = at(whole, whole.positions[np.arange(whole.frames) // 4 * 4])
    solution, truth = solve_take(repeated, Settings()), solve_take(whole, Settings())
    assert {each.kind for each in solution.findings} - {each.kind for each in truth.findings} == {"frozen"}
    off = np.linalg.norm(solution.positions - truth.positions, axis=-1)
    assert off.mean() < 0.002
