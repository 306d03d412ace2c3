# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of markers other than C3D, read and written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import ezc3d
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.core.settings import Settings
from model.core.take import BonesetterError, Take
from model.engine.pipeline import solve_take
from model.files.c3d import read_c3d
from model.files.c3d_clean import write_clean_c3d
from model.files.c3d_writer import write_c3d
from model.files.readers import FORMATS, read_take
from model.files.trc import write_trc
from model.result.solution import Solution
from model.shell.cli import main
from model.synthetic.synthesis import synthesise

from .c3d_bytes import C3D, DEC, INTEL, MIPS

LABELS = ("LFHD", "RFHD", "C7", "LTOE", "RTOE")


def standing(frames: int = 6) -> np.ndarray:
    """(frames, labels, 3) in metres, y up, with a hole."""
    places = np.array([[0.1, 1.7, 0.0], [-0.1, 1.7, 0.0], [0.0, 1.5, -0.1], [0.1, 0.02, 0.1], [-0.1, 0.02, 0.1]])
    positions = places + np.linspace(0.0, 0.3, frames)[:, None, None] * np.array([1.0, 0.0, 0.0])
    positions[2, 1] = np.nan
    return positions


def cells(values: np.ndarray, missing: str = "") -> list[str]:
    return [missing if np.isnan(value) else f"{value:.6f}" for value in values.ravel()]


def trc(positions: np.ndarray, labels: tuple[str, ...] = LABELS, unit: str = "mm", rate: str = "100", first: int = 1) -> str:
    scale = {"mm": 1000.0, "m": 1.0, "cm": 100.0, "": 1000.0}[unit]
    count = len(positions)
    lines = [
        "PathFileType\t4\t(X/Y/Z)\tC:\\Übung\\walk.trc",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        f"{rate}\t{rate}\t{count}\t{len(labels)}\t{unit}\t{rate}\t1\t{count}",
        "Frame#\tTime\t" + "\t\t\t".join(labels) + "\t\t",
        "\t\t" + "\t".join(f"{axis}{marker + 1}" for marker in range(len(labels)) for axis in "XYZ"),
        "",
    ]
    lines += ["\t".join([f"{first + frame}", f"{frame / 100:.3f}", *cells(row * scale)]) for frame, row in enumerate(positions)]
    return "\r\n".join(lines) + "\r\n"


def motive(positions: np.ndarray, labels: tuple[str, ...] = LABELS, kinds: dict[str, str] | None = None, space: str = "Global") -> str:
    """As Motive 2 has it: a rigid body before the markers, and one without a label behind them."""
    given = {"Format Version": "1.23", "Take Name": "walk, 2", "Capture Frame Rate": "100.000000", "Export Frame Rate": "100.000000"}
    given |= {"Rotation Type": "Quaternion", "Length Units": "Meters", "Coordinate Space": space}
    kinds = kinds or {}
    body = 8
    rows = [[f'"{part}"' if "," in part else part for pair in given.items() for part in pair], []]
    markers = [*labels, "Unlabeled 1234"]
    rows.append(["", "Type", *["Rigid Body"] * body, *[kinds.get(label, "Marker") for label in markers for _ in "XYZ"]])
    rows.append(["", "Name", *["Board"] * body, *[f"Skeleton:{label}" if label in labels else label for label in markers for _ in "XYZ"]])
    rows.append(["", "ID", *["1"] * body, *["2"] * (3 * len(markers))])
    rows.append(["", "", *["Rotation"] * 4, *["Position"] * 3, "Mean Marker Error", *["Position"] * (3 * len(markers))])
    rows.append(["Frame", "Time (Seconds)", *"XYZWXYZ", "", *["X", "Y", "Z"] * len(markers)])
    lone = np.full((len(positions), 1, 3), np.nan)
    lone[:2] = 3.0
    for frame, row in enumerate(np.concatenate([positions, lone], axis=1)):
        rows.append([str(frame), f"{frame / 100:.6f}", *["0.5"] * body, *cells(row)])
    return "\ufeff" + "\n".join(",".join(row) for row in rows) + "\n"


