# SPDX-License-Identifier: GPL-3.0-or-later
"""Two people in one file, whose markers have names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.core.settings import Settings
from model.core.take import FloatArray, Take
from model.engine.pipeline import solve_take
from model.engine.worker import serve
from model.files.c3d_writer import write_c3d
from model.files.exchange import load_pose, load_take, save_take
from model.files.npz import read_npz
from model.files.output import of_person
from model.marker_sets.marker_set import load_marker_set
from model.markers.people import closeness, people_of
from model.shell.cli import main
from model.synthetic.synthesis import synthesise

FRAMES, APART_M = 600, 0.6


@pytest.fixture(scope="module")
def pair() -> tuple[Take, Take]:
    """Two people who move 0.6 m from each other, the second backwards in time."""
    first, other = (synthesise(seconds=FRAMES / 120, seed=seed).take for seed in (3, 4))
    second = replace(other, positions=other.positions[::-1], residuals=other.residuals[::-1])
    middle = np.nanmean(first.positions, axis=(0, 1)) - np.nanmean(second.positions, axis=(0, 1))
    return first, replace(second, positions=second.positions + middle + np.array([APART_M, 0.0, 0.0]))


Name = Callable[[str, int], str]


def together(pair: tuple[Take, Take], name: Name, shuffled: bool = False) -> Take:
    """One take of both, with labels by a function of label and person."""
    takes = [one.only(range(len(one.labels)), tuple(name(label, row) for label in one.labels)) for row, one in enumerate(pair)]
    whole = takes[0].beside(takes[1])
    whole = replace(whole, name="duet", origins=(), findings=())
    return whole.only(np.random.default_rng(0).permutation(len(whole.labels)).tolist()) if shuffled else whole


def under(take: Take, label: str) -> FloatArray:
    return take.positions[:, take.labels.index(label)]


@pytest.mark.parametrize("name", [lambda label, row: f"{'AB'[row]}:{label}", lambda label, row: f"{('Ann', 'Bob')[row]}_{label}"])
def test_prefixes_are_people(pair: tuple[Take, Take], name: Name) -> None:
    found = people_of(together(pair, name, shuffled=True))
    assert {one.name for one in found} in ({"duet.A", "duet.B"}, {"duet.Ann", "duet.Bob"})
    for one in sorted(found, key=lambda one: one.name):
        row = 0 if one.name[-1] in "An" else 1
        assert len(one.labels) == len(pair[row].labels)
        for label in pair[row].labels:
            np.testing.assert_array_equal(under(one, name(label, row)), under(pair[row], label))
        assert [finding.kind for finding in one.findings] == ["subjects"]


def test_prefixes_of_segments_are_one_person(pair: tuple[Take, Take]) -> None:
    one = pair[0].only(range(len(pair[0].labels)), tuple(f"{'Arm' if 'ELB' in label else 'Body'}:{label}" for label in pair[0].labels))
    assert people_of(one) == (one,)
    assert people_of(pair[0]) == (pair[0],)


def test_the_same_names_twice_are_two_people(pair: tuple[Take, Take]) -> None:
    """Which of two columns of a name is whose differs from label to label."""
    random = np.random.default_rng(1)
    turned = {label: int(random.integers(2)) for label in pair[0].labels}
    found = people_of(together(pair, lambda label, row: label + ("-1" if row != turned[label] else "")))
    assert [one.name for one in found] == ["duet.1", "duet.2"]
    for one in found:
        rows = {
            row
            for label in pair[0].labels
            for row in (0, 1)
            for place in [one.labels.index(label if label in one.labels else f"{label}-1")]
            if np.array_equal(one.positions[:, place], under(pair[row], label), equal_nan=True)
        }
        assert len(rows) == 1


def test_a_duplicate_is_no_second_person(pair: tuple[Take, Take]) -> None:
    first = pair[0]
    positions = first.positions.copy()
    rest = np.full_like(positions, np.nan)
    rest[300:], positions[300:] = positions[300:], np.nan
    second = replace(first, positions=rest, labels=tuple(f"{label}-1" for label in first.labels), origins=())
    assert len(people_of(replace(first, positions=positions).beside(second))) == 1


def test_labels_that_people_exchanged_are_put_back(pair: tuple[Take, Take]) -> None:
    whole = together(pair, lambda label, row: f"{'AB'[row]}:{label}")
    positions = whole.positions.copy()
    rows = {label: row for row, label in enumerate(whole.labels)}

    def exchange(label: str, frames: slice) -> None:
        a, b = rows[f"A:{label}"], rows[f"B:{label}"]
        positions[frames, a], positions[frames, b] = whole.positions[frames, b], whole.positions[frames, a]

    for label in ("LFIN", "RKNE"):
        exchange(label, slice(None))
    exchange("LELB", slice(100, 180))
    exchange("RTOE", slice(400, FRAMES))
    found = {one.name: one for one in people_of(replace(whole, positions=positions))}
    for row, name in enumerate(("duet.A", "duet.B")):
        for label in pair[row].labels:
            apart = np.linalg.norm(under(found[name], f"{'AB'[row]}:{label}") - under(pair[row], label), axis=-1)
            assert np.nanmax(apart) == 0.0, label
    said = [finding for finding in found["duet.A"].findings if finding.kind == "swapped back"]
    (whole_take,) = [finding for finding in found["duet.A"].findings if finding.kind == "misplaced"]
    assert set(whole_take.labels) == {"A:LFIN", "B:LFIN", "A:RKNE", "B:RKNE"}
    assert {(each.labels, each.frames) for each in said} == {
        (("A:LELB", "B:LELB"), ((100, 179),)),
        (("A:RTOE", "B:RTOE"), ((400, FRAMES - 1),)),
    }


def test_a_label_that_somebody_has_while_its_own_is_hidden_is_put_back(pair: tuple[Take, Take]) -> None:
    whole = together(pair, lambda label, row: f"{'AB'[row]}:{label}")
    positions = whole.positions.copy()
    a, b = whole.labels.index("A:LELB"), whole.labels.index("B:LELB")
    positions[100:180, b], positions[100:180, a] = whole.positions[100:180, a], np.nan
    found = {one.name: one for one in people_of(replace(whole, positions=positions))}
    assert np.array_equal(under(found["duet.A"], "A:LELB"), under(pair[0], "LELB"), equal_nan=True)
    assert np.isnan(under(found["duet.B"], "B:LELB")[100:180]).all()


@pytest.mark.parametrize("away", [slice(0, 300), slice(200, 320), slice(250, FRAMES)])
@pytest.mark.parametrize("named", [lambda label, row: f"{'AB'[row]}:{label}", lambda label, row: label + "-1" * row])
def test_somebody_who_is_away_has_no_samples(pair: tuple[Take, Take], away: slice, named: Name) -> None:
    second = pair[1].positions.copy()
    second[away] = np.nan
    there = (pair[0], replace(pair[1], positions=second))
    first, other = people_of(together(there, named))
    for label in pair[0].labels:
        assert np.array_equal(under(first, named(label, 0)), under(there[0], label), equal_nan=True)
        assert np.array_equal(under(other, named(label, 1)), under(there[1], label), equal_nan=True)
    assert not [finding for finding in first.findings if finding.kind == "swapped back"]


def test_what_was_exchanged_before_and_after_somebody_was_away_is_not_meanwhile(pair: tuple[Take, Take]) -> None:
    second = pair[1].positions.copy()
    second[250:350] = np.nan
    there = (pair[0], replace(pair[1], positions=second))
    whole = together(there, lambda label, row: f"{'AB'[row]}:{label}")
    positions = whole.positions.copy()
    a, b = whole.labels.index("A:LELB"), whole.labels.index("B:LELB")
    for frames in (slice(150, 250), slice(350, 450)):
        positions[frames, a], positions[frames, b] = whole.positions[frames, b], whole.positions[frames, a]
    found = {one.name: one for one in people_of(replace(whole, positions=positions))}
    for row, name in enumerate(("duet.A", "duet.B")):
        assert np.array_equal(under(found[name], f"{'AB'[row]}:LELB"), under(there[row], "LELB"), equal_nan=True)


def test_a_few_duplicates_beside_markers_are_no_second_person(pair: tuple[Take, Take]) -> None:
    first = pair[0]
    positions = np.full_like(first.positions, np.nan)
    positions[100:105] = first.positions[100:105] + 0.01
    second = replace(first, positions=positions, labels=tuple(f"{label}-1" for label in first.labels), origins=())
    assert len(people_of(first.beside(second))) == 1


def test_points_that_keep_their_distance_are_close() -> None:
    random = np.random.default_rng(0)
    path = np.cumsum(random.normal(0.0, 0.02, (300, 1, 3)), axis=0)
    points = np.concatenate([path, path + 0.1, random.normal(size=(300, 1, 3)), np.full((300, 1, 3), np.nan)], axis=1)
    close = closeness(points)
    assert close[0, 1] > close[0, 2] >= 0.0
    assert (close[3] == 0).all()


def test_the_shell_writes_files_for_each(pair: tuple[Take, Take], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_c3d(together(pair, lambda label, row: f"{('Ann', 'Bob')[row]}:{label}"), tmp_path / "duet.c3d")
    assert main(["solve", str(tmp_path / "duet.c3d"), "--out", str(tmp_path / "out"), "--save-actor", str(tmp_path / "actor.json")]) == 0
    names = [f"duet.{name}.{suffix}" for name in ("Ann", "Bob") for suffix in ("bvh", "json", "npz")]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(names)
    assert sorted(path.name for path in tmp_path.glob("actor*")) == ["actor.Ann.json", "actor.Bob.json"]
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in said if not line.startswith(" ")] == ["duet.Ann", "duet.Bob"]
    for row, name in enumerate(("Ann", "Bob")):
        alone = solve_take(replace(pair[row], findings=()), Settings())
        together_with = read_npz(tmp_path / "out" / f"duet.{name}.npz")
        # a C3D has single precision
        assert np.linalg.norm(together_with["positions"] - alone.positions, axis=-1).mean() < 5e-4
    assert main(["solve", str(tmp_path / "duet.c3d"), "--out", str(tmp_path / "out")]) == 1
    assert "use --force to overwrite it" in capsys.readouterr().err


def test_the_engine_answers_for_each(pair: tuple[Take, Take], tmp_path: Path) -> None:
    take = together(pair, lambda label, row: f"{('Ann', 'Bob')[row]}:{label}")
    save_take(take, tmp_path / "take.npz")
    answers: list[dict[str, Any]] = []
    exports = {"bvh": str(tmp_path / "duet.bvh")}
    serve({"id": 1, "take": str(tmp_path / "take.npz"), "out": str(tmp_path / "pose.npz"), "exports": exports}, answers.append)
    people = answers[-1]["people"]
    assert [load_take(Path(one["take"])).name for one in people] == ["duet.Ann", "duet.Bob"]
    for one in people:
        assert load_pose(Path(one["result"])).rotations.shape[:2] == (FRAMES, 31)
        assert one["report"]["frames"] == FRAMES
    assert (tmp_path / "duet.Ann.bvh").is_file()
    assert not (tmp_path / "duet.bvh").exists()
    assert [answer["progress"] for answer in answers[:-1]] == sorted(answer["progress"] for answer in answers[:-1])


def test_a_solve_saves_a_layout_that_the_next_is_solved_by(pair: tuple[Take, Take], tmp_path: Path) -> None:
    write_c3d(pair[0], tmp_path / "one.c3d")
    own, out = tmp_path / "own.json", tmp_path / "out"
    solve = ["solve", str(tmp_path / "one.c3d"), "--out", str(out), "--format", "npz", "--force"]
    assert main([*solve, "--save-layout", str(own)]) == 0
    assert {"own.json", "own.actor.json"} <= {path.name for path in tmp_path.iterdir()}
    first = read_npz(out / "one.npz")
    assert load_marker_set(own).labels == tuple(first["labels"].tolist())
    assert main([*solve, "--layout", str(own), "--actor", str(tmp_path / "own.actor.json")]) == 0
    assert np.linalg.norm(read_npz(out / "one.npz")["positions"] - first["positions"], axis=-1).mean() < 0.002
    assert main([*solve[:-1], "--save-layout", str(own)]) == 1
    two = [str(tmp_path / "one.c3d"), str(tmp_path / "two.c3d")]
    assert main(["solve", *two, "--out", str(out), "--save-layout", str(own)]) == 2


def test_names_of_files_of_people() -> None:
    given = ["walk.bvh", "walk.v2.c3d", "walk.labels.csv", "own.actor.json", "actor"]
    named = [of_person(Path("out") / path, "Ann").name for path in given]
    assert named == ["walk.Ann.bvh", "walk.v2.Ann.c3d", "walk.Ann.labels.csv", "own.Ann.actor.json", "actor.Ann"]
