# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from model.bench.evaluate import CORRUPTED
from model.core.settings import Settings
from model.core.take import CleanTake, Take
from model.files.c3d import read_c3d
from model.marker_sets.marker_set import MarkerSet
from model.markers.cleaning import clean
from model.markers.matching import match
from model.synthetic.corruptions import corrupt
from model.synthetic.synthesis import Noise, SyntheticTake, synthesise

CLEAN_TAKES = ("cmu_01_01", "cmu_02_05", "cmu_85_02", "hdm05_dg", "hdm05_mm", "gatech_squat", "pig_flatfoot")


@pytest.fixture(scope="module")
def still() -> SyntheticTake:
    """A take with nothing but jitter."""
    return synthesise(seconds=6.0, noise=Noise(gaps=0.0, long_gaps=0, spikes=0.0, swaps=0))


def moved_samples(take: Take, shown: Take) -> np.ndarray:
    """Which samples of a take its corrupted copy has elsewhere, (frames, labels)."""
    return shown.present & (shown.positions != take.positions).any(axis=-1)


def flagged(cleaned: CleanTake) -> np.ndarray:
    return cleaned.take.present & ~cleaned.trusted


def total(cleaned: CleanTake, reason: str) -> int:
    return sum(counts.get(reason, 0) for counts in cleaned.flagged.values())


def test_a_clean_take_is_left_alone(still: SyntheticTake, marker_set: MarkerSet) -> None:
    cleaned = clean(still.take, marker_set, Settings())
    assert cleaned.flagged == {}
    assert cleaned.trusted.all()
    np.testing.assert_array_equal(cleaned.positions, still.take.positions)


@pytest.mark.parametrize("rate_hz", [60.0, 120.0, 240.0])
def test_most_corruption_is_found_and_mended(rate_hz: float, marker_set: MarkerSet) -> None:
    truth = synthesise(seconds=5.0, rate_hz=rate_hz, noise=Noise(gaps=0.0, long_gaps=0, spikes=0.0, swaps=0))
    take = corrupt(truth.take, CORRUPTED, seed=3)
    moved = moved_samples(truth.take, take)
    cleaned = clean(take, marker_set, Settings())
    found = flagged(cleaned)
    assert found[moved].mean() > (0.98 if rate_hz >= 120 else 0.8)
    assert found[take.present & ~moved].mean() < (0.03 if rate_hz >= 120 else 0.05)
    error = np.linalg.norm(cleaned.positions - truth.markers, axis=-1)[~cleaned.trusted]
    assert np.isfinite(error).mean() > 0.9
    if rate_hz >= 120:
        assert np.nanmedian(error) < 3e-3


def test_only_samples_of_the_file_are_trusted_and_kept(still: SyntheticTake, marker_set: MarkerSet) -> None:
    take = corrupt(still.take, CORRUPTED, seed=4)
    before = take.positions.copy()
    cleaned = clean(take, marker_set, Settings())
    np.testing.assert_array_equal(take.positions, before)
    assert not (cleaned.trusted & ~take.present).any()
    np.testing.assert_array_equal(cleaned.positions[cleaned.trusted], take.positions[cleaned.trusted])
    counted = {label: sum(counts.values()) for label, counts in cleaned.flagged.items()}
    found = flagged(cleaned).sum(axis=0)
    assert counted == {label: int(count) for label, count in zip(take.labels, found, strict=True) if count}


def test_residuals(still: SyntheticTake, marker_set: MarkerSet) -> None:
    residuals = np.zeros(still.take.present.shape)
    residuals[7, 3] = 0.02
    residuals[8, 3] = 0.005
    cleaned = clean(replace(still.take, residuals=residuals), marker_set, Settings(max_residual=10.0))
    assert cleaned.flagged == {still.take.labels[3]: {"residual": 1}}
    assert clean(replace(still.take, residuals=residuals), marker_set, Settings(max_residual=4.0)).flagged[still.take.labels[3]] == {
        "residual": 2
    }


@pytest.mark.parametrize("frames", [1, 2, 5, 20, 50])
def test_an_excursion_of_any_length_up_to_half_a_second_is_found(frames: int, still: SyntheticTake, marker_set: MarkerSet) -> None:
    positions = still.take.positions.copy()
    marker = still.take.labels.index("LKNE")  # in no rigid group: only its path can tell
    positions[200 : 200 + frames, marker] += [0.0, 0.15, 0.0]
    cleaned = clean(replace(still.take, positions=positions), marker_set, Settings())
    assert cleaned.flagged == {"LKNE": {"jump": frames}}
    error = np.linalg.norm(cleaned.positions[:, marker] - still.markers[:, marker], axis=-1)
    assert error.max() < (0.01 if frames <= 20 else 0.08)


