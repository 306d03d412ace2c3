# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.actors.actor import Actor
from model.actors.prior import bundled
from model.core.findings import Finding
from model.core.take import Axis, BoolArray, CleanTake, Take
from model.files.output import write_outputs
from model.markers.coverage import body_parts, look_covered
from model.result.report import build_report
from model.result.solution import Solution

RATE_HZ, FRAMES = 100.0, 500


@pytest.fixture(scope="module")
def actor() -> Actor:
    return bundled().mean_actor()


def taken(actor: Actor, seen: BoolArray) -> CleanTake:
    """A take, numbered from 11, that has samples where `seen` (frames, labels)."""
    positions = np.where(seen[..., None], 1.0, np.nan) * np.ones(3)
    return CleanTake(Take("take", actor.labels, positions, np.zeros(seen.shape), RATE_HZ, first_frame=11), positions, seen)


def everything(actor: Actor) -> BoolArray:
    return np.ones((FRAMES, len(actor.labels)), dtype=bool)


def carried_by(actor: Actor, *parts: tuple[str, str]) -> list[int]:
    """Rows of the markers on these parts, (side, name)."""
    joints = np.any([part.joints for part in body_parts(actor) if (part.side, part.name) in parts], axis=0)
    return [row for row, joint in enumerate(actor.marker_joints) if joints[joint]]


def texts(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.text for finding in findings]


def test_a_body_that_is_seen_gives_no_findings(actor: Actor) -> None:
    assert look_covered(taken(actor, everything(actor)), actor).findings == ()


def test_frames_without_markers(actor: Actor) -> None:
    seen = everything(actor)
    seen[:206] = False
    seen[300] = False
    seen[400:404] = False
    seen[400:404, :2] = True
    found = look_covered(taken(actor, seen), actor).findings
    assert texts(found) == [
        "Frames 11 to 216 have no marker: their pose is guessed and not keyed.",
        "Frame 311 has no marker: its pose is guessed.",
        "Frames 411 to 414 have fewer than 3 markers: their pose is guessed.",
    ]
    assert [finding.kind for finding in found] == ["no markers", "no markers", "few markers"]
    assert [finding.frames for finding in found] == [((0, 205),), ((300, 300),), ((400, 403),)]


def test_one_frame_without_markers_is_one(actor: Actor) -> None:
    seen = everything(actor)
    seen[0] = False
    assert texts(look_covered(taken(actor, seen), actor).findings) == ["Frame 11 has no marker: its pose is guessed and not keyed."]


def test_many_stretches_are_counted(actor: Actor) -> None:
    seen = everything(actor)
    seen[1::10] = False
    (found,) = look_covered(taken(actor, seen), actor).findings
    assert found.text == "Frames 12, 22, 32, 42, 52 and 45 more have no marker: their pose is guessed."
    assert len(found.frames) == 50


def test_halves_of_the_body(actor: Actor) -> None:
    seen = everything(actor)
    seen[:, carried_by(actor, ("left", "leg"), ("right", "leg"))] = False
    (found,) = look_covered(taken(actor, seen), actor).findings
    assert found.text == "No marker tells of the legs: their pose is guessed and not keyed."
    assert found.kind == "unseen"
    assert found.frames == ()
    assert {"LeftUpLeg", "LeftFoot", "RightToeBase"} <= set(found.bones)
    assert "Hips" not in found.bones
    upper = everything(actor)
    parts = [("", "head"), ("left", "arm"), ("right", "arm")]
    upper[:, carried_by(actor, *parts)] = False
    assert texts(look_covered(taken(actor, upper), actor).findings) == [
        "No marker tells of the head and the arms: their pose is guessed and not keyed."
    ]


def test_parts_of_limbs(actor: Actor) -> None:
    seen = everything(actor)
    seen[:, carried_by(actor, ("left", "foot"), ("right", "foot"), ("right", "forearm"))] = False
    assert texts(look_covered(taken(actor, seen), actor).findings) == [
        "No marker tells of the right forearm and the feet: their pose is guessed and not keyed."
    ]
    one = everything(actor)
    one[:, carried_by(actor, ("left", "lower leg"))] = False
    assert texts(look_covered(taken(actor, one), actor).findings) == [
        "No marker tells of the left lower leg: its pose is guessed and not keyed."
    ]


