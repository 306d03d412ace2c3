# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes whose marker set nobody has described: each stage by itself, and people with made-up markers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model.actors import prior as priors
from model.actors.actor import Actor
from model.bench.labels import named_as
from model.core.errors import BonesetterError
from model.core.settings import Settings
from model.core.skeleton import Skeleton
from model.core.take import Take
from model.engine.pipeline import solve_take
from model.files.c3d_writer import write_c3d
from model.labelling import unknown
from model.labelling.agreement import agreeing
from model.labelling.anywhere import Candidate, look_anywhere, transported
from model.labelling.evidence import Evidence
from model.labelling.key_frames import KeyFrames, choose_key_frames
from model.labelling.label import label_take
from model.labelling.labelled import Labelled
from model.labelling.landmarks import Landmarks, landmarks_of
from model.labelling.naming import by_columns, named_columns
from model.labelling.reattachment import Markers, reattached
from model.labelling.rigidity import Astray
from model.labelling.settling import Settled, merged, without_scraps
from model.labelling.surface import SEGMENT_OF, SEGMENTS, surface_of
from model.labelling.tracks import OPEN, Tracks, cut_tracks
from model.labelling.unknown import known_of
from model.marker_sets.marker_set import bundled_marker_sets, load_marker_set
from model.shell.cli import main
from model.solver.kinematics import Pose
from model.synthetic.synthesis import SyntheticTake, synthesise
from model.synthetic.unlabelled import Labelling, Stripped, score, strip_labels

#: Markers of a made-up set: of each joint how many, and how far from the bone, in m. They stand anywhere along and around it.
LIMBS = {"Arm": (3, 0.055), "ForeArm": (3, 0.05), "FingerBase": (2, 0.035), "UpLeg": (4, 0.09), "Leg": (4, 0.06), "Foot": (3, 0.045)}
#: On the trunk and the head: half breadth, half depth and height from the joint, in m.
TRUNK = {"Hips": (4, 0.16, 0.11, 0.02), "Spine1": (5, 0.15, 0.115, 0.1), "Head": (4, 0.08, 0.09, 0.11)}


def made_up(skeleton: Skeleton, seed: int) -> Actor:
    """Somebody with markers of nobody's set, on all segments, left and right at different heights."""
    random = np.random.default_rng(seed)
    names, offsets = [], []
    for joint, (count, wide, deep, up) in TRUNK.items():
        for row in range(count):
            angle = 2 * np.pi * (row + random.uniform(0.0, 0.6)) / count
            names.append(joint)
            offsets.append([wide * np.sin(angle), up + random.uniform(-0.03, 0.03), deep * np.cos(angle)])
    for side in ("Left", "Right"):
        for joint, (count, radius) in LIMBS.items():
            bone = skeleton.bones[skeleton.joints.index(side + joint)]
            first = np.cross(bone, [0.0, 0.3, 1.0])
            across = first / np.linalg.norm(first), np.cross(bone, first) / np.linalg.norm(np.cross(bone, first))
            for row in range(count):
                angle = 2 * np.pi * (row + random.uniform(0.0, 0.6)) / count
                names.append(side + joint)
                offsets.append((row + 0.7) / count * bone + radius * (np.cos(angle) * across[0] + np.sin(angle) * across[1]))
    labels = tuple(f"{name} {row}" for row, name in enumerate(names))
    return Actor(skeleton, labels, tuple(skeleton.joints.index(name) for name in names), np.array(offsets))


def take_of(actor: Actor, moving: SyntheticTake) -> Take:
    """What cameras see of an actor's markers while he moves."""
    markers = actor.markers(moving.motion)
    seen = markers + np.random.default_rng(0).normal(scale=5e-4, size=markers.shape)
    return Take("somebody", actor.labels, seen, np.zeros(seen.shape[:2]), moving.motion.rate_hz)


@pytest.fixture(scope="module")
def moving() -> SyntheticTake:
    return synthesise(5.0, 60.0)


