# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.c3d import read_c3d
from model.marker_set import MarkerSet, load_marker_set, match
from model.skeleton import CMU_HIERARCHY
from model.take import BonesetterError, Take

CMU = load_marker_set()


def take_of(labels: list[str], frames: int = 6) -> Take:
    """Each marker stands still at its own place."""
    positions = np.tile(np.arange(len(labels), dtype=float)[None, :, None], (frames, 1, 3))
    return Take("walk", tuple(labels), positions, np.zeros(positions.shape[:2]), 100.0, warnings=("Read.",))


def test_the_cmu_set_is_sound() -> None:
    joints = {name for name, _, _ in CMU_HIERARCHY}
    assert len(CMU.labels) == len(set(CMU.labels)) == 41
    assert set(CMU.joints) <= joints
    assert len(CMU.pairs) == 18
    for left, right in CMU.pairs:
        carriers = [CMU.joints[CMU.labels.index(label)] for label in (left, right)]
        assert carriers[0].replace("Left", "Right") == carriers[1]
    assert set(CMU.core) == {"LFWT", "RFWT", "LBWT", "RBWT", "C7", "T10", "CLAV", "STRN", "RBAC"}


def test_a_set_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "set.json").write_text('{"format": "bonesetter-marker-set", "version": 1, "markers": []}')
    for name in ("nobody", tmp_path / "set.json"):
        with pytest.raises(BonesetterError, match="cannot be read as a marker set"):
            load_marker_set(name)


@given(st.permutations(CMU.labels), st.sampled_from(["", "Male:", "Takeo Monday:", "a:b:", "John_", "Skeleton 001_"]), st.booleans())
def test_prefix_case_and_order_do_not_matter(labels: list[str], prefix: str, lower: bool) -> None:
    matched = match(take_of([prefix + (label.lower() if lower else label) for label in labels]), CMU)
    assert matched.labels == CMU.labels
    assert matched.warnings == ("Read.",)
    np.testing.assert_array_equal(matched.positions[0, :, 0], [labels.index(label) for label in CMU.labels])


def test_aliases_give_way_to_the_label_itself() -> None:
    labels = ["LASI" if label == "LFWT" else label for label in CMU.labels]
    assert "LFWT" in match(take_of(labels), CMU).labels
    both = match(take_of([*CMU.labels, "LASI"]), CMU)
    assert both.positions[0, both.labels.index("LFWT"), 0] == CMU.labels.index("LFWT")
    assert "LASI" in both.warnings[-1]


def test_what_is_left_out_or_absent_is_said() -> None:
    take = take_of(["*0", "*1", "Ball", *CMU.labels[:-2], "LHIP"])
    take.positions[:, 3] = np.nan
    matched = match(take, CMU)
    assert matched.labels == CMU.labels[1:-2]
    assert matched.warnings == (
        "Read.",
        "2 unlabelled points are left out where they fit no gap.",
        "Left out, as the marker set 'CMU, 41 markers' has no such labels: Ball, LHIP.",
        "Solved without these markers of the set, which the file lacks: LFHD, RTOE, RMT5.",
    )


def test_of_two_subjects_the_fuller_one_is_taken() -> None:
    take = take_of([f"{subject}:{label}" for subject in ("Ann", "Bob") for label in CMU.labels])
    take.positions[0, : len(CMU.labels)] = np.nan
    matched = match(take, CMU)
    assert matched.positions[0, 0, 0] == len(CMU.labels)
    assert "'Bob' is solved" in matched.warnings[1]
    assert "'Ann' left out" in matched.warnings[1]


def test_a_duplicate_fills_the_gaps_that_it_continues() -> None:
    take = take_of([*CMU.labels, "RBAC-1"], frames=20)
    marker = CMU.labels.index("RBAC")
    take.positions[5:9, marker] = np.nan
    take.positions[:, -1] = np.nan
    take.positions[4:8, -1] = marker + 0.01
    matched = match(take, CMU)
    assert np.flatnonzero(~matched.present[:, marker]).tolist() == [8]
    assert matched.positions[4, marker, 0] == marker
    assert matched.warnings[-1] == "RBAC-1 fills 3 missing samples of RBAC, its other 1 are left out."


def test_a_duplicate_elsewhere_is_left_out() -> None:
    take = take_of([*CMU.labels, "RBAC-1"], frames=20)
    marker = CMU.labels.index("RBAC")
    take.positions[5:9, marker] = np.nan
    take.positions[:, -1] = marker + 1.0
    matched = match(take, CMU)
    assert not matched.present[5:9, marker].any()
    assert matched.warnings[-1] == "RBAC-1 is left out: none of its 20 samples continues RBAC where that is missing."


@pytest.mark.parametrize("labels", [["A", "B"], list(CMU.labels[:11]), [label for label in CMU.labels if label not in CMU.core]])
def test_too_few_markers_are_refused_with_the_labels_wanted(labels: list[str]) -> None:
    with pytest.raises(BonesetterError, match=r"too few to solve.*LFHD, RFHD"):
        match(take_of(labels), CMU)


def test_nothing_of_the_file_is_changed() -> None:
    take = take_of([*CMU.labels, "RBAC-1"])
    take.positions[2, CMU.labels.index("RBAC")] = np.nan
    before = replace(take, positions=take.positions.copy())
    match(take, CMU)
    np.testing.assert_array_equal(take.positions, before.positions)


@pytest.mark.parametrize(("folder", "markers"), [("cmu_01_01", 41), ("hdm05_mm", 41), ("gatech_squat", 28), ("pig_flatfoot", 35)])
def test_real_takes(takes_folder: Path, marker_set: MarkerSet, folder: str, markers: int) -> None:
    take = read_c3d(sorted((takes_folder / folder).glob("*.c3d"))[-1])
    assert len(match(take, marker_set).labels) == markers


def test_a_real_take_of_another_set_is_refused(takes_folder: Path, marker_set: MarkerSet) -> None:
    with pytest.raises(BonesetterError, match="too few to solve"):
        match(read_c3d(takes_folder / "mons_rolling" / "03_rolling.c3d"), marker_set)