def qualisys(positions: np.ndarray, labels: tuple[str, ...] = LABELS, titles: bool = False, numbered: bool = True, **header: str) -> str:
    """Z up, in mm."""
    given = {"NO_OF_FRAMES": str(len(positions)), "NO_OF_CAMERAS": "8", "NO_OF_MARKERS": str(len(labels)), "FREQUENCY": "100"}
    given |= {"DESCRIPTION": "--", "DATA_INCLUDED": "3D"} | header
    lines = [f"{name}\t{value}" for name, value in given.items()] + ["MARKER_NAMES\t" + "\t".join(labels)]
    if titles:
        lines.append("\t".join([*(["Frame", "Time"] if numbered else []), *(f"{label} {axis}" for label in labels for axis in "XYZ")]))
    upright = np.stack([positions[..., 0], -positions[..., 2], positions[..., 1]], axis=-1)
    for frame, row in enumerate(upright):
        lines.append("\t".join([*([str(frame + 1), f"{frame / 100:.5f}"] if numbered else []), *cells(row * 1000, "0.000")]))
    return "\n".join(lines) + "\n"


def read(tmp_path: Path, name: str, text: str) -> Take:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8", newline="")
    return read_take(path)


@pytest.mark.parametrize("unit", ["mm", "m", "cm", ""])
def test_trc(tmp_path: Path, unit: str) -> None:
    take = read(tmp_path, "wälk 1.TRC", trc(standing(), unit=unit, first=11))
    assert (take.name, take.labels, take.rate_hz, take.first_frame, take.up_axis) == ("wälk 1", LABELS, 100.0, 11, "Y")
    np.testing.assert_allclose(take.positions, standing(), atol=1e-6)
    assert [finding.kind for finding in take.findings] == ([] if unit else ["file"])


def test_trc_of_other_writers(tmp_path: Path) -> None:
    """Trailing tabs trimmed, no empty line before the frames, NaN for what is missing, a hole in the numbers, no rate in the header."""
    lines = trc(standing(), rate="").replace("\r\n", "\n").split("\n")
    lines[6] = lines[6].rstrip("\t")
    lines[8] = lines[8].replace("\t\t\t", "\tNaN\tnan\t")
    del lines[9], lines[5]
    take = read(tmp_path, "a.trc", "\n".join(lines))
    assert take.rate_hz == pytest.approx(100.0)
    assert take.frames == 6
    assert np.isnan(take.positions[3]).all()
    np.testing.assert_allclose(take.positions[[0, 1, 2, 4, 5]], standing()[[0, 1, 2, 4, 5]], atol=1e-6)


def test_csv_of_motive(tmp_path: Path) -> None:
    take = read(tmp_path, "take.csv", motive(standing()))
    assert take.labels == (*(f"Skeleton:{label}" for label in LABELS), "Unlabeled 1234")
    assert (take.rate_hz, take.first_frame, take.up_axis, take.findings) == (100.0, 0, "Y", ())
    np.testing.assert_allclose(take.positions[:, :5], standing(), atol=1e-6)
    assert np.isfinite(take.positions[:2, 5]).all()
    assert np.isnan(take.positions[2:, 5]).all()


def test_what_motive_computed_is_left_out(tmp_path: Path) -> None:
    kinds = {"LTOE": "Bone Marker", "RTOE": "Rigid Body Marker"}
    take = read(tmp_path, "take.csv", motive(standing(), kinds=kinds))
    assert "Skeleton:LTOE" not in take.labels
    (finding,) = take.findings
    assert finding.labels == ("Skeleton:LTOE", "Skeleton:RTOE")
    every: dict[str, str] = dict.fromkeys((*LABELS, "Unlabeled 1234"), "Bone Marker")
    assert len(read(tmp_path, "bones.csv", motive(standing(), kinds=every)).labels) == 6


def test_csv_of_motive_in_local_coordinates_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BonesetterError, match="local coordinates: export it in global ones"):
        read(tmp_path, "take.csv", motive(standing(), space="Local"))


