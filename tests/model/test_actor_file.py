# SPDX-License-Identifier: GPL-3.0-or-later
"""Actors survive their files, and what is wrong with one is one sentence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.actors.actor import Actor, Freedom
from model.actors.actor_file import read_actor, write_actor
from model.actors.prior import bundled
from model.core.errors import BonesetterError

from .soft_person import person


@pytest.fixture(scope="module")
def actor() -> Actor:
    return person()


def test_an_actor_survives_its_file(actor, tmp_path):
    freedoms = [Freedom()] * 24
    freedoms[3] = Freedom("LeftLeg", (1.0, 0.0, 0.0, 0.0), (0.5, 0.1, 0.0))
    freedoms[5] = Freedom(like="")
    actor = replace(actor, freedoms=tuple(freedoms))
    write_actor(actor, tmp_path / "a.json")
    read = read_actor(tmp_path / "a.json")
    np.testing.assert_allclose(read.skeleton.offsets, actor.skeleton.offsets)
    np.testing.assert_allclose(read.weights, actor.weights, atol=1e-6)
    assert read.skeleton.joints == actor.skeleton.joints
    assert read.freedoms is not None
    assert read.freedoms[5] == Freedom(like="")
    assert read.freedoms[3].deviation == pytest.approx((0.5, 0.1, 0.0), abs=1e-6)


def test_bones_that_a_file_leaves_out_lead_to_the_next_joint(actor, tmp_path):
    write_actor(actor, tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    for joint in document["joints"]:
        del joint["bone"]
    (tmp_path / "a.json").write_text(json.dumps(document))
    read = read_actor(tmp_path / "a.json").skeleton
    for name, end in {"pelvis": "spine1", "spine3": "neck", "left_knee": "left_ankle"}.items():
        np.testing.assert_allclose(read.bones[read.joints.index(name)], read.offsets[read.joints.index(end)])
    assert not read.bones[read.joints.index("head")].any()


def change(path):
    """The entry of a document that a path leads to, and the last step."""
    *steps, last = path

    def into(document):
        for step in steps:
            document = document[step]
        return document, last

    return into


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("joints", 2, "place"), [0, 0], "the place of right_hip is not 3 numbers"),
        (("joints", 2, "place"), [0, 0, "x"], "the place of right_hip is not 3 numbers"),
        (("joints", 2, "place"), [0, "0", 0], "the place of right_hip is not 3 numbers"),
        (("joints", 2, "place"), [0, 10**400, 0], "the place of right_hip is not 3 numbers"),
        (("joints", 2, "place"), [0, 90.0, 0], "91 m large, as lengths are in metres"),
        (("joints", 2, "name"), "left_hip", "the joint left_hip is there twice"),
        (("joints", 2, "name"), "n" * 70, "longer than a bone's in Blender"),
        (("joints", 2, "parent"), "tail", "there is no joint 'tail'"),
        (("joints", 1, "parent"), "neck", "the joint left_hip stands before its parent neck"),
        (("joints", 2, "parent"), None, "2 of its joints have no parent"),
        (("joints", 2, "like"), "Wing", "right_hip is like 'Wing'"),
        (("joints", 2, "mean"), [0, 0, 0, 0], "the mean of right_hip is no unit quaternion"),
        (("joints", 2, "deviation_deg"), -1, "the deviation of right_hip is negative"),
        (("joints", 2, "bone_sigma_mm"), [1, -1, 1], "the bone_sigma_mm of right_hip is negative"),
        (("joints", 2, "bone_sigma_mm"), [1, 1], "the bone_sigma_mm of right_hip is not 3 numbers"),
        (("markers", 0, "loose_mm"), -1, "the loose_mm of LFWT is negative"),
        (("markers", 0, "loose_mm"), [1], "the loose_mm of LFWT is [1], which is no number"),
        (("markers", 0, "offset_sigma_mm"), -1, "the offset_sigma_mm of LFWT is negative"),
        (("markers", 0, "offset_sigma_mm"), float("nan"), "the offset_sigma_mm of LFWT is not 3 numbers"),
        (("markers", 0, "offset_sigma_mm"), [1, float("inf"), 1], "the offset_sigma_mm of LFWT is not 3 numbers"),
        (("markers", 0, "offset_sigma_mm"), "8", "the offset_sigma_mm of LFWT is not 3 numbers"),
        (("markers", 0, "offset_sigma_mm"), None, "the offset_sigma_mm of LFWT is not 3 numbers"),
        (("markers", 0, "weights"), {"pelvis": 2.0}, "the weights of LFWT"),
        (("markers", 0, "weights"), {"tail": 1.0}, "there is no joint 'tail'"),
        (("markers", 0, "label"), "", "a marker has '' for its name"),
        (("markers", 0, "offset"), None, "the offset of LFWT is not 3 numbers"),
        (("joints",), 3, "lacks a part of an actor"),
        (("version",), 9, "written by a newer Bonesetter"),
        (("version",), "1", "another format or version"),
        (("version",), 0, "another format or version"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence(actor, tmp_path, path, value, said):
    write_actor(actor, tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    entry, last = change(path)(document)
    entry[last] = value
    (tmp_path / "a.json").write_text(json.dumps(document))
    with pytest.raises(BonesetterError) as caught:
        read_actor(tmp_path / "a.json")
    assert said in str(caught.value)


def test_an_actor_with_markers_that_joints_share_survives_its_file(shared_markers, tmp_path: Path):
    actor = shared_markers(bundled().mean_actor())
    write_actor(actor, tmp_path / "actor.json")
    np.testing.assert_allclose(read_actor(tmp_path / "actor.json").weights, actor.weights)
    document = json.loads((tmp_path / "actor.json").read_text())
    shared = next(marker for marker in document["markers"] if "weights" in marker)
    shared["weights"] = {name: 2 * weight for name, weight in shared["weights"].items()}
    (tmp_path / "actor.json").write_text(json.dumps(document))
    with pytest.raises(BonesetterError, match="is not a Bonesetter actor"):
        read_actor(tmp_path / "actor.json")


def changed(path: Path, change) -> dict:
    """A file's document after a change, written back."""
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return document