@pytest.mark.parametrize("rate_hz", [12.0, 24.0, 30.0, 60.0, 120.0])
@pytest.mark.parametrize("part", [0.0, 0.3])
def test_a_fast_hand_is_no_noise_at_any_rate(part: float, rate_hz: float, marker_set: MarkerSet) -> None:
    truth = synthesise(seconds=8.0, rate_hz=rate_hz, noise=Noise(gaps=0.0, long_gaps=0, spikes=0.0, swaps=0)).take
    marker = truth.labels.index("LFIN")
    time = np.arange(truth.frames) / rate_hz
    positions = truth.positions.copy()
    # 9 m/s and 220 m/s^2 for a second, as in a fight
    swing = 0.37 * np.sin(2 * np.pi * 3.9 * time) * np.clip(2 * np.minimum(time - 3.0, 5.0 - time), 0.0, 1.0)
    positions[:, marker] += swing[:, None] * [0.6, 0.8, 0.0]
    take = corrupt(replace(truth, positions=positions), {"occlusion": {"part": part}}, seed=2)
    found = flagged(clean(take, marker_set, Settings()))
    # by straight lines 3 to 12 of 16 to 160
    assert found.sum() <= (2 if part else 0)


@pytest.mark.parametrize("rate_hz", [24.0, 30.0, 60.0])
def test_a_spike_is_noise_at_low_rates_too(rate_hz: float, marker_set: MarkerSet) -> None:
    take = synthesise(seconds=6.0, rate_hz=rate_hz, noise=Noise(gaps=0.0, long_gaps=0, spikes=0.0, swaps=0)).take
    positions = take.positions.copy()
    frames = np.arange(10, take.frames - 10, 9)
    markers = np.arange(len(frames)) % len(take.labels)
    positions[frames, markers] += [0.0, 0.3, 0.2]
    found = flagged(clean(replace(take, positions=positions), marker_set, Settings()))
    assert found[frames, markers].all()
    assert found.sum() == len(frames)


def test_a_marker_goes_on_as_it_moved_for_a_tenth_of_a_second(still: SyntheticTake, marker_set: MarkerSet) -> None:
    positions = still.take.positions.copy()
    marker = still.take.labels.index("LKNE")  # in no rigid group
    positions[:150, marker] = np.nan
    positions[-150:, marker] = np.nan
    cleaned = clean(replace(still.take, positions=positions), marker_set, Settings())
    known = np.isfinite(cleaned.positions[:, marker]).all(axis=-1)
    frames = np.flatnonzero(known)
    assert (frames[0], frames[-1]) == (138, still.take.frames - 139)
    assert not cleaned.trusted[:150, marker].any()
    error = np.linalg.norm(cleaned.positions[:, marker] - still.markers[:, marker], axis=-1)
    stays = np.linalg.norm(still.markers[138:150, marker] - still.markers[150, marker], axis=-1)
    assert error[138:150].max() < 0.5 * stays.max()
    unfilled = clean(replace(still.take, positions=positions), marker_set, Settings(max_gap=0.0))
    assert not np.isfinite(unfilled.positions[:150, marker]).any()


def test_a_sample_beyond_all_rooms_is_no_marker(still: SyntheticTake, marker_set: MarkerSet) -> None:
    positions = still.take.positions[:2].copy()
    positions[0, 5] = 8e7
    positions[1, 6] = -1e300
    cleaned = clean(replace(still.take, positions=positions, residuals=still.take.residuals[:2]), marker_set, Settings())
    assert cleaned.flagged == {still.take.labels[row]: {"jump": 1} for row in (5, 6)}


def test_the_good_side_of_a_gap_is_not_flagged(still: SyntheticTake, marker_set: MarkerSet) -> None:
    positions = still.take.positions.copy()
    for start, end in ((100, 130), (200, 290), (300, 303)):
        positions[start:end] = np.nan
    assert clean(replace(still.take, positions=positions), marker_set, Settings()).flagged == {}


def test_a_long_swap_inside_a_rigid_group_is_found(still: SyntheticTake, marker_set: MarkerSet) -> None:
    positions = still.take.positions.copy()
    swap = [still.take.labels.index(label) for label in ("LFWT", "LBWT")]
    positions[300:450, swap] = positions[300:450, swap[::-1]]
    found = flagged(clean(replace(still.take, positions=positions), marker_set, Settings()))
    assert found[300:450, swap].mean() > 0.95
    found[300:450, swap] = False
    assert not found.any()


