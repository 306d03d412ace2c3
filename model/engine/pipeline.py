# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a solve, in order. The shell and the engine process both come through here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch

from ..actors import prior as priors
from ..actors.actor import Actor
from ..actors.hierarchy import same_hierarchy
from ..actors.placement import Placement
from ..actors.prior import Prior
from ..core.curves import hermite, spline_slopes
from ..core.motion import steady
from ..core.parallel import each, run_each, side_by_side, usable_cores
from ..core.settings import Settings
from ..core.stretches import frames_from
from ..core.take import BonesetterError, CleanTake, FloatArray, Take, all_finite
from ..feet.legs import hold_feet
from ..marker_sets.marker_set import MarkerSet
from ..markers.cleaning import clean
from ..markers.corrections import in_order, sentences
from ..markers.coverage import uncovered
from ..markers.matching import choose_marker_set, match_all, unlabelled
from ..markers.relabelling import relabel
from ..markers.sides import put_sides_right
from ..proposer.propose import Begun, acquaintance, as_proposed, propose_poses, stranger
from ..proposer.propose import bundled as bundled_proposer
from ..proposer.starts import Beginning, other_hierarchy
from ..result.report import marker_residuals_mm
from ..result.solution import Solution
from ..solver.attachment import attach, enough_samples, of_markers
from ..solver.calibration import fit_actor
from ..solver.fit import Found, Observations, coarse, find_poses, fit_poses, marker_jitter
from ..solver.frames import Window, windows
from ..solver.kinematics import Body, Pose, to_array
from ..solver.rotations import rotmat_to_unitquat
from ..solver.smoothing import low_pass, smooth_rotations
from ..solver.sticking import Restuck, follow_restuck

Progress = Callable[[str, float], None]

#: A filled gap says less than a sample: the first at its ends, the second deep inside, half way so many seconds from the nearest sample.
#: How far off a curve through a gap is grows with that time's square, its variance with the fourth power, until it is as good a guess
#: as any of where a hidden limb is.
FILLED_CONFIDENCE, LEAST_FILLED_CONFIDENCE, FILLED_SECONDS = 0.3, 0.01, 0.04
#: Where the work of each stage ends, of the whole: measured on takes of 1,000 to 4,000 frames.
PROGRESS_AFTER = {
    "match": 0.02,
    "clean": 0.07,
    "propose": 0.19,
    "calibrate": 0.37,
    "find": 0.65,
    "relabel": 0.67,
    "pose": 0.88,
    "smooth": 0.89,
    "feet": 0.94,
    "results": 1.0,
}
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


