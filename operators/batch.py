# SPDX-License-Identifier: GPL-3.0-or-later
"""Solve takes without a window, each in a file of its own: what `batch.py`, beside this folder, calls."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import bpy

from ..model.actors.actor_file import read_actor
from ..model.core.errors import BonesetterError
from ..model.core.settings import Settings
from ..model.core.take import Take
from ..model.files.exchange import load_take
from ..model.files.output import WRITERS as ENGINE_WRITERS
from ..model.files.readers import read_take
from ..model.marker_sets.marker_set import load_marker_set
from ..model.markers.people import people_of
from ..model.result.report import write_report
from ..model.shell.cli import FAILED, UsageError, with_values
from ..model.shell.resume import MADE_FROM, Recipe, made_from
from ..model.shell.runs import TakeJob, add_arguments, end_solves, make_folders, plan, run_each, settings_from, skeleton_from, tell
from ..model.shell.workers import add_arguments as add_worker_arguments
from ..model.shell.workers import solve_all
from ..model.storage.atomic import staged
from .batch_rig import add_rig_arguments, check_rig, fit_rig, move_rig, open_file
from .body import show_body
from .empties import ImportOptions, build_take
from .export import write_fbx, write_glb, write_usd
from .import_c3d import set_range, set_rate
from .refusals import said_of
from .session import session
from .skeletons import choose_skeleton
from .solver_python import engine_python
from .solving import begin, finish
from .space import Timing

#: Seconds by stage.
Seconds = dict[str, float]


def main(arguments: Sequence[str]) -> int:
    """Solve the takes.

    Returns:
        The exit code: 0 when all were solved, 1 when some failed; wrong usage exits with 2.
    """
    parser = argparse.ArgumentParser(prog="batch.py", description="Solve takes in Blender.", allow_abbrev=False)
    add_arguments(parser, sorted([*ENGINE_WRITERS, *WRITERS]), ["blend", "bvh"])
    add_rig_arguments(parser)
    add_worker_arguments(parser)
    given = parser.parse_args(with_values(arguments))
    try:
        jobs, settings = plan(given), settings_from(given)
        check_rig(given)
    except UsageError as error:
        parser.error(str(error))
    except BonesetterError as error:
        print(error, file=sys.stderr)
        return FAILED
    try:
        if given.actor:
            read_actor(given.actor)
        if given.layout:
            load_marker_set(given.layout)
        make_folders(jobs)
        recipe = _recipe(settings, given)

        def solve_here(some: Sequence[TakeJob], settings: Settings) -> dict[str, str]:
            return run_each(
                some,
                lambda job: _read(job, settings.up, recipe),
                _warm_engine,
                lambda job, read: _solve_whole(job, *read, settings, given),
                force=given.force,
            )

        failed = solve_all(jobs, recipe, settings, given, _worker_command(arguments), solve_here)
        return end_solves(failed, jobs, given)
    except UsageError as error:
        parser.error(str(error))
    except BonesetterError as error:
        print(error, file=sys.stderr)
        return FAILED
    finally:
        session.engine.close()


def _worker_command(arguments: Sequence[str]) -> list[str]:
    """What calls `batch.py` once more with the same arguments, see `workers`; the bpy wheel is no program, but a module of a Python."""
    script = str(Path(__file__).resolve().parents[1] / "batch.py")
    if not bpy.app.binary_path:
        return [sys.executable, script, *arguments]
    return [bpy.app.binary_path, "--background", "--python-exit-code", "1", "--python", script, "--", *arguments]


def _warm_engine() -> None:
    """Start the engine before the first take, so that no take is timed with it."""
    session.engine.submit(engine_python(), {"ping": True}).wait()


def _recipe(settings: Settings, given: argparse.Namespace) -> Recipe:
    """What all results of the run are made from, besides their takes; this Blender and what keys its curves are part of it."""
    here = Path(__file__).resolve().parent
    options = [
        bpy.app.version_string,
        given.rig_object,
        given.root_motion,
        given.rig_as_actor,
        given.hands,
        given.body,
        skeleton_from(given)._asdict(),
    ]
    return Recipe(settings, (given.actor, given.layout, given.rig, given.bone_map), options, (here,))


def _read(job: TakeJob, up: str, recipe: Recipe) -> tuple[Take, Seconds, str]:
    """A take, the seconds that reading it took, and the digest of what its result is made from."""
    seconds: Seconds = {}
    digest = recipe.digest(job.take)
    with _timed(seconds, "read"):
        take = read_take(job.take, up)
    return take, seconds, digest


class _PeopleFoundError(Exception):
    """Several people were found in a take that has no names."""

    def __init__(self, people: Sequence[Take]) -> None:
        super().__init__()
        self.people = people


def _solve_whole(job: TakeJob, take: Take, seconds: Seconds, digest: str, settings: Settings, given: argparse.Namespace) -> None:
    """Solve one take and say so; of several people each one has files of his own, which are there all together or not at all."""
    people = people_of(take)
    if len(people) == 1:
        try:
            _solve_one(job, take, seconds, made_from(digest), settings, given)
        except _PeopleFoundError as found:
            people = found.people
    if len(people) > 1:
        names = [one.name.removeprefix(f"{take.name}.") for one in people]
        jobs = [job.of_person(name) for name in names]
        for own in jobs if not given.force else ():
            own.check_free()
        for own, one in zip(jobs, people, strict=True):
            _solve_one(own, one, dict(seconds), made_from(digest, names), settings, given)


def _solve_one(job: TakeJob, take: Take, seconds: Seconds, noted: dict[str, Any], settings: Settings, given: argparse.Namespace) -> None:
    with staged() as beside:
        here = job.staged(beside)
        report = _solve(here, take, seconds, settings, given) | {MADE_FROM: noted}
        write_report(report, here.report)
    tell(take.name, report, job.report)


def _solve(job: TakeJob, take: Take, seconds: Seconds, settings: Settings, given: argparse.Namespace) -> dict[str, Any]:
    """Import, solve and write one take, in a file of its own; returns its report, which is not written yet."""
    open_file(given)
    scene = bpy.context.scene
    with _timed(seconds, "import"):
        set_rate(scene, take.rate_hz)
        timing = Timing(1, 1, take.frames)
        collection = build_take(scene, take, timing, ImportOptions(), job.take.resolve())
        set_range(scene, [timing])
        skeleton = skeleton_from(given)
        choose_skeleton(collection, skeleton)
    with _timed(seconds, "engine"):
        exports = {name: str(path.resolve()) for name, path in job.exports.items() if name not in WRITERS}
        named = {"actor": given.actor, "layout": given.layout, "save_actor": job.save_actor}
        files = {name: str(path.resolve()) for name, path in named.items() if path}
        if given.rig_as_actor and (
            actor := _fit_rig(scene, collection, settings, given, {k: v for k, v in files.items() if k != "save_actor"})
        ):
            files["actor"] = str(actor)
        solve = begin(scene, collection, settings, exports=exports, skeleton=skeleton._asdict(), page=None, **files)
        with _bar(take.name) as progress:
            answer = solve.job.wait(progress)
        if "people" in answer:
            raise _PeopleFoundError([load_take(Path(one["take"])) for one in answer["people"]])
    with _timed(seconds, "keyframe"):
        ((_, report),) = finish(scene, solve)
        shown = move_rig(collection, given) if given.rig else collection.bonesetter.armature
        if given.body:
            show_body(scene, shown)
    with _timed(seconds, "write"):
        for name, path in job.exports.items():
            if name in WRITERS:
                _write(WRITERS[name], path, shown)
    report["seconds"] = {stage: round(value, 6) for stage, value in _stages(seconds, report["seconds"]).items()}
    return report


def _fit_rig(
    scene: bpy.types.Scene, collection: bpy.types.Collection, settings: Settings, given: argparse.Namespace, files: dict[str, str]
) -> Path | None:
    """The character as the take's actor, see `fit_rig`."""

    def solved(**more: Any) -> bool:
        return "people" not in begin(scene, collection, settings, **(files | more)).job.wait(None)

    return fit_rig(scene, collection, solved, given)


