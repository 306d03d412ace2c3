# SPDX-License-Identifier: GPL-3.0-or-later
"""The poses' linear algebra against dense references, and poses against a synthetic truth."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from model.actors.prior import bundled
from model.solver.advice import WIDE_SCALE_M, Advice
from model.solver.coarse_poses import find_poses, found_again, wrong_frames
from model.solver.fit import (
    DAMPING,
    MARKER_SIGMA_M,
    ROOT_DAMPING,
    TAIL,
    Observations,
    changes,
    coupled_step,
    fit_poses,
    normal_equations,
    place_root,
    prior_terms,
    refined,
    refined_apart,
    sample_weights,
    student_t_weight,
    upper_triangle,
)
from model.solver.frames import Between
from model.solver.kinematics import Pose, marker_jacobian
from model.solver.observations import coarse, jitter_of, unexplained
from model.solver.options import KernelScales
from model.solver.topology import ROOT_DOF

from .solving import observed, solved


def test_coupled_step_solves_the_dense_system():
    random = torch.Generator().manual_seed(1)
    frames, count = 5, 9
    root = torch.randn(frames, count, count, generator=random, dtype=torch.float64)
    hessian = root @ root.transpose(1, 2) + torch.eye(count)
    gradient = torch.randn(frames, count, generator=random, dtype=torch.float64)
    coupling = torch.rand(frames - 1, count, generator=random, dtype=torch.float64)
    pose = Pose(
        torch.randn(frames, 3, generator=random, dtype=torch.float64),
        torch.eye(3, dtype=torch.float64).expand(frames, 3, 3),
        torch.randn(frames, count - ROOT_DOF, generator=random, dtype=torch.float64),
    )
    dense = torch.zeros(frames, count, frames, count, dtype=torch.float64)
    right = -gradient.clone()
    pull = coupling * changes(pose)
    for t in range(frames):
        dense[t, :, t, :] = hessian[t] + DAMPING * torch.diag(hessian[t].diagonal())
        dense[t, :ROOT_DOF, t, :ROOT_DOF] += ROOT_DAMPING * torch.eye(ROOT_DOF)
    for t in range(frames - 1):
        for a, b, sign in ((t, t, 1), (t + 1, t + 1, 1), (t, t + 1, -1), (t + 1, t, -1)):
            dense[a, :, b, :] += sign * torch.diag(coupling[t])
        right[t] += pull[t]
        right[t + 1] -= pull[t]
    expected = torch.linalg.solve(dense.reshape(frames * count, -1), right.flatten()).view(frames, count)
    band = torch.zeros(frames, count * (count + 1), dtype=torch.float64)
    upper_triangle(band).copy_(torch.triu(hessian))
    torch.testing.assert_close(coupled_step(band, gradient, pose, coupling), expected)


def test_normal_matrix_is_that_of_the_jacobian(any_body, noiseless):
    """Composite inertias against the product of Jacobians, with frames that are made at once and others."""
    frames = 515
    seen = observed(noiseless.markers[np.arange(frames) % len(noiseless.markers)] + 0.02)
    terms = prior_terms(bundled().pose, seen.seconds, seen.points)
    random = torch.Generator().manual_seed(3)
    pose = place_root(any_body, terms, seen).stepped(
        0.3 * torch.randn(frames, ROOT_DOF + any_body.coordinates, generator=random, dtype=torch.float64)
    )
    band, gradient = normal_equations(any_body, pose, seen, terms, 0.05)
    posed = any_body.posed(pose)
    residuals = posed.markers - seen.points
    weights = sample_weights(residuals, seen, 0.05)
    jacobian = marker_jacobian(any_body.topology, pose, posed)
    dense = torch.einsum("fmic,fm,fmid->fcd", jacobian, weights, jacobian)
    believed = student_t_weight(pose, terms)
    dense += believed[..., None] * terms.precision
    over = torch.zeros_like(gradient)
    terms.add_limits(pose.q, dense, over)
    torch.testing.assert_close(upper_triangle(band), torch.triu(dense), rtol=1e-9, atol=1e-6)
    pull = torch.einsum("fmic,fm,fmi->fc", jacobian, weights, residuals)
    pull[:, ROOT_DOF:] += believed * (pose.q @ terms.precision[ROOT_DOF:, ROOT_DOF:])
    pull += over
    torch.testing.assert_close(gradient, pull, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("scale", [0.05, WIDE_SCALE_M])
def test_gradient_is_the_derivative_of_the_cost(any_body, noiseless, scale):
    """Of the cost in the solver's docstring, kernel, prior and advice included."""
    seen = observed(noiseless.markers[:3] + 0.02)
    terms = prior_terms(bundled().pose, seen.seconds, seen.points)
    random = torch.Generator().manual_seed(2)
    pose = place_root(any_body, terms, seen).stepped(
        0.05 * torch.randn(3, ROOT_DOF + any_body.coordinates, generator=random, dtype=torch.float64)
    )

    said = [torch.rand(3, n, generator=random, dtype=torch.float64) for n in (any_body.coordinates, any_body.coordinates, 41)]
    advice = Advice(*said)
    believed = advice.reliability if scale >= WIDE_SCALE_M else torch.ones(3, 41)

    def cost(at: Pose) -> torch.Tensor:
        squared = ((any_body.posed(at).markers - seen.points) ** 2).sum(-1)
        robust = (believed * squared * scale**2 / (squared + scale**2)).sum(-1) / (2 * seen.sigma_m**2)
        pulled = 0.5 * (advice.precision * (at.q - advice.q) ** 2).sum(-1)
        return robust + pulled + 0.5 * torch.einsum("fi,ij,fj->f", at.q, terms.precision[ROOT_DOF:, ROOT_DOF:], at.q)

    _, gradient = normal_equations(any_body, pose, seen, terms, scale, advice)
    numeric = torch.zeros_like(gradient)
    for column in range(gradient.shape[1]):
        step = torch.zeros_like(gradient)
        step[:, column] = 1e-6
        numeric[:, column] = (cost(pose.stepped(step)) - cost(pose.stepped(-step))) / 2e-6
    torch.testing.assert_close(gradient, numeric, rtol=1e-4, atol=1e-3)