@pytest.fixture(scope="module")
def somebody(moving: SyntheticTake) -> Actor:
    return made_up(moving.motion.skeleton, 4)


@pytest.fixture(scope="module")
def hard(moving: SyntheticTake, somebody: Actor) -> Stripped:
    return strip_labels(take_of(somebody, moving), 1, hard=True)


@pytest.fixture(scope="module")
def found(hard: Stripped) -> Labelled:
    return label_take(hard.take)


def scored(stripped: Stripped, found: Labelled) -> tuple[Labelling, dict[str, str]]:
    """How many samples of a marker are together, and {true name: found label}."""
    labels = [label for label in found.take.labels if not label.startswith("*")]
    positions = found.take.positions[:, : len(labels)]
    names = named_as(stripped, positions, labels)
    return score(stripped, positions, names), dict(zip(names, labels, strict=True))


def test_whoever_has_most_samples_without_a_label_is_nobody(hard: Stripped, monkeypatch: pytest.MonkeyPatch) -> None:
    """And another key frame's points become the first markers before that is said."""
    begun: list[int] = []
    real = unknown.refine_markers

    def refine_markers(*given: Any) -> Settled:
        begun.append(len(given[0].joints))
        found = real(*given)
        few = np.where(found.markers.labels < 12, found.markers.labels, OPEN)
        return replace(found, markers=replace(found.markers, labels=few), astray=Astray(0.5, 0.5))

    monkeypatch.setattr(unknown, "refine_markers", refine_markers)
    with pytest.raises(BonesetterError, match="no body is found among them"):
        label_take(hard.take, unknown_set=True)
    assert len(begun) == unknown.STARTS


def test_a_room_full_of_reflections_hides_nobody(hard: Stripped) -> None:
    """More of them than markers: only points near the person tell whether there is one."""
    take, random = hard.take, np.random.default_rng(3)
    still = random.uniform([1.5, 0.0, 1.5], [6.0, 2.5, 6.0], (50, 3)) * random.choice([-1.0, 1.0], (50, 1)) * [1.0, 0.0, 1.0]
    still += np.nanmean(take.positions, axis=(0, 1)) * [1.0, 0.0, 1.0] + random.uniform(0.0, 2.5, (50, 1)) * [0.0, 1.0, 0.0]
    positions = np.concatenate([take.positions, np.repeat(still[None], take.frames, axis=0)], axis=1)
    more = replace(
        take, labels=(*take.labels, *(f"*r{row}" for row in range(50))), positions=positions, residuals=np.zeros(positions.shape[:2])
    )
    found = label_take(more, unknown_set=True)
    assert sum(not label.startswith("*") for label in found.take.labels) > 30


def test_the_skin_covers_every_segment_and_is_the_same_on_both_sides() -> None:
    surface = surface_of(priors.bundled(), bundled_marker_sets())
    counts = np.bincount(surface.segments, minlength=len(SEGMENTS))
    assert (counts > 0).all()
    assert surface.shares.sum() == pytest.approx(1.0)
    names = list(SEGMENTS)
    for left in (name for name in names if name.endswith(".L")):
        rows = [names.index(left), names.index(f"{left[:-2]}.R")]
        assert counts[rows[0]] == counts[rows[1]]
        assert surface.shares[rows[0]] == pytest.approx(surface.shares[rows[1]])


def test_a_place_off_the_skin_is_led_back_to_it_along_its_normal() -> None:
    surface = surface_of(priors.bundled(), bundled_marker_sets())
    rows = np.arange(0, len(surface.joints), 7)
    joints, normals = np.array(surface.joints)[rows], surface.normals[rows]
    places, found = surface.near(joints, surface.actor.marker_offsets[rows] + 0.005 * normals)
    assert places == pytest.approx(surface.actor.marker_offsets[rows])
    assert found == pytest.approx(normals)
    assert np.linalg.norm(normals, axis=-1) == pytest.approx(1.0)


