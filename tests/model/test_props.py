# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigid groups of markers that nobody wears: objects with a location and a rotation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation, RotationSpline

from model.core.motion import forward
from model.core.rigid import rotation_angles_deg
from model.core.rotations import unitquat_to_rotmat
from model.core.settings import Settings
from model.core.take import FloatArray, Take
from model.engine.pipeline import solve_people
from model.files.exchange import load_pose, save_pose
from model.files.npz import write_npz
from model.markers.people import people_of
from model.props.find import family_of, find_props
from model.props.rigid_poses import bridged, rigid_poses
from model.result.prop import Prop
from model.synthetic.synthesis import synthesise

FRAMES, RATE_HZ, SMOOTH = 600, 120.0, Settings().smooth
STICK = np.array([[-0.3, 0.0, 0.01], [0.1, 0.02, -0.01], [0.45, -0.03, 0.0], [0.2, 0.09, 0.05]])


def path(seed: int = 0, frames: int = FRAMES) -> tuple[FloatArray, FloatArray]:
    """Where an object goes: rotations (frames, 3, 3) and positions (frames, 3)."""
    random = np.random.default_rng(seed)
    keys = np.linspace(0, frames - 1, 8)
    rotations = RotationSpline(keys, Rotation.from_rotvec(random.uniform(-1.2, 1.2, (8, 3))))(np.arange(frames)).as_matrix()
    return rotations, CubicSpline(keys, random.uniform((-1, -1, 0.8), (1, 1, 1.4), (8, 3)))(np.arange(frames))


def on_path(places: FloatArray, seed: int = 0, frames: int = FRAMES, jitter: float = 5e-4) -> FloatArray:
    """(frames, markers, 3): markers of an object as cameras see them."""
    rotations, positions = path(seed, frames)
    samples = np.einsum("fab,mb->fma", rotations, places) + positions[:, None]
    return samples + np.random.default_rng(seed + 100).normal(0.0, jitter, samples.shape)


def take_of(positions: FloatArray, labels: tuple[str, ...]) -> Take:
    return Take("prop", labels, positions, np.zeros(positions.shape[:2]), RATE_HZ)


def errors(prop: Prop, seed: int = 0, places: FloatArray = STICK) -> tuple[float, float]:
    """How far a prop is from the truth where it has keys, on average: in mm, and in degrees."""
    rotations, positions = path(seed)
    middle = np.einsum("fab,b->fa", rotations, places.mean(axis=0)) + positions
    turned = unitquat_to_rotmat(prop.rotations)
    off_mm = np.linalg.norm(prop.positions - middle, axis=-1)[prop.keyed].mean() * 1e3
    # the axes of an object are its first frame's, whose error is in all others': they are compared up to one turn for all frames
    offset = turned.swapaxes(-1, -2) @ rotations
    usual = Rotation.from_matrix(offset[prop.keyed]).mean().as_matrix()
    return float(off_mm), float(rotation_angles_deg(offset, usual[None])[prop.keyed].mean())


def with_gaps(samples: FloatArray, seed: int = 5) -> FloatArray:
    """Each marker is away three times, for a quarter of a second to a half."""
    random, samples = np.random.default_rng(seed), samples.copy()
    for marker in range(samples.shape[1]):
        for start in random.integers(0, len(samples) - 60, 3):
            samples[start : start + random.integers(30, 60), marker] = np.nan
    return samples


@pytest.mark.parametrize("labels", [("Stick:a", "Stick:b", "Stick:c", "Stick:d"), ("Q1", "foo", "77", "Bar")])
def test_a_prop_of_named_markers(labels: tuple[str, ...]) -> None:
    (prop,) = find_props(take_of(with_gaps(on_path(STICK)), labels), (), SMOOTH)
    assert prop.name == ("Stick" if ":" in labels[0] else "Prop 1")
    assert set(prop.labels) == set(labels)
    assert len(prop.places) == 4
    off_mm, turned_deg = errors(prop)
    assert off_mm < 1.0
    assert turned_deg < 0.5
    assert prop.keyed.mean() > 0.9
    assert prop.residual_mm < 1.0


