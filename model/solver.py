# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses from markers: damped Gauss-Newton over all frames of a window at once.

Per frame t, with markers m, the cost is

    sum_m w_m rho_s(|x_m(pose_t) - y_m,t|) / (2 sigma^2) + q_t' P q_t / 2 + sum_c (dx_c,t / (speed_c dt))^2 kappa_c,t / 2

rho_s is Geman and McClure's kernel rho(r) = r^2 s^2 / (r^2 + s^2), its scale s shrinking from step to step (graduated
non-convexity: Yang et al. 2020, arXiv 1909.08605), so that samples far from every sensible pose lose their say. P is the
pose prior's precision. dx is the change from the frame before; kappa is small where markers are seen and large where they
are not, so that a limb glides through a gap. The change couples neighbours only, coordinate by coordinate: the normal
matrix is banded with the width of one frame, and LAPACK factors it in time linear in the frames.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import roma
import torch
from scipy.linalg import solveh_banded
from torch import Tensor

from .kinematics import ROOT, Body, Pose
from .prior import PosePrior

#: Standard deviation of a marker about its place on a rigid bone, in metres: skin moves more than cameras err.
MARKER_SIGMA_M = 0.010
#: Scales of the robust kernel in metres, one step each: wide while poses are far off, then a few marker deviations.
COARSE_SCALES_M = (0.3, 0.3, 0.2, 0.2, 0.1, 0.1, 0.05, 0.04)
FINE_SCALES_M = (0.04, 0.03, 0.03)
#: The same where the fit begins with a guess, and how much of the pose prior is believed beside it.
GUESSED_SCALES_M = COARSE_SCALES_M
GUESSED_POSE_WEIGHT = 1.0
#: Poses are found at this rate first, and only refined at the take's own.
COARSE_HZ = 15.0
#: How fast a root moves and turns, in m/s and rad/s: people walk and spin.
ROOT_SPEED = (1.0, 2.0)
#: How much of the speed prior is believed where a coordinate's markers are all seen, and where none is: the first must not
#: smear punches, the second must not let a limb snap to the mean pose and back within a gap.
SPEED_WEIGHT, GAP_SPEED_WEIGHT = 0.05, 4.0
#: How much of the pose prior is believed: neighbouring frames repeat the same poses and the same marker errors.
POSE_WEIGHT = 1.0
#: Of the normal matrix's diagonal, added to it; and for the root, in 1/m^2 and 1/rad^2, which no prior holds where no marker is seen.
DAMPING, ROOT_DAMPING = 1e-4, 1.0
#: Frames that are refined together, and how many more on either side are refined with them and thrown away: memory stays that
#: of one window however long the take is.
WINDOW, OVERLAP = 1024, 64


Progress = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class Observations:
    """Marker samples of a run of frames.

    Attributes:
        points: (frames, labels, 3) in metres; any finite number where the confidence is 0.
        confidence: (frames, labels): 1 for a sample, less for a filled gap, 0 for none.
        seconds: Between two frames.
    """

    points: Tensor
    confidence: Tensor
    seconds: float

    def __getitem__(self, frames: Tensor | slice) -> Observations:
        return Observations(self.points[frames], self.confidence[frames], self.seconds)


@dataclass(frozen=True, eq=False)
class Terms:
    """The cost's prior terms as tensors: precision (n, n) of a frame's pose, and of its change to the next frame (n,), each
    coordinate by itself; n = 6 + coordinates."""

    precision: Tensor
    change_precision: Tensor


@dataclass(frozen=True, eq=False)
class Guess:
    """What is thought of frames before they are fitted.

    Attributes:
        pose: Where the fit begins, and whose q it is pulled to.
        precision: (frames, coordinates) of that pull, each coordinate by itself, in 1/rad^2.
        reliability: (frames, labels) how much of a sample is believed, 0 to 1.
    """

    pose: Pose
    precision: Tensor
    reliability: Tensor

    def __getitem__(self, frames: Tensor | slice) -> Guess:
        return Guess(self.pose[frames], self.precision[frames], self.reliability[frames])


#: Looks at observations at the coarse rate.
Guesser = Callable[[Observations], Guess]


def prior_terms(prior: PosePrior, seconds: float, like: Tensor) -> Terms:
    """The prior terms for frames that are `seconds` apart."""
    count = ROOT + len(prior.speed)
    precision = like.new_zeros(count, count)
    precision[ROOT:, ROOT:] = POSE_WEIGHT * torch.as_tensor(prior.precision, dtype=like.dtype, device=like.device)
    speed = np.concatenate([np.repeat(ROOT_SPEED, 3), prior.speed])
    return Terms(precision, torch.as_tensor((speed * seconds) ** -2.0, dtype=like.dtype, device=like.device))


