# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames that end in a wrong minimum stand out by their cost: they begin again from the nearest ones that did not, the root placed anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from .fit import Terms, pose_costs, refined
from .kinematics import Body, Pose
from .observations import MARKER_SIGMA_M, SECONDS_APART, Observations
from .rotations import rigid_points_registration

#: Scales of the robust kernel in metres while beginnings are tried.
TRIAL_SCALES_M = (0.3, 0.3, 0.2, 0.2, 0.1, 0.1, 0.05)
#: A frame's pose is wrong where its cost a marker is this many times that of the quarter of the frames that cost least, as half of a take
#: may be wrong, and more than that of this distance in metres.
WRONG_RATIO, RIGHT_PART, WRONG_M = 3.0, 0.25, 0.03
#: Wrong frames begin again at most so often; each time right ones are nearer.
ROUNDS = 6


def rescued(body: Body, terms: Terms, seen: Observations, pose: Pose, costs: Tensor) -> Pose:
    """The poses, those of wrong frames found again from their nearest right ones.

    Args:
        body: Whose poses.
        terms: For frames as far apart as these.
        seen: Of F frames.
        pose: Of the same frames.
        costs: (F,) of these poses: see `pose_costs`.
    """
    limit = max(WRONG_RATIO * float(costs.quantile(RIGHT_PART)), (WRONG_M / MARKER_SIGMA_M) ** 2)
    for _ in range(ROUNDS):
        wrong, right = torch.nonzero(costs > limit)[:, 0], torch.nonzero(costs <= limit)[:, 0]
        if not len(wrong) or not len(right):
            return pose
        after = torch.searchsorted(right, wrong)
        donors = (right[(after - 1).clamp_min(0)], right[after.clamp_max(len(right) - 1)])
        there = seen[wrong]
        tried = [pose[wrong], *begun_again(body, terms, there, [pose[donor] for donor in donors])]
        again = torch.stack([costs[wrong], *(pose_costs(body, terms, there, other) for other in tried[1:])])
        if not (again.amin(0) < again[0]).any():
            return pose
        better = chosen(tried, again.argmin(0))
        pose = with_frames(pose, wrong, better)
        costs = costs.index_copy(0, wrong, again.amin(0))
    return pose


def begun_again(body: Body, terms: Terms, seen: Observations, starts: Sequence[Pose]) -> list[Pose]:
    """Poses of some frames, found by themselves from each of some beginnings, whose roots are put where the markers are."""
    # none is held to a neighbour that is wrong
    apart = replace(terms, change_precision=terms.change_precision * (seen.seconds / SECONDS_APART) ** 2)
    return [refined(body, apart, seen, _registered(body, start, seen), TRIAL_SCALES_M) for start in starts]


def chosen(poses: list[Pose], which: Tensor) -> Pose:
    """Of each frame the pose of that number."""
    frames = torch.arange(len(which), device=which.device)
    return Pose(*(torch.stack([getattr(pose, part) for pose in poses])[which, frames] for part in ("root", "turn", "q")))


def with_frames(pose: Pose, frames: Tensor, others: Pose) -> Pose:
    """The poses, those of some frames, by their indices, being others."""
    return Pose(*(getattr(pose, part).index_copy(0, frames, getattr(others, part)) for part in ("root", "turn", "q")))


def _registered(body: Body, pose: Pose, seen: Observations) -> Pose:
    """The poses with their roots where the markers of these frames put them."""
    markers = body.posed(pose).markers
    weights = seen.confidence.clamp_min(1e-9)
    turn, shift = rigid_points_registration(markers, seen.points, weights)
    return Pose((turn @ pose.root[..., None])[..., 0] + shift, turn @ pose.turn, pose.q)