def test_every_point_is_explained_once_or_is_nobodys() -> None:
    # three places, two of them on one segment; a point at the first, one between the others, one far away
    squared = torch.tensor([[[0.0, 0.5, 4.0], [0.5, 0.001, 4.0], [0.5, 0.001, 4.0]]])
    on = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    part = transported(squared, torch.full((3,), 0.05**2), on, torch.tensor([[1.5, 1.5]]))[0]
    assert part[:, 0].sum() == pytest.approx(1.0, abs=0.02)
    assert part[1:, 1] == pytest.approx(torch.full((2,), 0.5), abs=0.02)
    assert part[:, 2].sum() < 0.01


def candidate(cost: float, segments: list[int]) -> Candidate:
    """A pose that puts points on segments."""
    on = np.eye(2)[segments]
    nothing = np.zeros((1, 3))
    return Candidate(Pose(torch.zeros(1, 3), torch.eye(3)[None], torch.zeros(1, 1)), 1.0, cost, on, nothing, np.eye(3)[None], on)


def test_poses_are_chosen_by_which_every_track_stays_on_one_segment() -> None:
    keys = KeyFrames(np.arange(3), np.zeros((3, 4, 3)), np.tile(np.arange(4), (3, 1)))
    left_first, right_first = [0, 0, 1, 1], [1, 1, 0, 0]
    poses = [
        [candidate(10.0, left_first), candidate(11.0, right_first)],
        [candidate(10.0, right_first), candidate(10.5, left_first)],
        [candidate(9.0, left_first), candidate(9.0, right_first)],
    ]
    assert agreeing(poses, keys, 4) == [0, 1, 0]


def test_landmarks_are_what_sets_have_in_common_and_no_marker_shares_one() -> None:
    prior = priors.bundled()
    landmarks = landmarks_of(prior, bundled_marker_sets())
    joints = prior.actor.joints
    heels = [row for row, joint in enumerate(landmarks.joints) if joints[joint] == "LeftFoot" and landmarks.offsets[row, 2] < -0.03]
    assert max(landmarks.worn[heels]) > 0.5
    heel = max(heels, key=lambda row: landmarks.worn[row])
    places = landmarks.places[[heel, heel]] + np.array([[0.0, 0.0, 0.0], [0.005, 0.0, 0.0]])
    on = landmarks.joints[[heel, heel]]
    found = landmarks.nearest(on, places, np.zeros((2, len(joints))))
    assert found[0] == heel
    assert found[1] != heel
    # far from all
    assert landmarks.nearest(on[:1], np.array([[1.0, 1.0, 1.0]]), np.zeros((1, len(joints)))).tolist() == [-1]


@pytest.fixture(scope="module")
def landmarks() -> Landmarks:
    return landmarks_of(priors.bundled(), bundled_marker_sets())


def landmark_at(landmarks: Landmarks, joint: str, offset: tuple[float, float, float]) -> int:
    """The most worn landmark on a joint that is within 3 cm of an offset."""
    on = np.array([priors.bundled().actor.joints[row] == joint for row in landmarks.joints])
    near = on & (np.linalg.norm(landmarks.offsets - offset, axis=1) < 0.03)
    return int(np.where(near, landmarks.worn, -1.0).argmax())


def test_no_marker_is_on_the_inner_side_of_an_elbow_that_has_none_on_the_outer(landmarks: Landmarks) -> None:
    outer, inner = landmark_at(landmarks, "LeftArm", (0.27, 0.05, -0.03)), landmark_at(landmarks, "LeftArm", (0.28, -0.04, -0.025))
    assert landmarks.beside[inner] == outer
    assert landmarks.beside[outer] == -1
    joints, still = landmarks.joints[[outer, inner]], np.zeros((2, len(priors.bundled().actor.joints)))
    between = 0.4 * landmarks.places[outer] + 0.6 * landmarks.places[inner]  # of an arm that is found turned about itself
    assert landmarks.nearest(joints[:1], between[None], still[:1]).tolist() == [outer]
    # two that are as far apart as on the mean person are both
    assert landmarks.nearest(joints, landmarks.places[[outer, inner]] - [0.0, 0.02, 0.0], still).tolist() == [outer, inner]
    # a marker of the upper arm is not the elbow's other one
    shaft = landmarks.places[outer] - [0.11, 0.03, 0.0]
    assert landmarks.nearest(joints, np.array([shaft, between]), still).tolist() == [-1, outer]


