# SPDX-License-Identifier: GPL-3.0-or-later
"""ASF and AMC: of a hand-made skeleton against positions worked out by hand, of the labs' takes against their markers."""

import numpy as np
import pytest

from model.asf_amc import INCH, read_amc, read_asf
from model.lab_takes import read_lab_take
from model.marker_set import load_marker_set, match
from model.skeleton import CMU_HIERARCHY
from model.take import BonesetterError


@pytest.fixture
def asf_file(tmp_path):
    """Every bone 2 units along x; the left knee turns about the ASF's x by an axis that is turned 90 degrees about z."""
    bones = []
    for _, name, _ in CMU_HIERARCHY[1:]:
        axis, freedom = ("0 0 90", "dof rx\n") if name == "ltibia" else ("0 0 0", "")
        bones.append(f"begin\nid 1\nname {name}\ndirection 1 0 0\nlength 2\naxis {axis} XYZ\n{freedom}end\n")
    path = tmp_path / "hand.asf"
    path.write_text(":units\nmass 1.0\nlength 0.5\nangle deg\n:root\norder TX TY TZ RX RY RZ\n:bonedata\n" + "".join(bones))
    return path


def test_a_hand_made_skeleton_moves_as_worked_out(asf_file, tmp_path):
    amc = tmp_path / "hand.amc"
    amc.write_text(":DEGREES\n1\nroot 1 2 3 0 0 90\nltibia 90\n2\nroot 0 0 0 0 0 0\nltibia 0\n3\nroot 0 0")
    asf = read_asf(asf_file)
    motion = read_amc(amc, asf)
    assert motion.frames == 2, "the last frame is cut off"
    positions, _ = motion.forward()
    joints = motion.skeleton.joints
    bone = 2 * INCH / 0.5
    hips = np.array([1, 2, 3]) * INCH / 0.5
    np.testing.assert_allclose(positions[0, 0], hips)
    # the root is turned by 90 degrees about z: x points along y
    np.testing.assert_allclose(positions[0, joints.index("LeftLeg")], hips + np.array([0, 2 * bone, 0]), atol=1e-12)
    # C = Rz(90) takes the dof's x to y: the tibia, along x, turns by 90 degrees about y to -z, which the root leaves alone
    np.testing.assert_allclose(positions[0, joints.index("LeftFoot")], hips + np.array([0, 2 * bone, -bone]), atol=1e-12)


def test_no_asf_is_one_sentence(tmp_path):
    path = tmp_path / "no.asf"
    path.write_text("hello\n")
    with pytest.raises(BonesetterError, match="not an ASF"):
        read_asf(path)


def test_no_whole_frame_is_one_sentence(asf_file, tmp_path):
    path = tmp_path / "no.amc"
    path.write_text(":DEGREES\n1\nroot 0\n")
    with pytest.raises(BonesetterError, match="no whole frame"):
        read_amc(path, read_asf(asf_file))


@pytest.mark.parametrize("name", ["cmu_01_01", "cmu_02_05", "hdm05_dg"])
def test_the_labs_skeletons_lie_inside_their_markers(takes_folder, name):
    lab = read_lab_take(takes_folder / name)
    take = match(lab.take, load_marker_set())
    positions, turned = lab.motion.forward()
    frames = min(take.frames, lab.motion.frames)
    for label, joint in (("LANK", "LeftFoot"), ("RKNE", "RightLeg"), ("LWRA", "LeftHand"), ("RELB", "RightForeArm")):
        index = lab.motion.skeleton.joints.index(joint)
        apart = take.positions[:frames, take.labels.index(label)] - positions[:frames, index]
        # at most a marker's ball, skin and half a joint away, and fixed to the bone within soft tissue
        assert np.nanmean(np.linalg.norm(apart, axis=-1)) < 0.16
        own = np.einsum("fji,fj->fi", turned[:frames, index], apart)
        assert np.sqrt(np.nanvar(own, axis=0).sum()) < 0.04
