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

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ..core.axes import TO_Y_UP
from ..core.parallel import each
from ..core.progress import Progress, Steps
from ..core.take import Axis, FloatArray, IntArray
from ..solver.fit import Terms
from ..solver.frames import joined
from ..solver.kinematics import Body, Pose, to_array
from .annealing import Assign, Tried, annealed, at_once, begun_everywhere, pose_cost, pose_terms, tried_on, usual_poses
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
#: The part of the starts that go on, and the least that do.
KEPT, KEPT_LEAST = 0.25, 6
#: Headings, evenly spread, and poses in each of them.
HEADINGS, POSES = 8, 7
#: What a point or a label costs that is assigned to nothing, in the units of a log-likelihood, and the scale of that cost in m.
UNASSIGNED, COST_SCALE_M = 9.0, 0.03
#: While the starts are chosen: cost of what nothing is near to, and scale in m.
FAR, CHOICE_SCALE_M = 6.0, 0.1
#: Key frames whose cost is more than this many times the lower quartile are not believed.
BELIEVED = 1.6


@dataclass(frozen=True, eq=False)
class Registration:
    """A body in K key frames.

    Attributes:
        costs: (K,) of each pose with the best assignment, in the units of a log-likelihood.
        sizes: (K,) how large it is in each, of the template.
        markers: (K, labels, 3) in metres, at that size.
    """

    costs: FloatArray
    sizes: FloatArray
    markers: FloatArray

    @property
    def believed(self) -> IntArray:
        """The key frames whose costs are like those of the better ones: in the others the body may be upside down, or mirrored."""
        return np.flatnonzero(self.costs <= max(BELIEVED * float(np.percentile(self.costs, 25)), float(self.costs.min())))

    @property
    def most_believed(self) -> float:
        """The highest cost of a key frame that is believed."""
        return float(self.costs[self.believed].max())

    @property
    def size(self) -> float:
        """In the key frames that are believed."""
        return float(np.median(self.sizes[self.believed]))

    def where_cheaper(self, other: Registration) -> Registration:
        """Of each key frame the body that costs less, this or another."""
        less = other.costs < self.costs
        pairs = (self.costs, other.costs), (self.sizes, other.sizes), (self.markers, other.markers)
        return Registration(*(np.where(less.reshape(-1, *(1,) * (own.ndim - 1)), others, own) for own, others in pairs))

    def shrunk(self, size: float) -> Registration:
        """The same of key frames whose points are shrunk by a size."""
        return replace(self, sizes=self.sizes / size, markers=self.markers / size)


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


def to_labels(spread: Tensor) -> Assign:
    """The assignment of labels that are put on as freely as the spread (labels,) says, in m: each at one point at most."""

    def assign(squared: Tensor, _there: Tensor, scale_m: float) -> tuple[Tensor, Tensor]:
        variance = scale_m**2 + spread**2
        return soft_assignment(squared, variance), variance

    return assign


def assignment_costs(squared: FloatArray, spread: FloatArray) -> FloatArray:
    """(..., labels, points): minus the log-likelihood of each pair of squared distances in m^2, at most `UNASSIGNED`."""
    variance = COST_SCALE_M**2 + spread**2
    volume = 1.5 * np.log(variance / variance.min())
    return np.minimum(squared / (2 * variance[:, None]) + volume[:, None], UNASSIGNED)


def hard_cost(markers: FloatArray, points: FloatArray, spread: FloatArray) -> float:
    """Of one frame's markers (labels, 3) and points (points, 3): the best assignment's, labels and points that are left over included."""
    return hard_assignment(markers, points, spread)[1]


def hard_assignment(markers: FloatArray, points: FloatArray, spread: FloatArray) -> tuple[IntArray, float]:
    """(points,) the label of each of one frame's points, `OPEN` where none is near; and the cost, see `hard_cost`."""
    squared = ((markers[:, None] - points) ** 2).sum(-1)
    costs = assignment_costs(squared, spread)
    labels, at = linear_sum_assignment(costs)
    own = costs[labels, at]
    given = np.full(len(points), OPEN)
    given[at] = np.where(own < UNASSIGNED, labels, OPEN)
    return given, float(own.sum()) + UNASSIGNED * max(0, len(points) - len(labels))


@dataclass(frozen=True, eq=False)
class Begun:
    """Bodies in one key frame from which others begin.

    Attributes:
        pose: Of them, as `Tried` has it: of a mean size, drawn together about the middle of the frame's points.
        size: (F,) how large each is, of that.
    """

    pose: Pose
    size: Tensor


