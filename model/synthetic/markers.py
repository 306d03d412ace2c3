# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers out of motion: windows of recorded motion, varied, and where a synthetic actor's markers are in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import cast

import numpy as np
import roma
import torch
from scipy.interpolate import CubicSpline
from torch import Tensor

from ..core.motion import FASTEST_RAD, Motion
from ..core.rigid import quaternions
from ..core.skeleton import mirrored_joints
from ..core.take import FloatArray
from ..datasets.motion_library import read_split
from ..datasets.splits import Split
from ..files.asf_amc import ASF_TO_C3D
from ..solver.kinematics import forward
from .bodies import SLIDING_HZ, SLIDING_M, Bodies

#: The rate that windows are played at unless told otherwise, in Hz.
RATE_HZ = 120.0
#: How much slower and faster than recorded a window may play.
SLOWEST, FASTEST = 0.8, 1.25
#: Frames that a part of a clip between two flips must have.
LEAST_PART = 60
#: Joints whose angles are noisy everywhere, by the end of their names.
SMALL = ("ToeBase", "FingerBase", "HandIndex1", "Thumb")
#: Where in the room a window begins, in m from its origin along each axis of the floor.
ROOM_M = 1.5


@dataclass(frozen=True, eq=False)
class Footage:
    """Recorded motion in one piece, z up, ready to be cut.

    Attributes:
        rotations: (frames, joints, 4) local quaternions w x y z whose sign does not flip within a clip.
        root: (frames, 3) in metres.
        starts, lengths: (clips,) of each clip in frames.
        rates_hz: (clips,).
        legs: (clips,) length of a leg in metres.
        chances: (clips,) how often a window is cut from each; they sum to 1.
        mirrored: For each joint the index of its other side.
    """

    rotations: Tensor
    root: Tensor
    starts: FloatArray
    lengths: FloatArray
    rates_hz: FloatArray
    legs: FloatArray
    chances: FloatArray
    mirrored: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of motion of synthetic actors, z up.

    Attributes:
        local: (windows, frames, joints, 3, 3) local rotations, the root's in the world.
        root: (windows, frames, 3) in metres.
        offsets: (windows, joints, 3) in metres: where each joint sits in its parent's frame.
        markers: (windows, frames, labels, 3) in metres: where the markers truly are.
    """

    local: Tensor
    root: Tensor
    offsets: Tensor
    markers: Tensor


def gather_footage(motions: Sequence[Motion], subjects: Sequence[str]) -> Footage:
    """Put clips on the CMU hierarchy (on the ASF's axes) into one piece.

    A subject of many frames is cut from more often than one of few, but with the square root of their ratio only. Where a
    file's angles flip, the clip is parted, and short parts between flips are left out: their poses are wrong.
    """
    parts = [(part, subject) for motion, subject in zip(motions, subjects, strict=True) for part in sound_parts(motion)]
    upright, subjects = [part.on_axes(ASF_TO_C3D) for part, _ in parts], [subject for _, subject in parts]
    lengths = np.array([motion.frames for motion in upright])
    frames_of = {subject: sum(lengths[i] for i, s in enumerate(subjects) if s == subject) for subject in set(subjects)}
    chances = np.array([length / np.sqrt(frames_of[subject]) for length, subject in zip(lengths, subjects, strict=True)])
    return Footage(
        torch.cat([to_tensor(quaternions(motion.rotations)) for motion in upright]),
        torch.from_numpy(np.concatenate([motion.root for motion in upright]).astype(np.float32)),
        np.concatenate([[0], np.cumsum(lengths)[:-1]]),
        lengths,
        np.array([motion.rate_hz for motion in upright]),
        np.array([leg_length(motion.skeleton.bones, motion.skeleton.joints) for motion in upright]),
        chances / chances.sum(),
        tuple(mirrored_joints()),
    )


@lru_cache(maxsize=4)
def footage_of(splits: tuple[str, ...]) -> Footage:
    """All motion of some splits, ready to be cut."""
    clips = [clip for split in splits for clip in read_split(cast(Split, split))]
    return gather_footage([clip.motion for clip in clips], [clip.subject for clip in clips])


def sound_parts(motion: Motion) -> list[Motion]:
    """The parts of a clip on the CMU hierarchy in which no joint turns faster than anybody can; toes and fingers may."""
    major = [joint for joint, name in enumerate(motion.skeleton.joints) if not name.endswith(SMALL)]
    global_rotations = motion.rotations[:, major]
    # of the step from frame to frame the trace says the angle: tr = 1 + 2 cos
    cosine = (np.einsum("fjik,fjik->fj", global_rotations[:-1], global_rotations[1:]) - 1.0) / 2.0
    flips = np.flatnonzero((cosine < np.cos(FASTEST_RAD / motion.rate_hz)).any(axis=1)) + 1
    edges = [0, *flips.tolist(), motion.frames]
    whole = [slice(a, b) for a, b in pairwise(edges) if b - a >= min(LEAST_PART, motion.frames)]
    return [replace(motion, rotations=motion.rotations[part], root=motion.root[part]) for part in whole]


def leg_length(bones: FloatArray, joints: tuple[str, ...]) -> float:
    """From hip to ankle in metres, along the bones (joints, 3)."""
    legs = [joints.index(name) for name in ("LeftUpLeg", "LeftLeg", "RightUpLeg", "RightLeg")]
    return float(np.linalg.norm(bones[legs], axis=-1).sum() / 2)


def cut_windows(footage: Footage, bodies: Bodies, frames: int, random: np.random.Generator, rate_hz: float = RATE_HZ) -> Windows:
    """Cut one window for each body: any clip, any moment, mirrored or not, any heading, any speed near the recorded one."""
    count = len(bodies.bones)
    clips = random.choice(len(footage.starts), size=count, p=footage.chances)
    speeds = random.uniform(SLOWEST, FASTEST, count) * footage.rates_hz[clips] / rate_hz
    last = footage.lengths[clips] - 1
    # a clip shorter than the window plays slower
    speeds = np.minimum(speeds, last / max(1, frames - 1))
    begins = random.uniform(0, 1, count) * (last - speeds * (frames - 1))
    moments = begins[:, None] + speeds[:, None] * np.arange(frames)
    rotations, root = _at(footage, torch.from_numpy(footage.starts[clips])[:, None], torch.from_numpy(moments), torch.from_numpy(last))
    rotations, root = _mirror(rotations, root, torch.from_numpy(random.random(count) < 0.5), footage.mirrored)
    joints = bodies.joints
    legs = np.array([leg_length(bones, joints) for bones in bodies.bones]) / footage.legs[clips]
    root = root * to_tensor(legs)[:, None, None]
    local, root = _place(roma.unitquat_to_rotmat(rotations[..., [1, 2, 3, 0]]), root, random)
    return marked(local, root, bodies, random, rate_hz=rate_hz)


def marked(
    local: Tensor, root: Tensor, bodies: Bodies, random: np.random.Generator, soft: float = 1.0, rate_hz: float = RATE_HZ
) -> Windows:
    """Markers of bodies in motion, which skin lets slide.

    Args:
        local: (bodies, frames, joints, 3, 3).
        root: (bodies, frames, 3) in metres.
        bodies: One for each window.
        random: Decides the sliding.
        soft: How soft the tissue is: 1 as people are, 0 for markers screwed to the bone.
        rate_hz: Frames per second.
    """
    count, frames = root.shape[:2]
    bones = to_tensor(bodies.bones)
    parents = torch.tensor(bodies.parents)
    offsets = torch.where((parents < 0)[:, None], 0.0, bones[:, parents])
    positions, global_rotations = forward(local, root, offsets[:, None], bodies.parents)
    carriers = list(bodies.carriers)
    places = to_tensor(bodies.offsets)[:, None] + soft * to_tensor(_sliding(count, len(carriers), frames, rate_hz, random))
    # of a rotation by the vector u the skew part is u sin|u| / |u|, which is u as long as skin is elastic
    bend = _bend(local)
    bend[:, :, 0] = 0.0  # the root turns with the person, not under the skin
    bend = bend[:, :, carriers]
    places = places + soft * (to_tensor(bodies.skin)[:, None] @ bend[..., None])[..., 0]
    markers = positions[:, :, carriers] + (global_rotations[:, :, carriers] @ places[..., None])[..., 0]
    return Windows(local, root, offsets, markers)


def _at(footage: Footage, starts: Tensor, moments: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
    """Rotations and root between frames, by normalised linear interpolation: frames are near."""
    before = torch.minimum(moments.long(), (last - 1).clamp(min=0)[:, None])
    part = (moments - before).float()
    here, there = starts + before, starts + torch.minimum(before + 1, last[:, None])
    rotations = torch.lerp(footage.rotations[here], footage.rotations[there], part[..., None, None])
    root = torch.lerp(footage.root[here], footage.root[there], part[..., None])
    return torch.nn.functional.normalize(rotations, dim=-1), root


def _mirror(rotations: Tensor, root: Tensor, which: Tensor, mirrored: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Left for right. The root's rotation R of the zero pose's axes becomes S R S0, S the world's mirror and S0 the zero pose's."""
    other = rotations[:, :, list(mirrored)] * rotations.new_tensor([1.0, 1.0, -1.0, -1.0])
    # ASF axes x y z stand on the world's y z x: mirroring the ASF's x is mirroring the world's y
    whole = roma.unitquat_to_rotmat(rotations[:, :, 0][..., [1, 2, 3, 0]])
    sides = rotations.new_tensor([1.0, -1.0, 1.0])
    global_rotations = sides[:, None] * whole * rotations.new_tensor([-1.0, 1.0, 1.0])
    other[:, :, 0] = roma.rotmat_to_unitquat(global_rotations)[..., [3, 0, 1, 2]]
    chosen = which[:, None, None]
    return torch.where(chosen[..., None], other, rotations), torch.where(chosen, root * sides, root)


def _place(local: Tensor, root: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Turn each window about the vertical and put its beginning somewhere in the room."""
    count = len(root)
    angles = random.uniform(-np.pi, np.pi, count)
    turn = roma.rotvec_to_rotmat(to_tensor(np.outer(angles, [0.0, 0.0, 1.0])))[:, None]
    begin = root[:, :1] * root.new_tensor([1.0, 1.0, 0.0])
    place = to_tensor(np.concatenate([random.uniform(-ROOM_M, ROOM_M, (count, 2)), np.zeros((count, 1))], axis=1))[:, None]
    local[:, :, 0] = turn @ local[:, :, 0]
    return local, (turn @ (root - begin)[..., None])[..., 0] + place


def _sliding(count: int, labels: int, frames: int, rate_hz: float, random: np.random.Generator) -> FloatArray:
    """(count, frames, labels, 3) in metres: a smooth wandering of every marker about its place."""
    knots = max(4, int(np.ceil(frames / rate_hz * SLIDING_HZ * 2)) + 1)
    weights = CubicSpline(np.linspace(0, 1, knots), np.eye(knots))(np.linspace(0, 1, frames)).astype(np.float32)
    wander = random.standard_normal((count, knots, labels * 3), dtype=np.float32) * np.float32(SLIDING_M)
    return np.matmul(weights, wander).reshape(count, frames, labels, 3)


def _bend(local: Tensor) -> Tensor:
    """(..., 3) skew part of rotations (..., 3, 3) as a vector."""
    pairs = ((2, 1), (0, 2), (1, 0))
    return 0.5 * torch.stack([local[..., row, column] - local[..., column, row] for row, column in pairs], dim=-1)


def to_tensor(array: FloatArray) -> Tensor:
    """The same numbers for torch, in single precision."""
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
