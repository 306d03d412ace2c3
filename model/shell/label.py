# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m model label`: from files of points without names to the same files with labels, and a table of how sure they are."""

from __future__ import annotations

import argparse
import csv
import time
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from ..actors.actor import Actor
from ..actors.actor_file import read_actor, write_actor
from ..core.loading import uncollected
from ..core.settings import SETTINGS
from ..core.take import Take
from ..files.readers import READERS, read_take
from ..marker_sets.marker_set import MarkerSet, load_marker_set, write_marker_set
from ..storage.atomic import replacing
from .cli import UsageError
from .runs import TakeJob, add_setting_arguments, end_run, make_folders, run_each
from .terminal import progress_bar

if TYPE_CHECKING:
    from ..labelling.labelled import Labelled


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("takes", nargs="+", type=Path, metavar="TAKE", help=f"files of points: {' '.join(READERS)}")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for DIR/<stem>.c3d and DIR/<stem>.labels.csv")
    parser.add_argument("--actor", type=Path, metavar="ACTOR.json", help="whose markers they are: an actor that was saved")
    parser.add_argument(
        "--layout", type=Path, metavar="SET.json", help="a marker set of your own instead of the bundled one that fits best"
    )
    parser.add_argument(
        "--unknown-layout", action="store_true", help="the markers are of no set: they get names by the bones on which they are found"
    )
    parser.add_argument(
        "--save-layout", type=Path, metavar="SET.json", help="save what was found as SET.json and SET.actor.json (one take only)"
    )
    add_setting_arguments(parser, {"up": SETTINGS["up"]})
    parser.add_argument("--force", action="store_true", help="overwrite files that exist")


def run(arguments: argparse.Namespace) -> int:
    """Label every take; one that fails does not stop the others.

    Raises:
        UsageError: Of the arguments, before anything is labelled.
        BonesetterError: The actor or the marker set cannot be read, or the folder not be made.
    """
    saved = arguments.save_layout
    if arguments.unknown_layout and (arguments.layout or arguments.actor):
        raise UsageError("--unknown-layout goes with neither --layout nor --actor: these say where the markers are.")
    if saved and len(arguments.takes) > 1:
        raise UsageError("--save-layout takes one take: each has its own actor.")
    stems = [take.stem.casefold() for take in arguments.takes]
    if len(set(stems)) < len(stems):
        raise UsageError("Two takes of one name would be written to the same file: label them in two runs.")
    also = {"set": saved, "actor": saved.with_suffix(".actor.json")} if saved else {}
    jobs = [
        TakeJob(take, {"c3d": arguments.out / f"{take.stem}.c3d", **also}, arguments.out / f"{take.stem}.labels.csv", None)
        for take in arguments.takes
    ]
    if overwritten := [job.take for job in jobs if job.exports["c3d"].resolve() in {take.resolve() for take in arguments.takes}]:
        raise UsageError(f"{overwritten[0]} is a take itself, which is not overwritten: choose another folder for --out.")
    actor = read_actor(arguments.actor) if arguments.actor else None
    marker_set = load_marker_set(arguments.layout) if arguments.layout else None
    make_folders(jobs)
    failed = run_each(
        jobs,
        lambda job: read_take(job.take, arguments.up),
        _load_labelling,
        lambda job, take: _label(job, take, actor, marker_set, arguments.unknown_layout, force=arguments.force),
        force=arguments.force,
    )
    return end_run(failed, None)


def _load_labelling() -> None:
    """Import what labels takes, once for all of them."""
    with uncollected():
        from ..labelling import label, people  # noqa: F401


def _label(job: TakeJob, take: Take, actor: Actor | None, marker_set: MarkerSet | None, unknown: bool, *, force: bool) -> None:
    # not above: they bring torch
    from ..files.c3d_labels import write_labelled_c3d
    from ..labelling.label import label_take
    from ..labelling.layout import layout_of
    from ..labelling.people import label_people
    from ..markers.frozen import without_frozen

    begin = time.perf_counter()
    take = without_frozen(take)
    with progress_bar(take.name) as progress:
        several = () if unknown else label_people(take, actor, marker_set, progress=progress)
        people = several or (label_take(take, actor, marker_set, progress=progress, unknown_set=unknown),)
    seconds = time.perf_counter() - begin
    jobs = [job] if len(people) == 1 else [job.of_person(found.take.name.removeprefix(f"{take.name}.")) for found in people]
    for own in jobs if len(people) > 1 and not force else ():
        own.check_free()
    for found, own in zip(people, jobs, strict=True):
        write_labelled_c3d(found, own.exports["c3d"])
        write_table(found, own.report)
        if "set" in own.exports:
            write_marker_set(layout_of(found), own.exports["set"])
            write_actor(found.actor, own.exports["actor"])
        print(f"{found.take.name}: {take.frames} frames in {seconds:.1f} s")
        for finding in found.findings:
            print(f"  {finding.text}")


def write_table(found: Labelled, path: Path) -> None:
    """Write a line for every track: its column, frames as the take counts them, label, confidence and second best label."""
    from ..labelling.labelled import TrackLabel

    with replacing(path) as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(field.name for field in fields(TrackLabel))
        for row in found.tracks:
            number = found.take.number
            rows.writerow(
                [row.column, number(row.first), number(row.last), row.label, f"{row.confidence:.4f}", row.second, row.bone, row.kept_as]
            )
