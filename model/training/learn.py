# SPDX-License-Identifier: GPL-3.0-or-later
"""Learns the bundled prior from skeleton motion: `python -m model learn`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save
from scipy.spatial.transform import Rotation

from ..actors import prior as priors
from ..core.errors import BonesetterError
from ..core.motion import FASTEST_RAD, Motion
from ..core.settings import Settings
from ..core.skeleton import CMU_JOINTS, CMU_PARENTS, mirrored_joints
from ..core.take import FloatArray, IntArray
from ..datasets import splits
from ..datasets.lab_takes import data_folder, find_c3d, read_lab_take
from ..files.asf_amc import read_amc, read_asf
from ..files.c3d import read_c3d
from ..marker_sets.marker_set import load_marker_set
from ..markers.matching import match
from ..storage.atomic import replacing

#: Subjects whose motion and bones the prior may know: all their AMC files, those for validation and tuning too.
SUBJECTS = splits.load().train_subjects
#: An axis of a joint that moves less than this is held still.
LEAST_MOTION_RAD = np.radians(0.5)
#: Frames with an angle this many robust deviations from the median are glitches of the file, not poses.
GLITCH_DEVIATIONS = 8.0
#: How far and how fast a clavicle moves; the motion says nothing of it.
CLAVICLE_DEVIATION_RAD, CLAVICLE_SPEED_RAD = np.radians(6.0), np.radians(60.0)
#: A limit lies beyond the angle that this part of the samples exceeds, by the second: few people are among them, and a straight knee or
#: elbow is straight in all of them.
LIMIT_PART, LIMIT_MARGIN_RAD = 1e-4, np.radians(5.0)
#: For the shoulders, which reach farther than any other joint and farther than these few people's did: an arm that swings across the
#: body in cmu_85_02 goes 23 degrees past a limit with the usual margin.
SHOULDERS, SHOULDER_MARGIN_RAD = ("LeftArm", "RightArm"), np.radians(35.0)
#: Part of the covariance's off-diagonal that is not believed: the clips are few, people are many.
SHRINKAGE = 0.3

MIRROR = np.diag([-1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class Samples:
    """Local rotations (samples, joints, 3, 3), their successors one frame later, the rate, and each sample's weight."""

    rotations: FloatArray
    following: FloatArray
    rate_hz: float
    weights: FloatArray


def read_motions(motion_dir: Path, subjects: Iterable[str] = SUBJECTS) -> dict[str, list[Motion]]:
    """All AMC clips of each subject.

    Raises:
        BonesetterError: A subject's folder has no skeleton, or a subject is kept for testing.
    """
    motions: dict[str, list[Motion]] = {}
    for subject in subjects:
        folder = motion_dir / "cmu" / subject
        skeleton = next(iter(sorted(folder.glob("*.asf"))), None)
        if skeleton is None:
            raise BonesetterError(f"{folder} has no ASF: point BONESETTER_DATA at the data's folder.")
        asf = read_asf(skeleton)
        clips = sorted(folder.glob("*.amc"))
        for clip in clips:
            splits.check_trainable(clip)
        motions[subject] = [read_amc(clip, asf) for clip in clips]
    return motions