def test_a_prop_whose_tracks_break() -> None:
    """Points without names, whose tracks go on in whatever column is free, and which are away altogether for a second."""
    samples = with_gaps(on_path(STICK))
    samples[280:400] = np.nan
    columns = np.full((FRAMES, 12, 3), np.nan)
    random = np.random.default_rng(3)
    for marker in range(4):
        seen = np.isfinite(samples[:, marker, 0])
        edges = np.flatnonzero(np.diff(seen.astype(int), prepend=0, append=0)).reshape(-1, 2)
        for start, end in edges.tolist():
            free = [column for column in range(12) if np.isnan(columns[max(0, start - 1) : end + 1, column]).all()]
            columns[start:end, random.choice(free)] = samples[start:end, marker]
    (prop,) = find_props(take_of(columns, tuple(f"*{row}" for row in range(12))), (), SMOOTH)
    assert len(prop.places) == 4
    off_mm, turned_deg = errors(prop)
    assert off_mm < 1.0
    assert turned_deg < 0.5
    assert not prop.keyed[290:390].any()
    # two are left at the end, which do not tell of a turn about them, and no pose follows to which a bridge could lead
    assert prop.keyed[:270].mean() > 0.9 < prop.keyed[410:530].mean()


def test_two_props_are_two() -> None:
    both = np.concatenate([on_path(STICK), on_path(0.4 * STICK[:3], seed=1)], axis=1)
    names = ("Bat1", "Bat2", "Bat3", "Bat4", "Ball1", "Ball2", "Ball3")
    found = find_props(take_of(both, names), (), SMOOTH)
    assert {prop.name for prop in found} == {"Bat", "Ball"}
    order = np.random.default_rng(0).permutation(7)
    shuffled = find_props(take_of(both[:, order], tuple(f"*{row}" for row in range(7))), (), SMOOTH)
    assert sorted(len(prop.places) for prop in shuffled) == [3, 4]


def test_points_that_stand_still_are_props_by_their_name_only() -> None:
    still = np.random.default_rng(0).normal(np.repeat(STICK[None], FRAMES, axis=0), 3e-4)
    assert find_props(take_of(still, ("*0", "*1", "*2", "*3")), (), SMOOTH) == ()
    assert find_props(take_of(still, ("A", "Q7", "foo", "x")), (), SMOOTH) == ()
    (chair,) = find_props(take_of(still, ("Chair:1", "Chair:2", "Chair:3", "Chair:4")), (), SMOOTH)
    assert chair.name == "Chair"


def test_points_that_do_not_keep_their_distance_are_no_prop() -> None:
    loose = np.concatenate([on_path(STICK[:1], seed=seed) for seed in range(4)], axis=1)
    assert find_props(take_of(loose, ("a", "b", "c", "d")), (), SMOOTH) == ()


def test_exchanged_markers_of_a_prop_do_not_count() -> None:
    samples = on_path(STICK)
    samples[200:230, [0, 1]] = samples[200:230, [1, 0]]
    (prop,) = find_props(take_of(samples, ("Bat1", "Bat2", "Bat3", "Bat4")), (), SMOOTH)
    off_mm, turned_deg = errors(prop)
    assert off_mm < 1.0
    assert turned_deg < 0.5


def test_markers_in_a_line() -> None:
    """Nothing tells of a turn about it: where its markers are is right all the same."""
    line = np.array([[-0.4, 0.0, 0.0], [0.1, 0.0, 0.0], [0.3, 0.0, 0.0]])
    (prop,) = find_props(take_of(on_path(line), ("L1", "L2", "L3")), (), SMOOTH)
    rotations, positions = path()
    there = np.einsum("fab,mb->fma", unitquat_to_rotmat(prop.rotations), prop.places) + prop.positions[:, None]
    truth = np.einsum("fab,mb->fma", rotations, line) + positions[:, None]
    assert np.linalg.norm(there - truth, axis=-1)[prop.keyed].max() < 3e-3
    turn = rotation_angles_deg(unitquat_to_rotmat(prop.rotations[1:]), unitquat_to_rotmat(prop.rotations[:-1]))
    assert turn.max() < 5.0


def test_a_gap_is_bridged_by_what_is_left() -> None:
    samples = on_path(STICK, jitter=0.0)
    gappy = samples.copy()
    gappy[100:130, 1:] = np.nan
    gappy[300:400] = np.nan
    seen = rigid_poses(gappy, STICK)
    assert not seen.known[100:130].any()
    poses = bridged(seen, gappy, STICK, RATE_HZ)
    assert poses.known[100:130].all()
    assert not poses.known[300:400].any()
    # the marker that is seen is where it is, to the weight of the bridge
    assert np.linalg.norm(poses.placed(STICK) - samples, axis=-1)[100:130, 0].max() < 2e-3