def test_a_marker_of_a_thumb_stays_there(landmarks: Landmarks) -> None:
    thumb = priors.bundled().actor.joints.index("LThumb")
    (row,) = np.flatnonzero(landmarks.joints == thumb)
    moves = np.full((1, len(priors.bundled().actor.joints)), 0.01)
    moves[0, thumb] = np.inf  # no skin is on it
    assert landmarks.nearest(np.array([thumb]), landmarks.places[[row]], moves).tolist() == [row]


def test_markers_of_a_head_are_all_at_its_corners_or_all_at_its_sides(landmarks: Landmarks) -> None:
    head = priors.bundled().actor.joints.index("Head")
    places = {
        "corners": [(0.09, 0.155, 0.07), (-0.06, 0.16, 0.07), (0.06, 0.08, -0.045), (-0.057, 0.08, -0.045)],
        "sides": [(0.01, 0.163, 0.078), (0.01, 0.05, -0.075), (0.08, 0.1, 0.0), (-0.08, 0.1, 0.0)],
    }
    known = {name: [landmark_at(landmarks, "Head", place) for place in each] for name, each in places.items()}
    still, on = np.zeros((4, len(priors.bundled().actor.joints))), np.full(4, head)
    for rows in known.values():
        at = landmarks.places[rows]
        assert landmarks.nearest(on, at, still).tolist() == rows
        # one of them is found half way to the other kind's place, the head being a little turned
        turned = at.copy()
        turned[0] += 0.5 * (landmarks.places[known["sides" if rows is known["corners"] else "corners"][0]] - turned[0])
        assert landmarks.nearest(on, turned, still).tolist() == rows


def test_a_marker_along_a_bone_has_no_landmark(landmarks: Landmarks) -> None:
    outer = landmark_at(landmarks, "LeftArm", (0.27, 0.05, -0.03))
    still = np.zeros((1, len(priors.bundled().actor.joints)))
    shaft = landmarks.places[outer] - [0.09, 0.0, 0.0]
    assert landmarks.nearest(landmarks.joints[[outer]], shaft[None], still).tolist() == [-1]
    # as far off where no set has such markers
    aside = landmarks.places[outer] + [0.0, 0.09, 0.0]
    assert landmarks.nearest(landmarks.joints[[outer]], aside[None], still).tolist() != [-1]


def test_a_marker_by_a_joint_goes_to_the_landmark_of_the_other_bone(landmarks: Landmarks) -> None:
    joints = priors.bundled().actor.joints
    ankle = landmark_at(landmarks, "LeftLeg", (0.188, -0.384, 0.01))
    moves = np.full((1, len(joints)), 0.05)
    moves[0, joints.index("LeftFoot")], moves[0, joints.index("LeftLeg")] = 0.004, 0.016
    foot = np.array([joints.index("LeftFoot")])
    assert landmarks.nearest(foot, landmarks.places[[ankle]] + 0.01, moves).tolist() == [ankle]
    # what swings about the shin is the foot's
    moves[0, joints.index("LeftLeg")] = 0.05
    assert landmarks.nearest(foot, landmarks.places[[ankle]] + 0.01, moves).tolist() != [ankle]


