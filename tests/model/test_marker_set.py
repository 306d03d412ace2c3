# SPDX-License-Identifier: GPL-3.0-or-later
"""Marker-set files: those that come with Bonesetter are sound, those of users are checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.actors.prior import Prior, bundled
from model.core.errors import BonesetterError
from model.core.skeleton import CMU_JOINTS
from model.marker_sets.marker_set import BUNDLED, MarkerSet, bundled_marker_sets, load_marker_set

CMU = load_marker_set()
MIRRORED = np.array([-1.0, 1.0, 1.0])


@pytest.fixture
def document() -> dict[str, Any]:
    return {
        "format": "bonesetter-marker-set",
        "version": 1,
        "name": "legs",
        "markers": [
            {"label": "LASI", "like": "LFWT", "aliases": ["L.ASIS"]},
            {"label": "RASI", "like": "RFWT"},
            {"label": "SACR", "joint": "Hips", "offset_mm": [0, 5, -95], "spread_mm": 30},
            {"label": "C7"},
            {"label": "LWand", "joint": "LeftUpLeg", "offset_mm": [200, -200, 0], "spread_mm": [60, 50, 40]},
        ],
        "rigid_groups": {"waist": ["LASI", "RASI", "SACR"]},
        "core_groups": ["waist"],
        "fewest_markers": 4,
    }


@pytest.fixture
def load(tmp_path: Path) -> Callable[[Any], MarkerSet]:
    def load(document: Any) -> MarkerSet:
        (tmp_path / "mine.json").write_text(json.dumps(document))
        return load_marker_set(tmp_path / "mine.json")

    return load


def test_the_cmu_set_is_sound() -> None:
    assert len(CMU.labels) == len(set(CMU.labels)) == 41
    assert len(CMU.pairs) == 18
    assert set(CMU.core) == {"LFWT", "RFWT", "LBWT", "RBWT", "C7", "T10", "CLAV", "STRN", "RBAC"}
    placement = bundled().placement(CMU, CMU.labels)
    learned = bundled().actor.placement
    assert placement.labels == learned.labels
    assert placement.joints == learned.joints
    np.testing.assert_array_equal(placement.offset_mean, learned.offset_mean)
    np.testing.assert_array_equal(placement.offset_deviation, learned.offset_deviation)


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_set_is_the_same_on_both_sides(name: str) -> None:
    marker_set = load_marker_set(name)
    placement = bundled().placement(marker_set, marker_set.labels)
    assert set(marker_set.joints) <= set(CMU_JOINTS)
    assert (placement.offset_deviation > 0).all()
    # every marker lies on the body: no farther from its joint than a forearm is long
    assert np.linalg.norm(placement.offset_mean, axis=-1).max() < 0.45
    # one shoulder blade bears a marker, so that left and right can be told
    sides = {label for pair in marker_set.pairs for label in pair}
    assert {label for label in marker_set.labels if label[0] in "LR" and label[1:2].isalpha()} - {"RBAC", "RBAK"} <= sides
    for left, right in marker_set.pairs:
        one, other = (marker_set.places[marker_set.labels.index(label)] for label in (left, right))
        assert one.joint.replace("Left", "Right").replace("LHip", "RHip").replace("LThumb", "RThumb") == other.joint
        if one.offset_mm and other.offset_mm:
            np.testing.assert_allclose(np.array(one.offset_mm) * MIRRORED, other.offset_mm)
    for label, aliases in marker_set.aliases.items():
        assert {marker_set.find(alias) for alias in aliases} == {label}


def test_left_of_every_bundled_set_is_left_of_the_mean_actor() -> None:
    prior = bundled()
    for marker_set in bundled_marker_sets():
        actor = prior.mean_actor(prior.placement(marker_set, marker_set.labels))
        joints = np.zeros((len(actor.skeleton.joints), 3))
        for joint, parent in enumerate(actor.skeleton.parents):
            if parent >= 0:
                joints[joint] = joints[parent] + actor.skeleton.bones[parent]
        places = joints[list(actor.marker_joints)] + actor.marker_offsets
        for left, right in marker_set.pairs:
            assert places[actor.labels.index(left), 0] > 0 > places[actor.labels.index(right), 0], (marker_set.name, left)


def test_a_set_of_ones_own(load: Callable[[Any], MarkerSet], document: dict[str, Any]) -> None:
    marker_set = load(document)
    prior = bundled()
    placement = prior.placement(marker_set, marker_set.labels)
    known = prior.actor
    for label, like in (("LASI", "LFWT"), ("C7", "C7")):
        row, learned = marker_set.labels.index(label), known.labels.index(like)
        assert placement.joints[row] == known.carriers[learned]
        np.testing.assert_array_equal(placement.offset_mean[row], known.offset_mean[learned])
        np.testing.assert_array_equal(placement.offset_deviation[row], known.offset_deviation[learned])
    np.testing.assert_allclose(placement.offset_mean[2], [0, 0.005, -0.095])
    np.testing.assert_allclose(placement.offset_deviation[2], 0.03)
    np.testing.assert_allclose(placement.offset_deviation[4], [0.06, 0.05, 0.04])
    assert marker_set.pairs == (("LASI", "RASI"),)
    assert marker_set.find("l_asis") == "LASI"
    assert marker_set.find("Left ASI") == "LASI"
    assert marker_set.find("C7-1") is None
    document["markers"][0]["spread_mm"] = 55
    np.testing.assert_allclose(prior.placement(load(document), ("LASI",)).offset_deviation, 0.055)


def test_a_marker_lies_by_another_joint_than_its_own(load: Callable[[Any], MarkerSet], document: dict[str, Any]) -> None:
    document["markers"].append({"label": "LKNE", "joint": "LeftUpLeg", "from": "LeftLeg", "offset_mm": [56, 20, 0], "spread_mm": 6})
    placement = bundled().placement(load(document), ("LWand", "LKNE"))
    thigh, shank = CMU_JOINTS.index("LeftUpLeg"), CMU_JOINTS.index("LeftLeg")
    assert placement.joints == (thigh, thigh)
    assert placement.origins == (thigh, shank)
    np.testing.assert_allclose(placement.offset_mean[1], bundled().actor.bone_mean[thigh] + [0.056, 0.020, 0])
    again = placement.only([1]) + placement.only([0])
    assert again.labels == ("LKNE", "LWand")
    assert again.origins == (shank, thigh)


def test_joint_centres_move_and_learned_markers_stay(load: Callable[[Any], MarkerSet], document: dict[str, Any]) -> None:
    document["markers"] += [{"label": "LHEE"}, {"label": "LANK"}]
    document["joint_centres"] = {"LeftFoot": {"offset_mm": [-8, 21, 0], "spread_mm": [1, 2, 3]}}
    marker_set = load(document)
    usual, moved = bundled(), bundled().centred(marker_set)

    def places(prior: Prior) -> tuple[np.ndarray, np.ndarray]:
        """Joints and markers of the mean actor in the zero pose."""
        actor = prior.mean_actor(prior.placement(marker_set, marker_set.labels))
        joints = np.zeros((len(CMU_JOINTS), 3))
        for joint, parent in enumerate(actor.skeleton.parents[1:], start=1):
            joints[joint] = joints[parent] + actor.skeleton.bones[parent]
        return joints, joints[list(actor.marker_joints)] + actor.marker_offsets

    (joints, markers), (new_joints, new_markers) = places(usual), places(moved)
    ankle = CMU_JOINTS.index("LeftFoot")
    np.testing.assert_allclose(np.flatnonzero(np.abs(new_joints - joints).sum(axis=1) > 1e-9), [ankle])
    np.testing.assert_allclose((new_joints - joints)[ankle], [-0.008, 0.021, 0])
    np.testing.assert_allclose(new_markers, markers)
    freedom = moved.actor.bone_basis[..., usual.actor.bone_basis.shape[-1] :]
    np.testing.assert_allclose(freedom[CMU_JOINTS.index("LeftLeg")], np.diag([0.001, 0.002, 0.003]))
    np.testing.assert_allclose(freedom[ankle], -np.diag([0.001, 0.002, 0.003]))
    np.testing.assert_array_equal(bundled().centred(CMU).actor.bone_basis, usual.actor.bone_basis)


def _change(change: Callable[[dict[str, Any]], object], why: str) -> Any:
    return pytest.param(change, why, id=why)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        _change(lambda d: d.pop("fewest_markers"), "lacks 'fewest_markers'"),
        _change(lambda d: d.update(format="actor"), "another format"),
        _change(lambda d: d.update(fewest_markers=1.5), "fewest_markers is 1.5"),
        _change(lambda d: d.update(colour="red"), "unknown entry 'colour'"),
        _change(lambda d: d["markers"][2].update(offset=[0, 0, 0]), "unknown entry 'offset'"),
        _change(lambda d: d["markers"][2].update(joint="Pelvis"), "unknown joint 'Pelvis'"),
        _change(lambda d: d["markers"][2].update({"from": "Pelvis"}), "unknown joint 'Pelvis'"),
        _change(lambda d: d["markers"][3].update({"from": "Head"}), "C7 has no offset_mm that could be from 'Head'"),
        _change(lambda d: d.update(joint_centres={"Pelvis": {}}), "'Pelvis' is no joint at the end of a bone"),
        _change(lambda d: d.update(joint_centres={"LHipJoint": {}}), "'LHipJoint' is no joint at the end of a bone"),
        _change(lambda d: d.update(joint_centres={"LeftFoot": {"offset_mm": [0, 1, 0]}}), "lacks 'spread_mm'"),
        _change(lambda d: d.update(joint_centres={"LeftFoot": {"mm": 3}}), "the centre of LeftFoot has the unknown entry 'mm'"),
        _change(lambda d: d["markers"][2].update(offset_mm=[1, 2]), "offset_mm of SACR is not three numbers"),
        _change(lambda d: d["markers"][2].update(offset_mm=[1, 2, float("nan")]), "beyond 1000 mm"),
        _change(lambda d: d["markers"][2].update(spread_mm=0), "spread_mm of SACR is below 0.1"),
        _change(lambda d: d["markers"][2].pop("spread_mm"), "no spread_mm"),
        _change(lambda d: d["markers"][2].update(like="C7"), "both like and offset_mm"),
        _change(lambda d: d["markers"][0].update(like="LASIS"), "'LASIS' is no marker of the CMU set"),
        _change(lambda d: d["markers"][0].update(joint="Spine"), "rides on Hips, not on 'Spine'"),
        _change(lambda d: d["markers"][3].update(label="Hat"), "Hat has no offset_mm"),
        _change(lambda d: d["markers"].append({"label": "C7"}), "the label C7 is there twice"),
        _change(lambda d: d["markers"][1].update(aliases=["l asis"]), "l asis names both LASI and RASI"),
        _change(lambda d: d["markers"][1].update(aliases=["c_7"]), "names both"),
        _change(lambda d: d["markers"][1].update(aliases="RASIS"), "is no list"),
        _change(lambda d: d["markers"][1].update(label=" "), "a label has ' ' for its name"),
        _change(lambda d: d["rigid_groups"].update(waist=["LASI", "RASI", "PSI"]), "names 'PSI'"),
        _change(lambda d: d.update(core_groups=["trunk"]), "names 'trunk'"),
        _change(lambda d: d["rigid_groups"]["waist"].pop(), "fewer than 3"),
        _change(lambda d: d.update(pairs=[["LASI", "RASI"], ["LASI", "C7"]]), "in two pairs"),
        _change(lambda d: d.update(pairs=[["LASI"]]), "expected 2"),
        _change(lambda d: d.update(markers=[]), "no markers"),
    ],
)
def test_a_set_that_is_none_is_refused_in_one_sentence(
    load: Callable[[Any], MarkerSet], document: dict[str, Any], change: Callable[[dict[str, Any]], object], why: str
) -> None:
    change(document)
    with pytest.raises(BonesetterError, match=r"mine\.json cannot be read as a marker set") as caught:
        load(document)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("document", [[], 3, "x", None, {"markers": 3}, {"format": "bonesetter-marker-set", "version": 1, "name": 1}])
def test_what_is_no_set_at_all_is_refused(load: Callable[[Any], MarkerSet], document: Any) -> None:
    with pytest.raises(BonesetterError, match="cannot be read as a marker set"):
        load(document)


def test_files_that_are_not_there_or_no_text(tmp_path: Path) -> None:
    (tmp_path / "set.json").write_bytes(b"\xff\xfe{")
    for name in ("nobody", tmp_path / "gone.json", tmp_path / "set.json", tmp_path):
        with pytest.raises(BonesetterError, match="cannot be read as a marker set"):
            load_marker_set(name)
