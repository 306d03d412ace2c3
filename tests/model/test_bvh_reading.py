# SPDX-License-Identifier: GPL-3.0-or-later
"""BVH as motion: a hand-made file against positions worked out by hand, any motion there and back, damaged files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from model.core.axes import TO_Y_UP
from model.core.errors import BonesetterError
from model.core.motion import Motion
from model.core.skeleton import Skeleton
from model.core.take import Axis
from model.files.bvh import CM_PER_METRE, read_bvh, write_bvh
from model.result.solution import Solution

HAND_MADE = """HIERARCHY
ROOT hip
{
\tOFFSET 5 5 5
\tCHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation

\tJOINT  left arm
  {
    OFFSET 10 0\t0
    CHANNELS 3 Xrotation Yrotation Zrotation
    End Site
    {
      OFFSET 1e1 0 0
    }
  }
  JOINT right
  {
    OFFSET -10 2.5E+0 0
    CHANNELS 3 Yrotation Zrotation Xrotation
    End Site
    {
      OFFSET 0 0 -.5
    }
  }
}
MOTION
Frames:\t2
Frame Time:\t0.02
0 100 0   0 0 0   0 0 0   0 0 0
1 2 3 \t 90 0 0   0 0 90   9e1 90 0
"""


def test_a_hand_made_file_moves_as_worked_out(tmp_path: Path) -> None:
    path = tmp_path / "hand.bvh"
    path.write_text(HAND_MADE)
    motion = read_bvh(path)
    skeleton = motion.skeleton
    assert (skeleton.joints, skeleton.parents, motion.rate_hz) == (("hip", "left", "right"), (-1, 0, 0), pytest.approx(50.0))
    # two children of one parent at different places: no bone of the parent has both at its end
    np.testing.assert_allclose(skeleton.offsets, [[0, 0, 0], [0.1, 0, 0], [-0.1, 0.025, 0]])
    np.testing.assert_allclose(skeleton.bones, [[0, 0, 0], [0.1, 0, 0], [0, 0, -0.005]])
    positions, global_rotations = motion.forward()
    # the root's offset is not added to its position
    np.testing.assert_allclose(positions[0], [[0, 1, 0], [0.1, 1, 0], [-0.1, 1.025, 0]])
    # the root turns x to y, so (-10, 2.5) goes to (-2.5, -10)
    np.testing.assert_allclose(positions[1], [[0.01, 0.02, 0.03], [0.01, 0.12, 0.03], [-0.015, -0.08, 0.03]], atol=1e-12)
    # z by 90 degrees twice turns x to -x
    np.testing.assert_allclose(global_rotations[1, 1] @ [1, 0, 0], [-1, 0, 0], atol=1e-12)
    # y first, then z, about the axes that have rotated: Ry(90) Rz(90) takes y to -x to z, and the root leaves z alone
    np.testing.assert_allclose(global_rotations[1, 2] @ [0, 1, 0], [0, 0, 1], atol=1e-12)


def test_unit_and_rate_are_the_callers(tmp_path: Path) -> None:
    path = tmp_path / "hand.bvh"
    path.write_text(HAND_MADE)
    motion = read_bvh(path, metres_per_unit=0.056444, rate_hz=60.0)
    assert motion.rate_hz == 60.0
    assert motion.root[0, 1] == pytest.approx(5.6444)
    assert motion.skeleton.bones[1, 0] == pytest.approx(0.56444)


ORDERS = ["XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(ORDERS), min_size=5, max_size=5), st.integers(0, 1000))
def test_any_motion_comes_back(write_motion: Callable[..., Path], tmp_path: Path, orders: list[str], seed: int) -> None:
    random = np.random.default_rng(seed)
    places = random.normal(size=(5, 3))
    places[0] = 0.0
    bones = np.array([[0, 0, 0], places[2], places[3], [1, 0, 0], [0, 1, 0]])
    skeleton = Skeleton(("a", "b", "c", "d", "e"), (-1, 0, 1, 2, 0), bones, places)
    rotations = Rotation.random(20, rng=random).as_matrix().reshape(4, 5, 3, 3)
    motion = Motion(skeleton, rotations, random.normal(size=(4, 3)), 120.0)
    read = read_bvh(write_motion(tmp_path / "a.bvh", motion, orders=orders))
    assert (read.skeleton.joints, read.skeleton.parents) == (skeleton.joints, skeleton.parents)
    np.testing.assert_allclose(read.skeleton.offsets, places, atol=1e-7)
    np.testing.assert_allclose(read.skeleton.bones[1:], bones[1:], atol=1e-7)
    np.testing.assert_allclose(read.forward()[0], motion.forward()[0], atol=1e-6)
    np.testing.assert_allclose(read.rotations, rotations, atol=1e-6)


@pytest.mark.parametrize("up_axis", ["Z", "Y"])
def test_what_bonesetter_writes_it_reads(solved: Callable[[Axis], Solution], tmp_path: Path, up_axis: Axis) -> None:
    solution = solved(up_axis)
    write_bvh(solution, tmp_path / "a.bvh")
    motion = read_bvh(tmp_path / "a.bvh", 1 / CM_PER_METRE)
    assert motion.rate_hz == pytest.approx(solution.clean.take.rate_hz, rel=1e-6)
    np.testing.assert_allclose(motion.forward()[0], solution.positions @ TO_Y_UP[up_axis].T, atol=1e-5)


def one_sentence(error: BonesetterError) -> bool:
    return "\n" not in str(error) and str(error).endswith((".", ": choose another one."))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(HAND_MADE)), st.sampled_from(["", "{", "}", "nan", "-1e999", "JOINT", "End", "\x00", "é"]))
def test_a_damaged_file_is_one_sentence_or_finite(tmp_path: Path, where: int, put_in: str) -> None:
    path = tmp_path / "damaged.bvh"
    path.write_bytes((HAND_MADE[:where] + (f" {put_in} " + HAND_MADE[where + 4 :] if put_in else "")).encode("latin-1"))
    try:
        motion = read_bvh(path)
    except BonesetterError as error:
        assert one_sentence(error), error
    else:
        assert motion.frames == 2
        assert np.isfinite(motion.forward()[0]).all()


@pytest.mark.parametrize(
    ("change", "to"),
    [
        ("Frames:\t2", "Frames:\t3"),
        ("Frames:\t2", "Frames:\t1000000000"),
        ("0.02", "0"),
        ("0.02", "nan"),
        ("0.02", "-1"),
        ("9e1 90 0\n", "9e1 90\n"),
        ("6 Xposition Yposition Zposition", "3"),
        ("3 Yrotation Zrotation Xrotation", "3 Yrotation Yrotation Xrotation"),
        ("3 Yrotation Zrotation Xrotation", "6 Xposition Yposition Zposition Yrotation Zrotation Xrotation"),
        ("ROOT hip", "hip"),
        ("OFFSET 1e1 0 0", "OFFSET 1e1 0 inf"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, change: str, to: str) -> None:
    path = tmp_path / "wrong.bvh"
    assert change in HAND_MADE
    path.write_text(HAND_MADE.replace(change, to))
    with pytest.raises(BonesetterError, match=r"wrong\.bvh") as refused:
        read_bvh(path)
    assert one_sentence(refused.value)


def test_a_tower_of_joints_and_a_binary_are_refused_or_read(tmp_path: Path) -> None:
    deep = "".join(f"JOINT j{n}\n{{\nOFFSET 0 1 0\nCHANNELS 3 Zrotation Yrotation Xrotation\n" for n in range(3000))
    root = "HIERARCHY\nROOT r\n{\nOFFSET 0 0 0\nCHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation\n"
    row = " ".join(["0"] * (6 + 9000))
    (tmp_path / "deep.bvh").write_text(root + deep + "}\n" * 3001 + f"MOTION\nFrames: 1\nFrame Time: 0.01\n{row}\n")
    (tmp_path / "binary.bvh").write_bytes(bytes(range(256)) * 50)
    for name in ("deep.bvh", "binary.bvh", "missing.bvh"):
        try:
            read_bvh(tmp_path / name)
        except BonesetterError as error:
            assert one_sentence(error)
        else:
            assert name == "deep.bvh"


def test_without_pybvh_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pybvh", None)
    with pytest.raises(BonesetterError, match="extra 'train'"):
        read_bvh(tmp_path / "any.bvh")