def weakened(terms: Terms) -> Terms:
    """The terms where a guess says most of what the pose prior says."""
    return replace(terms, precision=GUESSED_POSE_WEIGHT * terms.precision)


def frame_coupling(body: Body, terms: Terms, seen: Observations) -> Tensor:
    """Precision (frames - 1, n) of the change between neighbours, by how many of the markers that a coordinate moves are seen in both."""
    seen_at = (seen.confidence > 0).to(seen.points.dtype)
    moves = seen_at.new_ones(ROOT + body.coordinates, len(body.labels))
    moves[ROOT:] = body.below[body.coordinate_joints][:, body.marker_joints]
    visible = seen_at @ moves.T / moves.sum(1).clamp_min(1)
    visible = torch.minimum(visible[1:], visible[:-1])
    return terms.change_precision * (GAP_SPEED_WEIGHT + (SPEED_WEIGHT - GAP_SPEED_WEIGHT) * visible)


def sample_weights(residuals: Tensor, confidence: Tensor, scale_m: float) -> Tensor:
    """Weights (frames, labels) of the squared residuals (frames, labels, 3): Geman and McClure's, as in Black and Rangarajan 1996."""
    squared = (residuals * residuals).sum(-1)
    s2 = scale_m * scale_m
    return confidence * (s2 / (s2 + squared)) ** 2 / MARKER_SIGMA_M**2


def normal_equations(
    body: Body, pose: Pose, seen: Observations, terms: Terms, scale_m: float, guess: Guess | None = None
) -> tuple[Tensor, Tensor]:
    """Gauss-Newton's matrices (frames, n, n) and gradients (frames, n), without the coupling."""
    posed = body.posed(pose)
    residuals = posed.markers - seen.points
    weights = sample_weights(residuals, seen.confidence, scale_m)
    jacobian = body.marker_jacobian(pose, posed).flatten(1, 2)
    weighted = jacobian * weights.repeat_interleave(3, dim=1)[..., None]
    hessian = weighted.transpose(1, 2) @ jacobian + terms.precision
    gradient = (weighted.transpose(1, 2) @ residuals.flatten(1, 2)[..., None])[..., 0]
    gradient[:, ROOT:] += pose.q @ terms.precision[ROOT:, ROOT:]
    if guess is not None:
        hessian.diagonal(dim1=1, dim2=2)[:, ROOT:] += guess.precision
        gradient[:, ROOT:] += guess.precision * (pose.q - guess.pose.q)
    return hessian, gradient


def changes(pose: Pose) -> Tensor:
    """From each frame to the next, (frames - 1, n): translation, world rotation vector, coordinates."""
    turn = roma.rotmat_to_rotvec(pose.turn[1:] @ pose.turn[:-1].transpose(1, 2))
    return torch.cat([pose.root[1:] - pose.root[:-1], turn, pose.q[1:] - pose.q[:-1]], dim=1)


def coupled_step(hessian: Tensor, gradient: Tensor, pose: Pose, coupling: Tensor) -> Tensor:
    """Solve the damped normal equations of all frames with their coupling (frames - 1, n); the step is (frames, n)."""
    frames, count = gradient.shape
    diagonal = hessian.diagonal(dim1=1, dim2=2)
    diagonal *= 1 + DAMPING
    diagonal[:, :ROOT] += ROOT_DAMPING
    if frames > 1:
        pull = coupling * changes(pose)
        gradient = gradient.clone()
        gradient[1:] += pull
        gradient[:-1] -= pull
        diagonal[1:] += coupling
        diagonal[:-1] += coupling
    # LAPACK's lower band storage holds column (t, c) as one row: H[t, c:, c], zeros, and the coupling in the last place.
    # Rows of n + 1 places written with stride n put every upper triangle's row where it belongs.
    band = hessian.new_zeros(frames, count * (count + 1))
    band[:, : count * count] = torch.triu(hessian).flatten(1)
    rows = band.view(frames, count, count + 1)
    rows[:-1, :, count] = -coupling
    step = solveh_banded(
        rows.reshape(frames * count, count + 1).cpu().numpy().T,
        -gradient.reshape(-1).cpu().numpy(),
        overwrite_ab=True,
        overwrite_b=True,
        lower=True,
        check_finite=False,
    )
    return torch.as_tensor(step, dtype=gradient.dtype, device=gradient.device).view(frames, count)