def test_weights_fall_with_distance_and_confidence():
    residuals = torch.tensor([[[0.0, 0, 0], [0.03, 0, 0], [0.3, 0, 0], [0.0, 0, 0]]])
    seen = Observations(torch.zeros(1, 4, 3), torch.tensor([[1.0, 1.0, 1.0, 0.0]]), 1 / 120)
    weights = sample_weights(residuals, seen, 0.03)[0]
    assert weights[0] > 3 * weights[1] > 100 * weights[2] > 0
    assert weights[3] == 0


def test_true_poses_are_found_on_the_true_actor(body, noiseless):
    pose = solved(body, observed(noiseless.markers))
    positions, _ = noiseless.motion.forward()
    error = torch.as_tensor(positions) - body.posed(pose).positions
    assert error.norm(dim=-1).mean() < 2e-3


def test_frames_by_themselves_are_refined_as_if_far_apart(body, noiseless):
    few = observed(noiseless.markers)[slice(None, None, 12)].apart()
    terms = prior_terms(bundled().pose, few.seconds, few.points)
    begun = place_root(body, terms, few)
    with torch.no_grad():
        together, alone = (each(body, terms, few, begun, (0.3, 0.2, 0.1, 0.05)) for each in (refined, refined_apart))
        places = [body.posed(pose).markers for pose in (together, alone)]
    assert (places[0] - places[1]).norm(dim=-1).max() < 5e-4
    assert (places[1] - few.points).norm(dim=-1).mean() < 0.2 * (body.posed(begun).markers - few.points).norm(dim=-1).mean()


def test_the_coarse_rate_has_the_first_and_the_last_frame():
    for frames in (1, 2, 6, 7, 8, 13):
        at, few = coarse(Observations(torch.zeros(frames, 1, 3), torch.ones(frames, 1), 1 / 120))
        assert at.tolist() == sorted({*range(0, frames, 6), frames - 1})
        assert len(few.points) == len(at)


def test_a_wrong_minimum_is_tried_again(body, noiseless):
    seen = observed(noiseless.markers)
    _, few = coarse(seen)
    found = find_poses(body, bundled().pose, seen).pose
    assert not wrong_frames(body, few, found).any()
    wrong = Pose(found.root.clone(), found.turn.clone(), found.q.clone())
    arm = [row for row, joint in enumerate(body.topology.coordinate_joints.tolist()) if body.joints[joint] in ("RightArm", "RightForeArm")]
    wrong.q[40:43, arm] += 1.0
    assert wrong_frames(body, few, wrong).nonzero()[:, 0].tolist() == [40, 41, 42]
    terms = prior_terms(bundled().pose, few.seconds, few.points)
    again = found_again(body, terms, few, wrong, found, None, KernelScales().again)
    assert not wrong_frames(body, few, again).any()
    torch.testing.assert_close(body.posed(again[40:43]).markers, few.points[40:43], atol=0.015, rtol=0.0)
    torch.testing.assert_close(again.q[:30], found.q[:30], atol=0.0, rtol=0.0)
    # in a take of a second that is many of the frames
    part = slice(30, 60)
    short = found_again(body, terms, few[part], wrong[part], found[part], None, KernelScales().again)
    assert not wrong_frames(body, few[part], short).any()
    # where much is wrong, that began wrongly, too
    wrong.q[20:80, arm] += 1.0
    again = found_again(body, terms, few, wrong, wrong, None, KernelScales().again)
    assert not wrong_frames(body, few, again).any()
    torch.testing.assert_close(again.q[:20], found.q[:20], atol=0.0, rtol=0.0)


