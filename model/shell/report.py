# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m model report`: pages about solved takes, of what a solve has left, or solved for it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ..core.errors import BonesetterError
from ..files.npz import read_npz
from ..files.output import WRITERS
from ..pages import INDEX
from ..pages.index_page import write_index
from ..pages.take_page import take_page
from ..result.report import write_report
from ..storage.atomic import staged
from ..storage.documents import read_json
from . import solve
from .cli import FAILED, UsageError
from .failures import noted_failures
from .lists import choose_takes
from .runs import add_arguments as add_run_arguments
from .workers import add_arguments as add_worker_arguments

#: How the files end that a solve leaves.
SOLVED = ".npz"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options: those of a solve, for takes that are still to be solved."""
    add_run_arguments(parser, sorted(WRITERS), ["html"])
    add_worker_arguments(parser)
    parser.description = (
        "Write pages about takes, and an index that leads to them. RESULT.npz, with RESULT.json beside it, is shown as it was solved, of a "
        "folder each that has no page yet, with the takes that failed there; other takes are solved first."
    )
    parser.set_defaults(report=True, save_layout=None)


def run(arguments: argparse.Namespace) -> int:
    """Write the pages.

    Raises:
        UsageError: Of the arguments.
        BonesetterError: The list of takes cannot be read, the folder not be made, or the index not be written.
    """
    choose_takes(arguments)
    folders = [path for path in arguments.takes if path.is_dir()]
    solved = [path for path in arguments.takes if path.suffix.lower() == SOLVED and path not in folders]
    arguments.takes = [path for path in arguments.takes if path not in (*solved, *folders)]
    if arguments.serve is not None:
        return solve.run(arguments)
    if folders and arguments.takes:
        raise UsageError(f"{folders[0]} is a folder of results, and {arguments.takes[0]} is to be solved: report on them in two runs.")
    failed = {name: why for folder in folders for name, why in noted_failures(folder).items()}
    for name, why in failed.items():
        print(why if why.startswith(name) else f"{name}: {why}", file=sys.stderr)
    code = FAILED if failed else 0
    solved += [path for folder in folders for path in without_page(folder, arguments.out)]
    pages = _planned(solved, arguments.out, arguments.takes)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for path, page in pages.items():
        try:
            _write(path, page, force=arguments.force)
        except BonesetterError as error:
            print(error, file=sys.stderr)
            failed[path.stem] = str(error)
            code = FAILED
    if arguments.takes:
        code = max(code, solve.run(arguments))
    else:
        print(f"{write_index(arguments.out, failed)}: the pages of all takes")
    return code


def without_page(folder: Path, out: Path) -> list[Path]:
    """The results of a folder that have a report, and no page in `out` yet."""
    return [path for path in sorted(folder.glob(f"*{SOLVED}")) if path.with_suffix(".json").exists() and not _page(path, out).exists()]


def _page(path: Path, out: Path) -> Path:
    return out / f"{path.stem}.html"


def _planned(solved: Sequence[Path], out: Path, takes: Sequence[Path]) -> dict[Path, Path]:
    """{result: its page}.

    Raises:
        UsageError: Two would be written to the same file.
    """
    stems = {take.stem.casefold(): take for take in takes}
    for path in solved:
        other = stems.setdefault(path.stem.casefold(), path)
        if other is not path:
            raise UsageError(f"{other} and {path} would both be written to {out / path.stem}.html: report on them in two runs.")
    if named := stems.get(Path(INDEX).stem):
        raise UsageError(f"The page of {named} would be {INDEX}, which leads to all pages: rename the take.")
    return {path: _page(path, out) for path in solved}


def _write(path: Path, page: Path, *, force: bool) -> None:
    """Write the page of a result, and its report beside it.

    Raises:
        BonesetterError: The result or its report cannot be read, or the page exists.
    """
    if page.exists() and not force:
        raise BonesetterError(f"{page} exists already: use --force to overwrite it.")
    arrays = read_npz(path)
    beside_it = path.with_suffix(".json")
    try:
        report = read_json(beside_it)
        text = take_page(path.stem, arrays, report)
    except OSError as error:
        raise BonesetterError(f"{beside_it} cannot be read ({error.strerror}): keep a result's report beside it.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BonesetterError(f"{beside_it} is not the report of {path.name} ({error}): solve the take again.") from error
    with staged() as beside:
        beside(page).write_text(text, encoding="utf-8")
        if page.with_suffix(".json").resolve() != beside_it.resolve():
            write_report(report, beside(page.with_suffix(".json")))
    print(f"{page}: {path.stem}")
