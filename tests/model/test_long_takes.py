# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes of an hour: kept in single precision, worked on in parts, and solved as short ones are."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.core import parallel, take
from model.core.memory import give_back
from model.core.settings import Settings
from model.engine.pipeline import solve_take
from model.files import trc
from model.files.bvh import write_bvh
from model.files.c3d_writer import write_c3d
from model.files.exchange import load_take, save_take
from model.files.readers import read_take
from model.files.trc import write_trc
from model.markers.sources import with_sources
from model.solver import observations
from model.solver.frames import joined, put_together
from model.solver.kinematics import Pose
from model.solver.observations import observe
from model.solver.smoothing import smoothed
from model.synthetic.synthesis import synthesise
from tests.soak.long_takes import write_long


@pytest.fixture
def long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any take is long."""
    monkeypatch.setattr(take, "DOUBLE_FRAMES", 10)


@pytest.fixture(scope="module")
def walk() -> take.Take:
    return synthesise(4.0, seed=3).take


def test_usual_takes_are_in_double_precision() -> None:
    assert take.number_type(take.DOUBLE_FRAMES) is np.float64
    assert take.number_type(take.DOUBLE_FRAMES + 1) is np.float32


def test_files_of_long_takes_are_read_in_single_precision(walk: take.Take, tmp_path: Path, long: None) -> None:
    write_c3d(walk, tmp_path / "walk.c3d")
    save_take(walk, tmp_path / "walk.npz")
    for read in (read_take(tmp_path / "walk.c3d"), load_take(tmp_path / "walk.npz")):
        assert read.positions.dtype == read.residuals.dtype == np.float32
        np.testing.assert_allclose(read.positions, walk.positions, rtol=0, atol=1e-6)


def test_a_long_take_is_solved_as_a_short_one_is(walk: take.Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_c3d(walk, tmp_path / "walk.c3d")
    usual = solve_take(read_take(tmp_path / "walk.c3d"), Settings())
    monkeypatch.setattr(take, "DOUBLE_FRAMES", 10)
    monkeypatch.setattr(parallel, "VALUES_AT_ONCE", 1)
    spared = solve_take(read_take(tmp_path / "walk.c3d"), Settings())
    for name in ("positions", "rotations", "markers_model"):
        assert (getattr(usual, name).dtype, getattr(spared, name).dtype) == (np.float64, np.float32), name
    assert spared.clean.positions.dtype == np.float32
    # in mm
    assert 1000 * np.linalg.norm(usual.positions - spared.positions, axis=-1).mean() < 0.001
    assert np.array_equal(usual.clean.trusted, spared.clean.trusted)
    for solution, path in ((usual, tmp_path / "usual.bvh"), (spared, tmp_path / "spared.bvh")):
        write_bvh(solution, path)
    channels = [
        np.array([line.split() for line in (tmp_path / f"{name}.bvh").read_text().partition("Frame Time")[2].splitlines()[1:]], float)
        for name in ("usual", "spared")
    ]
    # cm and degrees
    assert np.abs(channels[0] - channels[1]).max() < 0.02


def test_a_long_take_stays_small(long: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of arrays of numpy's, input and cleaned input and result among them, no more than so many bytes a sample stand at once."""
    monkeypatch.setattr(parallel, "VALUES_AT_ONCE", 1)
    one = synthesise(20.0, seed=1).take
    solve_take(synthesise(0.5).take, Settings(workers=1))
    one = one.kept()
    tracemalloc.start()
    try:
        solve_take(one, Settings(workers=1))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # 101; in double precision and with whole takes copied on the way it was 223
    assert most < 130 * one.positions[..., 0].size


@pytest.mark.parametrize("suffix", [".trc", ".csv"])
def test_text_of_an_hour_is_read_line_by_line(suffix: str, tmp_path: Path, long: None) -> None:
    frames, path = 4_000, tmp_path / f"a{suffix}"
    write_long(str(path), frames)
    read_take(path)
    tracemalloc.start()
    try:
        positions = read_take(path).positions
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert positions.dtype == np.float32
    # 59; with all lines at once, and copies in double precision, it was 121
    assert most < 75 * positions[..., 0].size


