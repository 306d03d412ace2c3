# SPDX-License-Identifier: GPL-3.0-or-later
"""Where synthetic bodies carry their markers: forward kinematics, skin, sliding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from model.core.motion import Motion
from model.core.skeleton import CMU_JOINTS, CMU_PARENTS, Skeleton
from model.solver.kinematics import forward
from model.synthetic.markers import (
    RATE_HZ,
    marked,
)

from .synthetic_people import JOINT, bodies_of, mean_bodies, random_pose


def test_forward_is_the_engines(prior):
    bodies = bodies_of(prior, 2)
    local, root = random_pose(2, 3)
    skeletons = [Skeleton(CMU_JOINTS, CMU_PARENTS, bones) for bones in bodies.bones]
    offsets = torch.from_numpy(np.stack([skeleton.offsets for skeleton in skeletons])).float()
    positions, rotations = forward(local, root, offsets[:, None], CMU_PARENTS)
    for row, skeleton in enumerate(skeletons):
        expected = Motion(skeleton, local[row].double().numpy(), root[row].double().numpy(), RATE_HZ).forward()
        np.testing.assert_allclose(positions[row], expected[0], atol=1e-5)
        np.testing.assert_allclose(rotations[row], expected[1], atol=1e-5)


def test_markers_screwed_to_the_bone_are_exactly_where_the_engine_has_them(prior):
    bodies = bodies_of(prior, 3)
    local, root = random_pose(3, 4)
    windows = marked(local, root, bodies, np.random.default_rng(0), soft=0.0)
    for row in range(3):
        actor = bodies.actor(row)
        motion = Motion(actor.skeleton, local[row].double().numpy(), root[row].double().numpy(), RATE_HZ)
        np.testing.assert_allclose(windows.markers[row], actor.markers(motion), atol=1e-5)
        np.testing.assert_allclose(windows.offsets[row], actor.skeleton.offsets, atol=1e-6)


def test_markers_slide_smoothly_by_a_few_millimetres(prior):
    bodies = mean_bodies(prior, 8)
    local, root = torch.eye(3).expand(8, 240, len(CMU_JOINTS), 3, 3).clone(), torch.zeros(8, 240, 3)
    hard, soft = (marked(local.clone(), root, bodies, np.random.default_rng(0), soft).markers.numpy() for soft in (0.0, 1.0))
    slid = (soft - hard).astype(float) * 1000
    assert 1.5 < slid.std() < 2.5
    assert np.abs(slid).max() < 15
    assert np.abs(np.diff(slid, axis=1)).max() < 1.2, "mm within a frame"
    assert np.abs(np.diff(slid, 2, axis=1)).max() < 0.05, "no corners"
    # every marker wanders by itself
    ways = np.corrcoef(slid[0].reshape(240, -1).T)
    assert np.abs(ways[np.triu_indices_from(ways, 1)]).mean() < 0.5
    half = marked(local.clone(), root, bodies, np.random.default_rng(0), 0.5).markers.numpy()
    np.testing.assert_allclose((half - hard) * 1000, slid / 2, atol=1e-3)


@pytest.mark.usefixtures("no_sliding")
def test_skin_follows_the_turn_of_its_joint(prior):
    bodies = bodies_of(prior, 1)
    slope = np.zeros_like(bodies.skin)
    slope[..., 2, 0] = 0.01  # of a turn about x a centimetre a radian along z
    bodies = replace(bodies, skin=slope)
    local, root = torch.eye(3).expand(1, 1, len(CMU_JOINTS), 3, 3).clone(), torch.zeros(1, 1, 3)
    local[:, :, JOINT["LeftForeArm"]] = torch.from_numpy(Rotation.from_euler("x", 0.3).as_matrix()).float()
    hard, soft = (marked(local.clone(), root, bodies, np.random.default_rng(0), soft).markers[0, 0].numpy() for soft in (0.0, 1.0))
    expected = np.zeros_like(hard)
    on = [row for row, carrier in enumerate(bodies.carriers) if carrier == JOINT["LeftForeArm"]]
    expected[on] = local[0, 0, JOINT["LeftForeArm"]].numpy() @ [0.0, 0.0, 0.01 * np.sin(0.3)]
    assert on
    np.testing.assert_allclose(soft - hard, expected, atol=1e-6)


@pytest.mark.usefixtures("no_sliding")
def test_turning_round_does_not_stretch_the_skin(prior):
    bodies = bodies_of(prior, 2)
    local, root = torch.eye(3).expand(2, 5, len(CMU_JOINTS), 3, 3).clone(), torch.zeros(2, 5, 3)
    local[:, :, 0] = random_pose(2, 5)[0][:, :, 0]
    hard, soft = (marked(local.clone(), root, bodies, np.random.default_rng(0), soft).markers for soft in (0.0, 1.0))
    np.testing.assert_array_equal(hard, soft)
