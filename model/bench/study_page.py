# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/study.md: the study's networks on the benchmark's takes, and what its findings come to here."""

from __future__ import annotations

from collections.abc import Sequence

from .contestants import name_of
from .findings import FIGURES, FINDINGS, JUDGED_ON, TIE, Finding, Judgement, judged
from .page import summary
from .results import Entry, mean_figures, of_condition
from .table import TrainedRun, number, shown

CURVES_PICTURE = "benchmark-curves.png"

HEAD = """# The study of published networks

Made by `python -m model bench`; do not edit. Bonesetter grew out of a study of networks that turn markers into joints: Holden's, and
others of the usual kinds, with several losses and rotations. They are trained here by `make study` and solve the takes of
`benchmark.md`, measured as there, with our row above theirs. They give rotations and the root, move the bones of the actor they are
given, and get no smoothing afterwards.

Motion error in mm / degrees, actor unknown: the networks are given ours. All figures: `tables/figures.csv`. How long each was trained,
and to what: `tables/runs.csv`.
"""

#: The study's own best figures, and the runs that had them.
STUDYS_BEST = {"distance_units": "1.0087 (Run7_3)", "smoothness_units": "0.0365 (Run6_2)"}


def study(entries: Sequence[Entry], trained: Sequence[TrainedRun]) -> str:
    """The whole page.

    Args:
        entries: Of all contestants.
        trained: The runs whose logs there are.
    """
    unfinished = [run.run for run in trained if run.still_improved == "yes"]
    parts = [
        HEAD,
        *summary(shown(entries, ("ours", "network"))),
        "",
        "The least Distance and Smoothness of these networks beside the study's own best, whose takes are not these:",
        "",
        *best_table(entries),
        "",
        f"![Learning curves of the study's networks](images/{CURVES_PICTURE})",
        "",
        *([f"Still improving when their epochs ended: {', '.join(unfinished)}.", ""] if unfinished else []),
        "## The study's findings",
        "",
        "Each finding compares two runs that differ in one thing, in one figure: the first run's / the second's. It holds where the first",
        f"is better by more than {TIE:.0%} on some of the takes and worse on none. All figures of both: `tables/findings.csv`.",
        "",
        *findings_table(entries),
    ]
    return "\n".join(parts).rstrip() + "\n"


def best_table(entries: Sequence[Entry]) -> list[str]:
    """One row a figure: the study's best, and the least of the networks with the actor that ours fitted, where findings are judged."""
    lines = ["| figure | the study's best | " + " | ".join(JUDGED_ON) + " |", "|---" * (len(JUDGED_ON) + 2) + "|"]
    networks = [entry for entry in entries if entry.kind == "network" and entry.actors == "fitted"]
    for figure, best in STUDYS_BEST.items():
        cells = []
        for condition in JUDGED_ON:
            scored = [(mean_figures(of_condition(entry, condition).lines), entry) for entry in networks]
            least = min(((figures[figure], name_of(entry.contestant)) for figures, entry in scored if figures), default=None)
            cells.append(f"{least[0]:.4f} ({least[1]})" if least else "-")
        lines.append(f"| {FIGURES[figure]} | {best} | {' | '.join(cells)} |")
    return lines


def findings_table(entries: Sequence[Entry]) -> list[str]:
    """One row a finding: its claim, what came out, and the figure that decides."""
    lines = ["| the study's finding | here | figure | " + " | ".join(JUDGED_ON) + " |", "|---" * (len(JUDGED_ON) + 3) + "|"]
    return lines + [f"| {' | '.join(_row(finding, judged(finding, entries)))} |" for finding in FINDINGS]


def _row(finding: Finding, judgement: Judgement | None) -> list[str]:
    note = f" ({finding.note})" if finding.note else ""
    claim = f"{finding.claim}{note}<br>`{finding.better}` / `{finding.worse}`"
    if judgement is None:
        return [claim, "not judged: a run is not trained", FIGURES[finding.figure], *("-" for _ in JUDGED_ON)]
    cells = []
    for condition in JUDGED_ON:
        pair = judgement.figures.get(condition)
        cells.append(" / ".join(number(figures[finding.figure]) for figures in pair) if pair else "-")
    counts = f"better in {judgement.won}, worse in {judgement.lost} of {len(judgement.figures)}"
    return [claim, f"**{judgement.verdict}**: {counts}", FIGURES[finding.figure], *cells]
