# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/benchmark.md: ours and the peers on one page."""

from __future__ import annotations

import math
import os
import textwrap
from collections.abc import Sequence

from .cases import CONDITIONS
from .contestants import name_of
from .results import Entry, mean_figures, of_condition
from .table import number, shown

#: Where raw figures stand on the page; all conditions' are in figures.csv.
RAW_CONDITIONS = ("clean", "Holden", "production gaps", "cmu_02_05", "real, corrupted")
#: Takes of so many frames are what a calibration's fixed cost hardly counts in.
LONG = 1000
ACCURACY_PICTURE, SPEED_PICTURE = "benchmark-accuracy.png", "benchmark-speed.png"

HEAD = """# Benchmark

Made by `python -m model bench`; do not edit. Our solver and today's peers on the same takes and the same machine ({cores} cores), seed
{seed}. The networks of the study that Bonesetter grew out of solve the same takes: `study.md`. Every figure of everybody is in
`tables/figures.csv`, with actors unknown and known.

Motion error in mm / degrees, actor unknown: ours fits it, the others are given ours. Frames a second over all takes and over the long
ones, of {long:,} frames and more; peak memory of the process.
"""

RAW = """## Raw figures

Actor unknown, as above, but with no constants taken out: JPE in mm / JOE in degrees / foot skate in mm/s / jitter. The row of the truth
is the truth measured against itself: its feet do not stand still either, and no solve needs less. The other conditions' are in
`tables/figures.csv`.
"""

MEASURED = """## How it was measured

- **Subjects.** 02, 07, 11 and hdm05_dg train nothing (`model/datasets/splits.toml`): not our prior, not the networks.
- **Figures** are defined in `model/core/metrics.py`. Distance and Smoothness are in CMU units (5.6444 cm), the study's definitions
  unknown, ours stated there. JPE/JOE are raw, in the world; *motion* errors have one constant offset per joint and one constant
  rotation per bone taken out of a take, since where a lab puts a joint is a convention. MPE is the distance of the solver's own
  markers from the clean ones. Foot skate is the horizontal speed of feet where they truly stand. Jitter is the mean acceleration of
  joints and wrist speed the 99th percentile of the wrists' speed, as a part of the truth's.
- **Means.** In the mean of a condition every take counts by its frames, as in `ablation.md`: of "real, corrupted" nine tenths are
  cmu_02_05.
- **Speed and memory** are those of one process, warm, without reading files: the frames of a table's takes by the seconds for all of
  their stages, ours with cleaning and (actor unknown) calibration. What takes less than a second is solved three times, less than two
  twice: the median counts. Speed depends on what else the machine does, so compare it within a run only; `--only` measures some again
  and keeps the others' of the run before.
- **Peers** get the samples as they are, missing ones left out: they have no noise filter. ‡: the middle {excerpt} frames of one
  take for each condition.
- **Momentum** is given more than the others and we: where the actor is unknown, it calibrates ours once more, bones and marker offsets,
  on a clean take of the same person, which nobody else sees. Of synthetic people that is a range of motion of 20 s with the same
  markers, skin sliding where it does in the take; of the real ones, of whom there is one take each, the take itself before it was
  corrupted. Its calibration counts in no speed. Where the actor is known, it gets the true one and calibrates nothing. It tracks with
  its own robust loss (Cauchy's), joint limits, which are our prior's, and smoothing, then refines all frames together; loss, damping and
  smoothing were chosen for it on the validation clips, since with its defaults, least squares, jumps throw it off.
- **Again.** Two runs on one machine with one seed give the same accuracy to {tolerance:.1%}, but where a filter diverges and rounding
  decides: with our actor, which peers are given, changed in its last digits only, takes under Holden's corruption moved by up to 25% for
  OpenSim and 35% for biorbd, and one of biorbd's with production gaps by 179%.
"""


def benchmark(entries: Sequence[Entry], seed: int, excerpt: int, tolerance: float) -> str:
    """The whole page.

    Args:
        entries: Of all contestants.
        seed: Of the cases.
        excerpt: Frames that the slow ones got.
        tolerance: Within which two runs agree.
    """
    rows = shown(entries, ("ours", "peer"))
    parts = [
        HEAD.format(cores=os.cpu_count(), seed=seed, long=LONG),
        *summary(rows),
        "",
        f"![Motion error of every contestant in every condition](images/{ACCURACY_PICTURE})",
        "",
        f"![Accuracy against speed](images/{SPEED_PICTURE})",
        "",
        "## Findings",
        "",
        *compared(rows),
        "",
        RAW,
        *raw(rows, next((entry for entry in entries if entry.kind == "truth"), None)),
        "",
        "## The takes",
        "",
        *(f"- **{condition}**: {meaning}." for condition, meaning in CONDITIONS.items()),
        "",
        MEASURED.format(excerpt=excerpt, tolerance=tolerance),
        *versions_and_failures(entries),
    ]
    return "\n".join(parts).rstrip() + "\n"


def titled(entry: Entry) -> str:
    """A contestant's name in a table: ours in bold, one that got excerpts with a mark."""
    name = name_of(entry.contestant)
    return f"**{name}**" if entry.kind == "ours" else f"{name} ‡" if entry.slow else name


