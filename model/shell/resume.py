# SPDX-License-Identifier: GPL-3.0-or-later
"""`--resume`: which takes are solved already, told by a digest of all that a result is made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from glob import escape
from pathlib import Path
from typing import Any

from ..core.settings import Settings
from ..storage.documents import checked_name, read_json
from .runs import TakeJob

PACKAGE = Path(__file__).resolve().parents[1]
#: Rooms of the package on which no result depends.
NOT_IN_RESULTS = {"bench", "datasets", "review", "shell", "study", "synthetic", "training"}
#: Settings that change how long a solve takes, and nothing else.
NOT_IN_MOTION = ("workers",)
#: What is hashed of a package: its code, its weights and its marker sets.
ENDINGS = {".json", ".py", ".safetensors"}
#: The report's entry that says what a result was made from.
MADE_FROM = "made_from"


class Recipe:
    """What all takes of a run have in common: settings, files given with them, and the version of what solves.

    Args:
        settings: Of the run.
        files: The actor, the marker set and the like, in a fixed order; None where one is not given.
        options: What else results depend on, as JSON.
        folders: Packages beside this one whose code makes results too.

    Raises:
        OSError: A file cannot be read.
    """

    def __init__(self, settings: Settings, files: Iterable[Path | None], options: Any = None, folders: Iterable[Path] = ()) -> None:
        in_motion = {name: value for name, value in asdict(settings).items() if name not in NOT_IN_MOTION}
        self._all = hashlib.sha256(json.dumps([in_motion, options], sort_keys=True).encode())
        for path in files:
            self._all.update(_digest(path) if path else b"none")
        for folder in (PACKAGE, *folders):
            for path in _sources(folder):
                self._all.update(path.relative_to(folder).as_posix().encode() + b"\0" + _digest(path))

    def digest(self, take: Path) -> str:
        """Of the result for a take, in hexadecimal; empty where its file cannot be read, which whoever reads it says.

        It is taken before the take is read: of a file that changes meanwhile the result is out of date, not fresh.
        """
        whole = self._all.copy()
        try:
            whole.update(_digest(take))
        except OSError:
            return ""
        return whole.hexdigest()


def made_from(digest: str, people: Iterable[str] = ()) -> dict[str, Any]:
    """The report's entry: the digest, and of several people of the take their names, by which their files are found."""
    return {"digest": digest, "people": sorted(people)}


def due(jobs: Sequence[TakeJob], recipe: Recipe) -> list[TakeJob]:
    """The takes of a run that are not solved yet, or out of date, whose files may be replaced; says how many are left out."""
    left = [replace(job, ours=is_ours(job)) for job in jobs if not is_fresh(job, recipe.digest(job.take))]
    if len(left) < len(jobs):
        print(f"{len(jobs) - len(left)} of {len(jobs)} takes are up to date.")
    return left


def is_fresh(job: TakeJob, digest: str) -> bool:
    """Whether all files of a take are there, made from what has this digest."""
    return bool(digest) and any(
        noted.get("digest") == digest and all(path.exists() for one in _of_people(job, noted) for path in one.outputs)
        for noted in _notes(job)
    )


def is_ours(job: TakeJob) -> bool:
    """Whether an earlier run wrote the files of a take, so that they may be replaced where they are out of date."""
    return any(True for _ in _notes(job))


def _of_people(job: TakeJob, noted: dict[str, Any]) -> list[TakeJob]:
    try:
        return [job.of_person(checked_name("a person", name)) for name in noted["people"]] or [job]
    except (KeyError, TypeError, ValueError):
        # of a report that we did not write; a name with a slash is no part of a file's name
        return [job]


def _notes(job: TakeJob) -> Iterator[dict[str, Any]]:
    """What reports of a take say of what they were made from; a take of several people has one for each."""
    if (noted := _note(job.report)) is not None:
        yield noted
        return
    for path in sorted(job.report.parent.glob(f"{escape(job.report.stem)}.*.json")):
        # not that of another take whose name only begins alike
        if (noted := _note(path)) is not None and path in {one.report for one in _of_people(job, noted)}:
            yield noted


def _note(report: Path) -> dict[str, Any] | None:
    try:
        document = read_json(report)
    except (OSError, ValueError):
        return None
    noted = document.get(MADE_FROM) if isinstance(document, dict) else None
    return noted if isinstance(noted, dict) else None


def _sources(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        rooms = path.relative_to(folder).parts
        if path.suffix in ENDINGS and rooms[0] not in NOT_IN_RESULTS and path.is_file():
            yield path


def _digest(path: Path) -> bytes:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()
