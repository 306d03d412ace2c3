# SPDX-License-Identifier: GPL-3.0-or-later
"""Swapped labels, and other samples under a wrong label, found by where a first solve puts every marker.

Whole segments whose left and right are exchanged are put right before, in `sides.py`.

A sample is doubtful where it is far from its label's place. It claims the place of another label that it is near, if that is free:
its own sample is doubtful or missing. Claims are decided for a span, never for a frame: a stretch between two ends at each of which
the trajectory jumps, begins or ends, because what moves on smoothly has not changed its label; or at which two markers of different
limbs pass each other, so near that cameras take the one for the other and the trajectory goes on smoothly with it. Where several
trajectories claim places in the same span, the assignment with the best mean distances is taken. Unlabelled points may claim a place too.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ..core.distances import FARTHEST_M, distances
from ..core.parallel import columns, run_each
from ..core.stretches import stretches
from ..core.take import BoolArray, FloatArray, IntArray, Take
from .corrections import Correction, in_order
from .sources import Sources, corrections_of, hold_pinned, own_sources, with_sources

#: A sample is doubtful when it is farther from its place than this, in m, and than this many times its label's usual distance.
DOUBT_M, DOUBT_RATIO = 0.035, 3.0
#: A span's trajectory must be nearer to the new place than to its own by this much on average, in m.
MARGIN_M = 0.02
#: It claims a place that is not within the label's usual distances only if that is nearer by this factor and within this reach, in m,
#: and if it goes on where the label's trajectory stops, at both ends: where many markers are wrong the first solve is, too.
NEARER, REACH_M = 0.8, 0.25
#: Claims that are no farther apart than this belong to one span, and the ends of a span are looked for this far around, in s.
HOLE, SNAP = 0.04, 0.05
#: A span lasts at least this long, in s, and this part of its samples makes the claim. What is shorter is noise to the cleaning.
SHORTEST, DENSITY = 0.04, 0.6
#: At the end of a span a trajectory jumps by this part of the distance between the two places.
JUMP = 0.5
#: Or the places pass each other within the usual distances, so long before or after the claims, in s, and are so many times as far
#: apart in the span: neighbours of one limb are always near each other.
PASSING, PASSED = 0.5, 2.0
#: A stretch is nobody's when it is at least this far from its place throughout, in m, for this long, in s, and jumps there or back.
GHOST_M, GHOST = 0.10, 0.1


@dataclass(frozen=True)
class Span:
    """A trajectory that claims the place of a label from frame `start` to before frame `end`."""

    point: int
    label: int
    start: int
    end: int


@dataclass(frozen=True, eq=False)
class Distances:
    """What the spans are decided by.

    Attributes:
        points: (frames, points, 3) in metres: the labelled trajectories, then the unlabelled ones; NaN where missing.
        places: (frames, labels, 3) in metres: where a first solve puts each label's marker.
        apart: (frames, labels) in metres: how far each label's sample is from its place, NaN where missing.
        limits: (labels) in metres: farther is doubtful, nearer fits.
        rate_hz: Frames per second.
    """

    points: FloatArray
    places: FloatArray
    apart: FloatArray
    limits: FloatArray
    rate_hz: float

    @property
    def doubtful(self) -> BoolArray:
        """(frames, labels): samples that are far from their place."""
        return self.apart > self.limits

    @property
    def free(self) -> BoolArray:
        """(frames, labels): places that no sample of their own label fits."""
        return ~(self.apart <= self.limits)

    def frames(self, seconds: float) -> int:
        return max(1, round(seconds * self.rate_hz))


def relabel(take: Take, spare: Take, places: FloatArray) -> tuple[Take, tuple[Correction, ...]]:
    """Put samples under the label that they belong to, and drop those that are nobody's.

    Args:
        take: On a marker set's labels.
        spare: The unlabelled points of the same frames; may have none.
        places: (frames, labels, 3) in metres: where a first solve puts each marker.

    Returns:
        The take, the very same where nothing was wrong, and what was corrected.
    """
    evidence = _evidence(take, spare, places)
    doubtful = evidence.doubtful
    if not doubtful.any() and not len(spare.labels):
        return take, ()
    source = _assigned(evidence, _claims(evidence, doubtful))
    ghosts = _ghosts(evidence, doubtful & (source == np.arange(source.shape[1])))
    pinned = take.pinned
    if pinned is not None:
        ghosts = [ghost for ghost in ghosts if not pinned[ghost.start : ghost.end, ghost.label].any()]
    for ghost in ghosts:
        source[ghost.start : ghost.end, ghost.label] = -1
    if pinned is not None:
        hold_pinned(source, pinned)
    names = take.labels + spare.labels
    dropped = (Correction("dropped", (names[ghost.label],), ghost.start, ghost.end - 1) for ghost in ghosts)
    corrections = in_order((*dropped, *corrections_of(source, names)))
    if not corrections:
        return take, ()
    return with_sources(take, spare, source), corrections


def _evidence(take: Take, spare: Take, places: FloatArray) -> Distances:
    own = _bounded(take)
    points = np.concatenate([own, _bounded(spare)], axis=1) if spare.labels else own
    apart = distances(own, places)
    finite = np.isfinite(apart)
    usual = np.zeros(len(take.labels))

    def work(some: slice) -> None:
        whole, known = finite[:, some].all(axis=0), finite[:, some].any(axis=0)
        # numpy looks for what is missing column by column: most markers miss nothing
        for median, rows in ((np.median, whole), (np.nanmedian, known & ~whole)):
            usual[some][rows] = median(apart[:, some][:, rows], axis=0)

    run_each(work, columns(len(take.labels), take.frames))
    limits = np.maximum(DOUBT_M, DOUBT_RATIO * usual)
    return Distances(points, places, apart, limits, take.rate_hz)


def _bounded(take: Take) -> FloatArray:
    """Positions whose distances are numbers: a noisy sample may be anywhere."""
    positions = take.positions
    if not positions.size or max(np.fmax.reduce(positions, axis=None), -np.fmin.reduce(positions, axis=None)) <= FARTHEST_M:
        return positions
    return np.where(take.present[..., None], positions.clip(-FARTHEST_M, FARTHEST_M), np.nan)


def _claims(evidence: Distances, doubtful: BoolArray) -> list[Span]:
    """The spans in which a doubtful or unlabelled trajectory lies where the marker of another label should be."""
    runs, spans = _runs(evidence, doubtful), list[Span]()
    for run in runs:
        elsewhere = {other.label for other in runs if other.point == run.point} | {run.point}
        spans += [span for span in _whole(evidence, run, elsewhere - {run.label}) if _near(evidence, span) or _continues(evidence, span)]
    return [*spans, *_returns(evidence, spans)]


def _runs(evidence: Distances, doubtful: BoolArray) -> list[Span]:
    """Spans in which the samples of a trajectory claim the place of one label, from the first claim to the last."""
    frames, points, labels = _claiming(evidence, doubtful)
    order = np.lexsort((frames, labels, points))
    frames, points, labels = frames[order], points[order], labels[order]
    changes = (np.diff(points) != 0) | (np.diff(labels) != 0) | (np.diff(frames) > evidence.frames(HOLE))
    edges = np.concatenate([[0], np.flatnonzero(changes) + 1, [len(frames)]])
    found = []
    for run in np.flatnonzero(np.diff(edges) >= evidence.frames(SHORTEST) * DENSITY).tolist():
        first, last = int(edges[run]), int(edges[run + 1]) - 1
        span = Span(int(points[first]), int(labels[first]), int(frames[first]), int(frames[last]) + 1)
        samples = np.isfinite(evidence.points[span.start : span.end, span.point, 0]).sum()
        if span.end - span.start >= evidence.frames(SHORTEST) and edges[run + 1] - edges[run] >= DENSITY * samples:
            found.append(span)
    return found


def _returns(evidence: Distances, spans: list[Span]) -> list[Span]:
    """What the owners of the places claimed do meanwhile, if they make no claims themselves: the other half of a swap."""
    claimed = {(span.point, span.label) for span in spans}
    halves = [span for span in spans if span.point < evidence.places.shape[1] and (span.label, span.point) not in claimed]
    others = [replace(span, point=span.label, label=span.point) for span in halves]
    return [other for other in others if _continues(evidence, other)]


def _claiming(evidence: Distances, doubtful: BoolArray) -> tuple[IntArray, IntArray, IntArray]:
    """Frame, trajectory and label of every claim: the nearest free place of another label, if it is nearer than its own."""
    count = doubtful.shape[1]
    frames, points = np.nonzero(np.concatenate([doubtful, np.isfinite(evidence.points[:, count:, 0])], axis=1))
    owned = points < count
    own = np.full(len(frames), np.inf)
    own[owned] = evidence.apart[frames[owned], points[owned]]
    free = evidence.free[frames]
    free[owned, points[owned]] = False
    # few places are free: far fewer distances than there are pairs
    samples, labels = np.nonzero(free)
    distance = np.linalg.norm(evidence.points[frames[samples], points[samples]] - evidence.places[frames[samples], labels], axis=-1)
    near = distance < np.minimum(np.maximum(evidence.limits[labels], NEARER * own[samples]), own[samples] - MARGIN_M)
    near &= distance < REACH_M
    samples, labels, distance = samples[near], labels[near], distance[near]
    order = np.lexsort((distance, samples))
    first = order[np.unique(samples[order], return_index=True)[1]]
    return frames[samples[first]], points[samples[first]], labels[first]


def _whole(evidence: Distances, span: Span, elsewhere: Collection[int]) -> list[Span]:
    """The span with its ends put where its trajectory jumps, begins or ends, or passes another place; none where it goes on smoothly.

    Args:
        evidence: Of the take.
        span: Whose samples claim the place.
        elsewhere: The labels at whose places the trajectory may be before and after.
    """
    start, end = (_jump_near(evidence, span, frame) for frame in (span.start, span.end))
    if start is None:
        start = _passing(evidence, span, elsewhere, before=True)
    if end is None:
        end = _passing(evidence, span, elsewhere, before=False)
    return [] if start is None or end is None or end <= start else [replace(span, start=start, end=end)]


def _jump_near(evidence: Distances, span: Span, end: int) -> int | None:
    """The frame near an end of a span into which its trajectory jumps, or with which it begins or ends; None where it goes on smoothly."""
    reach = evidence.frames(SNAP)
    frames = np.arange(max(0, end - reach), min(len(evidence.points), end + reach) + 1)
    jumps = frames[_jumps(evidence, span, frames) >= 1.0]
    # the nearest: the next one may be another swap's
    return int(jumps[np.abs(jumps - end).argmin()]) if len(jumps) else None


def _passing(evidence: Distances, span: Span, elsewhere: Collection[int], *, before: bool) -> int | None:
    """The frame before or behind a span where its trajectory comes to be nearer to another place, if both places pass each other there.

    As an end of the span: the first one that belongs to it, or the first one that does not any more.
    """
    reach = evidence.frames(PASSING)
    there = slice(max(0, span.start - reach), span.start) if before else slice(span.end, span.end + reach)
    path, places = evidence.points[there, span.point], evidence.places[there]
    limit = evidence.limits[span.label]
    for other in sorted(each for each in elsewhere if each < places.shape[1]):
        claimed, own = (np.linalg.norm(path - places[:, label], axis=-1) for label in (span.label, other))
        nearer = np.flatnonzero(own <= claimed)
        if not len(nearer):
            continue
        frame = int(nearer[-1 if before else 0])
        apart = evidence.places[span.start : span.end, other] - evidence.places[span.start : span.end, span.label]
        passes = np.linalg.norm(places[frame, other] - places[frame, span.label]) <= limit
        if passes and np.linalg.norm(apart, axis=-1).mean() >= PASSED * limit:
            return there.start + frame + before
    return None


def _near(evidence: Distances, span: Span) -> bool:
    """Whether the trajectory lies as near to the place as the label's own usually does."""
    return _off(evidence, span, slice(span.start, span.end)) <= evidence.limits[span.label]


