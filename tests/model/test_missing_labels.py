# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes some of whose labels are missing, or come and go: they are found among the points without a name, or with one that no set knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from model.core.settings import Settings
from model.core.take import FloatArray, Take
from model.engine.missing_labels import completed, names_of
from model.engine.pipeline import solve_take
from model.labelling.completion import label_rest
from model.labelling.labelled import Labelled
from model.marker_sets.marker_set import load_marker_set
from model.result.solution import Solution
from model.synthetic.synthesis import Noise, synthesise

QUIET = Noise(jitter=5e-4, gaps=0.02, long_gaps=2, spikes=0.0, swaps=0)
LEG = ("LTHI", "LKNE", "LSHN", "LANK", "LHEE", "LTOE", "LMT5")
LIMBS = {
    "leg": LEG,
    "arm": ("RUPA", "RELB", "RFRM", "RWRA", "RWRB", "RFIN"),
    "feet": ("LANK", "LHEE", "LTOE", "LMT5", "RANK", "RHEE", "RTOE", "RMT5"),
    "head": ("LFHD", "RFHD", "LBHD", "RBHD"),
    "knees": ("LKNE", "LSHN", "RKNE", "RSHN"),
}
#: In metres: how far a joint is from where it is with all labels.
SAME_M = 0.0005


@pytest.fixture(scope="module")
def walk() -> Take:
    return synthesise(4.0, 60.0, seed=2, noise=QUIET).take


@pytest.fixture(scope="module")
def whole(walk: Take) -> Solution:
    return solve_take(walk, Settings())


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the takes whose labels are looked for by motion."""
    names: list[str] = []

    def counted(take: Take, *given: Any) -> Labelled:
        names.append(take.name)
        return label_rest(take, *given)

    monkeypatch.setattr("model.labelling.completion.label_rest", counted)
    return names


def called(take: Take, labels: tuple[str, ...], name: Callable[[int], str]) -> Take:
    """The take with other names in the place of these labels."""
    names = {label: name(row) for row, label in enumerate(labels)}
    return replace(take, labels=tuple(names.get(label, label) for label in take.labels), origins=())


def broken(take: Take, labels: tuple[str, ...], seconds: float = 1.0) -> Take:
    """The take with these markers' samples in nameless columns, which each of them changes every so often, and is lost for a while."""
    random = np.random.default_rng(0)
    rows = [take.labels.index(label) for label in labels]
    nameless = np.full((take.frames, len(rows), 3), np.nan)
    step, lost = round(seconds * take.rate_hz), round(0.1 * take.rate_hz)
    for start in range(0, take.frames, step):
        here = slice(start, min(start + step - lost, take.frames))
        nameless[here] = take.positions[here][:, random.permutation(rows)]
    rest = take.only([row for row in range(len(take.labels)) if row not in rows])
    return with_points(rest, tuple(f"*{row}" for row in range(len(rows))), nameless)


def losing_names(take: Take, part: float, seed: int = 0) -> Take:
    """The take with each marker in pieces of 0.5 to 2 s, this part of which is in nameless columns, as a live labelling has it."""
    random = np.random.default_rng(seed)
    positions, columns = take.positions.copy(), list[FloatArray]()
    for row in range(len(take.labels)):
        start = 0
        while start < take.frames:
            end = start + round(random.uniform(0.5, 2.0) * take.rate_hz)
            if random.random() < part:
                free = next((column for column in columns if np.isnan(column[max(0, start - 1) : end + 1]).all()), None)
                if free is None:
                    columns.append(free := np.full((take.frames, 3), np.nan))
                free[start:end] = take.positions[start:end, row]
                positions[start:end, row] = np.nan
            start = end
    rest = replace(take, positions=positions)
    return with_points(rest, tuple(f"*{row}" for row in range(len(columns))), np.stack(columns, axis=1))


def with_points(take: Take, names: tuple[str, ...], points: FloatArray) -> Take:
    """The take with points (frames, names, 3) beside its own."""
    return take.beside(replace(take, labels=names, positions=points, residuals=np.zeros(points.shape[:2]), origins=()))


def apart(one: Solution, other: Solution) -> float:
    """In metres: the farthest that a joint is from where the other has it."""
    return float(np.linalg.norm(one.positions - other.positions, axis=-1).max())


