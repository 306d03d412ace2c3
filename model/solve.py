# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m model solve`: from C3D files to files of their solved skeletons."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .actor import Actor
from .c3d import read_c3d
from .cli import FAILED, UsageError
from .output import WRITERS, write_outputs
from .settings import Settings
from .take import BonesetterError

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Job:
    """One take and where everything that comes of it goes."""

    take: Path
    exports: dict[str, Path]
    report: Path
    save_actor: Path | None

    @property
    def outputs(self) -> list[Path]:
        return [*self.exports.values(), self.report, *([self.save_actor] if self.save_actor else [])]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options; the thresholds' defaults are those of the panel."""
    usual = Settings()
    parser.add_argument("takes", nargs="+", type=Path, metavar="TAKE.c3d")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for DIR/<stem>.<format> and DIR/<stem>.json")
    parser.add_argument("--format", nargs="+", choices=sorted(WRITERS), default=sorted(WRITERS), help="default: all of them")
    parser.add_argument("--actor", type=Path, metavar="ACTOR.json", help="solve with this actor instead of fitting one")
    parser.add_argument("--save-actor", type=Path, metavar="ACTOR.json", help="save the fitted actor (one take only)")
    parser.add_argument("--force", action="store_true", help="overwrite files that exist")
    parser.add_argument("--device", default=usual.device, help="a torch device, or auto for a GPU where there is one")
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument(
        "--max-speed", type=float, default=usual.max_speed, metavar="M/S", help="a faster jump off a marker's path is noise (%(default)s)"
    )
    parser.add_argument(
        "--rigid-tolerance", type=float, default=usual.rigid_tolerance, metavar="MM", help="of distances in a rigid group (%(default)s)"
    )
    parser.add_argument(
        "--max-residual", type=float, default=usual.max_residual, metavar="MM", help="a larger C3D residual is noise (%(default)s)"
    )
    parser.add_argument("--max-gap", type=float, default=usual.max_gap, metavar="S", help="longer gaps are not filled (%(default)s)")
    parser.add_argument("--smooth", type=float, default=usual.smooth, metavar="0-1", help="how much jitter to remove (%(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Solve every take; one that fails does not stop the others.

    Raises:
        UsageError: Of the arguments, before anything is solved.
        BonesetterError: The actor cannot be read or the folder not be made.
    """
    jobs = plan(arguments)
    settings = _settings(arguments)
    actor = Actor.load(arguments.actor) if arguments.actor else None
    _make_folders(jobs)
    solve_take = _engine()
    failed = 0
    for job in jobs:
        try:
            _solve(job, settings, actor, force=arguments.force, solve_take=solve_take)
        except BonesetterError as error:
            print(f"{job.take}: {error}", file=sys.stderr)
            failed += 1
        except Exception as error:  # a bug in one take must not cost the user the others
            print(f"{job.take}: failed unexpectedly ({type(error).__name__}: {_one_line(error)}): please report it.", file=sys.stderr)
            failed += 1
    return FAILED if failed else 0


def plan(arguments: argparse.Namespace) -> list[Job]:
    """One job per take.

    Raises:
        UsageError: Two takes, or a take and the actor, would be written to the same file.
    """
    stems: dict[str, Path] = {}
    for take in arguments.takes:
        # Case is ignored, as some file systems do.
        other = stems.setdefault(take.stem.casefold(), take)
        if other is not take:
            raise UsageError(f"{other} and {take} would both be written to {arguments.out / take.stem}.*: solve them in two runs.")
    if arguments.save_actor and len(arguments.takes) > 1:
        raise UsageError("--save-actor takes one take: each has its own actor.")
    if arguments.out.exists() and not arguments.out.is_dir():
        raise UsageError(f"--out {arguments.out} is not a folder.")
    jobs = [
        Job(
            take,
            {name: arguments.out / f"{take.stem}.{name}" for name in dict.fromkeys(arguments.format)},
            arguments.out / f"{take.stem}.json",
            arguments.save_actor,
        )
        for take in arguments.takes
    ]
    for job in jobs:
        if job.save_actor and job.save_actor.resolve() in {path.resolve() for path in (*job.exports.values(), job.report)}:
            raise UsageError(f"--save-actor {job.save_actor} is where the take's own files go: choose another name.")
    return jobs


def _settings(arguments: argparse.Namespace) -> Settings:
    try:
        return Settings(**{field.name: getattr(arguments, field.name) for field in fields(Settings)})
    except BonesetterError as error:
        raise UsageError(str(error)) from error


def _make_folders(jobs: list[Job]) -> None:
    for folder in {path.parent for job in jobs for path in job.outputs}:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BonesetterError(f"The folder {folder} cannot be made ({error.strerror}): choose another.") from error


def _engine() -> Callable[..., Any]:
    """The solver. Imported before the first take, so that no take is timed with it."""
    try:
        from .pipeline import solve_take
    except ImportError as error:
        raise BonesetterError(f"The solver cannot be loaded ({_one_line(error)}): install what pyproject.toml lists.") from error
    return solve_take


def _solve(job: Job, settings: Settings, actor: Actor | None, *, force: bool, solve_take: Callable[..., Any]) -> None:
    existing = [path for path in job.outputs if path.exists()]
    if existing and not force:
        raise BonesetterError(f"{existing[0]} exists already: use --force to overwrite it.")
    begin = time.perf_counter()
    take = read_c3d(job.take)
    read = time.perf_counter() - begin
    with _bar(take.name) as progress:
        solution = solve_take(take, settings, actor, progress)
    report = write_outputs(solution, job.exports, job.report, job.save_actor, read)
    print(_summary(take.name, report))


@contextmanager
def _bar(name: str) -> Iterator[Progress]:
    """A progress bar on a terminal, nothing elsewhere."""
    layout = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}{postfix}"
    with tqdm(total=1.0, desc=name, bar_format=layout, leave=False, disable=None, file=sys.stderr) as bar:

        def progress(stage: str, part: float) -> None:
            bar.set_postfix_str(stage, refresh=False)
            bar.update(max(0.0, part - bar.n))

        yield progress


def _summary(name: str, report: dict[str, Any]) -> str:
    seconds = sum(report["seconds"].values())
    residual = report["marker_residual_mm"]["mean"]
    flagged = sum(count for counts in report["flagged"].values() for count in counts.values())
    said = "no samples" if residual is None else f"marker residual {residual:.1f} mm"
    return f"{name}: {report['frames']} frames in {seconds:.1f} s, {said}, {flagged} samples flagged"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
