# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.actors.actor_file import read_actor
from model.atomic import replacing
from model.files.npz import read_npz, write_npz
from model.files.output import write_outputs
from model.marker_sets.marker_set import MarkerSet
from model.markers.cleaning import clean
from model.report import build_report
from model.settings import Settings
from model.solution import Solution
from model.take import Axis, BonesetterError

Solve = Callable[[Axis], Solution]


def test_npz_holds_what_the_issue_names(solved: Solve, tmp_path: Path) -> None:
    solution = solved("Z")
    write_npz(solution, tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        assert set(arrays) == {
            "joints",
            "positions",
            "markers",
            "rotations",
            "parents",
            "offsets",
            "labels",
            "rate_hz",
            "markers_model",
        }
    read = read_npz(tmp_path / "a.npz")
    frames = solution.clean.take.frames
    assert {key: read[key].shape for key in read} == {
        "joints": (31,),
        "positions": (frames, 31, 3),
        "markers": (frames, 41, 3),
        "rotations": (frames, 31, 4),
        "parents": (31,),
        "offsets": (31, 3),
        "labels": (41,),
        "rate_hz": (),
        "markers_model": (frames, 41, 3),
    }
    assert read["joints"][0] == "Hips"
    assert float(read["rate_hz"]) == 120.0
    np.testing.assert_array_equal(read["markers"], solution.clean.positions)
    assert np.isfinite(read["markers_model"]).all()


def test_what_is_no_npz_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"no")
    np.savez(tmp_path / "b.npz", joints=np.zeros(3))
    for name in ("a.npz", "b.npz"):
        with pytest.raises(BonesetterError, match="is no solved take"):
            read_npz(tmp_path / name)
    with pytest.raises(BonesetterError, match="cannot be read"):
        read_npz(tmp_path / "none.npz")


def test_the_report_has_exactly_its_keys(solved: Solve) -> None:
    report = build_report(solved("Z"), {"read": 0.1, "pose": 0.5})
    keys = [
        "frames",
        "rate_hz",
        "seconds",
        "marker_residual_mm",
        "marker_sigma_mm",
        "flagged",
        "corrections",
        "contacts",
        "findings",
        "warnings",
    ]
    assert list(report) == keys
    assert list(report["marker_residual_mm"]) == ["mean", "median", "p95", "per_label"]
    assert report["seconds"] == {"read": 0.1, "pose": 0.5}
    assert report["warnings"] == ["Said."]
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_the_report_says_which_markers_are_least_sure(solved: Solve) -> None:
    solution = solved("Z")
    assert build_report(solution, {})["marker_sigma_mm"] == {}
    sigma = np.full((len(solution.actor.labels), 3), np.nan)
    sigma[:3] = [[0.004] * 3, [0.001, 0.002, 0.002], [0.03] * 3]
    told = build_report(replace(solution, actor=replace(solution.actor, offset_sigma=sigma)), {})["marker_sigma_mm"]
    first, second, third = solution.actor.labels[:3]
    assert list(told.items()) == [(third, 30.0), (first, 4.0), (second, 1.73)]


def test_mean_residuals_are_of_trusted_samples_and_the_others_robust(solved: Solve) -> None:
    solution = solved("Z")
    take = solution.clean.take
    distance = 1e3 * np.linalg.norm(take.positions - solution.markers_model, axis=-1)
    residual = build_report(solution, {})["marker_residual_mm"]
    assert residual["mean"] == pytest.approx(distance[solution.clean.trusted].mean(), abs=1e-3)
    assert residual["median"] == pytest.approx(np.median(distance[take.present]), abs=1e-3)
    assert residual["p95"] == pytest.approx(np.percentile(distance[take.present], 95), abs=1e-3)


def test_a_spike_is_counted_but_moves_no_residual(solved: Solve, marker_set: MarkerSet) -> None:
    solution = solved("Z")
    positions = solution.clean.take.positions.copy()
    frame, marker = np.argwhere(solution.clean.trusted)[5000]
    positions[frame, marker] = 8e7
    spiked = replace(solution, clean=clean(replace(solution.clean.take, positions=positions), marker_set, Settings()))
    before, after = build_report(solution, {}), build_report(spiked, {})
    label = solution.clean.take.labels[marker]
    assert sum(after["flagged"][label].values()) == sum(before["flagged"].get(label, {}).values()) + 1
    for figure in ("mean", "median", "p95"):
        assert after["marker_residual_mm"][figure] == pytest.approx(before["marker_residual_mm"][figure], rel=0.01)
    assert after["marker_residual_mm"]["per_label"][label] == pytest.approx(before["marker_residual_mm"]["per_label"][label], rel=0.02)


def test_a_marker_without_samples_has_no_residual(solved: Solve) -> None:
    solution = solved("Z")
    positions = solution.clean.take.positions.copy()
    positions[:, 3] = np.nan
    trusted = solution.clean.trusted & np.isfinite(positions).all(axis=-1)
    empty = replace(solution, clean=replace(solution.clean, take=replace(solution.clean.take, positions=positions), trusted=trusted))
    label = solution.clean.take.labels[3]
    assert build_report(empty, {})["marker_residual_mm"]["per_label"][label] is None


def test_all_outputs_of_a_take(solved: Solve, tmp_path: Path) -> None:
    exports = {name: tmp_path / f"a.{name}" for name in ("bvh", "npz")}
    report = write_outputs(solved("Z"), exports, tmp_path / "a.json", tmp_path / "actor.json", read_seconds=0.25)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bvh", "a.json", "a.npz", "actor.json"]
    assert list(report["seconds"]) == ["read", "pose", "write"]
    assert json.loads((tmp_path / "a.json").read_text()) == report
    assert read_actor(tmp_path / "actor.json").labels == solved("Z").actor.labels


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def interrupted() -> None:
        with replacing(path) as stream:
            stream.write("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    with replacing(path) as stream:
        stream.write("new")
    assert path.read_text() == "new"


def test_a_folder_that_does_not_exist_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BonesetterError, match="cannot be written"), replacing(tmp_path / "none" / "a.txt"):
        pass
