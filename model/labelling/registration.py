# SPDX-License-Identifier: GPL-3.0-or-later
"""A body found in points without names: poses of the prior in several headings, drawn to the points by soft assignments that harden.

Of a frame with N points, a body of M labels starts in poses that differ in heading and shape. In each step every label is assigned softly
to the points around it (Sinkhorn's algorithm with a slack for labels that are hidden and points that are nobody's, as in Gold et al. 1998,
New algorithms for 2D and 3D point matching), and one Gauss-Newton step moves the body to what it was assigned. The scale s of the
assignment falls from a limb's breadth to a few cm; a label's variance is s^2 and how freely it is put on. The starts with the lowest
cost go on, and the one that ends lowest is the frame's pose.

How large the body is comes out with the pose: once assignments are narrow, each step also fits the size, of all bones and marker
offsets together, that brings the labels nearest to what they are assigned. The body itself stays, and the points are shrunk instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ..core.axes import TO_Y_UP
from ..core.parallel import each
from ..core.take import Axis, FloatArray, IntArray
from ..solver.fit import POSE_WEIGHT, Terms, normal_equations, prior_terms, separate_step, upper_triangle
from ..solver.frames import joined
from ..solver.kinematics import Body, Pose, marker_jacobian, to_array
from ..solver.observations import SECONDS_APART, Observations
from ..solver.topology import ROOT_DOF
from .key_frames import KeyFrames
from .template import Template
from .tracks import OPEN

#: Scales of the assignment in metres, a step each: of all starts, and of those that go on.
WIDE_M = (0.25,) * 5 + (0.2,) * 3 + (0.16,) * 3
NARROW_M = (0.13,) * 3 + (0.1,) * 3 + (0.08,) * 3 + (0.06,) * 3 + (0.05,) * 2 + (0.04,) * 2 + (0.03,) * 3
#: A label that no point is nearer to than so many deviations is as likely to be hidden.
SLACK = 3.5
#: Sinkhorn's iterations a step: poses move on before they would have converged.
SINKHORN_STEPS = 8
#: The part of the starts that go on, and the least that do; they differ by at least this root mean square distance, in m.
KEPT, KEPT_LEAST, DISTINCT_M = 0.25, 6, 0.04
#: No joint turns farther than this in a step, in radians.
LARGEST_STEP = 0.7
#: Headings, evenly spread; poses in each of them, and how far those beside the mean one are from it, in deviations.
HEADINGS, POSES, POSE_DEVIATIONS = 8, 7, 1.5
#: What a point or a label costs that is assigned to nothing, in the units of a log-likelihood, and the scale of that cost in m.
UNASSIGNED, COST_SCALE_M = 9.0, 0.03
#: How much people differ in size, as a part of it.
SIZE_DEVIATION = 0.08
#: While the starts are chosen: cost of what nothing is near to, and scale in m.
FAR, CHOICE_SCALE_M = 6.0, 0.1
#: Key frames whose cost is more than this many times the lower quartile are not believed.
BELIEVED = 1.6
#: How far past its limit a joint may be in a cost, in radians.
LIMIT_RAD = np.radians(5.0)
#: Added to the diagonal of the normal matrix, relative and absolute.
DAMPING = (1e-4, 1e-2)
#: The kernel is as wide as this, in m: the assignment itself is robust.
WITHOUT_KERNEL_M = 1e3


@dataclass(frozen=True, eq=False)
class Registration:
    """A body in K key frames.

    Attributes:
        body: Whose poses they are.
        pose: Of K frames.
        costs: (K,) of each pose with the best assignment, in the units of a log-likelihood.
        sizes: (K,) how large it is in each, of the template.
        markers: (K, labels, 3) in metres, at that size.
    """

    body: Body
    pose: Pose
    costs: FloatArray
    sizes: FloatArray
    markers: FloatArray

    @property
    def believed(self) -> IntArray:
        """The key frames whose costs are like those of the better ones: in the others the body may be upside down, or mirrored."""
        return np.flatnonzero(self.costs <= max(BELIEVED * float(np.percentile(self.costs, 25)), float(self.costs.min())))

    @property
    def size(self) -> float:
        """In the key frames that are believed."""
        return float(np.median(self.sizes[self.believed]))


def upright(up_axis: Axis) -> FloatArray:
    """(headings, 3, 3): root rotations from the zero pose's axes (y up) to the take's, of people who stand."""
    angles = 2 * np.pi * np.arange(HEADINGS) / HEADINGS
    cos, sin, zero, one = np.cos(angles), np.sin(angles), np.zeros(HEADINGS), np.ones(HEADINGS)
    about_y = np.stack([np.stack([cos, zero, sin], -1), np.stack([zero, one, zero], -1), np.stack([-sin, zero, cos], -1)], 1)
    return TO_Y_UP[up_axis].T @ about_y


def any_way(up_axis: Axis) -> FloatArray:
    """(turns, 3, 3): root rotations of people who stand, lie on back, belly or a side, lean, or are upside down, in every heading."""
    quarter = np.pi / 2
    tilts = [(0, 0), (quarter, 0), (-quarter, 0), (0, quarter), (0, -quarter), (2 * quarter, 0), (quarter / 2, 0), (-quarter / 2, 0)]
    tilted = [_about_x(about_x) @ _about_z(about_z) for about_x, about_z in tilts]
    return np.concatenate([upright(up_axis) @ tilt for tilt in tilted])


def _about_x(angle: float) -> FloatArray:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]])


def _about_z(angle: float) -> FloatArray:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])


def usual_poses(body: Body, terms: Terms, count: int) -> Tensor:
    """(count, coordinates): the mean pose, and pairs along the directions in which poses move the markers most."""
    rest = body.rest(1)
    jacobian = marker_jacobian(body.topology, rest, body.posed(rest))[0, :, :, ROOT_DOF:].flatten(0, 1)
    covariance = torch.linalg.inv(terms.precision[ROOT_DOF:, ROOT_DOF:] / POSE_WEIGHT)
    root = torch.linalg.cholesky(covariance)
    directions = torch.linalg.svd(jacobian @ root, full_matrices=False).Vh
    poses = [rest.q[0]]
    for direction in directions[: count // 2]:
        poses += [POSE_DEVIATIONS * root @ direction, -POSE_DEVIATIONS * root @ direction]
    return torch.stack(poses[:count])


def soft_assignment(squared: Tensor, variance: Tensor) -> Tensor:
    """(frames, labels, points): how much of each label is at each point; what is missing to 1 is hidden, or nobody's.

    Args:
        squared: (frames, labels, points) distances in m^2.
        variance: (labels,) in m^2.
    """
    density = torch.exp(squared * (-0.5 / variance[:, None])) * (variance / variance.min())[:, None] ** -1.5
    slack = float(np.exp(-SLACK * SLACK / 2))
    points = torch.ones_like(density[:, 0])
    labels = torch.ones_like(density[:, :, 0])
    for _ in range(SINKHORN_STEPS):
        labels = 1 / ((density @ points[..., None])[..., 0] + slack)
        points = 1 / ((labels[:, None] @ density)[:, 0] + slack)
    return density * labels[..., None] * points[:, None]


def independent_step(body: Body, terms: Terms, pose: Pose, seen: Observations, scale_m: float = WITHOUT_KERNEL_M) -> Pose:
    """One damped Gauss-Newton step of frames that know nothing of one another."""
    band, gradient = normal_equations(body, pose, seen, terms, scale_m)
    matrix = upper_triangle(band)
    matrix.diagonal(dim1=1, dim2=2).mul_(1 + DAMPING[0]).add_(DAMPING[1])
    step = separate_step(matrix, gradient)
    farthest = step[:, 3:].abs().amax(1, keepdim=True).clamp_min(LARGEST_STEP)
    return pose.stepped(step * (LARGEST_STEP / farthest))


def squared_distances(markers: Tensor, points: Tensor) -> Tensor:
    """(frames, labels, points) in m^2, of markers (frames, labels, 3) and points (frames, points, 3)."""
    return torch.cdist(markers, points, compute_mode="donot_use_mm_for_euclid_dist") ** 2


@dataclass(frozen=True, eq=False)
class Tried:
    """Bodies that are tried on the same points.

    Attributes:
        pose: Of F bodies of the template's size.
        size: (F,) how large each is, of that.
        points: (points, 3) in metres.
        centre: (3,) about which the points are shrunk by the size.
    """

    pose: Pose
    size: Tensor
    points: Tensor
    centre: Tensor

    @property
    def shrunk(self) -> Tensor:
        """(F, points, 3): the points as bodies of the template's size see them."""
        return self.centre + (self.points - self.centre) / self.size[:, None, None]

    def grown(self, markers: Tensor) -> Tensor:
        """(F, labels, 3) in metres: markers (F, labels, 3) of the template's size at the bodies' own."""
        return self.centre + (markers - self.centre) * self.size[:, None, None]

    def by(self, growth: Tensor) -> Tried:
        """The same bodies, grown (F,)."""
        root = self.centre + (self.pose.root - self.centre) / growth[:, None]
        return replace(self, pose=Pose(root, self.pose.turn, self.pose.q), size=self.size * growth)

    def only(self, rows: list[int]) -> Tried:
        return replace(self, pose=self.pose[torch.tensor(rows)], size=self.size[rows])


