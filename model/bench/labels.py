# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels of real takes that are removed, found again, and compared."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..actors import prior as priors
from ..actors.actor import Actor
from ..core.metrics import pose_error
from ..core.rotations import unitquat_to_rotmat
from ..core.settings import Settings
from ..core.take import Take
from ..datasets.lab_takes import data_folder
from ..engine.pipeline import solve_take
from ..files.c3d import read_c3d
from ..labelling.label import label_take
from ..labelling.labelled import Labelled
from ..labelling.surface import SEGMENT_OF
from ..marker_sets.marker_set import MarkerSet, bundled_marker_sets
from ..markers.matching import choose_marker_set, match_all
from ..result.solution import Solution
from ..synthetic.unlabelled import Labelling, Stripped, owners, score, strip_labels
from .bench_labels import OTHERS, TAKES

#: Labels that a take's own file has exchanged: what it calls LMT1 lies on the outer side of LMT5.
EXCHANGED_IN_FILE = {"gatech_squat": (("LMT1", "LMT5"), ("RMT1", "RMT5"))}
#: Mistakes that a row names.
NAMED = 4


@dataclass(frozen=True)
class Apart:
    """How far a solve is from another one of the same samples, means over joints and frames.

    Attributes:
        mm, deg: Of joints and their global rotations, raw.
        motion_mm, motion_deg: Without what is constant, see `pose_error`: of two marker sets, where each has the joints is a convention.
    """

    mm: float
    deg: float
    motion_mm: float
    motion_deg: float

    def __str__(self) -> str:
        """As a cell of the table."""
        return f"{self.mm:.2f} mm, {self.deg:.2f}°; motion {self.motion_mm:.2f} mm, {self.motion_deg:.2f}°"


@dataclass(frozen=True)
class Measured:
    """One take, labelled once.

    Attributes:
        take: Name of its folder.
        known: "set" where the actor is unknown, "nothing" where the set is, too, else "actor".
        hard: Whether markers were taken away and ghosts added.
        seed: Of that.
        frames: Of the take.
        result: Parts of the samples.
        seconds: That labelling took, by the clock, and of all cores together, which a busy machine changes less.
        mistakes: The most frequent ones, `true>found`.
        placed: Of a set that is unknown: how many of the take's markers are on their segment, on their side, and how many there are.
        apart: How far the solve lies from that of the labelled take; None where that was not asked for.
    """

    take: str
    known: str
    hard: bool
    seed: int
    frames: int
    result: Labelling
    seconds: tuple[float, float]
    mistakes: str
    placed: tuple[int, int, int] | None
    apart: Apart | None

    def row(self) -> str:
        """A line of a table."""
        parts = [max(0.0, 100 * part) for part in (self.result.right, self.result.wrong, self.result.left_open, self.result.ghosts)]
        figures = " | ".join(f"{part:.2f}" for part in parts)
        apart = "" if self.apart is None else str(self.apart)
        kind = "hard" if self.hard else "plain"
        name, clocks = f"{self.take} ({self.frames})", f"{self.seconds[0]:.1f} s, {self.seconds[1]:.1f} s"
        placed = "" if self.placed is None else f"{self.placed[0]}, {self.placed[1]} of {self.placed[2]}"
        cells = (name, self.known, kind, str(self.seed), figures, clocks, apart, placed, self.mistakes)
        return f"| {' | '.join(cells)} |"


def measured(name: str, kinds: Sequence[bool], seeds: Sequence[int], *, known: str, solve: bool) -> Iterator[Measured]:
    """Label a take once for each kind and seed; a plain one for the first seed only, since seeds but shuffle its columns.

    Args:
        name: Of the take's folder.
        kinds: Whether it is hard.
        seeds: Of what is removed.
        known: "actor": label the second half of the take, with the actor that a solve of the first half fits, as if that were another take;
            "set": choose among the bundled sets; "nothing": do not look for a set, and know the bundled ones but the take's own.
        solve: Compare the solves for the first seed, too.
    """
    take, marker_set = labelled_take(name)
    actor = None
    if known == "actor":
        half = take.frames // 2
        actor = solve_take(part_of(take, slice(0, half)), Settings(), marker_set=marker_set).actor
        take = part_of(take, slice(half, take.frames))
    for hard in kinds:
        for seed in seeds if hard else seeds[:1]:
            yield _measured(name, take, marker_set, actor, seed, hard, unknown=known == "nothing", solve=solve and seed == seeds[0])


def labelled_take(name: str) -> tuple[Take, MarkerSet]:
    """A take on its marker set's labels, those put right that its file has exchanged, or that are wrong in spans."""
    take = read_c3d(data_folder() / "takes" / name / (TAKES | OTHERS)[name])
    marker_set = choose_marker_set(take)
    known, _ = match_all(take, marker_set)
    swapped = {one: other for pair in EXCHANGED_IN_FILE.get(name, ()) for one, other in (pair, pair[::-1])}
    order = [known.labels.index(swapped.get(label, label)) for label in known.labels]
    found = replace(known, positions=known.positions[:, order], residuals=known.residuals[:, order], origins=(), source=None)
    return (corrected(found, marker_set) if name in OTHERS else found), marker_set