def test_a_slow_drift_is_found_by_its_rigid_group(still: SyntheticTake, marker_set: MarkerSet) -> None:
    positions = still.take.positions.copy()
    marker = still.take.labels.index("LBWT")
    positions[500:, marker] += np.linspace(0, 0.3, len(positions) - 500)[:, None] * [0.0, 0.0, -1.0]
    cleaned = clean(replace(still.take, positions=positions), marker_set, Settings())
    assert set(cleaned.flagged) == {"LBWT"}
    assert set(cleaned.flagged["LBWT"]) == {"rigid"}
    assert flagged(cleaned)[-60:, marker].all()


def test_gaps_are_filled_up_to_the_longest_allowed(still: SyntheticTake, marker_set: MarkerSet) -> None:
    positions = still.take.positions.copy()
    positions[100:130, 5] = np.nan  # 0.25 s
    positions[200:290, 5] = np.nan  # 0.75 s
    positions[:3, 5] = np.nan
    cleaned = clean(replace(still.take, positions=positions), marker_set, Settings(max_gap=0.5))
    missing = np.flatnonzero(np.isnan(cleaned.positions[:, 5, 0]))
    assert missing.tolist() == list(range(200, 290))
    nothing = clean(replace(still.take, positions=positions), marker_set, Settings(max_gap=0.0))
    np.testing.assert_array_equal(np.isnan(nothing.positions), np.isnan(positions))


def test_a_rigid_group_fills_better_than_time_does(still: SyntheticTake, marker_set: MarkerSet) -> None:
    positions = still.take.positions.copy()
    marker = still.take.labels.index("LFWT")
    positions[60:118, marker] = np.nan  # walking on a circle: a curve in time cuts the corner
    take = replace(still.take, positions=positions)
    lone = replace(marker_set, rigid_groups={})
    error, worse = (
        np.linalg.norm(clean(take, groups, Settings()).positions[60:118, marker] - still.markers[60:118, marker], axis=-1).max()
        for groups in (marker_set, lone)
    )
    assert error < 0.015
    assert error < worse / 2


@pytest.mark.parametrize("frames", [0, 1, 2, 3])
def test_takes_of_hardly_any_frames(frames: int, still: SyntheticTake, marker_set: MarkerSet) -> None:
    take = replace(still.take, positions=still.take.positions[:frames], residuals=still.take.residuals[:frames])
    assert clean(take, marker_set, Settings()).trusted.all()


def test_a_take_of_nothing_but_gaps(still: SyntheticTake, marker_set: MarkerSet) -> None:
    cleaned = clean(replace(still.take, positions=np.full_like(still.take.positions, np.nan)), marker_set, Settings())
    assert cleaned.flagged == {}
    assert np.isnan(cleaned.positions).all()


@pytest.mark.parametrize("folder", CLEAN_TAKES)
def test_real_clean_takes_lose_nearly_nothing(takes_folder: Path, marker_set: MarkerSet, folder: str) -> None:
    take = match(read_c3d(sorted((takes_folder / folder).glob("*.c3d"))[-1]), marker_set)
    cleaned = clean(take, marker_set, Settings())
    assert total(cleaned, "jump") == 0
    assert flagged(cleaned).sum() < 1e-3 * take.present.sum()


@pytest.mark.parametrize("folder", CLEAN_TAKES)
def test_corruption_of_real_takes_is_found(takes_folder: Path, marker_set: MarkerSet, folder: str) -> None:
    truth = match(read_c3d(sorted((takes_folder / folder).glob("*.c3d"))[-1]), marker_set)
    take = corrupt(truth, CORRUPTED, seed=1)
    moved = moved_samples(truth, take)
    found = flagged(clean(take, marker_set, Settings()))
    assert found[moved].mean() > 0.98
    assert found[take.present & ~moved].mean() < 0.03


def test_cleaning_takes_no_steps_for_each_frame(marker_set: MarkerSet, steps: Callable[[Callable[[], object]], int]) -> None:
    short, long = (synthesise(seconds, noise=Noise(gaps=0.0, long_gaps=0, spikes=0.0, swaps=0)).take for seconds in (2.0, 20.0))
    clean(short, marker_set, Settings())
    counted = [steps(partial(clean, take, marker_set, Settings())) for take in (short, long)]
    assert counted[1] < 1.2 * counted[0]