def test_a_long_take_is_written_as_trc_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    solution = solve_take(synthesise(4.0, seed=3).take, Settings())
    write_trc(solution, tmp_path / "whole.trc")
    monkeypatch.setattr(trc, "FRAMES_AT_ONCE", 7)
    tracemalloc.start()
    try:
        write_trc(solution, tmp_path / "parts.trc")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    whole, parts = ((tmp_path / name).read_text().splitlines()[1:] for name in ("whole.trc", "parts.trc"))
    assert parts == whole
    # 4; all at once it was 123
    assert most < 20 * solution.clean.positions[..., 0].size


def test_the_noise_of_a_long_take_is_told_by_a_part_of_its_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(4).normal(scale=0.0004, size=(4_000, 3, 3))
    walked = np.linspace(0, 20, 4_000)[:, None, None] + noise
    noisy = take.Take("noise", ("a", "b", "c"), walked, np.zeros((4_000, 3)), 120.0)
    clean = take.CleanTake(noisy, walked, np.ones((4_000, 3), dtype=bool))
    usual = observe(clean, torch.device("cpu"))
    monkeypatch.setattr(observations, "DOUBLE_FRAMES", 1_000)
    spared = observe(clean, torch.device("cpu"))
    assert spared.jitter_m != usual.jitter_m, "fewer samples are looked at"
    assert spared.jitter_m == pytest.approx(usual.jitter_m, rel=0.03)
    assert usual.jitter_m == pytest.approx(0.0004, rel=0.03)
    assert torch.equal(spared.points, usual.points)


def test_poses_are_put_together_as_they_come() -> None:
    parts = [Pose(torch.rand(n, 3), torch.rand(n, 3, 3), torch.rand(n, 7)) for n in (3, 1, 5)]
    whole, other = put_together(iter(parts), 9), joined(parts)
    assert all(torch.equal(getattr(whole, name), getattr(other, name)) for name in ("root", "turn", "q"))
    for frames in (8, 10):
        with pytest.raises((ValueError, RuntimeError)):
            put_together(iter(parts), frames)


@pytest.mark.parametrize("frames", [0, 1, 2_000, 300_000, 5_000_000])
def test_columns_are_all_taken_and_fewer_where_they_are_long(frames: int) -> None:
    cuts = parallel.columns(41, frames, 8)
    assert [column for cut in cuts for column in range(41)[cut]] == list(range(41))
    widest = max(cut.stop - cut.start for cut in cuts)
    assert widest == (8 if frames <= 2_000 else max(1, parallel.VALUES_AT_ONCE // frames))


def test_smoothing_is_the_same_however_many_curves_are_filtered_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    pose = Pose(torch.rand(200, 3), torch.eye(3).expand(200, 3, 3), torch.rand(200, 37))
    usual = smoothed(pose, 120.0, 0.5)
    monkeypatch.setattr(parallel, "VALUES_AT_ONCE", 1)
    assert torch.equal(usual.q, smoothed(pose, 120.0, 0.5).q)
    assert not torch.equal(usual.q, pose.q)


def test_samples_are_put_under_the_labels_that_are_said(walk: take.Take) -> None:
    rng = np.random.default_rng(0)
    known, spare = walk.only(range(6)), walk.only(range(6, 9))
    known = replace(known, residuals=rng.random(known.residuals.shape))
    source = rng.integers(-1, 9, (walk.frames, 6))
    source[::2] = np.arange(6)
    found = with_sources(known, spare, source)
    points = np.concatenate([known.positions, spare.positions, np.full((walk.frames, 1, 3), np.nan)], axis=1)
    residuals = np.concatenate([known.residuals, spare.residuals, np.zeros((walk.frames, 1))], axis=1)
    frames = np.arange(walk.frames)[:, None]
    np.testing.assert_array_equal(found.positions, points[frames, source])
    np.testing.assert_array_equal(found.residuals, residuals[frames, source])


def test_memory_is_given_back_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    give_back()
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setattr("ctypes.CDLL", None)
    give_back()
