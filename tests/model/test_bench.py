# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark: its takes, its processes, its verdicts and its document."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.actors.actor_file import write_actor
from model.actors.prior import bundled
from model.bench import race
from model.bench.cases import CONDITIONS, SYNTHETIC, Case, all_cases, excerpt
from model.bench.contest import excerpts, in_order, middle
from model.bench.contestants import OURS, Contestant, all_contestants
from model.bench.findings import FINDINGS, Finding, judged
from model.bench.page import benchmark
from model.bench.results import Entry, Line, differences, mean_figures, read_results, write_results
from model.datasets import splits
from model.shell.cli import main
from model.study.train import STUDY
from model.synthetic.synthesis import Noise, synthesise

STILL = Noise(jitter=1e-3, gaps=0.0, long_gaps=0, spikes=0.0, swaps=0)


@pytest.fixture(scope="session")
def case() -> Case:
    made = synthesise(seconds=1.0, seed=3, noise=STILL)
    return Case("synthetic clean", "clean", made.take, made.motion, made.markers, bundled().mean_actor(), made.take)


def line(contestant: str = "a", condition: str = "clean", error: str | None = None, **figures: float) -> Line:
    return Line(contestant, "fitted", f"{condition} take", condition, None if error else {"frames": 100.0, **figures}, error, 2.0)


def entry(contestant: str, *lines: Line, kind: str = "network", error: str | None = None) -> Entry:
    return Entry(contestant, kind, "fitted", list(lines), "1.0", 300.0, False, error)


def test_every_condition_has_its_takes_of_unseen_subjects_and_the_same_seed_makes_the_same(motion_folder: Path, takes_folder: Path):
    cases, again = all_cases(bundled(), 0), all_cases(bundled(), 0)
    assert {case.condition for case in cases} == set(CONDITIONS)
    assert len({case.name for case in cases}) == len(cases)
    known = splits.load()
    for made, same in zip(cases, again, strict=True):
        np.testing.assert_array_equal(made.take.positions, same.take.positions)
        assert made.take.positions.shape == made.markers.shape
        assert made.take.frames == made.truth.frames
        assert splits.subject_of(made.name.split()[0]) in known.test_subjects or made.name.split()[0] in known.test_takes
        assert made.actor.skeleton.bones == pytest.approx(made.truth.skeleton.bones)


def test_the_clean_condition_is_the_true_actor_and_jitter(motion_folder: Path, takes_folder: Path):

    for made in all_cases(bundled(), 0):
        if made.condition in SYNTHETIC:
            screwed = made.actor.markers(made.truth)
            off = np.linalg.norm(made.markers - screwed, axis=-1)
            assert (off.max() < 1e-5) == (made.condition != "soft tissue")
        if made.condition == "clean":
            assert np.nanstd(made.take.positions - made.markers) == pytest.approx(1e-3, rel=0.05)


def test_a_clean_take_of_the_same_person_goes_with_every_case(motion_folder: Path, takes_folder: Path):
    for made in all_cases(bundled(), 0):
        assert made.clean.labels == made.take.labels
        if made.condition not in SYNTHETIC:
            np.testing.assert_array_equal(made.clean.positions, made.markers)
            continue
        # a marker keeps its distance from another of its bone, in the take and in the range of motion, but for jitter and skin
        pair = [made.take.labels.index(label) for label in ("LFHD", "RFHD")]
        apart, also = (np.linalg.norm(points[:, pair[0]] - points[:, pair[1]], axis=-1) for points in (made.markers, made.clean.positions))
        assert also.mean() == pytest.approx(apart.mean(), abs=2e-3 if made.condition != "soft tissue" else 2e-2)
        assert np.ptp(made.clean.positions, axis=0).max() > 0.5


def test_an_excerpt_is_the_middle_of_everything(case: Case):
    short = excerpt(case, 30)
    assert (short.take.frames, short.truth.frames, len(short.markers)) == (30, 30, 30)
    np.testing.assert_array_equal(short.take.positions, middle(case.take, 30).positions)
    np.testing.assert_array_equal(short.take.positions, case.take.positions[45:75])
    assert excerpt(case, 1000).take.frames == case.take.frames


