# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses from markers: damped Gauss-Newton over all frames of a window at once.

Per frame t, with markers m, the cost is

    sum_m w_m rho_s(|x_m(pose_t) - y_m,t|) / (2 sigma^2) + q_t' P q_t / 2 + sum_c (dx_c,t / (speed_c dt))^2 kappa_c,t / 2
        + sum_c beyond_c,t^2 / (2 lambda^2) + sum_c h_c,t (q_c,t - n_c,t)^2 / (2 tau_c,t^2)

rho_s is Geman and McClure's kernel rho(r) = r^2 s^2 / (r^2 + s^2), its scale s shrinking from step to step (graduated non-convexity: Yang
et al. 2020, arXiv 1909.08605), so that samples far from every sensible pose are down-weighted. w is a sample's confidence, and its
reliability while s is wide (`advice.py`). P is `POSE_WEIGHT` times the pose prior's precision; beyond what is usual a pose counts less,
as `student_t_weight` says. beyond is by how much a coordinate is past its limit, 0 within. n is what a network says, tau how sure it is,
and h how far a coordinate is hidden (`advice.py`). dx is the change from the frame before; kappa is small where markers are seen and
larger where they are not, so that a limb glides through a gap. The change couples neighbours only, coordinate by coordinate: the normal
matrix is banded with the width of one frame, and LAPACK factors it in time linear in the frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..actors.prior import PosePrior
from ..core.parallel import each
from ..core.progress import Progress, Steps
from .advice import WIDE_SCALE_M, Advice
from .banded import scratch, solve_banded
from .frames import Between, Window, put_together, spans, windows
from .kinematics import Body, Pose, marker_jacobian
from .observations import MARKER_SIGMA_M, Observations
from .options import EVERYTHING, SolverOptions
from .robust import kernel_cost, kernel_weight
from .rotations import rigid_points_registration, rotmat_to_rotvec
from .spatial import marker_gradient, twists, write_upper
from .topology import ROOT_DOF

#: Scale of the kernel, in m, in the cost by which poses are compared.
COST_SCALE_M = 0.1
#: How fast a root moves and turns, in m/s and rad/s: people walk and spin.
ROOT_SPEED = (1.0, 2.0)
#: How much of the speed prior is believed where a coordinate's markers are all seen, and where none is: the first must not
#: smear punches, the second must not let a limb snap to the mean pose and back within a gap.
SPEED_WEIGHT, GAP_SPEED_WEIGHT = 0.05, 1.0
#: How much of the pose prior is believed: neighbouring frames repeat the same poses and the same marker errors.
POSE_WEIGHT = 0.5
#: Lambda, how far past its limit a joint may be: a joint has no hard stop, but it takes all markers of a limb to push it that far.
LIMIT_SIGMA_RAD = np.radians(1.0)
#: Degrees of freedom of Student's t beyond the usual poses: one, for the heaviest tail whose scale is still known.
TAIL = 1.0
#: Of the normal matrix's diagonal, added to it; and for the root, in 1/m^2 and 1/rad^2, which no prior holds where no marker is seen.
DAMPING, ROOT_DAMPING = 1e-4, 1.0


@dataclass(frozen=True, eq=False)
class Terms:
    """The cost's prior terms as tensors: precision (n, n) of a frame's pose, and of its change to the next frame (n,), each
    coordinate by itself; n = 6 + coordinates. And the limits (2, coordinates) of q."""

    precision: Tensor
    change_precision: Tensor
    limits: Tensor

    def add_limits(self, q: Tensor, hessian: Tensor, gradient: Tensor, weight: float = 1.0) -> None:
        """Add the cost of what is past its limit, of q (frames, coordinates), to hessian (frames, n, n) and gradient (frames, n)."""
        beyond = q - q.clamp(self.limits[0], self.limits[1])
        precision = weight / LIMIT_SIGMA_RAD**2
        hessian.diagonal(dim1=1, dim2=2)[:, ROOT_DOF:] += precision * (beyond != 0)
        gradient[:, ROOT_DOF:] += precision * beyond