def test_a_marker_goes_to_the_bone_whose_markers_keep_their_distance_to_it() -> None:
    body = known_of(priors.bundled(), bundled_marker_sets())
    shoulder, arm = (priors.bundled().actor.joints.index(name) for name in ("RightShoulder", "RightArm"))
    angle = np.linspace(0.0, 1.5, 300)
    swung = np.stack([np.sin(angle), np.cos(angle), np.zeros(300)], axis=-1)
    places = [np.full((300, 3), 0.1), 0.1 * swung, 0.2 * swung + [0.0, 0.0, 0.04], 0.25 * swung]
    tracks = cut_tracks(Take("arm", ("a", "b", "c", "d"), np.stack(places, axis=1), np.zeros((300, 4)), 60.0))
    count, joints = len(tracks), np.array([shoulder, shoulder, arm, arm])[tracks.columns]
    found = np.zeros((count, len(body.zero_places), 3)) + 0.1
    scatter = np.full((count, len(body.zero_places)), 1.0)
    # the body was fitted with the second on the shoulder, so that it is hardly stiller on the arm to which it belongs
    scatter[:, shoulder], scatter[:, arm] = 0.023**2, 0.021**2
    scatter[tracks.columns == 0, shoulder] = 0.01**2
    labels = np.arange(count)
    markers = Markers(joints, np.full((count, 3), 0.1), labels, np.full(count, -1))
    moved = reattached(markers, labels, tracks, Evidence(found, scatter, np.ones(count), np.zeros((count, count))), body, 1.0)
    assert moved.joints[tracks.columns == 1].tolist() == [arm]
    assert moved.joints[tracks.columns == 0].tolist() == [shoulder]
    # nothing to go by: all stand still
    still = cut_tracks(Take("arm", ("a", "b", "c", "d"), np.stack(places, axis=1)[:1].repeat(300, axis=0), np.zeros((300, 4)), 60.0))
    stays = reattached(markers, labels, still, Evidence(found, scatter, np.ones(count), np.zeros((count, count))), body, 1.0)
    assert stays.joints[tracks.columns == 1].tolist() == [shoulder]


def test_a_body_is_found_by_its_skin_alone(hard: Stripped, moving: SyntheticTake) -> None:
    prior = priors.bundled()
    keys = choose_key_frames(cut_tracks(hard.take), 3)
    with torch.no_grad():
        candidates = look_anywhere(surface_of(prior, bundled_marker_sets()), prior, keys, "Z")
    true = moving.motion.forward()[0][keys.frames]
    off = [np.linalg.norm(each[0].positions - there, axis=-1).mean() for each, there in zip(candidates, true, strict=True)]
    assert max(off) < 0.08


def test_tracks_of_a_made_up_set_are_brought_together_and_put_on_their_bones(hard: Stripped, found: Labelled, somebody: Actor) -> None:
    result, names = scored(hard, found)
    assert result.right >= 0.97
    assert result.ghosts <= 0.05
    joints = somebody.skeleton.joints
    actor = found.actor
    true = {label: SEGMENT_OF[joints[joint]] for label, joint in zip(somebody.labels, somebody.marker_joints, strict=True)}
    said = {label: SEGMENT_OF[joints[joint]] for label, joint in zip(actor.labels, actor.marker_joints, strict=True)}
    pairs = [(true[name], said[label]) for name, label in names.items() if name in true]
    assert all(said[label] == label.rpartition(" ")[0] for label in said)
    # one side only, and nearly all on the very segment
    assert not [pair for pair in pairs if {pair[0][-2:], pair[1][-2:]} == {".L", ".R"}]
    assert np.mean([one == other for one, other in pairs]) >= 0.85


def test_names_that_no_set_knows_say_which_tracks_are_one_markers(moving: SyntheticTake, somebody: Actor) -> None:
    names = tuple(f"Punkt {chr(65 + row // 8)}{row % 8}" for row in range(len(somebody.labels)))
    take = replace(take_of(somebody, moving), labels=names)
    take.positions[100:130, 5] = np.nan
    found = label_take(take, unknown_set=True)
    assert {row.label for row in found.tracks} <= {*names, ""}
    assert all(row.label in (row.column, "") for row in found.tracks)
    assert [row.label for row in found.tracks if row.column == names[5]] == [names[5]] * 2
    assert sum(bool(row.label) for row in found.tracks) >= 0.97 * len(found.tracks)


def evidence_of(places: np.ndarray) -> Evidence:
    """Of tracks at places (tracks, 3) on a body of one joint."""
    count = len(places)
    return Evidence(places[:, None], np.zeros((count, 1)), np.ones(count), np.zeros((count, count)))