def test_our_solver_is_timed_and_scored_in_a_process_of_its_own_and_leaves_its_actor(case: Case, tmp_path: Path):
    race.write_cases([case], tmp_path)
    told: list[str] = []
    ours = Contestant(OURS, "ours", Path(sys.executable))
    result = race.race(ours, "none", [case], tmp_path, tmp_path, told.append)
    assert result.error is None
    assert told == [case.name]
    assert result.peak_mb > 50
    figures = result.lines[0].figures
    assert figures is not None
    assert figures["frames"] == case.take.frames
    assert figures["motion_jpe_mm"] < 10
    assert figures["mpe_mm"] < 10
    assert result.lines[0].seconds > 0
    # who comes next gets the actor that ours fitted
    assert (tmp_path / "00.fitted.json").exists()
    known = race.race(ours, "true", [case], tmp_path, tmp_path, told.append)
    assert known.lines[0].figures is not None
    assert known.lines[0].figures["jpe_mm"] < figures["jpe_mm"]


@pytest.mark.parametrize(
    ("contestant", "words"),
    [
        (Contestant("holden", "network", Path(sys.executable)), "No such file"),
        (Contestant("opensim_ik", "peer", Path("/nowhere/python")), "tools/environment bench"),
    ],
)
def test_who_cannot_even_begin_has_a_line_that_says_why(contestant: Contestant, words: str, case: Case, tmp_path: Path):
    race.write_cases([case], tmp_path)
    write_actor(case.actor, tmp_path / "00.fitted.json")
    result = race.race(contestant, "fitted", [case], tmp_path, tmp_path, lambda _: None)
    assert result.lines == []
    assert result.error
    assert words in result.error
    assert result.error in benchmark([replace(result, kind="peer")], 0, 300, 0.01)


