# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels of files matched to marker sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.core.errors import BonesetterError
from model.core.findings import Finding
from model.core.take import Take
from model.files.c3d import read_c3d
from model.marker_sets.marker_set import BUNDLED, load_marker_set
from model.markers.matching import TooFewLabelsError, choose_marker_set, match, match_all

CMU = load_marker_set()
READ = Finding("file", "Read.")


def texts(take: Take) -> tuple[str, ...]:
    return tuple(finding.text for finding in take.findings)


def take_of(labels: list[str], frames: int = 6) -> Take:
    """Each marker stands still at its own place."""
    positions = np.tile(np.arange(len(labels), dtype=float)[None, :, None], (frames, 1, 3))
    return Take("walk", tuple(labels), positions, np.zeros(positions.shape[:2]), 100.0, findings=(READ,))


@given(st.permutations(CMU.labels), st.sampled_from(["", "Male:", "Takeo Monday:", "a:b:", "John_", "Skeleton 001_"]), st.booleans())
def test_prefix_case_and_order_do_not_matter(labels: list[str], prefix: str, lower: bool) -> None:
    matched = match(take_of([prefix + (label.lower() if lower else label) for label in labels]), CMU)
    assert matched.labels == CMU.labels
    assert matched.findings == (READ,)
    np.testing.assert_array_equal(matched.positions[0, :, 0], [labels.index(label) for label in CMU.labels])


def test_aliases_give_way_to_the_label_itself() -> None:
    labels = ["LASI" if label == "LFWT" else label for label in CMU.labels]
    assert "LFWT" in match(take_of(labels), CMU).labels
    both = match(take_of([*CMU.labels, "LASI"]), CMU)
    assert both.positions[0, both.labels.index("LFWT"), 0] == CMU.labels.index("LFWT")
    assert "LASI" in both.findings[-1].text


def test_what_is_left_out_or_absent_is_said() -> None:
    take = take_of(["*0", "*1", "Ball", *CMU.labels[:-2], "LHIP"])
    take.positions[:, 3] = np.nan
    matched = match(take, CMU)
    assert matched.labels == CMU.labels[1:-2]
    assert texts(matched) == (
        "Read.",
        "2 unlabelled points are left out where they fit no gap.",
        "Solved without these markers of the set: LFHD, RTOE, RMT5.",
        "Left out, as the marker set 'CMU, 41 markers' has no such labels: Ball, LHIP.",
    )


def test_of_two_subjects_the_fuller_one_is_taken() -> None:
    take = take_of([f"{subject}:{label}" for subject in ("Ann", "Bob") for label in CMU.labels])
    take.positions[0, : len(CMU.labels)] = np.nan
    matched = match(take, CMU)
    assert matched.positions[0, 0, 0] == len(CMU.labels)
    assert "'Bob' is solved" in matched.findings[1].text
    assert "'Ann' left out" in matched.findings[1].text


SEGMENT_OF = {"L": "Left", "R": "Right"}


@pytest.mark.parametrize(
    "prefix",
    [
        lambda label: f"{SEGMENT_OF.get(label[0], 'Trunk')}:{label}",
        lambda label: f"Sub:{label}" if label in CMU.labels[:15] else label,
        lambda label: f"{label[:2]}_x:{label}" if label[0] == "R" else f"Rest:{label}",
    ],
    ids=["one a segment", "on some labels", "many"],
)
def test_prefixes_of_segments_are_one_persons(prefix: Callable[[str], str]) -> None:
    take = take_of([prefix(label) for label in CMU.labels])
    assert choose_marker_set(take).name == CMU.name
    matched, unknown = match_all(take, CMU)
    assert matched.labels == CMU.labels
    assert unknown.labels == ()
    assert matched.findings == (READ,)


def test_two_people_with_prefixes_of_segments_stay_two() -> None:
    one = [f"{SEGMENT_OF.get(label[0], 'Trunk')}:{label}" for label in CMU.labels]
    matched = match(take_of([*one, *(f"Bob:{label}" for label in CMU.labels)]), CMU)
    assert matched.labels == CMU.labels
    assert any("The file holds 2 subjects" in warning for warning in texts(matched))