def prior_terms(prior: PosePrior, seconds: float, like: Tensor) -> Terms:
    """The prior terms for frames that are `seconds` apart."""
    count = ROOT_DOF + len(prior.speed)
    precision = like.new_zeros(count, count)
    precision[ROOT_DOF:, ROOT_DOF:] = POSE_WEIGHT * torch.as_tensor(prior.precision, dtype=like.dtype, device=like.device)
    speed = np.concatenate([np.repeat(ROOT_SPEED, 3), prior.speed])
    change_precision, limits = (
        torch.as_tensor(values, dtype=like.dtype, device=like.device) for values in ((speed * seconds) ** -2.0, prior.limits)
    )
    return Terms(precision, change_precision, limits)


def visible_part(body: Body, seen: Observations) -> Tensor:
    """(frames, n): how many of the markers that a coordinate moves are seen, or filled, of all that it moves; 0 where it moves none."""
    seen_at = (seen.confidence > 0).to(seen.points.dtype)
    moves = seen_at.new_ones(ROOT_DOF + body.coordinates, len(body.labels))
    moves[ROOT_DOF:] = body.topology.joint_influence[body.topology.coordinate_joints]
    return seen_at @ moves.T / moves.sum(1).clamp_min(1e-6)


def frame_coupling(terms: Terms, visible: Tensor) -> Tensor:
    """Precision (frames - 1, n) of the change between neighbours, by what is visible (frames, n) in both."""
    visible = torch.minimum(visible[1:], visible[:-1])
    return terms.change_precision * (GAP_SPEED_WEIGHT + (SPEED_WEIGHT - GAP_SPEED_WEIGHT) * visible)


def say_of(seen: Observations, looseness: Tensor | None) -> Tensor:
    """(frames, labels): the confidence, less of markers that move about on their bones; `looseness` is that of `Body`."""
    return seen.confidence if looseness is None else seen.confidence * (seen.sigma_m**2 / (seen.sigma_m**2 + looseness))


def sample_weights(residuals: Tensor, seen: Observations, scale_m: float, looseness: Tensor | None = None) -> Tensor:
    """Weights (frames, labels) of the squared residuals (frames, labels, 3), by what they say, Geman and McClure's kernel and sigma."""
    return say_of(seen, looseness) * kernel_weight((residuals * residuals).sum(-1), scale_m * scale_m) / seen.sigma_m**2


def student_t_weight(pose: Pose, terms: Terms) -> Tensor:
    """(frames, 1): how much of the pose prior counts in each frame: all of it up to what is usual, less the farther a pose is beyond.

    Someone who rolls on the floor is where a Gaussian allows nobody: its pull would outweigh the markers, whose own say is limited.
    Student's t has the weight (nu + n) / (nu + d^2) instead, where d^2 = q' P q with the prior's whole precision P, of which a pose that
    is likelier than the average one keeps 1.
    """
    away = ((pose.q @ terms.precision[ROOT_DOF:, ROOT_DOF:]) * pose.q).sum(-1, keepdim=True) / POSE_WEIGHT
    return ((TAIL + pose.q.shape[1]) / (TAIL + away)).clamp_max(1.0)


def normal_equations(
    body: Body, pose: Pose, seen: Observations, terms: Terms, scale_m: float, advice: Advice | None = None
) -> tuple[Tensor, Tensor]:
    """Gauss-Newton's matrices, without the coupling, as `upper_triangle` reads them, and gradients (frames, n).

    The matrices lie in the thread's scratch memory, which the next call in the same thread overwrites. The advice is as far believed as
    it says: see `Advice.where_hidden`.
    """
    count = ROOT_DOF + body.coordinates
    band = scratch(pose.frames * count * (count + 1), seen.points).view(pose.frames, count * (count + 1))
    band[:, count * count :] = 0.0
    posed = body.posed(pose)
    residuals = posed.markers - seen.points
    weights = sample_weights(residuals, seen, scale_m, body.looseness)
    if advice is not None and scale_m >= WIDE_SCALE_M:
        weights = weights * advice.reliability
    by = twists(body.topology, posed, pose)
    believed = student_t_weight(pose, terms)
    write_upper(body.topology, posed, pose, by, weights, (believed, torch.triu(terms.precision)), upper_triangle(band))
    gradient = marker_gradient(body.topology, posed, pose, by, (weights[..., None] * residuals).permute(1, 2, 0)).contiguous()
    gradient[:, ROOT_DOF:] += believed * (pose.q @ terms.precision[ROOT_DOF:, ROOT_DOF:])
    terms.add_limits(pose.q, upper_triangle(band), gradient)
    if advice is not None:
        upper_triangle(band).diagonal(dim1=1, dim2=2)[:, ROOT_DOF:] += advice.precision
        gradient[:, ROOT_DOF:] += advice.precision * (pose.q - advice.q)
    return band, gradient