def test_a_contestant_that_hangs_is_stopped_and_what_it_solved_counts(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    slow = tmp_path / "python"
    slow.write_text(f"#!/bin/sh\necho '{json.dumps({'case': '00', 'error': 'It was too hard.'})}'\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setattr(race, "LONGEST_S", 0.5)
    race.write_cases([case], tmp_path)
    result = race.race(Contestant("stub", "peer", slow), "true", [case], tmp_path, tmp_path, lambda _: None)
    assert [each.error for each in result.lines] == ["It was too hard."]
    assert result.error
    assert "ended with -9" in result.error


def test_a_crash_is_the_error_of_its_case_and_the_others_are_solved(case: Case, tmp_path: Path):
    crashing = tmp_path / "python"
    crashing.write_text(
        """#!/bin/sh
shift 6
[ "$#" = 0 ] && echo '{"begun": "00"}' && echo '{"case": "00", "error": "Too hard."}' && echo '{"begun": "01"}' && kill -SEGV $$
[ "$*" = "00 01" ] && echo '{"begun": "02"}' && echo '{"case": "02", "error": "Too long."}' && echo '{"version": "7"}'
"""
    )
    crashing.chmod(0o755)
    cases = [replace(case, name=f"{number} clean") for number in range(3)]
    race.write_cases(cases, tmp_path)
    result = race.race(Contestant("stub", "peer", crashing), "true", cases, tmp_path, tmp_path, lambda _: None)
    assert [(line.case, line.error) for line in result.lines] == [
        ("0 clean", "Too hard."),
        ("1 clean", "its process crashed: it ended with -11"),
        ("2 clean", "Too long."),
    ]
    assert (result.version, result.error) == ("7", None)


def test_the_truth_against_itself_has_no_error_but_feet_that_move(case: Case):
    (line,) = race.truth_of([case]).lines
    assert line.figures is not None
    assert line.figures["jpe_mm"] == line.figures["motion_jpe_mm"] == 0
    assert line.figures["joe_global_deg"] == pytest.approx(0, abs=1e-4)
    assert line.figures["jitter_ratio"] == pytest.approx(1)
    assert line.figures["foot_skate_mm_s"] == line.figures["true_foot_skate_mm_s"] > 0


def test_networks_are_found_where_they_were_trained_and_findings_are_told_apart(tmp_path: Path):
    for name in ("holden_l1_quaternion", "finding_mse", "vgg_cross_entropy"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights.safetensors").touch()
    (tmp_path / "unfinished").mkdir()
    kinds = {contestant.key: contestant.kind for contestant in all_contestants(tmp_path)}
    assert kinds[OURS] == "ours"
    assert kinds["holden_l1_quaternion"] == "network"
    assert kinds["finding_mse"] == kinds["vgg_cross_entropy"] == "finding"
    assert kinds["opensim_ik"] == "peer"
    pythons = {contestant.key: contestant.python.parts[-3] for contestant in all_contestants(tmp_path) if contestant.kind == "peer"}
    assert pythons == dict.fromkeys(pythons, "bench") | {"momentum_track": "bench-momentum"}
    assert "unfinished" not in kinds


def test_markers_come_in_the_takes_order():
    markers = np.arange(12.0).reshape(2, 2, 3)
    ordered = in_order(markers, ("A", "B"), ("B", "C", "A"))
    np.testing.assert_array_equal(ordered[:, 0], markers[:, 1])
    np.testing.assert_array_equal(ordered[:, 2], markers[:, 0])
    assert np.isnan(ordered[:, 1]).all()


def test_the_slow_get_the_middle_of_one_take_for_each_condition(case: Case):
    names = ("a clean", "a swaps", "b clean", "b real, corrupted")
    takes = {f"{number:02d}": replace(case.take, name=name) for number, name in enumerate(names)}
    few = excerpts(takes)
    assert [take.name for take in few.values()] == ["a clean", "a swaps", "b real, corrupted"]


def test_means_weigh_by_frames_and_the_largest_stays_the_largest():
    first = Line("a", "true", "1", "clean", {"frames": 100.0, "jpe_mm": 1.0, "max_mm": 5.0, "mpe_mm": float("nan")}, None, 1.0)
    second = Line("a", "true", "2", "clean", {"frames": 300.0, "jpe_mm": 5.0, "max_mm": 4.0, "mpe_mm": 2.0}, None, 3.0)
    failed = Line("a", "true", "3", "clean", None, "It failed.", 9.0)
    joined = mean_figures([first, second, failed])
    assert joined == {"frames": 400.0, "jpe_mm": 4.0, "max_mm": 5.0, "mpe_mm": 2.0, "frames_per_second": 100.0}
    assert mean_figures([failed]) is None


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ((1.0, 1.0), (2.0, 2.0), "holds"),
        ((2.0, 2.0), (1.0, 1.0), "does not hold"),
        ((1.0, 2.0), (2.0, 1.0), "depends"),
        ((1.0, 1.0), (1.01, 1.0), "no difference"),
    ],
)
def test_verdicts(first: tuple[float, float], second: tuple[float, float], verdict: str):
    figures = dict.fromkeys(
        ("smoothness_units", "joe_local_deg", "motion_jpe_mm", "motion_joe_global_deg", "flips_per_1000"),
        1.0,
    )
    pair = [
        entry(
            name,
            *(line(name, condition, distance_units=value, **figures) for condition, value in zip(("clean", "Holden"), values, strict=True)),
        )
        for name, values in (("a", first), ("b", second))
    ]
    said = judged(Finding("Snow is white", "a", "b", "distance_units"), pair)
    assert said is not None
    assert said.verdict == verdict
    assert said.won == sum(a < 0.98 * b for a, b in zip(first, second, strict=True))
    assert said.lost == sum(b < 0.98 * a for a, b in zip(first, second, strict=True))
    assert said.figures["Holden"][0]["distance_units"] == first[1]
    assert judged(Finding("Snow is white", "a", "nobody", "distance_units"), pair) is None


def test_every_finding_compares_runs_that_there_are():
    runs = {file.stem for file in STUDY.glob("*.toml")}
    assert {name for finding in FINDINGS for name in (finding.better, finding.worse)} <= runs


def test_results_are_kept_and_two_runs_compared(tmp_path: Path):
    before = [entry("a", line(jpe_mm=10.0, flips_per_1000=1.0))]
    write_results(before, tmp_path / "results.json")
    assert read_results(tmp_path / "results.json") == before
    assert read_results(tmp_path / "none.json") == []
    after = [entry("a", line(jpe_mm=10.1, flips_per_1000=9.0))]
    assert differences(before, after) == {("a", before[0].actors, "clean"): pytest.approx(0.01)}
    assert differences(before, [entry("b", line("b", jpe_mm=1.0))]) == {}


def test_an_unknown_contestant_is_wrong_usage(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    assert main(["bench", "--only", "nobody", "--runs", str(tmp_path), "--work", str(tmp_path)]) == 2
    assert "There is no contestant nobody" in capsys.readouterr().err
