# SPDX-License-Identifier: GPL-3.0-or-later
"""Mistakes in labelling, on takes whose markers are known: found where the true places are given, and by whole solves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.actors.prior import bundled
from model.core.findings import sentences
from model.core.settings import Settings
from model.core.take import Take
from model.engine.pipeline import solve_take
from model.marker_sets.marker_set import load_marker_set
from model.markers.corrections import Correction
from model.markers.matching import match, unlabelled
from model.markers.relabelling import relabel
from model.markers.sides import put_sides_right
from model.result.report import build_report
from model.synthetic.synthesis import Noise, SyntheticTake, synthesise

CMU = load_marker_set()


def sides_of(take: Take) -> tuple[Take, tuple[Correction, ...]]:
    """`put_sides_right` with the usual places of the CMU set."""
    return put_sides_right(take, CMU, bundled().placement(CMU, take.labels), bundled())


LEFT_LEG = ("LTHI", "LKNE", "LSHN", "LANK", "LHEE", "LTOE", "LMT5")


@pytest.fixture(scope="module")
def clean() -> SyntheticTake:
    """Six seconds with jitter and nothing else."""
    return synthesise(seconds=6.0, seed=3, noise=Noise(gaps=0.0, long_gaps=0, spikes=0.0, swaps=0))


def rows(take: Take, *labels: str) -> list[int]:
    return [take.labels.index(label) for label in labels]


def changed(take: Take, edit, *, extra: int = 0) -> Take:
    """The take after `edit(positions)`, with `extra` unlabelled points that are never seen."""
    labels = take.labels + tuple(f"*{number}" for number in range(extra))
    positions = np.concatenate([take.positions, np.full((take.frames, extra, 3), np.nan)], axis=1)
    edit(positions)
    return replace(take, labels=labels, positions=positions, residuals=np.zeros(positions.shape[:2]))


def swapped(take: Take, a: str, b: str, start: int, end: int) -> Take:
    pair = rows(take, a, b)
    return changed(take, lambda positions: positions.__setitem__((slice(start, end), pair), positions[start:end, pair[::-1]]))


def put_right(take: Take, markers: np.ndarray) -> tuple[Take, tuple[Correction, ...]]:
    """With the places that a perfect first solve would give."""
    return relabel(match(take, CMU), unlabelled(take), markers)


def test_a_clean_take_is_left_as_it_is(clean):
    take = match(clean.take, CMU)
    assert relabel(take, unlabelled(clean.take), clean.markers) == (take, ())
    assert sides_of(take) == (take, ())


@pytest.mark.parametrize(("a", "b"), [("LWRA", "LWRB"), ("LFWT", "RFWT"), ("RSHN", "RANK")])
@pytest.mark.parametrize(("start", "end"), [(100, 130), (0, 40), (690, 720)])
def test_two_neighbours_are_swapped_back_for_their_span(clean, a, b, start, end):
    take, corrections = put_right(swapped(clean.take, a, b, start, end), clean.markers)
    np.testing.assert_array_equal(take.positions, clean.take.positions)
    assert [(each.kind, each.first, each.last) for each in corrections] == [("swapped back", start, end - 1)]
    assert set(corrections[0].labels) == {a, b}


def test_two_swaps_of_a_pair_leave_what_is_right_between_them(clean):
    take, corrections = put_right(swapped(swapped(clean.take, "LWRA", "LWRB", 100, 116), "LWRA", "LWRB", 122, 150), clean.markers)
    np.testing.assert_array_equal(take.positions, clean.take.positions)
    assert [(each.first, each.last) for each in corrections] == [(100, 115), (122, 149)]


def test_a_gap_goes_with_its_marker(clean):
    a, b = rows(clean.take, "LWRA", "LWRB")
    truth = changed(clean.take, lambda positions: positions.__setitem__((slice(110, 115), a), np.nan))
    take, _ = put_right(swapped(truth, "LWRA", "LWRB", 100, 130), clean.markers)
    np.testing.assert_array_equal(take.positions, truth.positions)
    assert not take.present[110:115, a].any()
    assert take.present[110:115, b].all()


def test_three_labels_in_a_circle_are_put_right(clean):
    circle = rows(clean.take, "LWRA", "LWRB", "LFIN")

    def edit(positions):
        positions[200:230, circle] = positions[200:230, circle[1:] + circle[:1]]

    take, corrections = put_right(changed(clean.take, edit), clean.markers)
    np.testing.assert_array_equal(take.positions, clean.take.positions)
    assert [(each.kind, each.first, each.last) for each in corrections] == [("relabelled", 200, 229)] * 3


def test_a_swap_is_found_though_the_first_solve_is_off(clean):
    """The model follows neither marker well: continuity at both ends decides."""
    a, b = rows(clean.take, "RELB", "RFRM")
    places = clean.markers.copy()
    off = 0.4 * np.interp(np.arange(len(places)), [80, 100, 130, 150], [0, 1, 1, 0])[:, None] * (places[:, b] - places[:, a])
    places[:, a] += off
    places[:, b] -= off
    take, corrections = put_right(swapped(clean.take, "RELB", "RFRM", 100, 130), places)
    assert [each.kind for each in corrections] == ["swapped back"]
    np.testing.assert_array_equal(take.positions, clean.take.positions)


def test_a_marker_that_moves_on_smoothly_keeps_its_label(clean):
    """A hand that the solver loses is no mistake in labelling, even if it comes near another place that is free."""
    a, b = rows(clean.take, "LWRA", "LWRB")
    fade = np.concatenate([np.linspace(0, 1, 60), np.linspace(1, 0, 60)])[:, None]

    def edit(positions):
        positions[100:220, a] += fade * (positions[100:220, b] - positions[100:220, a])
        positions[100:220, b] = np.nan

    broken = changed(clean.take, edit)
    take, corrections = put_right(broken, clean.markers)
    assert corrections == ()
    np.testing.assert_array_equal(take.positions, broken.positions)


def test_an_unlabelled_point_fills_a_gap(clean):
    marker = rows(clean.take, "RSHN")[0]

    def edit(positions):
        positions[150:250, -1] = positions[150:250, marker]
        positions[100:300, marker] = np.nan

    take, corrections = put_right(changed(clean.take, edit, extra=1), clean.markers)
    assert corrections == (Correction("filled", ("*0", "RSHN"), 150, 249),)
    assert np.flatnonzero(~take.present[:, marker]).tolist() == [*range(100, 150), *range(250, 300)]
    np.testing.assert_array_equal(take.positions[150:250, marker], clean.take.positions[150:250, marker])


def test_an_unlabelled_point_elsewhere_or_beside_a_good_sample_is_left_out(clean):
    marker = rows(clean.take, "RSHN")[0]

    def edit(positions):
        positions[100:300, -1] = positions[100:300, marker] + 0.01
        positions[:, -2] = positions[:, marker] + 0.5

    take, corrections = put_right(changed(clean.take, edit, extra=2), clean.markers)
    assert corrections == ()
    np.testing.assert_array_equal(take.positions, clean.take.positions)


def test_a_ghost_under_a_label_is_dropped(clean):
    marker = rows(clean.take, "RBAC")[0]
    ghost = changed(clean.take, lambda positions: positions.__setitem__((slice(300, 340), marker), positions[300, marker] + 0.2))
    take, corrections = put_right(ghost, clean.markers)
    assert corrections == (Correction("dropped", ("RBAC",), 300, 339),)
    assert np.argwhere(~take.present).tolist() == [[frame, marker] for frame in range(300, 340)]


def test_what_only_the_first_solve_jumps_away_from_is_kept(clean):
    marker = rows(clean.take, "LWRA")[0]
    places = clean.markers.copy()
    places[300:340, marker] += 0.2
    assert put_right(clean.take, places)[1] == ()


def test_single_spikes_are_left_to_the_cleaning(clean):
    random = np.random.default_rng(0)
    spikes = random.random(clean.take.positions.shape[:2]) < 0.08
    noisy = changed(
        clean.take, lambda positions: positions.__setitem__(spikes, positions[spikes] + random.uniform(-0.5, 0.5, (spikes.sum(), 3)))
    )
    assert put_right(noisy, clean.markers)[1] == ()
    assert sides_of(match(noisy, CMU))[1] == ()


def exchanged(take: Take, lefts: tuple[str, ...], start: int, end: int) -> Take:
    for left in lefts:
        take = swapped(take, left, f"R{left[1:]}", start, end)
    return take


@pytest.mark.parametrize("lefts", [LEFT_LEG, ("LSHO", "LUPA", "LELB", "LFRM", "LWRA", "LWRB", "LFIN"), ("LFHD", "LBHD"), ("LFWT", "LBWT")])
@pytest.mark.parametrize(("start", "end"), [(0, 720), (200, 400)])
def test_a_segment_with_its_sides_exchanged_is_put_right(clean, lefts, start, end):
    take, corrections = sides_of(exchanged(clean.take, lefts, start, end))
    np.testing.assert_array_equal(take.positions, clean.take.positions)
    assert [(each.kind, each.first, each.last) for each in corrections] == [("sides exchanged", start, end - 1)]
    assert set(corrections[0].labels) == {*lefts, *(f"R{left[1:]}" for left in lefts)}


def test_a_thigh_alone_is_exchanged_alone(clean):
    take, corrections = sides_of(exchanged(clean.take, ("LTHI", "LKNE"), 0, 720))
    np.testing.assert_array_equal(take.positions, clean.take.positions)
    assert corrections == (Correction("sides exchanged", ("LTHI", "RTHI", "LKNE", "RKNE"), 0, 719),)


def test_sides_that_change_without_a_jump_are_only_reported(clean):
    legs = rows(clean.take, *LEFT_LEG), rows(clean.take, *(f"R{left[1:]}" for left in LEFT_LEG))
    fade = np.clip(np.concatenate([np.linspace(0, 1, 100), np.ones(100), np.linspace(1, 0, 100)]), 0, 1)[:, None, None]

    def edit(positions):
        left, right = positions[200:500, legs[0]], positions[200:500, legs[1]]
        positions[200:500, legs[0]], positions[200:500, legs[1]] = left + fade * (right - left), right + fade * (left - right)

    crossed = changed(clean.take, edit)
    take, corrections = sides_of(crossed)
    assert take is crossed
    assert [each.kind for each in corrections] == ["sides doubtful"]
    assert "LTHI" in corrections[0].labels


def test_warnings_number_frames_as_the_file_does():
    found = [
        Correction("swapped back", ("LWRA", "LWRB"), 4, 9),
        Correction("filled", ("*0", "RSHN"), 0, 0),
        Correction("swapped back", ("RWRA", "RWRB"), 14, 19),
    ]
    findings = [each.finding(lambda frame: frame + 101) for each in found]
    assert [each.text for each in findings[:2]] == [
        "Labels that had been swapped were swapped back: LWRA and LWRB in frames 105 to 110.",
        "Unlabelled points were taken where they continue a missing marker: *0 for RSHN in frame 101.",
    ]
    assert sentences(findings, lambda frame: frame + 101) == [
        "Labels that had been swapped were swapped back (frames): LWRA and LWRB in 105 to 110; RWRA and RWRB in 115 to 120.",
        findings[1].text,
    ]


def test_a_whole_solve_puts_mistakes_right_and_reports_them(clean):
    marker = rows(clean.take, "RSHN")[0]

    def edit(positions):
        positions[150:250, -1] = positions[150:250, marker]
        positions[150:250, marker] = np.nan

    take = replace(swapped(changed(clean.take, edit, extra=1), "LFWT", "RFWT", 300, 330), first_frame=11)
    take = swapped(exchanged(take, LEFT_LEG, 450, 720), "LWRA", "LWRB", 30, 70)
    solution = solve_take(take, Settings())
    np.testing.assert_array_equal(solution.clean.take.positions, clean.take.positions)
    report = build_report(solution, solution.seconds)
    found = {(each["kind"], tuple(sorted(each["labels"])), *each["frames"][0]) for each in report["findings"] if each["frames"]}
    legs = tuple(sorted(side + left[1:] for left in LEFT_LEG for side in "LR"))
    assert found == {
        ("swapped back", ("LWRA", "LWRB"), 41, 80),
        ("filled", ("*0", "RSHN"), 161, 260),
        ("swapped back", ("LFWT", "RFWT"), 311, 340),
        ("sides exchanged", legs, 461, 730),
    }
    assert sum("in 311 to 340" in warning for warning in report["warnings"]) == 1


def test_a_whole_solve_tells_corrections_by_the_names_of_the_file(clean):
    take = swapped(clean.take, "LFWT", "RFWT", 300, 330)
    own = {"LFWT": "Otto:LASI", "RFWT": "Otto:RFWT"}
    take = replace(take, labels=tuple(own.get(label, f"Otto:{label}") for label in take.labels))
    (found,) = solve_take(take, Settings(), marker_set=CMU).findings
    assert set(found.labels) == set(own)
    assert set(found.markers) == set(own.values())
    assert "LFWT (Otto:LASI)" in found.text
    assert "Otto:RFWT" not in found.text


def test_a_whole_solve_of_a_clean_take_corrects_nothing(clean):
    solution = solve_take(clean.take, Settings())
    assert solution.findings == ()
    np.testing.assert_array_equal(solution.clean.take.positions, clean.take.positions)