@pytest.mark.parametrize("limb", LIMBS)
def test_a_limb_without_names_is_solved_as_if_it_had_them(walk: Take, whole: Solution, limb: str) -> None:
    found = solve_take(called(walk, LIMBS[limb], lambda row: f"*{row}"), Settings())
    assert apart(found, whole) < SAME_M
    assert found.keyed is not None
    assert found.keyed.all()
    (said,) = (finding for finding in found.findings if finding.kind == "labelled")
    assert set(said.labels) == set(LIMBS[limb])
    assert set(said.markers) == {f"*{row}" for row in range(len(LIMBS[limb]))}, "it is said which of the file's columns they are"


@pytest.mark.parametrize("name", ["knob{}", "Stick:{}"], ids=["the person's", "nobody's"])
def test_a_limb_under_names_that_nobody_knows_is_solved_as_if_it_had_its_own(walk: Take, whole: Solution, name: str) -> None:
    take = called(walk, LEG, name.format)
    take = replace(take, labels=tuple(label if ":" in label else f"Ann:{label}" for label in take.labels))
    assert apart(solve_take(take, Settings()), whole) < SAME_M


def test_tracks_of_a_limb_that_break_are_labelled_each_by_itself(walk: Take, whole: Solution) -> None:
    found = solve_take(broken(walk, LEG), Settings())
    away = np.linalg.norm(found.positions - whole.positions, axis=-1)
    assert away.mean() < 0.002
    assert np.quantile(away, 0.99) < 0.03


@pytest.mark.parametrize("part", [0.3, 0.6])
def test_names_that_come_and_go_are_completed(walk: Take, whole: Solution, part: float) -> None:
    take = losing_names(replace(walk, labels=tuple(f"Ann:{label}" for label in walk.labels)), part)
    found = solve_take(take, Settings())
    assert np.linalg.norm(found.positions - whole.positions, axis=-1).max() < 0.015
    assert found.keyed is not None
    assert found.keyed.all()
    here = found.clean.take.positions[:, [found.clean.take.labels.index(label) for label in walk.labels]]
    there = walk.present
    assert (here == walk.positions).all(axis=-1)[there].mean() > 0.995
    nameless = there & ~take.present[:, : len(walk.labels)]
    lost = {label for row, label in enumerate(walk.labels) if nameless[:, row].any()}
    said = [finding for finding in found.findings if finding.kind == "labelled"]
    assert {label for finding in said for label in finding.labels} == lost
    assert {name[0] for finding in said for name in finding.markers} == {"*"}, "it is said which of the file's columns they were in"


def test_names_that_come_and_go_are_completed_beside_a_limb_without_any(walk: Take, whole: Solution) -> None:
    found = solve_take(called(losing_names(walk, 0.3), LEG, lambda row: f"*leg{row}"), Settings())
    assert np.linalg.norm(found.positions - whole.positions, axis=-1).max() < 0.015


