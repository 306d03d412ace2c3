# SPDX-License-Identifier: GPL-3.0-or-later
"""The solver's linear algebra against dense references, and its poses against a synthetic truth."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from model.actors.prior import Prior, bundled
from model.solver.advice import ADVICE_WEIGHT, WIDE_SCALE_M, Advice
from model.solver.calibration import INDEPENDENCE, ActorFit, Sizes, fit_actor, spread_frames
from model.solver.fit import (
    DAMPING,
    MARKER_SIGMA_M,
    ROOT_DAMPING,
    TAIL,
    Observations,
    changes,
    coarse,
    coupled_step,
    find_poses,
    fit_poses,
    found_again,
    normal_equations,
    place_root,
    prior_terms,
    sample_weights,
    student_t_weight,
    upper_triangle,
    visible_part,
    wrong_frames,
)
from model.solver.frames import Between
from model.solver.kinematics import ROOT_DOF, Body, Pose
from model.solver.observations import marker_jitter
from model.solver.options import KernelScales
from model.synthetic.bodies import draw_bodies
from model.synthetic.synthesis import Noise, synthesise

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def body() -> Body:
    prior = bundled()
    return Body(prior.mean_actor(), prior.pose, CPU, torch.float64)


@pytest.fixture(scope="module", params=[1, 2], ids=["one joint a marker", "several"])
def any_body(request, shared_markers) -> Body:
    prior = bundled()
    actor = prior.mean_actor() if request.param == 1 else shared_markers(prior.mean_actor())
    return Body(actor, prior.pose, CPU, torch.float64)


@pytest.fixture(scope="module")
def clean():
    return synthesise(seconds=6.0, noise=Noise(jitter=0.0, gaps=0.0, long_gaps=0, spikes=0.0, swaps=0))


def observed(markers: np.ndarray, rate_hz: float = 120.0) -> Observations:
    known = np.isfinite(markers).all(axis=-1)
    return Observations(torch.as_tensor(np.nan_to_num(markers)), torch.as_tensor(known.astype(float)), 1 / rate_hz)


def solved(body: Body, seen: Observations) -> Pose:
    return fit_poses(body, bundled().pose, seen, find_poses(body, bundled().pose, seen))


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


def test_normal_matrix_is_that_of_the_jacobian(any_body, clean):
    """Composite inertias against the product of Jacobians, with frames that are made at once and others."""
    frames = 515
    seen = observed(clean.markers[np.arange(frames) % len(clean.markers)] + 0.02)
    terms = prior_terms(bundled().pose, seen.seconds, seen.points)
    random = torch.Generator().manual_seed(3)
    pose = place_root(any_body, terms, seen).stepped(
        0.3 * torch.randn(frames, ROOT_DOF + any_body.coordinates, generator=random, dtype=torch.float64)
    )
    band, gradient = normal_equations(any_body, pose, seen, terms, 0.05)
    posed = any_body.posed(pose)
    residuals = posed.markers - seen.points
    weights = sample_weights(residuals, seen, 0.05)
    jacobian = any_body.marker_jacobian(pose, posed)
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
def test_gradient_is_the_derivative_of_the_cost(any_body, clean, scale):
    """Of the cost in the solver's docstring, kernel, prior and advice included."""
    seen = observed(clean.markers[:3] + 0.02)
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


def test_advice_is_for_what_is_hidden(body, clean):
    """Of the left arm, whose markers are all away in the second of two frames."""
    seen = observed(clean.markers[:2])
    arm = [row for row, label in enumerate(body.labels) if label in ("LUPA", "LELB", "LFRM", "LWRA", "LWRB", "LFIN")]
    seen.confidence[1, arm] = 0.0
    ones = torch.ones(2, body.coordinates, dtype=torch.float64)
    believed = Advice(ones, ones, torch.ones(2, 41)).where_hidden(body, visible_part(body, seen)).precision
    joints = [body.joints[joint] for joint in body.coordinate_joints]
    elbow, other, thumb = (joints.index(joint) for joint in ("LeftForeArm", "RightForeArm", "LThumb"))
    assert believed[0, elbow] == believed[1, other] == 0
    assert believed[1, elbow] == pytest.approx(ADVICE_WEIGHT)
    assert not believed[:, thumb].any()  # no marker tells of it, in any frame


