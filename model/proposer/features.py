# SPDX-License-Identifier: GPL-3.0-or-later
"""What the network is shown: a body frame for every frame, and markers in it as a set.

Everything is batched over windows, each with an actor and a marker set of its own. Letters of shapes: B windows, T frames of a
window, K marker places (labels, padded), J joints, C coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor, nn

from ..actors.prior import Prior
from ..solver.kinematics import forward, zero_places
from ..solver.robust import kernel_weight
from ..solver.rotations import rigid_points_registration, rotmat_to_rotvec, rotvec_to_rotmat

#: Poses drawn from the pose prior to see how far a marker wanders about its place in the mean pose, and their seed.
WANDERINGS, WANDERING_SEED = 48, 5
#: A marker never wanders less than this, in m.
LEAST_WANDER_M = 0.01
#: Scales of the robust kernel of the registration, in m: a marker of the trunk that is far off must not carry the frame away.
REGISTRATION_SCALES_M = (0.3, 0.12, 0.08)
#: Lengths that make numbers of about 1 of places, residuals, offsets, spreads and steps, in m; larger ones are cut at `LARGEST`.
PLACE_M, RESIDUAL_M, OFFSET_M, SPREAD_M, STEP_M = 0.5, 0.1, 0.1, 0.02, 0.1
LARGEST = 5.0
#: Numbers per marker and frame that `Framed.features` has.
FEATURES = 22


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of actors before their markers are looked at.

    Attributes:
        bones: (B, J, 3) in metres.
        bone_spread: (B,) standard deviation of the bones' components: 1 for an unknown actor of mean build, 0 for a known actor.
        carriers: (B, K) index of the joint that carries each marker.
        offsets: (B, K, 3) in metres, from the carrier, on the zero pose's axes.
        spread: (B, K, 3) standard deviation of the offsets in metres.
    """

    bones: Tensor
    bone_spread: Tensor
    carriers: Tensor
    offsets: Tensor
    spread: Tensor

    def __getitem__(self, rows: Tensor | slice) -> Known:
        return Known(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True, eq=False)
class Framed:
    """Samples in the body frames.

    Attributes:
        turn, root: (B, T, 3, 3) and (B, T, 3): the body frame, rotation and place of the root of a body in its mean pose.
        points: (B, T, K, 3) in metres in the body frame; 0 where there is no sample.
        confidence: (B, T, K).
    """

    turn: Tensor
    root: Tensor
    points: Tensor
    confidence: Tensor

    def __getitem__(self, rows: Tensor | slice) -> Framed:
        return Framed(self.turn[rows], self.root[rows], self.points[rows], self.confidence[rows])

    def part(self, first: int, last: int) -> Framed:
        """Frames `first` to `last` - 1 of all windows."""
        return Framed(*(getattr(self, each.name)[:, first:last] for each in fields(self)))


class Figure(nn.Module):
    """The prior's hierarchy, mean pose and coordinates as buffers, and forward kinematics of many actors at once."""

    def __init__(self, prior: Prior) -> None:
        super().__init__()
        pose, actor = prior.pose, prior.actor
        self.parents = actor.parents
        covariance = np.linalg.inv(pose.precision)
        drawn = np.random.default_rng(WANDERING_SEED).multivariate_normal(np.zeros(len(covariance)), covariance, size=WANDERINGS)
        for name, values in (
            ("mean", pose.mean_rotations),
            ("axes", pose.axes),
            ("deviation", np.sqrt(np.diag(covariance))),
            ("bone_mean", actor.bone_mean),
            ("bone_basis", actor.bone_basis),
            ("drawn", drawn),
        ):
            self.register_buffer(name, torch.as_tensor(values, dtype=torch.float32), persistent=False)
        self.register_buffer("of", torch.as_tensor(pose.joints_of, dtype=torch.long), persistent=False)
        places, global_rotations = self.forward(torch.zeros(1, len(covariance)), self.bone_mean[None])
        self.register_buffer("still_global_rotations", global_rotations[0], persistent=False)
        places, global_rotations = self.forward(self.drawn, self.bone_mean[None].expand(WANDERINGS, -1, -1))
        self.register_buffer("drawn_places", places, persistent=False)
        self.register_buffer("drawn_global_rotations", global_rotations, persistent=False)

    mean: Tensor
    axes: Tensor
    deviation: Tensor
    bone_mean: Tensor
    bone_basis: Tensor
    drawn: Tensor
    of: Tensor
    still_global_rotations: Tensor
    drawn_places: Tensor
    drawn_global_rotations: Tensor

    @property
    def joints(self) -> int:
        return len(self.parents)

    @property
    def coordinates(self) -> int:
        return len(self.of)

    def forward(self, q: Tensor, bones: Tensor) -> tuple[Tensor, Tensor]:
        """Joint places (N, J, 3) and global rotations (N, J, 3, 3) in the root's frame, of q (N, C) and bones (N, J, 3)."""
        u = q.new_zeros(len(q), self.joints, 3).index_add_(1, self.of, q[..., None] * self.axes)
        local = self.mean @ rotvec_to_rotmat(u)
        local[:, 0] = torch.eye(3)
        return forward(local, q.new_zeros(len(q), 3), self.joint_offsets(bones), self.parents)

    def joint_offsets(self, bones: Tensor) -> Tensor:
        """Where each joint sits in its parent's frame (N, J, 3), of bones (N, J, 3)."""
        offsets = bones[:, list(self.parents)]
        offsets[:, 0] = 0.0
        return offsets

    def coordinates_of(self, local: Tensor) -> Tensor:
        """q (..., C) of local rotations (..., J, 3, 3): what of a rotation has no coordinate is dropped."""
        u = rotmat_to_rotvec(self.mean.transpose(1, 2) @ local)
        return (u[..., self.of, :] * self.axes).sum(-1)

    def template(self, known: Known) -> Tensor:
        """Markers (B, K, 3) of the mean pose."""
        zero = known.bones.new_zeros(len(known.bones), self.coordinates)
        places, global_rotations = self(zero, known.bones)
        return markers_of(places, global_rotations, known.carriers, known.offsets)

    def zero_places(self, known: Known) -> Tensor:
        """Markers (B, K, 3) of the zero pose, in which all bones lie on the same axes."""
        return picked(zero_places(self.joint_offsets(known.bones), self.parents), known.carriers) + known.offsets

    def wander(self, known: Known, template: Tensor) -> Tensor:
        """(B, K) in metres: how far the pose prior lets each marker go from its place in the mean pose."""
        places, global_rotations = self.drawn_places, self.drawn_global_rotations
        moved = places[:, known.carriers] + (global_rotations[:, known.carriers] @ known.offsets[..., None])[..., 0]
        return ((moved - template) ** 2).sum(-1).mean(0).sqrt().clamp_min(LEAST_WANDER_M)


