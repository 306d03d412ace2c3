# SPDX-License-Identifier: GPL-3.0-or-later
"""What a C3D file means: units, labels, rates, axes, missing samples, each in a small file made for it, and in real takes."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from model.core.errors import BonesetterError
from model.files.c3d import read_c3d

from .c3d_bytes import C3D, figure
from .c3d_files import read_bytes, standing, write


@pytest.mark.parametrize(("unit", "metres"), [("mm", 1e-3), ("cm", 1e-2), ("M", 1.0), ("in", 0.0254)])
def test_units(unit: str, metres: float, tmp_path: Path) -> None:
    points, labels = standing()
    take = read_c3d(write(tmp_path / "a.c3d", points / (1000 * metres), labels, {"UNITS": [unit]}))
    np.testing.assert_allclose(take.positions, points.transpose(2, 1, 0) / 1000, rtol=1e-6)
    assert take.findings == ()


def test_an_unknown_unit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BonesetterError, match="unknown unit 'parsec'"):
        read_c3d(write(tmp_path / "a.c3d", *standing(), {"UNITS": ["parsec"]}))


@pytest.mark.parametrize(("scale", "unit"), [(1.0, "mm"), (0.1, "cm"), (1e-3, "m")])
def test_a_missing_unit_is_told_from_the_size_of_the_figure(scale: float, unit: str, tmp_path: Path) -> None:
    points, labels = standing()
    take = read_c3d(write(tmp_path / "a.c3d", points * scale, labels, {"UNITS": [""]}))
    assert take.positions[..., 2].max() == pytest.approx(1.7, rel=1e-5)
    assert f"{unit} is assumed" in take.findings[0].text


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
    assert len(take.findings) == 1
    assert take.findings[0].text.startswith("6 points are outputs of a model")


def test_labels_that_repeat_or_lack_become_unique(tmp_path: Path) -> None:
    take = read_c3d(write(tmp_path / "a.c3d", standing()[0], ["A", "A", "", "A-1"]))
    assert take.labels == ("A", "A-2", "*2", "A-1")


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


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ([b"Kopf", "Hüfte".encode()], ("Kopf", "Hüfte")),
        (["Kopf".encode("latin-1"), "Hüfte".encode("latin-1")], ("Kopf", "Hüfte")),
        (["tête".encode("cp1252"), "œil".encode("cp1252")], ("tête", "œil")),
        ([b"A\x81", b"B\xfc"], ("A", "Bü")),
        (["Hüft".encode() + "ü".encode()[:1], b"ABCDEF"], ("Hüft", "ABCDEF")),
        ([b"A\x00\x00\x00", b"B\tC\n"], ("A", "B C")),
        (["머리".encode(), "왼손".encode()], ("머리", "왼손")),
    ],
    ids=str,
)
def test_labels_in_any_encoding_are_text(stored: list[bytes], read: tuple[str, ...], tmp_path: Path) -> None:
    take = read_bytes(tmp_path, C3D(figure()[:, :2], stored).bytes())
    assert take.labels == read
    for label in take.labels:
        label.encode()


def test_labels_beyond_255_and_many_that_repeat(tmp_path: Path) -> None:
    labels = [f"M{number}" for number in range(300)]
    points = np.repeat(figure()[:, :1], 300, axis=1)
    file = C3D(points, labels[:255], parameters={"POINT": {"LABELS2": labels[255:]}})
    assert read_bytes(tmp_path, file.bytes()).labels == tuple(labels)
    points = np.repeat(figure(1)[:, :1], 20_000, axis=1)
    parts = {f"LABELS{part}": ["A"] * 250 for part in range(2, 81)}
    many = read_bytes(tmp_path, C3D(points, ["A"] * 250, parameters={"POINT": parts}).bytes())
    assert len(set(many.labels)) == 20_000


@pytest.mark.parametrize("rate", [0.0, -5.0, np.nan, np.inf, 1e6])
def test_a_rate_that_cannot_be_is_named(rate: float, tmp_path: Path) -> None:
    with pytest.raises(BonesetterError, match=r"which cannot be true: set POINT:RATE"):
        read_bytes(tmp_path, C3D(rate=rate).bytes())


def test_rates_that_differ_are_said(tmp_path: Path) -> None:
    take = read_bytes(tmp_path, C3D(header={"rate": 50.0}).bytes())
    assert take.rate_hz == 100.0
    assert [each.text for each in take.findings] == ["POINT:RATE says 100 Hz, the header 50 Hz: 100 Hz is taken."]


@pytest.mark.parametrize(("unit", "metres"), [("mete", 1.0), ("METE", 1.0), ("cent", 0.01), ("mill", 0.001), ("Meters", 1.0)])
def test_units_that_were_cut_off(unit: str, metres: float, tmp_path: Path) -> None:
    take = read_bytes(tmp_path, C3D(figure() / 1000 / metres, parameters={"POINT": {"UNITS": unit}}).bytes())
    np.testing.assert_allclose(take.positions, figure() / 1000, rtol=1e-5)
    assert take.findings == ()


@pytest.mark.parametrize(("said", "meant"), list(itertools.permutations(["mm", "cm", "m"], 2)))
def test_a_unit_that_makes_a_giant_or_a_dwarf_is_put_right(said: str, meant: str, tmp_path: Path) -> None:
    factor = {"mm": 1.0, "cm": 0.1, "m": 0.001}[meant]
    take = read_bytes(tmp_path, C3D(figure() * factor, parameters={"POINT": {"UNITS": said}}).bytes())
    np.testing.assert_allclose(take.positions, figure() / 1000, rtol=1e-5)
    assert len(take.findings) == 1
    assert f"its unit is {said}," in take.findings[0].text
    assert f"{meant} is assumed" in take.findings[0].text


def test_a_face_is_no_dwarf(tmp_path: Path) -> None:
    """Without known labels a figure of 20 cm may be a face or a hand: its unit is believed."""
    take = read_bytes(tmp_path, C3D(figure() * 0.1, ["A", "B", "C", "D"]).bytes())
    assert take.findings == ()
    np.testing.assert_allclose(take.positions, figure() / 10_000, rtol=1e-5)


def test_samples_that_are_all_invalid_are_said(tmp_path: Path) -> None:
    with pytest.raises(BonesetterError, match="marks all of its samples as invalid"):
        read_bytes(tmp_path, C3D(quality=np.full((3, 4), -1)).bytes())


def test_samples_from_another_planet_are_left_out(tmp_path: Path) -> None:
    points = figure(30)
    points[2, 1], points[3, 0, 2], points[4, 0] = 1e30, np.nan, -1e12
    take = read_bytes(tmp_path, C3D(points).bytes())
    assert sorted(zip(*np.nonzero(~take.present), strict=True)) == [(2, 1), (3, 0), (4, 0)]
    assert "2 samples are more than 10 km away" in take.findings[0].text
