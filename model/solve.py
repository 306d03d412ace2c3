# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m model solve`: from C3D files to files of their solved skeletons."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from .actors.actor import Actor
from .actors.actor_file import read_actor
from .cli import UsageError
from .files.c3d import read_c3d
from .files.output import WRITERS, write_outputs
from .marker_sets.marker_set import MarkerSet, load_marker_set
from .runs import Job, make_folders, one_line, plan, run_each, settings_from, summary
from .runs import add_arguments as add_run_arguments
from .settings import Settings
from .take import BonesetterError
from .terminal import progress_bar


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_run_arguments(parser, sorted(WRITERS), sorted(WRITERS))


def run(arguments: argparse.Namespace) -> int:
    """Solve every take; one that fails does not stop the others.

    Raises:
        UsageError: Of the arguments, before anything is solved.
        BonesetterError: The actor or the marker set cannot be read, or the folder not be made.
    """
    jobs = plan(arguments)
    settings = settings_from(arguments)
    actor = read_actor(arguments.actor) if arguments.actor else None
    marker_set = load_marker_set(arguments.layout) if arguments.layout else None
    make_folders(jobs)
    solve_take = _engine(settings.device)
    return run_each(jobs, lambda job: _solve(job, settings, actor, marker_set, solve_take), force=arguments.force)


def _engine(device: str) -> Callable[..., Any]:
    """The solver. Imported before the first take, so that no take is timed with it, and asked whether it has the device."""
    try:
        from .pipeline import find_device, solve_take
    except ImportError as error:
        raise BonesetterError(f"The solver cannot be loaded ({one_line(error)}): install what pyproject.toml lists.") from error
    try:
        find_device(device)
    except BonesetterError as error:
        raise UsageError(str(error)) from error
    return solve_take


def _solve(job: Job, settings: Settings, actor: Actor | None, marker_set: MarkerSet | None, solve_take: Callable[..., Any]) -> None:
    begin = time.perf_counter()
    take = read_c3d(job.take)
    read = time.perf_counter() - begin
    with progress_bar(take.name) as progress:
        solution = solve_take(take, settings, actor, progress, marker_set=marker_set)
    report = write_outputs(solution, job.exports, job.report, job.save_actor, read)
    print(summary(take.name, report))
