# SPDX-License-Identifier: GPL-3.0-or-later
"""Torch's forward kinematics against numpy's, its derivatives against finite differences."""

from dataclasses import replace

import numpy as np
import pytest
import roma
import torch

from model.actors.prior import bundled
from model.core.motion import Motion, forward
from model.solver import kinematics
from model.solver.kinematics import Body, Pose, marker_jacobian
from model.solver.topology import ROOT_DOF

FRAMES = 4


@pytest.fixture(scope="module", params=[1, 2], ids=["one joint a marker", "several"])
def body(request, shared_markers) -> Body:
    prior = bundled()
    actor = prior.mean_actor() if request.param == 1 else shared_markers(prior.mean_actor())
    return Body(actor, prior.pose, torch.device("cpu"), torch.float64)


@pytest.fixture(scope="module")
def pose(body: Body) -> Pose:
    random = torch.Generator().manual_seed(0)
    normal = torch.randn(FRAMES, 6 + body.coordinates, generator=random, dtype=torch.float64)
    # the first frame is the mean pose, where the exponential map's formula has its 0 / 0
    normal[0] = 0
    return Pose(normal[:, :3], roma.rotvec_to_rotmat(normal[:, 3:6]), 0.6 * normal[:, 6:])


def test_positions_are_those_of_numpys_kinematics(body, pose):
    posed = body.posed(pose)
    motion = Motion(bundled().mean_actor().skeleton, posed.local.numpy(), pose.root.numpy(), 120.0)
    positions, global_rotations = motion.forward()
    np.testing.assert_allclose(posed.positions, positions, atol=1e-12)
    np.testing.assert_allclose(posed.global_rotations, global_rotations, atol=1e-12)


def test_markers_are_the_weighted_mean_of_their_places_on_their_joints(body, pose):
    skeleton, actor = body.actor.skeleton, body.actor
    posed = body.posed(pose)
    joints, _ = forward(skeleton, np.tile(np.eye(3), (1, len(body.joints), 1, 1)), np.zeros((1, 3)))
    places = joints[0, list(actor.marker_joints)] + actor.marker_offsets
    on_each = posed.positions[:, None].numpy() + np.einsum("fjab,mjb->fmja", posed.global_rotations.numpy(), places[:, None] - joints)
    np.testing.assert_allclose(posed.markers, np.einsum("mj,fmja->fma", actor.weights, on_each), atol=1e-9)
    motion = Motion(skeleton, posed.local.numpy(), pose.root.numpy(), 120.0)
    np.testing.assert_allclose(actor.markers(motion), posed.markers, atol=1e-9)


def test_rotations_are_rotations(body, pose):
    global_rotations = body.posed(pose).global_rotations
    torch.testing.assert_close(
        global_rotations @ global_rotations.transpose(-1, -2), torch.eye(3, dtype=torch.float64).expand_as(global_rotations)
    )


@pytest.mark.parametrize("length", [0.0, 1e-7, 1e-4, 9.9e-4, 1.1e-3, 0.1, 1.5, 3.1, 4.0])
def test_a_joint_turns_by_its_rotation_vector_in_single_precision(length):
    """By the series near 0 and by the formula elsewhere: each coordinate of a joint with three, mean rotation taken out."""
    prior = bundled()
    body = Body(prior.mean_actor(), prior.pose, torch.device("cpu"), torch.float32)
    u = length * torch.nn.functional.normalize(torch.tensor([[0.3, -0.5, 0.8]], dtype=torch.float64))
    hip = body.joints.index("LeftUpLeg")
    q = torch.zeros(1, body.coordinates)
    rows = body.topology.coordinate_joints == hip
    q[0, rows] = torch.linalg.solve(body.topology.coordinate_axes[rows].double().T, u[0]).float()
    pose = Pose(torch.zeros(1, 3), torch.eye(3)[None], q)
    global_rotations = body.topology.mean[hip].double().T @ body.posed(pose).local[0, hip].double()
    torch.testing.assert_close(global_rotations, roma.rotvec_to_rotmat(u)[0], atol=1e-6, rtol=0)


def test_marker_jacobian_is_the_derivative(body, pose):
    jacobian = marker_jacobian(body.topology, pose, body.posed(pose))
    numeric = torch.zeros_like(jacobian)
    width = 1e-6
    for column in range(ROOT_DOF + body.coordinates):
        step = torch.zeros(FRAMES, ROOT_DOF + body.coordinates, dtype=torch.float64)
        step[:, column] = width
        numeric[..., column] = (body.posed(pose.stepped(step)).markers - body.posed(pose.stepped(-step)).markers) / (2 * width)
    torch.testing.assert_close(jacobian, numeric, atol=1e-7, rtol=0)


def test_a_hinge_stays_a_hinge(body):
    knee = body.joints.index("LeftLeg")
    assert int((body.topology.coordinate_joints == knee).sum()) == 1
    rigid = body.joints.index("LHipJoint")
    assert int((body.topology.coordinate_joints == rigid).sum()) == 0


def test_a_body_of_other_sizes_has_an_actor_of_these(body):
    longer = body.with_sizes(
        1.1 * torch.as_tensor(body.actor.skeleton.bones, dtype=body.sizes.joint_offsets.dtype), 2 * body.sizes.marker_offsets
    )
    np.testing.assert_allclose(longer.actor.skeleton.bones, 1.1 * body.actor.skeleton.bones)
    np.testing.assert_allclose(longer.actor.marker_offsets, 2 * body.actor.marker_offsets)
    same = Body(longer.actor, bundled().pose, longer.sizes.joint_offsets.device, longer.sizes.joint_offsets.dtype)
    torch.testing.assert_close(same.posed(same.rest(2)).markers, longer.posed(longer.rest(2)).markers)


def test_a_body_of_an_actor_of_other_sizes_shares_its_topology(body):
    longer = replace(body.actor, marker_offsets=1.5 * body.actor.marker_offsets)
    other, anew = body.of_actor(longer), Body(longer, bundled().pose, torch.device("cpu"), torch.float64)
    assert other.topology is body.topology
    assert other.actor is longer
    torch.testing.assert_close(other.posed(other.rest(2)).markers, anew.posed(anew.rest(2)).markers, rtol=0, atol=0)
    assert not torch.equal(other.posed(other.rest(2)).markers, body.posed(body.rest(2)).markers)


def test_what_was_solved_with_first_can_be_trained_with():
    """Of a hierarchy that is first met while no gradients are kept."""
    parents = (-1, 0, 1, 1, 0)
    local, root = roma.random_rotmat((3, 5)).double(), torch.zeros(3, 3, dtype=torch.float64)
    offsets = torch.ones(5, 3, dtype=torch.float64)
    with torch.inference_mode():
        places, _ = kinematics.forward(local, root, offsets, parents)
    offsets.requires_grad_()
    again, _ = kinematics.forward(local.clone(), root.clone(), offsets, parents)
    torch.testing.assert_close(again.detach(), places.clone(), rtol=0, atol=0)
    (gradient,) = torch.autograd.grad(again[..., 0].sum(), offsets)
    assert gradient[1:].abs().sum() > 0