def upper_triangle(band: Tensor) -> Tensor:
    """The matrices (frames, n, n) within (frames, n (n + 1)) numbers, that LAPACK's band storage wants: their lower triangle is 0.

    It holds column (t, c) as one row: H[t, c:, c], zeros, and the coupling in the last place. Rows of n + 1 places that are written
    with stride n put every upper triangle's row where it belongs.
    """
    count = math.isqrt(band.shape[1])
    return band[:, : count * count].unflatten(1, (count, count))


def changes(pose: Pose) -> Tensor:
    """From each frame to the next, (frames - 1, n): translation, world rotation vector, coordinates."""
    turn = rotmat_to_rotvec(pose.turn[1:] @ pose.turn[:-1].transpose(1, 2))
    return torch.cat([pose.root[1:] - pose.root[:-1], turn, pose.q[1:] - pose.q[:-1]], dim=1)


def coupled_step(band: Tensor, gradient: Tensor, pose: Pose, coupling: Tensor) -> Tensor:
    """Solve the damped normal equations of all frames with their coupling (frames - 1, n); the step is (frames, n).

    The band (frames, n (n + 1)) is `normal_equations`'s, and is overwritten.
    """
    frames, count = gradient.shape
    rows = band.view(frames, count, count + 1)
    diagonal = rows[..., 0]
    diagonal *= 1 + DAMPING
    diagonal[:, :ROOT_DOF] += ROOT_DAMPING
    if frames > 1:
        pull = coupling * changes(pose)
        gradient = gradient.clone()
        gradient[1:] += pull
        gradient[:-1] -= pull
        diagonal[1:] += coupling
        diagonal[:-1] += coupling
        rows[:-1, :, count] = -coupling
    step = (-gradient).reshape(-1).cpu().numpy()
    solve_banded(rows.reshape(frames * count, count + 1).cpu().numpy(), step)
    return torch.as_tensor(step, dtype=gradient.dtype, device=gradient.device).view(frames, count)


def separate_step(matrices: Tensor, gradient: Tensor) -> Tensor:
    """The step (frames, n) of frames that know nothing of one another.

    Args:
        matrices: (frames, n, n), damped; their upper triangles count.
        gradient: (frames, n).
    """
    return -torch.cholesky_solve(gradient[..., None], torch.linalg.cholesky(matrices, upper=True), upper=True)[..., 0]


def wandering(body: Body, terms: Terms) -> Tensor:
    """(markers,) in m^2: how far the pose prior lets each marker wander in the mean pose."""
    rest = body.rest(1)
    jacobian = marker_jacobian(body.topology, rest, body.posed(rest))[0, :, :, ROOT_DOF:]
    covariance = torch.linalg.inv(terms.precision[ROOT_DOF:, ROOT_DOF:])
    return torch.einsum("mic,cd,mid->m", jacobian, covariance, jacobian) + MARKER_SIGMA_M**2


def place_root(body: Body, terms: Terms, seen: Observations) -> Pose:
    """A first pose: the mean pose, its root where the steadiest markers put it.

    A marker's say falls with how far the pose prior lets it wander in the mean pose, so the trunk decides where it is seen.
    """
    posed = body.posed(body.rest(1))
    wander = wandering(body, terms)
    frames = seen.points.shape[0]
    template = posed.markers[0].expand(frames, -1, -1)
    # squared: few steady markers must outvote many loose ones
    weights = (seen.confidence / wander**2).clamp_min(1e-12)
    turn, root = rigid_points_registration(template, seen.points, weights)
    return Pose(root, turn, body.rest(frames).q)