def test_a_thumb_has_no_keys_where_its_hand_has_none(actor: Actor) -> None:
    seen = everything(actor)
    seen[:, carried_by(actor, ("left", "hand"))] = False
    keyed = look_covered(taken(actor, seen), actor).keyed
    joints = {joint for row, joint in enumerate(actor.skeleton.joints) if not keyed[:, row].any()}
    assert joints == {"LeftFingerBase", "LeftHandIndex1", "LThumb"}


def test_long_gaps_of_a_part_are_said_with_their_frames(actor: Actor) -> None:
    seen = everything(actor)
    seen[100:250, carried_by(actor, ("left", "arm"))] = False
    seen[300:390, carried_by(actor, ("left", "arm"))] = False  # shorter than a second
    (found,) = look_covered(taken(actor, seen), actor).findings
    assert found.text == "No marker tells of the left arm in frames 111 to 260: its pose is guessed and not keyed."
    assert found.frames == ((100, 249),)


@pytest.mark.parametrize("nobody", [3, 80], ids=["bridged", "absent"])
def test_frames_without_markers_do_not_cut_a_long_gap_of_a_part(actor: Actor, nobody: int) -> None:
    seen = everything(actor)
    leg = carried_by(actor, ("left", "leg"))
    seen[100:250, leg] = False
    seen[160 : 160 + nobody] = False
    covered = look_covered(taken(actor, seen), actor)
    (_, found) = covered.findings
    assert found.kind == "unseen"
    assert found.frames == ((100, 159), (160 + nobody, 249))
    below = np.any([part.joints for part in body_parts(actor) if (part.side, part.name) == ("left", "leg")], axis=0)
    assert not covered.keyed[100:250, below].any()
    assert covered.keyed[:100].all()
    assert covered.keyed[250:].all()


def test_a_part_that_comes_back_last_has_no_keys_until_then(actor: Actor) -> None:
    seen = everything(actor)
    seen[100:250] = False
    arm = carried_by(actor, ("left", "arm"))
    seen[250:255, arm] = False
    covered = look_covered(taken(actor, seen), actor)
    (found,) = covered.findings
    assert found.kind == "no markers", "of five frames more nothing is said"
    below = np.any([part.joints for part in body_parts(actor) if (part.side, part.name) == ("left", "arm")], axis=0)
    assert not covered.keyed[250:255, below].any()
    assert covered.keyed[250:255, ~below].all()


def test_a_hand_that_is_lost_longer_than_its_arm_is_said_too(actor: Actor) -> None:
    seen = everything(actor)
    seen[100:250, carried_by(actor, ("left", "arm"))] = False
    seen[100:450, carried_by(actor, ("left", "hand"))] = False
    assert texts(look_covered(taken(actor, seen), actor).findings) == [
        "No marker tells of the left arm in frames 111 to 260: its pose is guessed and not keyed.",
        "No marker tells of the left hand in frames 261 to 460: its pose is guessed and not keyed.",
    ]


def test_frames_without_markers_do_not_hide_what_is_never_seen(actor: Actor) -> None:
    seen = everything(actor)
    seen[:, carried_by(actor, ("left", "leg"), ("right", "leg"))] = False
    seen[:100] = False
    assert texts(look_covered(taken(actor, seen), actor).findings) == [
        "Frames 11 to 110 have no marker: their pose is guessed and not keyed.",
        "No marker tells of the legs: their pose is guessed and not keyed.",
    ]


def test_only_what_is_guessed_has_no_keys(actor: Actor) -> None:
    legs = np.any([part.joints for part in body_parts(actor) if part.name == "leg"], axis=0)
    seen = everything(actor)
    seen[:, carried_by(actor, ("left", "leg"), ("right", "leg"))] = False
    seen[:100] = False
    seen[200:210] = False  # bridged
    seen[450:] = False
    keyed = look_covered(taken(actor, seen), actor).keyed
    assert not keyed[:, legs].any()
    assert not keyed[:100].any()
    assert not keyed[450:].any()
    assert keyed[100:450, ~legs].all()
    assert look_covered(taken(actor, seen), actor, keep_guessed=True).keyed.all()


