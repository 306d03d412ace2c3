# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies that are tried on the points of key frames, and drawn to them by soft assignments that harden; see `registration.py`.

Most of a step's time is how often torch is called, so that all bodies of some key frames are moved at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..actors.prior import PosePrior
from ..core.take import FloatArray
from ..solver.fit import POSE_WEIGHT, Terms, normal_equations, prior_terms, separate_step, upper_triangle
from ..solver.frames import joined
from ..solver.kinematics import Body, Pose, marker_jacobian
from ..solver.observations import SECONDS_APART, Observations
from ..solver.topology import ROOT_DOF
from .key_frames import KeyFrames

#: Key frames whose bodies are moved at once, and distances of labels from points that they have together, at most, unless those of a single
#: key frame are more: they are to stay in a core's cache.
KEYS_AT_ONCE, DISTANCES_AT_ONCE = 8, 800_000
#: No joint turns farther than this in a step, in radians.
LARGEST_STEP = 0.7
#: How far the poses beside the mean one are from it, in deviations.
POSE_DEVIATIONS = 1.5
#: How much people differ in size, as a part of it.
SIZE_DEVIATION = 0.08
#: How far past its limit a joint may be in a cost, in radians.
LIMIT_RAD = np.radians(5.0)
#: Bodies of a key frame that go on differ by at least this root mean square distance, in m.
DISTINCT_M = 0.04
#: Added to the diagonal of the normal matrix, relative and absolute.
DAMPING = (1e-4, 1e-2)
#: The kernel is as wide as this, in m: the assignment itself is robust.
WITHOUT_KERNEL_M = 1e3
#: The square of how far away points are that a key frame does not have, in m^2: nothing is ever assigned to them.
NOWHERE_M2 = 1e6


@dataclass(frozen=True, eq=False)
class Tried:
    """F bodies that are tried on the points of key frames; those of the same key frame stand one behind the other.

    Attributes:
        pose: Of F bodies of the template's size.
        size: (F,) how large each is, of that.
        keys: (F,) index of its key frame.
        points: (F, points, 3) in metres.
        there: (F, points) whether its key frame has such a point.
        centre: (F, 3) about which its points are shrunk by the size.
    """

    pose: Pose
    size: Tensor
    keys: Tensor
    points: Tensor
    there: Tensor
    centre: Tensor

    @property
    def shrunk(self) -> Tensor:
        """(F, points, 3): the points as bodies of the template's size see them."""
        return self.centre[:, None] + (self.points - self.centre[:, None]) / self.size[:, None, None]

    def grown(self, markers: Tensor) -> Tensor:
        """(F, labels, 3) in metres: markers (F, labels, 3) of the template's size at the bodies' own."""
        return self.centre[:, None] + (markers - self.centre[:, None]) * self.size[:, None, None]

    def squared_distances(self, markers: Tensor, points: Tensor) -> Tensor:
        """(F, labels, points) in m^2, of markers (F, labels, 3) from points (F, points, 3): those that are not there are far off."""
        squared = torch.cdist(markers, points, compute_mode="donot_use_mm_for_euclid_dist") ** 2
        return squared.masked_fill(~self.there[:, None], NOWHERE_M2)

    def by(self, growth: Tensor) -> Tried:
        """The same bodies, grown (F,)."""
        root = self.centre + (self.pose.root - self.centre) / growth[:, None]
        return replace(self, pose=Pose(root, self.pose.turn, self.pose.q), size=self.size * growth)

    def only(self, rows: Iterable[int]) -> Tried:
        """Some of the bodies."""
        kept = torch.tensor(list(rows))
        size, keys, points, there, centre = (part[kept] for part in (self.size, self.keys, self.points, self.there, self.centre))
        return Tried(self.pose[kept], size, keys, points, there, centre)

    def of_keys(self) -> list[list[int]]:
        """Rows of the bodies of each key frame."""
        keys = self.keys.tolist()
        return [[row for row, own in enumerate(keys) if own == key] for key in dict.fromkeys(keys)]

    def best(self, markers: Tensor, costs: Tensor, most: int, apart_m: float = DISTINCT_M) -> list[list[int]]:
        """Of each key frame the rows of the bodies with the lowest costs that are not the same as a better one, the best first.

        Args:
            markers: (F, labels, 3) in metres.
            costs: (F,).
            most: Of a key frame.
            apart_m: How much they differ at least, root mean square.
        """
        return [[rows[one] for one in distinct(markers[rows], costs[rows], most, apart_m)] for rows in self.of_keys()]


def tried_on(keys: KeyFrames, pose: Pose, of: Tensor, size: Tensor) -> Tried:
    """Bodies as they are tried first.

    Args:
        keys: The key frames.
        pose: Of F bodies of the template's size.
        of: (F,) index of each one's key frame, ascending.
        size: (F,) of the template's.
    """
    points, there = torch.as_tensor(keys.points, dtype=torch.float32), torch.as_tensor(keys.there)
    return Tried(pose, size, of, points[of], there[of], middles(keys)[of])


def middles(keys: KeyFrames) -> Tensor:
    """(K, 3) in metres: the mean of each key frame's points."""
    means = [points[there].mean(axis=0) for points, there in zip(keys.points, keys.there, strict=True)]
    return torch.as_tensor(np.array(means), dtype=torch.float32)