def markers_of(places: Tensor, global_rotations: Tensor, carriers: Tensor, offsets: Tensor) -> Tensor:
    """Markers (N, K, 3) on joints (N, J, 3) and (N, J, 3, 3), their carriers (N, K) and offsets (N, K, 3)."""
    return picked(places, carriers) + (picked(global_rotations, carriers) @ offsets[..., None])[..., 0]


def picked(values: Tensor, rows: Tensor) -> Tensor:
    """values (N, J, ...) at rows (N, K)."""
    return values[torch.arange(len(rows), device=rows.device)[:, None], rows]


def into_frames(figure: Figure, known: Known, points: Tensor, confidence: Tensor) -> Framed:
    """Lay a body of mean pose into every frame and give the samples in its axes.

    A marker's say falls with how far it wanders in the poses of people, so the trunk decides where it is seen; one that fits
    none of the others loses it.

    Args:
        figure: The prior's.
        known: Of B actors.
        points: (B, T, K, 3) in metres; any finite number where the confidence is 0.
        confidence: (B, T, K).
    """
    template = figure.template(known)
    steady = (figure.wander(known, template) ** -4)[:, None]
    target = template[:, None].expand_as(points)
    weights = confidence * steady
    weights = (weights / weights.amax(-1, keepdim=True).clamp_min(1e-9)).clamp_min(1e-9)
    base = weights
    turn, root = rigid_points_registration(target, points, weights)
    for scale in REGISTRATION_SCALES_M:
        away = ((target @ turn.transpose(-1, -2) + root[..., None, :] - points) ** 2).sum(-1)
        # a marker that wanders is allowed its way
        s2 = scale**2 + 1 / steady.sqrt()
        turn, root = rigid_points_registration(target, points, base * kernel_weight(away, s2))
    inside = (points - root[..., None, :]) @ turn
    return Framed(turn, root, torch.where(confidence[..., None] > 0, inside, 0.0), confidence)


def token_features(figure: Figure, known: Known, framed: Framed) -> Tensor:
    """(B, T, K, FEATURES): seen, confidence, place, change from and to the neighbouring frames, expected place, offset, spread."""
    points, confidence = framed.points, framed.confidence
    seen = (confidence > 0).to(points.dtype)
    world = points @ framed.turn.transpose(-1, -2) + framed.root[..., None, :]
    step = world[:, 1:] - world[:, :-1]
    both = seen[:, 1:] * seen[:, :-1]
    step = step * both[..., None]
    none, nothing = torch.zeros_like(points[:, :1]), torch.zeros_like(seen[:, :1])
    before, after = torch.cat([none, step], 1) @ framed.turn, torch.cat([step, none], 1) @ framed.turn
    fixed = torch.cat([figure.zero_places(known) / PLACE_M, known.offsets / OFFSET_M, known.spread / SPREAD_M], -1)
    moving = [
        seen[..., None],
        confidence[..., None],
        points / PLACE_M,
        before / STEP_M,
        after / STEP_M,
        torch.cat([nothing, both], 1)[..., None],
        torch.cat([both, nothing], 1)[..., None],
        fixed[:, None].expand(-1, points.shape[1], -1, -1),
    ]
    return torch.cat(moving, -1).clamp(-LARGEST, LARGEST)
