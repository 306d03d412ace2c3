# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels that sit elsewhere than their names say throughout a take: named, and the solve that of the right labels."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.actors.prior import bundled
from model.core.settings import Settings
from model.core.take import FloatArray, IntArray, Take
from model.engine import subject
from model.engine.pipeline import solve_take
from model.files.readers import read_take
from model.marker_sets.marker_set import bundled_marker_sets
from model.result.solution import Solution
from model.solver import misplaced
from model.solver.misplaced import FITS, GAIN, LOST, LOST_M, NOWHERE, SUSPECT, _doubtful, assigned  # pyright: ignore[reportPrivateUsage]
from model.solver.take_actor import fit_any_size
from model.synthetic.synthesis import Noise, synthesise


@pytest.fixture(scope="module")
def take() -> Take:
    return synthesise(seconds=3.0, rate_hz=60.0, noise=Noise(gaps=0.0, long_gaps=0, spikes=0.0, swaps=0), seed=3).take


@pytest.fixture(scope="module")
def right(take: Take) -> Solution:
    return solve_take(take, Settings(workers=1))


def renamed(take: Take, names: dict[str, str]) -> Take:
    return replace(take, labels=tuple(names.get(label, label) for label in take.labels))


def off_mm(solution: Solution, right: Solution) -> float:
    return 1000 * float(np.linalg.norm(solution.positions - right.positions, axis=-1).max())


def test_right_labels_are_left_alone(right: Solution) -> None:
    assert [each for each in right.findings if each.kind == "misplaced"] == []


@pytest.mark.parametrize(
    "cycle",
    [("LSHO", "LSHN", "C7"), ("RELB", "RFIN", "LKNE"), ("LFWT", "RWRB", "LTOE"), ("LBHD", "RBWT", "RANK")],
    ids=lambda cycle: "-".join(cycle),
)
def test_exchanged_labels_are_named_and_put_right(take: Take, right: Solution, cycle: tuple[str, str, str]) -> None:
    exchanged = renamed(take, dict(zip(cycle, (*cycle[1:], cycle[0]), strict=True)))
    solution = solve_take(exchanged, Settings(workers=1))
    assert off_mm(solution, right) < 0.5
    said = [each for each in solution.findings if each.kind == "misplaced"]
    assert {label for each in said for label in each.labels} == set(cycle)
    assert all(each.numbers["away_mm"] > 100 for each in said)


@pytest.mark.parametrize("pair", [("RFIN", "RWRB"), ("LUPA", "LELB"), ("RBWT", "LFWT"), ("LTOE", "LMT5")], ids="-".join)
def test_neighbours_that_are_exchanged_are_named_and_put_right(take: Take, right: Solution, pair: tuple[str, str]) -> None:
    solution = solve_take(renamed(take, {pair[0]: pair[1], pair[1]: pair[0]}), Settings(workers=1))
    assert off_mm(solution, right) < 0.5
    assert {label for each in solution.findings if each.kind == "misplaced" for label in each.labels} == set(pair)


@pytest.mark.parametrize("limb", [("UPA", "ELB", "FRM", "WRA", "WRB", "FIN"), ("THI", "KNE", "SHN", "ANK", "HEE", "TOE")], ids="-".join)
@pytest.mark.parametrize("side", ["L", "R"])
@pytest.mark.parametrize("step", [1, -1])
def test_labels_that_are_shifted_along_a_limb_are_named_and_put_right(
    take: Take, right: Solution, limb: tuple[str, ...], side: str, step: int
) -> None:
    """As by somebody who names a limb's markers one after the other, and begins with the wrong one."""
    labels = [side + label for label in limb]
    shifted = renamed(take, dict(zip(labels, (*labels[step:], *labels[:step]), strict=True)))
    solution = solve_take(shifted, Settings(workers=1))
    assert off_mm(solution, right) < 0.5
    assert {label for each in solution.findings if each.kind == "misplaced" for label in each.labels} == set(labels)