def solve_take(
    take: Take,
    settings: Settings,
    actor: Actor | None,
    progress: Progress,
    prior: Prior | None = None,
    marker_set: MarkerSet | None = None,
) -> Solution:
    """Solve a take.

    Args:
        take: As read from a file.
        settings: Thresholds and device.
        actor: Fitted before, or None to fit one to this take.
        progress: Called with a stage and the part of the whole that is done, 0 to 1.
        prior: What is known beforehand; None for the bundled one.
        marker_set: Of the take's labels; None for the bundled one that knows most of them.

    Raises:
        BonesetterError: The take cannot be solved; the text says what to do.
    """
    device = find_device(settings.device)
    torch.manual_seed(settings.seed)
    workers = settings.workers or (usable_cores() if device.type == "cpu" else 1)
    try:
        with one_torch_thread(), side_by_side(workers):
            return _solve(take, settings, actor, progress, prior or priors.bundled(), marker_set, device)
    except (np.linalg.LinAlgError, torch.linalg.LinAlgError) as error:  # pyright: ignore[reportPrivateImportUsage]
        # far from everything that people do, single precision does not suffice
        raise BonesetterError(
            f"{take.name} cannot be solved: no person moves as its markers do at {take.rate_hz:g} Hz, check the file's rate and unit."
        ) from error


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Within the block torch computes in the thread that calls it: sums in several threads would be rounded in another order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _solve(
    take: Take,
    settings: Settings,
    actor: Actor | None,
    progress: Progress,
    prior: Prior,
    marker_set: MarkerSet | None,
    device: torch.device,
) -> Solution:
    """See `solve_take`."""
    watch = Stopwatch(progress)
    warnings: list[str] = []
    with watch.stage("match"):
        marker_set = marker_set or choose_marker_set(take)
        begin = None
        if actor is not None and not same_hierarchy(actor, prior):
            prior, marker_set, begin = other_hierarchy(actor, prior, marker_set)
        else:
            prior = prior.centred(marker_set)
        matched, unknown = match_all(take, marker_set)
        placement = prior.placement(marker_set, matched.labels)
        matched, sides = put_sides_right(matched, marker_set, placement, prior)
        unknown = enough_samples(unknown, warnings)
        matched = matched.beside(unknown) if unknown.labels else matched
    with watch.stage("clean"):
        cleaned = clean(matched, marker_set, settings)
        if cleaned.trusted.any(axis=0).sum() < min(marker_set.fewest_markers, len(matched.labels)):
            raise BonesetterError(f"Nearly every sample of {take.name} was flagged as noise: loosen the thresholds of the noise filter.")
        seen = observe(cleaned, device)
    with watch.stage("propose"), torch.no_grad():
        _, few = coarse(seen)
        given = actor
        if given is not None:
            actor = actor_for(given, placement, unknown.labels, warnings)
        begun = proposed(actor, placement, prior, matched.labels, few, begin)
        advice = begun.advice
    with watch.stage("calibrate") as part, torch.no_grad():
        actor = calibrated(actor, placement, prior, matched.labels, few, begun, part, warnings)
        if actor.labels != matched.labels:
            rows = [matched.labels.index(label) for label in actor.labels]
            advice = advice.on(matched.labels, actor.labels) if advice else None
            matched, cleaned, seen = matched.only(rows), cleaned.only(rows), of_markers(seen, rows)
    with watch.stage("find") as part, torch.no_grad():
        body = Body(actor, prior.pose, device, seen.points.dtype)
        found = find_poses(body, prior.pose, seen, begun.pose, advice, part)
        restuck: tuple[Restuck, ...] = ()
        if given is not None:
            body, found, restuck = follow_restuck(body, prior.pose, seen, found, given.labels)
            warnings += [each.sentence for each in restuck]
    with watch.stage("relabel"), torch.no_grad():
        relabelled, corrections = relabel(matched, unlabelled(take), marker_places(body, found, take.frames))
        if corrections:
            cleaned = clean(relabelled, marker_set, settings)
            seen = observe(cleaned, device)
        corrections = in_order((*sides, *(each.correction(take.frames) for each in restuck), *corrections))
        warnings += sentences(corrections, take.number)
    with watch.stage("pose") as part, torch.no_grad():
        pose = fit_poses(body, prior.pose, seen, found, part)
    with watch.stage("smooth"), torch.no_grad():
        pose = smoothed(pose, take.rate_hz, settings.smooth)
    with watch.stage("feet"), torch.no_grad():
        pose, contacts = hold_feet(pose, body.actor, prior.pose, cleaned, lock=settings.lock_feet)
    with watch.stage("results"), torch.no_grad():
        positions, rotations, markers = as_arrays(body, pose)
        findings = (*cleaned.findings, *uncovered(cleaned, body.actor))
        warnings += [finding.text for finding in findings]
        off = float(marker_residuals_mm(cleaned.take.positions, markers)[cleaned.trusted].mean())
        if off > DOUBTFUL_RESIDUAL_MM:
            warnings.append(f"The markers are {off:.0f} mm off on average: their labels or the actor may be wrong.")
    said = matched.warnings + tuple(warnings)
    return Solution(cleaned, body.actor, rotations, positions, markers, said, watch.seconds, corrections, contacts, findings)


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
    seconds = 1.0 / cleaned.take.rate_hz
    known = all_finite(cleaned.positions)
    near = 1.0 / (1.0 + (frames_from(cleaned.trusted) * seconds / FILLED_SECONDS) ** 4)
    filled = LEAST_FILLED_CONFIDENCE + (FILLED_CONFIDENCE - LEAST_FILLED_CONFIDENCE) * near
    confidence = np.where(cleaned.trusted, 1.0, np.where(known, filled, 0.0))
    points = torch.as_tensor(np.nan_to_num(cleaned.positions, nan=0.0), dtype=torch.float32, device=device)
    weights = torch.as_tensor(confidence, dtype=torch.float32, device=device)
    return Observations(points, weights, seconds, marker_jitter(points, weights))


def marker_places(body: Body, found: Found, frames: int) -> FloatArray:
    """(frames, labels, 3) in metres: the markers of the poses that were found, on a smooth curve in between."""
    here = (window.frames for window in windows(found.pose.frames))
    markers = np.concatenate(list(each(lambda frames: to_array(body.posed(found.pose[frames]).markers), here)))
    if frames < 2:
        return markers
    at, places = found.at.cpu().numpy(), np.empty((frames, *markers.shape[1:]))
    slopes = spline_slopes(at, markers)

    def work(window: Window) -> None:
        places[window.frames] = hermite(at, markers, slopes, np.arange(window.frames.start, window.frames.stop))

    run_each(work, windows(frames))
    return places


