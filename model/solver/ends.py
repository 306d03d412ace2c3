# SPDX-License-Identifier: GPL-3.0-or-later
"""The first and the last moments of a take, where markers are missing, solved again by how the body goes on moving.

Within a take a hidden limb is held from both sides, and a curve through the gap tells where its markers were. At an end it is held from
one side only, and `fit.py`'s coupling pulls it towards standing still: a hand that leaves a fast swing unseen stays behind by centimetres
a frame. So the ends are refined once more with one cost more,

    sum_c (x_c,t+1 - 2 x_c,t + x_c,t-1)^2 / (2 s_c^2),    s_c^2 = (ACCELERATION speed_c)^2 STEADY_SECONDS dt^3,

by which joints keep their speed, as if accelerations were white noise, so that it asks for the same path at any rate. A little of the
pull towards standing still is left, so that what is hidden for long slows down. The cost couples each frame with two more and makes the
band twice as wide; ends are short.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from ..actors.prior import PosePrior
from ..core.parallel import run_each
from .advice import Advice
from .banded import solve_banded
from .fit import DAMPING, ROOT_DAMPING, Found, Terms, changes, normal_equations, prior_terms, visible_part
from .frames import Between
from .kinematics import Body, Pose
from .observations import Observations
from .options import EVERYTHING, SolverOptions
from .rotations import rotmat_to_rotvec
from .topology import ROOT_DOF

#: How long an end is, and how long it fades into what was there, in s.
END_SECONDS, FADE_SECONDS = 0.2, 0.1
#: How much a coordinate's speed changes, of its usual speed a second, and for how long it changes so, in s.
ACCELERATION, STEADY_SECONDS = 30.0, 0.05
#: How long a hidden joint keeps its speed, in s: e times less is left of it after that.
SLOWING_SECONDS = 0.1


@torch.no_grad()
def refine_ends(body: Body, prior: PosePrior, seen: Observations, found: Found, pose: Pose, options: SolverOptions = EVERYTHING) -> Pose:
    """The poses of a take (frames,), those of its ends refined where samples are missing there, else the very same.

    Args:
        body: Whose poses.
        prior: Of poses and speeds.
        seen: Of all frames.
        found: As for `fit_poses`.
        pose: Of all frames, from `fit_poses`.
        options: What the solver uses.
    """
    frames = pose.frames
    if not options.fit or frames < 3:
        return pose
    end, fade = (math.ceil(seconds / seen.seconds) for seconds in (END_SECONDS, FADE_SECONDS))
    length = min(end + fade, frames)
    inward = torch.arange(length, device=pose.q.device)
    lacking = [
        (part, depth)
        for part, depth in ((slice(0, length), inward), (slice(frames - length, frames), inward.flip(0)))
        if bool((seen.confidence[part][depth < end] < 1).any())
    ]
    if not lacking:
        return pose
    kept = Pose(pose.root.clone(), pose.turn.clone(), pose.q.clone())

    @torch.no_grad()
    def work(one: tuple[slice, Tensor]) -> None:
        part, depth = one
        there = replace(seen[part], sigma_m=found.sigma_m)
        advice = found.advice.of_all(Between(found.at, part)) if found.advice else None
        refined = refined_end(body, prior, there, kept[part], options.scales.ends, advice)
        share = ((length - depth) / (fade + 1)).clamp_max(1.0).to(pose.q)
        faded = kept[part].stepped(share[:, None] * way_to(kept[part], refined))
        kept.root[part], kept.turn[part], kept.q[part] = faded.root, faded.turn, faded.q

    if 2 * length <= frames:
        run_each(work, lacking)
    else:
        # in a short take the second end begins from what was refined of the first
        for one in lacking:
            work(one)
    return kept


def refined_end(body: Body, prior: PosePrior, seen: Observations, pose: Pose, scales_m: tuple[float, ...], advice: Advice | None) -> Pose:
    """A few frames that follow on one another, refined with the cost of changes of speed: one step for each scale of the kernel."""
    terms = prior_terms(prior, seen.seconds, seen.points)
    steady = steadiness(terms, seen.seconds).expand(pose.frames - 2, -1)
    coupling = (seen.seconds / SLOWING_SECONDS) ** 2 * steady[:1].expand(pose.frames - 1, -1)
    advice = advice.where_hidden(body, visible_part(body, seen)) if advice else None
    for scale in scales_m:
        band, gradient = normal_equations(body, pose, seen, terms, scale, advice)
        pose = pose.stepped(steady_step(band, gradient, pose, coupling, steady))
    return pose


def steadiness(terms: Terms, seconds: float) -> Tensor:
    """(n,): precision of the change of a change from frame to frame, for the prior terms of frames so many seconds apart."""
    speed2 = 1 / (terms.change_precision * seconds**2)
    return 1 / (ACCELERATION**2 * speed2 * STEADY_SECONDS * seconds**3)


def steady_step(band: Tensor, gradient: Tensor, pose: Pose, coupling: Tensor, steady: Tensor) -> Tensor:
    """`fit.coupled_step` with the cost of changes of speed.

    Args:
        band: (frames, n (n + 1)), as `normal_equations` gives it.
        gradient: (frames, n).
        pose: Of three frames at least.
        coupling: (frames - 1, n), precision of the changes between neighbours.
        steady: (frames - 2, n), precision of the changes of these.

    Returns:
        The step (frames, n).
    """
    frames, count = gradient.shape
    # at a high rate the precision of a change of speed is many orders of magnitude above that of a hidden joint's pose
    rows = torch.zeros(frames, count, 2 * count + 1, dtype=torch.float64, device=band.device)
    rows[..., : count + 1] = band.view(frames, count, count + 1)
    rows[..., 0] *= 1 + DAMPING
    rows[:, :ROOT_DOF, 0] += ROOT_DAMPING
    pull = gradient.double()
    change = changes(pose).double()
    for precision, apart, parts in ((coupling, change, (-1, 1)), (steady, change.diff(dim=0), (1, -2, 1))):
        for first, one in enumerate(parts):
            own = slice(first, first + len(apart))
            pull[own] += one * precision * apart
            for later, other in enumerate(parts[first:]):
                rows[own, :, later * count] += one * other * precision
    step = (-pull).reshape(-1).cpu().numpy()
    solve_banded(rows.reshape(frames * count, 2 * count + 1).cpu().numpy(), step)
    return torch.as_tensor(step, dtype=gradient.dtype, device=gradient.device).view(frames, count)


def way_to(pose: Pose, other: Pose) -> Tensor:
    """The step (frames, 6 + coordinates) from one pose of each frame to another."""
    turn = rotmat_to_rotvec(other.turn @ pose.turn.transpose(1, 2))
    return torch.cat([other.root - pose.root, turn, other.q - pose.q], dim=1)
