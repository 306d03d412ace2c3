# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m model farm`: a shoot as a job of a farm manager, written and not run."""

from __future__ import annotations

import argparse
import importlib
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from ...actors.actor_file import read_actor
from ...core.errors import BonesetterError
from ...core.settings import SETTINGS
from ...files.output import USUAL_FORMATS, WRITERS
from ...marker_sets.marker_set import load_marker_set
from ...storage.atomic import staged
from ..boot import boot_command
from ..cli import UsageError
from ..lists import add_list_arguments, choose_takes, list_text
from ..runs import add_setting_arguments, add_skeleton_arguments, option, plan, settings_from, skeleton_from
from .shoot import Farm, Shoot

#: {farm manager: what `--template` is for it}.
FARMS = {
    "openjd": "a template of Open Job Description 2023-09, as AWS Deadline Cloud runs it",
    "flamenco": "a job for the API of Flamenco 3, with the job type beside it",
    "opencue": "an outline for OpenCue's pycuerun",
}
#: How many takes a task solves, unless told otherwise: for a whole machine, each of whose cores starts a process, and for one core.
CHUNK, CHUNK_OF_A_CORE = 100, 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_list_arguments(parser)
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for all results, which all machines write into")
    parser.add_argument("--template", required=True, type=Path, metavar="JOB", help="the file that the farm manager is handed")
    parser.add_argument(
        "--for", dest="farm", choices=FARMS, default="openjd", help="; ".join(f"{name}: {is_}" for name, is_ in FARMS.items())
    )
    parser.add_argument("--name", help="of the job; the name of --out unless given")
    parser.add_argument(
        "--chunk",
        type=int,
        metavar="N",
        help=f"how many takes a task solves ({CHUNK}, or {CHUNK_OF_A_CORE} where a task has one core, as with OpenCue)",
    )
    parser.add_argument(
        "--engine", metavar="COMMAND", help="what calls the engine on the farm's machines, such as /opt/bonesetter/bin/bonesetter"
    )
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument("--rom", type=Path, metavar="TAKE", help="the range of motion to which the actor is fitted that solves all takes")
    whose.add_argument("--actor", type=Path, metavar="ACTOR.json", help="solve with this actor instead of fitting one")
    parser.add_argument("--layout", type=Path, metavar="SET.json", help="a marker set of your own")
    parser.add_argument("--format", nargs="+", choices=sorted(WRITERS), default=USUAL_FORMATS, help=f"default: {' '.join(USUAL_FORMATS)}")
    parser.add_argument("--force", action="store_true", help="overwrite files that exist")
    add_skeleton_arguments(parser)
    add_setting_arguments(parser, SETTINGS)


def run(arguments: argparse.Namespace) -> int:
    """Write the job.

    Raises:
        UsageError: Of the arguments.
        BonesetterError: A take, the actor or the marker set cannot be read, or a file not be written.
    """
    farm = cast(Farm, importlib.import_module(f".{arguments.farm}", __package__))
    template = arguments.template.absolute()
    shoot = shoot_of(arguments, template, whole_machine=farm.WHOLE_MACHINE)
    documents = {shoot.list: list_text(shoot.takes), **farm.documents(shoot, template)}
    existing = [path for path in documents if path.exists()]
    if existing and not arguments.force:
        raise BonesetterError(f"{existing[0]} exists already: use --force to overwrite it.")
    template.parent.mkdir(parents=True, exist_ok=True)
    with staged() as beside:
        for path, text in documents.items():
            try:
                beside(path).write_bytes(text if isinstance(text, bytes) else text.encode())
            except UnicodeEncodeError as error:
                raise BonesetterError(
                    f"{error.object!r} has bytes in it that are no text, which no template can have: rename it."
                ) from error
    tasks = shoot.parts + 1 + (shoot.range_of_motion is not None)
    print(f"{template}: {len(shoot.takes)} takes in {shoot.parts} parts, {tasks} tasks. To run it:\n{farm.told(shoot, template)}")
    return 0


