# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m model solve`: from files of markers to files of their solved skeletons."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..actors.actor import Actor
from ..actors.actor_file import read_actor, write_actor
from ..core.errors import BonesetterError
from ..core.loading import uncollected
from ..core.settings import Settings
from ..core.take import Take
from ..files.output import USUAL_FORMATS, WRITERS, write_outputs
from ..files.readers import read_take
from ..marker_sets.marker_set import MarkerSet, load_marker_set, write_marker_set
from ..rigs.choices import SkeletonChoice
from ..storage.atomic import staged
from .boot import boot_command
from .cli import UsageError
from .resume import MADE_FROM, Recipe, made_from
from .runs import TakeJob, end_solves, make_folders, one_line, plan, run_each, settings_from, skeleton_from, tell
from .runs import add_arguments as add_run_arguments
from .terminal import progress_bar
from .workers import add_arguments as add_worker_arguments
from .workers import solve_all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_run_arguments(parser, sorted(WRITERS), USUAL_FORMATS)
    add_worker_arguments(parser)
    parser.add_argument(
        "--save-layout",
        type=Path,
        metavar="SET.json",
        help="save the markers and where they sit as SET.json and SET.actor.json, to solve the next takes by (one take only)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Solve every take; one that fails does not stop the others.

    Raises:
        UsageError: Of the arguments, before anything is solved.
        BonesetterError: The actor or the marker set cannot be read, or the folder not be made.
    """
    jobs = [replace(job, save_layout=arguments.save_layout) for job in plan(arguments)]
    if arguments.save_layout and len(jobs) > 1:
        raise UsageError("--save-layout takes one take: each has its own actor.")
    settings, skeleton = settings_from(arguments), skeleton_from(arguments)
    actor = read_actor(arguments.actor) if arguments.actor else None
    marker_set = load_marker_set(arguments.layout) if arguments.layout else None
    make_folders(jobs)
    recipe = Recipe(settings, (arguments.actor, arguments.layout), skeleton._asdict())

    def solve_here(some: Sequence[TakeJob], settings: Settings) -> dict[str, str]:
        return run_each(
            some,
            lambda job: _read(job, settings.up, recipe),
            lambda: _load_solver(settings.device),
            lambda job, read: _solve(job, read, settings, actor, marker_set, skeleton, force=arguments.force),
            force=arguments.force,
        )

    failed = solve_all(jobs, recipe, settings, arguments, [*boot_command(), *arguments.typed], solve_here)
    return end_solves(failed, jobs, arguments)


def _load_solver(device: str) -> None:
    """Import the solver and its weights, so that no take is timed with them, and ask whether it has the device."""
    with uncollected():
        try:
            from ..actors.prior import bundled as bundled_prior
            from ..engine.pipeline import find_device
            from ..proposer.propose import bundled_network
        except ImportError as error:
            raise BonesetterError(f"The solver cannot be loaded ({one_line(error)}): install what pyproject.toml lists.") from error
        bundled_prior()
        bundled_network()
    try:
        find_device(device)
    except BonesetterError as error:
        raise UsageError(str(error)) from error


#: A take, the seconds that reading it took, and the digest of what its result is made from.
_Read = tuple[Take, float, str]


def _read(job: TakeJob, up: str, recipe: Recipe) -> _Read:
    digest, begin = recipe.digest(job.take), time.perf_counter()
    return read_take(job.take, up), time.perf_counter() - begin, digest


def _solve(
    job: TakeJob,
    read: _Read,
    settings: Settings,
    actor: Actor | None,
    marker_set: MarkerSet | None,
    skeleton: SkeletonChoice,
    *,
    force: bool,
) -> None:
    """Solve a take and write its files, of several people each one's, named for both."""
    # not above: they bring torch
    from ..engine.pipeline import solve_people
    from ..labelling.layout import set_of_actor

    take, seconds, digest = read
    with progress_bar(take.name) as progress:
        solutions = solve_people(take, settings, actor, progress, marker_set=marker_set)
    jobs, people = [job], []
    if len(solutions) > 1:
        people = [solution.clean.take.name.removeprefix(f"{take.name}.") for solution in solutions]
        jobs = [job.of_person(name) for name in people]
        for one in jobs if not force else ():
            one.check_free()
    for one, solution in zip(jobs, solutions, strict=True):
        with staged() as beside:
            here = one.staged(beside)
            notes = {MADE_FROM: made_from(digest, people)}
            report = write_outputs(solution, here.exports, here.report, here.save_actor, seconds, skeleton, notes)
            if here.save_layout is not None and one.layout_actor is not None:
                write_marker_set(set_of_actor(solution.actor, solution.clean.take.name, marker_set), here.save_layout)
                write_actor(solution.actor, beside(one.layout_actor))
        tell(take.name if len(solutions) == 1 else solution.clean.take.name, report, one.report)
