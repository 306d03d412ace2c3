# SPDX-License-Identifier: GPL-3.0-or-later
"""Two takes in one: who is whose, and how far each solve is from that of the take alone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..actors import prior as priors
from ..core.settings import Settings
from ..core.take import Take
from ..engine.pipeline import solve_take
from ..labelling.people import label_people
from ..markers.people import people_of
from ..synthetic.unlabelled import Stripped, owners, strip_labels
from .labels import labelled_take, part_of

#: What stands before the labels of either.
PREFIXES = ("A_", "B_")


def together(first: Take, second: Take, apart_m: float) -> tuple[Take, Take]:
    """Both for as long as the shorter lasts, their middles so far from each other along x, at the same height as they were."""
    frames = slice(0, min(first.frames, second.frames))
    first, second = part_of(first, frames), part_of(second, frames)
    shift = np.nanmean(first.positions, axis=(0, 1)) - np.nanmean(second.positions, axis=(0, 1))
    shift[2] = 0.0
    return first, replace(second, positions=second.positions + shift + np.array([apart_m, 0.0, 0.0]))


def in_one(pair: Sequence[Take], *, twice: bool = False) -> Take:
    """One take of two people, with prefixes, or with the same names twice."""
    named = [
        one.only(range(len(one.labels)), tuple(f"{label}{'-1' * row}" if twice else f"{PREFIXES[row]}{label}" for label in one.labels))
        for row, one in enumerate(pair)
    ]
    return replace(named[0].beside(named[1]), name="both", origins=(), findings=(), source=None)


def right_and_wrong(stripped: Stripped, people: Sequence[Take]) -> tuple[float, float]:
    """Parts of the samples, each of the found people counted as the one whose labels it has most of."""
    real, right, wrong = stripped.truth >= 0, 0, 0
    true = np.where(real, np.array(stripped.names)[np.maximum(stripped.truth, 0)], "")
    for person in people:
        labels = np.array([*(label if label[0] != "*" else "" for label in person.labels), ""])
        said = labels[owners(stripped.take, person.positions)]
        given = real & (said != "")
        same = max(int((given & (true == np.char.add(who, said))).sum()) for who in PREFIXES)
        right, wrong = right + same, wrong + int(given.sum()) - same
    return right / int(real.sum()), wrong / int(real.sum())


def measured(one: str, other: str, apart_m: float, kind: str, seed: int) -> str:
    """A row of the table.

    Args:
        one: Folder of a take.
        other: Of another, at the same rate.
        apart_m: How far from each other their middles are.
        kind: "prefixes", "twice" (the same names twice), "plain" (no names) or "hard" (markers away, and ghosts).
        seed: Of what is removed.
    """
    pair = together(labelled_take(one)[0], labelled_take(other)[0], apart_m)
    begin, said = time.process_time(), ""
    if kind in ("prefixes", "twice"):
        people = [(take, None) for take in people_of(in_one(pair, twice=kind == "twice"))]
    else:
        stripped = strip_labels(in_one(pair), seed, hard=kind == "hard")
        found = label_people(stripped.take, prior=priors.bundled(without=(one, other)))
        people = [(person.take, person.marker_set) for person in found]
        right, wrong = right_and_wrong(stripped, [take for take, _ in people])
        said = f"{100 * right:.2f} | {100 * wrong:.2f}"
    seconds = time.process_time() - begin
    solved = [solve_take(take, Settings(), marker_set=marker_set).positions for take, marker_set in people]
    away = []
    for take in pair:
        alone = solve_take(replace(take, findings=()), Settings()).positions
        away.append(min((1e3 * float(np.linalg.norm(each - alone, axis=-1).mean()) for each in solved), default=np.nan))
    apart = ", ".join(f"{each:.2f}" for each in away)
    return f"| {one}, {other} | {apart_m:g} m | {kind} | {len(people)} | {said or '- | -'} | {apart} | {seconds:.1f} |"
