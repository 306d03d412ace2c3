# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages for supervisors: what they say is what the solution says, and nothing in them can run or load anything."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.core.findings import Finding
from model.core.take import Axis, Take
from model.engine import pipeline
from model.files.c3d_writer import write_c3d
from model.files.npz import LATER, arrays_of, read_npz, write_npz
from model.pages.index_page import index_page, write_index
from model.pages.shown import FLAGGED, GAP, MISSING, SEEN, shown
from model.pages.take_page import take_page, verdict
from model.result.contacts import Contact, Sole
from model.result.report import build_report, write_report
from model.result.solution import Solution
from model.shell.cli import main
from model.synthetic.synthesis import SyntheticTake

Solve = Callable[[Axis], Solution]
HOSTILE = "<script>alert(1)</script>&\"'"


class Page(HTMLParser):
    """What a page holds."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.handlers: list[str] = []
        self.rows: list[list[str]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.open += [] if tag in ("meta", "link", "br", "img") else [tag]
        for name, value in attrs:
            self.handlers += [name] if name.startswith("on") else []
            self.loaded += [value or ""] if name in ("src", "srcset", "data", "xlink:href") else []
            if name == "href":
                (self.links if tag == "a" else self.loaded).append(value or "")
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture
def spoilt(solved: Solve) -> Solution:
    """A solution with a gap that was filled, one that was not, flagged samples, a worst frame, contacts and findings."""
    solution = solved("Y")
    take = solution.clean.take
    raw, cleaned, trusted = take.positions.copy(), solution.clean.positions.copy(), solution.clean.trusted.copy()
    raw[100:140, 3] = np.nan
    cleaned[120:140, 3] = np.nan
    trusted[100:140, 3] = False
    trusted[300:310, 5] = False
    cleaned[500, trusted[500]] += 0.05
    raw[500] = cleaned[500]
    findings = (
        Finding("relabelled", "A label was put right.", ("LFHD", "RFHD"), frames=((20, 30),)),
        Finding("unseen", "No marker tells of the left arm.", bones=("LeftArm",), frames=((1, 5), (9, 9))),
    )
    sole = Sole("LeftFoot", "heel", (0,))
    clean = replace(
        solution.clean,
        take=replace(take, positions=raw, first_frame=1000),
        positions=cleaned,
        trusted=trusted,
        flagged={take.labels[5]: {"jump": 10}},
    )
    return replace(solution, clean=clean, findings=findings, contacts=(Contact(sole, 10, 40), Contact(sole, 200, 230)))


def page_of(solution: Solution, name: str = "walk") -> Page:
    return Page(take_page(name, arrays_of(solution), build_report(solution, {})))


def test_the_figures_of_the_page_are_the_solutions(spoilt: Solution) -> None:
    report, page = build_report(spoilt, {}), page_of(spoilt)
    clean = spoilt.clean
    residual = np.linalg.norm(clean.positions - spoilt.markers_model, axis=-1) * 1000
    rows = {row[0]: row for row in page.rows if row}
    for row, label in enumerate(clean.take.labels):
        known = residual[clean.trusted[:, row], row]
        told = rows[label]
        assert float(told[1].split()[0]) == pytest.approx(known.mean(), abs=0.0501)
        assert float(told[3].split()[0]) == pytest.approx(np.percentile(known, 95), abs=0.0501)
        assert float(told[4].split()[0]) == pytest.approx(100 * (~clean.take.present[:, row]).mean(), abs=0.0501)
        assert int(told[7]) == (clean.take.present[:, row] & ~clean.trusted[:, row]).sum()
    assert rows[clean.take.labels[5]][8] == "10 jumps"
    assert f"{report['marker_residual_mm']['mean']:.1f} mm" in page.text
    assert "LeftFoot, heel" in rows
    assert rows["LeftFoot, heel"][1:] == ["2", f"{62 / clean.take.rate_hz:.2f} s"]
    assert rows["relabelled"] == ["relabelled", "LFHD, RFHD", "1020 to 1030"]
    assert rows["unseen"] == ["unseen", "No marker tells of the left arm.", "1001 to 1005, 1009"]
    lengths = np.linalg.norm(spoilt.actor.skeleton.offsets, axis=-1) * 100
    left, right = (lengths[spoilt.actor.skeleton.joints.index(side + "Leg")] for side in ("Left", "Right"))
    assert rows["Leg"] == ["Leg", f"{left:.1f} cm", f"{right:.1f} cm"]


def test_the_page_lists_markers_that_are_far_or_left_out_for_long(spoilt: Solution) -> None:
    clean = spoilt.clean
    raw, cleaned = clean.take.positions.copy(), clean.positions.copy()
    cleaned[600:640, 7] += 0.09
    raw[600:640, 7] = cleaned[600:640, 7]
    solution = replace(spoilt, clean=replace(clean, take=replace(clean.take, positions=raw), positions=cleaned))
    far, flagged = clean.take.labels[7], clean.take.labels[5]
    said = [(each["kind"], each["labels"], each["frames"]) for each in build_report(solution, {})["doubtful"]]
    assert ("far", [far], [[1600, 1639]]) in said
    assert ("flagged", [flagged], [[1300, 1309]]) in said
    rows = page_of(solution).rows
    (told,) = [row for row in rows if row[:1] == ["far"]]
    assert told[1].startswith(f"{far} is up to ")
    assert told[2] == "1600 to 1639"
    assert ["flagged", f"{flagged} was taken for noise and left out in frames 1300 to 1309.", "1300 to 1309"] in rows
    assert not [row for row in page_of(spoilt).rows if row[:1] == ["far"]]


def test_the_worst_frame_is_shown_first_and_by_the_files_number(spoilt: Solution) -> None:
    take = shown("walk", arrays_of(spoilt), build_report(spoilt, {}))
    assert take.worst_frames[0] == 500
    assert len(take.worst_frames) == 4
    assert np.diff(sorted(take.worst_frames)).min() >= 0.5 * take.rate_hz
    page = page_of(spoilt)
    assert re.search(r"Frame 1500: mean \d+\.\d mm", page.text)
    assert page.tags.count("figure") == 4
    # everybody stands in a picture: the head above the feet
    head, foot = (take.joints.index(name) for name in ("Head", "LeftFoot"))
    assert take.positions[500, head, 1] > take.positions[500, foot, 1] + 1.0


def test_samples_are_shown_as_what_they_are(spoilt: Solution) -> None:
    codes = shown("walk", arrays_of(spoilt), build_report(spoilt, {})).codes
    assert [codes[frame, marker] for frame, marker in ((110, 3), (130, 3), (305, 5))] == [GAP, MISSING, FLAGGED]
    assert (codes[spoilt.clean.trusted] == SEEN).all()
    words = page_of(spoilt).text
    assert "missing: frames 1120 to 1139" in words
    assert f"{spoilt.clean.take.labels[5]}, flagged as noise: frames 1300 to 1309" in words
    assert "heel, stands: frames 1010 to 1040" in words


def test_a_page_is_whole_and_neither_runs_nor_loads_anything(spoilt: Solution) -> None:
    labels = (HOSTILE, *spoilt.clean.take.labels[1:])
    hostile = replace(
        spoilt,
        clean=replace(spoilt.clean, take=replace(spoilt.clean.take, labels=labels), flagged={HOSTILE: {"jump": 1}}),
        findings=(Finding("unseen", HOSTILE, (HOSTILE,)), Finding("relabelled", HOSTILE, (HOSTILE, HOSTILE))),
    )
    page = page_of(hostile, HOSTILE)
    assert page.open == []
    assert not {"script", "iframe", "img", "link", "object"} & set(page.tags)
    assert page.loaded == []
    assert page.handlers == []
    assert page.text.count("<script>alert(1)</script>") > 6


def test_the_index_leads_to_the_pages_those_to_look_at_first(spoilt: Solution) -> None:
    good = build_report(replace(spoilt, findings=()), {})
    wrong = {**good, "marker_residual_mm": {**good["marker_residual_mm"], "mean": 40.0}}
    page = Page(index_page("out", {"a b": good, HOSTILE: build_report(spoilt, {}), "javascript:alert(1)": wrong}, {HOSTILE: "no <b>file"}))
    assert page.links == ["./javascript%3Aalert%281%29.html", "./%3Cscript%3Ealert%281%29%3C/script%3E%26%22%27.html", "./a%20b.html"]
    assert not {"script", "b"} & set(page.tags)
    assert [row[1] for row in page.rows if len(row) == 8] == ["Verdict", "Wrong", "To be looked at", "Good"]
    assert "no <b>file" in page.text
    assert "3 takes: 1 good, 1 to look at, 1 wrong; 1 failed." in page.text


def test_a_verdict_is_not_good_where_findings_say_what_may_be_wrong(spoilt: Solution) -> None:
    report = build_report(spoilt, {})
    assert verdict(report)[1] == "look"
    assert verdict({**report, "findings": []})[1] == "good"
    assert verdict({**report, "marker_residual_mm": {"mean": None}})[1] == "wrong"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, solved: Solve) -> None:
    """The shell around the truth instead of the solver."""

    def solve_take(take: Take, *rest: object, **named: object) -> Solution:
        solution = solved("Z")
        return replace(solution, clean=replace(solution.clean, take=replace(solution.clean.take, name=take.name)))

    monkeypatch.setattr(pipeline, "solve_take", solve_take)


@pytest.fixture
def takes(tmp_path: Path, synthetic: SyntheticTake) -> tuple[Path, Path]:
    good, bad = tmp_path / "<b>walk.c3d", tmp_path / "bad.c3d"
    write_c3d(synthetic.take, good)
    bad.write_bytes(b"nothing")
    return good, bad


@pytest.mark.usefixtures("quick")
def test_a_solve_with_report_writes_pages_and_an_index(
    takes: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["solve", *map(str, takes), "--out", str(out), "--report"]) == 1
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [*(f"<b>walk.{kind}" for kind in ("bvh", "html", "json", "npz")), "index.html"]
    )
    index = Page((out / "index.html").read_text(encoding="utf-8"))
    assert index.links == ["./%3Cb%3Ewalk.html"]
    assert "bad" in index.text
    assert "is not a C3D file" in index.text
    page = Page((out / "<b>walk.html").read_text(encoding="utf-8"))
    report = json.loads((out / "<b>walk.json").read_text(encoding="utf-8"))
    assert f"{report['marker_residual_mm']['mean']:.1f} mm" in page.text
    assert page.text.count("<b>walk") == 2
    # the same from what the solve left, without solving
    again = tmp_path / "again"
    assert main(["report", str(out / "<b>walk.npz"), "--out", str(again)]) == 0
    assert (again / "<b>walk.html").read_bytes() == (out / "<b>walk.html").read_bytes()
    assert Page((again / "index.html").read_text(encoding="utf-8")).links == index.links
    capsys.readouterr()
    assert main(["report", str(out / "<b>walk.npz"), "--out", str(again)]) == 1
    assert "use --force" in capsys.readouterr().err


@pytest.mark.usefixtures("quick")
def test_a_report_solves_what_is_not_solved(takes: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["report", str(takes[0]), "--out", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["<b>walk.html", "<b>walk.json", "index.html"]


def test_what_cannot_be_reported_is_one_sentence(solved: Solve, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    solution, out = solved("Z"), tmp_path / "out"
    write_npz(solution, tmp_path / "a.npz")
    for content, said in ((None, "keep a result's report"), ("[]", "is not the report of a.npz"), ('{"frames": 3}', "another take")):
        if content is not None:
            (tmp_path / "a.json").write_text(content)
        assert main(["report", str(tmp_path / "a.npz"), "--out", str(out)]) == 1
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1
        assert said in lines[0]
    assert [path.name for path in out.iterdir()] == ["index.html"]
    (tmp_path / "index.npz").write_bytes(b"")
    assert main(["report", str(tmp_path / "index.npz"), "--out", str(out)]) == 2


def test_a_page_of_somebody_else_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "index.html").write_text("<html>mine")
    with pytest.raises(Exception, match="is not replaced"):
        write_index(tmp_path, {})
    assert (tmp_path / "index.html").read_text() == "<html>mine"


def test_results_of_earlier_versions_have_a_page_too(solved: Solve, tmp_path: Path) -> None:
    solution = solved("Z")
    arrays: dict[str, Any] = {name: array for name, array in arrays_of(solution).items() if name not in LATER}
    np.savez(tmp_path / "a.npz", **arrays)
    write_report(build_report(solution, {}), tmp_path / "a.json")
    page = Page(take_page("a", read_npz(tmp_path / "a.npz"), json.loads((tmp_path / "a.json").read_text())))
    assert f"{build_report(solution, {})['marker_residual_mm']['mean']:.1f} mm" in page.text