def _continues(evidence: Distances, span: Span) -> bool:
    """Whether the trajectory goes on where the label's own stops, and that where it stops, the place's own way apart."""
    points, places = evidence.points, evidence.places[:, span.label]
    for before in (span.start - 1, span.end - 1):
        if before < 0 or before + 1 >= len(points):
            return False
        old, new = (span.label, span.point) if before < span.start else (span.point, span.label)
        step = (points[before + 1, new] - points[before, old]) - (places[before + 1] - places[before])
        if not np.linalg.norm(step) <= evidence.limits[span.label]:
            return False
    return True


def _off(evidence: Distances, span: Span, stretch: slice) -> float:
    """Mean distance in m of the span's trajectory from the place that it claims, in a stretch; 0 where it has no sample."""
    distance = np.linalg.norm(evidence.points[stretch, span.point] - evidence.places[stretch, span.label], axis=-1)
    known = np.isfinite(distance)
    return float(distance[known].mean()) if known.any() else 0.0


def _jumps(evidence: Distances, span: Span, frames: IntArray) -> FloatArray:
    """(frames): how far the span's trajectory jumps into each frame; 1 is just enough, and is given where it begins or ends.

    A jump is what neither the movement of the place nor going on as before explains: the first solve may be what jumps.
    """
    path, places = evidence.points[:, span.point], evidence.places
    into = np.clip(frames, 1, max(1, len(path) - 1))
    if len(path) < 2:
        return np.ones(len(frames))
    move = path[into] - path[into - 1]
    expected = (places[into, span.label] - places[into - 1, span.label], path[into - 1] - path[np.maximum(into - 2, 0)])
    missed = np.fmin(*(np.linalg.norm(move - way, axis=-1) for way in expected))
    needed = np.full(len(into), GHOST_M)
    if span.point < places.shape[1] and span.point != span.label:
        needed = np.linalg.norm(places[into, span.point] - places[into, span.label], axis=-1)
    jumps = missed / (JUMP * np.maximum(needed, evidence.limits[span.label]))
    present = np.isfinite(path[:, 0])
    begins_or_ends = (present[into] != present[into - 1]) | (frames < 1) | (frames >= len(path))
    return np.nan_to_num(np.where(begins_or_ends, 1.0, jumps), nan=0.0)


