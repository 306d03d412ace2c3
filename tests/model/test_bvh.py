# SPDX-License-Identifier: GPL-3.0-or-later
"""The BVH as another program reads it: pybvh's own parser and forward kinematics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pybvh
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from model.core.axes import AXES, TO_Y_UP
from model.core.skeleton import CMU_HIERARCHY
from model.core.take import Axis
from model.files import bvh
from model.files.bvh import steady, write_bvh
from model.files.decimals import decimal_lines
from model.result.solution import Solution

Solve = Callable[[Axis], Solution]


def motion_rows(path: Path) -> np.ndarray:
    lines = path.read_text().split("Frame Time:")[1].splitlines()[1:]
    return np.array([line.split() for line in lines], dtype=float)


@pytest.mark.parametrize("up_axis", AXES)
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


def test_nothing_shows_where_parts_of_a_take_meet(solved: Solve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A root that turns round and round, and an arm through gimbal lock, are written the same in parts as at once."""
    solution = solved("Z")
    rotations = solution.rotations.copy()
    for joint, axis in ((0, "Z"), (9, "Y")):
        turning = Rotation.from_euler(axis, 7.0 * np.arange(len(rotations))[:, None], degrees=True)
        rotations[:, joint] = np.roll(turning.as_quat(), 1, axis=-1)
    solution = replace(solution, rotations=rotations)
    rows = []
    for at_once in (10_000, 37):
        monkeypatch.setattr(bvh, "AT_ONCE", at_once)
        write_bvh(solution, tmp_path / "a.bvh")
        rows.append(motion_rows(tmp_path / "a.bvh"))
    np.testing.assert_array_equal(*rows)
    assert np.ptp(rows[0][:, 3:6]) > 360


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=12), st.integers(1, 6))
def test_decimals_are_those_of_python(numbers: list[float], decimals: int) -> None:
    text = decimal_lines(np.array([numbers, numbers]), decimals).decode()
    assert text.endswith("\n")
    first, second = (line.split(" ") for line in text.splitlines())
    assert first == second
    for written, number in zip(first, numbers, strict=True):
        whole, _, fraction = written.removeprefix("-").partition(".")
        assert len(fraction) == decimals
        assert whole == str(int(whole))
        # half a unit of the last decimal, and what a product of large numbers is rounded by
        assert abs(float(written) - number) <= 0.5 * 10.0**-decimals + 4e-16 * abs(number)
        assert not written.startswith("-") or float(written) < 0


@pytest.mark.parametrize("number", [np.nan, np.inf, 1e300])
def test_what_is_no_number_is_not_written(number: float) -> None:
    with pytest.raises(ValueError, match="too large"):
        decimal_lines(np.array([[1.0, number]]), 5)
