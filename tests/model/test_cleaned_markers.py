# SPDX-License-Identifier: GPL-3.0-or-later
"""Cleaned markers written as C3D, into a copy of the file that they come from or a new one, and as TRC."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import ezc3d
import numpy as np
import pytest

from model.core.errors import BonesetterError
from model.core.take import Axis, CleanTake, Take
from model.files.c3d import read_c3d
from model.files.c3d_copy import write_cleaned_c3d
from model.files.c3d_writer import write_c3d
from model.files.output import WRITERS, write_outputs
from model.files.readers import read_take
from model.files.trc import write_trc
from model.result.solution import Solution

from .c3d_bytes import C3D, DEC, INTEL, LABELS, MIPS, figure
from .text_files import y_up

Solve = Callable[[Axis], Solution]
#: Frames of the small files; in the second a marker's sample is missing, in the third one is filled, in the fourth one is relabelled.
FRAMES = 5


@pytest.fixture
def cleaned(solved: Solve) -> Callable[[Take], Solution]:
    """A solution of a take, in whose frame 1 LFHD is missing, in 2 it was filled, and in 3 it was the unlabelled point."""

    def make(take: Take) -> Solution:
        markers = [index for index, label in enumerate(take.labels) if label.rpartition(":")[2] in LABELS]
        known = take.only(markers, LABELS)
        known.positions[3, 0] = take.positions[3, take.labels.index("*4")]
        known.residuals[3, 0] = 0.004
        positions, trusted = known.positions.copy(), known.present
        positions[1, 0] = np.nan
        positions[2, 0] = positions[0, 0] + 0.0161
        trusted[1, 0] = trusted[2, 0] = False
        return replace(solved("Z"), clean=CleanTake(known, positions, trusted))

    return make


def source(**fields: Any) -> C3D:
    """A file of four labelled points and one that has no label, with analog data, events and parameters of its own."""
    points = np.concatenate([figure(FRAMES), figure(FRAMES)[:, :1] + [3.0, 2.0, 1.0]], axis=1)
    quality = np.full(points.shape[:2], 2 * 256 + 7.0)
    own = {
        "ANALOG": {"USED": 3, "RATE": 100.0, "LABELS": ["Fx", "Fy", "Fz"]},
        "EVENT": {"USED": 1, "LABELS": ["Foot Strike"], "TIMES": np.array([[0.0, 0.02]])},
        "SUBJECTS": {"NAMES": ["Actor"]},
    }
    labels = [*(f"Actor:{label}" for label in LABELS), ""]
    usual: dict[str, Any] = {"labels": labels, "quality": quality, "analog": np.arange(3.0 * FRAMES).reshape(FRAMES, 3), "parameters": own}
    return C3D(points, **{**usual, **fields})


@pytest.mark.parametrize(("processor", "scale"), list(itertools.product((INTEL, DEC, MIPS), (-0.1, 0.1))))
def test_a_copy_has_the_cleaned_samples_and_all_else_of_its_source(
    processor: int, scale: float, cleaned: Callable[[Take], Solution], tmp_path: Path
) -> None:
    original, copy = tmp_path / "a.c3d", tmp_path / "out.c3d"
    original.write_bytes(source(processor=processor, scale=scale).bytes())
    solution = cleaned(read_take(original))
    write_cleaned_c3d(solution, copy)
    before, after = read_c3d(original), read_c3d(copy)
    assert (after.labels, after.rate_hz, after.first_frame) == (before.labels, before.rate_hz, before.first_frame)
    np.testing.assert_allclose(after.positions[:, :4], solution.clean.positions, atol=6e-5)
    np.testing.assert_array_equal(after.present[:, 4], [True, True, True, False, True])
    expected = np.full((FRAMES, 5), 0.0002)
    expected[[1, 2, 3], 0], expected[3, 4] = (0.0, 0.0, 0.004), 0.0
    np.testing.assert_allclose(after.residuals, expected, atol=1e-7)
    old, new = original.read_bytes(), copy.read_bytes()
    words = 4 if scale < 0 else 2
    changed = {place // words for place, (a, b) in enumerate(zip(old, new, strict=True)) if a != b}
    assert len(changed) <= 4 * 4, "more than the four samples that changed"


def test_a_copy_is_what_ezc3d_reads_with_its_analog_data_and_events(cleaned: Callable[[Take], Solution], tmp_path: Path) -> None:
    original, copy = tmp_path / "a.c3d", tmp_path / "out.c3d"
    content = ezc3d.c3d()
    points = source().points
    content["data"]["points"] = np.concatenate([points.transpose(2, 1, 0), np.ones((1, 5, FRAMES))])
    content["data"]["analogs"] = np.arange(3.0 * 2 * FRAMES).reshape(1, 3, 2 * FRAMES)
    content.add_parameter("POINT", "UNITS", ["mm"])
    content.add_parameter("POINT", "RATE", [100.0])
    content.add_parameter("POINT", "LABELS", [*(f"Actor:{label}" for label in LABELS), "*4"])
    content.add_parameter("ANALOG", "RATE", [200.0])
    content.add_parameter("ANALOG", "LABELS", ["Fx", "Fy", "Fz"])
    content.add_parameter("EVENT", "LABELS", ["Foot Strike"])
    content.add_parameter("EVENT", "TIMES", [[0.0], [0.02]])
    content.add_parameter("SUBJECTS", "NAMES", ["Actor"])
    content.write(str(original))
    write_cleaned_c3d(cleaned(read_take(original)), copy)
    before, after = ezc3d.c3d(str(original)), ezc3d.c3d(str(copy))
    np.testing.assert_array_equal(after["data"]["analogs"], before["data"]["analogs"])
    for group, name in (("EVENT", "LABELS"), ("EVENT", "TIMES"), ("SUBJECTS", "NAMES"), ("POINT", "LABELS"), ("ANALOG", "LABELS")):
        np.testing.assert_array_equal(after["parameters"][group][name]["value"], before["parameters"][group][name]["value"])
    residuals = after["data"]["meta_points"]["residuals"][0]
    assert residuals[0, 1] == residuals[4, 3] == -1.0
    assert residuals[0, 2] == 0.0
    assert after["data"]["points"][0, 0, 2] == pytest.approx(before["data"]["points"][0, 0, 0] + 16.1, abs=1e-3)


def test_what_no_integer_of_the_file_can_hold_is_missing(cleaned: Callable[[Take], Solution], tmp_path: Path) -> None:
    original, copy = tmp_path / "a.c3d", tmp_path / "out.c3d"
    original.write_bytes(source(scale=0.1).bytes())
    solution = cleaned(read_take(original))
    solution.clean.positions[4, 2] = 5.0, 0.0, 0.0
    write_cleaned_c3d(solution, copy)
    assert not read_c3d(copy).present[4, 2]


def test_longer_takes_than_a_header_counts_are_copied(cleaned: Callable[[Take], Solution], tmp_path: Path) -> None:
    original, copy = tmp_path / "a.c3d", tmp_path / "out.c3d"
    points = np.repeat(source().points[:1], 70_000, axis=0)
    counted = {"POINT": {"LONG_FRAMES": 70_000.0}}
    file = source()
    original.write_bytes(C3D(points, labels=file.labels, parameters=counted, header={"last": 65_535}).bytes())
    solution = cleaned(read_take(original))
    write_cleaned_c3d(solution, copy)
    np.testing.assert_allclose(read_c3d(copy).positions[:, :4], solution.clean.positions, atol=1e-6)


def test_a_take_of_another_format_makes_a_new_c3d(solved: Solve, tmp_path: Path) -> None:
    solution = solved("Y")
    clean = solution.clean
    write_cleaned_c3d(
        replace(solution, clean=replace(clean, take=replace(clean.take, source=tmp_path / "a.trc", first_frame=0))), tmp_path / "b.c3d"
    )
    content = ezc3d.c3d(str(tmp_path / "b.c3d"))
    points = content["data"]["points"][:3].transpose(2, 1, 0) / 1000
    np.testing.assert_allclose(points[clean.trusted], clean.positions[clean.trusted], atol=1e-6)
    missing = ~np.isfinite(clean.positions).all(axis=-1)
    np.testing.assert_array_equal(content["data"]["meta_points"]["residuals"][0].T == -1.0, missing)
    assert (content["parameters"]["POINT"]["UNITS"]["value"], content["parameters"]["POINT"]["Y_SCREEN"]["value"]) == (["mm"], ["+Y"])
    read = read_c3d(tmp_path / "b.c3d")
    assert (read.labels, read.up_axis, read.first_frame) == (clean.take.labels, "Y", 1)


def test_a_source_that_no_longer_fits_is_not_copied(cleaned: Callable[[Take], Solution], tmp_path: Path) -> None:
    original, copy = tmp_path / "a.c3d", tmp_path / "out.c3d"
    original.write_bytes(source().bytes())
    solution = cleaned(read_take(original))
    original.unlink()
    write_cleaned_c3d(solution, copy)
    assert read_c3d(copy).labels == LABELS
    original.write_bytes(source(labels=["A", "B", "C", "D", ""]).bytes())
    write_cleaned_c3d(solution, copy)
    assert read_c3d(copy).labels == LABELS


def test_a_source_that_cannot_be_read_any_more_is_said(cleaned: Callable[[Take], Solution], tmp_path: Path) -> None:
    original, copy = tmp_path / "a.c3d", tmp_path / "out.c3d"
    original.write_bytes(source().bytes())
    solution = cleaned(read_take(original))
    original.write_bytes(original.read_bytes()[:1100])
    with pytest.raises(BonesetterError, match=r"a\.c3d"):
        write_cleaned_c3d(solution, copy)
    assert not copy.exists()


def test_a_new_c3d_without_ezc3d_says_what_to_install(solved: Solve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ezc3d", None)
    with pytest.raises(BonesetterError, match="needs ezc3d: install it"):
        write_c3d(solved("Z").clean.take, tmp_path / "a.c3d")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("up_axis", ["Y", "Z"])
def test_trc_has_the_cleaned_markers_y_up(up_axis: Axis, solved: Solve, tmp_path: Path) -> None:
    solution = solved(up_axis)
    clean = solution.clean
    clean.positions[4, -1] = np.nan
    write_trc(solution, tmp_path / "a.trc")
    lines = (tmp_path / "a.trc").read_text().split("\n")
    said = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=True))
    count, frames = len(clean.take.labels), clean.take.frames
    assert (said["DataRate"], said["NumFrames"], said["NumMarkers"], said["Units"]) == ("120", str(frames), str(count), "mm")
    assert [cell for cell in lines[3].split("\t") if cell] == ["Frame#", "Time", *clean.take.labels]
    assert lines[4].split("\t")[2:5] == ["X1", "Y1", "Z1"]
    assert (lines[5], lines[-1]) == ("", "")
    rows = [line.split("\t") for line in lines[6:-1]]
    # OpenSim takes what stands before each tab for a cell
    assert {len(row) for row in rows} == {2 + 3 * count + 1}
    assert {row[-1] for row in rows} == {""}
    places = np.array([[float(cell or "nan") for cell in row[2:-1]] for row in rows]).reshape(frames, count, 3)
    expected = clean.positions * 1000 if up_axis == "Y" else y_up(clean.positions) * 1000
    np.testing.assert_allclose(places, expected, atol=1e-4)
    assert float(rows[-1][1]) == pytest.approx((frames - 1) / 120, abs=1e-5)


def test_trc_comes_back_as_it_was_written(solved: Solve, tmp_path: Path) -> None:
    solution = solved("Y")
    write_trc(solution, tmp_path / "a.trc")
    take = read_take(tmp_path / "a.trc")
    assert (take.labels, take.rate_hz, take.up_axis, take.findings) == (solution.clean.take.labels, 120.0, "Y", ())
    np.testing.assert_allclose(take.positions, solution.clean.positions, atol=1e-7)


@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_writes_a_file_of_its_name_or_nothing(name: str, solved: Solve, tmp_path: Path) -> None:
    write_outputs(solved("Z"), {name: tmp_path / f"a.{name}"})
    assert [path.name for path in tmp_path.iterdir()] == [f"a.{name}"]
    (tmp_path / "folder").mkdir()
    with pytest.raises(BonesetterError, match="cannot be written"):
        write_outputs(solved("Z"), {name: tmp_path / "folder"})