#: Says, of squared distances (frames, labels, points) in m^2 and a scale in m, how much of each label is at each point, and the variances
#: (labels,) in m^2 by which that was told.
Assign = Callable[[Tensor, float], tuple[Tensor, Tensor]]


def to_labels(spread: Tensor) -> Assign:
    """The assignment of labels that are put on as freely as the spread (labels,) says, in m: each at one point at most."""

    def assign(squared: Tensor, scale_m: float) -> tuple[Tensor, Tensor]:
        variance = scale_m**2 + spread**2
        return soft_assignment(squared, variance), variance

    return assign


def annealed(body: Body, terms: Terms, tried: Tried, scales_m: tuple[float, ...], assign: Assign, *, fit_size: bool = False) -> Tried:
    """Bodies drawn to the points, one assignment and one step for each scale."""
    for scale in scales_m:
        markers, points = body.posed(tried.pose).markers, tried.shrunk
        part, variance = assign(squared_distances(markers, points), scale)
        mass = part.sum(2)
        targets, weights = (part @ points) / mass.clamp_min(1e-6)[..., None], mass / variance
        if fit_size:
            growth = _growth(markers, targets, weights, tried.size)
            tried, targets = tried.by(growth), tried.centre + (targets - tried.centre) / growth[:, None, None]
        seen = Observations(targets, weights * scale**2, SECONDS_APART, sigma_m=scale)
        tried = replace(tried, pose=independent_step(body, terms, tried.pose, seen))
    return tried


