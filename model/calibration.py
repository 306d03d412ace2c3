# SPDX-License-Identifier: GPL-3.0-or-later
"""Fits an actor to a take: bone vectors and marker offsets, jointly with the poses of a few frames.

The unknowns are the poses x_t of a well-spread subset of frames and the sizes g = (bone components w, marker offsets o).
Poses meet each other only through the sizes, so Gauss-Newton's normal matrix is an arrow, and the sizes are solved by the
Schur complement of its blocks,

    (G - sum_t C_t' H_t^-1 C_t) dg = -(b - sum_t C_t' H_t^-1 a_t),     dx_t = -H_t^-1 (a_t + C_t dg)

(Triggs et al. 2000, Bundle Adjustment - A Modern Synthesis, sec. 6). Fitting sizes and poses in turns instead lets each hide
the other's error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .actor import Actor
from .kinematics import ROOT, Body, Pose
from .prior import Prior
from .skeleton import Skeleton
from .solver import Observations, Progress, place_root, prior_terms, sample_weights

#: Frames that are fitted together: enough to see every joint bend, few enough to be quick.
SUBSET = 80
#: The robust kernel's scale in each step, in metres.
SCALES_M = (0.3,) * 3 + (0.2,) * 2 + (0.1,) * 2 + (0.05,) * 2 + (0.04,) * 2
#: Only poses move in the first steps: sizes fitted to poses that are far off would have to find their way back.
POSE_STEPS = 3
#: Frames of a subset repeat the same errors of skin and prior: each counts for this much of an independent one.
INDEPENDENCE = 0.3


@dataclass(frozen=True, eq=False)
class Sizes:
    """Bone components (components,) and marker offsets (labels, 3) in metres."""

    components: Tensor
    offsets: Tensor


def spread_frames(points: Tensor, confidence: Tensor, count: int) -> Tensor:
    """Indices of `count` frames that differ most in shape: farthest-point sampling on the markers about their centre.

    Args:
        points: (frames, labels, 3) in metres.
        confidence: (frames, labels).
    """
    seen = (confidence > 0).to(points.dtype)[..., None]
    centre = (points * seen).sum(1, keepdim=True) / seen.sum(1, keepdim=True).clamp_min(1)
    shape = ((points - centre) * seen).flatten(1)
    known = seen.expand_as(points).flatten(1)
    # a frame with few markers tells little, however different it looks
    worth = confidence.sum(1) / confidence.sum(1).max().clamp_min(1e-9)
    chosen = [int(worth.argmax())]
    distance = torch.full_like(worth, torch.inf)
    for _ in range(min(count, len(points)) - 1):
        last = chosen[-1]
        both = known * known[last]
        apart = ((shape - shape[last]) ** 2 * both).sum(1) / both.sum(1).clamp_min(1)
        distance = torch.minimum(distance, apart)
        distance[last] = -1.0
        chosen.append(int((distance.clamp_min(0) * worth**2 + 1e-12 * worth).where(distance >= 0, distance).argmax()))
    return torch.tensor(sorted(chosen))


class ActorFit:
    """Joint Gauss-Newton over the poses of a subset and the sizes of the actor."""

    def __init__(self, body: Body, prior: Prior, seen: Observations) -> None:
        like = seen.points
        self.body, self.seen = body, seen
        self.terms = prior_terms(prior.pose, seen.seconds, like)
        rows = [prior.actor.labels.index(label) for label in body.labels]
        self.bone_mean = torch.as_tensor(prior.actor.bone_mean, dtype=like.dtype, device=like.device)
        self.bone_basis = torch.as_tensor(prior.actor.bone_basis, dtype=like.dtype, device=like.device)
        self.offset_mean = torch.as_tensor(prior.actor.offset_mean[rows], dtype=like.dtype, device=like.device)
        deviation = torch.as_tensor(prior.actor.offset_deviation[rows], dtype=like.dtype, device=like.device)
        self.precision = torch.cat([like.new_ones(self.bone_basis.shape[-1]), deviation.flatten() ** -2])
        # bone b moves a marker where the marker's joint hangs below b, b itself not counted
        hangs = body.below[:, body.marker_joints].clone()
        hangs[body.marker_joints, torch.arange(len(body.labels))] = False
        self.hangs = hangs.to(like.dtype)

    def sized(self, sizes: Sizes) -> Body:
        return self.body.with_sizes(self.bone_mean + self.bone_basis @ sizes.components, sizes.offsets)

    def start(self) -> Sizes:
        return Sizes(self.bone_basis.new_zeros(self.bone_basis.shape[-1]), self.offset_mean)

    def size_jacobian(self, turned: Tensor) -> Tensor:
        """d markers / d sizes: (frames, labels * 3, components + labels * 3), from global rotations (frames, joints, 3, 3)."""
        frames, labels = turned.shape[0], len(self.offset_mean)
        by_bone = torch.einsum("fbij,bjc->fbic", turned, self.bone_basis)
        by_component = torch.einsum("bm,fbic->fmic", self.hangs, by_bone)
        by_offset = turned.new_zeros(frames, labels, 3, labels, 3)
        own = torch.arange(labels)
        by_offset[:, own, :, own] = turned[:, self.body.marker_joints].transpose(0, 1)
        return torch.cat([by_component.flatten(1, 2), by_offset.flatten(3).flatten(1, 2)], dim=-1)

    def step(self, pose: Pose, sizes: Sizes, scale_m: float, *, fit_sizes: bool) -> tuple[Pose, Sizes]:
        """One Gauss-Newton step."""
        body = self.sized(sizes)
        posed = body.posed(pose)
        residuals = posed.markers - self.seen.points
        weights = INDEPENDENCE * sample_weights(residuals, self.seen.confidence, scale_m).repeat_interleave(3, dim=1)[..., None]
        residuals = residuals.flatten(1, 2)[..., None]
        by_pose = body.marker_jacobian(pose, posed).flatten(1, 2)
        weighted = (by_pose * weights).transpose(1, 2)
        pull = (weighted @ residuals)[..., 0]
        pull[:, ROOT:] += INDEPENDENCE * pose.q @ self.terms.precision[ROOT:, ROOT:]
        # the first rows are free of prior: a little of the diagonal keeps frames with few markers solvable
        hessian = weighted @ by_pose + INDEPENDENCE * self.terms.precision
        hessian.diagonal(dim1=1, dim2=2).mul_(1 + 1e-4).add_(1e-6)
        factor = torch.linalg.cholesky(hessian)
        if not fit_sizes:
            return pose.stepped(-torch.cholesky_solve(pull[..., None], factor)[..., 0]), sizes
        by_size = self.size_jacobian(posed.turned)
        cross = weighted @ by_size
        solved = torch.cholesky_solve(torch.cat([cross, pull[..., None]], dim=-1), factor)
        # the sum over frames is that of one product of all frames' rows, which is far quicker than a product per frame
        size_rows, solved_rows = (by_size * weights).flatten(0, 1).T, cross.flatten(0, 1).T
        schur = torch.diag(self.precision) + size_rows @ by_size.flatten(0, 1) - solved_rows @ solved[..., :-1].flatten(0, 1)
        away = torch.cat([sizes.components, (sizes.offsets - self.offset_mean).flatten()])
        gradient = self.precision * away + size_rows @ residuals.flatten() - solved_rows @ solved[..., -1].flatten()
        change = -torch.linalg.solve(schur, gradient)
        pose = pose.stepped(-solved[..., -1] - (solved[..., :-1] @ change))
        split = len(sizes.components)
        return pose, Sizes(sizes.components + change[:split], sizes.offsets + change[split:].view_as(sizes.offsets))


def fit_actor(body: Body, prior: Prior, seen: Observations, progress: Progress | None = None) -> Actor:
    """Fit bones and marker offsets to a take.

    Args:
        body: Of mean build, with the take's markers.
        prior: Of poses, bones and offsets.
        seen: All frames of the take.
    """
    chosen = spread_frames(seen.points, seen.confidence, SUBSET)
    seen = seen[chosen]
    fit = ActorFit(body, prior, seen)
    sizes, pose = fit.start(), place_root(body, fit.terms, seen)
    for done, scale in enumerate(SCALES_M, start=1):
        pose, sizes = fit.step(pose, sizes, scale, fit_sizes=done > POSE_STEPS)
        if progress:
            progress(done / len(SCALES_M))
    fitted = fit.sized(sizes)
    bones = fitted.bones.cpu().numpy().astype(np.float64)
    offsets = fitted.marker_offsets.cpu().numpy().astype(np.float64)
    return Actor(Skeleton(body.joints, body.parents, bones), body.labels, tuple(body.marker_joints.tolist()), offsets)