def begun_everywhere(body: Body, keys: KeyFrames, turns: FloatArray, shapes: Tensor) -> Tried:
    """In each key frame every shape (shapes, coordinates) in every root rotation (turns, 3, 3), the markers' mean amid the points."""
    count, frames = len(turns) * len(shapes), len(keys.frames)
    turn = torch.as_tensor(turns).to(shapes).repeat_interleave(len(shapes), 0)
    pose = Pose(shapes.new_zeros(count, 3), turn, shapes.repeat(len(turns), 1))
    away = body.posed(pose).markers.mean(1)
    of = torch.arange(frames).repeat_interleave(count)
    everywhere = Pose(middles(keys)[of] - away.repeat(frames, 1), pose.turn.repeat(frames, 1, 1), pose.q.repeat(frames, 1))
    return tried_on(keys, everywhere, of, torch.ones(len(of)))


def at_once(keys: KeyFrames, bodies: int, labels: int) -> list[slice]:
    """The key frames in parts whose bodies, so many with so many labels in each, are moved at once.

    They are not divided for the sake of threads: small steps in two threads wait for Python's lock longer than they compute.
    """
    count, points = keys.points.shape[:2]
    step = max(1, min(KEYS_AT_ONCE, DISTANCES_AT_ONCE // (bodies * labels * points)))
    return [slice(first, min(first + step, count)) for first in range(0, count, step)]


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


def in_shapes(poses: Pose, shapes: Tensor) -> Pose:
    """Some poses, then each of them in other shapes (shapes, coordinates), its root as it is."""
    count = len(shapes)
    others = Pose(poses.root.repeat_interleave(count, 0), poses.turn.repeat_interleave(count, 0), shapes.repeat(poses.frames, 1))
    return joined([poses, others])


def independent_step(body: Body, terms: Terms, pose: Pose, seen: Observations, scale_m: float = WITHOUT_KERNEL_M) -> Pose:
    """One damped Gauss-Newton step of frames that know nothing of one another."""
    band, gradient = normal_equations(body, pose, seen, terms, scale_m)
    matrix = upper_triangle(band)
    matrix.diagonal(dim1=1, dim2=2).mul_(1 + DAMPING[0]).add_(DAMPING[1])
    step = separate_step(matrix, gradient)
    farthest = step[:, 3:].abs().amax(1, keepdim=True).clamp_min(LARGEST_STEP)
    return pose.stepped(step * (LARGEST_STEP / farthest))


#: Says, of squared distances (F, labels, points) in m^2, whether points are there (F, points) and a scale in m, how much of each label is
#: at each point, and the variances (labels,) in m^2 by which that was told.
Assign = Callable[[Tensor, Tensor, float], tuple[Tensor, Tensor]]


def annealed(body: Body, terms: Terms, tried: Tried, scales_m: tuple[float, ...], assign: Assign, *, fit_size: bool = False) -> Tried:
    """Bodies drawn to the points, one assignment and one step for each scale."""
    for scale in scales_m:
        markers, points = body.posed(tried.pose).markers, tried.shrunk
        part, variance = assign(tried.squared_distances(markers, points), tried.there, scale)
        mass = part.sum(2)
        targets, weights = (part @ points) / mass.clamp_min(1e-6)[..., None], mass / variance
        if fit_size:
            growth = _growth(markers, targets, weights, tried.size)
            centre = tried.centre[:, None]
            tried, targets = tried.by(growth), centre + (targets - centre) / growth[:, None, None]
        seen = Observations(targets, weights * scale**2, SECONDS_APART, sigma_m=scale)
        tried = replace(tried, pose=independent_step(body, terms, tried.pose, seen))
    return tried


def _growth(markers: Tensor, targets: Tensor, weights: Tensor, size: Tensor) -> Tensor:
    """(F,): by how much markers (F, labels, 3) must grow to be nearest to their targets, with weights (F, labels) in 1/m^2."""
    total = weights.sum(1, keepdim=True).clamp_min(1e-6)
    here, there = (each - (weights[..., None] * each).sum(1, keepdim=True) / total[..., None] for each in (markers, targets))
    usual = size / SIZE_DEVIATION**2
    return ((weights * (here * there).sum(-1)).sum(1) + usual) / ((weights * here.square().sum(-1)).sum(1) + size * usual)


def pose_terms(prior: PosePrior) -> Terms:
    """The prior of poses that know nothing of one another."""
    return prior_terms(prior, SECONDS_APART, torch.zeros(1))


def pose_cost(terms: Terms, pose: Pose) -> Tensor:
    """(frames,): how unusual poses are, in the units of a log-likelihood."""
    usual = torch.einsum("fc,cd,fd->f", pose.q, terms.precision[ROOT_DOF:, ROOT_DOF:], pose.q) / 2
    beyond = pose.q - pose.q.clamp(terms.limits[0], terms.limits[1])
    return usual + beyond.square().sum(1) / (2 * LIMIT_RAD**2)


def distinct(markers: Tensor, costs: Tensor, most: int, apart_m: float = DISTINCT_M) -> list[int]:
    """The poses with the lowest costs, of markers (frames, labels, 3), that are not the same as a better one."""
    kept: list[int] = []
    for row in torch.argsort(costs).tolist():
        if len(kept) >= most:
            break
        if not kept or float(((markers[row] - markers[kept]) ** 2).sum(-1).mean(-1).min()) > apart_m**2:
            kept.append(row)
    return kept
