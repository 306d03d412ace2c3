# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run over several takes is told, the same in the shell and in Blender, whose Python has numpy and little else."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from ..core.errors import BonesetterError
from ..core.findings import SEVERE, finding_of, sentences
from ..core.settings import SETTINGS, Setting, Settings
from ..files.output import of_person
from ..pages import INDEX
from ..result.report import judged
from ..rigs.choices import NAMES, REST_POSES, SKELETONS, SkeletonChoice
from .cli import FAILED, UsageError
from .failures import note_failures
from .lists import add_arguments as add_take_arguments
from .lists import choose_takes

#: What reading a take gives.
Read = TypeVar("Read")


@dataclass(frozen=True)
class TakeJob:
    """One take and where everything that comes of it goes; `ours` says that what is there already came of an earlier run."""

    take: Path
    exports: dict[str, Path]
    report: Path
    save_actor: Path | None
    save_layout: Path | None = None
    ours: bool = False

    @property
    def layout_actor(self) -> Path | None:
        """Where the actor goes that belongs to a saved layout."""
        return self.save_layout.with_suffix(".actor.json") if self.save_layout else None

    @property
    def outputs(self) -> list[Path]:
        return [*self.exports.values(), self.report, *(path for path in (self.save_actor, self.save_layout, self.layout_actor) if path)]

    def staged(self, beside: Callable[[Path], Path]) -> TakeJob:
        """The same with everything written where that function says, see `atomic.staged`."""
        return self._at(beside)

    def of_person(self, name: str) -> TakeJob:
        """The same for one of several people of the take, who stands in every name: `walk.Ann.bvh`."""
        return self._at(lambda path: of_person(path, name))

    def _at(self, elsewhere: Callable[[Path], Path]) -> TakeJob:
        exports = {name: elsewhere(path) for name, path in self.exports.items()}
        actor, layout = (elsewhere(path) if path else None for path in (self.save_actor, self.save_layout))
        return replace(self, exports=exports, report=elsewhere(self.report), save_actor=actor, save_layout=layout)

    def check_free(self) -> None:
        """Nothing is overwritten without --force, or with --resume what an earlier run wrote.

        Raises:
            BonesetterError: One of the outputs exists.
        """
        existing = [path for path in self.outputs if path.exists() and not self.ours]
        if existing:
            raise BonesetterError(f"{existing[0]} exists already: use --force to overwrite it.")


def add_arguments(parser: argparse.ArgumentParser, formats: Sequence[str], usual_formats: Sequence[str]) -> None:
    """The options; those of the settings are made of their descriptions.

    Args:
        parser: Gets them.
        formats: What can be written.
        usual_formats: What is written unless told otherwise.
    """
    add_take_arguments(parser)
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for DIR/<stem>.<format> and DIR/<stem>.json")
    parser.add_argument("--format", nargs="+", choices=formats, default=usual_formats, help=f"default: {' '.join(usual_formats)}")
    parser.add_argument("--actor", type=Path, metavar="ACTOR.json", help="solve with this actor instead of fitting one")
    parser.add_argument(
        "--layout", type=Path, metavar="SET.json", help="a marker set of your own instead of the bundled one that knows most labels"
    )
    parser.add_argument("--save-actor", type=Path, metavar="ACTOR.json", help="save the fitted actor (one take only)")
    add_skeleton_arguments(parser)
    parser.add_argument(
        "--note-failed",
        action="store_true",
        help="note a take that fails as DIR/<stem>.failed.txt for the report, and end with 0: on a farm what waits for this goes on",
    )
    parser.add_argument("--report", action="store_true", help=f"also write each take's report as a page, and DIR/{INDEX} that leads to all")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--force", action="store_true", help="overwrite files that exist")
    again.add_argument("--resume", action="store_true", help="solve only takes that are not solved yet, or whose results are out of date")
    add_setting_arguments(parser, SETTINGS)