def register(
    template: Template, keys: KeyFrames, begin: FloatArray | Sequence[Begun], poses: int = POSES, progress: Progress | None = None
) -> Registration:
    """Find a body in each key frame by itself.

    Args:
        template: The body.
        keys: At least one frame, each with at least one point.
        begin: (turns, 3, 3) root rotations to start from, or bodies of the template's joints that were found in each key frame.
        poses: How many poses to start from in each rotation.
        progress: Called with the part that is done.
    """
    body = Body(template.actor, template.prior.pose, torch.device("cpu"), torch.float32)
    terms = pose_terms(template.prior.pose)
    shapes, spread = usual_poses(body, terms, poses), torch.as_tensor(template.spread, dtype=torch.float32)

    def work(part: slice) -> list[tuple[float, float, FloatArray]]:
        own = keys.only(part)
        if isinstance(begin, np.ndarray):
            tried = _begun_in(body, terms, own, begin, shapes, spread)
        else:
            tried = _of_size(own, begin[part], free=not template.given)
        tried = annealed(body, terms, tried, NARROW_M, to_labels(spread), fit_size=not template.given)
        best = _best_of(body, terms, tried, own, template.spread)
        steps.done()
        return best

    bodies = len(begin) * len(shapes) if isinstance(begin, np.ndarray) else max(len(each.size) for each in begin)
    parts = at_once(keys, bodies, len(template.labels))
    steps = Steps(progress, len(parts))
    found = [best for part in each(work, parts) for best in part]
    return Registration(*(np.array(values) for values in zip(*found, strict=True)))


def _begun_in(body: Body, terms: Terms, keys: KeyFrames, turns: FloatArray, shapes: Tensor, spread: Tensor) -> Tried:
    """The most promising of bodies that start in every shape and root rotation (turns, 3, 3)."""
    tried = annealed(body, terms, begun_everywhere(body, keys, turns, shapes), WIDE_M, to_labels(spread))
    markers = body.posed(tried.pose).markers
    most = max(KEPT_LEAST, int(KEPT * len(turns) * len(shapes)))
    return tried.only(chain.from_iterable(tried.best(markers, _choice_cost(terms, tried, markers, spread), most)))


def _of_size(keys: KeyFrames, begun: Sequence[Begun], *, free: bool) -> Tried:
    """Bodies that were found in each key frame, at their sizes or, where these are not free, at the template's."""
    of = torch.arange(len(begun)).repeat_interleave(torch.tensor([len(each.size) for each in begun]))
    tried = tried_on(keys, joined([each.pose for each in begun]), of, torch.cat([each.size for each in begun]))
    return tried if free else tried.by(1 / tried.size)


def _choice_cost(terms: Terms, tried: Tried, markers: Tensor, spread: Tensor) -> Tensor:
    """(F,): how far labels and points are from what is nearest to them, of markers (F, labels, 3)."""
    variance = CHOICE_SCALE_M**2 + spread**2
    near = (tried.squared_distances(markers, tried.shrunk) / (2 * variance[:, None])).clamp_max(FAR)
    return near.amin(2).sum(1) + (near.amin(1) * tried.there).sum(1) + pose_cost(terms, tried.pose)


def _best_of(body: Body, terms: Terms, tried: Tried, keys: KeyFrames, spread: FloatArray) -> list[tuple[float, float, FloatArray]]:
    """The body that ends lowest in each key frame: its cost and size, and its markers (labels, 3) in metres."""
    own, usual = body.posed(tried.pose).markers, to_array(pose_cost(terms, tried.pose))
    markers, shrunk, grown = to_array(own), to_array(tried.shrunk), to_array(tried.grown(own))
    found = []
    for key, rows in enumerate(tried.of_keys()):
        there = keys.there[key]
        # at the template's size: else small bodies cost less
        ends = [float(usual[row]) + hard_cost(markers[row], shrunk[row][there], spread) for row in rows]
        best = rows[int(np.argmin(ends))]
        found.append((min(ends), float(tried.size[best]), grown[best]))
    return found


def votes(registration: Registration, keys: KeyFrames, believed: IntArray, spread: FloatArray, tracks: int) -> FloatArray:
    """(tracks, labels): the log-likelihood ratio of each label to none, summed over the key frames that are believed."""
    found = np.zeros((tracks, registration.markers.shape[1]))
    for key in believed.tolist():
        there = keys.tracks[key] != OPEN
        squared = ((registration.markers[key][:, None] - keys.points[key][there]) ** 2).sum(-1)
        found[keys.tracks[key][there]] += UNASSIGNED - 1.0 - assignment_costs(squared, spread).T
    return found
