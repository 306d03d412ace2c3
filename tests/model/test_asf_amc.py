# SPDX-License-Identifier: GPL-3.0-or-later
"""ASF and AMC: of a hand-made skeleton against positions worked out by hand, of the labs' takes against their markers."""

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.core.errors import BonesetterError
from model.datasets.lab_takes import read_lab_take
from model.files.asf_amc import INCH, read_amc, read_asf
from model.marker_sets.marker_set import load_marker_set
from model.markers.matching import match


@pytest.fixture
def asf_file(write_asf, tmp_path):
    return write_asf(tmp_path / "hand.asf")


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
    # the root is rotated by 90 degrees about z: x points along y
    np.testing.assert_allclose(positions[0, joints.index("LeftLeg")], hips + np.array([0, 2 * bone, 0]), atol=1e-12)
    # C = Rz(90) takes the dof's x to y: the tibia, along x, turns by 90 degrees about y to -z, which the root leaves alone
    np.testing.assert_allclose(positions[0, joints.index("LeftFoot")], hips + np.array([0, 2 * bone, -bone]), atol=1e-12)


def test_no_asf_is_one_sentence(tmp_path):
    path = tmp_path / "no.asf"
    path.write_text("hello\n")
    with pytest.raises(BonesetterError, match="not an ASF"):
        read_asf(path)


@pytest.mark.filterwarnings("error")
def test_a_bone_without_a_direction_is_one_sentence_and_no_warning(asf_file):
    text = asf_file.read_text()
    damaged = asf_file.with_name("damaged.asf")
    damaged.write_text(re.sub(r"direction .*", "direction 0 0 0", text))
    with pytest.raises(BonesetterError, match="not an ASF"):
        read_asf(damaged)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 3000), st.sampled_from(["", "name", "-1e999", "dof rx rx", "end"]))
def test_a_damaged_asf_is_one_sentence_or_whole(asf_file, where, put_in):
    text = asf_file.read_text()
    damaged = asf_file.with_name("damaged.asf")
    damaged.write_text(text[:where] + (" " + put_in + text[where + 9 :] if put_in else ""))
    try:
        asf = read_asf(damaged)
    except BonesetterError as error:
        assert str(error).startswith("damaged.asf")
    else:
        assert np.isfinite(asf.skeleton.bones).all()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 130), st.sampled_from(["", "x", "-1e999", "ltibia", "3\n"]))
def test_a_damaged_amc_is_one_sentence_or_whole_frames(asf_file, where, put_in):
    text = ":DEGREES\n" + "".join(f"{frame}\nroot 1 2 3 0 0 90\nltibia {frame}0\n" for frame in range(1, 5))
    damaged = asf_file.with_name("damaged.amc")
    damaged.write_text(text[:where] + (" " + put_in + text[where + 3 :] if put_in else ""))
    try:
        motion = read_amc(damaged, read_asf(asf_file))
    except BonesetterError as error:
        assert str(error).startswith("damaged.amc")
    else:
        assert 1 <= motion.frames <= 4
        assert np.isfinite(motion.rotations).all()


def test_bones_that_change_places_within_an_amc_are_refused(asf_file, tmp_path):
    amc = tmp_path / "mixed.amc"
    amc.write_text("1\nroot 1 2 3 0 0 90\nltibia 90\n2\nltibia 0\nroot 0 0 0 0 0 0\n")
    with pytest.raises(BonesetterError, match="differs from the first"):
        read_amc(amc, read_asf(asf_file))


def test_a_missing_file_is_one_sentence(asf_file, tmp_path):
    with pytest.raises(BonesetterError, match="cannot be read"):
        read_asf(tmp_path / "none.asf")
    with pytest.raises(BonesetterError, match="cannot be read"):
        read_amc(tmp_path / "none.amc", read_asf(asf_file))


def test_no_whole_frame_is_one_sentence(asf_file, tmp_path):
    path = tmp_path / "no.amc"
    path.write_text(":DEGREES\n1\nroot 0\n")
    with pytest.raises(BonesetterError, match="no whole frame"):
        read_amc(path, read_asf(asf_file))


@pytest.mark.parametrize("name", ["cmu_01_01", "cmu_02_05", "hdm05_dg"])
def test_the_labs_skeletons_lie_inside_their_markers(takes_folder, name):
    lab = read_lab_take(takes_folder / name)
    take = match(lab.take, load_marker_set())
    positions, global_rotations = lab.motion.forward()
    frames = min(take.frames, lab.motion.frames)
    for label, joint in (("LANK", "LeftFoot"), ("RKNE", "RightLeg"), ("LWRA", "LeftHand"), ("RELB", "RightForeArm")):
        index = lab.motion.skeleton.joints.index(joint)
        apart = take.positions[:frames, take.labels.index(label)] - positions[:frames, index]
        # at most a marker's ball, skin and half a joint away, and fixed to the bone within soft tissue
        assert np.nanmean(np.linalg.norm(apart, axis=-1)) < 0.16
        own = np.einsum("fji,fj->fi", global_rotations[:frames, index], apart)
        assert np.sqrt(np.nanvar(own, axis=0).sum()) < 0.04


@pytest.mark.parametrize("name", ["cmu_01_01", "cmu_02_05", "hdm05_dg"])
def test_every_marker_is_near_the_bone_that_carries_it(takes_folder, name):
    """Axes, sides and scale at once: of two sides a marker is nearer to its own, and no bone's marker is beyond arm's thickness."""
    lab = read_lab_take(takes_folder / name)
    marker_set = load_marker_set()
    take = match(lab.take, marker_set)
    positions, global_rotations = lab.motion.forward()
    skeleton = lab.motion.skeleton
    frames = min(take.frames, lab.motion.frames)
    ends = positions + np.einsum("fjab,jb->fja", global_rotations, skeleton.bones)
    for label, joint in zip(marker_set.labels, marker_set.joints, strict=True):
        own, other = (skeleton.joints.index(name) for name in (joint, mirrored(joint)))
        marker = take.positions[:frames, take.labels.index(label)]
        middle, across = ((positions[:frames, index] + ends[:frames, index]) / 2 for index in (own, other))
        away, wrong = (np.nanmedian(np.linalg.norm(marker - place, axis=-1)) for place in (middle, across))
        assert away < 0.3, label
        assert own == other or away < wrong, label


def mirrored(joint):
    for side, other in (("Left", "Right"), ("Right", "Left"), ("LThumb", "RThumb"), ("RThumb", "LThumb")):
        if joint.startswith(side):
            return other + joint.removeprefix(side)
    return joint