def test_how_sure_an_actor_is_survives_its_file(actor: Actor, tmp_path: Path):
    path = tmp_path / "a.json"
    random = np.random.default_rng(0)
    bone_sigma, offset_sigma = random.uniform(0, 0.02, (24, 3)), random.uniform(0, 0.02, (len(actor.labels), 3))
    offset_sigma[2] = np.nan
    write_actor(replace(actor, bone_sigma=bone_sigma, offset_sigma=offset_sigma), path)
    read = read_actor(path)
    assert read.bone_sigma is not None
    assert read.offset_sigma is not None
    np.testing.assert_allclose(read.bone_sigma, bone_sigma, atol=1e-6)
    np.testing.assert_allclose(read.offset_sigma, offset_sigma, atol=1e-6)
    assert "offset_sigma_mm" not in json.loads(path.read_text())["markers"][2]


def test_how_loose_markers_are_survives_the_file(actor: Actor, tmp_path: Path):
    path = tmp_path / "a.json"
    loose_m = np.zeros(len(actor.labels))
    loose_m[1] = 0.0214
    write_actor(replace(actor, loose_m=loose_m), path)
    assert [entry.get("loose_mm") for entry in json.loads(path.read_text())["markers"][:3]] == [None, 21.4, None]
    read = read_actor(path).loose_m
    assert read is not None
    np.testing.assert_allclose(read, loose_m)


def test_a_file_that_does_not_say_how_sure_it_is_is_read(actor: Actor, tmp_path: Path):
    path = tmp_path / "a.json"
    write_actor(actor, path)
    assert "sigma" not in path.read_text()
    read = read_actor(path)
    assert read.bone_sigma is None
    assert read.offset_sigma is None
    assert read.loose_m is None


def test_one_number_is_how_sure_all_axes_are(actor: Actor, tmp_path: Path):
    path = tmp_path / "a.json"
    write_actor(actor, path)
    changed(path, lambda document: document["markers"][1].update(offset_sigma_mm=8))
    sigma = read_actor(path).offset_sigma
    assert sigma is not None
    np.testing.assert_array_equal(sigma[1], [0.008] * 3)
    assert np.isnan(np.delete(sigma, 1, axis=0)).all()


def test_the_scale_is_said_and_the_bones_have_the_last_word(tmp_path: Path):
    path, mean = tmp_path / "a.json", bundled().mean_actor()
    large = replace(mean, skeleton=replace(mean.skeleton, bones=1.07 * mean.skeleton.bones))
    for actor, scale in ((mean, 1.0), (large, 1.07)):
        write_actor(actor, path)
        assert json.loads(path.read_text())["scale"] == scale
    for wrong in (3.0, "tall", None):
        changed(path, lambda document, wrong=wrong: document.update(scale=wrong))
        np.testing.assert_allclose(read_actor(path).skeleton.bones, large.skeleton.bones, atol=1e-6)


def test_other_joints_have_no_mean_person(actor: Actor, tmp_path: Path):
    write_actor(actor, tmp_path / "a.json")
    assert "scale" not in json.loads((tmp_path / "a.json").read_text())


def test_markers_come_and_go_with_how_sure_they_are():
    prior = bundled()
    mean = prior.mean_actor()
    sigma = np.random.default_rng(0).uniform(0.001, 0.01, (41, 3))
    few = replace(mean, offset_sigma=sigma).only([4, 2])
    assert few.offset_sigma is not None
    np.testing.assert_array_equal(few.offset_sigma, sigma[[4, 2]])
    more = few.beside(prior.actor.placement.only([7]))
    assert more.offset_sigma is not None
    np.testing.assert_array_equal(more.offset_sigma, [sigma[4], sigma[2], prior.actor.offset_deviation[7]])
    unsaid = mean.only([4, 2]).beside(prior.actor.placement.only([7])).offset_sigma
    assert unsaid is not None
    np.testing.assert_array_equal(unsaid, [[np.nan] * 3, [np.nan] * 3, prior.actor.offset_deviation[7]])