def _growth(markers: Tensor, targets: Tensor, weights: Tensor, size: Tensor) -> Tensor:
    """(F,): by how much markers (F, labels, 3) must grow to be nearest to their targets, with weights (F, labels) in 1/m^2."""
    total = weights.sum(1, keepdim=True).clamp_min(1e-6)
    here, there = (each - (weights[..., None] * each).sum(1, keepdim=True) / total[..., None] for each in (markers, targets))
    usual = size / SIZE_DEVIATION**2
    return ((weights * (here * there).sum(-1)).sum(1) + usual) / ((weights * here.square().sum(-1)).sum(1) + size * usual)


def pose_cost(terms: Terms, pose: Pose) -> Tensor:
    """(frames,): how unusual poses are, in the units of a log-likelihood."""
    usual = torch.einsum("fc,cd,fd->f", pose.q, terms.precision[ROOT_DOF:, ROOT_DOF:], pose.q) / 2
    beyond = pose.q - pose.q.clamp(terms.limits[0], terms.limits[1])
    return usual + beyond.square().sum(1) / (2 * LIMIT_RAD**2)


def assignment_costs(squared: FloatArray, spread: FloatArray) -> FloatArray:
    """(..., labels, points): minus the log-likelihood of each pair of squared distances in m^2, at most `UNASSIGNED`."""
    variance = COST_SCALE_M**2 + spread**2
    volume = 1.5 * np.log(variance / variance.min())
    return np.minimum(squared / (2 * variance[:, None]) + volume[:, None], UNASSIGNED)


def hard_cost(markers: FloatArray, points: FloatArray, spread: FloatArray) -> float:
    """Of one frame's markers (labels, 3) and points (points, 3): the best assignment's, labels and points that are left over included."""
    squared = ((markers[:, None] - points) ** 2).sum(-1)
    costs = assignment_costs(squared, spread)
    labels, at = linear_sum_assignment(costs)
    return float(costs[labels, at].sum()) + UNASSIGNED * max(0, len(points) - len(labels))


def _choice_cost(body: Body, terms: Terms, tried: Tried, spread: Tensor) -> Tensor:
    """(F,): how far labels and points are from what is nearest to them."""
    variance = CHOICE_SCALE_M**2 + spread**2
    near = (squared_distances(body.posed(tried.pose).markers, tried.shrunk) / (2 * variance[:, None])).clamp_max(FAR)
    return near.amin(2).sum(1) + near.amin(1).sum(1) + pose_cost(terms, tried.pose)


