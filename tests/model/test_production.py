# SPDX-License-Identifier: GPL-3.0-or-later
"""CMU's hierarchy on the bones of a production rig: where they point, how they rest, what they are called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pybvh
import pytest

from model.core.motion import forward
from model.core.rigid import rotation_angles_deg
from model.core.rotations import rotmat_to_unitquat, rotvec_to_rotmat, unitquat_to_rotmat
from model.core.skeleton import CMU_JOINTS, Skeleton
from model.core.take import Axis
from model.files.bvh import write_bvh
from model.result.solution import Solution
from model.rigs.choices import NAMES, SkeletonChoice
from model.rigs.production import BONES, JOINTS, PARENTS, bone_names, can_be_production, production_pose
from model.shell.cli import main

Solve = Callable[[Axis], Solution]


def angles_deg(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), np.sum(a * b, axis=-1)))


def wild(solution: Solution) -> np.ndarray:
    """(frames, joints, 4): the solved motion with every joint that can turn turned further, by up to half a radian."""
    rng = np.random.default_rng(3)
    frames, joints = solution.rotations.shape[:2]
    phase, speed = rng.uniform(0, 6, (2, 1, joints, 1))
    turns = 0.5 * np.sin(0.05 * speed * np.arange(frames)[:, None, None] + phase) * rng.uniform(-1, 1, (1, joints, 3))
    turns[:, [CMU_JOINTS.index("LHipJoint"), CMU_JOINTS.index("RHipJoint")]] = 0.0
    return rotmat_to_unitquat(unitquat_to_rotmat(solution.rotations) @ rotvec_to_rotmat(turns))


@pytest.mark.parametrize("rest", ["t", "a"])
@pytest.mark.parametrize("up_axis", ["Y", "Z"])
def test_bones_point_as_solved(solved: Solve, up_axis: Axis, rest: str) -> None:
    solution = solved(up_axis)
    skeleton, rotations = solution.actor.skeleton, wild(solution)
    places, _ = forward(skeleton, unitquat_to_rotmat(rotations), solution.positions[:, 0])
    posed = production_pose(skeleton, rotations, solution.positions[:, 0], rest)
    for row, bone in enumerate(BONES):
        children = [child for child, parent in enumerate(PARENTS) if parent == row and BONES[child].start == bone.end]
        if bone.start >= 0 and children:
            ours = posed.positions[:, children[0]] - posed.positions[:, row]
            assert angles_deg(ours, places[:, bone.end] - places[:, bone.start]).max() < 0.01, bone.name
    hips = places[:, [CMU_JOINTS.index("LeftUpLeg"), CMU_JOINTS.index("RightUpLeg")]].mean(axis=1)
    np.testing.assert_allclose(posed.positions[:, 0], hips, atol=1e-9)
    for name, joint in (("hand.L", "LeftFingerBase"), ("foot.R", "RightFoot"), ("neck", "Neck"), ("toe.L", "LeftToeBase")):
        apart = np.linalg.norm(posed.positions[:, JOINTS.index(name)] - places[:, CMU_JOINTS.index(joint)], axis=1)
        # forearms that CMU bends in their middle have no single length
        assert apart.max() < (0.03 if name.startswith("hand") else 1e-6), name


@pytest.mark.parametrize(("rest", "down"), [("t", 0.0), ("a", np.sqrt(0.5))])
def test_it_rests_in_a_t_or_an_a_pose(solved: Solve, rest: str, down: float) -> None:
    solution = solved("Z")
    rested = production_pose(solution.actor.skeleton, solution.rotations, solution.positions[:, 0], rest).skeleton
    for side, out in (("L", 1.0), ("R", -1.0)):
        for limb in ("upper_arm", "forearm", "hand"):
            bone = rested.bones[JOINTS.index(f"{limb}.{side}")]
            np.testing.assert_allclose(bone / np.linalg.norm(bone), [out * np.sqrt(1 - down**2), -down, 0.0], atol=1e-9)
        for limb in ("thigh", "shin"):
            bone = rested.bones[JOINTS.index(f"{limb}.{side}")]
            np.testing.assert_allclose(bone / np.linalg.norm(bone), [0.0, -1.0, 0.0], atol=1e-9)
        assert rested.bones[JOINTS.index(f"toe.{side}")][2] > 0.03, "toes to the front"


def test_forearms_that_turn_round_and_round_do_not_jump(solved: Solve) -> None:
    """Hand and forearm share a twist of three whole turns, smoothly."""
    solution = solved("Z")
    rotations = solution.rotations.copy()
    turning = np.linspace(0, 6 * np.pi, len(rotations))[:, None] * np.array([1.0, 0.0, 0.0])
    rotations[:, CMU_JOINTS.index("LeftHand")] = rotmat_to_unitquat(rotvec_to_rotmat(turning))
    posed = production_pose(solution.actor.skeleton, rotations, solution.positions[:, 0])
    matrices = unitquat_to_rotmat(posed.rotations)
    steps = rotation_angles_deg(matrices[1:], matrices[:-1])
    fastest = np.degrees(6 * np.pi / (len(rotations) - 1))
    for name in ("forearm.L", "hand.L"):
        own = steps[:, JOINTS.index(name)]
        assert 0.4 * fastest < np.median(own) < 0.6 * fastest
        assert own.max() < 2 * fastest + 5
    assert np.abs(np.diff(posed.rotations, axis=0)).max() < 0.5, "signs stay"


def test_a_long_motion_in_parts_is_the_same(solved: Solve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forearms that have turned round go on from there in the next part, and no quaternion flips its sign between two."""
    solution = solved("Z")
    rotations = wild(solution)
    turning = np.linspace(0, 6 * np.pi, len(rotations))[:, None] * np.array([1.0, 0.0, 0.0])
    rotations[:, CMU_JOINTS.index("LeftHand")] = rotmat_to_unitquat(rotvec_to_rotmat(turning))
    whole = production_pose(solution.actor.skeleton, rotations, solution.positions[:, 0])
    for at_once in (7, 1):
        monkeypatch.setattr("model.rigs.production.AT_ONCE", at_once)
        parts = production_pose(solution.actor.skeleton, rotations, solution.positions[:, 0])
        np.testing.assert_allclose(parts.rotations, whole.rotations, atol=1e-12)
        np.testing.assert_allclose(parts.positions, whole.positions, atol=1e-12)