def test_families() -> None:
    assert [family_of(label) for label in ("Stick:a", "Stick_1", "Bat12", "foo", "BallA")] == ["Stick:", "Stick_", "Bat", "", "Ball"]


def held(hand_frames: slice) -> Take:
    """One person, and a stick that moves with the right hand in some frames and by itself in the others."""
    person = synthesise(seconds=FRAMES / RATE_HZ, seed=3)
    rotations, positions = path()
    joints, bones = forward(person.motion.skeleton, person.motion.rotations, person.motion.root)
    hand = person.motion.skeleton.joints.index("RightHand")
    rotations[hand_frames], positions[hand_frames] = bones[hand_frames, hand], joints[hand_frames, hand]
    samples = np.einsum("fab,mb->fma", rotations, 0.4 * STICK) + positions[:, None]
    samples += np.random.default_rng(0).normal(0.0, 5e-4, samples.shape)
    stick = Take("stick", ("Q1", "Q2", "Q3", "Q4"), samples, np.zeros(samples.shape[:2]), RATE_HZ)
    return replace(person.take.beside(stick), name="stick", origins=(), findings=())


def test_a_stick_that_is_held_for_a_while_is_a_prop() -> None:
    (solution,) = solve_people(held(slice(0, 450)), Settings())
    assert [set(prop.labels) for prop in solution.props] == [{"Q1", "Q2", "Q3", "Q4"}]
    assert not {"Q1", "Q2", "Q3", "Q4"} & set(solution.actor.labels)


def test_what_a_hand_holds_all_along_is_on_the_hand() -> None:
    (solution,) = solve_people(held(slice(0, FRAMES)), Settings())
    assert not solution.props
    joints = solution.actor.skeleton.joints
    bones = {label: joints[joint] for label, joint in zip(solution.actor.labels, solution.actor.marker_joints, strict=True)}
    assert all("Right" in bones[label] or "RThumb" in bones[label] for label in ("Q1", "Q2", "Q3", "Q4"))


@pytest.fixture(scope="module")
def duet() -> Take:
    """Two people 0.8 m from each other, and a stick in the air between them."""
    first, other = (synthesise(seconds=FRAMES / RATE_HZ, seed=seed).take for seed in (3, 4))
    middle = np.nanmean(first.positions, axis=(0, 1)) - np.nanmean(other.positions, axis=(0, 1))
    second = replace(other, positions=other.positions[::-1] + middle + np.array([0.8, 0.0, 0.0]), residuals=other.residuals[::-1])
    stick = take_of(with_gaps(on_path(STICK)), ("1", "2", "3", "4"))
    named = [
        one.only(range(len(one.labels)), tuple(f"{name}:{label}" for label in one.labels))
        for one, name in zip((first, second, stick), ("Ann", "Bob", "Stick"), strict=True)
    ]
    return replace(named[0].beside(named[1]).beside(named[2]), name="duet", origins=(), findings=())


def test_two_people_and_a_prop(duet: Take, tmp_path: Path) -> None:
    people = people_of(duet)
    assert [sum(label.startswith("Stick:") for label in one.labels) for one in people] == [4, 0]
    solutions = solve_people(duet, Settings())
    assert [[prop.name for prop in solution.props] for solution in solutions] == [["Stick"], []]
    prop = solutions[0].props[0]
    off_mm, turned_deg = errors(prop)
    assert off_mm < 1.0
    assert turned_deg < 0.5
    said = [finding for finding in solutions[0].findings if finding.kind == "prop"]
    assert [set(finding.labels) for finding in said] == [{f"Stick:{row}" for row in range(1, 5)}]

    save_pose(solutions[0], tmp_path / "pose.npz")
    (sent,) = load_pose(tmp_path / "pose.npz").props
    assert (sent.name, sent.labels) == (prop.name, prop.labels)
    np.testing.assert_array_equal(sent.rotations, prop.rotations)
    write_npz(solutions[0], tmp_path / "duet.npz")
    with np.load(tmp_path / "duet.npz") as arrays:
        assert arrays["props"].tolist() == ["Stick"]
        np.testing.assert_array_equal(arrays["prop_positions"][0], prop.positions)
        np.testing.assert_array_equal(arrays["prop_keyed"][0], prop.keyed)
    write_npz(solutions[1], tmp_path / "bob.npz")
    with np.load(tmp_path / "bob.npz") as arrays:
        assert "props" not in arrays