def corrected(take: Take, marker_set: MarkerSet) -> Take:
    """A take whose labels are wrong in spans, with the labels that its solve puts right."""
    return solve_take(take, Settings(), marker_set=marker_set).clean.take


def part_of(take: Take, frames: slice) -> Take:
    """Some frames of a take."""
    return replace(take, positions=take.positions[frames], residuals=take.residuals[frames])


def _measured(
    name: str, take: Take, marker_set: MarkerSet, actor: Actor | None, seed: int, hard: bool, *, unknown: bool, solve: bool
) -> Measured:
    stripped = strip_labels(take, seed, hard=hard)
    prior = priors.bundled(without=(name,))
    others = [known for known in bundled_marker_sets() if known.name != marker_set.name] if unknown else None
    begin = time.perf_counter(), time.process_time()
    found = label_take(stripped.take, actor, prior=prior, unknown_set=unknown, sets=others)
    seconds = time.perf_counter() - begin[0], time.process_time() - begin[1]
    labels = [label for label in found.take.labels if not label.startswith("*")]
    positions = found.take.positions[:, : len(labels)]
    names = named_as(stripped, positions, labels) if unknown else labels
    placed, elsewhere = _placed(found, labels, names, marker_set) if unknown else (None, [])
    apart = _apart(stripped, found, marker_set, actor) if solve else None
    result, mistakes = score(stripped, positions, names), [*elsewhere, *_mistakes(stripped, positions, names)]
    known = "nothing" if unknown else "actor" if actor else "set"
    return Measured(name, known, hard, seed, take.frames, result, seconds, ", ".join(mistakes), placed, apart)


def named_as(stripped: Stripped, found: np.ndarray, labels: Sequence[str]) -> list[str]:
    """The true names of generated labels, one to one so that as many samples as possible are right; of others the labels themselves.

    Args:
        stripped: What they were found for.
        found: (frames, labels, 3) in metres.
        labels: As they were generated.
    """
    given, real = owners(stripped.take, found), stripped.truth >= 0
    together = np.zeros((len(labels), len(stripped.names)))
    both = real & (given >= 0)
    np.add.at(together, (given[both], stripped.truth[both]), 1)
    rows, columns = linear_sum_assignment(together, maximize=True)
    names = list(labels)
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        if together[row, column]:
            names[row] = stripped.names[column]
    return names


def _placed(found: Labelled, labels: Sequence[str], names: Sequence[str], marker_set: MarkerSet) -> tuple[tuple[int, int, int], list[str]]:
    """How many markers are on their segment, on their side, and how many there are; and which are on another segment."""
    joints = found.actor.skeleton.joints
    segments = sides = count = 0
    elsewhere = []
    for label, name in zip(labels, names, strict=True):
        if name not in marker_set.labels:
            continue
        true = SEGMENT_OF[marker_set.joints[marker_set.labels.index(name)]]
        said = SEGMENT_OF[joints[found.actor.marker_joints[found.actor.labels.index(label)]]]
        count, segments = count + 1, segments + (said == true)
        # a segment of the middle has no side that could be wrong
        sides += len({true.partition(".")[2], said.partition(".")[2]} - {""}) < 2
        elsewhere += [] if said == true else [f"{name} on {said}"]
    return (segments, sides, count), elsewhere


def _mistakes(stripped: Stripped, found: np.ndarray, names: Sequence[str]) -> list[str]:
    """The most frequent ones: true label, found label, percent of the samples."""
    given, real = owners(stripped.take, found), stripped.truth >= 0
    pairs = Counter(zip(stripped.truth[real].tolist(), given[real].tolist(), strict=True))
    labels = [*names, "open"]
    wrong = {
        f"{stripped.names[true]}>{labels[said]}": count for (true, said), count in pairs.items() if stripped.names[true] != labels[said]
    }
    return [f"{pair} {100 * count / max(int(real.sum()), 1):.2f}" for pair, count in Counter(wrong).most_common(NAMED)]


def _apart(stripped: Stripped, found: Labelled, marker_set: MarkerSet, actor: Actor | None) -> Apart:
    """How far the solves of the found labels and of the true ones, of the same samples, are from each other."""
    true = np.full((stripped.take.frames, len(stripped.names), 3), np.nan)
    frames, columns = np.nonzero(stripped.truth >= 0)
    true[frames, stripped.truth[frames, columns]] = stripped.take.positions[frames, columns]
    labelled = replace(stripped.take, labels=stripped.names, positions=true, residuals=np.zeros(true.shape[:2]))
    ours = solve_take(found.take, Settings(), actor, marker_set=found.marker_set or marker_set)
    theirs = solve_take(labelled, Settings(), actor, marker_set=marker_set)
    error = pose_error(ours.positions, _global_rotations(ours), theirs.positions, _global_rotations(theirs))
    each = error.position_mm, error.rotation_deg, error.motion_mm, error.motion_deg
    return Apart(*(float(values.mean()) for values in each))


def _global_rotations(solution: Solution) -> np.ndarray:
    """(frames, joints, 3, 3)."""
    rotations = unitquat_to_rotmat(solution.rotations)
    for joint, parent in enumerate(solution.actor.skeleton.parents):
        if parent >= 0:
            rotations[:, joint] = rotations[:, parent] @ rotations[:, joint]
    return rotations
