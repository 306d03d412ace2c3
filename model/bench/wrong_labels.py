# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels of real takes that are exchanged or made nonsense throughout, found and put right by the solver, and what that is worth."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..core.settings import Settings
from ..core.take import IntArray, Take
from ..engine.pipeline import solve_take
from ..marker_sets.marker_set import MarkerSet
from ..result.solution import Solution
from ..solver.options import SolverOptions
from .labels import labelled_take, part_of

#: Markers whose labels are exchanged in a ring, and markers that get names of no set.
EXCHANGED, NONSENSE = 3, 6
#: What is done to the labels; an untouched take tells what the checks cost, and whether right labels are said to be wrong.
KINDS = ("exchanged", "neighbours", "nonsense", "untouched")
#: Neighbours are a marker and one of so many that are nearest to it.
NEAREST = 3


@dataclass(frozen=True)
class Spoilt:
    """One take, solved with labels that are wrong throughout.

    Attributes:
        take: Name of its folder.
        kind: One of `KINDS`.
        seed: Of the choice of labels.
        labels: That were changed, those that are exchanged in the order of the ring.
        named: How many of them a finding names.
        apart_mm: How far the solve lies from that of the right labels, over frames and joints: the mean, and the 99th percentile.
        unchecked_mm: The same mean of a solve that does not look at labels.
        said_of_others: Labels that are right and are said to be wrong.
        cost: Of the solve, relative to one that does not look at labels; of the untouched take that is what the checks cost.
    """

    take: str
    kind: str
    seed: int
    labels: tuple[str, ...]
    named: int
    apart_mm: tuple[float, float]
    unchecked_mm: float
    said_of_others: tuple[str, ...]
    cost: float

    def row(self) -> str:
        """A line of a table."""
        cells = (
            self.take,
            self.kind,
            str(self.seed),
            f"{self.named} of {len(self.labels)}",
            f"{self.apart_mm[0]:.2f}, {self.apart_mm[1]:.1f}",
            f"{self.unchecked_mm:.2f}",
            f"{self.cost:.2f}",
            " ".join(self.labels),
            " ".join(self.said_of_others),
        )
        return f"| {' | '.join(cells)} |"


def measured(name: str, kinds: Sequence[str], seeds: Sequence[int], frames: int | None = None) -> Iterator[Spoilt]:
    """Solve a take with wrong labels, once for each kind and seed, and compare with the solve of the right ones.

    Args:
        name: Of the take's folder.
        kinds: Some of `KINDS`.
        seeds: Of the choice of labels.
        frames: Of the take's beginning; None for all of it.
    """
    take, marker_set = labelled_take(name)
    take = part_of(take, slice(0, frames))
    right, _ = _solved(take, marker_set, relabel=True)
    for kind in kinds:
        for seed in seeds[:1] if kind == "untouched" else seeds:
            spoilt, changed = spoil(take, kind, seed)
            solution, seconds = _solved(spoilt, marker_set, relabel=True)
            unchecked, plain = _solved(spoilt, marker_set, relabel=False)
            named = {label for finding in solution.findings if finding.kind == "misplaced" for label in finding.labels}
            said = {word for finding in solution.findings if finding.kind == "misplaced" for word in finding.text.split()[:1]}
            away = 1e3 * np.linalg.norm(solution.positions - right.positions, axis=-1)
            yield Spoilt(
                name,
                kind,
                seed,
                changed,
                len((named | said) & set(changed)),
                (float(away.mean()), float(np.percentile(away, 99))),
                1e3 * float(np.linalg.norm(unchecked.positions - right.positions, axis=-1).mean()),
                tuple(sorted(named - set(changed))),
                seconds / plain,
            )


def spoil(take: Take, kind: str, seed: int) -> tuple[Take, tuple[str, ...]]:
    """A take with wrong labels, and which labels that were.

    Args:
        take: With right labels.
        kind: "exchanged": labels are exchanged in a ring; "neighbours": those of two markers that are near each other; "nonsense": replaced
            by names of no set; "untouched": none.
        seed: Of the choice.
    """
    if kind == "untouched":
        return take, ()
    rng = np.random.default_rng(seed)
    labels = list(take.labels)
    rows = rng.choice(len(labels), NONSENSE if kind == "nonsense" else EXCHANGED, replace=False).tolist()
    if kind == "neighbours":
        rows = [rows[0], int(rng.choice(_nearest(take, rows[0])))]
    changed = tuple(take.labels[row] for row in rows)
    for number, row in enumerate(rows):
        labels[row] = f"Q{seed}X{number}" if kind == "nonsense" else changed[(number + 1) % len(rows)]
    return replace(take, labels=tuple(labels)), changed


def _nearest(take: Take, row: int) -> IntArray:
    """The markers that are nearest to one, by the median distance."""
    apart = np.nanmedian(np.linalg.norm(take.positions - take.positions[:, [row]], axis=-1), axis=0)
    return np.argsort(apart)[1 : NEAREST + 1]


def _solved(take: Take, marker_set: MarkerSet, *, relabel: bool) -> tuple[Solution, float]:
    begin = time.process_time()
    solution = solve_take(take, Settings(), marker_set=marker_set, options=SolverOptions(relabel=relabel))
    return solution, time.process_time() - begin