def test_advice_moves_a_hidden_arm_and_no_other(body, clean):
    seen = observed(clean.markers[:40])
    arm = [row for row, label in enumerate(body.labels) if label in ("LUPA", "LELB", "LFRM", "LWRA", "LWRB", "LFIN")]
    seen.confidence[:, arm] = 0.0
    at, _ = coarse(seen)
    elbow = [body.joints[joint] for joint in body.coordinate_joints].index("LeftForeArm")
    q = solved(body, seen).q[at]
    wanted = q.clone()
    wanted[:, elbow] += 0.5
    advice = Advice(wanted, torch.full_like(wanted, 1e6), torch.ones(len(at), 41))
    moved = fit_poses(body, bundled().pose, seen, find_poses(body, bundled().pose, seen, advice=advice)).q[at]
    torch.testing.assert_close(moved[:, elbow], wanted[:, elbow], atol=0.02, rtol=0)
    far = [c for c, joint in enumerate(body.coordinate_joints) if not body.joints[joint].startswith(("Left", "LThumb"))]
    assert (moved - q)[:, far].abs().max() < 0.01


def test_advice_on_other_labels():
    advice = Advice(torch.zeros(2, 1), torch.ones(2, 1), torch.tensor([[0.1, 0.9], [0.2, 0.8]]))
    on = advice.on(("A", "B"), ("B", "C", "A"))
    torch.testing.assert_close(on.reliability, torch.tensor([[0.9, 1.0, 0.1], [0.8, 1.0, 0.2]]))


def test_weights_fall_with_distance_and_confidence():
    residuals = torch.tensor([[[0.0, 0, 0], [0.03, 0, 0], [0.3, 0, 0], [0.0, 0, 0]]])
    seen = Observations(torch.zeros(1, 4, 3), torch.tensor([[1.0, 1.0, 1.0, 0.0]]), 1 / 120)
    weights = sample_weights(residuals, seen, 0.03)[0]
    assert weights[0] > 3 * weights[1] > 100 * weights[2] > 0
    assert weights[3] == 0


def test_true_poses_are_found_on_the_true_actor(body, clean):
    pose = solved(body, observed(clean.markers))
    positions, _ = clean.motion.forward()
    error = torch.as_tensor(positions) - body.posed(pose).positions
    assert error.norm(dim=-1).mean() < 2e-3


def test_a_wrong_minimum_is_tried_again(body, clean):
    seen = observed(clean.markers)
    _, few = coarse(seen)
    found = find_poses(body, bundled().pose, seen).pose
    assert not wrong_frames(body, few, found).any()
    wrong = Pose(found.root.clone(), found.turn.clone(), found.q.clone())
    arm = [row for row, joint in enumerate(body.coordinate_joints.tolist()) if body.joints[joint] in ("RightArm", "RightForeArm")]
    wrong.q[40:43, arm] += 1.0
    assert wrong_frames(body, few, wrong).nonzero()[:, 0].tolist() == [40, 41, 42]
    terms = prior_terms(bundled().pose, few.seconds, few.points)
    again = found_again(body, terms, few, wrong, found, None, KernelScales().again)
    assert not wrong_frames(body, few, again).any()
    torch.testing.assert_close(body.posed(again[40:43]).markers, few.points[40:43], atol=0.01, rtol=0.0)
    torch.testing.assert_close(again.q[:30], found.q[:30], atol=0.0, rtol=0.0)
    # where much is wrong it is left to those who mend labels
    wrong.q[20:80, arm] += 1.0
    assert found_again(body, terms, few, wrong, found, None, KernelScales().again) is wrong