def shoot_of(arguments: argparse.Namespace, template: Path, *, whole_machine: bool) -> Shoot:
    """The shoot of the command line.

    Args:
        arguments: Of the command.
        template: Absolute; the list of takes goes beside it.
        whole_machine: A task has all cores of its machine; else one, unless told otherwise.

    Raises:
        UsageError: Of the arguments.
        BonesetterError: A take, the actor or the marker set cannot be read.
    """
    if arguments.chunk is None:
        arguments.chunk = CHUNK if whole_machine else CHUNK_OF_A_CORE
    choose_takes(arguments)
    takes = [Path(os.path.abspath(take)) for take in arguments.takes]  # noqa: PTH100  # without links followed, and without ..
    rom = Path(os.path.abspath(arguments.rom)) if arguments.rom else None  # noqa: PTH100
    takes = [*([rom] if rom else []), *(take for take in takes if take != rom)]
    _check(arguments, takes)
    folder = _folder_of(takes)
    names = [take.relative_to(folder).as_posix() for take in takes]
    if not whole_machine and not arguments.workers:
        arguments.workers = 1
    out = arguments.out.absolute()
    listed = tuple(names[1:] if rom else names)
    return Shoot(
        name=" ".join((arguments.name or out.name or "Bonesetter").split()),
        folder=folder,
        takes=listed,
        range_of_motion=names[0] if rom else None,
        list=template.with_suffix(".takes.txt"),
        parts=-(-len(listed) // arguments.chunk),
        out=out,
        actor=arguments.actor.absolute() if arguments.actor else None,
        layout=arguments.layout.absolute() if arguments.layout else None,
        options=tuple(_options(arguments)),
        engine=tuple(_engine(arguments.engine)),
        cores=arguments.workers,
    )


def _check(arguments: argparse.Namespace, takes: Sequence[Path]) -> None:
    """Say now what every task would say.

    Raises:
        UsageError, BonesetterError: See `shoot_of`.
    """
    if arguments.chunk < 1:
        raise UsageError("--chunk must be at least 1.")
    settings_from(arguments)
    if missing := [take for take in takes if not take.is_file()]:
        raise BonesetterError(f"There is no take {missing[0]}: name takes that are there.")
    if arguments.actor:
        read_actor(arguments.actor)
    if arguments.layout:
        load_marker_set(arguments.layout)
    # names that collide do so whichever tasks the takes are in
    plan(argparse.Namespace(**vars(arguments) | {"takes": list(takes), "save_actor": None, "report": True}))


def _folder_of(takes: Sequence[Path]) -> Path:
    """The innermost folder that has all takes.

    Raises:
        UsageError: There is none, as on two drives.
    """
    try:
        return Path(os.path.commonpath([take.parent for take in takes]))
    except ValueError as error:
        raise UsageError("The takes lie on several drives: put them under one folder.") from error


def _options(arguments: argparse.Namespace) -> list[str]:
    """The options of `solve` that the command line has, each with its value in one word; pages are always written, for the report."""
    options = ["--format", *dict.fromkeys([*arguments.format, "html"])]
    skeleton = skeleton_from(arguments)
    options += [f"--skeleton={skeleton.kind}", f"--rest-pose={skeleton.rest}", f"--bone-names={skeleton.names}"]
    for name, setting in SETTINGS.items():
        value = getattr(arguments, name)
        if value != setting.default:
            options.append(option(name, setting) if isinstance(value, bool) else f"{option(name, setting)}={value}")
    return options


def _engine(command: str | None) -> list[str]:
    """The words that call the engine; of none given those that call this one."""
    if command is None:
        return boot_command()
    words = [word.strip('"') for word in shlex.split(command, posix=False)] if sys.platform == "win32" else shlex.split(command)
    if not words:
        raise UsageError("--engine names no program: name one, or leave the option out.")
    return words
