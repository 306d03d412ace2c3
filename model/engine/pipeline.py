# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages of a solve, in order. The shell and the engine process both come through here."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

import torch

from ..actors.actor import Actor
from ..actors.prior import Prior
from ..core.axes import pointing_up
from ..core.errors import BonesetterError
from ..core.findings import Finding
from ..core.memory import within_memory
from ..core.parallel import side_by_side, usable_cores
from ..core.progress import Progress, StageProgress, part_of
from ..core.settings import Settings
from ..core.take import CleanTake, Take
from ..feet.legs import Held, hold_feet
from ..marker_sets.marker_set import MarkerSet
from ..markers.corrections import Correction, in_order
from ..markers.coverage import look_covered
from ..markers.frozen import without_frozen
from ..markers.matching import unlabelled
from ..markers.relabelling import relabel
from ..proposer.propose import InitialGuess
from ..props.find import with_props
from ..result.report import far_off
from ..result.solution import Solution
from ..solver.coarse_poses import find_poses
from ..solver.device import find_device, one_torch_thread
from ..solver.edges import with_edges
from ..solver.ends import refine_ends
from ..solver.fit import Found, fit_poses
from ..solver.kinematics import Body, Pose
from ..solver.observations import Observations, coarse
from ..solver.options import EVERYTHING, SolverOptions
from ..solver.reinstating import put_back
from ..solver.sampling import as_arrays, marker_places
from ..solver.smoothing import smoothed
from ..solver.sticking import follow_restuck
from ..solver.take_actor import KnownFit
from .holding import Stands, asked_of_feet, unheld_of
from .identify import NO_SOLUTION, Identified, identify
from .people import everybody
from .stages import LABELS, PROGRESS_AFTER, Stopwatch
from .subject import Subject
from .trajectories import Judging, Matched, MisleadingLabelsError, Trajectories, clean_markers, resettle

Result = TypeVar("Result")

#: Where looking for several people without names ends, of the whole.
LOOKING = 0.5


def solve_take(
    take: Take,
    settings: Settings,
    actor: Actor | None = None,
    progress: StageProgress | None = None,
    prior: Prior | None = None,
    marker_set: MarkerSet | None = None,
    options: SolverOptions = EVERYTHING,
    stands: Stands | None = None,
) -> Solution:
    """Solve a take.

    Args:
        take: As read from a file.
        settings: Thresholds and device.
        actor: Fitted before, or None to fit one to this take.
        progress: Called with a stage and the part of the whole that is done, 0 to 1.
        prior: What is known beforehand; None for the bundled one.
        marker_set: Of the take's labels; None for the bundled one that knows most of them.
        options: What the solver uses: all of it, but in a study of its parts.
        stands: Where the user says when feet stand.

    Raises:
        BonesetterError: The take cannot be solved; the text says what to do.
    """
    watch = Stopwatch(progress, take.frames)

    def solve(found: Identified, device: torch.device, judging: Judging) -> Solution:
        return _solve(found, settings, actor, watch, device, options, stands, judging)

    return _of_subject(without_frozen(take), settings, actor, watch, prior, marker_set, options, solve)


def fit_actor(take: Take, settings: Settings, progress: StageProgress | None = None, marker_set: MarkerSet | None = None) -> Actor:
    """Fit an actor to a take, and solve no more of it than that takes: the same one that `solve_take` fits.

    Args:
        take: Of one person.
        settings: Thresholds and device.
        progress: Called with a stage and the part of the whole that is done, 0 to 1.
        marker_set: Of the take's labels; None for the bundled one that knows most of them.

    Raises:
        BonesetterError: The take cannot be solved, or shows several people; the text says what to do.
    """
    tell = progress or (lambda _stage, _part: None)
    people = everybody(without_frozen(take), settings, None, marker_set, lambda part: tell(LABELS, LOOKING * part))
    if len(people) > 1:
        raise BonesetterError(f"{take.name} shows {len(people)} people: solve it first, then fit an actor to each one's take.")
    ((one, its_set),) = people
    end = PROGRESS_AFTER["calibrate"]
    watch = Stopwatch(lambda stage, part: tell(stage, min(1.0, part / end)), take.frames)

    def fit(found: Identified, device: torch.device, judging: Judging) -> Actor:
        return _fit(found, settings, None, watch, device, EVERYTHING, judging).actor

    return _of_subject(one, settings, None, watch, None, its_set, EVERYTHING, fit)


def solve_people(
    take: Take,
    settings: Settings,
    actor: Actor | None = None,
    progress: StageProgress | None = None,
    marker_set: MarkerSet | None = None,
    stands: Stands | None = None,
) -> tuple[Solution, ...]:
    """Solve everybody in a take, see `solve_take`, and find its props, which the first solution has.

    Of several people each one's take is named for both, such as `walk.Ann`.
    """
    tell, looked = progress or (lambda _stage, _part: None), 0.0

    def look(done: float) -> None:
        nonlocal looked
        looked = LOOKING * done
        tell(LABELS, looked)

    with within_memory(take.name):
        # before people are told apart: labels and tracks are followed by where samples are
        take = without_frozen(take)
        people = everybody(take, settings, actor, marker_set, look)
    found: list[Solution] = []
    for row, (one, its_set) in enumerate(people):

        def part(stage: str, done: float, row: int = row) -> None:
            tell(stage, looked + (1.0 - looked) * (row + done) / len(people))

        found.append(solve_take(one, settings, actor, part, marker_set=its_set, stands=stands if len(people) == 1 else None))
    return with_props(take, found, settings.smooth)


