# SPDX-License-Identifier: GPL-3.0-or-later
"""A body found in points whose marker set nobody has described: poses that are drawn to the points by the skin, see `surface.py`.

As in `registration.py`, poses start in several headings and shapes in every key frame, and soft assignments harden while Gauss-Newton
moves them. The assignment is an unbalanced transport: each point is explained once, by the places around it, or is nobody's; places may
stay empty, but the mass of each segment is pulled to the part of the markers that the segment usually has (Chizat et al. 2018, Scaling
algorithms for unbalanced optimal transport problems). So neither do all points gather on the trunk, nor does a bare limb draw others'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from ..actors.prior import Prior
from ..core.parallel import each
from ..core.progress import Progress, Steps, shares
from ..core.take import Axis, FloatArray
from ..solver.fit import Terms
from ..solver.frames import joined
from ..solver.kinematics import Body, Pose, to_array
from .annealing import Assign, Tried, annealed, at_once, begun_everywhere, pose_cost, pose_terms, usual_poses
from .key_frames import KeyFrames
from .registration import SLACK, Begun, any_way, upright
from .surface import Surface

#: Scales of the assignment in metres, a step each: of all starts, and of those that go on.
WIDE_M = (0.25,) * 5 + (0.2,) * 3 + (0.16,) * 3
NARROW_M = (0.13,) * 3 + (0.1,) * 4 + (0.08,) * 4 + (0.06,) * 4 + (0.05,) * 4
#: The part of the starts that go on, and the least that do; how many poses a key frame has in the end; they differ by at least this, in m.
KEPT, KEPT_LEAST, CANDIDATES, DISTINCT_M = 0.3, 8, 4, 0.05
#: Poses to start from in each heading, of people who stand and of others; others are looked for where a point costs more than this.
STANDING_POSES, OTHER_POSES, POOR = 3, 1, 1.25
#: Steps of the transport, how strongly a segment's mass is pulled to its share in each, and by how much at most.
TRANSPORT_STEPS, PULL, MOST_PULL = 6, 0.6, 5.0
#: Added to masses before they are compared, in markers: a segment may well have one more or less.
MASS = 0.1
#: While candidates are chosen, and of the costs they end with: scale in m.
CHOICE_SCALE_M, COST_SCALE_M = 0.1, 0.05
#: What a point costs that is nobody's, in the units of a log-likelihood, and markers that a segment may lack at no cost.
NOBODYS, LACKING = 4.5, 0.3


@dataclass(frozen=True, eq=False)
class Candidate:
    """A pose that one key frame may show.

    Attributes:
        pose: Of one frame, of the surface's size.
        size: How large the body is, of that.
        cost: In the units of a log-likelihood.
        segments: (points, segments) how much of each of the frame's points is on each segment.
        positions: (joints, 3) in metres, at that size.
        rotations: (joints, 3, 3) global ones.
        on_joints: (points, joints) how much of each point is on each joint's bone.
    """

    pose: Pose
    size: float
    cost: float
    segments: FloatArray
    positions: FloatArray
    rotations: FloatArray
    on_joints: FloatArray


def begun(candidates: Sequence[Candidate]) -> Begun:
    """A key frame's candidates as bodies from which others begin."""
    return Begun(joined([each.pose for each in candidates]), torch.tensor([each.size for each in candidates]))


def to_surface(surface: Surface) -> Assign:
    """The transport from points to the places of a surface."""
    on = torch.zeros(len(surface.segments), len(surface.shares))
    on[torch.arange(len(surface.segments)), torch.as_tensor(surface.segments)] = 1.0
    shares = torch.as_tensor(surface.shares, dtype=torch.float32)

    def assign(squared: Tensor, there: Tensor, scale_m: float) -> tuple[Tensor, Tensor]:
        variance = torch.full((squared.shape[1],), scale_m**2)
        return transported(squared, variance, on, shares * there.sum(1, keepdim=True)), variance

    return assign


def transported(squared: Tensor, variance: Tensor, on: Tensor, wanted: Tensor) -> Tensor:
    """(frames, places, points): how much of each point is at each place; what is missing to 1 is nobody's.

    Args:
        squared: (frames, places, points) distances in m^2.
        variance: (places,) in m^2.
        on: (places, segments) 1 where a place is on a segment.
        wanted: (frames, segments) how many of the points each segment usually has.
    """
    density = torch.exp(squared * (-0.5 / variance[:, None]))
    slack = float(np.exp(-SLACK * SLACK / 2))
    weights = (wanted / on.sum(0)) @ on.T
    points = 1 / ((weights[:, None] @ density)[:, 0] + slack)
    for _ in range(TRANSPORT_STEPS):
        mass = (weights * (density @ points[..., None])[..., 0]) @ on
        pull = ((wanted + MASS) / (mass + MASS)).clamp(1 / MOST_PULL, MOST_PULL) ** PULL
        weights = weights * (pull @ on.T)
        points = 1 / ((weights[:, None] @ density)[:, 0] + slack)
    return density * weights[..., None] * points[:, None]


