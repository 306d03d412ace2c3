# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.actors.actor_file import read_actor
from model.core.errors import BonesetterError
from model.core.settings import Settings
from model.core.take import Axis
from model.files.npz import read_npz, write_npz
from model.files.output import write_outputs
from model.marker_sets.marker_set import MarkerSet
from model.markers.cleaning import clean
from model.result.report import build_report, far_off, judged
from model.result.solution import Solution
from model.shell.runs import summary
from model.storage.atomic import ABANDONED_SECONDS, STAGING, replacing, staged

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
            "keyed",
            "present",
            "trusted",
            "up_axis",
        }
        assert arrays["keyed"].all()
        assert arrays["keyed"].shape == arrays["positions"].shape[:2]
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
        "keyed": (frames, 31),
        "present": (frames, 41),
        "trusted": (frames, 41),
        "up_axis": (),
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
        "first_frame",
        "frame_step",
        "rate_hz",
        "seconds",
        "marker_residual_mm",
        "marker_sigma_mm",
        "flagged",
        "contacts",
        "floor_mm",
        "findings",
        "doubtful",
        "warnings",
    ]
    assert list(report) == keys
    assert list(report["marker_residual_mm"]) == ["mean", "median", "p95", "per_label"]
    assert report["seconds"] == {"read": 0.1, "pose": 0.5}
    assert report["warnings"] == ["Said."]
    assert json.loads(json.dumps(report, allow_nan=False)) == report


@pytest.mark.parametrize(("mm", "said"), [(0.0, "usual"), (10.0, "usual"), (10.1, "look at it"), (25.0, "look at it"), (25.1, "wrong")])
def test_a_residual_is_judged(mm: float, said: str) -> None:
    assert judged(mm) == said
    report = {"seconds": {"pose": 1.0}, "marker_residual_mm": {"mean": mm}, "flagged": {}, "frames": 7}
    assert f"marker residual {mm:.1f} mm ({said})" in summary("walk", report)


@pytest.mark.parametrize("mm", [0.0, 9.0, 24.0, 26.0, 60.0])
def test_what_is_judged_wrong_is_a_finding(solved: Solve, mm: float) -> None:
    """Another person's actor is 29 mm or more off, and the markers' residual was all that said so."""
    clean = solved("Z").clean
    found = far_off(clean, clean.take.positions + np.array([0.001 * mm, 0.0, 0.0]))
    assert [each.numbers for each in found] == ([{"residual_mm": mm}] if judged(mm) == "wrong" else [])


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


def outputs(folder: Path) -> tuple[dict[str, Path], Path, Path]:
    """Of a take: exports, report, actor."""
    return {name: folder / f"a.{name}" for name in ("bvh", "npz")}, folder / "a.json", folder / "actor.json"


def left(folder: Path) -> dict[str, str]:
    """{name: content} of all that is in a folder, hidden files too."""
    return {path.name: path.read_text(errors="replace") for path in folder.iterdir()}


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits")
@pytest.mark.parametrize("old", [{}, {"a.bvh": "old", "a.npz": "old", "a.json": "old", "actor.json": "mine"}], ids=["new", "replaced"])
def test_a_full_disk_leaves_all_as_it_was(solved: Solve, tmp_path: Path, old: dict[str, str]) -> None:
    """The system lets no file grow as large as the npz, which is written after the BVH."""
    import resource

    for name, content in old.items():
        (tmp_path / name).write_text(content)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    solution = solved("Z")
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, hard))
    try:
        with pytest.raises(BonesetterError, match=r"/a\.npz cannot be written \(.*too large.*\): choose another folder") as caught:
            write_outputs(solution, *outputs(tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert ".bonesetter" not in str(caught.value)
    assert left(tmp_path) == old


def test_a_folder_that_cannot_be_written_to_leaves_the_others_as_they_were(solved: Solve, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    exports, report, _ = outputs(tmp_path)
    with pytest.raises(BonesetterError, match=r"actor\.json cannot be written"):
        write_outputs(solved("Z"), exports, report, tmp_path / "file" / "actor.json")
    assert left(tmp_path) == {"file": ""}


def test_a_file_that_cannot_be_replaced_leaves_the_others_as_they_were(solved: Solve, tmp_path: Path) -> None:
    """All are written, and the first is in its place already, when the report turns out to be a folder."""
    (tmp_path / "a.bvh").write_text("old")
    (tmp_path / "a.json").mkdir()
    with pytest.raises(BonesetterError, match=r"a\.json cannot be written \(there is a folder of that name\)"):
        write_outputs(solved("Z"), *outputs(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bvh", "a.json"]
    assert (tmp_path / "a.bvh").read_text() == "old"


def test_files_are_as_open_as_others(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    with replacing(tmp_path / "a.txt") as stream:
        stream.write("new")
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_what_a_killed_process_left_is_cleared_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from model.storage.atomic import replacing\n"
        "with replacing(Path(sys.argv[1])) as stream:\n"
        "    stream.write('half')\n"
        "    stream.flush()\n"
        "    print('writing', flush=True)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.txt")]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        with replacing(tmp_path / "b.txt") as stream:
            stream.write("whole")
        assert next(path.name for path in tmp_path.iterdir() if path.name != "b.txt").startswith(f".bonesetter-{process.pid}-")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with replacing(tmp_path / "a.txt") as stream:
        stream.write("whole")
    assert left(tmp_path) == {"a.txt": "whole", "b.txt": "whole"}


def test_what_another_machine_writes_is_left_alone_until_it_is_old(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    # a number that no process has here says nothing of another machine's
    folder = tmp_path / f"{STAGING}{process.pid}-elsewhere-x"
    folder.mkdir()
    with replacing(tmp_path / "a.txt") as stream:
        stream.write("one")
    assert folder.is_dir()
    old = time.time() - 2 * ABANDONED_SECONDS
    os.utime(folder, (old, old))
    with replacing(tmp_path / "a.txt") as stream:
        stream.write("two")
    assert left(tmp_path) == {"a.txt": "two"}


def test_what_is_staged_within_a_stage_waits_for_the_whole(tmp_path: Path) -> None:
    with staged() as outer:
        with staged() as inner, replacing(inner(outer(tmp_path / "a.txt"))) as stream:
            stream.write("new")
        assert not (tmp_path / "a.txt").exists()
    assert left(tmp_path) == {"a.txt": "new"}