def test_the_root_is_keyed_where_anybody_is_seen(actor: Actor) -> None:
    seen = everything(actor)
    seen[:, carried_by(actor, ("", "trunk"))] = False
    coverage = look_covered(taken(actor, seen), actor)
    assert texts(coverage.findings) == ["No marker tells of the trunk: its pose is guessed and not keyed."]
    assert coverage.keyed[:, 0].all()
    assert not coverage.keyed[:, actor.skeleton.joints.index("Spine")].any()


def test_guessed_poses_are_said_as_such_where_they_are_keyed(actor: Actor) -> None:
    seen = everything(actor)
    seen[:206] = False
    found = look_covered(taken(actor, seen), actor, keep_guessed=True).findings
    assert texts(found) == ["Frames 11 to 216 have no marker: their pose is guessed."]


def test_a_lower_body_has_no_upper_one(actor: Actor) -> None:
    seen = everything(actor)
    seen[:, carried_by(actor, ("", "upper body"))] = False
    coverage = look_covered(taken(actor, seen), actor)
    assert texts(coverage.findings) == ["No marker tells of the upper body: its pose is guessed and not keyed."]
    keyed = np.array(actor.skeleton.joints)[coverage.keyed.all(axis=0)]
    assert {"Hips", "LeftUpLeg", "RightFoot"} <= set(keyed)
    assert not {"LowerBack", "Spine1", "Head", "LeftShoulder", "LeftArm"} & set(keyed)


def test_a_bvh_holds_what_is_not_keyed(solved: Callable[[Axis], Solution], tmp_path: Path) -> None:
    solution = solved("Z")
    keyed = np.ones(solution.rotations.shape[:2], dtype=bool)
    keyed[:2], keyed[3], keyed[:, 5] = False, False, False
    partly = replace(solution, keyed=keyed)
    held = partly.held()
    np.testing.assert_array_equal(held.rotations[:2, :5], np.repeat(solution.rotations[2:3, :5], 2, axis=0))
    np.testing.assert_array_equal(held.rotations[3, :5], solution.rotations[2, :5])
    np.testing.assert_array_equal(held.rotations[4:, :5], solution.rotations[4:, :5])
    np.testing.assert_array_equal(held.positions[3, 0], solution.positions[2, 0])
    assert (held.rotations[:, 5] == [1, 0, 0, 0]).all()
    report = write_outputs(partly, {"bvh": tmp_path / "take.bvh", "npz": tmp_path / "take.npz"})
    assert [finding["kind"] for finding in report["findings"]] == ["file", "held"]
    lines = (tmp_path / "take.bvh").read_text().splitlines()
    first = lines.index(next(line for line in lines if line.startswith("Frame Time"))) + 1
    assert lines[first] == lines[first + 1] == lines[first + 2] == lines[first + 3]
    with np.load(tmp_path / "take.npz") as arrays:
        np.testing.assert_array_equal(arrays["keyed"], keyed)


def test_joints_of_other_names(actor: Actor) -> None:
    skeleton = actor.skeleton
    names = tuple(joint if joint in ("LeftArm", "RightArm", "LeftUpLeg") else f"bone {row}" for row, joint in enumerate(skeleton.joints))
    other = replace(actor, skeleton=replace(skeleton, joints=names))
    assert {(part.side, part.name) for part in body_parts(other)} == {("", "trunk"), ("left", "arm"), ("right", "arm"), ("left", "leg")}


def test_the_report_has_them_with_the_numbers_of_their_frames(solved: Callable[[Axis], Solution]) -> None:
    solution = solved("Z")
    take = replace(solution.clean.take, first_frame=101)
    finding = Finding("no markers", "Frame 103 has no marker.", frames=((2, 2),))
    report = build_report(replace(solution, clean=replace(solution.clean, take=take), findings=(finding,)), {})
    assert report["findings"] == [
        {
            "kind": "no markers",
            "text": "Frame 103 has no marker.",
            "labels": [],
            "bones": [],
            "frames": [[103, 103]],
            "numbers": {},
            "columns": {},
        }
    ]
