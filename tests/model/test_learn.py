# SPDX-License-Identifier: GPL-3.0-or-later
"""What the bundled prior is made of."""

import json

import numpy as np
import pytest
from safetensors import safe_open
from scipy.spatial.transform import Rotation

from model.actors.prior import BUNDLED, bundled, offset_statistics, usual_spread
from model.core.errors import BonesetterError
from model.core.motion import forward
from model.core.skeleton import CMU_HIERARCHY, CMU_JOINTS, mirrored_joints
from model.datasets.splits import load
from model.training.learn import (
    FITTED_TAKES,
    LIMIT_MARGIN_RAD,
    MEASURED_TAKES,
    SHOULDER_MARGIN_RAD,
    SHOULDERS,
    SUBJECTS,
    Samples,
    learn_bones,
    learn_limits,
    learn_pose,
    limit_margins,
    read_motions,
)


def test_held_out_subjects_are_in_no_source():
    with safe_open(BUNDLED, framework="numpy") as file:
        sources = json.loads(file.metadata()["sources"])
    named = {name for names in sources.values() for name in names}
    assert named == {*SUBJECTS, *MEASURED_TAKES, *FITTED_TAKES}
    assert not named & {*load().never_subjects, *load().test_takes}


def test_a_held_out_clip_among_the_sources_is_refused(tmp_path, write_asf):
    folder = tmp_path / "cmu" / "01"
    folder.mkdir(parents=True)
    write_asf(folder / "01.asf")
    (folder / "11_01.amc").write_text("1\nroot 1 2 3 0 0 90\nltibia 0\n")
    with pytest.raises(BonesetterError, match="subject 11"):
        read_motions(tmp_path, ["01"])


def test_a_take_is_scored_without_its_own_offsets():
    assert not np.allclose(bundled().actor.offset_mean, bundled(without=("cmu_01_01",)).actor.offset_mean, atol=1e-3)


def test_the_mean_pose_stands_upright():
    prior = bundled()
    skeleton = prior.mean_actor().skeleton
    upright = np.tile(np.eye(3), (1, len(skeleton.joints), 1, 1))
    heights = dict(zip(skeleton.joints, forward(skeleton, upright, np.zeros((1, 3)))[0][0, :, 1], strict=True))
    assert heights["Head"] > 0.4 > -0.7 > heights["LeftFoot"]
    np.testing.assert_allclose(np.linalg.eigvalsh(prior.pose.precision) > 0, True)


def test_mirroring_twice_changes_nothing():
    swap = mirrored_joints()
    assert [swap[joint] for joint in swap] == list(range(len(CMU_HIERARCHY)))
    assert swap[1] == 6


def test_a_hinge_is_found_in_motion():
    """One joint that turns about one axis by 20 degrees (deviation), one that never turns."""
    random = np.random.default_rng(0)
    angles = np.radians(20) * random.normal(size=4000)
    axis = np.array([0.6, 0.8, 0.0])
    rotations = np.tile(np.eye(3), (4000, 3, 1, 1))
    rotations[:, 1] = Rotation.from_rotvec(angles[:, None] * axis).as_matrix()
    pose = learn_pose(Samples(rotations, rotations, 100.0, np.full(4000, 1 / 4000)))
    assert pose["joints_of"].tolist() == [1]
    np.testing.assert_allclose(abs(pose["axes"][0] @ axis), 1, atol=1e-6)
    np.testing.assert_allclose(pose["precision"][0, 0] ** -0.5, np.radians(20), rtol=0.05)


def test_limits_are_those_of_nearly_all_samples_as_they_weigh():
    angles = np.linspace(-1.0, 2.0, 30001)[:, None]
    weights = np.full(30001, 1 / 30001)
    margins = np.array([LIMIT_MARGIN_RAD])
    np.testing.assert_allclose(learn_limits(angles, weights, margins)[:, 0], [-1.0 - LIMIT_MARGIN_RAD, 2.0 + LIMIT_MARGIN_RAD], atol=1e-3)
    # who is not believed sets no limits
    weights[15000:] = 0.0
    np.testing.assert_allclose(learn_limits(angles, weights / weights.sum(), margins)[1], [0.5 + LIMIT_MARGIN_RAD], atol=1e-3)


def test_shoulders_may_go_farther_than_the_motion_shows():
    margins = limit_margins(np.array([CMU_JOINTS.index(name) for name in ("RightArm", "RightForeArm", "LeftArm")]))
    np.testing.assert_allclose(margins, [SHOULDER_MARGIN_RAD, LIMIT_MARGIN_RAD, SHOULDER_MARGIN_RAD])
    pose = bundled().pose
    arms = np.isin(pose.joints_of, [CMU_JOINTS.index(name) for name in SHOULDERS])
    # an arm across the chest, as in the swing of cmu_85_02 that the limits of the motion alone kept from its markers
    assert (np.degrees(pose.limits[0, arms]) < -100).all()


@pytest.mark.parametrize("joint", ["LeftLeg", "RightLeg", "LeftForeArm", "RightForeArm"])
def test_hinges_end_where_they_are_straight(joint):
    """A knee or elbow that is straight is one that does not turn at all in the zero pose."""
    pose = bundled().pose
    at = CMU_JOINTS.index(joint)
    (coordinate,) = np.flatnonzero(pose.joints_of == at)
    straight = Rotation.from_matrix(pose.mean_rotations[at].T).as_rotvec() @ pose.axes[coordinate]
    backwards = np.degrees(straight - pose.limits[0, coordinate])
    assert 0 < backwards < 7
    assert np.degrees(pose.limits[1, coordinate] - straight) > 130


def test_bones_vary_with_size():
    mean = bundled().actor.bone_mean
    bones = learn_bones(np.stack([mean * (1 + s) for s in (-0.05, 0.0, 0.05)]))
    largest = bones["bone_basis"][:, :, 0]
    centre = bones["bone_mean"]
    assert abs((largest * centre).sum()) / np.linalg.norm(largest) / np.linalg.norm(centre) > 0.99


def test_few_actors_widen_the_spread_of_offsets():
    random, usual = np.random.default_rng(0), np.full(1000, 0.02)
    drawn = 0.02 * random.standard_normal((100, 1000, 3))
    mean, many = offset_statistics(drawn, usual)
    np.testing.assert_allclose(mean, drawn.mean(axis=0))
    np.testing.assert_allclose(np.sqrt((many**2).mean()), 0.02, rtol=0.02)
    few = np.sqrt((offset_statistics(drawn[:3], usual)[1] ** 2).mean())
    one = offset_statistics(drawn[:1], usual)[1]
    np.testing.assert_allclose(one, 0.02 * np.sqrt(2))
    assert 0.022 < few < one.max()


def test_markers_of_the_middle_of_a_segment_spread_more():
    spread = usual_spread(("LFHD", "LTHI"))
    assert spread[1] > spread[0]
