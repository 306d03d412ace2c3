# SPDX-License-Identifier: GPL-3.0-or-later
"""The bench's long tables: every figure of every contestant, of every finding and of every trained run, as CSV."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ..storage.atomic import replacing
from ..study.train import STUDY, still_improved
from ..training.curve import read_log
from .cases import CONDITIONS
from .contestants import name_of
from .findings import FIGURES, FINDINGS, judged
from .results import Entry, mean_figures, of_condition

#: What figures.csv says of a contestant on a condition, by the names of `core.metrics.Figures` and `results.mean_figures`.
COLUMNS = (
    "distance_units",
    "smoothness_units",
    "jpe_mm",
    "p95_mm",
    "max_mm",
    "joe_global_deg",
    "joe_local_deg",
    "motion_jpe_mm",
    "motion_p95_mm",
    "motion_max_mm",
    "motion_joe_global_deg",
    "motion_joe_local_deg",
    "mpe_mm",
    "jitter_ratio",
    "foot_skate_mm_s",
    "flips_per_1000",
    "wrist_speed_ratio",
    "frames_per_second",
)
#: The order in which kinds of contestants stand in tables.
KINDS = ("ours", "peer", "network")


@dataclass(frozen=True)
class TrainedRun:
    """How a network was trained: a row of runs.csv.

    Attributes:
        run: Its name.
        epochs, epochs_planned: Trained, and in its file.
        frames_seen: In all epochs.
        minutes: In all sessions.
        best_epoch: The one with the least validation loss, whose weights were kept.
        rotation_deg, root_mm: Errors of that one's validation.
        still_improved: Whether more epochs would have helped: "yes" or "no".
    """

    run: str
    epochs: int
    epochs_planned: int
    frames_seen: int
    minutes: str
    best_epoch: int
    rotation_deg: str
    root_mm: str
    still_improved: str


def write_tables(entries: Sequence[Entry], trained: Sequence[TrainedRun], folder: Path) -> None:
    """Write figures.csv, findings.csv and runs.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    header = ("condition", "actor", "contestant", "excerpt", *COLUMNS, "peak_mb")
    _write(folder / "figures.csv", header, figure_rows(entries))
    _write(folder / "findings.csv", ("claim", "verdict", "condition", "run", *FIGURES), finding_rows(entries))
    _write(folder / "runs.csv", [field.name for field in fields(TrainedRun)], (asdict(run).values() for run in trained))


def _write(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    with replacing(path) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def figure_rows(entries: Sequence[Entry]) -> list[list[str]]:
    """One row for each condition, kind of actor and contestant that solved any of it; empty where there is no figure."""
    rows = []
    for condition in CONDITIONS:
        for actor, known in (("unknown", False), ("known", True)):
            for entry in shown(entries, known=known):
                if figures := mean_figures(of_condition(entry, condition).lines):
                    said = [csv_number(figures[column]) for column in COLUMNS]
                    excerpt = "yes" if entry.slow else "no"
                    rows.append([condition, actor, name_of(entry.contestant), excerpt, *said, csv_number(entry.peak_mb)])
    return rows


def finding_rows(entries: Sequence[Entry]) -> list[list[str]]:
    """Two rows for each finding and condition that it is judged on: the run that the study puts first, and the other."""
    rows = []
    for finding in FINDINGS:
        if judgement := judged(finding, entries):
            for condition, pair in judgement.figures.items():
                for run, figures in zip((finding.better, finding.worse), pair, strict=True):
                    said = [csv_number(figures[name]) for name in FIGURES]
                    rows.append([finding.claim, judgement.verdict, condition, run, *said])
    return rows


def trained_runs(runs: Path) -> list[TrainedRun]:
    """The study's runs whose logs are in a folder."""
    from ..study.run_file import read_run  # not above: `python -m model bench --help` shall not wait for torch

    trained = []
    for log in sorted(runs.glob("*/log.csv")):
        name = log.parent.name
        file = STUDY / f"{name}.toml"
        if not file.exists():
            continue
        history, training = read_log(log), read_run(file).training
        best = min(history, key=lambda epoch: (math.isnan(epoch.validation_loss), epoch.validation_loss))
        trained.append(
            TrainedRun(
                name,
                len(history),
                training.epochs,
                len(history) * training.clips * training.frames,
                f"{history[-1].seconds / 60:.1f}",
                best.epoch,
                f"{best.rotation_deg:.2f}",
                f"{best.root_mm:.1f}",
                "yes" if still_improved(history) else "no",
            )
        )
    return trained


def shown(entries: Sequence[Entry], kinds: Sequence[str] = KINDS, *, known: bool = False) -> list[Entry]:
    """The rows of a table: ours, the peers, the networks, of these kinds; with the true actors or with those that ours fits."""
    rows = [entry for entry in entries if (entry.actors == "true") == known and entry.kind in kinds]
    return sorted(rows, key=lambda entry: KINDS.index(entry.kind))


def number(value: float) -> str:
    """A figure with three digits that count."""
    if math.isnan(value):
        return "-"
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 0.1 or not size else 4
    return f"{value:.{digits}f}"


def csv_number(value: float) -> str:
    """The same, and nothing where there is none."""
    return "" if math.isnan(value) else number(value)