def test_a_long_gap_of_every_marker_is_bridged(body, clean):
    markers = clean.markers.copy()
    markers[100:160] = np.nan
    markers[:10] = np.nan
    posed = body.posed(solved(body, observed(markers)))
    assert torch.isfinite(posed.positions).all()
    steps = (posed.positions[1:] - posed.positions[:-1]).norm(dim=-1)
    assert steps.max() < 0.05
    true = torch.as_tensor(clean.motion.forward()[0])
    assert (posed.positions - true)[100:160].norm(dim=-1).mean() < 0.15


def test_one_frame_is_solved(body, clean):
    posed = body.posed(solved(body, observed(clean.markers[50:51])))
    assert (posed.markers - torch.as_tensor(clean.markers[50:51])).norm(dim=-1).mean() < 5e-3


def test_between_goes_straight(body, clean):
    at = torch.tensor([0, 4, 10])
    pose = solved(body, observed(clean.markers[:11]))
    filled = Between(at, slice(0, 11)).pose(pose[at])
    torch.testing.assert_close(filled.q[at], pose.q[at])
    torch.testing.assert_close(filled.turn[at], pose.turn[at])
    torch.testing.assert_close(filled.root[2], (pose.root[0] + pose.root[4]) / 2)


def test_spread_frames_differ_in_shape(clean):
    seen = observed(clean.markers)
    chosen = spread_frames(seen.points, seen.confidence, 30)
    assert len(set(chosen.tolist())) == 30

    def nearest(frames: torch.Tensor) -> float:
        shape = (seen.points - seen.points.mean(1, keepdim=True))[frames].flatten(1)
        apart = torch.cdist(shape, shape) + 1e9 * torch.eye(len(frames), dtype=shape.dtype)
        return float(apart.min(1).values.mean())

    assert nearest(chosen) > nearest(torch.arange(0, len(seen.points), len(seen.points) // 30)[:30])


def test_markers_of_a_rigid_body_are_followed_to_their_jitter_and_those_on_skin_are_not():
    random = np.random.default_rng(0)
    still = torch.as_tensor(random.normal(0.0, 0.001, (400, 41, 3)) + np.sin(np.arange(400) / 40)[:, None, None])
    seen = Observations(still, torch.ones(400, 41), 1 / 120)
    seen = replace(seen, jitter_m=marker_jitter(seen.points, seen.confidence))
    assert seen.jitter_m == pytest.approx(0.001, rel=0.05)
    white = torch.as_tensor(random.normal(0.0, 0.001, (400, 41, 3)))
    assert seen.judged_by(white).sigma_m < 0.002 < 0.009 < seen.judged_by(3 * white).sigma_m <= MARKER_SIGMA_M
    assert seen.judged_by(white, 0.004).sigma_m == 0.004
    assert marker_jitter(still[:4], seen.confidence[:4]) == 0.0


def test_a_fit_starts_from_the_sizes_of_its_body(clean):
    prior = bundled()
    drawn = draw_bodies(prior.actor, 1, np.random.default_rng(5)).actor(0)
    body = Body(drawn, prior.pose, torch.device("cpu"), torch.float64)
    fit = ActorFit(body, prior, prior.actor.placement, observed(clean.markers[:2]))
    assert fit.start().components.abs().max() > 0.5
    np.testing.assert_allclose(fit.bones(fit.start()).numpy(), drawn.skeleton.bones, atol=1e-5)
    np.testing.assert_allclose(fit.start().offsets.numpy(), drawn.marker_offsets)


def test_bone_jacobian_is_the_derivative(any_body, clean):
    seen = observed(clean.markers[:2])
    fit = ActorFit(any_body, bundled(), bundled().actor.placement, seen)
    sizes = fit.start()
    pose = place_root(any_body, fit.terms, seen)
    global_rotations = fit.sized(sizes).posed(pose).global_rotations
    jacobian = fit.bone_jacobian(global_rotations)
    for column in (0, 3, len(sizes.components) - 1):
        step = torch.zeros_like(sizes.components)
        step[column] = 1e-6

        def markers(s: float, step: torch.Tensor = step) -> torch.Tensor:
            return fit.sized(Sizes(sizes.components + s * step, sizes.offsets)).posed(pose).markers

        torch.testing.assert_close(jacobian[..., column], (markers(1) - markers(-1)) / 2e-6, atol=1e-7, rtol=0)


def test_a_step_of_poses_and_sizes_solves_the_dense_system(any_body, clean):
    """The arrow's Schur complement against the whole normal matrix, with sizes and all poses in it."""
    seen = observed(clean.markers[[0, 300]])
    fit = ActorFit(any_body, bundled(), bundled().actor.placement, seen)
    pose, sizes = place_root(any_body, fit.terms, seen), fit.start()
    moved_pose, moved = fit.step(pose, sizes, 0.3, fit_sizes=True)

    posed = any_body.posed(pose)
    by_offsets, by_bones = fit.offset_jacobian(posed.global_rotations), fit.bone_jacobian(posed.global_rotations)
    residuals = posed.markers - seen.points
    weights = INDEPENDENCE * sample_weights(residuals, seen, 0.3)
    by_pose = any_body.marker_jacobian(pose, posed)
    count, split, labels = by_pose.shape[-1], len(sizes.components), len(any_body.labels)
    whole = torch.zeros(2 * count + split + 3 * labels, 2 * count + split + 3 * labels, dtype=torch.float64)
    pull = torch.zeros(len(whole), dtype=torch.float64)
    for frame in range(2):
        by_offset = torch.zeros(labels, 3, labels, 3, dtype=torch.float64)
        by_offset[torch.arange(labels), :, torch.arange(labels)] = by_offsets[frame]
        row = torch.zeros(3 * labels, len(whole), dtype=torch.float64)
        own = slice(frame * count, (frame + 1) * count)
        row[:, own] = by_pose[frame].flatten(0, 1)
        row[:, 2 * count : 2 * count + split] = by_bones[frame].flatten(0, 1)
        row[:, 2 * count + split :] = by_offset.flatten(2).flatten(0, 1)
        weight = weights[frame].repeat_interleave(3)
        whole += row.T @ (weight[:, None] * row)
        pull += row.T @ (weight * residuals[frame].flatten())
        block = whole[own, own]
        block += INDEPENDENCE * fit.terms.precision
        block.diagonal().mul_(1 + 1e-4).add_(1e-6)
        pull[own][ROOT_DOF:] += INDEPENDENCE * fit.terms.precision[ROOT_DOF:, ROOT_DOF:] @ pose.q[frame]
    whole[2 * count :, 2 * count :] += fit.precision
    step = torch.linalg.solve(whole, -pull)
    torch.testing.assert_close(moved.components, step[2 * count : 2 * count + split], rtol=1e-5, atol=1e-8)
    torch.testing.assert_close((moved.offsets - sizes.offsets).flatten(), step[2 * count + split :], rtol=1e-5, atol=1e-8)
    torch.testing.assert_close(moved_pose.q - pose.q, step[: 2 * count].view(2, count)[:, ROOT_DOF:], rtol=1e-5, atol=1e-8)
    # how sure the sizes are is told with all that the poses could make up for
    covariance = torch.linalg.inv(whole)[2 * count :, 2 * count :]
    bone_sigma, offset_sigma = fit.sigmas(moved)
    assert bone_sigma is not None
    torch.testing.assert_close(torch.as_tensor(offset_sigma).flatten() ** 2, covariance.diagonal()[split:], rtol=1e-5, atol=0)
    of_bones = torch.einsum("jic,cd,jid->ji", fit.bone_basis, covariance[:split, :split], fit.bone_basis)
    torch.testing.assert_close(torch.as_tensor(bone_sigma) ** 2, of_bones, rtol=1e-5, atol=1e-12)
    assert fit.sigmas(sizes) == (None, None)


def drawn_poses(prior: Prior, frames: int, random: np.random.Generator) -> Pose:
    """Poses that flow into one another, as far from the mean pose as the prior has it; the root stays."""
    covariance, limits = np.linalg.inv(prior.pose.precision), prior.pose.limits
    flow = gaussian_filter1d(random.standard_normal((frames, len(covariance))), 5, axis=0)
    q = np.clip(flow / flow.std() @ np.linalg.cholesky(covariance).T, *limits)
    return Pose(torch.zeros(frames, 3), torch.eye(3).expand(frames, 3, 3), torch.as_tensor(q, dtype=torch.float32))


def test_the_actor_is_as_far_off_as_it_says():
    """People and poses drawn from the prior: the errors of bones and offsets against what is said of them."""
    prior = bundled()
    placement = prior.actor.placement
    mean, errors, sigmas = Body(prior.mean_actor(), prior.pose, CPU, torch.float32), [], []
    for seed in range(4):
        random = np.random.default_rng(seed)
        person = draw_bodies(prior.actor, 1, random).actor(0)
        pose = drawn_poses(prior, 200, random)
        markers = Body(person, prior.pose, CPU, torch.float32).posed(pose).markers
        seen = observed(markers.numpy() + random.normal(0.0, 0.002, markers.shape))
        fitted = fit_actor(mean, prior, placement, replace(seen, points=seen.points.float(), confidence=seen.confidence.float()), pose)
        assert fitted.bone_sigma is not None
        assert fitted.offset_sigma is not None
        errors += [fitted.skeleton.bones - person.skeleton.bones, fitted.marker_offsets - person.marker_offsets]
        sigmas += [fitted.bone_sigma, fitted.offset_sigma]
    far, sure = np.concatenate(errors), np.concatenate(sigmas)
    off = (far / np.maximum(sure, 1e-9))[sure > 1e-6]
    assert 0.7 < np.sqrt((off**2).mean()) < 1.3
    assert 0.55 < (np.abs(off) < 1).mean() < 0.85
    assert (np.abs(off) < 2).mean() > 0.9


def test_a_marker_is_expected_with_the_joint_that_it_lies_by(body, clean):
    """The prior of the sizes where a wrist's marker, carried by the forearm, lies by the wrist however long the forearm is."""
    prior = bundled()
    known = prior.actor.placement
    row, wrist = known.labels.index("LWRA"), prior.actor.joints.index("LeftFingerBase")
    placement = replace(known, origins=(*known.origins[:row], wrist, *known.origins[row + 1 :]))
    fit = ActorFit(body, prior, placement, observed(clean.markers[:2]))
    random = torch.Generator().manual_seed(3)
    components = torch.randn(fit.bone_basis.shape[-1], generator=random, dtype=torch.float64)
    sizes = Sizes(components, fit.offset_mean + 0.01 * torch.randn(fit.offset_mean.shape, generator=random, dtype=torch.float64))
    expected = fit.offset_mean.clone()
    expected[row] += (fit.bones(sizes) - fit.bone_mean)[prior.actor.joints.index("LeftHand")]
    away = torch.cat([components, (sizes.offsets - fit.offset_mean).flatten()])
    cost = (components**2).sum() + ((sizes.offsets - expected) ** 2 / torch.as_tensor(placement.offset_deviation) ** 2).sum()
    torch.testing.assert_close(away @ fit.precision @ away, cost)


def test_the_prior_says_less_of_poses_beyond_the_usual(body):
    terms = prior_terms(bundled().pose, 0.05, body.offsets)
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


def test_markers_that_joints_share_are_found(any_body, clean):
    motion = solved(any_body, observed(clean.markers))
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