def test_markers_that_are_never_seen_at_once_and_sit_at_one_place_are_one() -> None:
    # the second marker goes on where the first ends, the third is there all the time, the fourth sits elsewhere
    spans = np.array([[0, 40], [50, 100], [0, 100], [50, 100]])
    tracks = Tracks(np.zeros((100, 4, 3)), np.arange(4), spans[:, 0], spans[:, 1], 100.0)
    places = np.array([[0.0, 0.1, 0.0], [0.0, 0.11, 0.0], [0.0, 0.1, 0.02], [0.3, 0.1, 0.0]])
    markers = Markers(np.zeros(4, dtype=int), places, np.arange(4), np.full(4, -1))
    one = merged(markers, tracks, evidence_of(places))
    assert len(one.joints) == 3
    assert one.labels[0] == one.labels[1]
    assert len(set(one.labels.tolist())) == 3
    apart = merged(replace(markers, labels=np.array([0, OPEN, 2, 3])), tracks, evidence_of(places))
    assert apart.labels.tolist() == [0, OPEN, 2, 3]


def test_a_label_that_has_short_tracks_only_is_a_ghosts() -> None:
    spans = np.array([[0, 90], [0, 20], [40, 60], [90, 100]])
    tracks = Tracks(np.zeros((100, 4, 3)), np.arange(4), spans[:, 0], spans[:, 1], 100.0)
    assert without_scraps(np.array([0, 1, 1, 0]), tracks).tolist() == [0, OPEN, OPEN, 0]


def test_a_column_keeps_one_label_and_shares_it_with_no_other() -> None:
    tracks = Tracks(np.zeros((100, 3, 3)), np.array([0, 0, 1, 2]), np.array([0, 50, 0, 0]), np.array([45, 100, 100, 100]), 100.0)
    # the first column's tracks disagree, the unnamed one's track claims the first column's label
    assert by_columns(np.array([0, 1, 1, 0]), tracks, {0: "A", 1: "B"}).tolist() == [0, 0, 1, OPEN]


def test_columns_that_hold_a_part_of_the_frames_are_no_markers_of_one_name() -> None:
    seen = np.zeros((10, 4, 3))
    seen[2:, 1] = np.nan
    take = Take("take", ("left knee", "right knee", "*3", "Jim:hip"), seen, np.zeros((10, 4)), 100.0)
    assert named_columns(take) == {0: "left knee", 3: "hip"}


def test_the_take_is_solved_with_the_set_that_was_made(hard: Stripped, found: Labelled, moving: SyntheticTake) -> None:
    assert any("unknown marker set" in finding.text for finding in found.findings)
    solution = solve_take(found.take, Settings(), marker_set=found.marker_set)
    apart = np.linalg.norm(solution.positions - moving.motion.forward()[0], axis=-1)
    assert apart.mean() < 0.04


def test_solve_labels_by_itself_where_no_set_explains_the_take(hard: Stripped) -> None:
    few = replace(hard.take, positions=hard.take.positions[:150], residuals=hard.take.residuals[:150])
    solution = solve_take(few, Settings())
    assert "labelled" in {finding.kind for finding in solution.findings}
    assert any("upper_arm.L" in label for label in solution.actor.labels)


def test_the_command_saves_a_set_that_it_made(hard: Stripped, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = replace(hard.take, positions=hard.take.positions[:150], residuals=hard.take.residuals[:150])
    write_c3d(few, tmp_path / "take.c3d")
    command = ["label", str(tmp_path / "take.c3d"), "--out", str(tmp_path / "out"), "--unknown-layout"]
    assert main([*command, "--save-layout", str(tmp_path / "own.json")]) == 0
    assert "unknown marker set" in capsys.readouterr().out
    learned = load_marker_set(tmp_path / "own.json")
    assert {label.rpartition(" ")[0] for label in learned.labels} <= set(SEGMENTS)
    assert main([*command, "--actor", str(tmp_path / "own.actor.json")]) == 2
