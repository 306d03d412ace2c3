# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels of real takes that are removed, found again, and compared."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..actors import prior as priors
from ..actors.actor import Actor
from ..core.rigid import rotation_angles_deg
from ..core.rotations import unitquat_to_rotmat
from ..core.settings import Settings
from ..core.take import Take
from ..datasets.lab_takes import data_folder
from ..engine.pipeline import solve_take
from ..files.c3d import read_c3d
from ..labelling.label import label_take
from ..labelling.labelled import Labelled
from ..marker_sets.marker_set import MarkerSet
from ..markers.matching import choose_marker_set, match_all
from ..result.solution import Solution
from ..synthetic.unlabelled import Labelling, Stripped, owners, score, strip_labels
from .bench_labels import TAKES

#: Labels that a take's own file has exchanged: what it calls LMT1 lies on the outer side of LMT5.
EXCHANGED_IN_FILE = {"gatech_squat": (("LMT1", "LMT5"), ("RMT1", "RMT5"))}
#: Mistakes that a row names.
NAMED = 4


@dataclass(frozen=True)
class Measured:
    """One take, labelled once.

    Attributes:
        take: Name of its folder.
        known: "set" where the actor is unknown, else "actor".
        hard: Whether markers were taken away and ghosts added.
        seed: Of that.
        frames: Of the take.
        result: Parts of the samples.
        seconds: That labelling took, by the clock, and of all cores together, which a busy machine changes less.
        mistakes: The most frequent ones, `true>found`.
        apart: How far the solve lies from that of the labelled take, mean in mm and degrees; None where that was not asked for.
    """

    take: str
    known: str
    hard: bool
    seed: int
    frames: int
    result: Labelling
    seconds: tuple[float, float]
    mistakes: str
    apart: tuple[float, float] | None

    def row(self) -> str:
        """A line of a table."""
        parts = [max(0.0, 100 * part) for part in (self.result.right, self.result.wrong, self.result.left_open, self.result.ghosts)]
        figures = " | ".join(f"{part:.2f}" for part in parts)
        apart = "" if self.apart is None else f"{self.apart[0]:.2f} mm, {self.apart[1]:.2f}°"
        kind = "hard" if self.hard else "plain"
        name, clocks = f"{self.take} ({self.frames})", f"{self.seconds[0]:.1f} s, {self.seconds[1]:.1f} s"
        cells = (name, self.known, kind, str(self.seed), figures, clocks, apart, self.mistakes)
        return f"| {' | '.join(cells)} |"


def measured(name: str, kinds: Sequence[bool], seeds: Sequence[int], *, given: bool, solve: bool) -> Iterator[Measured]:
    """Label a take once for each kind and seed; a plain one for the first seed only, since seeds but shuffle its columns.

    Args:
        name: Of the take's folder.
        kinds: Whether it is hard.
        seeds: Of what is removed.
        given: Label the second half of the take, with the actor that a solve of the first half fits, as if that were another take.
        solve: Compare the solves for the first seed, too.
    """
    take, marker_set = labelled_take(name)
    actor = None
    if given:
        half = take.frames // 2
        actor = solve_take(part_of(take, slice(0, half)), Settings(), marker_set=marker_set).actor
        take = part_of(take, slice(half, take.frames))
    for hard in kinds:
        for seed in seeds if hard else seeds[:1]:
            yield _measured(name, take, marker_set, actor, seed, hard, solve=solve and seed == seeds[0])


def labelled_take(name: str) -> tuple[Take, MarkerSet]:
    """A take on its marker set's labels, those put right that its file has exchanged."""
    take = read_c3d(data_folder() / "takes" / name / TAKES[name])
    marker_set = choose_marker_set(take)
    known, _ = match_all(take, marker_set)
    swapped = {one: other for pair in EXCHANGED_IN_FILE.get(name, ()) for one, other in (pair, pair[::-1])}
    order = [known.labels.index(swapped.get(label, label)) for label in known.labels]
    return replace(known, positions=known.positions[:, order], residuals=known.residuals[:, order], origins=(), source=None), marker_set


def part_of(take: Take, frames: slice) -> Take:
    """Some frames of a take."""
    return replace(take, positions=take.positions[frames], residuals=take.residuals[frames])


def _measured(name: str, take: Take, marker_set: MarkerSet, actor: Actor | None, seed: int, hard: bool, *, solve: bool) -> Measured:
    stripped = strip_labels(take, seed, hard=hard)
    prior = priors.bundled(without=(name,))
    begin = time.perf_counter(), time.process_time()
    found = label_take(stripped.take, actor, prior=prior)
    seconds = time.perf_counter() - begin[0], time.process_time() - begin[1]
    names = [label for label in found.take.labels if not label.startswith("*")]
    positions = found.take.positions[:, : len(names)]
    apart = _apart(stripped, found, marker_set, actor) if solve else None
    result = score(stripped, positions, names)
    return Measured(
        name, "actor" if actor else "set", hard, seed, take.frames, result, seconds, _mistakes(stripped, positions, names), apart
    )


def _mistakes(stripped: Stripped, found: np.ndarray, names: Sequence[str]) -> str:
    """The most frequent ones: true label, found label, percent of the samples."""
    given, real = owners(stripped.take, found), stripped.truth >= 0
    pairs = Counter(zip(stripped.truth[real].tolist(), given[real].tolist(), strict=True))
    labels = [*names, "open"]
    wrong = {
        f"{stripped.names[true]}>{labels[said]}": count for (true, said), count in pairs.items() if stripped.names[true] != labels[said]
    }
    return ", ".join(f"{pair} {100 * count / max(int(real.sum()), 1):.2f}" for pair, count in Counter(wrong).most_common(NAMED))


def _apart(stripped: Stripped, found: Labelled, marker_set: MarkerSet, actor: Actor | None) -> tuple[float, float]:
    """How far the solves of the found labels and of the true ones, of the same samples, are from each other: mean mm and degrees."""
    true = np.full((stripped.take.frames, len(stripped.names), 3), np.nan)
    frames, columns = np.nonzero(stripped.truth >= 0)
    true[frames, stripped.truth[frames, columns]] = stripped.take.positions[frames, columns]
    labelled = replace(stripped.take, labels=stripped.names, positions=true, residuals=np.zeros(true.shape[:2]))
    ours, theirs = (solve_take(take, Settings(), actor, marker_set=marker_set) for take in (found.take, labelled))
    angles = rotation_angles_deg(_global_rotations(ours), _global_rotations(theirs))
    return 1e3 * float(np.linalg.norm(ours.positions - theirs.positions, axis=-1).mean()), float(angles.mean())


def _global_rotations(solution: Solution) -> np.ndarray:
    """(frames, joints, 3, 3)."""
    rotations = unitquat_to_rotmat(solution.rotations)
    for joint, parent in enumerate(solution.actor.skeleton.parents):
        if parent >= 0:
            rotations[:, joint] = rotations[:, parent] @ rotations[:, joint]
    return rotations
