# SPDX-License-Identifier: GPL-3.0-or-later
"""TRC, Motive's CSV and QTM's TSV: files as the programs write them, odd ones, and damaged ones."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.core.errors import BonesetterError
from model.files import text_takes
from model.files.readers import READERS, read_take
from model.markers.matching import unlabelled

from .c3d_bytes import C3D, LABELS, figure
from .damage import damaged
from .text_files import motive, qualisys, trc, y_up

Write = Callable[[str, str | bytes], Path]
#: A whole file of each format.
SOUND = {"a.trc": trc(), "a.csv": motive(), "a.tsv": qualisys()}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.mark.parametrize("name", SOUND)
def test_a_format_is_read(name: str, write: Write) -> None:
    take = read_take(write(name, SOUND[name]))
    z_up = name.endswith("tsv")
    assert (take.name, take.labels[:4], take.rate_hz, take.up_axis) == ("a", LABELS, 100.0, "Z" if z_up else "Y")
    np.testing.assert_allclose(take.positions[:, :4], (figure(6) if z_up else y_up(figure(6))) / 1000, atol=1e-6)
    assert (take.residuals == 0).all()
    assert take.source == write(name, SOUND[name])
    assert not [finding for finding in take.findings if finding.kind == "file"]


def test_the_suffix_may_be_in_capitals(write: Write) -> None:
    assert read_take(write("A.C3D", C3D().bytes())).labels == LABELS
    assert read_take(write("A.TRC", trc())).labels == LABELS


def test_other_suffixes_are_refused_with_those_that_are_read(write: Write) -> None:
    with pytest.raises(BonesetterError) as raised:
        read_take(write("a.txt", "anything"))
    assert str(raised.value) == "a.txt is in no format that is read: choose a .c3d, .trc, .csv or .tsv file."
    assert all(suffix in str(raised.value) for suffix in READERS)


@pytest.mark.parametrize("name", ["a.trc", "a.csv", "a.tsv"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"PathFileType\0\0", "is no text"),
        (b"name,x,y,z\nLFHD,1,2,3\n", "is no"),
        (b'"' * 300_000, "is no"),
        (b"\n" * 5000 + b"1", "is no"),
    ],
)
def test_what_is_no_take_is_refused(name: str, content: bytes, said: str, write: Write) -> None:
    with pytest.raises(BonesetterError, match=said) as raised:
        read_take(write(name, content))
    assert str(raised.value).startswith(name)
    assert "\n" not in str(raised.value)


def test_a_csv_of_another_program_says_which_exports_are_read(write: Write) -> None:
    with pytest.raises(BonesetterError, match=r"no CSV that Motive exported.*as CSV, or from another program as C3D"):
        read_take(write("a.csv", qualisys()))
    with pytest.raises(BonesetterError, match=r"no TSV that QTM exported.*as TSV, or from another program as C3D"):
        read_take(write("a.tsv", motive()))


@pytest.mark.parametrize("name", SOUND)
def test_a_file_that_is_not_there_is_said(name: str, tmp_path: Path) -> None:
    with pytest.raises(BonesetterError, match=rf"cannot be read \(No such file or directory\): choose a \{name[1:]} file"):
        read_take(tmp_path / name)


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends_change_nothing(name: str, bom: bytes, end: str, write: Write) -> None:
    plain = read_take(write(name, SOUND[name]))
    take = read_take(write(name, bom + SOUND[name].replace("\n", end).encode()))
    np.testing.assert_array_equal(take.positions, plain.positions)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_lines_are_the_same_in_whatever_parts_a_file_is_looked_at(encoding, end, tmp_path, monkeypatch):
    monkeypatch.setattr(text_takes, "PART_BYTES", 3)
    path, lines = tmp_path / "a.txt", ["Aufnahme é", "", "ü\x0b1\u0085" if encoding.startswith("utf") else "ü", "last"]
    for written in (lines, [*lines, ""]):
        path.write_bytes(end.join(written).encode(encoding))
        read = text_takes.read_lines(path, "a file")
        assert list(read) == list(read) == written
        assert read.some(2, 1) == written[1:3]


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
def test_other_languages_survive(encoding: str, write: Write) -> None:
    labels = ("Tête_LFHD", "Tête_RFHD", "Zeh_LTOE", "Zeh_RTOE")
    assert read_take(write("a.trc", trc(labels=labels).encode(encoding))).labels == labels


@pytest.mark.parametrize("name", SOUND)
def test_a_missing_sample_is_empty_zero_or_no_number(name: str, write: Write) -> None:
    points = figure(6)
    for frame, marker in ((1, 0), (3, 3)):
        points[frame, marker] = np.nan
    make = {"a.trc": trc, "a.csv": motive, "a.tsv": qualisys}[name]
    for missing in ("", "0.000", "NULL", "nan"):
        take = read_take(write(name, make(points, missing=missing)))
        np.testing.assert_array_equal(take.present[:, :4], np.isfinite(points[..., 0]))


@pytest.mark.parametrize("name", SOUND)
def test_a_header_alone_holds_no_frames(name: str, write: Write) -> None:
    text = SOUND[name]
    with pytest.raises(BonesetterError, match="holds no frames"):
        read_take(write(name, "\n".join(text.split("\n")[: -1 - len(figure(6))]) + "\n"))


@pytest.mark.parametrize("name", SOUND)
def test_a_row_that_is_cut_off_is_said(name: str, write: Write) -> None:
    lines = SOUND[name].rstrip("\n").split("\n")
    cut = "\n".join(lines)[:-20]
    with pytest.raises(BonesetterError, match=f"cut off in line {len(lines)}: copy or export it again"):
        read_take(write(name, cut))
    delimiter = "," if name.endswith("csv") else "\t"
    lines[-2] = delimiter.join(lines[-2].split(delimiter)[:-4])
    with pytest.raises(BonesetterError, match=f"cut off in line {len(lines) - 1}"):
        read_take(write(name, "\n".join(lines) + "\n"))


@pytest.mark.parametrize("name", SOUND)
def test_words_and_too_many_columns_are_said_with_their_line(name: str, write: Write) -> None:
    lines = SOUND[name].rstrip("\n").split("\n")
    delimiter = "," if name.endswith("csv") else "\t"
    with pytest.raises(BonesetterError, match=f"more columns in line {len(lines)}"):
        read_take(write(name, "\n".join(lines) + f"{delimiter}1{delimiter}2{delimiter}3{delimiter}4\n"))
    cells = lines[-1].split(delimiter)
    with pytest.raises(BonesetterError, match=rf"'no place' in line {len(lines)}, which is no number"):
        read_take(write(name, "\n".join([*lines[:-1], delimiter.join([*cells[:-12], "no place", *cells[-11:]])]) + "\n"))


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("huge", ["1e400", "-inf", "1e300", "99999999999999999999"])
def test_huge_numbers_are_no_samples(name: str, huge: str, write: Write) -> None:
    lines = SOUND[name].rstrip("\n").split("\n")
    delimiter = "," if name.endswith("csv") else "\t"
    cells = lines[-1].split(delimiter)
    take = read_take(write(name, "\n".join([*lines[:-1], delimiter.join([*cells[:-12], huge, *cells[-11:]])]) + "\n"))
    assert take.present.sum() >= 4 * 6 - 2
    assert np.nanmax(np.abs(take.positions)) < 10.0
    assert "1 samples are more than 10 km away and are left out." in [finding.text for finding in take.findings]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [("a.trc", "\t6\t", "\t1000000000\t"), ("a.csv", "Frames,6", "Frames,1000000000"), ("a.tsv", "FRAMES\t6", "FRAMES\t1000000000")],
)
def test_what_a_header_claims_takes_no_memory(name: str, old: str, new: str, write: Write) -> None:
    assert old in SOUND[name]
    path = write(name, SOUND[name].replace(old, new))
    tracemalloc.start()
    try:
        take = read_take(path)
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()
    assert take.frames == 6
    assert [each.text for each in take.findings][-1:] == ["The header says 1000000000 frames, the file holds 6: it may be cut off."]


@pytest.mark.parametrize("name", ["a.trc", "a.csv"])
def test_frames_may_be_numbered_from_anywhere_and_left_out(name: str, write: Write) -> None:
    make = {"a.trc": trc, "a.csv": motive}[name]
    assert read_take(write(name, make(numbers=range(511, 517)))).first_frame == 511
    take = read_take(write(name, make(numbers=[5, 6, 7, 9, 10, 11])))
    assert (take.first_frame, take.frames, take.present[:, 0].tolist()) == (5, 7, [True] * 3 + [False] + [True] * 3)
    assert "The file leaves out 1 frames of 7: they are missing." in [finding.text for finding in take.findings]
    with pytest.raises(BonesetterError, match="rising order"):
        read_take(write(name, make(numbers=[1, 2, 3, 3, 4, 5])))
    with pytest.raises(BonesetterError, match="leaves out 99999994 frames"):
        read_take(write(name, make(numbers=[1, 2, 3, 4, 5, 100_000_000])))


@pytest.mark.parametrize(("unit", "scale"), [("mm", 1.0), ("cm", 0.1), ("m", 0.001), ("Meters", 0.001), ("", 0.001)])
def test_units_of_trc(unit: str, scale: float, write: Write) -> None:
    take = read_take(write("a.trc", trc(figure(6) * scale, unit=unit)))
    np.testing.assert_allclose(take.positions, y_up(figure(6)) / 1000, atol=1e-6)
    assert any("names no unit: m is assumed" in finding.text for finding in take.findings) == (unit == "")


def test_an_unknown_unit_or_rate_says_what_to_set(write: Write) -> None:
    with pytest.raises(BonesetterError, match="unknown unit 'furlong': set Units in it"):
        read_take(write("a.trc", trc(unit="furlong")))
    with pytest.raises(BonesetterError, match="set FREQUENCY in it"):
        read_take(write("a.tsv", qualisys(rate="none", lead=0)))


def test_a_figure_that_stands_is_up_whatever_the_format_says(write: Write) -> None:
    assert read_take(write("a.trc", trc(turn=lambda points: points))).up_axis == "Z"
    assert read_take(write("a.tsv", qualisys(y_up(figure(6))))).up_axis == "Y"
    assert read_take(write("a.trc", trc(labels=("A", "B", "C", "D")))).up_axis == "Y"


def test_the_time_column_gives_the_rate_where_the_header_does_not(write: Write) -> None:
    assert read_take(write("a.trc", trc(rate=""))).rate_hz == pytest.approx(100.0)
    assert read_take(write("a.csv", motive(rate=""))).rate_hz == pytest.approx(100.0)
    assert read_take(write("a.tsv", qualisys(rate="", lead=2))).rate_hz == pytest.approx(100.0)
    said = [finding.text for finding in read_take(write("a.trc", trc(rate="60"))).findings]
    assert said == ["the header says 60 Hz, the time column 100 Hz: 60 Hz is taken."]


def test_of_frames_at_half_the_cameras_rate_the_times_are_right(write: Write) -> None:
    take = read_take(write("a.trc", trc(numbers=range(1, 13, 2), rate="200")))
    assert (take.frames, take.rate_hz) == (6, pytest.approx(100.0))


def test_labels_of_trc_may_stand_together_or_be_fewer_than_its_columns(write: Write) -> None:
    together = trc().replace("\t\t\t", "\t")
    assert read_take(write("a.trc", together)).labels == LABELS
    fewer = trc().replace("\tRTOE", "\t")
    assert read_take(write("a.trc", fewer)).labels == (*LABELS[:3], "*3")
    assert len(unlabelled(read_take(write("a.trc", fewer))).labels) == 1


def test_trailing_delimiters_and_decimal_commas_are_read(write: Write) -> None:
    plain = read_take(write("a.trc", trc())).positions
    np.testing.assert_array_equal(read_take(write("a.trc", trc().replace("\n", "\t\n"))).positions, plain)
    np.testing.assert_array_equal(read_take(write("a.trc", trc().replace(".", ","))).positions, plain)
    points = figure(6)
    points[2:, 2:] = np.nan
    stripped = "\n".join(line.rstrip("\t") for line in trc(points).split("\n"))
    np.testing.assert_array_equal(read_take(write("a.trc", stripped)).present, np.isfinite(points[..., 0]))


def test_of_motive_measured_markers_are_taken(write: Write) -> None:
    take = read_take(write("a.csv", motive(subject="Skeleton:")))
    assert take.labels == (*(f"Skeleton:{label}" for label in LABELS), "*2016", "*2017")
    assert unlabelled(take).labels == ("*2016", "*2017")
    assert take.first_frame == 0
    assert [finding.text for finding in take.findings] == ["4 markers of rigid bodies and skeletons, which Motive computes, are left out."]
    assert not np.isclose(take.positions, 0.777, atol=1e-4).any(), "a rigid body's own place was read"


def test_of_motive_computed_markers_are_taken_where_there_are_no_others(write: Write) -> None:
    take = read_take(write("a.csv", motive(measured=False)))
    assert take.labels == (*LABELS, "*2016", "*2017")
    assert any("which Motive computes: these are taken" in finding.text for finding in take.findings)
    with pytest.raises(BonesetterError, match="export it from Motive with Markers switched on"):
        read_take(write("a.csv", motive(measured=False, computed=False, strays=False)))


@pytest.mark.parametrize("rows", [("Type", "Name", "ID"), ("Type", "Name", "ID", "Parent"), ("Type", "Name"), ("", "Name", "ID"), ("", "")])
@pytest.mark.parametrize("rotations", [3, 4])
@pytest.mark.parametrize("time_code", [False, True])
def test_versions_of_motive_differ_in_their_rows(rows: tuple[str, ...], rotations: int, time_code: bool, write: Write) -> None:
    take = read_take(write("a.csv", motive(titles=rows, rotations=rotations, time_code=time_code)))
    assert take.labels == (*LABELS, "*2016", "*2017")
    np.testing.assert_allclose(take.positions[:, :4], y_up(figure(6)) / 1000, atol=1e-6)


@pytest.mark.parametrize(("unit", "scale"), [("Meters", 0.001), ("Centimeters", 0.1), ("Millimeters", 1.0)])
def test_units_of_motive(unit: str, scale: float, write: Write) -> None:
    take = read_take(write("a.csv", motive(figure(6) * scale, unit=unit)))
    np.testing.assert_allclose(take.positions[:, :4], y_up(figure(6)) / 1000, atol=1e-6)
    assert not [finding for finding in take.findings if finding.kind == "file"]


def test_a_csv_that_excel_saved_in_german_is_read(write: Write) -> None:
    text = motive().replace(",", ";").replace(".", ",")
    np.testing.assert_allclose(read_take(write("a.csv", text)).positions, read_take(write("b.csv", motive())).positions, atol=1e-9)


@pytest.mark.parametrize(("lead", "end"), [(0, ""), (1, ""), (2, ""), (0, "\t"), (2, "\t")])
@pytest.mark.parametrize("titled", [False, True])
@pytest.mark.parametrize("types", [False, True])
def test_options_of_a_qtm_export(lead: int, titled: bool, types: bool, end: str, write: Write) -> None:
    take = read_take(write("a.tsv", qualisys(lead=lead, titled=titled, types=types, end=end, first=7)))
    assert (take.labels, take.first_frame) == (LABELS, 7 if lead else 1)
    assert take.findings == ()
    np.testing.assert_allclose(take.positions, figure(6) / 1000, atol=1e-6)


def test_other_data_of_qtm_is_refused(write: Write) -> None:
    with pytest.raises(BonesetterError, match="holds 6D data, no markers: export its 3D data"):
        read_take(write("a.tsv", qualisys().replace("DATA_INCLUDED\t3D", "DATA_INCLUDED\t6D")))
    with pytest.raises(BonesetterError, match="holds no markers"):
        read_take(write("a.tsv", "NO_OF_FRAMES\t1\nMARKER_NAMES\n1\t2\t3\n"))


@pytest.mark.filterwarnings("error")
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(sorted(SOUND)), seed=st.integers(0, 2**32 - 1))
def test_damaged_files_give_a_take_or_a_sentence(name: str, seed: int, write: Write) -> None:
    content = damaged(SOUND[name].encode().ljust(600), np.random.default_rng(seed))
    try:
        take = read_take(write(name, content))
    except BonesetterError as error:
        assert "\n" not in str(error)
    else:
        assert take.frames > 0
        assert len(take.labels) == take.positions.shape[1] == len(set(take.labels))


TITLES = ("Frame", "Frame#", "Time", "X", "Type", "Name", "Marker", "Position", "Units", "NumMarkers", "NULL")
CELLS = st.sampled_from(["", "0", "1", "-1", "1e9", "nan", '"', "é", *TITLES])


@pytest.mark.filterwarnings("error")
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(sorted(SOUND)),
    line=st.integers(0, 9),
    cells=st.lists(CELLS, max_size=16),
)
def test_damaged_headers_give_a_take_or_a_sentence(name: str, line: int, cells: list[str], write: Write) -> None:
    lines = SOUND[name].split("\n")
    lines[line] = ("," if name.endswith("csv") else "\t").join(cells)
    try:
        take = read_take(write(name, "\n".join(lines)))
    except BonesetterError as error:
        assert "\n" not in str(error)
    else:
        assert take.frames > 0