def add_skeleton_arguments(parser: argparse.ArgumentParser) -> None:
    """On which bones a solve ends."""
    usual = SkeletonChoice()
    for name, default, choices, told in (
        ("--skeleton", usual.kind, SKELETONS, "the bones of a BVH, and of what Blender writes"),
        ("--rest-pose", usual.rest, REST_POSES, "how a production rig rests"),
        ("--bone-names", usual.names, NAMES, "what a production rig's bones are called"),
    ):
        parser.add_argument(name, choices=[one for one, _, _ in choices], default=default, help=f"{told} (%(default)s)")


def skeleton_from(arguments: argparse.Namespace) -> SkeletonChoice:
    """The bones of the command line."""
    return SkeletonChoice(arguments.skeleton, arguments.rest_pose, arguments.bone_names)


def option(name: str, setting: Setting) -> str:
    """What a setting is called in the shell: the field's name, or of a switch that is on by default what turns it off."""
    return f"--{'no-' if setting.default is True else ''}{name.replace('_', '-')}"


def add_setting_arguments(parser: argparse.ArgumentParser, settings: Mapping[str, Setting]) -> None:
    """An option for each setting.

    Args:
        parser: Gets them.
        settings: {field's name: its description}.
    """
    for name, setting in settings.items():
        told = setting.help.replace("%", "%%")
        if isinstance(setting.default, bool):
            parser.add_argument(
                option(name, setting), dest=name, action="store_const", const=not setting.default, default=setting.default, help=told
            )
            continue
        parser.add_argument(
            option(name, setting),
            type=setting.kind,
            default=setting.default,
            choices=[choice for choice, _, _ in setting.choices] or None,
            metavar=setting.placeholder or setting.unit.upper() or None,
            help=f"{told} (%(default)s)",
        )


def plan(arguments: argparse.Namespace) -> list[TakeJob]:
    """One job per take.

    Raises:
        UsageError: There is no take; or two takes, or a take and the actor, would be written to the same file.
        BonesetterError: The list of takes cannot be read.
    """
    choose_takes(arguments)
    stems: dict[str, Path] = {}
    for take in arguments.takes:
        # Case is ignored, as some file systems do.
        other = stems.setdefault(take.stem.casefold(), take)
        if other is not take:
            raise UsageError(f"{other} and {take} would both be written to {arguments.out / take.stem}.*: solve them in two runs.")
    if arguments.save_actor and len(arguments.takes) > 1:
        raise UsageError("--save-actor takes one take: each has its own actor.")
    if arguments.save_actor and arguments.save_actor.is_dir():
        raise UsageError(f"--save-actor {arguments.save_actor} is a folder: name a file in it.")
    if arguments.out.exists() and not arguments.out.is_dir():
        raise UsageError(f"--out {arguments.out} is not a folder.")
    formats: list[str] = list(dict.fromkeys([*arguments.format, *(["html"] if arguments.report else [])]))
    if "html" in formats and (named := stems.get(Path(INDEX).stem)):
        raise UsageError(f"The page of {named} would be {INDEX}, which leads to all pages: rename the take.")
    jobs = [
        TakeJob(
            take,
            {name: arguments.out / f"{take.stem}.{name}" for name in formats},
            arguments.out / f"{take.stem}.json",
            arguments.save_actor,
        )
        for take in arguments.takes
    ]
    sources = {take.resolve() for take in arguments.takes}
    for job in jobs:
        if overwritten := [path for path in job.exports.values() if path.resolve() in sources]:
            raise UsageError(f"{overwritten[0]} is a take itself, which is not overwritten: choose another folder for --out.")
        if job.save_actor and job.save_actor.resolve() in {path.resolve() for path in (*job.exports.values(), job.report)}:
            raise UsageError(f"--save-actor {job.save_actor} is where the take's own files go: choose another name.")
    return jobs


def settings_from(arguments: argparse.Namespace) -> Settings:
    """The settings.

    Raises:
        UsageError: One is out of its range.
    """
    values = {name: getattr(arguments, name) for name in SETTINGS}
    for name, setting in SETTINGS.items():
        if problem := setting.problem(values[name]):
            raise UsageError(f"{option(name, setting)} {problem}")
    return Settings(**values)


