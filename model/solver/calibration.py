# SPDX-License-Identifier: GPL-3.0-or-later
"""Fits an actor to a take: the lengths of bones (as vectors) and marker offsets, jointly with the poses of a few frames.

The unknowns are the poses x_t of a well-spread subset of frames and the sizes g = (bone components w, marker offsets o).
Poses meet each other only through the sizes, so Gauss-Newton's normal matrix is an arrow, and the sizes are solved by the
Schur complement of its blocks,

    (G - sum_t C_t' H_t^-1 C_t) dg = -(b - sum_t C_t' H_t^-1 a_t),     dx_t = -H_t^-1 (a_t + C_t dg)

(Triggs et al. 2000, Bundle Adjustment - A Modern Synthesis, sec. 6). Fitting sizes and poses in turns instead lets each hide
the other's error.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..actors.actor import Actor
from ..actors.placement import Placement
from ..actors.prior import Prior
from ..core.parallel import each
from ..core.progress import Progress, Steps
from ..core.take import FloatArray
from .fit import prior_terms, sample_weights
from .frames import Window, windows
from .kinematics import Body, Pose, marker_jacobian
from .observations import Observations
from .options import EVERYTHING, SolverOptions
from .topology import ROOT_DOF

#: Frames that are fitted together: enough to see every joint bend, few enough to be quick.
SUBSET = 48
#: They are fitted in so many parts, side by side.
PARTS = 2
#: They are chosen among no more than this, evenly spread: choosing takes longer than fitting otherwise.
CANDIDATES = 2000
#: Sizes never follow the markers more closely than this standard deviation: no person's joints turn about just the prior's axes, and
#: what that misses would otherwise be made up for by bones.
LEAST_SIGMA_M = 0.0025
#: Frames of a subset repeat the same errors of skin and prior: each counts for this much of an independent one.
INDEPENDENCE = 0.16
#: Frames whose markers differ by less than this, root mean square, show one pose, in metres: less than skin moves a marker.
SAME_POSE_M = 0.010


@dataclass(frozen=True, eq=False)
class SizeParameters:
    """How large an actor is, in the numbers that are fitted.

    Attributes:
        components: (components,) of the bones.
        offsets: (labels, 3) in metres, of the markers.
        factor: Lower Cholesky factor of the precision of both, the components before the offsets; None before they are fitted.
    """

    components: Tensor
    offsets: Tensor
    factor: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Calibrated:
    """An actor that was fitted to some frames of a take.

    Attributes:
        actor: As it was found.
        at: (F,) indices of the frames.
        pose: Of these frames.
    """

    actor: Actor
    at: Tensor
    pose: Pose


def spread_frames(points: Tensor, confidence: Tensor, count: int) -> Tensor:
    """Indices of `count` frames that differ most in shape, the most telling first: farthest-point sampling on the markers about
    their centre.

    Args:
        points: (frames, labels, 3) in metres.
        confidence: (frames, labels).
    """
    seen = (confidence > 0).to(points.dtype)[..., None]
    centre = (points * seen).sum(1, keepdim=True) / seen.sum(1, keepdim=True).clamp_min(1)
    shape = ((points - centre) * seen).flatten(1)
    known = seen.expand_as(points).flatten(1)
    # a frame with few markers tells little, however different it looks
    worth = (confidence.sum(1) / confidence.sum(1).max().clamp_min(1e-9)).cpu().numpy()
    chosen = [int(worth.argmax())]
    distance, say, least = np.full_like(worth, np.inf), worth**2, np.float32(1e-12) * worth
    squared = shape * shape
    for _ in range(min(count, len(points)) - 1):
        last = chosen[-1]
        # the mean of (a - b)^2 over what both frames have, multiplied out: three products instead of four passes
        apart = squared @ known[last] + known @ squared[last] - 2 * (shape @ shape[last])
        both = known @ known[last]
        # few numbers, on which numpy is quicker than torch
        np.minimum(distance, apart.cpu().numpy().clip(0.0) / both.cpu().numpy().clip(1.0), out=distance)
        distance[last] = -1.0
        chosen.append(int(np.where(distance >= 0.0, distance * say + least, distance).argmax()))
    return torch.tensor(chosen)


def spread_subset(seen: Observations, count: int) -> Tensor:
    """Indices of `count` frames that differ most in shape, of a long take among candidates."""
    candidates = torch.arange(0, len(seen.points), -(-len(seen.points) // CANDIDATES))
    return candidates[spread_frames(seen.points[candidates], seen.confidence[candidates], count)]


def distinct_poses(seen: Observations) -> int:
    """How many of the frames differ from all frames before them, wherever they stand."""
    known = (seen.confidence > 0).to(seen.points.dtype)
    count = known.sum(1).clamp_min(1)[:, None, None]
    shape = (seen.points - (seen.points * known[..., None]).sum(1, keepdim=True) / count).transpose(0, 1)
    both = known.T[:, :, None] * known.T[:, None]
    apart = (((shape[:, :, None] - shape[:, None]) ** 2).sum(-1) * both).sum(0) / both.sum(0).clamp_min(1)
    return int((~(apart < SAME_POSE_M**2).tril(-1).any(1)).sum())


class ActorFit:
    """Joint Gauss-Newton over the poses of a subset and the sizes of the actor."""

    def __init__(self, body: Body, prior: Prior, placement: Placement, seen: Observations) -> None:
        like = seen.points
        self.body, self.seen = body, seen
        terms = prior_terms(prior.pose, seen.seconds, like)
        # the prior speaks once for a pose, however many frames show it: else a take of standing still is bent to the mean pose
        self.terms = replace(terms, precision=terms.precision * (distinct_poses(seen) / len(like)))
        self.bone_mean = torch.as_tensor(prior.actor.bone_mean, dtype=like.dtype, device=like.device)
        self.bone_basis = torch.as_tensor(prior.actor.bone_basis, dtype=like.dtype, device=like.device)
        self.offset_mean = torch.as_tensor(placement.offset_mean, dtype=like.dtype, device=like.device)
        deviation = torch.as_tensor(placement.offset_deviation, dtype=like.dtype, device=like.device)
        self.offset_precision = deviation**-2
        topology, known = body.topology, prior.actor
        self.place_mean = self.place_basis = self.turned_by = None
        if known.places is not None and known.place_basis is not None:
            # the place of a joint moves what hangs on it, and the joint above turns it
            self.place_mean, self.place_basis = (
                torch.as_tensor(each, dtype=like.dtype, device=like.device) for each in (known.places, known.place_basis)
            )
            self.turned_by = [max(parent, 0) for parent in topology.parents]
            hangs = topology.below.to(like.dtype)
        else:
            # bone b moves what hangs below its joint, the joint itself not counted
            hangs = (topology.below & ~torch.eye(len(body.joints), dtype=torch.bool, device=topology.below.device)).to(like.dtype)
        self.size_basis = self.bone_basis if self.place_basis is None else self.place_basis
        at, own = topology.attached_joints, topology.marker_joints[topology.attached_markers]
        self.hangs = topology.gathered(hangs[:, at])
        # and of a marker that several joints share, the place that it has on each of them in the zero pose
        self.places = torch.einsum("ba,bic->aic", hangs[:, own] - hangs[:, at], self.size_basis)
        # and of a marker that lies by another joint than its own, where that joint is
        by = hangs[:, list(placement.origins)] - hangs[:, topology.marker_joints]
        self.drawn = torch.einsum("bm,bic->mic", by, self.size_basis)
        if placement.offset_basis is not None:
            self.drawn = self.drawn + torch.as_tensor(placement.offset_basis, dtype=like.dtype, device=like.device)
        self.precision = self.sizes_precision()

    def sizes_precision(self) -> Tensor:
        """The prior's precision of the sizes, the components before the offsets."""
        drawn, precision = self.drawn.flatten(0, 1), self.offset_precision.flatten()
        pulled = drawn * precision[:, None]
        components = torch.eye(drawn.shape[-1], dtype=drawn.dtype, device=drawn.device) + drawn.T @ pulled
        return torch.cat([torch.cat([components, -pulled.T], 1), torch.cat([-pulled, torch.diag(precision)], 1)])

    def sized(self, sizes: SizeParameters) -> Body:
        return self.body.with_sizes(self.bones(sizes), sizes.offsets, self.joint_places(sizes))

    def bones(self, sizes: SizeParameters) -> Tensor:
        """(joints, 3) in metres."""
        return self.bone_mean + self.bone_basis @ sizes.components

    def joint_places(self, sizes: SizeParameters) -> Tensor | None:
        """(joints, 3) in metres, of joints that do not sit at the ends of bones; None where all do."""
        if self.place_mean is None or self.place_basis is None:
            return None
        return self.place_mean + self.place_basis @ sizes.components

    def actor(self, sizes: SizeParameters) -> Actor:
        """The body's actor with these sizes, as sure of them as they are."""
        bones, offsets = (values.cpu().double().numpy() for values in (self.bones(sizes), sizes.offsets))
        bone_sigma, offset_sigma = self.sigmas(sizes)
        places = self.joint_places(sizes)
        skeleton = replace(self.body.actor.skeleton, bones=bones, places=None if places is None else places.cpu().double().numpy())
        return replace(self.body.actor, skeleton=skeleton, marker_offsets=offsets, bone_sigma=bone_sigma, offset_sigma=offset_sigma)

    def sigmas(self, sizes: SizeParameters) -> tuple[FloatArray, FloatArray] | tuple[None, None]:
        """Standard deviations in metres of bones (joints, 3) and offsets (labels, 3), by Laplace's approximation; None before a fit.

        The precision of the sizes, whose poses are eliminated, is that of their marginal: what poses could make up for is unsure.
        """
        if sizes.factor is None:
            return None, None
        covariance, basis = torch.cholesky_inverse(sizes.factor.cpu().double()), self.bone_basis.cpu().double()
        split = len(sizes.components)
        bones = torch.einsum("jic,cd,jid->ji", basis, covariance[:split, :split], basis).clamp_min(0)
        offsets = covariance.diagonal()[split:].view_as(sizes.offsets)
        return bones.sqrt().numpy(), offsets.sqrt().numpy()

    def start(self) -> SizeParameters:
        """The sizes of the body that was given."""
        skeleton, mean = self.body.actor.skeleton, self.bone_mean if self.place_mean is None else self.place_mean
        away = (skeleton.bones if skeleton.places is None else skeleton.places).ravel() - mean.flatten().cpu().double().numpy()
        # the least components that explain it: some sets' bases have more than bones have directions
        components, *_ = np.linalg.lstsq(self.size_basis.flatten(0, 1).cpu().double().numpy(), away, rcond=1e-6)
        return SizeParameters(torch.as_tensor(components).to(self.bone_basis), self.body.sizes.marker_offsets)

    def bone_jacobian(self, global_rotations: Tensor) -> Tensor:
        """d markers / d components: (frames, labels, 3, components), from global rotations (frames, joints, 3, 3)."""
        turning = global_rotations if self.turned_by is None else global_rotations[:, self.turned_by]
        by_bone = torch.einsum("fbij,bjc->fbic", turning, self.size_basis)
        jacobian = (self.hangs.T @ by_bone.flatten(2)).unflatten(-1, (3, -1))
        topology = self.body.topology
        if topology.shared:
            jacobian = jacobian + topology.gathered(global_rotations[:, topology.attached_joints] @ self.places)
        return jacobian

    def offset_jacobian(self, global_rotations: Tensor) -> Tensor:
        """d marker / d its own offset: (frames, labels, 3, 3), from global rotations (frames, joints, 3, 3)."""
        topology = self.body.topology
        return topology.gathered(global_rotations[:, topology.attached_joints])

    def step(self, pose: Pose, sizes: SizeParameters, scale_m: float, *, fit_sizes: bool) -> tuple[Pose, SizeParameters]:
        """One Gauss-Newton step."""
        body = self.sized(sizes)

        def work(window: Window) -> _Part:
            frames = window.frames
            return self._part(body, pose[frames], self.seen[frames], scale_m, fit_sizes=fit_sizes)

        parts = list(each(work, windows(pose.frames, -(-pose.frames // PARTS), 0)))
        if not fit_sizes:
            return pose.stepped(torch.cat([part.step() for part in parts])), sizes
        matrix, gradient = (torch.stack(of).sum(0) for of in zip(*(part.of_sizes for part in parts), strict=True))
        away = torch.cat([sizes.components, (sizes.offsets - self.offset_mean).flatten()])
        factor = torch.linalg.cholesky(self.precision + matrix)
        change = -torch.cholesky_solve((self.precision @ away + gradient)[:, None], factor)[:, 0]
        split = len(sizes.components)
        moved = SizeParameters(sizes.components + change[:split], sizes.offsets + change[split:].view_as(sizes.offsets), factor)
        return pose.stepped(torch.cat([part.step(change) for part in parts])), moved

    def _part(self, body: Body, pose: Pose, seen: Observations, scale_m: float, *, fit_sizes: bool) -> _Part:
        """The equations of some frames, their poses eliminated."""
        posed = body.posed(pose)
        residuals = posed.markers - seen.points
        weights = INDEPENDENCE * sample_weights(residuals, seen, scale_m, body.looseness)[..., None]
        # a frame's rows one behind the other in memory, as the products want them
        by_pose = marker_jacobian(body.topology, pose, posed).flatten(1, 2).contiguous()
        weighted = by_pose * weights.repeat_interleave(3, dim=1)
        pull = weighted.mT @ residuals.flatten(1, 2)[..., None]
        pull[:, ROOT_DOF:, 0] += INDEPENDENCE * pose.q @ self.terms.precision[ROOT_DOF:, ROOT_DOF:]
        # the first rows are free of prior: a little of the diagonal keeps frames with few markers solvable
        hessian = weighted.mT @ by_pose + INDEPENDENCE * self.terms.precision
        self.terms.add_limits(pose.q, hessian, pull[..., 0], INDEPENDENCE)
        hessian.diagonal(dim1=1, dim2=2).mul_(1 + 1e-4).add_(1e-6)
        factor = torch.linalg.cholesky(hessian)
        # with H = L L', C' H^-1 C is Z' Z of Z = L^-1 C: one product over the rows of all frames; X L = 1 takes half as long as L X = 1
        inverse = torch.linalg.solve_triangular(factor, torch.eye(factor.shape[-1]).to(factor), upper=False, left=False)
        if not fit_sizes:
            return _Part(inverse, inverse @ pull)
        by_bones, by_offset = self.bone_jacobian(posed.global_rotations), self.offset_jacobian(posed.global_rotations)
        # a marker's own offset moves no other marker, so that most of the product with all offsets need not be made
        with_offsets = (by_offset.mT @ weighted.unflatten(1, (-1, 3))).flatten(1, 2)
        coupling = torch.cat([by_bones.flatten(1, 2).mT @ weighted, with_offsets, pull.mT], dim=1).mT
        halved = inverse @ coupling
        rows = halved.flatten(0, 1)
        removed = rows[:, :-1].T @ rows
        matrix, gradient = size_equations(by_bones, by_offset, weights, residuals)
        return _Part(inverse, halved, (matrix - removed[:, :-1], gradient - removed[:, -1]))

    def with_own_offsets(self, pose: Pose, sizes: SizeParameters, scale_m: float) -> SizeParameters:
        """The sizes with the marker offsets that the poses ask for, every frame with its whole say.

        While poses and bones are sought, offsets are held near their usual places, because a ring of markers can turn about its
        bone together with its offsets; once poses are found, that cannot happen any more.
        """
        posed = self.sized(sizes).posed(pose)
        residuals = self.seen.points - posed.markers
        weights = sample_weights(residuals, self.seen, scale_m, self.body.looseness)[..., None, None]
        by_offset = self.offset_jacobian(posed.global_rotations)
        weighted = by_offset.transpose(2, 3) * weights
        expected = self.offset_mean + self.drawn @ sizes.components
        matrix = (weighted @ by_offset).sum(0) + torch.diag_embed(self.offset_precision)
        pull = (weighted @ residuals[..., None]).sum(0)[..., 0] - self.offset_precision * (sizes.offsets - expected)
        return replace(sizes, offsets=sizes.offsets + torch.linalg.solve(matrix, pull))


@dataclass(frozen=True, eq=False)
class _Part:
    """Some frames whose poses are eliminated from the equations of the sizes; H = L L' are the normal matrices of their poses.

    Attributes:
        inverse: (frames, coordinates, coordinates), L^-1.
        halved: (frames, coordinates, sizes + 1), L^-1 (C a), of the coupling and the gradient; (frames, coordinates, 1) without sizes.
        of_sizes: Matrix and gradient of the sizes, without their prior; None while they are not fitted.
    """

    inverse: Tensor
    halved: Tensor
    of_sizes: tuple[Tensor, Tensor] | None = None

    def step(self, change: Tensor | None = None) -> Tensor:
        """(frames, coordinates): by how much the poses change where the sizes do."""
        pull = self.halved[..., -1:]
        if change is not None:
            pull = pull + self.halved[..., :-1] @ change[:, None]
        return -(self.inverse.mT @ pull)[..., 0]


def size_equations(by_bones: Tensor, by_offset: Tensor, weights: Tensor, residuals: Tensor) -> tuple[Tensor, Tensor]:
    """Gauss-Newton's matrix and gradient of the sizes alone, the components before the offsets, without their prior.

    Args:
        by_bones: (frames, labels, 3, components).
        by_offset: (frames, labels, 3, 3), of each marker by its own offset.
        weights: (frames, labels, 1).
        residuals: (frames, labels, 3).
    """
    split, offsets = by_bones.shape[-1], residuals[0].numel()
    pull = (weights * residuals)[..., None]
    weighted = by_offset.transpose(2, 3) * weights[..., None]
    cross = (weighted @ by_bones).sum(0).flatten(0, 1)
    matrix = by_bones.new_zeros(split + offsets, split + offsets)
    matrix[:split, :split] = (by_bones * weights[..., None]).flatten(0, 2).T @ by_bones.flatten(0, 2)
    matrix[split:, :split], matrix[:split, split:] = cross, cross.T
    own = matrix[split:, split:].unflatten(0, (-1, 3)).unflatten(2, (-1, 3)).diagonal(dim1=0, dim2=2)
    own += (weighted @ by_offset).sum(0).permute(1, 2, 0)
    of_offsets = (by_offset.transpose(2, 3) @ pull).sum(0).flatten()
    return matrix, torch.cat([by_bones.flatten(0, 2).T @ pull.flatten(), of_offsets])


def fit_actor(
    body: Body,
    prior: Prior,
    placement: Placement,
    seen: Observations,
    begun: Pose,
    progress: Progress | None = None,
    options: SolverOptions = EVERYTHING,
) -> Calibrated:
    """Fit bones and marker offsets to a take.

    Args:
        body: The actor to begin from, with the take's markers.
        prior: Of poses and bones.
        placement: Of the same markers: the prior of their offsets.
        seen: Frames to choose from.
        begun: The poses that they begin from.
        progress: Called with the part that is done.
        options: The kernel's scales. Only poses move in the first steps, since sizes fitted to poses that are far off would have to
            find their way back; in the last the noise of the take shows how closely markers may be followed.
    """
    chosen, scales = spread_subset(seen, SUBSET), options.scales
    steps = Steps(progress, len(scales.actor_poses) + len(scales.actor_sizes) + len(scales.actor_settling))
    fit = ActorFit(body, prior, placement, seen[chosen])
    sizes, pose = fit.start(), begun[chosen]
    for scale in scales.actor_poses:
        pose, _ = fit.step(pose, sizes, scale, fit_sizes=False)
        steps.done()
    for scale in scales.actor_sizes:
        pose, sizes = fit.step(pose, sizes, scale, fit_sizes=True)
        steps.done()
    for scale in scales.actor_settling:
        fit.seen = fit.seen.judged_by(fit.sized(sizes).posed(pose).markers - fit.seen.points, LEAST_SIGMA_M, body.steady)
        pose, sizes = fit.step(pose, sizes, scale, fit_sizes=True)
        steps.done()
    if options.own_offsets:
        sizes = fit.with_own_offsets(pose, sizes, scales.actor_settling[-1])
    return Calibrated(fit.actor(sizes), chosen, pose)