def _of_subject(
    take: Take,
    settings: Settings,
    given: Actor | None,
    watch: Stopwatch,
    prior: Prior | None,
    marker_set: MarkerSet | None,
    options: SolverOptions,
    work: Callable[..., Result],
) -> Result:
    """Do something with a take whose markers are named: by the file's labels, and without them where many turn out to be wrong.

    `work` takes what is identified, the device, and what is done about wrong labels; see `solve_take` for all else.
    """
    device = find_device(settings.device)
    torch.manual_seed(settings.seed)
    workers = settings.workers or (usable_cores() if device.type == "cpu" else 1)
    upright = pointing_up(take, settings.up)

    def identified(*, by_names: bool) -> Identified:
        return identify(upright, settings, given, prior, marker_set, options, watch.stage, by_names=by_names)

    try:
        with within_memory(take.name), one_torch_thread(), side_by_side(workers), torch.no_grad():
            named = identified(by_names=True)
            try:
                return work(named, device, Judging.DOUBTING)
            except MisleadingLabelsError as error:
                mendable = error.mendable
            # where nobody is found by motion either, the labels are all there is
            found = None
            with suppress(BonesetterError, *NO_SOLUTION):
                found = identified(by_names=False)
            if found is None or (mendable and found.subject.marker_set.name != named.subject.marker_set.name):
                return work(named, device, Judging.MENDING if mendable else Judging.NONE)
            return work(found, device, Judging.NONE)
    except NO_SOLUTION as error:
        # far from everything that people do, single precision does not suffice
        raise BonesetterError(
            f"{take.name} cannot be solved: no person moves as its markers do at {take.rate_hz:g} Hz, check the file's rate and unit."
        ) from error


@dataclass(frozen=True, eq=False)
class _Fitted:
    """A take whose actor is known.

    Attributes:
        matched: The take on its marker set's labels.
        cleaned: All of its markers.
        few: The same at the coarse rate.
        guess: Poses at that rate to begin from.
        actor: Fitted or given, with the markers that belong to a bone.
        lacking: About markers that the given actor lacks.
        attached: About markers that no set knows.
    """

    matched: Matched
    cleaned: Trajectories
    few: Observations
    guess: InitialGuess
    actor: Actor
    lacking: tuple[Finding, ...]
    attached: tuple[Finding, ...]


def _fit(
    identified: Identified,
    settings: Settings,
    given: Actor | None,
    watch: Stopwatch,
    device: torch.device,
    options: SolverOptions,
    judging: Judging,
) -> _Fitted:
    """Clean a take and fit its actor.

    Raises:
        MisleadingLabelsError: Its labels had better be found by motion.
    """
    subject, matched = identified.subject, identified.matched
    with watch.stage("clean"):
        cleaned = clean_markers(matched.take, subject, settings, device)
    with watch.stage("propose"):
        labels, (at, few) = matched.take.labels, coarse(cleaned.observations)
        on_labels, lacking = subject.on_labels_of(matched.placement, matched.others)
        guess = subject.initial_guess(on_labels, matched.placement, labels, few)
        watch.give_back()
    with watch.stage("calibrate") as part:
        known, others = part_of(part, 0.0, 0.5), part_of(part, 0.5, 1.0)
        judged_labels = judging is not Judging.NONE and options.relabel and given is None
        fitted = _by_names(subject, guess, matched, few, known, judged=judged_labels)
        if judged_labels and (settled := resettle(matched, subject, guess, at, few, fitted, judging)) is not None:
            matched, cleaned, fitted = settled, clean_markers(settled.take, subject, settings, device), None
            labels, (_, few) = matched.take.labels, coarse(cleaned.observations)
            guess = subject.initial_guess(None, matched.placement, labels, few)
        fitted = fitted or subject.fit_known(guess, matched.placement, few, None)
        rest = part if fitted is None else others
        actor, attached = subject.calibrated(fitted, guess, matched.placement, labels, few, rest, fit_given=settings.fit_actor)
    return _Fitted(matched, cleaned, few, guess, actor, lacking, attached)


def _by_names(
    subject: Subject, guess: InitialGuess, matched: Matched, few: Observations, progress: Progress | None, *, judged: bool
) -> KnownFit | None:
    """The actor by the labels that the names say; None where none is to be fitted, or, while they are to be judged, none can be."""
    try:
        return subject.fit_known(guess, matched.placement, few, progress)
    except torch.linalg.LinAlgError:  # pyright: ignore[reportPrivateImportUsage]
        if judged:
            return None
        raise