def test_labels_that_are_mostly_wrong_are_found_by_motion(take: Take, right: Solution) -> None:
    """Head and legs under each other's names, as where somebody has named the columns upside down."""
    ring = ("C7", "LMT5", "LKNE", "RBHD", "RTOE", "RSHN", "LFHD", "LHEE", "LANK", "T10")
    solution = solve_take(renamed(take, dict(zip(ring, (*ring[1:], ring[0]), strict=True))), Settings(workers=1))
    assert off_mm(solution, right) < 0.5
    said = [each for each in solution.findings if each.kind == "misplaced"]
    assert {label for each in said for label in each.labels} == set(ring)
    assert any(each.kind == "labelled" for each in solution.findings)


def test_nonsense_gets_the_labels_that_the_set_misses(take: Take, right: Solution) -> None:
    lost = ("LFHD", "LSHO", "RELB", "RBWT", "LKNE", "RTOE")
    solution = solve_take(renamed(take, {label: f"blob {number}" for number, label in enumerate(lost)}), Settings(workers=1))
    assert off_mm(solution, right) < 0.5
    said = {each.labels: each.text for each in solution.findings if each.kind == "misplaced"}
    assert set(said) == {(label,) for label in lost}
    assert said[("LSHO",)] == "blob 1 is taken for LSHO, at whose place it sits."
    assert [each for each in solution.findings if each.kind in ("missing", "attached")] == []


def test_a_label_whose_place_is_nowhere_is_attached_by_motion(take: Take, right: Solution) -> None:
    """The elbow's label sits on a ring finger that no set knows."""
    row, hand = take.labels.index("RELB"), take.labels.index("RFIN")
    positions = take.positions.copy()
    beyond = positions[:, hand] + 0.3 * (positions[:, hand] - positions[:, take.labels.index("RWRB")])
    # a point that is exactly a function of others would be a computed one
    positions[:, row] = beyond + np.random.default_rng(0).normal(0.0, 0.001, beyond.shape)
    solution = solve_take(replace(take, positions=positions), Settings(workers=1))
    (said,) = [each for each in solution.findings if each.kind == "misplaced"]
    assert said.labels == ("RELB",)
    assert "its label is not believed" in said.text
    joints = dict(zip(solution.actor.labels, solution.actor.marker_joints, strict=True))
    found = [joint for label, joint in joints.items() if label.startswith("RELB")]
    assert all("Hand" in solution.actor.skeleton.joints[joint] or "Finger" in solution.actor.skeleton.joints[joint] for joint in found)
    assert 1000 * np.linalg.norm(solution.positions - right.positions, axis=-1).mean() < 10


def test_what_is_left_of_a_hand_is_not_turned(take: Take, right: Solution) -> None:
    """Of the wrist's markers one is far away under another label: the other, alone, does not show which of the two it is."""
    for ring in (("RWRA", "RSHN", "RWRB"), ("LWRB", "LKNE", "LWRA")):
        solution = solve_take(renamed(take, dict(zip(ring, (*ring[1:], ring[0]), strict=True))), Settings(workers=1))
        assert off_mm(solution, right) < 0.5
        said = [each for each in solution.findings if each.kind == "misplaced"]
        assert {label for each in said for label in each.labels} == set(ring)
        # how far the marker is that was judged while the hand was turned, too
        assert all(each.numbers["away_mm"] > 50 for each in said)


@pytest.mark.parametrize("side", ["L", "R"])
def test_labels_of_an_arm_that_all_moved_down_it(take: Take, side: str) -> None:
    """The elbow's label sits on the wrist, the wrist's on its other side and on the hand, and nothing on the elbow."""
    wrist_in, wrist_out, hand, elbow = (side + name for name in ("WRA", "WRB", "FIN", "ELB"))
    kept = [row for row, label in enumerate(take.labels) if label not in (elbow, side + "FRM")]
    truth = take.only(kept)
    moved = renamed(truth, {wrist_out: elbow, wrist_in: wrist_out, hand: wrist_in})
    solution, wanted = (solve_take(each, Settings(workers=1)) for each in (moved, truth))
    said = {each.labels[0] for each in solution.findings if each.kind == "misplaced"}
    assert {wrist_in, wrist_out} <= said
    assert 1000 * np.linalg.norm(solution.positions - wanted.positions, axis=-1).mean() < 0.5


