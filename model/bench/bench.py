# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m model bench`: everybody on the same takes, docs/benchmark.md, docs/study.md and the tables beside them."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ..actors import prior as priors
from ..core.progress import StageProgress
from ..datasets.lab_takes import PROJECT
from ..shell.cli import UsageError
from ..shell.terminal import progress_bar
from ..storage.atomic import replacing
from ..study.train import STUDY
from ..training.curve import RUNS
from .cases import all_cases
from .contest import EXCERPT
from .contestants import OURS, TRUTH, Contestant, all_contestants
from .page import benchmark
from .race import race, truth_of, write_cases
from .results import Actors, Entry, differences, read_results, write_results
from .study_page import study
from .table import TrainedRun, trained_runs, write_tables

#: Two runs with one seed agree to this part in every figure of accuracy.
TOLERANCE = 0.005
RESULTS = "results.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--out", type=Path, default=PROJECT / "docs", metavar="FOLDER", help="for the pages, tables and pictures")
    parser.add_argument("--work", type=Path, default=PROJECT / "out" / "bench", metavar="FOLDER", help="for takes and results")
    parser.add_argument("--runs", type=Path, default=RUNS, metavar="FOLDER", help="trained networks (default: runs/)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="run these again and take the others' results from the last time")
    parser.add_argument("--seed", type=int, default=0)


def run(arguments: argparse.Namespace) -> int:
    """Run and write; the exit code is 1 where a contestant failed altogether."""
    contestants = list(all_contestants(arguments.runs))
    known = [contestant.key for contestant in contestants]
    if unknown := [name for name in arguments.only or () if name not in known]:
        raise UsageError(f"There is no contestant {unknown[0]}: there are {', '.join(known)}.")
    untrained = sorted({file.stem for file in STUDY.glob("*.toml")} - set(known))
    if untrained:
        print(f"Not trained, so without a row: {' '.join(untrained)}. `python -m model train NAME ...` trains them.", file=sys.stderr)
    before = read_results(arguments.work / RESULTS)
    kept = [e for e in before if arguments.only and e.contestant not in arguments.only and e.contestant in known]
    chosen = [c for c in contestants if not arguments.only or c.key in arguments.only]
    entries = order(kept + run_all(chosen, arguments.work, arguments.runs, arguments.seed, fresh=not arguments.only), known)
    if apart := differences(before, entries):
        print(f"Largest difference from the last run's accuracy: {max(apart.values()):.3%}")
        for (contestant, actors, condition), difference in apart.items():
            if difference > TOLERANCE:
                print(f"  {contestant} ({actors}), {condition}: {difference:.3%}")
    write_results(entries, arguments.work / RESULTS)
    from .plots import draw_all  # only pictures need matplotlib

    draw_all(entries, arguments.runs, arguments.out / "images")
    for page in write_pages(entries, trained_runs(arguments.runs), arguments.seed, arguments.out):
        print(page)
    return 1 if any(entry.error for entry in entries) else 0


def write_pages(entries: Sequence[Entry], trained: Sequence[TrainedRun], seed: int, folder: Path) -> list[Path]:
    """Write benchmark.md, study.md and tables/*.csv; returns the pages."""
    folder.mkdir(parents=True, exist_ok=True)
    write_tables(entries, trained, folder / "tables")
    pages = {"benchmark.md": benchmark(entries, seed, EXCERPT, TOLERANCE), "study.md": study(entries, trained)}
    for name, text in pages.items():
        with replacing(folder / name) as stream:
            stream.write(text)
    return [folder / name for name in pages]


def run_all(contestants: Sequence[Contestant], work: Path, runs: Path, seed: int, *, fresh: bool) -> list[Entry]:
    """Let them solve all cases, ours first, because the others get the actors it fits; the truth, which is always there, comes last."""
    folder = work / "cases"
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
    cases = all_cases(priors.bundled(), seed)
    write_cases(cases, folder)
    turns: list[tuple[Contestant, Actors]] = [(contestant, actors) for contestant in contestants for actors in actors_of(contestant)]
    entries = []
    with progress_bar("bench") as progress:
        for number, (contestant, actors) in enumerate(turns):
            told = _teller(progress, f"{contestant.key} ({actors})", number, len(turns), len(cases))
            entry = race(contestant, actors, cases, folder, runs, told)
            entries.append(entry)
            print(f"{contestant.key} ({actors}): {entry.error or f'{len(entry.lines)} takes'}", flush=True)
    return [*entries, truth_of(cases)]


def _teller(progress: StageProgress, name: str, turn: int, turns: int, cases: int) -> Callable[[str], None]:
    done = iter(range(1, cases + 1))
    return lambda _case: progress(name, (turn + next(done, cases) / cases) / turns)


def actors_of(contestant: Contestant) -> Iterator[Actors]:
    """With which actors a contestant takes part."""
    yield "none" if contestant.key == OURS else "fitted"
    if contestant.kind != "finding":
        yield "true"


def order(entries: Sequence[Entry], known: Sequence[str]) -> list[Entry]:
    """In the order of the contestants; the truth last."""
    known = [*known, TRUTH]
    return sorted(entries, key=lambda entry: (known.index(entry.contestant), entry.actors == "true"))
