# SPDX-License-Identifier: GPL-3.0-or-later
"""The fit of bones and marker offsets against dense references, and how sure it says that it is."""

from dataclasses import replace

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from model.actors.prior import Prior, bundled
from model.solver.calibration import INDEPENDENCE, ActorFit, SizeParameters, fit_actor, spread_frames
from model.solver.fit import place_root, sample_weights
from model.solver.kinematics import Body, Pose, marker_jacobian
from model.solver.topology import ROOT_DOF
from model.synthetic.bodies import draw_bodies

from .solving import observed

CPU = torch.device("cpu")


def test_spread_frames_differ_in_shape(noiseless):
    seen = observed(noiseless.markers)
    chosen = spread_frames(seen.points, seen.confidence, 30)
    assert len(set(chosen.tolist())) == 30

    def nearest(frames: torch.Tensor) -> float:
        shape = (seen.points - seen.points.mean(1, keepdim=True))[frames].flatten(1)
        apart = torch.cdist(shape, shape) + 1e9 * torch.eye(len(frames), dtype=shape.dtype)
        return float(apart.min(1).values.mean())

    assert nearest(chosen) > nearest(torch.arange(0, len(seen.points), len(seen.points) // 30)[:30])


def test_a_fit_starts_from_the_sizes_of_its_body(noiseless):
    prior = bundled()
    drawn = draw_bodies(prior.actor, 1, np.random.default_rng(5)).actor(0)
    body = Body(drawn, prior.pose, torch.device("cpu"), torch.float64)
    fit = ActorFit(body, prior, prior.actor.placement, observed(noiseless.markers[:2]))
    assert fit.start().components.abs().max() > 0.5
    np.testing.assert_allclose(fit.bones(fit.start()).numpy(), drawn.skeleton.bones, atol=1e-5)
    np.testing.assert_allclose(fit.start().offsets.numpy(), drawn.marker_offsets)


def test_bone_jacobian_is_the_derivative(any_body, noiseless):
    seen = observed(noiseless.markers[:2])
    fit = ActorFit(any_body, bundled(), bundled().actor.placement, seen)
    sizes = fit.start()
    pose = place_root(any_body, fit.terms, seen)
    global_rotations = fit.sized(sizes).posed(pose).global_rotations
    jacobian = fit.bone_jacobian(global_rotations)
    for column in (0, 3, len(sizes.components) - 1):
        step = torch.zeros_like(sizes.components)
        step[column] = 1e-6

        def markers(s: float, step: torch.Tensor = step) -> torch.Tensor:
            return fit.sized(SizeParameters(sizes.components + s * step, sizes.offsets)).posed(pose).markers

        torch.testing.assert_close(jacobian[..., column], (markers(1) - markers(-1)) / 2e-6, atol=1e-7, rtol=0)


def test_a_step_of_poses_and_sizes_solves_the_dense_system(any_body, noiseless):
    """The arrow's Schur complement against the whole normal matrix, with sizes and all poses in it."""
    seen = observed(noiseless.markers[[0, 300]])
    fit = ActorFit(any_body, bundled(), bundled().actor.placement, seen)
    pose, sizes = place_root(any_body, fit.terms, seen), fit.start()
    moved_pose, moved = fit.step(pose, sizes, 0.3, fit_sizes=True)

    posed = any_body.posed(pose)
    by_offsets, by_bones = fit.offset_jacobian(posed.global_rotations), fit.bone_jacobian(posed.global_rotations)
    residuals = posed.markers - seen.points
    weights = INDEPENDENCE * sample_weights(residuals, seen, 0.3)
    by_pose = marker_jacobian(any_body.topology, pose, posed)
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
        fitted = fit_actor(
            mean, prior, placement, replace(seen, points=seen.points.float(), confidence=seen.confidence.float()), pose
        ).actor
        assert fitted.bone_sigma is not None
        assert fitted.offset_sigma is not None
        errors += [fitted.skeleton.bones - person.skeleton.bones, fitted.marker_offsets - person.marker_offsets]
        sigmas += [fitted.bone_sigma, fitted.offset_sigma]
    far, sure = np.concatenate(errors), np.concatenate(sigmas)
    off = (far / np.maximum(sure, 1e-9))[sure > 1e-6]
    assert 0.7 < np.sqrt((off**2).mean()) < 1.3
    assert 0.55 < (np.abs(off) < 1).mean() < 0.85
    assert (np.abs(off) < 2).mean() > 0.9


def test_a_marker_is_expected_with_the_joint_that_it_lies_by(body, noiseless):
    """The prior of the sizes where a wrist's marker, carried by the forearm, lies by the wrist however long the forearm is."""
    prior = bundled()
    known = prior.actor.placement
    row, wrist = known.labels.index("LWRA"), prior.actor.joints.index("LeftFingerBase")
    placement = replace(known, origins=(*known.origins[:row], wrist, *known.origins[row + 1 :]))
    fit = ActorFit(body, prior, placement, observed(noiseless.markers[:2]))
    random = torch.Generator().manual_seed(3)
    components = torch.randn(fit.bone_basis.shape[-1], generator=random, dtype=torch.float64)
    sizes = SizeParameters(components, fit.offset_mean + 0.01 * torch.randn(fit.offset_mean.shape, generator=random, dtype=torch.float64))
    expected = fit.offset_mean.clone()
    expected[row] += (fit.bones(sizes) - fit.bone_mean)[prior.actor.joints.index("LeftHand")]
    away = torch.cat([components, (sizes.offsets - fit.offset_mean).flatten()])
    cost = (components**2).sum() + ((sizes.offsets - expected) ** 2 / torch.as_tensor(placement.offset_deviation) ** 2).sum()
    torch.testing.assert_close(away @ fit.precision @ away, cost)