def test_labels_that_a_catalogue_misses_are_the_other_sides(take: Take) -> None:
    """Of a set that has everything the take lacks most labels; of an unknown name the other side's label tells where it belongs."""
    generic = next(known for known in bundled_marker_sets() if known.name.startswith("generic"))
    lost = ("LFHD", "LSHO", "RELB", "RKNE", "RTOE", "CLAV")
    nonsense = renamed(take, {label: f"blob {number}" for number, label in enumerate(lost)})
    solution, wanted = (solve_take(each, Settings(workers=1), marker_set=generic) for each in (nonsense, take))
    assert off_mm(solution, wanted) < 0.5
    assert {each.labels[0] for each in solution.findings if each.kind == "misplaced"} == set(lost)


def test_a_marker_that_is_rarely_seen_is_judged_too(take: Take) -> None:
    ring = ("RMT5", "LKNE", "C7")
    positions, seen = take.positions.copy(), np.arange(take.frames) % 60 < 12
    positions[~seen, take.labels.index("RMT5")] = np.nan
    # and never where all others are, so that no frame is chosen for it by chance
    for label in ("LFIN", "RFIN", "LUPA"):
        positions[seen, take.labels.index(label)] = np.nan
    rare = replace(take, positions=positions)
    exchanged = renamed(rare, dict(zip(ring, (*ring[1:], ring[0]), strict=True)))
    solution, wanted = (solve_take(each, Settings(workers=1)) for each in (exchanged, rare))
    assert off_mm(solution, wanted) < 0.5
    assert {label for each in solution.findings if each.kind == "misplaced" for label in each.labels} == set(ring)


def table(*rows: tuple[float, ...]) -> FloatArray:
    return np.array(rows)


def test_labels_that_fit_about_as_well_are_not_moved() -> None:
    costs = table((0.9 * GAIN, 0.0), (0.0, 0.9 * GAIN))
    np.testing.assert_array_equal(assigned(costs, np.ones((2, 2)), np.array([0, 1])), [0, 1])


def test_neighbours_exchange_though_neither_is_far_from_its_label() -> None:
    costs = table((SUSPECT - 1, 0.0), (0.0, SUSPECT - 1))
    np.testing.assert_array_equal(assigned(costs, np.ones((2, 2)), np.array([0, 1])), [1, 0])


def test_suspects_exchange_only_where_they_fit() -> None:
    costs = table((NOWHERE * 4, FITS - 1), (FITS - 1, NOWHERE * 4))
    np.testing.assert_array_equal(assigned(costs, np.ones((2, 2)), np.array([0, 1])), [1, 0])
    costs[0, 1] = FITS + 1
    np.testing.assert_array_equal(assigned(costs, np.ones((2, 2)), np.array([0, 1])), [-1, 0])


def test_two_that_fit_one_label_best_share_the_least_cost() -> None:
    costs = table((5.0, NOWHERE * 4), (1.0, 8.0))
    np.testing.assert_array_equal(assigned(costs, np.ones((2, 2)), np.array([0, 1])), [0, 1])


def test_a_lost_label_is_far_off_and_a_loose_one_stays() -> None:
    costs, near, far = table((LOST + 1,)), table((LOST_M - 0.01,)), table((LOST_M + 0.01,))
    np.testing.assert_array_equal(assigned(costs, near, np.array([0])), [0])
    np.testing.assert_array_equal(assigned(costs, far, np.array([0])), [-1])


def test_a_marker_without_samples_stays_what_it_is() -> None:
    costs = table((np.nan, np.nan), (np.nan, np.nan))
    np.testing.assert_array_equal(assigned(costs, costs, np.array([0, -1])), [0, -1])


@pytest.mark.parametrize(("name", "looks"), [("hdm05_dg", [False]), ("hdm05_mm", [True, True, True])])
def test_labels_that_are_right_are_believed_in_few_looks(
    takes_folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, looks: list[bool]
) -> None:
    """Most in the poses to which the actor was fitted; a marker that is doubted there, in both parts of the first look: in poses from wide
    scales, which take long, it would be once more."""
    doubts = list[bool]()

    def doubtful(costs: FloatArray, own: IntArray, gain: float = GAIN) -> bool:
        doubts.append(_doubtful(costs, own, gain))
        return doubts[-1]

    monkeypatch.setattr(misplaced, "_doubtful", doubtful)
    solution = solve_take(read_take(next((takes_folder / name).glob("*.c3d"))), Settings(workers=1))
    assert [each for each in solution.findings if each.kind == "misplaced"] == []
    assert doubts == looks


