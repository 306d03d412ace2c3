# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a solve, in order. The shell and the engine process both come through here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from scipy.interpolate import CubicSpline

from . import prior as priors
from .actor import Actor
from .calibration import fit_actor
from .cleaning import clean
from .corrections import in_order, sentences
from .kinematics import Body, Pose
from .marker_set import load_marker_set, match, unlabelled
from .motion import quaternions
from .prior import Prior
from .relabelling import relabel
from .report import marker_residuals_mm
from .settings import Settings
from .sides import put_sides_right
from .smoothing import low_pass, smooth_rotations
from .solution import Solution
from .solver import Observations, find_poses, fit_poses
from .take import BonesetterError, CleanTake, FloatArray, Take

Progress = Callable[[str, float], None]

#: A filled gap says less than a sample: it repeats its surroundings.
FILLED_CONFIDENCE = 0.3
#: Where the work of each stage ends, of the whole: measured on takes of 1,000 to 4,000 frames.
PROGRESS_AFTER = {"match": 0.01, "clean": 0.08, "calibrate": 0.45, "find": 0.54, "relabel": 0.55, "pose": 0.95, "smooth": 1.0}
#: Markers that are further off on average were not followed: soft tissue and noise stay well below.
DOUBTFUL_RESIDUAL_MM = 40.0


class Stopwatch:
    """Seconds per stage, and progress over all of them."""

    def __init__(self, progress: Progress) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = progress
        self._from = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[float], None]]:
        """Times a stage; yields a function that takes the part of the stage that is done."""
        begin, start, end = time.perf_counter(), self._from, PROGRESS_AFTER[name]
        self._progress(name, start)
        yield lambda part: self._progress(name, start + (end - start) * part)
        self.seconds[name] = time.perf_counter() - begin
        self._from = end


def solve_take(take: Take, settings: Settings, actor: Actor | None, progress: Progress, prior: Prior | None = None) -> Solution:
    """Solve a take.

    Args:
        take: As read from a file.
        settings: Thresholds and device.
        actor: Fitted before, or None to fit one to this take.
        progress: Called with a stage and the part of the whole that is done, 0 to 1.
        prior: What is known beforehand; None for the bundled one.

    Raises:
        BonesetterError: The take cannot be solved; the text says what to do.
    """
    device = find_device(settings.device)
    torch.manual_seed(settings.seed)
    prior = prior or priors.bundled()
    watch = Stopwatch(progress)
    warnings: list[str] = []
    marker_set = load_marker_set()
    with watch.stage("match"):
        matched, sides = put_sides_right(match(take, marker_set), marker_set, prior)
    with watch.stage("clean"):
        cleaned = clean(matched, marker_set, settings)
        if cleaned.trusted.any(axis=0).sum() < min(marker_set.fewest_markers, len(matched.labels)):
            raise BonesetterError(f"Nearly every sample of {take.name} was flagged as noise: loosen the thresholds of the noise filter.")
        seen = observe(cleaned, device)
    # not inference_mode: roma keeps a constant for later, and a training in this process must be able to use it
    with watch.stage("calibrate") as part, torch.no_grad():
        if actor is None:
            body = Body(prior.mean_actor(matched.labels), prior.pose, device, seen.points.dtype)
            actor = fit_actor(body, prior, seen, part)
        else:
            actor = actor_for(actor, prior, matched.labels, warnings)
    with watch.stage("find"), torch.no_grad():
        body = Body(actor, prior.pose, device, seen.points.dtype)
        found = find_poses(body, prior.pose, seen)
    with watch.stage("relabel"), torch.no_grad():
        relabelled, corrections = relabel(matched, unlabelled(take), marker_places(body, *found, take.frames))
        if corrections:
            cleaned = clean(relabelled, marker_set, settings)
            seen = observe(cleaned, device)
        corrections = in_order((*sides, *corrections))
        warnings += sentences(corrections, take.first_frame)
    with watch.stage("pose") as part, torch.no_grad():
        pose = fit_poses(body, prior.pose, seen, part, found)
    with watch.stage("smooth"), torch.no_grad():
        posed = body.posed(smoothed(pose, take.rate_hz, settings.smooth))
        positions, markers, local = (_array(t) for t in (posed.positions, posed.markers, posed.local))
        rotations = quaternions(local)
        off = float(np.nanmean(marker_residuals_mm(cleaned.take.positions, markers)))
        if off > DOUBTFUL_RESIDUAL_MM:
            warnings.append(f"The markers are {off:.0f} mm off on average: their labels or the actor may be wrong.")
    return Solution(cleaned, actor, rotations, positions, markers, matched.warnings + tuple(warnings), watch.seconds, corrections)


def find_device(name: str) -> torch.device:
    """The torch device of that name; "auto" is a GPU where torch finds one, else the CPU.

    Raises:
        BonesetterError: Torch cannot use it here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise BonesetterError(f"Torch cannot compute on {name!r} here: choose auto or cpu.") from error
    return device


def observe(cleaned: CleanTake, device: torch.device) -> Observations:
    """The cleaned markers as the solver takes them."""
    known = np.isfinite(cleaned.positions).all(axis=-1)
    confidence = np.where(cleaned.trusted, 1.0, np.where(known, FILLED_CONFIDENCE, 0.0))
    points = np.nan_to_num(cleaned.positions, nan=0.0)
    return Observations(
        torch.as_tensor(points, dtype=torch.float32, device=device),
        torch.as_tensor(confidence, dtype=torch.float32, device=device),
        1.0 / cleaned.take.rate_hz,
    )


def marker_places(body: Body, pose: Pose, at: torch.Tensor, frames: int) -> FloatArray:
    """(frames, labels, 3) in metres: the markers of poses at the frames `at`, on a smooth curve in between."""
    markers = _array(body.posed(pose).markers)
    if len(at) < 2:
        return markers.repeat(frames, axis=0)
    return CubicSpline(at.cpu().numpy(), markers)(np.arange(frames))


def actor_for(actor: Actor, prior: Prior, labels: tuple[str, ...], warnings: list[str]) -> Actor:
    """A given actor on a take's labels; markers that it does not know sit where they usually do.

    Raises:
        BonesetterError: The actor has other joints than the prior.
    """
    if actor.skeleton.joints != prior.actor.joints or actor.skeleton.parents != prior.actor.parents:
        raise BonesetterError("The actor has another skeleton than the solver: choose one saved by --save-actor.")
    usual = prior.mean_actor(labels)
    joints, offsets = list(usual.marker_joints), usual.marker_offsets.copy()
    unknown = [label for label in labels if label not in actor.labels]
    for row, label in enumerate(labels):
        if label not in unknown:
            known = actor.labels.index(label)
            joints[row], offsets[row] = actor.marker_joints[known], actor.marker_offsets[known]
    if unknown:
        warnings.append(f"The actor has no place for {', '.join(unknown)}: the usual one is taken.")
    return replace(actor, labels=labels, marker_joints=tuple(joints), marker_offsets=offsets)


def smoothed(pose: Pose, rate_hz: float, smooth: float) -> Pose:
    """The pose without jitter."""
    like = pose.q
    curves = [low_pass(_array(values), rate_hz, smooth) for values in (pose.root, pose.q)]
    turn = smooth_rotations(_array(pose.turn), rate_hz, smooth)
    root, q, turn = (torch.as_tensor(np.ascontiguousarray(v), dtype=like.dtype, device=like.device) for v in (*curves, turn))
    return Pose(root, turn, q)


def _array(tensor: torch.Tensor) -> FloatArray:
    return tensor.cpu().double().numpy()