@pytest.mark.parametrize("titles", [False, True])
@pytest.mark.parametrize("numbered", [False, True])
def test_tsv_of_qualisys(tmp_path: Path, titles: bool, numbered: bool) -> None:
    take = read(tmp_path, "walk.tsv", qualisys(standing(), titles=titles, numbered=numbered))
    assert (take.labels, take.rate_hz, take.first_frame, take.up_axis, take.findings) == (LABELS, 100.0, 1, "Z", ())
    np.testing.assert_allclose(take.positions[..., 2], standing()[..., 1], atol=1e-6)


def test_virtual_trajectories_are_left_out(tmp_path: Path) -> None:
    kinds = "\t".join(["Measured", "Mixed", "Gap-filled", "Measured", "Virtual"])
    take = read(tmp_path, "walk.tsv", qualisys(standing(), TRAJECTORY_TYPES=kinds))
    assert take.labels == LABELS[:-1]
    assert take.findings[0].labels == ("RTOE",)


def test_rigid_bodies_of_qualisys_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BonesetterError, match=r"rigid bodies \(6D\)"):
        read(tmp_path, "walk.tsv", qualisys(standing(), DATA_INCLUDED="6D"))


def test_text_is_told_by_how_it_begins(tmp_path: Path) -> None:
    assert read(tmp_path, "a.csv", qualisys(standing())).up_axis == "Z"
    assert read(tmp_path, "a.txt", trc(standing())).labels == LABELS
    with pytest.raises(BonesetterError, match="not a CSV file of Motive"):
        read(tmp_path, "b.csv", "x,y,z\n1,2,3\n")
    with pytest.raises(BonesetterError, match=r"no format that is read: choose one of C3D \(\.c3d\), TRC \(\.trc\)"):
        read(tmp_path, "a.fbx", "Kaydara")
    for name in ("gone.trc", "gone.csv", "gone.c3d"):
        with pytest.raises(BonesetterError, match="cannot be read"):
            read_take(tmp_path / name)


TEXTS: dict[str, Callable[[np.ndarray], str]] = {"a.trc": trc, "a.csv": motive, "a.tsv": qualisys}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("part", [0.0, 0.02, 0.2, 0.5])
def test_a_file_that_is_cut_off(tmp_path: Path, name: str, part: float) -> None:
    text = TEXTS[name](standing())
    try:
        take = read(tmp_path, name, text[: round(part * len(text))])
    except BonesetterError as error:
        assert name in str(error)
    else:
        assert 0 < take.frames < 6


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(name=st.sampled_from(sorted(TEXTS)), data=st.data())
def test_a_damaged_file_is_a_take_or_a_sentence(tmp_path: Path, name: str, data: st.DataObject) -> None:
    text = TEXTS[name](standing())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        inside = data.draw(st.sampled_from(["", "\t", ",", "\n", "9" * 400, "-1e308", "nan", "ü", '"', "\x00", "Frame", "1e999"]))
        text = text[:at] + inside + text[at + data.draw(st.integers(0, 5)) :]
    try:
        take = read(tmp_path, name, text)
    except BonesetterError as error:
        assert str(error).endswith(".")
    else:
        assert take.positions.shape == (take.frames, len(take.labels), 3)
        assert len(set(take.labels)) == len(take.labels)


def test_a_header_cannot_ask_for_memory(tmp_path: Path) -> None:
    """Many labels above many rows that are all but empty, and a frame number that is far away."""
    labels = tuple(f"M{number}" for number in range(20_000))
    rows = "\n".join(f"{frame}\t0" for frame in range(20_000))
    head = "\n".join(trc(np.zeros((0, 1, 3)), ("A",)).replace("\r", "").split("\n")[:3])
    with pytest.raises(BonesetterError, match="rows are shorter than its header says"):
        read(tmp_path, "a.trc", head + "\nFrame#\tTime\t" + "\t\t\t".join(labels) + "\n\t\tX1\n" + rows)
    lines = trc(standing()).replace("\r", "").rstrip().split("\n")
    lines[-1] = lines[-1].replace("6\t", "999999999\t", 1)
    assert read(tmp_path, "b.trc", "\n".join(lines)).frames == 6


