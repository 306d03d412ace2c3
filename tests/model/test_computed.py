# SPDX-License-Identifier: GPL-3.0-or-later
"""Points that a lab computed from markers, among markers that move."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.core.settings import Settings
from model.core.take import FloatArray, Take
from model.engine.pipeline import solve_take
from model.markers.computed import exact_means, may_be_means, without_computed
from model.markers.matching import COMPUTED, bare_name
from model.synthetic.synthesis import SyntheticTake


def with_points(take: Take, **points: FloatArray) -> Take:
    """A take with further points (frames, 3) in metres."""
    positions = np.stack(list(points.values()), axis=1)
    return take.beside(replace(take, labels=tuple(points), positions=positions, residuals=np.zeros(positions.shape[:2]), origins=()))


def at(take: Take, label: str) -> FloatArray:
    return take.positions[:, take.labels.index(label)]


def test_means_and_copies_are_found(synthetic: SyntheticTake) -> None:
    take = synthetic.take
    middle = (at(take, "LSHO") + at(take, "RSHO")) / 2
    plane = 0.5 * at(take, "LKNE") + 0.3 * at(take, "LTHI") + 0.2 * at(take, "LFWT")
    more = with_points(take, middle=middle, plane=plane, copy=at(take, "C7"))
    left, said = without_computed(more)
    assert left.labels == take.labels
    (finding,) = said
    assert finding.kind == "left out"
    assert finding.text == "Left out, as they are means of other points in every frame, not markers: middle, plane, copy."


def test_the_middle_of_two_is_computed_whatever_it_is_called(synthetic: SyntheticTake) -> None:
    take = synthetic.take
    rows = {label: row for row, label in enumerate(take.labels)}
    named = take.only([*rows.values()], tuple("P1" if label == "LBWT" else label for label in take.labels))
    positions = named.positions.copy()
    positions[:, rows["STRN"]] = (positions[:, rows["LFIN"]] + positions[:, rows["LBWT"]]) / 2
    left, _ = without_computed(replace(named, positions=positions))
    assert set(named.labels) - set(left.labels) == {"STRN"}


def test_markers_stay(synthetic: SyntheticTake) -> None:
    take = synthetic.take
    assert without_computed(take) == (take, ())
    # nearly a mean
    noisy = (at(take, "LSHO") + at(take, "RSHO")) / 2 + np.random.default_rng(0).normal(0.0, 2e-4, (take.frames, 3))
    assert without_computed(with_points(take, noisy=noisy))[1] == ()
    # a mean but for a moment
    moment = (at(take, "LSHO") + at(take, "RSHO")) / 2
    moment[take.frames // 2 + 1] += 0.001
    assert without_computed(with_points(take, moment=moment))[1] == ()


def test_a_marker_between_rigid_ones_is_a_marker() -> None:
    """A stick with three markers on it, and points that never move."""
    random = np.random.default_rng(0)
    ends = np.cumsum(random.normal(0.0, 0.01, (200, 1, 3)), axis=0) + np.array([[0.0, 0, 0], [0, 0, 1]])
    stick = np.concatenate([ends, ends.mean(axis=1, keepdims=True)], axis=1)
    still = np.tile(random.normal(size=(6, 3)), (200, 1, 1))
    points = np.concatenate([stick, still], axis=1)
    assert list(exact_means(points, np.isfinite(points[..., 0]))) == []


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e200])
def test_only_what_may_be_a_mean_is_looked_at_closely(synthetic: SyntheticTake, scale: float) -> None:
    take = synthetic.take
    middle = (at(take, "LSHO") + at(take, "RSHO")) / 2
    more = with_points(take, middle=middle, copy=at(take, "C7"))
    rows = {label: row for row, label in enumerate(more.labels)}
    candidates = may_be_means(scale * more.positions, more.present)
    assert {rows[label] for label in ("middle", "copy", "C7")} <= set(candidates)
    if scale == 1.0:
        # each of three can be solved for
        assert {more.labels[row] for row in candidates} == {"middle", "copy", "C7", "LSHO", "RSHO"}
        assert not may_be_means(take.positions, take.present)
        # where they are never all seen, each is looked at
        gone = more.present.copy()
        gone[::2, 0], gone[1::2, 1] = False, False
        assert len(may_be_means(more.positions, gone)) == len(more.labels)


def test_gaps_hide_no_mean(synthetic: SyntheticTake) -> None:
    take = synthetic.take
    middle = (at(take, "LSHO") + at(take, "RSHO")) / 2
    middle[:50] = np.nan
    positions = take.positions.copy()
    positions[100:200, take.labels.index("LSHO")] = np.nan
    positions[::7, take.labels.index("RTOE")] = np.nan
    left, _ = without_computed(with_points(replace(take, positions=positions), middle=middle))
    assert left.labels == take.labels


@pytest.mark.parametrize("label", ["LHJC", "HJC_R", "RKneeJointCenter", "CentreOfGravity", "mid_ASIS", "MidHip", "V_Virtual_1", "CoM"])
def test_names_of_computed_points(label: str) -> None:
    assert COMPUTED.search(bare_name(label))


@pytest.mark.parametrize("label", ["LSHO", "RHIP", "KNEE_L", "LWJ", "Midback", "LCOP1", "HEAD", "STRN"])
def test_names_of_markers(label: str) -> None:
    assert not COMPUTED.search(bare_name(label))


def test_a_solve_says_what_it_leaves_out(synthetic: SyntheticTake) -> None:
    take = replace(synthetic.take, positions=synthetic.take.positions[:150], residuals=synthetic.take.residuals[:150])
    solution = solve_take(with_points(take, middle=(at(take, "LKNE") + at(take, "RKNE")) / 2), Settings())
    assert "middle" not in solution.clean.take.labels
    assert any("means of other points" in warning for warning in solution.warnings)


def test_points_of_which_no_mean_is_found_in_time_are_markers(synthetic: SyntheticTake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Angles and moments as points, beside markers, keep scipy's solver from its end."""

    def never(*_arguments: object) -> None:
        raise RuntimeError("Maximum number of iterations reached.")

    take, middle = synthetic.take, synthetic.take.positions[:, :2].mean(axis=1, keepdims=True)
    both = replace(take, labels=(*take.labels, "x"), positions=np.concatenate([take.positions, middle], axis=1))
    both = replace(both, residuals=np.zeros(both.positions.shape[:2]))
    assert without_computed(both)[1]
    monkeypatch.setattr("scipy.optimize.nnls", never)
    assert without_computed(both) == (both, ())


@pytest.mark.filterwarnings("error")
def test_points_that_are_all_at_one_place_may_all_be_means() -> None:
    positions = np.full((200, 4, 3), 0.3)
    assert may_be_means(positions, np.ones((200, 4), dtype=bool)) == [0, 1, 2, 3]