def summary(rows: Sequence[Entry]) -> list[str]:
    """A table of motion errors in all conditions, of speed and of memory."""
    lines = ["| | " + " | ".join(CONDITIONS) + " | frames/s | long | MB |", "|---" * (len(CONDITIONS) + 4) + "|"]
    for entry in rows:
        cells = []
        for condition in CONDITIONS:
            figures = mean_figures(of_condition(entry, condition).lines)
            cells.append(f"{number(figures['motion_jpe_mm'])} / {number(figures['motion_joe_global_deg'])}" if figures else "-")
        speeds = [number(speed(entry)), number(speed(entry, LONG))]
        lines.append(f"| {' | '.join([titled(entry), *cells, *speeds, number(entry.peak_mb)])} |")
    return lines


def raw(rows: Sequence[Entry], truth: Entry | None) -> list[str]:
    """A table of raw errors, foot skate and jitter in some conditions, the truth's own below."""
    lines = ["| | " + " | ".join(RAW_CONDITIONS) + " |", "|---" * (len(RAW_CONDITIONS) + 1) + "|"]
    for name, entry in [(titled(entry), entry) for entry in rows] + ([("**truth**", truth)] if truth else []):
        cells = []
        for condition in RAW_CONDITIONS:
            figures = mean_figures(of_condition(entry, condition).lines)
            names = ("jpe_mm", "joe_global_deg", "foot_skate_mm_s", "jitter_ratio")
            cells.append(" / ".join(number(figures[name]) for name in names) if figures else "-")
        lines.append(f"| {' | '.join([name, *cells])} |")
    return lines


def speed(entry: Entry, least_frames: int = 0) -> float:
    """Frames a second over the takes of at least so many frames; NaN where there is none."""
    figures = mean_figures([line for line in entry.lines if line.figures and line.figures["frames"] >= least_frames])
    return figures["frames_per_second"] if figures else math.nan


def compared(rows: Sequence[Entry]) -> list[str]:
    """Ours against the best peer, as a list: motion errors of each condition, and speeds; nothing where there are no two.

    A peer that solved excerpts only is told of by itself, since its figures are of other frames.
    """
    ours, peers = next((entry for entry in rows if entry.kind == "ours"), None), [entry for entry in rows if entry.kind == "peer"]
    if ours is None:
        return []
    said = accuracies(ours, [peer for peer in peers if not peer.slow])
    said += [sentence for peer in peers if peer.slow for sentence in nearer_on_excerpts(ours, peer)]
    for where, least in (("All", 0), ("Long", LONG)):
        own, speeds = speed(ours, least), [(speed(peer, least), titled(peer)) for peer in peers]
        fastest, name = max((each for each in speeds if not math.isnan(each[0])), default=(math.nan, ""))
        if not math.isnan(own / fastest):
            said.append(f"**{where} takes**: ours solves {number(own / fastest)} times the frames a second of the fastest peer, {name}.")
    return [textwrap.fill(f"- {sentence}", 138, subsequent_indent="  ") for sentence in said]


def accuracies(ours: Entry, peers: Sequence[Entry]) -> list[str]:
    """In how many conditions a peer is nearer than ours, and how many times as far off the best of them is."""
    times, ahead = [], []
    for condition in CONDITIONS:
        own = motion_error(ours, condition)
        least, best = min(((motion_error(peer, condition), titled(peer)) for peer in peers), default=(math.inf, ""))
        if math.isfinite(own) and math.isfinite(least):
            times.append(f"{condition} {number(least / own)}")
            ahead += [f"{best} in {condition} ({number(least)} mm, ours {number(own)})"] if least < own else []
    if not times:
        return []
    return [
        f"**Accuracy**: no peer that solved all frames is nearer in {len(times) - len(ahead)} of {len(times)} conditions"
        + (f"; nearer are {'; '.join(ahead)}." if ahead else "."),
        f"**The best of these peers' motion error in mm, as a multiple of ours**: {'; '.join(times)}.",
    ]


def nearer_on_excerpts(ours: Entry, peer: Entry) -> list[str]:
    """Where a peer has less on its excerpts than ours has on whole takes."""
    pairs = [(condition, motion_error(peer, condition), motion_error(ours, condition)) for condition in CONDITIONS]
    ahead = [f"{condition} ({number(least)} mm, ours {number(own)})" for condition, least, own in pairs if least < own]
    return [f"**{titled(peer)}** has less on its excerpts than ours on whole takes in {'; '.join(ahead)}."] if ahead else []


def motion_error(entry: Entry, condition: str) -> float:
    """Motion error in mm; infinite where it solved nothing of the condition."""
    figures = mean_figures(of_condition(entry, condition).lines)
    return figures["motion_jpe_mm"] if figures else math.inf


def versions_and_failures(entries: Sequence[Entry]) -> list[str]:
    """Versions of the peers, and what could not be solved."""
    lines = ["## Versions and failures", ""]
    peers = shown(entries, ("peer",))
    lines += [f"- {titled(entry)}: {entry.version or 'version unknown'}{f': {entry.error}' if entry.error else ''}" for entry in peers]
    for entry in entries:
        said = sorted({(line.condition, line.error) for line in entry.lines if line.error})
        lines += [f"- {titled(entry)}, {entry.actors} actor, {condition}: {error}" for condition, error in said]
    return lines
