# SPDX-License-Identifier: GPL-3.0-or-later
"""Every quirk of C3D files that was met, each in a small file made for it."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import ezc3d
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.files.c3d import read_c3d, write_c3d
from model.take import BonesetterError, Take
from model.training.synthesis import synthesise

ROOT = Path(__file__).resolve().parents[2]


def write(
    path: Path,
    points: np.ndarray,
    labels: list[str],
    parameters: dict[str, Any] | None = None,
    residuals: np.ndarray | None = None,
    first_frame: int = 0,
) -> Path:
    """Points (3, labels, frames) as they stand, with POINT parameters; None takes one away."""
    content = ezc3d.c3d()
    content["data"]["points"] = np.concatenate([points, np.ones((1, *points.shape[1:]))])
    if residuals is not None:
        content["data"]["meta_points"]["residuals"] = residuals[None]
        content["data"]["meta_points"]["camera_masks"] = np.zeros((7, *points.shape[1:]), dtype=bool)
    content["header"]["points"]["first_frame"] = first_frame
    for name, value in {"RATE": [100.0], "LABELS": labels, "UNITS": ["mm"], **(parameters or {})}.items():
        content.add_parameter("POINT", name, value)
    content.write(str(path))
    return path


def standing(frames: int = 3) -> tuple[np.ndarray, list[str]]:
    """A figure of millimetres, Z up: (3, 4, frames) and its labels."""
    place = np.array([[0, 100, 1700], [0, -100, 1700], [50, 100, 40], [50, -100, 40]], dtype=float).T
    return np.repeat(place[..., None], frames, axis=2), ["LFHD", "RFHD", "LTOE", "RTOE"]


def test_a_written_take_is_read_back(small_take: Take, tmp_path: Path) -> None:
    given = replace(small_take, first_frame=40, residuals=np.zeros((5, 4)), up_axis="Y")
    write_c3d(given, tmp_path / "small.c3d")
    read = read_c3d(tmp_path / "small.c3d")
    np.testing.assert_allclose(read.positions, given.positions, atol=1e-6)
    assert (read.name, read.labels, read.rate_hz, read.first_frame, read.up_axis) == ("small", given.labels, 100.0, 40, "Y")
    assert read.warnings == ()


@pytest.mark.parametrize(("unit", "metres"), [("mm", 1e-3), ("cm", 1e-2), ("M", 1.0), ("in", 0.0254)])
def test_units(unit: str, metres: float, tmp_path: Path) -> None:
    points, labels = standing()
    take = read_c3d(write(tmp_path / "a.c3d", points, labels, {"UNITS": [unit]}))
    np.testing.assert_allclose(take.positions, points.transpose(2, 1, 0) * metres, rtol=1e-6)


def test_an_unknown_unit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BonesetterError, match="unknown unit 'parsec'"):
        read_c3d(write(tmp_path / "a.c3d", *standing(), {"UNITS": ["parsec"]}))


@pytest.mark.parametrize(("scale", "unit"), [(1.0, "mm"), (0.1, "cm"), (1e-3, "m")])
def test_a_missing_unit_is_told_from_the_size_of_the_figure(scale: float, unit: str, tmp_path: Path) -> None:
    points, labels = standing()
    take = read_c3d(write(tmp_path / "a.c3d", points * scale, labels, {"UNITS": [""]}))
    assert take.positions[..., 2].max() == pytest.approx(1.7, rel=1e-5)
    assert f"{unit} is assumed" in take.warnings[0]


def test_missing_samples_are_nan(tmp_path: Path) -> None:
    points, labels = standing(4)
    points[:, 0, 0] = np.nan
    points[:, 1, 1] = 0.0
    residuals = np.zeros((4, 4))
    residuals[2, 2] = -1.0
    residuals[3, 3] = 4.0
    take = read_c3d(write(tmp_path / "a.c3d", points, labels, residuals=residuals))
    assert sorted(zip(*np.nonzero(~take.present), strict=True)) == [(0, 0), (1, 1), (2, 2)]
    assert take.residuals[3, 3] == pytest.approx(4e-3)
    assert np.count_nonzero(take.residuals) == 1


def test_the_first_frame_is_the_files_number(tmp_path: Path) -> None:
    assert read_c3d(write(tmp_path / "a.c3d", *standing(), first_frame=39)).first_frame == 40


def test_the_figure_tells_which_axis_is_up(tmp_path: Path) -> None:
    points, labels = standing()
    assert read_c3d(write(tmp_path / "z.c3d", points, labels, {"Y_SCREEN": ["+Y"]})).up_axis == "Z"
    assert read_c3d(write(tmp_path / "y.c3d", points[[0, 2, 1]], labels, {"Y_SCREEN": ["-Z"]})).up_axis == "Y"


def test_unknown_labels_leave_the_screen_to_tell_the_axis(tmp_path: Path) -> None:
    points, _ = standing()
    names = ["A", "B", "C", "D"]
    assert read_c3d(write(tmp_path / "y.c3d", points, names, {"Y_SCREEN": ["+Y"]})).up_axis == "Y"
    assert read_c3d(write(tmp_path / "z.c3d", points, names, {"Y_SCREEN": ["-Z"]})).up_axis == "Z"
    assert read_c3d(write(tmp_path / "n.c3d", points, names)).up_axis == "Z"


def test_model_outputs_and_segment_axes_are_left_out(tmp_path: Path) -> None:
    markers, labels = standing()
    extra = ["LKneeAngles", "LKneeForce", "HEDO", "HEDA", "HEDL", "HEDP", "NOTO"]
    points = np.concatenate([markers, np.ones((3, len(extra), 3))], axis=1)
    parameters = {"ANGLES": ["LKneeAngles"], "FORCES": ["LKneeForce"]}
    take = read_c3d(write(tmp_path / "a.c3d", points, labels + extra, parameters))
    assert take.labels == (*labels, "NOTO")
    assert len(take.warnings) == 1
    assert take.warnings[0].startswith("6 points are outputs of a model")


def test_labels_that_repeat_or_lack_become_unique(tmp_path: Path) -> None:
    take = read_c3d(write(tmp_path / "a.c3d", standing()[0], ["A", "A", "", "A-1"]))
    assert take.labels == ("A", "A-2", "*2", "A-1")


def test_500_markers_and_one_frame(tmp_path: Path) -> None:
    labels = tuple(f"M{index}" for index in range(500))
    write_c3d(Take("many", labels, np.ones((1, 500, 3)), np.zeros((1, 500)), 60.0), tmp_path / "many.c3d")
    take = read_c3d(tmp_path / "many.c3d")
    assert take.labels == labels
    assert take.positions.shape == (1, 500, 3)


@pytest.mark.parametrize("kept", [0.5, 0.9, 0.98])
def test_a_file_that_is_cut_off_is_refused(kept: float, small_take: Take, tmp_path: Path) -> None:
    path = tmp_path / "cut.c3d"
    long = replace(small_take, positions=np.tile(small_take.positions, (200, 1, 1)), residuals=np.zeros((1000, 4)))
    write_c3d(long, path)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(BonesetterError, match="is cut off: it holds"):
        read_c3d(path)


def test_a_take_longer_than_the_format_counts_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "long.c3d", np.ones((3, 1, 65_536)), ["A"], {"LONG_FRAMES": [70_000.0]})
    with pytest.raises(BonesetterError, match="70000 frames, more than"):
        read_c3d(path)
    with pytest.raises(BonesetterError, match="split it"):
        write_c3d(Take("long", ("A",), np.ones((65_536, 1, 3)), np.zeros((65_536, 1)), 100.0), path)


@pytest.mark.parametrize("content", [b"", b"x", b"HIERARCHY\n" * 100, b"\x02\x50" + bytes(510), b"\x02\x50" + b"\xff" * 2000])
def test_what_is_no_c3d_is_refused_in_one_sentence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.c3d"
    path.write_bytes(content)
    with pytest.raises(BonesetterError, match=r"^a\.c3d is [^\n]*\.$"):
        read_c3d(path)


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.c3d"):
        with pytest.raises(BonesetterError, match="cannot be read"):
            read_c3d(path)


def test_a_file_of_force_plates_alone_is_refused(tmp_path: Path) -> None:
    content = ezc3d.c3d()
    content["data"]["points"] = np.zeros((4, 0, 10))
    content["data"]["rotations"] = np.zeros((4, 4, 0, 10))
    content["data"]["analogs"] = np.ones((1, 1, 100))
    content.add_parameter("POINT", "RATE", [100.0])
    content.add_parameter("ANALOG", "RATE", [1000.0])
    content.add_parameter("ANALOG", "LABELS", ["plate"])
    content.write(str(tmp_path / "a.c3d"))
    with pytest.raises(BonesetterError, match="holds no points"):
        read_c3d(tmp_path / "a.c3d")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_gives_a_take_or_one_sentence(small_take: Take, tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "damaged.c3d"
    write_c3d(small_take, path)
    content = bytearray(path.read_bytes())
    # In the labels, rate and unit; block counts and dimensions are left: with those ezc3d's C++ asks for any memory it likes.
    start = content.index(b"LFHD")
    for place in data.draw(st.lists(st.integers(start, start + 15), max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        take = read_c3d(path)
    except BonesetterError as error:
        said = str(error)
        assert "\n" not in said
    else:
        assert len(set(take.labels)) == take.positions.shape[1]


@pytest.mark.parametrize(
    ("folder", "frames", "markers", "first_frame", "up_axis"),
    [
        ("cmu_01_01", 2751, 42, 40, "Z"),
        ("hdm05_dg", 202, 44, 2925, "Z"),
        ("mons_rolling", 2305, 68, 1368, "Z"),
        ("gatech_squat", 2539, 53, 1, "Y"),
    ],
)
def test_real_takes(takes_folder: Path, folder: str, frames: int, markers: int, first_frame: int, up_axis: str) -> None:
    take = read_c3d(next((takes_folder / folder).glob("*.c3d")))
    assert take.positions.shape == (frames, markers, 3)
    assert (take.first_frame, take.up_axis) == (first_frame, up_axis)
    assert 0.3 < np.nanmax(take.positions[..., "XYZ".index(up_axis)]) < 2.5


def test_real_missing_samples_and_model_outputs(takes_folder: Path) -> None:
    rolling = read_c3d(takes_folder / "mons_rolling" / "03_rolling.c3d")
    assert 1 - rolling.present.mean() == pytest.approx(0.229, abs=1e-3)
    gait = read_c3d(takes_folder / "pig_flatfoot" / "PiG_Motion-FlatFoot-Full.c3d")
    assert len(gait.labels) == 37


def test_reading_a_long_take_is_quick(takes_folder: Path) -> None:
    path = next((takes_folder / "hdm05_mm").glob("*.c3d"))
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        read_c3d(path)
        seconds.append(time.perf_counter() - begin)
    assert min(seconds) < 0.3


def written(path: Path) -> bytes:
    write_c3d(synthesise(0.2).take, path)
    return path.read_bytes()


def test_a_file_cut_within_its_parameters_is_refused(tmp_path):
    """ezc3d reads some of these for ever."""
    whole = written(tmp_path / "whole.c3d")
    for size in (600, 1000, 1500, 2000, len(whole) // 3):
        path = tmp_path / f"cut{size}.c3d"
        path.write_bytes(whole[:size])
        with pytest.raises(BonesetterError, match=r"cut off|damaged|not a readable"):
            read_c3d(path)


def test_damaged_files_never_take_the_reader_down(tmp_path):
    """In a process of its own, as ezc3d's crashes would end this one."""
    whole = written(tmp_path / "whole.c3d")
    random = np.random.default_rng(0)
    for number in range(40):
        damaged = bytearray(whole)
        for place in random.integers(0, 3000, size=8):
            damaged[place] = random.integers(256)
        (tmp_path / f"damaged{number}.c3d").write_bytes(damaged)
    script = (
        "import sys; from pathlib import Path; from model.files.c3d import read_c3d; from model.take import BonesetterError\n"
        "for path in sorted(Path(sys.argv[1]).glob('damaged*')):\n"
        "    try: read_c3d(path)\n"
        "    except BonesetterError: pass\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, timeout=60, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_folder_cannot_be_written_as_a_c3d(tmp_path):
    with pytest.raises(BonesetterError, match="cannot be written"):
        write_c3d(synthesise(0.1).take, tmp_path)
