# SPDX-License-Identifier: GPL-3.0-or-later
"""A shoot as steps that a farm runs, the same on each of them: range of motion to actor, takes in parts, one report."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

#: The steps' names, in their order.
ACTOR, TAKES, REPORT = "actor", "takes", "report"


@dataclass(frozen=True)
class Shoot:
    """What a farm is to solve.

    Attributes:
        name: Of the job.
        folder: The folder, absolute, that all takes lie in.
        takes: Their names from there, with slashes; without the range of motion.
        range_of_motion: The take to which an actor is fitted, named likewise; None where one is given, or each take has its own.
        list: The file, absolute, that lists the takes.
        parts: How many tasks solve them.
        out: The folder, absolute, for all results.
        actor, layout: An actor and a marker set that are given, absolute.
        options: Further options of `solve`.
        engine: What calls the engine, as words.
        cores: How many cores a task keeps busy; 0 for all of its machine.
    """

    name: str
    folder: Path
    takes: tuple[str, ...]
    range_of_motion: str | None
    list: Path
    parts: int
    out: Path
    actor: Path | None
    layout: Path | None
    options: tuple[str, ...]
    engine: tuple[str, ...]
    cores: int = 0


@dataclass(frozen=True)
class Places:
    """How a farm calls the paths of a shoot on the machine that runs a task: as they are, or by references that it replaces."""

    folder: str
    list: str
    out: str
    actor: str
    layout: str


class Farm(Protocol):
    """A farm manager: the module of its name.

    Attributes:
        WHOLE_MACHINE: A task has its machine for itself.
    """

    WHOLE_MACHINE: bool

    def documents(self, shoot: Shoot, template: Path) -> dict[Path, str]:
        """{file: its text} of all that the farm manager is handed, the template first.

        Raises:
            UsageError: The shoot has something that the farm manager cannot have.
        """
        ...

    def told(self, shoot: Shoot, template: Path) -> str:
        """How to run it, for the user."""
        ...


def places_of(shoot: Shoot) -> Places:
    """The shoot's own paths, for farms whose machines all see the same folders."""
    actor, layout = (str(path) if path else "" for path in (shoot.actor, shoot.layout))
    return Places(str(shoot.folder), str(shoot.list), str(shoot.out), actor, layout)


def commands(shoot: Shoot, places: Places, part: str) -> dict[str, list[str]]:
    """{step: the engine's arguments}; each waits for the step before it.

    Args:
        shoot: Any.
        places: As the farm calls them.
        part: The number of a task of the takes, from 1, as the farm calls it.
    """
    shared = [*(["--layout", places.layout] if shoot.layout else []), *shoot.options]
    steps: dict[str, list[str]] = {}
    actor = places.actor
    if shoot.range_of_motion is not None:
        actor = f"{places.out}/{PurePosixPath(shoot.range_of_motion).stem}.actor.json"
        taken = f"{places.folder}/{shoot.range_of_motion}"
        steps[ACTOR] = ["solve", taken, "--out", places.out, "--save-actor", actor, "--resume", *shared]
    if shoot.takes:
        whose = ["--actor", actor] if actor else []
        listed = ["--list", places.list, "--list-folder", places.folder, "--part", f"{part}/{shoot.parts}"]
        steps[TAKES] = ["solve", *listed, "--out", places.out, "--resume", "--note-failed", *whose, *shared]
    steps[REPORT] = ["report", places.out, "--out", places.out]
    return steps


def as_json(document: Any) -> str:
    """JSON for people, which is YAML, too."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def quoted(path: Path | str) -> str:
    """A path as a word for the shell."""
    return subprocess.list2cmdline([str(path)]) if sys.platform == "win32" else shlex.quote(str(path))
