# SPDX-License-Identifier: GPL-3.0-or-later
"""Actors of another hierarchy than the bundled one, and their poses."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from model.actors.actor import Freedom
from model.actors.actor_set import marker_set_of
from model.actors.carried_markers import carried_placement
from model.actors.hierarchy import carrying, prior_of, same_hierarchy
from model.actors.joint_names import counterparts
from model.actors.prior import bundled
from model.core.errors import BonesetterError
from model.core.metrics import pose_error
from model.core.motion import Motion, forward
from model.core.rotations import unitquat_to_rotmat
from model.core.settings import Settings
from model.core.skeleton import CMU_JOINTS, CMU_PARENTS, Skeleton
from model.engine.pipeline import solve_take
from model.files.asf_amc import read_amc, read_asf
from model.files.bvh import read_bvh, write_bvh
from model.files.exchange import load_pose, save_pose
from model.files.npz import read_npz, write_npz
from model.marker_sets.marker_set import load_marker_set
from model.proposer.joint_shapes import counterparts_by_shape
from model.proposer.starts import carried_proposal, other_hierarchy
from model.solver.kinematics import Body, to_array
from model.solver.observations import Observations

from .soft_person import drifting, person, skeleton, taken, walking


@pytest.fixture(scope="module")
def actor():
    return person()


@pytest.fixture(scope="module")
def motion(actor, synthetic):
    return walking(actor, synthetic.motion)


def error_of(solution, motion):
    positions, global_rotations = forward(solution.actor.skeleton, unitquat_to_rotmat(solution.rotations), solution.positions[:, 0])
    np.testing.assert_allclose(positions, solution.positions, atol=1e-5)
    return pose_error(positions, global_rotations, *motion.forward())


def nameless(actor):
    """Nothing tells how its joints move, and no marker set knows its labels."""
    joints = tuple(f"j{number}" for number in range(len(actor.skeleton.joints)))
    labels = tuple(f"m{number:02}" for number in range(len(actor.labels)))
    return replace(actor, skeleton=replace(actor.skeleton, joints=joints), labels=labels)


@pytest.mark.parametrize(("gaps", "most_mm", "most_deg"), [(0.0, 1.5, 1.5), (0.2, 3.0, 3.0)])
def test_a_person_of_24_joints_is_solved(actor, motion, gaps, most_mm, most_deg):
    solution = solve_take(taken(actor, motion, gaps=gaps), Settings(), actor)
    error = error_of(solution, motion)
    assert solution.rotations.shape[1] == 24
    assert not solution.warnings
    assert error.position_mm.mean() < most_mm
    assert error.motion_deg.mean() < most_deg


def test_an_arm_that_is_hidden_glides(actor, motion):
    take = taken(actor, motion)
    arm = [row for row, label in enumerate(take.labels) if label in ("LUPA", "LELB", "LELI", "LFRM", "LWRA", "LWRB", "LFIN")]
    take.positions[600:660, arm] = np.nan
    error = error_of(solve_take(take, Settings(), actor), motion)
    assert error.position_mm.max(axis=1)[600:660].mean() < 120
    assert error.position_mm[:590].mean() < 1.5


def test_nothing_needs_to_be_known_of_joints_and_labels(actor, motion):
    unknown = nameless(actor)
    take = replace(taken(actor, motion), labels=tuple(f"Bob:{label}" for label in unknown.labels))
    error = error_of(solve_take(take, Settings(), unknown), motion)
    assert error.position_mm.max() < 100
    assert error.position_mm.mean() < 2
    assert error.motion_deg.mean() < 2


@pytest.mark.parametrize("known", [True, False])
def test_joints_may_turn_as_no_person_does(actor, known):
    """What no marker tells, as how the spine shares its bend, is left to the prior."""
    drift = drifting(actor, 10)
    one = actor if known else nameless(actor)
    error = error_of(solve_take(replace(taken(actor, drift), labels=one.labels), Settings(), one), drift)
    assert error.position_mm.mean() < 4
    assert error.motion_deg.mean() < 6


@pytest.mark.parametrize("clip", ["05/05_03", "02/02_05"])
def test_real_motion(motion_folder, actor, clip):
    path = motion_folder / "cmu" / f"{clip}.amc"
    lab = walking(actor, read_amc(path, read_asf(path.parent / f"{path.parent.name}.asf")))
    error = error_of(solve_take(taken(actor, lab, gaps=0.1), Settings(), actor), lab)
    assert error.position_mm.mean() < 3
    assert error.motion_deg.mean() < 3


def test_markers_that_the_actor_lacks_are_attached(actor, motion):
    lacking = actor.only([row for row, label in enumerate(actor.labels) if label not in ("LTHI", "RSHN")])
    solution = solve_take(taken(actor, motion), Settings(), lacking)
    said = next(warning for warning in solution.warnings if warning.startswith("Attached by fitting"))
    assert "LTHI to left_hip" in said
    assert "RSHN to right_knee" in said
    row = solution.actor.labels.index("LTHI")
    np.testing.assert_allclose(solution.actor.marker_offsets[row], actor.marker_offsets[actor.labels.index("LTHI")], atol=5e-3)


def test_too_few_markers_is_one_sentence(actor, motion):
    with pytest.raises(BonesetterError, match=r"too few to solve: at least 12 are needed\. By motion"):
        solve_take(taken(actor, motion).only(range(5)), Settings(), actor)


def test_a_solution_of_any_hierarchy_is_written_and_read(actor, motion, tmp_path):
    pytest.importorskip("pybvh")
    short = Motion(motion.skeleton, motion.rotations[:60], motion.root[:60], motion.rate_hz)
    solution = solve_take(taken(actor, short), Settings(), actor)
    save_pose(solution, tmp_path / "pose.npz")
    pose = load_pose(tmp_path / "pose.npz")
    np.testing.assert_allclose(pose.skeleton.offsets, actor.skeleton.offsets)
    write_npz(solution, tmp_path / "a.npz")
    assert read_npz(tmp_path / "a.npz")["positions"].shape == (60, 24, 3)
    write_bvh(solution, tmp_path / "a.bvh")
    read = read_bvh(tmp_path / "a.bvh")
    order = [read.skeleton.joints.index(name) for name in actor.skeleton.joints]
    # a Z-up take is written Y up
    np.testing.assert_allclose(read.forward()[0][:, order], solution.positions[..., [0, 2, 1]] * (1, 1, -1), atol=1e-4)


def test_names_tell_how_joints_move():
    smpl = skeleton()
    likes = dict(zip(smpl.joints, counterparts(smpl.joints, smpl.parents), strict=True))
    assert likes["pelvis"] == "Hips"
    assert [likes[name] for name in ("spine1", "spine2", "spine3")] == ["LowerBack", "Spine", "Spine1"]
    assert [likes[f"left_{name}"] for name in ("hip", "knee", "ankle", "foot")] == ["LeftUpLeg", "LeftLeg", "LeftFoot", "LeftToeBase"]
    assert [likes[f"right_{name}"] for name in ("collar", "shoulder", "wrist")] == ["RightShoulder", "RightArm", "RightFingerBase"]
    bones = (
        "mixamorig:Hips",
        "mixamorig:Spine",
        "mixamorig:LeftUpLeg",
        "mixamorig:LeftLeg",
        "mixamorig:LeftFoot",
        "thigh.R",
        "rShin",
        "Leg_3",
    )
    told = ("Hips", "Spine1", "LeftUpLeg", "LeftLeg", "LeftFoot", "RightUpLeg", "RightLeg", None)
    assert counterparts(bones, (-1,) + (0,) * 7) == told
    assert counterparts(CMU_JOINTS, CMU_PARENTS) == CMU_JOINTS


def test_the_prior_is_carried_over(actor):
    prior = bundled()
    own = prior_of(actor, prior, carrying(actor, prior)).pose
    covariance = np.linalg.inv(own.precision)
    knee = np.sqrt(np.diag(covariance)[own.joints_of == actor.skeleton.joints.index("left_knee")])
    # all but a hinge
    assert sorted(np.degrees(knee).round())[:2] < [15, 15]
    assert np.degrees(knee).max() > 25
    assert np.linalg.eigvalsh(covariance).min() > 0
    # arms hang in the mean pose as they do in the bundled one
    rotations = own.mean_rotations.copy()
    rotations[0] = np.eye(3)
    places = Motion(actor.skeleton, rotations[None], np.zeros((1, 3)), 1.0).forward()[0][0]
    shoulder, wrist = (actor.skeleton.joints.index(f"left_{name}") for name in ("shoulder", "wrist"))
    assert places[wrist, 1] < places[shoulder, 1] - 0.2


def test_the_file_has_the_last_word(actor):
    prior = bundled()
    joints = actor.skeleton.joints
    said = {"left_knee": Freedom(deviation=(0.5, 0.0, 0.0)), "head": Freedom(like=""), "neck": Freedom(mean=(0.6, 0.8, 0.0, 0.0))}
    told = replace(actor, freedoms=tuple(said.get(name, Freedom()) for name in joints))
    own = prior_of(told, prior, carrying(told, prior)).pose
    knee = own.joints_of == joints.index("left_knee")
    np.testing.assert_array_equal(own.axes[knee], [[1.0, 0.0, 0.0]])
    assert np.linalg.inv(own.precision)[knee][:, knee].item() == pytest.approx(0.25)
    head = own.joints_of == joints.index("head")
    assert np.degrees(np.sqrt(np.diag(np.linalg.inv(own.precision))[head])).min() > 35
    np.testing.assert_allclose(own.mean_rotations[joints.index("neck"), 1:, 1:], [[-0.28, -0.96], [0.96, -0.28]], atol=1e-6)


def test_the_bundled_hierarchy_is_known(solved):
    assert same_hierarchy(solved("Z").actor, bundled())
    assert not same_hierarchy(person(), bundled())


def test_a_set_of_the_actors_own_markers(actor):
    marker_set = marker_set_of(actor, load_marker_set())
    assert marker_set.labels == actor.labels
    assert set(marker_set.core) == {"LFWT", "RFWT", "LBWT", "RBWT"}
    assert ("LKNE", "RKNE") in marker_set.pairs
    assert marker_set.find("lfwt") == "LFWT"
    assert marker_set.find("Nose") is None


@pytest.mark.parametrize("whose", ["soft", "bundled"])
def test_joints_are_told_by_where_they_sit(actor, whose):
    one = actor.skeleton if whose == "soft" else bundled().mean_actor().skeleton
    by_shape = counterparts_by_shape(one)
    assert by_shape is not None
    by_name = counterparts(one.joints, one.parents)
    differ = {joint for joint, shape, name in zip(one.joints, by_shape, by_name, strict=True) if shape != name}
    # of the CMU's hands, whose two joints sit in one place, and of joints that only lead to a thigh no place tells
    assert all("Hand" in joint or "Finger" in joint or "Thumb" in joint or "HipJoint" in joint for joint in differ)


def test_no_body_is_seen_in_a_chain():
    chain = Skeleton(("a", "b", "c"), (-1, 0, 1), np.zeros((3, 3)), np.array([[0, 0, 0], [0, 0.5, 0], [0, 0.5, 0.1]]))
    assert counterparts_by_shape(chain) is None


def test_the_network_begins_by_the_places_of_markers_alone(actor, motion):
    """No name says anything, neither of joints nor of markers: how far the poses are off from which others would be found."""
    unknown, prior = nameless(actor), bundled()
    own, _, _ = other_hierarchy(unknown, prior, load_marker_set())
    carry = carrying(unknown, prior, counterparts_by_shape(unknown.skeleton))
    placement = carried_placement(unknown, prior, carry)
    assert placement is not None
    assert placement.labels == unknown.labels
    few = slice(0, 900, 12)
    points = torch.as_tensor(taken(actor, motion).positions[few], dtype=torch.float32)
    seen = Observations(points, torch.ones(points.shape[:2]), 0.1)
    body = Body(unknown, own.pose, points.device, points.dtype)
    pose = carried_proposal(prior, own.pose, carry, placement)(body, seen)
    truth = motion.forward()[0][few]
    off_mm = np.linalg.norm(to_array(body.posed(pose).positions) - truth, axis=-1) * 1e3
    assert off_mm.mean() < 60
    assert np.percentile(off_mm, 95) < 150


def test_without_limbs_nothing_is_carried(actor):
    unknown = nameless(actor)
    assert carried_placement(unknown, bundled(), carrying(unknown, bundled())) is None
