# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from model.actors.actor import Actor
from model.actors.prior import bundled
from model.core.findings import Finding
from model.core.take import Axis, BoolArray, CleanTake, Take
from model.markers.coverage import body_parts, uncovered
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
    assert uncovered(taken(actor, everything(actor)), actor) == ()


def test_frames_without_markers(actor: Actor) -> None:
    seen = everything(actor)
    seen[:206] = False
    seen[300] = False
    seen[400:404] = False
    seen[400:404, :2] = True
    found = uncovered(taken(actor, seen), actor)
    assert texts(found) == [
        "Frames 11 to 216 and 311 have no marker: their pose is guessed.",
        "Frames 411 to 414 have fewer than 3 markers: their pose is guessed.",
    ]
    assert [finding.kind for finding in found] == ["no markers", "few markers"]
    assert found[0].frames == ((0, 205), (300, 300))


def test_one_frame_without_markers_is_one(actor: Actor) -> None:
    seen = everything(actor)
    seen[0] = False
    assert texts(uncovered(taken(actor, seen), actor)) == ["Frame 11 has no marker: its pose is guessed."]


def test_many_stretches_are_counted(actor: Actor) -> None:
    seen = everything(actor)
    seen[::10] = False
    (found,) = uncovered(taken(actor, seen), actor)
    assert found.text == "Frames 11, 21, 31, 41, 51 and 45 more have no marker: their pose is guessed."
    assert len(found.frames) == 50


def test_halves_of_the_body(actor: Actor) -> None:
    seen = everything(actor)
    seen[:, carried_by(actor, ("left", "leg"), ("right", "leg"))] = False
    (found,) = uncovered(taken(actor, seen), actor)
    assert found.text == "No marker tells of the legs: their pose is guessed."
    assert found.kind == "unseen"
    assert found.frames == ()
    assert {"LeftUpLeg", "LeftFoot", "RightToeBase"} <= set(found.bones)
    assert "Hips" not in found.bones
    upper = everything(actor)
    parts = [("", "head"), ("left", "arm"), ("right", "arm")]
    upper[:, carried_by(actor, *parts)] = False
    assert texts(uncovered(taken(actor, upper), actor)) == ["No marker tells of the head and the arms: their pose is guessed."]


def test_parts_of_limbs(actor: Actor) -> None:
    seen = everything(actor)
    seen[:, carried_by(actor, ("left", "foot"), ("right", "foot"), ("right", "forearm"))] = False
    assert texts(uncovered(taken(actor, seen), actor)) == ["No marker tells of the right forearm and the feet: their pose is guessed."]
    one = everything(actor)
    one[:, carried_by(actor, ("left", "lower leg"))] = False
    assert texts(uncovered(taken(actor, one), actor)) == ["No marker tells of the left lower leg: its pose is guessed."]


def test_long_gaps_of_a_part_are_said_with_their_frames(actor: Actor) -> None:
    seen = everything(actor)
    seen[100:250, carried_by(actor, ("left", "arm"))] = False
    seen[300:390, carried_by(actor, ("left", "arm"))] = False  # shorter than a second
    (found,) = uncovered(taken(actor, seen), actor)
    assert found.text == "No marker tells of the left arm in frames 111 to 260: its pose is guessed."
    assert found.frames == ((100, 249),)


def test_a_hand_that_is_lost_longer_than_its_arm_is_said_too(actor: Actor) -> None:
    seen = everything(actor)
    seen[100:250, carried_by(actor, ("left", "arm"))] = False
    seen[100:450, carried_by(actor, ("left", "hand"))] = False
    assert texts(uncovered(taken(actor, seen), actor)) == [
        "No marker tells of the left arm in frames 111 to 260: its pose is guessed.",
        "No marker tells of the left hand in frames 261 to 460: its pose is guessed.",
    ]


def test_frames_without_markers_do_not_hide_what_is_never_seen(actor: Actor) -> None:
    seen = everything(actor)
    seen[:, carried_by(actor, ("left", "leg"), ("right", "leg"))] = False
    seen[:100] = False
    assert texts(uncovered(taken(actor, seen), actor)) == [
        "Frames 11 to 110 have no marker: their pose is guessed.",
        "No marker tells of the legs: their pose is guessed.",
    ]


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
        {"kind": "no markers", "text": "Frame 103 has no marker.", "labels": [], "bones": [], "frames": [[103, 103]], "numbers": {}}
    ]
