# SPDX-License-Identifier: GPL-3.0-or-later
"""Every quirk of C3D files that was met, each in a small file made for it: with ezc3d where it can write it, else byte by byte."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import ezc3d
import numpy as np
import pytest

from model.core.take import BonesetterError, Take
from model.files.c3d import read_c3d
from model.files.c3d_writer import write_c3d
from model.synthetic.synthesis import synthesise

from .c3d_bytes import C3D, DEC, INTEL, LABELS, MIPS, figure
from .damage import damaged, one_byte_changes

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
    assert read.findings == ()


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


def written(path: Path) -> bytes:
    write_c3d(synthesise(0.2).take, path)
    return path.read_bytes()


def test_a_folder_cannot_be_written_as_a_c3d(tmp_path):
    with pytest.raises(BonesetterError, match="cannot be written"):
        write_c3d(synthesise(0.1).take, tmp_path)


def read_bytes(tmp_path: Path, content: bytes, name: str = "a.c3d") -> Take:
    (tmp_path / name).write_bytes(content)
    return read_c3d(tmp_path / name)


@pytest.mark.parametrize("processor", [INTEL, DEC, MIPS])
@pytest.mark.parametrize("scale", [-1.0, 0.1])
@pytest.mark.parametrize("analog", [0, 7])
def test_every_processor_and_kind_of_number(processor: int, scale: float, analog: int, tmp_path: Path) -> None:
    quality = np.array([[0, 0x0305, -1, 0], [0x7F00, 0, 0, 0], [0, 0, 0, 0x01FF]])
    file = C3D(processor=processor, scale=scale, quality=quality, analog=np.full((3, analog), 5.0) if analog else None)
    file.parameters = {"ANALOG": {"USED": analog, "RATE": 100.0}}
    take = read_bytes(tmp_path, file.bytes())
    wanted = figure() / 1000
    wanted[0, 2] = np.nan
    np.testing.assert_allclose(take.positions, wanted, atol=1e-6)
    # the high byte is the residual, the low one the cameras'
    residuals = np.array([[0, 3, 0, 0], [127, 0, 0, 0], [0, 0, 0, 1]]) * abs(scale) / 1000
    np.testing.assert_allclose(take.residuals, residuals, rtol=1e-6)
    assert (take.labels, take.rate_hz, take.up_axis, take.findings) == (LABELS, 100.0, "Z", ())


@pytest.mark.parametrize(("processor", "scale"), list(itertools.product([INTEL, DEC], [-0.05, 0.1])))
def test_ezc3d_reads_the_same(processor: int, scale: float, tmp_path: Path) -> None:
    quality = np.random.default_rng(0).integers(0, 1 << 15, size=(3, 4))
    take = read_bytes(tmp_path, C3D(processor=processor, scale=scale, quality=quality).bytes())
    content = ezc3d.c3d(str(tmp_path / "a.c3d"))
    np.testing.assert_allclose(take.positions, content["data"]["points"][:3].transpose(2, 1, 0) / 1000, atol=1e-9)
    np.testing.assert_allclose(take.residuals, content["data"]["meta_points"]["residuals"][0].T / 1000, rtol=1e-6)


def test_ezc3d_reads_the_real_takes_the_same(takes_folder: Path) -> None:
    for path in sorted(takes_folder.glob("*/*.c3d")):
        take, content = read_c3d(path), ezc3d.c3d(str(path))
        names = [
            label.strip() for part in ("", "2") for label in content["parameters"]["POINT"].get(f"LABELS{part}", {"value": []})["value"]
        ]
        rows = [names.index(label) for label in take.labels if not label.startswith("*")]
        columns = [column for column, label in enumerate(take.labels) if not label.startswith("*")]
        unit = {"mm": 1e-3, "m": 1.0}[content["parameters"]["POINT"]["UNITS"]["value"][0]]
        residuals = content["data"]["meta_points"]["residuals"][0, rows].T
        points = np.swapaxes(content["data"]["points"][:3, rows], 0, 2) * unit
        missing = (residuals < 0) | ~np.isfinite(points).all(axis=-1) | (points == 0).all(axis=-1)
        points[missing], residuals[missing] = np.nan, 0.0
        np.testing.assert_array_equal(take.positions[:, columns], points)
        np.testing.assert_allclose(take.residuals[:, columns], residuals * unit, rtol=1e-6)
        assert (take.first_frame, take.rate_hz) == (
            content["header"]["points"]["first_frame"] + 1,
            content["header"]["points"]["frame_rate"],
        )


@pytest.mark.parametrize(
    "odd",
    [
        {"descriptions": False},
        {"groups_last": True},
        {"terminated": False},
        {"padding": 0},
        {"padding": 5000},
        {"parameters": {"TRIAL": {"ACTUAL_START_FIELD": np.array([[1, 0]]), "ACTUAL_END_FIELD": np.array([[3, 0]])}}},
        {"parameters": {"TRIAL": {"ACTUAL_START_FIELD": "one", "ACTUAL_END_FIELD": [np.nan]}}},
        {"parameters": {"POINT": {"LONG_FRAMES": "three"}}},
        {"parameters": {"POINT": {"LONG_FRAMES": [np.inf]}}},
        {"parameters": {"POINT": {"FRAMES": 60_000}}},
        {"parameters": {"POINT": {"LEGAL": (-1, (), b"x")}}},
        {"parameters": {"POINT": {"NOTHING": (-1, (0, 3), b""), "NONE": (4, (0,), b"")}}},
        {"parameters": {"POINT": {"USED": 3}}},
        {"header": {"points": 3}},
        {"header": {"analog": 6}},
        {"parameters": {"ANALOG": {"USED": 6, "RATE": 100.0}}},
        {"parameters": {"ANALOG": {"USED": 6, "RATE": 1e30}}},
        {"header": {"scale": 1.0}},
        {"parameters": {"POINT": {"SCALE": 0.1}}},
        {"header": {"block": 0}},
        {"header": {"rate": 0.0}},
        {"parameters": {"POINT": {"RATE": 0.0}}},
        {"parameters": {"POINT": {"RATE": np.nan}}},
        {"header": {"last": 60_000}, "parameters": {"TRIAL": {"ACTUAL_START_FIELD": [1.0], "ACTUAL_END_FIELD": [3.0]}}},
    ],
    ids=str,
)
@pytest.mark.parametrize("processor", [INTEL, MIPS])
def test_what_contradicts_itself_is_read_where_the_size_proves_it(odd: dict[str, Any], processor: int, tmp_path: Path) -> None:
    file = C3D(figure(40), processor=processor, **odd)
    if odd.get("parameters", {}).get("TRIAL") or "FRAMES" in str(odd):
        file.points = figure(3)
    if odd.get("header", {}).get("block") == 0:
        blocks = len(file.section()) // 512
        file.parameters = {"POINT": {"DATA_START": 2 + blocks}}
    take = read_bytes(tmp_path, file.bytes())
    np.testing.assert_allclose(take.positions, file.points / 1000, atol=1e-6)
    assert (take.labels, take.rate_hz) == (LABELS, 100.0)


def test_what_fits_no_size_says_what_contradicts(tmp_path: Path) -> None:
    file = C3D(figure(400), header={"points": 9}, parameters={"POINT": {"USED": 7}})
    with pytest.raises(BonesetterError, match=r"header says 9 points, POINT:USED 7; .*, and its size fits neither"):
        read_bytes(tmp_path, file.bytes())


@pytest.mark.parametrize("frames", [65_534, 65_535, 65_536, 70_000])
@pytest.mark.parametrize("counter", ["LONG_FRAMES", "TRIAL"])
def test_takes_longer_than_the_header_counts(frames: int, counter: str, tmp_path: Path) -> None:
    points = np.broadcast_to(figure(1)[:, :2], (frames, 2, 3)) + np.arange(frames)[:, None, None] * 1e-3
    end = np.array([frames & 0xFFFF, frames >> 16])
    parameters = {
        "LONG_FRAMES": {"POINT": {"LONG_FRAMES": [float(frames)]}},
        "TRIAL": {"TRIAL": {"ACTUAL_START_FIELD": np.array([1, 0]), "ACTUAL_END_FIELD": end}},
    }[counter]
    file = C3D(points, LABELS[:2], header={"last": min(frames, 65_535)}, parameters=parameters)
    assert read_bytes(tmp_path, file.bytes()).frames == frames


def test_a_longer_take_than_is_there_is_cut_off(tmp_path: Path) -> None:
    file = C3D(figure(50), parameters={"POINT": {"LONG_FRAMES": [70_000.0], "FRAMES": None}}, header={"last": 65_535}, padding=0)
    with pytest.raises(BonesetterError, match="is cut off: it holds 50 of its 65535 frames"):
        read_bytes(tmp_path, file.bytes())


def test_a_take_too_long_to_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BonesetterError, match="split it"):
        write_c3d(Take("long", ("A",), np.ones((65_536, 1, 3)), np.zeros((65_536, 1)), 100.0), tmp_path / "long.c3d")


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


def test_a_scale_of_nothing_is_refused(tmp_path: Path) -> None:
    file = C3D(scale=0.1, header={"scale": 0.0}, parameters={"POINT": {"SCALE": 0.0}})
    with pytest.raises(BonesetterError, match="set POINT:SCALE"):
        read_bytes(tmp_path, file.bytes())


def test_a_sound_file_is_read_with_numpy_alone(tmp_path: Path) -> None:
    """Blender's Python has nothing else, and ezc3d may crash."""
    (tmp_path / "a.c3d").write_bytes(C3D().bytes())
    script = (
        "import sys; from pathlib import Path; from model.files.c3d import read_c3d; read_c3d(Path(sys.argv[1]))\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'ezc3d', 'scipy', 'torch', 'roma'}))"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "a.c3d"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def outcome(tmp_path: Path, content: bytes) -> str:
    """What comes of a file: a take that holds together, or one sentence."""
    try:
        take = read_bytes(tmp_path, content)
    except BonesetterError as error:
        assert "\n" not in str(error)
        assert str(error).endswith(".")
        return "sentence"
    assert len(set(take.labels)) == take.positions.shape[1]
    assert take.positions.nbytes <= 6 * len(content) + 1000
    assert np.isfinite(take.residuals).all()
    return "take"


@pytest.mark.filterwarnings("error")
def test_any_byte_of_the_parameters_may_be_changed(tmp_path: Path) -> None:
    """A part of what `make fuzz` does."""
    whole = C3D(parameters={"TRIAL": {"ACTUAL_START_FIELD": np.array([1, 0])}}).bytes()
    outcomes = [outcome(tmp_path, content) for content in itertools.islice(one_byte_changes(whole), 0, None, 7)]
    assert {"take", "sentence"} == set(outcomes)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", range(300))
def test_damage_gives_a_take_or_one_sentence(seed: int, tmp_path: Path) -> None:
    random = np.random.default_rng(seed)
    file = C3D(figure(20), processor=int(random.choice([INTEL, DEC, MIPS])), scale=float(random.choice([-1.0, 0.1])))
    outcome(tmp_path, damaged(file.bytes(), random))


#: Of `../shared/cases`, what its README says of reading: the labels, or a part of the sentence.
CASES = {
    "trial_field_matrix_pig": 39,
    "bts_analog_only_in_header": 28,
    "point_used_not_header": 39,
    "all_residuals_minus1": "all of its samples as invalid",
    "mips_sgi_int": 36,
    "optitrack_arena_no_desc_length": 36,
    "unit_mete": 39,
    "crash_LEGAL_char_scalar": 41,
    "crash_param_becomes_group": "damaged",
    "hang_name_length": "damaged",
    "latin1_labels_blender_traceback": 41,
}


@pytest.mark.parametrize("name", CASES)
def test_cases_from_outside(name: str) -> None:
    path = Path(os.environ.get("BONESETTER_CASES") or ROOT.parent / "shared" / "cases") / f"{name}.c3d"
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    right = CASES[name]
    if isinstance(right, str):
        with pytest.raises(BonesetterError, match=right):
            read_c3d(path)
    else:
        take = read_c3d(path)
        assert len(take.labels) == right
        # a person, not scrambled numbers
        spans = np.nanmax(take.positions, axis=1) - np.nanmin(take.positions, axis=1)
        assert np.nanmax(np.linalg.norm(spans, axis=-1)) < 3.0
        assert all(label.isprintable() for label in take.labels)