def test_a_duplicate_fills_the_gaps_that_it_continues() -> None:
    take = take_of([*CMU.labels, "RBAC-1"], frames=20)
    marker = CMU.labels.index("RBAC")
    take.positions[5:9, marker] = np.nan
    take.positions[:, -1] = np.nan
    take.positions[4:8, -1] = marker + 0.01
    matched = match(take, CMU)
    assert np.flatnonzero(~matched.present[:, marker]).tolist() == [8]
    assert matched.positions[4, marker, 0] == marker
    assert matched.findings[-1].text == "RBAC-1 fills 3 missing samples of RBAC, its other 1 are left out."


def test_a_duplicate_elsewhere_is_left_out() -> None:
    take = take_of([*CMU.labels, "RBAC-1"], frames=20)
    marker = CMU.labels.index("RBAC")
    take.positions[5:9, marker] = np.nan
    take.positions[:, -1] = marker + 1.0
    matched = match(take, CMU)
    assert not matched.present[5:9, marker].any()
    assert matched.findings[-1].text == "RBAC-1 is left out: none of its 20 samples continues RBAC where that is missing."


@pytest.mark.parametrize("labels", [["A", "B"], list(CMU.labels[:11])])
def test_too_few_markers_are_refused(labels: list[str]) -> None:
    said = r"too few to solve: at least 12 are needed; .*Marker Set in the panel, or --layout"
    with pytest.raises(TooFewLabelsError, match=said) as caught:
        match(take_of(labels), CMU)
    assert caught.value.why.endswith("at least 12 are needed.")


def test_too_few_markers_of_the_trunk_are_refused_with_the_labels_wanted() -> None:
    limbs = [label for label in CMU.labels if label not in CMU.core]
    said = r"has 2 of the markers of the trunk, too few to solve: at least 3 are needed of LFWT, RFWT.*Marker Set in the panel, or --layout"
    with pytest.raises(TooFewLabelsError, match=said):
        match(take_of([*limbs, *CMU.core[:2]]), CMU)


def test_a_duplicate_without_samples_is_left_out() -> None:
    take = take_of([*CMU.labels, "RBAC-1"], frames=20)
    take.positions[:, -1] = np.nan
    assert match(take, CMU).findings[-1].text == "RBAC-1 is left out: it has no samples."


def test_points_without_a_label_are_told_once() -> None:
    take = take_of([*CMU.labels, "*0", "*1"])
    assert match(take, CMU).findings[len(take.findings) :][0].text == "2 unlabelled points are left out where they fit no gap."
    # what finds labels by motion says itself what got none
    found = replace(take, tracks_from={"*0": ("*7",), "*1": ("*9",)})
    assert match(found, CMU).findings == take.findings


def test_nothing_of_the_file_is_changed() -> None:
    take = take_of([*CMU.labels, "RBAC-1"])
    take.positions[2, CMU.labels.index("RBAC")] = np.nan
    before = replace(take, positions=take.positions.copy())
    match(take, CMU)
    np.testing.assert_array_equal(take.positions, before.positions)


def legs(labels: tuple[str, ...] = ("ASI", "PSI", "THI", "KNE", "TIB", "ANK", "HEE", "TOE")) -> list[str]:
    return [side + label for label in labels for side in "LR"]


def test_the_set_that_knows_most_labels_is_chosen() -> None:
    for name in BUNDLED:
        marker_set = load_marker_set(name)
        assert choose_marker_set(take_of(list(marker_set.labels))) == marker_set
    pig, generic = load_marker_set("plug_in_gait"), load_marker_set("generic")
    # names that several sets know: the smallest of them
    assert choose_marker_set(take_of(["C7", "T10", "CLAV", "STRN", *legs()])) == pig
    assert choose_marker_set(take_of([*legs(), "LKNM", "RKNM"])) == generic
    # a label without samples says nothing
    take = take_of([*legs(), "LKNM", "RKNM"])
    take.positions[:, -2:] = np.nan
    assert choose_marker_set(take) == pig


@pytest.mark.parametrize("name", ["cmu41", "front_waist53", "plug_in_gait"])
@pytest.mark.parametrize("count", [1, 2])
def test_names_that_only_the_widest_set_knows_do_not_switch_the_set(name: str, count: int) -> None:
    own, widest = load_marker_set(name), load_marker_set("generic")
    spare = [label for label in widest.labels if own.find(label) is None]
    labels = list(own.labels)
    # as where a label is misspelt
    labels[:count] = spare[:count]
    assert choose_marker_set(take_of(labels)) == own