def test_names_that_cannot_be_completed_are_all_there_is(walk: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsolvable(*_given: Any) -> Labelled:
        raise np.linalg.LinAlgError

    monkeypatch.setattr("model.labelling.completion.label_rest", unsolvable)
    assert np.isfinite(solve_take(losing_names(walk, 0.3), Settings()).positions).all()


def test_a_name_in_the_wrong_place_for_a_while_is_not_believed_there(walk: Take) -> None:
    take, wrong = losing_names(walk, 0.3), slice(40, 80)
    one, other = take.labels.index("LELB"), take.labels.index("RKNE")
    take.positions[wrong, one] = walk.positions[wrong, other]
    take.positions[wrong, other] = np.nan
    found = solve_take(take, Settings()).clean.take
    knee = found.positions[wrong, found.labels.index("RKNE")]
    assert (knee == walk.positions[wrong, other]).all(axis=1).mean() > 0.9


def test_names_that_the_file_has_stay_also_where_motion_says_otherwise(walk: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    take = called(walk, LEG, lambda row: f"*{row}")

    def exchanged(take: Take, *given: Any) -> Labelled:
        found = label_rest(take, *given)
        one, other = (found.take.labels.index(label) for label in ("RTOE", "RMT5"))
        positions = found.take.positions.copy()
        positions[:, [one, other]] = positions[:, [other, one]]
        return replace(found, take=replace(found.take, positions=positions))

    monkeypatch.setattr("model.labelling.completion.label_rest", exchanged)
    found = solve_take(take, Settings())
    assert set(LEG) <= set(found.actor.labels)
    there = found.clean.take.labels.index("RTOE")
    np.testing.assert_array_equal(found.clean.take.positions[:, there], walk.positions[:, walk.labels.index("RTOE")])


def test_a_column_without_samples_does_not_stand_for_its_label(walk: Take, whole: Solution) -> None:
    nameless = called(walk, LEG, lambda row: f"*{row}")
    nothing = np.full((walk.frames, len(LEG), 3), np.nan)
    assert apart(solve_take(with_points(nameless, LEG, nothing), Settings()), whole) < SAME_M


def test_joint_centres_beside_a_body_half_of_which_bears_no_marker_are_not_looked_through(walk: Take, looked: list[str]) -> None:
    legs = [row for row, label in enumerate(walk.labels) if label[1:] in ("FWT", "BWT", "THI", "KNE", "SHN", "ANK", "HEE", "TOE", "MT5")]
    pairs = (("LKNE", "LSHN"), ("RKNE", "RSHN"), ("LANK", "LHEE"), ("RANK", "RHEE"), ("LTHI", "LKNE"), ("RTHI", "RKNE"), ("LFWT", "LBWT"))
    # a third of the way, and aside: no mean of others, which would be known for computed
    first, last = (walk.positions[:, [walk.labels.index(pair[end]) for pair in pairs]] for end in (0, 1))
    noise = np.random.default_rng(0).normal(0.0, 0.0005, first.shape)
    centres = 0.7 * first + 0.3 * last + noise
    names = tuple(f"Centre{row}" for row in range(len(pairs)))
    solve_take(with_points(walk.only(legs), names, centres), Settings())
    assert looked == []


def test_points_that_stand_about_are_no_limb(walk: Take, looked: list[str]) -> None:
    rest = walk.only([row for row, label in enumerate(walk.labels) if label not in LEG])
    random = np.random.default_rng(0)
    places = np.nanmean(walk.positions, axis=(0, 1)) + random.uniform(-1.0, 1.0, (1, len(LEG), 3))
    points = places + random.normal(0.0, 0.0003, (walk.frames, len(LEG), 3))
    names = tuple(f"*{row}" for row in range(len(LEG)))
    found = solve_take(with_points(rest, names, points), Settings())
    assert looked == [rest.name]
    assert apart(found, solve_take(rest, Settings())) < SAME_M
    assert not set(LEG) & set(found.actor.labels)


@pytest.mark.parametrize(("taken", "enough"), [(1, False), (3, False), (5, True)])
def test_a_few_of_many_points_that_look_like_missing_labels_are_not_taken_for_them(walk: Take, taken: int, enough: bool) -> None:
    """Somebody wears no markers on a leg, and holds a stick with seven."""
    rest = walk.only([row for row, label in enumerate(walk.labels) if label not in LEG])
    points = np.nanmean(rest.positions, axis=1, keepdims=True) + 0.2 * np.arange(len(LEG))[:, None]
    marker_set = load_marker_set()
    found = label_rest(walk, {label: label for label in walk.labels}, marker_set)
    mistaken = replace(found, take=with_points(rest, LEG[:taken], points[:, :taken]))
    nameless = with_points(rest, tuple(f"*{row}" for row in range(len(LEG))), points)
    whole = completed(nameless, names_of(nameless, marker_set), marker_set, mistaken)
    assert (whole is not None) == enough
    assert whole is None or set(LEG[:taken]) <= set(whole.labels)


def test_the_labels_are_found_of_a_given_actor_too(walk: Take, whole: Solution) -> None:
    found = solve_take(called(walk, LEG, lambda row: f"*{row}"), Settings(), whole.actor)
    assert apart(found, solve_take(walk, Settings(), whole.actor)) < SAME_M


def test_two_labels_that_are_missing_are_not_looked_for(walk: Take, looked: list[str]) -> None:
    solve_take(called(walk, LEG[:2], lambda row: f"*{row}"), Settings())
    assert looked == []
