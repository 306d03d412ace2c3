# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies drawn from the prior, and motions of the mean person, for the tests of synthetic markers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from model.actors.prior import Prior, bundled
from model.core.motion import Motion
from model.core.rotations import unitquat_to_rotmat
from model.core.skeleton import CMU_JOINTS
from model.synthetic.bodies import Bodies, draw_bodies
from model.synthetic.markers import (
    RATE_HZ,
)

JOINT = {name: row for row, name in enumerate(CMU_JOINTS)}


def standing(frames: int, rate_hz: float = RATE_HZ) -> Motion:
    """The mean person in the mean pose on the ASF's axes, hips at 0.9 m."""
    prior = bundled()
    rotations = np.repeat(prior.pose.mean_rotations[None], frames, axis=0)
    rotations[:, 0] = np.eye(3)
    return Motion(prior.mean_actor().skeleton, rotations, np.tile([0.0, 0.9, 0.0], (frames, 1)), rate_hz)


def rotated(motion: Motion, joint: str, degrees: Sequence[float] | np.ndarray, axis: str = "x") -> Motion:
    """A motion whose joint turns further, by an angle in each frame."""
    rotations = motion.rotations.copy()
    further = Rotation.from_euler(axis, np.asarray(degrees)[:, None], degrees=True).as_matrix()
    rotations[:, JOINT[joint]] = rotations[:, JOINT[joint]] @ further
    return replace(motion, rotations=rotations)


def bodies_of(prior: Prior, count: int, seed: int = 0) -> Bodies:
    return draw_bodies(prior.actor, count, np.random.default_rng(seed))


def mean_bodies(prior: Prior, count: int, size: float = 1.0) -> Bodies:
    """People of mean build, larger or smaller, without soft tissue."""
    bodies = bodies_of(prior, count)
    bones = np.repeat(prior.actor.bone_mean[None] * size, count, axis=0)
    return replace(bodies, bones=bones, skin=np.zeros_like(bodies.skin))


def random_pose(count: int, frames: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    random = np.random.default_rng(seed)
    local = unitquat_to_rotmat(random.normal(size=(count, frames, len(CMU_JOINTS), 4)))
    return torch.from_numpy(local).float(), torch.from_numpy(random.normal(size=(count, frames, 3))).float()