def look_anywhere(
    surface: Surface, prior: Prior, keys: KeyFrames, up_axis: Axis, progress: Progress | None = None
) -> list[list[Candidate]]:
    """The likeliest poses of each key frame, the likeliest first: of people who stand, and of any others where nobody does.

    Args:
        surface: The body.
        prior: Of its poses.
        keys: At least one frame, with at least one point.
        up_axis: The take's.
        progress: Called with the part that is done.
    """
    parts = shares(progress)
    found = find_anywhere(surface, prior, keys, upright(up_axis), STANDING_POSES, next(parts))
    points = keys.there.sum(axis=1)
    poor = [key for key, candidates in enumerate(found) if candidates[0].cost > POOR * points[key]]
    if poor:
        others = find_anywhere(surface, prior, keys.only(np.array(poor)), any_way(up_axis), OTHER_POSES, next(parts))
        for key, candidates in zip(poor, others, strict=True):
            found[key] = sorted(found[key] + candidates, key=lambda each: each.cost)[: 2 * CANDIDATES]
    return found


def find_anywhere(
    surface: Surface, prior: Prior, keys: KeyFrames, turns: FloatArray, poses: int, progress: Progress | None = None
) -> list[list[Candidate]]:
    """The likeliest poses of each key frame, by itself, the likeliest first.

    Args:
        surface: The body.
        prior: Of its poses.
        keys: At least one frame, with at least one point.
        turns: (turns, 3, 3) root rotations to start from.
        poses: How many poses to start from in each of them.
        progress: Called with the part that is done.
    """
    body = Body(surface.actor, prior.pose, torch.device("cpu"), torch.float32)
    terms = pose_terms(prior.pose)
    shapes, assign = usual_poses(body, terms, poses), to_surface(surface)
    bodies = len(turns) * len(shapes)

    def work(part: slice) -> list[list[Candidate]]:
        own = keys.only(part)
        tried = annealed(body, terms, begun_everywhere(body, own, turns, shapes), WIDE_M, assign)
        markers = body.posed(tried.pose).markers
        costs, _ = _costs(surface, terms, tried, markers, assign, CHOICE_SCALE_M)
        kept = tried.best(markers, costs, max(KEPT_LEAST, int(KEPT * bodies)), DISTINCT_M)
        tried = annealed(body, terms, tried.only(chain.from_iterable(kept)), NARROW_M, assign, fit_size=True)
        markers = body.posed(tried.pose).markers
        costs, told = _costs(surface, terms, tried, markers, assign, COST_SCALE_M)
        best = tried.best(markers, costs, CANDIDATES, DISTINCT_M)
        steps.done()
        return [[_candidate(surface, body, tried, row, float(costs[row]), told[row]) for row in rows] for rows in best]

    cuts = at_once(keys, bodies, len(surface.joints))
    steps = Steps(progress, len(cuts))
    return [candidates for part in each(work, cuts) for candidates in part]


def _costs(surface: Surface, terms: Terms, tried: Tried, markers: Tensor, assign: Assign, scale_m: float) -> tuple[Tensor, Tensor]:
    """(F,) of bodies, and the assignment (F, places, points) by which they were told, of their places (F, places, 3)."""
    squared = tried.squared_distances(markers, tried.shrunk)
    part, variance = assign(squared, tried.there, scale_m)
    away = (part * squared / (2 * variance[:, None])).sum((1, 2)) + NOBODYS * ((1 - part.sum(1)) * tried.there).sum(1)
    mass = torch.zeros(len(squared), len(surface.shares)).index_add_(1, torch.as_tensor(surface.segments), part.sum(2))
    wanted = torch.as_tensor(surface.shares, dtype=torch.float32) * tried.there.sum(1, keepdim=True)
    lacking = (wanted * ((wanted + LACKING) / (mass + LACKING)).log().clamp_min(0)).sum(1)
    return away + lacking + pose_cost(terms, tried.pose), part


def _candidate(surface: Surface, body: Body, tried: Tried, row: int, cost: float, shares: Tensor) -> Candidate:
    """A body of those that were tried; of the assignment (places, points)."""
    pose, size, part = tried.pose[row : row + 1], float(tried.size[row]), to_array(shares[:, tried.there[row]])
    posed = body.posed(pose)
    centre = to_array(tried.centre[row])
    positions = centre + size * (to_array(posed.positions)[0] - centre)
    segments, joints = np.zeros((part.shape[1], len(surface.shares))), np.zeros((part.shape[1], len(body.joints)))
    np.add.at(segments.T, surface.segments, part)
    np.add.at(joints.T, np.array(surface.joints), part)
    return Candidate(pose, size, cost, segments, positions, to_array(posed.global_rotations)[0], joints)