def proposed(
    actor: Actor | None,
    placement: Placement,
    prior: Prior,
    labels: tuple[str, ...],
    few: Observations,
    begin: Beginning | None,
) -> Begun:
    """What a solve begins from: the network's word, by the markers that are known.

    Args:
        actor: Fitted before, or None.
        placement: Of the take's first markers, those that the marker set knows.
        prior: Of poses and bones.
        labels: Of all markers.
        few: Of all markers, at the coarse rate.
        begin: Where to begin with a given actor of another hierarchy than the network's.
    """
    looked_at = placement.labels if actor is None else actor.labels
    seen = of_markers(few, [labels.index(label) for label in looked_at])
    if actor is not None and begin is not None:
        return Begun(begin(Body(actor, prior.pose, few.points.device, few.points.dtype), seen), None, actor)
    network = bundled_proposer()
    pose, advice, said = propose_poses(network, acquaintance(actor) if actor else stranger(prior, placement), seen)
    return Begun(pose, advice.on(looked_at, labels), actor or as_proposed(network, prior.mean_actor(placement), said))


def calibrated(
    given: Actor | None,
    placement: Placement,
    prior: Prior,
    labels: tuple[str, ...],
    few: Observations,
    begun: Begun,
    progress: Callable[[float], None],
    warnings: list[str],
) -> Actor:
    """The actor of a take, given or fitted, with all of the take's markers that can be attached.

    Args:
        given: Fitted before; None to fit one.
        placement: Of the take's first markers, those that the marker set knows.
        prior: Of poses and bones.
        labels: Of all markers.
        few: Of all markers, at the coarse rate.
        begun: Of these frames.
        progress: Called with the part that is done.
        warnings: Gets what the user should know.
    """
    known = len(placement.labels)
    if given is not None:
        return attach(given, None, prior, labels, few, begun.pose, warnings) if len(given.labels) < len(labels) else given
    body = Body(begun.actor, prior.pose, few.points.device, few.points.dtype)
    if known == len(labels):
        return fit_actor(body, prior, placement, few, begun.pose, progress)
    actor = fit_actor(body, prior, placement, of_markers(few, range(known)), begun.pose, lambda part: progress(0.5 * part))
    return attach(actor, placement, prior, labels, few, begun.pose, warnings, lambda part: progress(0.5 + 0.5 * part))


def actor_for(actor: Actor, placement: Placement, others: tuple[str, ...], warnings: list[str]) -> Actor:
    """A given actor on a take's labels: the known ones, which sit where they usually do if it lacks them, and those others that it has."""
    labels = placement.labels + tuple(label for label in others if label in actor.labels)
    if unknown := [label for label in placement.labels if label not in actor.labels]:
        warnings.append(f"The actor has no place for {', '.join(unknown)}: the usual one is taken.")
        actor = actor.beside(placement.only([placement.labels.index(label) for label in unknown]))
    return actor.only([actor.labels.index(label) for label in labels])


def smoothed(pose: Pose, rate_hz: float, smooth: float) -> Pose:
    """The pose without jitter."""
    like = pose.q
    curves = [low_pass(to_array(values), rate_hz, smooth) for values in (pose.root, pose.q)]
    turn = smooth_rotations(to_array(pose.turn), rate_hz, smooth)
    root, q, turn = (torch.as_tensor(np.ascontiguousarray(v), dtype=like.dtype, device=like.device) for v in (*curves, turn))
    return Pose(root, turn, q)


def as_arrays(body: Body, pose: Pose) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Positions (frames, joints, 3), local quaternions w x y z (frames, joints, 4) and markers (frames, labels, 3) of poses."""
    frames, joints = pose.frames, len(body.joints)
    positions, rotations, markers = np.empty((frames, joints, 3)), np.empty((frames, joints, 4)), np.empty((frames, len(body.labels), 3))

    def work(window: Window) -> None:
        here = window.frames
        posed = body.posed(pose[here])
        positions[here], markers[here] = to_array(posed.positions), to_array(posed.markers)
        rotations[here] = to_array(rotmat_to_unitquat(posed.local))

    run_each(work, windows(frames))
    return positions, steady(rotations), markers
