# SPDX-License-Identifier: GPL-3.0-or-later
"""The BVH as another program reads it: pybvh's own parser and forward kinematics."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pybvh
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from model.files.bvh import TO_Y_UP, steady, write_bvh
from model.skeleton import CMU_HIERARCHY
from model.solution import Solution
from model.take import Axis

Solve = Callable[[Axis], Solution]


def motion_rows(path: Path) -> np.ndarray:
    lines = path.read_text().split("Frame Time:")[1].splitlines()[1:]
    return np.array([line.split() for line in lines], dtype=float)


@pytest.mark.parametrize("up_axis", ["Z", "Y"])
def test_another_reader_puts_every_joint_where_the_solver_does(solved: Solve, tmp_path: Path, up_axis: Axis) -> None:
    solution = solved(up_axis)
    write_bvh(solution, tmp_path / "a.bvh")
    read = pybvh.read_bvh_file(str(tmp_path / "a.bvh"))
    assert tuple(read.joint_names) == tuple(name for name, _, _ in CMU_HIERARCHY)
    assert read.frame_count == solution.clean.take.frames
    assert read.frame_time == pytest.approx(1 / 120, abs=1e-9)
    np.testing.assert_allclose(read.joint_positions() / 100, solution.positions @ TO_Y_UP[up_axis].T, atol=1e-5)


def test_z_up_becomes_y_up() -> None:
    np.testing.assert_array_equal(TO_Y_UP["Z"] @ [1.0, 2.0, 3.0], [1.0, 3.0, -2.0])


def test_the_file_is_as_bvh_readers_know_it(solved: Solve, tmp_path: Path) -> None:
    solution = solved("Z")
    write_bvh(solution, tmp_path / "a.bvh")
    text = (tmp_path / "a.bvh").read_text()
    lines = [line.strip() for line in text.splitlines()]
    assert lines[:5] == [
        "HIERARCHY",
        "ROOT Hips",
        "{",
        "OFFSET 0.000000 0.000000 0.000000",
        "CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation",
    ]
    assert text.count("CHANNELS 3 Zrotation Yrotation Xrotation") == 30
    assert text.count("position") == 3
    assert text.count("End Site") == 7
    skeleton = solution.actor.skeleton
    knee = skeleton.joints.index("LeftLeg")
    offset = lines[lines.index("JOINT LeftLeg") + 2]
    np.testing.assert_allclose([float(v) for v in offset.split()[1:]], 100 * skeleton.bones[skeleton.joints.index("LeftUpLeg")], atol=1e-5)
    assert skeleton.parents[knee] == skeleton.joints.index("LeftUpLeg")
    ends = [np.array(lines[row + 2].split()[1:], dtype=float) for row, line in enumerate(lines) if line == "End Site"]
    leaves = [joint for joint in range(31) if joint not in skeleton.parents]
    assert len(ends) == len(leaves)
    np.testing.assert_allclose(sorted(map(np.linalg.norm, ends)), sorted(100 * np.linalg.norm(skeleton.bones[leaves], axis=1)), atol=1e-4)


def test_angles_do_not_jump(solved: Solve, tmp_path: Path) -> None:
    solution = solved("Z")
    write_bvh(solution, tmp_path / "a.bvh")
    assert np.abs(np.diff(motion_rows(tmp_path / "a.bvh")[:, 3:], axis=0)).max() < 30


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000))
def test_steady_angles_are_the_same_rotations(seed: int) -> None:
    turning = np.cumsum(np.random.default_rng(seed).normal(scale=4.0, size=(300, 3)), axis=0) * 3
    rotation = Rotation.from_rotvec(turning, degrees=True)
    angles = rotation.as_euler("ZYX", degrees=True)
    smooth = steady(angles[:, None])[:, 0]
    assert (rotation.inv() * Rotation.from_euler("ZYX", smooth, degrees=True)).magnitude().max() < 1e-9
    assert np.abs(np.diff(smooth, axis=0)).sum() <= np.abs(np.diff(angles, axis=0)).sum() + 1e-6


def test_straight_through_gimbal_lock() -> None:
    angles = Rotation.from_euler("Y", np.arange(0.5, 180, 1.0)[:, None], degrees=True).as_euler("ZYX", degrees=True)
    assert np.abs(np.diff(steady(angles[:, None])[:, 0], axis=0)).max() < 1.5


def test_writing_a_long_take_is_quick(solved: Solve, tmp_path: Path) -> None:
    solution = solved("Z")
    many = [np.tile(array, (4, *[1] * (array.ndim - 1)))[:4000] for array in (solution.rotations, solution.positions)]
    take = replace(solution.clean.take, positions=np.zeros((len(many[0]), 1, 3)), labels=("A",))
    long = replace(solution, rotations=many[0], positions=many[1], clean=replace(solution.clean, take=take))
    begin = time.perf_counter()
    write_bvh(long, tmp_path / "a.bvh")
    assert time.perf_counter() - begin < 1.0