def test_sizes_are_the_actors_alone(solved: Solve) -> None:
    """Two takes of a person end on one rig."""
    solution = solved("Z")
    skeleton = solution.actor.skeleton
    one = production_pose(skeleton, solution.rotations, solution.positions[:, 0]).skeleton
    other = production_pose(skeleton, wild(solution)[:50], solution.positions[:50, 0]).skeleton
    np.testing.assert_array_equal(one.bones, other.bones)
    np.testing.assert_array_equal(one.offsets, other.offsets)
    forearm = one.bones[JOINTS.index("forearm.L")]
    cmu = skeleton.bones[[CMU_JOINTS.index("LeftForeArm"), CMU_JOINTS.index("LeftHand")]]
    assert np.linalg.norm(forearm) == pytest.approx(np.linalg.norm(cmu.sum(axis=0)), abs=1e-9), "the hand begins at the wrist"


def test_what_is_guessed_stays_guessed(solved: Solve) -> None:
    solution = solved("Z")
    keyed = np.ones(solution.rotations.shape[:2], dtype=bool)
    keyed[10:20, CMU_JOINTS.index("LeftFingerBase")] = False
    posed = production_pose(solution.actor.skeleton, solution.rotations, solution.positions[:, 0], keyed=keyed)
    assert posed.keyed is not None
    assert np.argwhere(~posed.keyed).tolist() == [[frame, JOINTS.index("hand.L")] for frame in range(10, 20)]


def test_names() -> None:
    for scheme, _, _ in NAMES:
        called = bone_names(scheme)
        assert set(called) == set(JOINTS)
        assert len(set(called.values())) == len(JOINTS)
    assert bone_names("unreal")["forearm.R"] == "lowerarm_r"
    assert bone_names("mixamo")["spine.002"] == "mixamorig:Spine2"
    assert bone_names("vrm")["hand.L"] == "leftHand"
    assert bone_names("cmu")["hand.L"] == "LeftHand"


def test_another_hierarchy_stays_as_it_is(solved: Solve, tmp_path: Path) -> None:
    solution = solved("Z")
    skeleton = solution.actor.skeleton
    other = Skeleton(tuple(f"my {name}" for name in skeleton.joints), skeleton.parents, skeleton.bones)
    assert can_be_production(skeleton)
    assert not can_be_production(other)
    solution = replace(solution, actor=replace(solution.actor, skeleton=other))
    write_bvh(solution, tmp_path / "a.bvh")
    write_bvh(solution, tmp_path / "b.bvh", SkeletonChoice("production"))
    assert (tmp_path / "a.bvh").read_bytes() == (tmp_path / "b.bvh").read_bytes()


@pytest.mark.parametrize("names", ["blender", "unreal"])
def test_a_bvh_of_a_production_rig(solved: Solve, tmp_path: Path, names: str) -> None:
    solution = solved("Y")
    write_bvh(solution, tmp_path / "a.bvh", SkeletonChoice("production", "a", names))
    read = pybvh.read_bvh_file(str(tmp_path / "a.bvh"))
    assert sorted(read.joint_names) == sorted(bone_names(names).values())
    posed = production_pose(solution.actor.skeleton, solution.rotations, solution.positions[:, 0], "a")
    order = [list(bone_names(names).values()).index(name) for name in read.joint_names]
    rows = [JOINTS.index(list(bone_names(names))[row]) for row in order]
    np.testing.assert_allclose(read.joint_positions() / 100, posed.positions[:, rows], atol=1e-5)


def test_the_shell_writes_either(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    take = tmp_path / "walk.c3d"
    assert main(["synthesise", str(take), "--seconds", "1"]) == 0
    for kind, joints in (("cmu", 31), ("production", 22)):
        out = tmp_path / kind
        assert main(["solve", str(take), "--out", str(out), "--skeleton", kind, "--bone-names", "vrm"]) == 0
        lines = (out / "walk.bvh").read_text().splitlines()
        assert sum(line.split()[:1] in (["JOINT"], ["ROOT"]) for line in lines) == joints
        assert any("leftUpperArm" in line for line in lines) == (kind == "production")
        with np.load(out / "walk.npz") as arrays:
            assert len(arrays["joints"]) == 31, "figures are measured on these"
    with pytest.raises(SystemExit):
        main(["solve", str(take), "--out", str(tmp_path), "--skeleton", "metarig"])
    assert "--skeleton" in capsys.readouterr().err