def test_labels_that_no_actor_can_be_fitted_to_are_judged_all_the_same(
    take: Take, right: Solution, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits = 0

    def fit(*given: object) -> object:
        nonlocal fits
        fits += 1
        if fits == 1:
            raise torch.linalg.LinAlgError  # pyright: ignore[reportPrivateImportUsage]
        return fit_any_size(*given)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(subject, "fit_any_size", fit)
    cycle = ("LFWT", "RWRB", "LTOE")
    solution = solve_take(renamed(take, dict(zip(cycle, (*cycle[1:], cycle[0]), strict=True))), Settings(workers=1))
    assert fits == 2
    assert off_mm(solution, right) < 0.5
    assert {label for each in solution.findings if each.kind == "misplaced" for label in each.labels} == set(cycle)


def test_real_labels_exchanged_in_a_take(takes_folder: Path) -> None:
    take = read_take(next((takes_folder / "hdm05_dg").glob("*.c3d")))
    prefix = "Daniel:"
    cycle = [prefix + label for label in ("RUPA", "RMT5", "RWRB")]
    exchanged = renamed(take, dict(zip(cycle, (cycle[1], cycle[2], cycle[0]), strict=True)))
    assert off_mm(solve_take(exchanged, Settings(workers=1)), solve_take(take, Settings(workers=1))) < 0.5


@pytest.mark.parametrize("name", ["wrong_label_whole_take", "alias_LSH_shoulder_as_shank"])
def test_takes_of_other_labs(case: Callable[[str], Path], name: str) -> None:
    solution = solve_take(read_take(case(name)), Settings(workers=1))
    wrong = {"wrong_label_whole_take": {"RELB"}, "alias_LSH_shoulder_as_shank": {"LSH", "RSH"}}[name]
    said = {each.text.split()[0]: each.text for each in solution.findings if each.kind == "misplaced"}
    assert wrong <= set(said)
    if "RELB" in wrong:
        # on the outer side of the wrist, where the outer wrist's label is on its inner side, and the inner one's on the knuckles
        taken = {label: re.search(r"taken for (\w+)", text) for label, text in said.items()}
        assert {label: found and found[1] for label, found in taken.items()} == {"RELB": "RWRB", "RWRB": "RWRA", "RWRA": None}
    assert bundled().actor.joints == solution.actor.skeleton.joints


@pytest.mark.parametrize(("name", "called"), [("LTIB", "LTIB"), ("LSHN", "LSHN?")])
def test_a_marker_whose_label_another_has_is_called_as_in_the_file(name: str, called: str) -> None:
    """Two labs' names for two places: the upper arm's marker is called as the set calls the shank's, the shank's own as no set does."""
    made = synthesise(seconds=3.0, rate_hz=60.0, noise=Noise(gaps=0.0, long_gaps=0, spikes=0.0, swaps=0), seed=3)
    positions, rotations = made.motion.forward()
    arm = made.motion.skeleton.joints.index("LeftArm")
    extra = positions[:, arm] + rotations[:, arm] @ np.array([0.15, 0.05, 0.06])
    named = renamed(made.take, {"LSHN": "blob"})
    take = replace(
        named,
        labels=(*named.labels, name),
        positions=np.concatenate([named.positions, extra[:, None]], axis=1),
        residuals=np.concatenate([named.residuals, np.zeros((named.frames, 1))], axis=1),
    )
    solution = solve_take(take, Settings(workers=1))
    said = {each.labels: each.text for each in solution.findings if each.kind == "misplaced"}
    assert said[("LSHN",)] == "blob is taken for LSHN, at whose place it sits."
    assert re.fullmatch(f"{name} is \\d+ mm from where LSHN belongs throughout the take: its label is not believed.", said[(called,)])
    attached = next(each for each in solution.findings if each.kind == "attached")
    assert dict(zip(attached.labels, attached.bones, strict=True)) == {called: "LeftArm"}
