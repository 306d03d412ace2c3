# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/benchmark.md: every figure of every contestant, and what the study's findings came to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..study.train import STUDY, still_improved
from ..training.curve import read_log
from .cases import CONDITIONS
from .contestants import OURS
from .findings import FINDINGS, judged, number
from .results import Entry, mean_figures, of_condition

COLUMNS = {
    "distance_units": "Distance",
    "smoothness_units": "Smooth-ness",
    "jpe_mm": "JPE mm",
    "p95_mm": "95 % mm",
    "max_mm": "max mm",
    "joe_global_deg": "JOE deg",
    "joe_local_deg": "JOE local",
    "motion_jpe_mm": "motion JPE mm",
    "motion_p95_mm": "motion 95 %",
    "motion_max_mm": "motion max",
    "motion_joe_global_deg": "motion JOE deg",
    "motion_joe_local_deg": "motion JOE local",
    "mpe_mm": "MPE mm",
    "jitter_ratio": "jitter",
    "foot_skate_mm_s": "skate mm/s",
    "flips_per_1000": "flips /1000",
    "wrist_speed_ratio": "wrist speed",
    "frames_per_second": "frames/s",
}
ACTORS = {
    "fitted": "Actor unknown: ours fits it, the others are given ours",
    "true": "Actor known: the true bones and marker places",
}
NAMES = {
    OURS: "**Bonesetter**",
    "opensim_ik": "OpenSim IK",
    "mink_ik": "mink (MuJoCo)",
    "biorbd_ik": "biorbd",
    "nimble_fit": "nimblephysics",
}

#: Takes of so many frames are what a calibration's fixed cost hardly counts in.
LONG = 1000

HEAD = """# Benchmark

Made by `python -m model bench`; do not edit. Our solver, the study's networks and today's peers on the same takes and the same
machine ({cores} cores), seed {seed}. Two runs on one machine with one seed give the same accuracy to {tolerance:.1%}, but where a filter
diverges and rounding decides: with our actor, which peers are given, changed in its last digits only, takes under Holden's
corruption moved by up to 25% for OpenSim and 35% for biorbd, and one of biorbd's with production gaps by 179%. Speed depends on what
else the machine does, so compare it within a run only; `--only` measures some again and keeps the others' of the run before.

- **Subjects.** 02, 07, 11 and hdm05_dg train nothing (`model/datasets/splits.toml`): not our prior, not the networks.
- **Figures** are defined in `model/core/metrics.py`. Distance and Smoothness are in CMU units (5.6444 cm), the study's definitions
  unknown, ours stated there. JPE/JOE are raw, in the world; *motion* errors have one constant offset per joint and one constant
  rotation per bone taken out of a take, since where a lab puts a joint is a convention. MPE is the distance of the solver's own
  markers from the clean ones. Jitter is the mean acceleration of joints and wrist speed the 99th percentile of the wrists' speed, as
  a part of the truth's.
- **Speed and memory** are those of one process, warm, without reading files: the frames of a table's takes by the seconds for all of
  their stages, ours with cleaning and (actor unknown) calibration. What takes less than a second is solved three times, less than two
  twice: the median counts.
- **Networks** give rotations and the root; they move the bones of the actor they are given, and get no smoothing afterwards.
- **Peers** get the samples as they are, missing ones left out: they have no noise filter. ‡: the middle {excerpt} frames of one
  take for each condition.
- The study's own best figures were Distance 1.0087 (Run7_3) and Smoothness 0.0365 (Run6_2); its takes are not these.
"""


def benchmark(entries: Sequence[Entry], runs: Path, seed: int, excerpt: int, tolerance: float, pictures: Sequence[tuple[str, str]]) -> str:
    """The whole document.

    Args:
        entries: Of all contestants.
        runs: Where the networks' logs are.
        seed: Of the cases.
        excerpt: Frames that the slow ones got.
        tolerance: Within which two runs agree.
        pictures: (file, what it shows).
    """
    parts = [HEAD.format(cores=os.cpu_count(), seed=seed, excerpt=excerpt, tolerance=tolerance), *summary(entries)]
    parts += [line for file, caption in pictures for line in (f"![{caption}]({file})", "")]
    for condition, meaning in CONDITIONS.items():
        parts += [f"## {condition}", "", f"{meaning[0].upper()}{meaning[1:]}.", ""]
        for actors, title in ACTORS.items():
            table = condition_table(entries, condition, actors)
            parts += [f"{title}.", "", *table, ""] if table else []
    parts += ["## The study's findings", "", *findings(entries)]
    parts += ["## Runs", "", *training_table(runs)]
    parts += failures(entries)
    return "\n".join(parts).rstrip() + "\n"