def make_folders(jobs: list[TakeJob]) -> None:
    """Make the folders that the jobs write to.

    Raises:
        BonesetterError: One cannot be made.
    """
    for folder in {path.parent for job in jobs for path in job.outputs}:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BonesetterError(f"The folder {folder} cannot be made ({error.strerror}): choose another.") from error


def run_each(
    jobs: Sequence[TakeJob],
    read: Callable[[TakeJob], Read],
    prepare: Callable[[], None],
    solve: Callable[[TakeJob, Read], None],
    *,
    force: bool,
) -> dict[str, str]:
    """Solve every take; one that fails does not stop the others.

    Args:
        jobs: Of `plan`.
        read: Reads a take.
        prepare: Loads the solver. Called once, after the first take that can be read, so that nobody waits for the solver to hear
            that a file's name is wrong. What it raises ends the run.
        solve: Solves what was read, and writes its files.
        force: Overwrite files that exist.

    Returns:
        {name of a take that could not be solved: why}.
    """
    failed: dict[str, str] = {}
    prepared = False
    for job in jobs:
        try:
            if not force:
                job.check_free()
            loaded = read(job)
        except Exception as error:
            failed[job.take.stem] = say(job, error)
            continue
        if not prepared:
            prepare()
            prepared = True
        try:
            solve(job, loaded)
        except Exception as error:
            failed[job.take.stem] = say(job, error)
    return failed


def end_run(failed: Mapping[str, str], index: Path | None) -> int:
    """End a run whose failed takes, by their names, say why; the exit code.

    Args:
        failed: See `run_each`.
        index: The folder of the takes' pages, where an index of them is written; None writes none.
    """
    if index is not None:
        # not above: most runs write no pages, and need not wait for what draws them
        from ..pages.index_page import write_index

        print(f"{write_index(index, failed)}: the pages of all takes")
    return FAILED if failed else 0


def end_solves(failed: Mapping[str, str], jobs: Sequence[TakeJob], given: argparse.Namespace) -> int:
    """The same for a command that solves takes, as its options say; a worker has nothing to end.

    Raises:
        BonesetterError: An index, or a note of a failed take, cannot be written.
    """
    if given.serve is not None:
        return 0
    if given.note_failed:
        note_failures(given.out, [job.take.stem for job in jobs], failed)
    code = end_run(failed, given.out if given.report else None)
    return 0 if given.note_failed else code


def say(job: TakeJob, error: Exception) -> str:
    """Print what went wrong with a take, and return it: a bug in one must not cost the user the others."""
    bug = f"failed unexpectedly ({type(error).__name__}: {one_line(error)}): please report it."
    said = str(error) if isinstance(error, BonesetterError) else bug
    # many sentences begin with the file's name themselves
    rest = said.removeprefix(job.take.name)
    print(f"{job.take}{rest}" if rest.startswith(" ") else f"{job.take}: {said}", file=sys.stderr)
    return said


def summary(name: str, report: dict[str, Any]) -> str:
    """A report in one line."""
    seconds = sum(report["seconds"].values())
    residual = report["marker_residual_mm"]["mean"]
    flagged = sum(count for counts in report["flagged"].values() for count in counts.values())
    said = "no samples" if residual is None else f"marker residual {residual:.1f} mm ({judged(residual)})"
    return f"{name}: {report['frames']} frames in {seconds:.1f} s, {said}, {flagged} samples flagged"


def findings_said(report: dict[str, Any], path: Path) -> list[str]:
    """The severe findings of a report as sentences, and how many more of its file has."""
    found = [finding_of(document) for document in report["findings"]]
    # their frames are those that the user sees already
    said = sentences((each for each in found if each.kind in SEVERE), int)
    others = sum(each.kind not in SEVERE for each in found)
    if others:
        said.append(f"{others} {'more ' if said else ''}finding{'s' if others > 1 else ''}: see {path}")
    return said


def tell(name: str, report: dict[str, Any], path: Path) -> None:
    """Print what came of a take: its figures, and below them what the user should know before using it."""
    print(summary(name, report))
    for said in findings_said(report, path):
        print(f"  {said}")


def one_line(error: BaseException) -> str:
    """An error's text without its line breaks."""
    return " ".join(str(error).split())