@pytest.fixture(scope="module")
def solution() -> Solution:
    """Of a take with noise and gaps."""
    return solve_take(synthesise(seconds=1.5, seed=3).take, Settings())


def test_written_trc(solution: Solution, tmp_path: Path) -> None:
    """By an independent parse, as OpenSim's reader takes it, and by our own reader."""
    write_trc(solution, tmp_path / "a.trc")
    lines = (tmp_path / "a.trc").read_text().split("\n")
    header = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=True))
    count, markers = int(header["NumFrames"]), int(header["NumMarkers"])
    assert (count, markers, header["Units"]) == (solution.clean.take.frames, len(solution.clean.take.labels), "mm")
    assert lines[3].split("\t")[2::3] == list(solution.clean.take.labels)
    assert len(lines[4].split("\t")) == 2 + 3 * markers
    assert lines[5] == ""
    rows = [line.split("\t") for line in lines[6 : 6 + count]]
    assert all(len(row) == 2 + 3 * markers for row in rows)
    heights = np.array([[float(cell or "nan") for cell in row[3::3]] for row in rows]) / 1000
    np.testing.assert_allclose(heights, solution.clean.positions[..., 2], atol=1e-7)
    again = read_take(tmp_path / "a.trc")
    assert again.up_axis == "Y"
    np.testing.assert_array_equal(np.isnan(again.positions), np.isnan(solution.clean.positions))


def source_c3d(path: Path) -> Take:
    """A take in a C3D with analog data, an event and a point of its own that is nobody's marker."""
    made = synthesise(seconds=1.5, seed=3).take
    write_c3d(made, path)
    content = ezc3d.c3d(str(path))
    points = content["data"]["points"]
    content["data"]["points"] = np.concatenate([points, np.ones((4, 1, points.shape[2]))], axis=1)
    for name, values in content["data"]["meta_points"].items():
        content["data"]["meta_points"][name] = np.concatenate([values, np.zeros_like(values[:, -1:])], axis=1)
    content["parameters"]["POINT"]["LABELS"]["value"] = [*content["parameters"]["POINT"]["LABELS"]["value"], "Wand"]
    content["parameters"]["POINT"]["DESCRIPTIONS"]["value"] = [""] * (len(made.labels) + 1)
    content.add_parameter("ANALOG", "LABELS", ["Fz", "EMG"])
    content.add_parameter("ANALOG", "RATE", [made.rate_hz * 2])
    content.add_parameter("EVENT", "USED", [1])
    content.add_parameter("EVENT", "CONTEXTS", ["Left"])
    random = np.random.default_rng(0)
    content["data"]["analogs"] = random.integers(-500, 500, (1, 2, 2 * made.frames)).astype(float)
    content.write(str(path))
    return read_c3d(path)


def test_cleaned_c3d_keeps_all_else(tmp_path: Path) -> None:
    take = source_c3d(tmp_path / "raw.c3d")
    solution = solve_take(take, Settings())
    write_clean_c3d(solution, tmp_path / "clean.c3d")
    before, after = ezc3d.c3d(str(tmp_path / "raw.c3d")), ezc3d.c3d(str(tmp_path / "clean.c3d"))
    np.testing.assert_array_equal(before["data"]["analogs"], after["data"]["analogs"])
    assert after["parameters"]["EVENT"]["CONTEXTS"]["value"] == ["Left"]
    assert after["parameters"]["POINT"]["LABELS"]["value"] == before["parameters"]["POINT"]["LABELS"]["value"]
    wand = after["parameters"]["POINT"]["LABELS"]["value"].index("Wand")
    np.testing.assert_array_equal(before["data"]["points"][:, wand], after["data"]["points"][:, wand])
    again = read_c3d(tmp_path / "clean.c3d")
    rows = [again.labels.index(label) for label in solution.clean.take.labels]
    np.testing.assert_allclose(again.positions[:, rows], solution.clean.positions, atol=1e-6)
    # what was trusted is what it was, to the bit
    trusted = solution.clean.trusted & (solution.clean.take.positions == take.positions[:, rows]).all(axis=-1)
    assert trusted.mean() > 0.8
    np.testing.assert_array_equal(again.positions[:, rows][trusted], take.positions[:, rows][trusted])
    assert (~trusted & np.isfinite(again.positions[:, rows, 0])).any(), "nothing was filled"