def draw_samples(motions: dict[str, list[Motion]], step: int = 4) -> Samples:
    """Every `step`-th frame of every clip and its mirror image; each subject weighs the same."""
    swap = mirrored_joints()
    rotations, following, weights = [], [], []
    for clips in motions.values():
        total = sum((clip.frames - 1 + step - 1) // step for clip in clips)
        for clip in clips:
            here, there = clip.rotations[:-1:step], clip.rotations[1::step]
            for array, target in ((here, rotations), (there, following)):
                target.append(array)
                target.append(MIRROR @ array[:, swap] @ MIRROR)
            weights.append(np.full(2 * len(here), 0.5 / total / len(motions)))
    rates = {clip.rate_hz for clips in motions.values() for clip in clips}
    return Samples(np.concatenate(rotations), np.concatenate(following), rates.pop(), np.concatenate(weights))


def learn_pose(samples: Samples) -> dict[str, FloatArray]:
    """The tensors of a `PosePrior`.

    Each joint's mean rotation is the chordal mean; its coordinates are the principal axes of its rotation vectors about
    that mean that move at all.
    """
    rotations, weights = samples.rotations, samples.weights
    joints = rotations.shape[1]
    means = np.tile(np.eye(3), (joints, 1, 1))
    axes: list[FloatArray] = []
    joints_of: list[int] = []
    angles: list[FloatArray] = []
    steps: list[FloatArray] = []
    sound = np.ones(len(rotations), dtype=bool)
    for joint in range(1, joints):
        means[joint] = Rotation.from_matrix(np.einsum("f,fij->ij", weights, rotations[:, joint]) / weights.sum()).as_matrix()
        u = Rotation.from_matrix(means[joint].T @ rotations[:, joint]).as_rotvec()
        du = Rotation.from_matrix(rotations[:, joint].transpose(0, 2, 1) @ samples.following[:, joint]).as_rotvec()
        centred = u - np.median(u, axis=0)
        scale = 1.4826 * np.median(np.abs(centred), axis=0) + np.radians(3.0)
        sound &= (np.abs(centred) < GLITCH_DEVIATIONS * scale).all(axis=1)
        variance, directions = np.linalg.eigh(np.cov(u[sound].T, aweights=weights[sound]))
        for direction in directions.T[variance > LEAST_MOTION_RAD**2]:
            axes.append(direction)
            joints_of.append(joint)
            angles.append(u @ direction)
            steps.append(du @ direction)
    q, dq = np.stack(angles, axis=1)[sound], np.stack(steps, axis=1)[sound]
    weights = weights[sound] / weights[sound].sum()
    # the mean rotation is the prior's centre, so second moments are taken about it
    covariance = np.einsum("f,fi,fj->ij", weights, q, q)
    covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.diag(np.diag(covariance))
    # a joint that turns half round within a frame is the file's angle wrapping
    dq = np.where(np.abs(dq) * samples.rate_hz > FASTEST_RAD, 0.0, dq)
    speed = np.sqrt(np.einsum("f,fi->i", weights, dq**2)) * samples.rate_hz
    return {
        "mean_rotations": means,
        "axes": np.stack(axes),
        "joints_of": np.array(joints_of),
        "precision": np.linalg.inv(covariance),
        "speed": speed,
        "limits": learn_limits(q, weights, limit_margins(np.array(joints_of))),
    }


def limit_margins(joints_of: IntArray) -> FloatArray:
    """How far beyond what the motion shows each coordinate's limit lies, (coordinates,) in radians, by the joint that it turns."""
    shoulders = [CMU_JOINTS.index(name) for name in SHOULDERS]
    return np.where(np.isin(joints_of, shoulders), SHOULDER_MARGIN_RAD, LIMIT_MARGIN_RAD)


def learn_limits(q: FloatArray, weights: FloatArray, margins: FloatArray) -> FloatArray:
    """The least and the greatest of each coordinate, (2, coordinates) in radians, from samples (samples, coordinates) and their weights,
    which sum to 1, widened by the margins (coordinates,); see `LIMIT_PART`."""
    limits = np.empty((2, q.shape[1]))
    for coordinate, angles in enumerate(q.T):
        order = np.argsort(angles)
        below = np.cumsum(weights[order]) - 0.5 * weights[order]
        limits[:, coordinate] = np.interp((LIMIT_PART, 1 - LIMIT_PART), below, angles[order])
    return limits + np.outer((-1.0, 1.0), margins)


#: How differently a bone may be built than those of the few known skeletons: part of its length, and metres.
BONE_DEVIATION, BONE_DEVIATION_M = 0.04, 0.003
#: Standard deviation of the size of a whole body.
SIZE_DEVIATION = 0.08
#: Components of bone variation smaller than this are left out.
LEAST_BONE_MODE_M = 5e-4


def learn_bones(bones: FloatArray) -> dict[str, FloatArray]:
    """The tensors of an `ActorPrior`'s bones from the skeletons (subjects, joints, 3) and their mirror images.

    A bone whose direction is the same in every skeleton has it by convention (femur, tibia, arm), so only its length varies.
    """
    swap = mirrored_joints()
    both = np.concatenate([bones, bones[:, swap] @ MIRROR])
    count, joints = both.shape[:2]
    mean = both.mean(axis=0)
    deviations = (both - mean).reshape(count, -1)
    covariance = deviations.T @ deviations / count + SIZE_DEVIATION**2 * np.outer(mean, mean)
    for joint in range(joints):
        length = np.linalg.norm(mean[joint])
        if length == 0:
            continue
        along = mean[joint] / length
        sideways = both[:, joint] - np.outer(both[:, joint] @ along, along)
        own = slice(3 * joint, 3 * joint + 3)
        free = np.outer(along, along)
        if np.abs(sideways).max() > LEAST_BONE_MODE_M:
            free = np.eye(3)
        covariance[own, own] += (BONE_DEVIATION * length + BONE_DEVIATION_M) ** 2 * free
    variance, modes = np.linalg.eigh(covariance)
    kept = variance > LEAST_BONE_MODE_M**2
    basis = (modes[:, kept] * np.sqrt(variance[kept])).reshape(joints, 3, -1)
    return {"bone_mean": mean, "bone_basis": basis[:, :, ::-1].copy()}


#: Where marker offsets come from: the lab's own skeleton where there is one, our own fit where there is none.
MEASURED_TAKES = splits.load().measured_takes
FITTED_TAKES = splits.load().fitted_takes
#: The fitted takes are fitted this often, each with the others' offsets as its prior.
ROUNDS = 2


def measured_offsets(points: FloatArray, motion: Motion, carriers: list[int]) -> FloatArray:
    """Mean place (labels, 3) of markers (frames, labels, 3; NaN where missing) on the joints that carry them, in metres."""
    positions, global_rotations = motion.forward()
    frames = min(len(points), motion.frames)
    from_joint = points[:frames] - positions[:frames, carriers]
    return np.nanmean(np.einsum("fmji,fmj->fmi", global_rotations[:frames, carriers], from_joint), axis=0)


def add_free_clavicles(tensors: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Let the clavicles rise and come forward: the labs' skeletons hold them rigid, real shoulders do not."""
    clavicles = [CMU_JOINTS.index(name) for name in ("LeftShoulder", "RightShoulder")]
    if set(clavicles) & set(tensors["joints_of"]):
        raise ValueError("the clavicles of the motion do move")
    count = len(tensors["axes"])
    precision = np.zeros((count + 4, count + 4))
    precision[:count, :count] = tensors["precision"]
    precision[count:, count:] = np.eye(4) / CLAVICLE_DEVIATION_RAD**2
    return tensors | {
        "axes": np.concatenate([tensors["axes"], [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]] * 2]),
        "joints_of": np.concatenate([tensors["joints_of"], np.repeat(clavicles, 2)]),
        "precision": precision,
        "speed": np.concatenate([tensors["speed"], np.full(4, CLAVICLE_SPEED_RAD)]),
        "limits": np.concatenate([tensors["limits"], np.outer((-np.inf, np.inf), np.ones(4))], axis=1),
    }


def learn(data: Path, out: Path = priors.BUNDLED) -> None:
    """Make the bundled prior from the data's folder.

    Raises:
        BonesetterError: The data lacks something.
    """
    motions = read_motions(data / "motion")
    from ..engine.pipeline import solve_take  # not above: neither `--help` nor a wrong folder shall wait for torch

    tensors = add_free_clavicles(learn_pose(draw_samples(motions)))
    tensors |= learn_bones(np.stack([clips[0].skeleton.bones for clips in motions.values()]))
    marker_set = load_marker_set()
    header = {
        "joints": json.dumps(CMU_JOINTS),
        "parents": json.dumps(CMU_PARENTS),
        "labels": json.dumps(marker_set.labels),
        "carriers": json.dumps([CMU_JOINTS.index(joint) for joint in marker_set.joints]),
        "sources": json.dumps({"pose and bones": SUBJECTS, "offsets": (*MEASURED_TAKES, *FITTED_TAKES)}),
    }
    takes = data / "takes"
    for name in (*MEASURED_TAKES, *FITTED_TAKES):
        splits.check_trainable(find_c3d(takes / name))
    for name in MEASURED_TAKES:
        lab = read_lab_take(takes / name)
        take = match(lab.take, marker_set)
        tensors[f"offsets.{name}"] = measured_offsets(take.positions, lab.motion, json.loads(header["carriers"]))
    for _ in range(ROUNDS):
        for name in FITTED_TAKES:
            write_prior(out, tensors, header)
            solution = solve_take(read_c3d(find_c3d(takes / name)), Settings(), prior=priors.read(out, without=(name,)))
            tensors[f"offsets.{name}"] = solution.actor.marker_offsets
    write_prior(out, tensors, header)


def write_prior(path: Path, tensors: dict[str, FloatArray], header: dict[str, str]) -> None:
    """Write a prior as safetensors, in float32."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, binary=True) as stream:
        stream.write(save({name: np.ascontiguousarray(tensor, dtype=np.float32) for name, tensor in tensors.items()}, header))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--out", type=Path, default=priors.BUNDLED, help="the file to write (default: the bundled prior)")


def run(arguments: argparse.Namespace) -> int:
    """Learn and write."""
    learn(data_folder(), arguments.out)
    return 0