def _assigned(evidence: Distances, spans: list[Span]) -> Sources:
    """(frames, labels): the trajectory that is each label's, -1 where none is."""
    count = evidence.places.shape[1]
    source = own_sources(len(evidence.places), count)
    free = evidence.free
    cuts = np.unique([frame for span in spans for frame in (span.start, span.end)]).astype(int).tolist()
    for start, end in pairwise(cuts):
        active = [span for span in spans if span.start <= start and span.end >= end]
        moves = _moves(evidence, active, slice(start, end))
        stretch = source[start:end]
        for point, label in moves.items():
            # never over a sample that fits, unless that moves on itself
            stretch[free[start:end, label] | (label in moves), label] = point
        for point in moves.keys() - set(moves.values()):
            if point < count:
                # it has moved on, and nobody came
                stretch[stretch[:, moves[point]] == point, point] = -1
    return source


def _moves(evidence: Distances, spans: list[Span], stretch: slice) -> dict[int, int]:
    """{trajectory: label} of those claims that together fit a stretch of frames best."""
    points = sorted({span.point for span in spans})
    labels = sorted({span.label for span in spans})
    # here, because most takes have nothing to assign, and this takes 0.2 s to import
    from scipy.optimize import linear_sum_assignment

    gain = np.zeros((len(points), len(labels)))
    for span in spans:
        gain[points.index(span.point), labels.index(span.label)] = max(0.0, REACH_M - _off(evidence, span, stretch))
    rows, columns = linear_sum_assignment(gain, maximize=True)
    return {points[row]: labels[column] for row, column in zip(rows, columns, strict=True) if gain[row, column] > 0}


def _ghosts(evidence: Distances, doubtful: BoolArray) -> list[Span]:
    """Stretches of a label's own samples that are nobody's: far from their place throughout, and with a jump there or back."""
    far = doubtful & (evidence.apart > GHOST_M)
    ghosts = []
    for label in np.flatnonzero(far.any(axis=0)).tolist():
        for start, end in stretches(far[:, label]).tolist():
            ghost = Span(label, label, start, end)
            # most are noise of a frame or two
            if end - start >= evidence.frames(GHOST):
                jumps = _jumps(evidence, ghost, np.array([start, end]))
                ghosts += [ghost] if jumps.min() >= 1.0 and jumps.max() > 1.0 else []
    return ghosts