def _stages(seconds: Seconds, inside: Seconds) -> Seconds:
    """The seconds of all stages in their order, from those taken here and those that the engine took."""
    return {
        "read": seconds["read"],
        "import": seconds["import"],
        # what the engine does not count itself: gathering the markers and handing arrays over
        "transfer": max(0.0, seconds["engine"] - sum(inside.values())),
        **{stage: value for stage, value in inside.items() if stage != "write"},
        "keyframe": seconds["keyframe"],
        "write": inside.get("write", 0.0) + seconds["write"],
    }


def _write_blend(path: Path, _armature: bpy.types.Object) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True)


Writer = Callable[[Path, bpy.types.Object], None]
WRITERS: dict[str, Writer] = {"blend": _write_blend, "fbx": write_fbx, "glb": write_glb, "usd": write_usd}


def _write(write: Writer, path: Path, armature: bpy.types.Object) -> None:
    """Write a file; what Blender says against it becomes a sentence."""
    path = path.resolve()
    with said_of(path):
        with _aside() as printed:
            write(path, armature)
        if not path.is_file():
            raise RuntimeError(f"Blender wrote nothing{': ' if printed else ''}{' '.join(printed[-1:])}")


@contextmanager
def _aside() -> Iterator[list[str]]:
    """Keep what exporters print, in Python or in C, off standard output and standard error, where the batch's own results are.

    Yields a list that has the lines afterwards.
    """
    printed: list[str] = []
    # not sys.stdout: a worker puts what is said into its answer
    streams = [stream for stream in (sys.__stdout__, sys.__stderr__) if stream is not None]
    for stream in streams:
        stream.flush()
    own = [os.dup(number) for number in (1, 2)]
    with tempfile.TemporaryFile() as kept:
        try:
            for number in (1, 2):
                os.dup2(kept.fileno(), number)
            with redirect_stdout(sys.__stdout__), redirect_stderr(sys.__stderr__):
                yield printed
        finally:
            for stream in streams:
                stream.flush()
            for number, place in zip((1, 2), own, strict=True):
                os.dup2(place, number)
                os.close(place)
            kept.seek(0)
            printed += [line.strip() for line in kept.read().decode(errors="replace").splitlines() if line.strip()]


@contextmanager
def _timed(seconds: Seconds, stage: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - begun


@contextmanager
def _bar(name: str) -> Iterator[Callable[[str, float], None] | None]:
    """Progress on a terminal, nothing elsewhere. By hand: Blender's Python has no tqdm."""
    if not sys.stderr.isatty():
        yield None
        return

    def progress(stage: str, part: float) -> None:
        done = round(part * 30)
        print(f"\r{name}: {part:4.0%}|{'#' * done}{' ' * (30 - done)}| {stage:<12}", end="", file=sys.stderr, flush=True)

    yield progress
    print("\r\x1b[K", end="", file=sys.stderr, flush=True)