def test_the_legs_alone_are_enough() -> None:
    for labels in (legs(), ["LASI", "RASI", "SACR", *legs(("KNE", "ANK", "HEE", "TOE"))]):
        matched = match(take_of(labels), choose_marker_set(take_of(labels)))
        assert set(matched.labels) == set(labels)
        assert matched.findings == (READ,)
    with pytest.raises(BonesetterError, match="too few to solve"):
        match(take_of(legs()[2:]), choose_marker_set(take_of(legs())))


def test_one_side_may_be_missing() -> None:
    labels = [label for label in CMU.labels if label[0] != "L" or label == "LFWT"]
    assert set(match(take_of(labels), CMU).labels) == set(labels)


@pytest.mark.parametrize("written", ["R.Knee.Lat", "R_Knee_Lat", "right knee lat", "RKneeLat", "R-FLE", "Ann:R_FLE", "Ann_R_FLE"])
def test_names_are_known_however_they_are_filled(written: str) -> None:
    prefix = "Ann:" if written.startswith("Ann:") else "Ann_" if written.startswith("Ann_") else ""
    generic = load_marker_set("generic")
    known, unknown = match_all(take_of([prefix + label for label in legs() if label != "RKNE"] + [written]), generic)
    assert "RKNE" in known.labels
    assert unknown.labels == ()


def test_what_all_labels_begin_with_may_be_the_subject() -> None:
    """As in a file of the University of Mons, whose labels are L and the marker's name."""
    known, unknown = match_all(take_of([f"L{label}" for label in (*legs(), "R_SK1", "R_SK2", "Hat")]), load_marker_set("generic"))
    assert set(known.labels) == {*legs(), "RSK1", "RSK2"}
    assert unknown.labels == ("Hat",)


def test_a_few_labels_may_lack_what_the_others_begin_with() -> None:
    known, unknown = match_all(take_of([*(f"L{label}" for label in legs()), "blob", "P1"]), load_marker_set("generic"))
    assert set(known.labels) == set(legs())
    assert unknown.labels == ("blob", "P1")


def test_unknown_markers_of_the_subject_are_kept_apart() -> None:
    take = take_of(
        [*(f"Ann:{label}" for label in CMU.labels), "Ann:Hat", "Ann:Wand", "Ball", "Bob:Hat", "Ann:CentreOfMass", "Ann:LHJC", "*3"]
    )
    known, unknown = match_all(take, CMU)
    assert known.labels == CMU.labels
    assert unknown.labels == ("Hat", "Wand")
    np.testing.assert_array_equal(unknown.positions[0, :, 0], [41, 42])
    assert known.findings[-1].text == "Left out, as they are computed points, not markers: CentreOfMass, LHJC."
    scored = match_all(take_of([*(f"Ann_{label}" for label in CMU.labels), "Ann_Hat", "Ball"]), CMU)[1]
    assert scored.labels == ("Hat",)


#: Folder, the set's name, markers.
REAL = [
    ("cmu_01_01", "CMU", 41),
    ("hdm05_mm", "CMU", 41),
    ("gatech_squat", "Vicon", 53),
    ("pig_flatfoot", "Plug-in", 35),
    ("mons_rolling", "generic", 68),
]


@pytest.mark.parametrize(("folder", "name", "markers"), REAL)
def test_real_takes(takes_folder: Path, folder: str, name: str, markers: int) -> None:
    take = read_c3d(sorted((takes_folder / folder).glob("*.c3d"))[-1])
    chosen = choose_marker_set(take)
    known, unknown = match_all(take, chosen)
    assert chosen.name.startswith(name)
    assert len(known.labels) == markers
    assert unknown.labels == ()


def test_a_real_take_of_another_set_is_refused(takes_folder: Path) -> None:
    with pytest.raises(BonesetterError, match="too few to solve"):
        match(read_c3d(takes_folder / "mons_rolling" / "03_rolling.c3d"), load_marker_set("front_waist53"))
