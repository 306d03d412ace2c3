# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes of a synthetic person: a procedural motion, markers on it, and the noise and gaps that cameras leave.

Nothing but the bundled prior is needed, so the demo and the tests run without any data.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from ..actors import prior as priors
from ..actors.actor import Actor
from ..actors.prior import Prior
from ..core.motion import Motion
from ..core.take import FloatArray, Take
from ..files.asf_amc import ASF_TO_C3D
from ..files.c3d_writer import write_c3d

#: A cycle of the motion, in s, and the parts of it: (start, end) of the whole.
CYCLE = 10.0
WALK, RAISE, SQUAT, TWIST = (0.0, 0.45), (0.42, 0.65), (0.62, 0.85), (0.82, 1.0)
#: Steps per second, metres per second and the radius of the circle walked, in m.
CADENCE, WALKING_SPEED, RADIUS = 0.9, 1.2, 1.2
#: How high a foot's joints are above the floor when it stands, in m.
SOLE = 0.04


@dataclass(frozen=True)
class Noise:
    """What cameras and labelling do to markers; each per take.

    Attributes:
        jitter: Standard deviation of every coordinate, in m.
        gaps: Short gaps, as a part of all samples; each lasts 5 to 40 frames.
        long_gaps: How many gaps of 1 to 2 s.
        spikes: Part of the samples that is moved by 5 to 30 cm.
        swaps: How many times two markers of a rigid pair change places, for 10 to 40 frames.
    """

    jitter: float = 1e-3
    gaps: float = 0.03
    long_gaps: int = 4
    spikes: float = 0.003
    swaps: int = 3


@dataclass(frozen=True, eq=False)
class SyntheticTake:
    """A take and its truth, on the same axes.

    Attributes:
        take: What a file would hold.
        motion: The true skeleton.
        markers: (frames, labels, 3) in metres: where the markers truly were.
    """

    take: Take
    motion: Motion
    markers: FloatArray


def synthesise(
    seconds: float = CYCLE, rate_hz: float = 120.0, seed: int = 0, noise: Noise | None = None, prior: Prior | None = None
) -> SyntheticTake:
    """A person of mean build who walks, raises the arms, squats and twists; Z up.

    Args:
        seconds: Length of the take.
        rate_hz: Frames per second.
        seed: Of the noise; the motion is always the same.
        noise: None for the usual.
        prior: Build, marker placement and mean pose; None for the bundled one.
    """
    prior = prior or priors.bundled()
    actor = prior.mean_actor()
    motion = _motion(actor, prior.pose.mean_rotations, max(1, round(seconds * rate_hz)), rate_hz)
    markers = actor.markers(motion)
    positions = _noisy(markers, actor.labels, noise or Noise(), np.random.default_rng(seed), rate_hz)
    take = Take("synthetic", actor.labels, positions, np.zeros(positions.shape[:2]), rate_hz)
    return SyntheticTake(take, motion, markers)