@dataclass(frozen=True, eq=False)
class _Followed:
    """A take whose poses are solved, and of what led there no more than the last stages need: a long take fills much memory.

    Attributes:
        body: Of its actor.
        pose: Of every frame, without the markers' jitter.
        cleaned: The actor's markers, on their right labels.
        findings: What the user should know so far.
        columns: Of `Take.file_columns`, those of the markers that were matched.
    """

    body: Body
    pose: Pose
    cleaned: CleanTake
    findings: tuple[Finding, ...]
    columns: dict[str, tuple[str, ...]]


def _follow(
    identified: Identified,
    settings: Settings,
    given: Actor | None,
    watch: Stopwatch,
    device: torch.device,
    options: SolverOptions,
    judging: Judging,
) -> _Followed:
    """Find the poses of a take whose markers are named; see `_fit`."""
    take, subject = identified.take, identified.subject
    fitted = _fit(identified, settings, given, watch, device, options, judging)
    matched, actor, few, guess = fitted.matched, fitted.actor, fitted.few, fitted.guess
    said = (*matched.findings, *fitted.lacking, *fitted.attached)
    seen = fitted.cleaned.only(actor.labels)
    del fitted
    with watch.stage("find") as part:
        calibrated = Body(actor, subject.prior.pose, device, few.points.dtype)
        advice = options.advised(guess.advice.on(matched.take.labels, actor.labels) if guess.advice else None)
        first = find_poses(calibrated, subject.prior.pose, seen.observations, guess.pose, advice, part, options)
        judged = () if given is None else given.labels
        body, found, restuck = follow_restuck(calibrated, subject.prior.pose, seen.observations, first, judged)
        if options.fit:
            found = with_edges(body, subject.prior.pose, seen.observations, found)
    with watch.stage("relabel"):
        relabelled, swaps = _relabelled(body, seen, take, found, watch, options)
        mending = options.relabel and options.fit
        back = put_back(body, subject.prior.pose, seen.cleaned, relabelled, seen.observations, found) if mending else None
        pinned = seen.take.pinned
        if back is not None:
            whole = replace(seen.take, pinned=back.samples if pinned is None else pinned | back.samples)
            del seen
            seen, found = clean_markers(whole, subject, settings, device), back.found
            relabelled, swaps = _relabelled(body, seen, take, found, watch, options)
        if swaps:
            # before it is cleaned anew: both would stand in memory
            del seen
            seen = clean_markers(relabelled, subject, settings, device)
        if back is not None:
            # what was put back is none that the user pinned
            seen = replace(seen, cleaned=replace(seen.cleaned, take=replace(seen.cleaned.take, pinned=pinned)))
    with watch.stage("pose") as part:
        pose = fit_poses(body, subject.prior.pose, seen.observations, found, part, options)
        pose = refine_ends(body, subject.prior.pose, seen.observations, found, pose, options)
    cleaned = seen.cleaned
    # what the solver took is not needed any more
    del seen
    with watch.stage("smooth"):
        smooth = smoothed(pose, take.rate_hz, settings.smooth)
    corrections = [each.finding(take.number) for each in in_order((*matched.corrections, *swaps))]
    findings = (*said, *(each.finding for each in restuck), *corrections)
    return _Followed(body, smooth, cleaned, findings, matched.take.file_columns)


def _solve(
    identified: Identified,
    settings: Settings,
    given: Actor | None,
    watch: Stopwatch,
    device: torch.device,
    options: SolverOptions,
    stands: Stands | None,
    judging: Judging,
) -> Solution:
    """Solve a take whose markers are named; see `_fit`."""
    take, prior = identified.take, identified.subject.prior.pose
    followed = _follow(identified, settings, given, watch, device, options, judging)
    body, smooth, cleaned = followed.body, followed.pose, followed.cleaned
    with watch.stage("feet"):
        asked = asked_of_feet(settings, stands, take.frames)
        held = hold_feet(smooth, body.actor, prior, cleaned, asked) if options.hold_feet else Held(smooth)
    with watch.stage("results"):
        positions, rotations, markers = as_arrays(body, held.pose)
        watch.give_back()
        coverage = look_covered(cleaned, body.actor, keep_guessed=settings.keep_guessed)
        columns = {**take.file_columns, **followed.columns}
        after = (*cleaned.findings, *coverage.findings, *far_off(cleaned, markers))
        findings = tuple(each if each in take.findings else each.called(columns) for each in (*followed.findings, *after))
    unheld = unheld_of(smooth, body.actor, cleaned, coverage.keyed)
    arrays = cleaned, body.actor, rotations, positions, markers
    return Solution(*arrays, watch.seconds, held.contacts, findings, coverage.keyed, floor_m=held.floor_m, unheld=unheld)


def _relabelled(
    body: Body, seen: Trajectories, take: Take, found: Found, watch: Stopwatch, options: SolverOptions
) -> tuple[Take, tuple[Correction, ...]]:
    """The body's markers with labels put right by poses that were found, and what was corrected."""
    if not options.relabel:
        return seen.take, ()
    places = marker_places(body, found, take.frames)
    watch.give_back()
    return relabel(seen.take, unlabelled(take), places)