def test_a_long_gap_of_every_marker_is_bridged(body, noiseless):
    markers = noiseless.markers.copy()
    markers[100:160] = np.nan
    markers[:10] = np.nan
    posed = body.posed(solved(body, observed(markers)))
    assert torch.isfinite(posed.positions).all()
    steps = (posed.positions[1:] - posed.positions[:-1]).norm(dim=-1)
    assert steps.max() < 0.05
    true = torch.as_tensor(noiseless.motion.forward()[0])
    assert (posed.positions - true)[100:160].norm(dim=-1).mean() < 0.15


def test_one_frame_is_solved(body, noiseless):
    posed = body.posed(solved(body, observed(noiseless.markers[50:51])))
    assert (posed.markers - torch.as_tensor(noiseless.markers[50:51])).norm(dim=-1).mean() < 5e-3


def test_between_goes_straight(body, noiseless):
    at = torch.tensor([0, 4, 10])
    pose = solved(body, observed(noiseless.markers[:11]))
    filled = Between(at, slice(0, 11)).pose(pose[at])
    torch.testing.assert_close(filled.q[at], pose.q[at])
    torch.testing.assert_close(filled.turn[at], pose.turn[at])
    torch.testing.assert_close(filled.root[2], (pose.root[0] + pose.root[4]) / 2)


def test_markers_of_a_rigid_body_are_followed_to_their_jitter_and_those_on_skin_are_not():
    random = np.random.default_rng(0)
    still = torch.as_tensor(random.normal(0.0, 0.001, (400, 41, 3)) + np.sin(np.arange(400) / 40)[:, None, None])
    seen = Observations(still, torch.ones(400, 41), 1 / 120)
    seen = replace(seen, jitter_m=jitter_of(unexplained(seen.points, seen.confidence >= 1)))
    assert seen.jitter_m == pytest.approx(0.001, rel=0.05)
    white = torch.as_tensor(random.normal(0.0, 0.001, (400, 41, 3)))
    assert seen.judged_by(white).sigma_m < 0.002 < 0.009 < seen.judged_by(3 * white).sigma_m <= MARKER_SIGMA_M
    assert seen.judged_by(white, 0.004).sigma_m == 0.004
    assert jitter_of(unexplained(still[:4], seen.confidence[:4] >= 1)) == 0.0


def test_the_prior_says_less_of_poses_beyond_the_usual(body):
    terms = prior_terms(bundled().pose, 0.05, body.sizes.joint_offsets)
    precision = torch.as_tensor(bundled().pose.precision)
    variances = torch.linalg.inv(precision).diagonal()
    pose = body.rest(3)
    pose.q[1, 0] = 2 * variances[0] ** 0.5
    pose.q[2] = 10 * variances**0.5
    believed = student_t_weight(pose, terms)[:, 0]
    assert believed[0] == believed[1] == 1
    away = pose.q[2] @ precision @ pose.q[2]
    assert believed[2] == pytest.approx(float((TAIL + body.coordinates) / (TAIL + away)))
    assert believed[2] < 0.05


def test_markers_that_joints_share_are_found(any_body, noiseless):
    motion = solved(any_body, observed(noiseless.markers))
    markers = any_body.posed(motion).markers
    again = any_body.posed(solved(any_body, observed(markers.numpy())))
    assert (again.markers - markers).norm(dim=-1).mean() < 1e-3
    assert (again.positions - any_body.posed(motion).positions).norm(dim=-1).mean() < 2e-3


#: By joint, the markers that are lost, those that are moved, and by how much.
BENDS_BACKWARDS = {
    "LeftLeg": (("LKNE", "LTHI"), ("LSHN",), [0.0, 0.0, -0.09]),
    "LeftForeArm": (("LFRM",), ("LWRA", "LWRB", "LFIN"), [0.0, -0.1, -0.15]),
}


@pytest.mark.parametrize("joint", BENDS_BACKWARDS)
def test_no_marker_bends_a_hinge_backwards(body, joint):
    """A straight limb, markers beside the hinge lost and others moved to the wrong side of it, for a second and a half."""
    lost, moved, wrong = BENDS_BACKWARDS[joint]
    prior = bundled().pose
    at = body.joints.index(joint)
    (coordinate,) = np.flatnonzero(prior.joints_of == at)
    straight = Rotation.from_matrix(prior.mean_rotations[at].T).as_rotvec() @ prior.axes[coordinate]
    pose = body.rest(240)
    pose.q[:, coordinate] = straight
    markers = body.posed(pose).markers.numpy().copy()
    markers[30:210, [body.labels.index(label) for label in lost]] = np.nan
    markers[30:210, [body.labels.index(label) for label in moved]] += wrong
    angles = []
    for limits in (prior.limits, np.outer((-np.inf, np.inf), np.ones(body.coordinates))):
        fitted = replace(prior, limits=limits)
        seen = observed(markers)
        found = fit_poses(body, fitted, seen, find_poses(body, fitted, seen))
        # without the coarse frames in which the markers jump there and back
        angles.append(np.degrees(straight - float(found.q[36:204, coordinate].min())))
    limited, free = angles
    assert limited < 8
    assert free > limited + 3