def _motion(actor: Actor, mean: FloatArray, frames: int, rate_hz: float) -> Motion:
    time = np.arange(frames) / rate_hz
    walk, lift, squat, twist = (_window(time, part) for part in (WALK, RAISE, SQUAT, TWIST))
    step = 2 * np.pi * CADENCE * time
    joints = actor.skeleton.joints
    rotations = np.repeat(mean[None], frames, axis=0)

    def turn(joint: str, axis: str, degrees: FloatArray, *, own: bool = False) -> None:
        """Turn a joint further about an axis of its parent, or its own."""
        row = joints.index(joint)
        further = Rotation.from_euler(axis, degrees[:, None], degrees=True).as_matrix()
        rotations[:, row] = rotations[:, row] @ further if own else further @ rotations[:, row]

    # x points left, y up, z forward: a leg swings forward and a knee stretches about -x.
    for side, phase, sign in (("Left", 0.0, 1.0), ("Right", np.pi, -1.0)):
        swing = np.sin(step + phase)
        hip = 25 * walk * swing + 70 * squat
        knee = 25 * walk * (1 + np.sin(step + phase - 1.9)) + 85 * squat
        turn(f"{side}UpLeg", "x", -hip)
        turn(f"{side}Leg", "x", knee)
        turn(f"{side}Foot", "x", hip * 0.4 - knee * 0.35)
        turn(f"{side}Arm", "x", 25 * walk * swing - 60 * squat)
        turn(f"{side}Arm", "z", sign * 110 * lift * (1 + 0.15 * np.sin(4 * time)))
        turn(f"{side}ForeArm", "y", -sign * (15 * walk * (1 - swing) + 40 * twist), own=True)
    for joint in ("LowerBack", "Spine", "Spine1"):
        turn(joint, "y", 12 * twist * np.sin(3 * time) + 3 * walk * np.sin(step))
        turn(joint, "x", 8 * squat)
    turn("Neck1", "y", 15 * np.sin(0.9 * time))

    distance = np.cumsum(walk) * WALKING_SPEED / rate_hz
    heading = distance / RADIUS + np.pi / 2
    world = Rotation.from_euler("z", heading[:, None]).as_matrix() @ ASF_TO_C3D
    rotations[:, 0] = world @ Rotation.from_euler("x", 10 * squat[:, None], degrees=True).as_matrix()
    circle = RADIUS * np.stack([np.cos(distance / RADIUS), np.sin(distance / RADIUS), np.zeros(frames)], axis=-1)
    floating = Motion(actor.skeleton, rotations, circle, rate_hz)
    feet = [joints.index(f"{side}{part}") for side in ("Left", "Right") for part in ("Foot", "ToeBase")]
    lowest = floating.forward()[0][:, feet, 2].min(axis=1)
    circle[:, 2] = gaussian_filter1d(SOLE - lowest, 0.05 * rate_hz, mode="nearest")
    return Motion(actor.skeleton, rotations, circle, rate_hz)


def _window(time: FloatArray, part: tuple[float, float]) -> FloatArray:
    """How much of an activity goes on: 0 outside its part of the cycle, swelling and fading inside."""
    start, end = part
    inside = np.clip(((time / CYCLE) % 1.0 - start) / (end - start), 0.0, 1.0)
    return np.sin(np.pi * inside) ** 2


def _noisy(markers: FloatArray, labels: tuple[str, ...], noise: Noise, random: np.random.Generator, rate_hz: float) -> FloatArray:
    frames, count, _ = markers.shape
    seen = markers + random.normal(scale=noise.jitter, size=markers.shape) if noise.jitter else markers.copy()
    pairs = [(labels.index(a), labels.index(b)) for a, b in (("LFWT", "RFWT"), ("LWRA", "LWRB"), ("RANK", "RHEE"), ("LFHD", "LBHD"))]
    for pair in random.integers(len(pairs), size=noise.swaps):
        swap, start, end = pairs[pair], *_stretch(frames, int(random.integers(10, 41)), random)
        seen[start:end, swap] = seen[start:end, swap[::-1]]
    spikes = random.random((frames, count)) < noise.spikes
    direction = random.normal(size=(int(spikes.sum()), 3))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    seen[spikes] += direction * random.uniform(0.05, 0.3, size=(len(direction), 1))
    short = round(noise.gaps * frames * count / 22.0)
    lengths = [*random.integers(5, 41, size=short), *random.integers(round(rate_hz), round(2 * rate_hz) + 1, size=noise.long_gaps)]
    for length in lengths:
        start, end = _stretch(frames, int(length), random)
        seen[start:end, random.integers(count)] = np.nan
    return seen


def _stretch(frames: int, length: int, random: np.random.Generator) -> tuple[int, int]:
    start = int(random.integers(max(1, frames - length)))
    return start, start + length


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("out", type=Path, metavar="OUT.c3d")
    parser.add_argument("--seconds", type=float, default=CYCLE)
    parser.add_argument("--seed", type=int, default=0)


def run(arguments: argparse.Namespace) -> int:
    """Write one take."""
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    write_c3d(synthesise(arguments.seconds, seed=arguments.seed).take, arguments.out)
    print(f"{arguments.out}: a synthetic take, {arguments.seconds:g} s with noise and gaps")
    return 0