def unknown_actor(entry: Entry) -> bool:
    """Whether it did without the true actor."""
    return entry.actors in ("none", "fitted")


def shown(entries: Sequence[Entry], actors: str) -> list[Entry]:
    """The rows of a table: ours, the peers, the networks."""
    order = {"ours": 0, "peer": 1, "network": 2}
    rows = [entry for entry in entries if unknown_actor(entry) == (actors == "fitted") and entry.kind in order]
    return sorted(rows, key=lambda entry: order[entry.kind])


def summary(entries: Sequence[Entry]) -> list[str]:
    """Motion errors of all conditions at a glance."""
    lines = [
        "## In short",
        "",
        f"Motion error in mm / degrees, actor unknown; frames a second over all takes and over the long ones, of {LONG:,} frames and more;",
        "peak memory of the process.",
        "",
    ]
    lines += ["| | " + " | ".join(CONDITIONS) + " | frames/s | long | MB |", "|---" * (len(CONDITIONS) + 4) + "|"]
    for entry in shown(entries, "fitted"):
        cells = []
        for condition in CONDITIONS:
            figures = mean_figures(of_condition(entry, condition).lines)
            cells.append(f"{number(figures['motion_jpe_mm'])} / {number(figures['motion_joe_global_deg'])}" if figures else "-")
        long = [line for line in entry.lines if line.figures and line.figures["frames"] >= LONG]
        speeds = [number(figures["frames_per_second"]) if (figures := mean_figures(lines)) else "-" for lines in (entry.lines, long)]
        lines.append(f"| {' | '.join([name_of(entry), *cells, *speeds, number(entry.peak_mb)])} |")
    return [*lines, ""]


def name_of(entry: Entry) -> str:
    """As in the first column."""
    name = NAMES.get(entry.contestant, entry.contestant.replace("_", " "))
    return f"{name}{' ‡' if entry.slow else ''}"


def condition_table(entries: Sequence[Entry], condition: str, actors: str) -> list[str]:
    """All figures of one condition."""
    rows = []
    for entry in shown(entries, actors):
        figures = mean_figures(of_condition(entry, condition).lines)
        if figures:
            cells = [name_of(entry), *(number(figures[column]) for column in COLUMNS), number(entry.peak_mb)]
            rows.append(f"| {' | '.join(cells)} |")
    return ["| | " + " | ".join(COLUMNS.values()) + " | MB |", "|---" * (len(COLUMNS) + 2) + "|", *rows] if rows else []


def findings(entries: Sequence[Entry]) -> list[str]:
    """Every finding with its figures."""
    unknown = [entry for entry in entries if unknown_actor(entry)]
    lines = ["Each run differs from the other in one thing. A figure is worse or better when it differs by more than 2 %.", ""]
    for finding in FINDINGS:
        lines += judged(finding, unknown) or [
            f"**{finding.claim}**: not judged, `{finding.better}` or `{finding.worse}` is not trained.",
            "",
        ]
    return lines


def training_table(runs: Path) -> list[str]:
    """How each network was trained."""
    from ..study.run_file import read_run  # not above: `python -m model bench --help` shall not wait for torch

    lines = [
        "| run | epochs | frames seen | minutes | best validation at | degrees | root mm | still improved |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for log in sorted(runs.glob("*/log.csv")):
        name = log.parent.name
        file = STUDY / f"{name}.toml"
        if not file.exists():
            continue
        history, training = read_log(log), read_run(file).training
        best = min(history, key=lambda epoch: (epoch.validation_loss != epoch.validation_loss, epoch.validation_loss))
        seen = len(history) * training.clips * training.frames
        cells = [name, f"{len(history)}/{training.epochs}", f"{seen:,}", f"{history[-1].seconds / 60:.1f}", str(best.epoch)]
        cells += [f"{best.rotation_deg:.2f}", f"{best.root_mm:.1f}", "yes" if still_improved(history) else "no"]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def failures(entries: Sequence[Entry]) -> list[str]:
    """Versions of the peers, and what could not be solved."""
    lines = ["## Versions and failures", ""]
    peers = [entry for entry in entries if entry.kind == "peer" and entry.actors == "fitted"]
    lines += [f"- {name_of(entry)}: {entry.version or 'version unknown'}{f': {entry.error}' if entry.error else ''}" for entry in peers]
    for entry in entries:
        said = sorted({(line.condition, line.error) for line in entry.lines if line.error})
        lines += [f"- {name_of(entry)}, {entry.actors} actor, {condition}: {error}" for condition, error in said]
    return lines