def refined(
    body: Body,
    terms: Terms,
    seen: Observations,
    pose: Pose,
    scales_m: tuple[float, ...],
    advice: Advice | None = None,
    progress: Progress | None = None,
) -> Pose:
    """One Gauss-Newton step for each scale of the robust kernel.

    Window by window, several at a time, so that memory stays that of some windows however long the take is.
    """
    cuts = windows(pose.frames)
    steps = Steps(progress, len(cuts) * len(scales_m))

    def work(window: Window) -> Pose:
        there = window.whole
        part = refined_window(body, terms, seen[there], pose[there], scales_m, advice[there] if advice else None, steps)
        return part[window.own]

    return put_together(each(work, cuts), pose.frames)


@torch.no_grad()
def refined_window(
    body: Body, terms: Terms, seen: Observations, pose: Pose, scales_m: tuple[float, ...], advice: Advice | None, steps: Steps
) -> Pose:
    """The frames of one window, refined together; `steps` is told of each scale that is done."""
    visible = visible_part(body, seen)
    coupling = frame_coupling(terms, visible)
    advice = advice.where_hidden(body, visible) if advice else None
    for scale in scales_m:
        band, gradient = normal_equations(body, pose, seen, terms, scale, advice)
        pose = pose.stepped(coupled_step(band, gradient, pose, coupling))
        steps.done()
    return pose


def refined_apart(body: Body, terms: Terms, seen: Observations, pose: Pose, scales_m: tuple[float, ...]) -> Pose:
    """The same of frames none of which is held to another, in fewer operations, which is what the poses of few frames cost."""
    for scale in scales_m:
        band, gradient = normal_equations(body, pose, seen, terms, scale)
        matrices = upper_triangle(band)
        diagonal = matrices.diagonal(dim1=1, dim2=2)
        diagonal *= 1 + DAMPING
        diagonal[:, :ROOT_DOF] += ROOT_DAMPING
        pose = pose.stepped(separate_step(matrices, gradient))
    return pose


@dataclass(frozen=True, eq=False)
class Found:
    """Poses at a coarse rate, the frames (ascending, first and last included) that they are of, `Observations.sigma_m`, and what
    advice there was."""

    pose: Pose
    at: Tensor
    sigma_m: float
    advice: Advice | None = None


def pose_costs(body: Body, terms: Terms, seen: Observations, pose: Pose) -> Tensor:
    """(frames,): the cost of each frame's pose a marker that is seen, in units of the markers' deviation."""
    precision = terms.precision[ROOT_DOF:, ROOT_DOF:]

    def work(here: slice) -> Tensor:
        there, q = seen[here], pose.q[here]
        squared = ((body.posed(pose[here]).markers - there.points) ** 2).sum(-1)
        say = say_of(there, body.looseness)
        apart = (say * kernel_cost(squared, COST_SCALE_M**2)).sum(1) / MARKER_SIGMA_M**2
        unusual = torch.einsum("fc,cd,fd->f", q, precision, q)
        return (apart + unusual) / say.sum(1).clamp_min(1.0)

    return torch.cat(list(each(work, spans(pose.frames))))


def fit_poses(
    body: Body,
    prior: PosePrior,
    seen: Observations,
    found: Found,
    progress: Progress | None = None,
    options: SolverOptions = EVERYTHING,
) -> Pose:
    """Poses of all frames: those that were found, refined at the take's own rate."""
    if not options.fit:
        return Between(found.at, slice(0, len(seen.points))).pose(found.pose)
    seen = replace(seen, sigma_m=found.sigma_m)
    terms = prior_terms(prior, seen.seconds, seen.points)
    cuts = windows(len(seen.points))
    steps = Steps(progress, len(cuts) * len(options.scales.fine))

    def work(window: Window) -> Pose:
        between = Between(found.at, window.whole)
        advice = found.advice.of_all(between) if found.advice else None
        part = refined_window(body, terms, seen[window.whole], between.pose(found.pose), options.scales.fine, advice, steps)
        return part[window.own]

    return put_together(each(work, cuts), len(seen.points))