def distinct(markers: Tensor, costs: Tensor, most: int, apart_m: float = DISTINCT_M) -> list[int]:
    """The poses with the lowest costs, of markers (frames, labels, 3), that are not the same as a better one."""
    kept: list[int] = []
    for row in torch.argsort(costs).tolist():
        if len(kept) >= most:
            break
        if not kept or float(((markers[row] - markers[kept]) ** 2).sum(-1).mean(-1).min()) > apart_m**2:
            kept.append(row)
    return kept


def starts(body: Body, turns: FloatArray, poses: Tensor, centre: Tensor) -> Pose:
    """Every pose (poses, coordinates) in every root rotation (turns, 3, 3), the markers' mean at the centre (3,)."""
    count = len(turns) * len(poses)
    turn = torch.as_tensor(turns).to(poses).repeat_interleave(len(poses), 0)
    pose = Pose(poses.new_zeros(count, 3), turn, poses.repeat(len(turns), 1))
    return Pose(centre - body.posed(pose).markers.mean(1), pose.turn, pose.q)


@dataclass(frozen=True, eq=False)
class Begun:
    """Bodies in one key frame from which others begin.

    Attributes:
        pose: Of them, as `Tried` has it: of a mean size, drawn together about the middle of the frame's points.
        size: (F,) how large each is, of that.
    """

    pose: Pose
    size: Tensor


def register(template: Template, keys: KeyFrames, begin: FloatArray | Sequence[Begun], poses: int = POSES) -> Registration:
    """Find a body in each key frame by itself.

    Args:
        template: The body.
        keys: At least one frame, with at least one point.
        begin: (turns, 3, 3) root rotations to start from, or bodies of the template's joints that were found in each key frame.
        poses: How many poses to start from in each rotation.
    """
    body = Body(template.actor, template.prior.pose, torch.device("cpu"), torch.float32)
    terms = prior_terms(template.prior.pose, SECONDS_APART, torch.zeros(1))
    shapes = usual_poses(body, terms, poses)
    spread, fit_size = torch.as_tensor(template.spread, dtype=torch.float32), not template.given

    def work(key: int) -> tuple[Pose, float, float, FloatArray]:
        own = keys.points[key][keys.there[key]]
        points = torch.as_tensor(own, dtype=torch.float32)
        if isinstance(begin, np.ndarray):
            tried = _begun_in(body, terms, points, starts(body, begin, shapes, points.mean(0)), spread)
        else:
            tried = _of_size(begin[key], points, free=fit_size)
        tried = annealed(body, terms, tried, NARROW_M, to_labels(spread), fit_size=fit_size)
        markers = to_array(tried.grown(body.posed(tried.pose).markers))
        ends = to_array(pose_cost(terms, tried.pose)) + [hard_cost(each_body, own, template.spread) for each_body in markers]
        best = int(np.argmin(ends))
        return tried.pose[best : best + 1], float(ends[best]), float(tried.size[best]), markers[best]

    pose, costs, sizes, markers = zip(*each(work, range(len(keys.frames))), strict=True)
    return Registration(body, joined(list(pose)), np.array(costs), np.array(sizes), np.array(markers))


def _begun_in(body: Body, terms: Terms, points: Tensor, pose: Pose, spread: Tensor) -> Tried:
    """The most promising of bodies that start in many poses."""
    tried = Tried(pose, torch.ones(pose.frames), points, points.mean(0))
    tried = annealed(body, terms, tried, WIDE_M, to_labels(spread))
    costs = _choice_cost(body, terms, tried, spread)
    return tried.only(distinct(body.posed(tried.pose).markers, costs, max(KEPT_LEAST, int(KEPT * pose.frames))))


def _of_size(begun: Begun, points: Tensor, *, free: bool) -> Tried:
    """Bodies that were found, at their sizes or, where these are not free, at the template's."""
    tried = Tried(begun.pose, begun.size, points, points.mean(0))
    return tried if free else tried.by(1 / begun.size)


def votes(registration: Registration, keys: KeyFrames, believed: IntArray, spread: FloatArray, tracks: int) -> FloatArray:
    """(tracks, labels): the log-likelihood ratio of each label to none, summed over the key frames that are believed."""
    found = np.zeros((tracks, registration.markers.shape[1]))
    for key in believed.tolist():
        there = keys.tracks[key] != OPEN
        squared = ((registration.markers[key][:, None] - keys.points[key][there]) ** 2).sum(-1)
        found[keys.tracks[key][there]] += UNASSIGNED - 1.0 - assignment_costs(squared, spread).T
    return found