@pytest.mark.parametrize("processor", [INTEL, DEC, MIPS])
@pytest.mark.parametrize("scale", [-1.0, 0.1])
def test_cleaned_c3d_of_every_kind(tmp_path: Path, processor: int, scale: float) -> None:
    """Of every processor, of floats and of integers, whose analog words stay where they are."""
    made = synthesise(seconds=1.0, seed=5).take
    missing = ~made.present
    points = np.where(missing[..., None], 0.0, made.positions * 1000)
    analog = np.arange(3 * made.frames).reshape(made.frames, 3).astype(float)
    quality = np.where(missing, -1.0, 256.0)
    file = C3D(points, made.labels, quality, analog, scale=scale, processor=processor, rate=made.rate_hz)
    (tmp_path / "raw.c3d").write_bytes(file.bytes())
    take = read_c3d(tmp_path / "raw.c3d")
    solution = solve_take(take, Settings())
    write_clean_c3d(solution, tmp_path / "clean.c3d")
    again = read_c3d(tmp_path / "clean.c3d")
    rows = [again.labels.index(name) for name in solution.clean.take.in_file]
    np.testing.assert_allclose(again.positions[:, rows], solution.clean.positions, atol=1e-6 if scale < 0 else 1e-4)
    written, raw = ((tmp_path / f"{name}.c3d").read_bytes() for name in ("clean", "raw"))
    assert len(written) == len(raw)
    words = 4 * len(made.labels) + 3
    size = 4 if scale < 0 else 2
    start = raw.index(file.samples()[: size * words])
    for frame in range(made.frames):
        behind = slice(start + size * (frame * words + words - 3), start + size * (frame + 1) * words)
        assert written[behind] == raw[behind]


def test_swapped_labels_are_swapped_back_in_the_file(tmp_path: Path) -> None:
    made = synthesise(seconds=3.0, seed=4).take
    a, b = (made.labels.index(label) for label in ("LFWT", "RFWT"))
    wrong = made.positions.copy()
    wrong[100:160, [a, b]] = wrong[100:160, [b, a]]
    write_c3d(replace(made, positions=wrong), tmp_path / "raw.c3d")
    solution = solve_take(read_c3d(tmp_path / "raw.c3d"), Settings())
    write_clean_c3d(solution, tmp_path / "clean.c3d")
    again = read_c3d(tmp_path / "clean.c3d")
    there = np.isfinite(again.positions[100:160, a, 0]) & np.isfinite(made.positions[100:160, a, 0])
    apart = np.linalg.norm(again.positions[100:160, a] - made.positions[100:160, a], axis=-1)[there]
    assert (apart < 0.02).mean() > 0.9


def test_a_take_of_another_format_gets_a_c3d_of_its_own(solution: Solution, tmp_path: Path) -> None:
    write_trc(solution, tmp_path / "a.trc")
    other = solve_take(read_take(tmp_path / "a.trc"), Settings())
    write_clean_c3d(other, tmp_path / "b.c3d")
    assert read_c3d(tmp_path / "b.c3d").labels == other.clean.take.labels


def test_the_command_reads_and_writes_them(solution: Solution, tmp_path: Path) -> None:
    write_trc(solution, tmp_path / "ein ü.trc")
    x, y, z = np.moveaxis(solution.clean.positions, -1, 0)
    (tmp_path / "b.csv").write_text(motive(np.stack([x, z, -y], axis=-1), solution.clean.take.labels), encoding="utf-8")
    arguments = [str(tmp_path / "ein ü.trc"), str(tmp_path / "b.csv"), "--out", str(tmp_path / "out"), "--format", "bvh", "c3d", "trc"]
    assert main(["solve", *arguments]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        f"{stem}.{suffix}" for stem in ("ein ü", "b") for suffix in ("bvh", "c3d", "trc", "json")
    )


def test_every_format_has_a_reader() -> None:
    assert len({one.name for one in FORMATS}) == len(FORMATS)