def place_root(body: Body, terms: Terms, seen: Observations) -> Pose:
    """A first pose: the mean pose, its root where the steadiest markers put it.

    A marker's say falls with how far the pose prior lets it wander in the mean pose, so the trunk decides where it is seen.
    """
    rest = body.rest(1)
    posed = body.posed(rest)
    jacobian = body.marker_jacobian(rest, posed)[0, :, :, ROOT:]
    covariance = torch.linalg.inv(terms.precision[ROOT:, ROOT:])
    wander = torch.einsum("mic,cd,mid->m", jacobian, covariance, jacobian) + MARKER_SIGMA_M**2
    frames = seen.points.shape[0]
    template = posed.markers[0].expand(frames, -1, -1)
    # squared: few steady markers must outvote many loose ones
    weights = (seen.confidence / wander**2).clamp_min(1e-12)
    rigid = roma.rigid_points_registration(template, seen.points, weights=weights)
    turn, root = cast(tuple[Tensor, Tensor], rigid)
    return Pose(root, turn, body.rest(frames).q)


def refine(body: Body, terms: Terms, seen: Observations, pose: Pose, scales_m: tuple[float, ...], guess: Guess | None = None) -> Pose:
    """One Gauss-Newton step for each scale of the robust kernel."""
    coupling = frame_coupling(body, terms, seen)
    for scale in scales_m:
        hessian, gradient = normal_equations(body, pose, seen, terms, scale, guess)
        pose = pose.stepped(coupled_step(hessian, gradient, pose, coupling))
    return pose


def between(pose: Pose, at: Tensor, frames: int) -> Pose:
    """Poses of all `frames` from poses at the frames `at` (ascending, first and last included), straight in between."""
    wanted = torch.arange(frames, device=at.device)
    right = torch.searchsorted(at, wanted).clamp(1, len(at) - 1) if len(at) > 1 else torch.zeros_like(wanted)
    left = (right - 1).clamp_min(0)
    part = ((wanted - at[left]) / (at[right] - at[left]).clamp_min(1)).to(pose.q.dtype)[:, None]
    turn = roma.rotmat_to_rotvec(pose.turn[right] @ pose.turn[left].transpose(1, 2))
    return Pose(
        torch.lerp(pose.root[left], pose.root[right], part),
        roma.rotvec_to_rotmat(part * turn) @ pose.turn[left],
        torch.lerp(pose.q[left], pose.q[right], part),
    )


def joined(poses: list[Pose]) -> Pose:
    """Poses one after the other."""
    return Pose(*(torch.cat([getattr(pose, part) for pose in poses]) for part in ("root", "turn", "q")))


def guess_between(guess: Guess, at: Tensor, frames: int) -> Guess:
    """A guess at all `frames` from one at the frames `at`; a frame has the reliability and precision of the nearest one."""
    near = torch.searchsorted((at[1:] + at[:-1]) / 2, torch.arange(frames, device=at.device).to(guess.precision.dtype))
    return Guess(between(guess.pose, at, frames), guess.precision[near], guess.reliability[near])


def believed(seen: Observations, guess: Guess) -> Observations:
    """The observations, as far as the guess believes them."""
    return replace(seen, confidence=seen.confidence * guess.reliability)


def fit_poses(body: Body, prior: PosePrior, seen: Observations, progress: Progress | None = None, guesser: Guesser | None = None) -> Pose:
    """Poses of all frames: found at a coarse rate, from nothing or from a guess, then refined at the take's own."""
    frames = seen.points.shape[0]
    stride = max(1, round(1 / (COARSE_HZ * seen.seconds)))
    at = torch.unique(torch.cat([torch.arange(0, frames, stride), torch.tensor([frames - 1])])).to(seen.points.device)
    coarse = Observations(seen.points[at], seen.confidence[at], stride * seen.seconds)
    terms = prior_terms(prior, coarse.seconds, seen.points)
    guess = guesser(coarse) if guesser else None
    if guess is None:
        pose = refine(body, terms, coarse, place_root(body, terms, coarse), COARSE_SCALES_M)
    else:
        terms = weakened(terms)
        pose = refine(body, terms, believed(coarse, guess), guess.pose, GUESSED_SCALES_M, guess)
    if progress:
        progress(0.2)
    terms = prior_terms(prior, seen.seconds, seen.points)
    pose = between(pose, at, frames)
    if guess is not None:
        terms, guess = weakened(terms), guess_between(guess, at, frames)
    refined = []
    for start in range(0, frames, WINDOW):
        first, last = max(0, start - OVERLAP), start + WINDOW + OVERLAP
        part = slice(first, last)
        here = guess[part] if guess else None
        window = refine(body, terms, believed(seen[part], here) if here else seen[part], pose[part], FINE_SCALES_M, here)
        refined.append(window[start - first : start - first + WINDOW])
        if progress:
            progress(0.2 + 0.8 * min(1.0, (start + WINDOW) / frames))
    return joined(refined)
