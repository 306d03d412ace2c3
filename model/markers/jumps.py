# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples that leave the path of their neighbours in time.

A sample is judged by what pairs of the samples around it predict, each pair by a straight line: a good sample agrees with many pairs even
where a third of its neighbours are noise, a moved one with next to none. A pair abstains where a hand that is as fast as the marker could
have left its line, as at low rates. Then excursions of several frames are looked for: a stretch that jumps away and back.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ..core.distances import squared_lengths
from ..core.parallel import columns, run_each
from ..core.take import BoolArray, FloatArray, IntArray, Take

#: What lies farther from the middle of a take than so many m, and than so many times as far as half of its samples, is no marker.
FARTHEST_M, FARTHEST_RATIO = 100.0, 100.0
#: Frames on each side that judge a sample.
REACH = 4
OFFSETS = tuple(offset for offset in range(-REACH, REACH + 1) if offset)
#: Lines are not drawn out further than to twice a pair's own distance: jitter and bends would grow with them.
FURTHEST = 2.0
#: A sample stands if at least this share of the pairs that can judge it agrees: at first a third of its neighbours may be noise
#: themselves. Later it is judged by those that are left, and may agree with either side alone, as at the edge of an excursion.
FIRST_SUPPORT, SUPPORT = 0.15, 0.5
LATER_ROUNDS = 2
#: In no less time than this, in s, does a marker change its velocity by as much as that itself, or by the settings' max speed: that is
#: 300 m/s^2 of the usual 5 m/s, and hands reach 280 in the most violent of the real takes (cmu_85_02). So a sample between or beside
#: two others, a and b frames away, lies up to half of this times a b and the square of a frame's time off the line through them.
TURN_SECONDS = 1 / 60
#: A velocity changes by no more than so many times the max speed: the hands of that take swing at 10 m/s.
MOST_TURN = 3.0
#: Speeds that tell so are taken over at least this time, in s: noise that is hardly larger than a step looks fast over less.
SPEED_SECONDS = 0.06
#: Fewer neighbours than this judge nothing at first: who is wrong could not be told.
FEWEST_NEIGHBOURS = 3

#: Leaving two stretches of a path unconnected weighs as much as leaving out this much of it, in s: so a stretch that jumps away
#: and back is noise up to twice as long, one at either end up to once. Longer ones are told by rigid groups.
BREAK_COST = 0.25


def jumping(take: Take, present: BoolArray, max_speed: float) -> BoolArray:
    """(frames, labels): samples that are too far away to be a marker, spikes and excursions.

    Each marker is judged by itself: several threads judge some at a time, in the memory of these.
    """
    middle, farthest = _reach(take.positions, present)
    flagged = np.zeros_like(present)

    def work(own: slice) -> None:
        centred, far = _centred(take.positions[:, own], present[:, own], middle, farthest)
        standing = present[:, own] & ~far
        spikes = _spikes(centred, standing, max_speed, take.rate_hz)
        standing &= ~spikes
        flagged[:, own] = far | spikes | _excursions(centred, standing, max_speed, take.rate_hz)

    run_each(work, columns(len(take.labels), take.frames))
    return flagged


def _reach(positions: FloatArray, present: BoolArray) -> tuple[FloatArray, float]:
    """The middle (3,) of a take, in metres, and how far from it on an axis a sample may be."""
    few = slice(None, None, max(1, len(positions) // 100))
    known = positions[few][present[few]]
    if not len(known):
        known = positions[present]
    if not len(known):
        return np.zeros(3), FARTHEST_M
    middle = np.median(known, axis=0)
    return middle, max(FARTHEST_M, FARTHEST_RATIO * float(np.median(np.abs(known - middle).max(axis=-1))))


def _centred(positions: FloatArray, present: BoolArray, middle: FloatArray, farthest: float) -> tuple[FloatArray, BoolArray]:
    """Positions about the middle of the take, NaN where there is none, and (frames, labels) where a sample is too far to be a marker.

    Four-byte floats: 1e-7 of a few metres is far below a marker's jitter, and twice as fast.
    """
    centred = positions - middle
    x, y, z = (np.abs(centred[..., axis]) > farthest for axis in range(3))
    far = present & (x | y | z)
    # before they are made narrow, which the farthest do not survive
    centred[~present | far] = np.nan
    return centred.astype(np.float32), far


def _spikes(positions: FloatArray, trusted: BoolArray, max_speed: float, rate_hz: float) -> BoolArray:
    """Single samples, (frames, labels), that leave their neighbours' path by more than a step at `max_speed`."""
    step = max_speed / rate_hz
    frames, markers = np.nonzero(trusted & ~_smooth(positions, trusted, step))
    suspects = (frames, markers)
    flagged = np.zeros_like(trusted)
    if not len(frames):
        return flagged
    neighbours = _gather(positions, suspects, OFFSETS)
    misses = _misses(_gather(positions, suspects, (0,))[0], neighbours)
    speeds = _likely_speeds(neighbours, _gather(trusted, suspects, OFFSETS, absent=False), rate_hz)
    bends = np.minimum(speeds, max_speed) / TURN_SECONDS / rate_hz**2
    for first, support in ((True, FIRST_SUPPORT), *((False, SUPPORT) for _ in range(LATER_ROUNDS))):
        there = _gather(trusted & ~flagged, suspects, OFFSETS, absent=False)
        stands, judged = np.zeros((2, len(bends)), dtype=bool)
        for witnesses in (PAIRS,) if first else (PAIRS, PAIRS_BEFORE, PAIRS_AFTER):
            able, agree = _votes(misses, bends, there, witnesses, step)
            stands |= (able > 0) & (agree >= support * able)
            judged |= able > 0
        if first:
            judged &= there.sum(axis=0) >= FEWEST_NEIGHBOURS
        flagged[suspects] = np.where(judged, ~stands, flagged[suspects])
    return flagged


def _votes(
    misses: FloatArray, bends: FloatArray, there: BoolArray, witnesses: tuple[tuple[int, int], ...], step: float
) -> tuple[IntArray, IntArray]:
    """For each sample how many of these pairs are there and can tell, and with how many of them it agrees.

    A pair cannot tell where the sample is more than a step off its line, but no more than the movement may be bent there.
    """
    able, agree = np.zeros((2, misses.shape[1]), dtype=np.intp)
    for a, b in witnesses:
        pair, miss = there[a] & there[b], misses[PAIRS.index((a, b))]
        agrees = pair & (miss <= step)
        agree += agrees
        able += agrees | pair & (miss > np.maximum(step, 0.5 * abs(OFFSETS[a] * OFFSETS[b]) * bends))
    return able, agree


def _likely_speeds(neighbours: FloatArray, there: BoolArray, rate_hz: float) -> FloatArray:
    """(samples,) in m/s: how fast a marker may be, by its neighbours.

    Args:
        neighbours: (offsets, samples, 3).
        there: (offsets, samples), which of them are.
        rate_hz: Frames per second.
    """
    least = min(round(SPEED_SECONDS * rate_hz), REACH)
    speeds = [
        np.where(
            there[a] & there[b], np.sqrt(squared_lengths(neighbours[b] - neighbours[a])) * (rate_hz / (OFFSETS[b] - OFFSETS[a])), np.inf
        )
        for a, b in combinations(range(len(OFFSETS)), 2)
        if OFFSETS[b] - OFFSETS[a] >= least
    ]
    ordered = np.sort(np.stack(speeds), axis=0)
    # the upper quartile: half of them are slow about the end of a swing; where none is known, any is likely
    row = np.isfinite(ordered).sum(axis=0, keepdims=True) * 3 // 4
    return np.take_along_axis(ordered, row, axis=0)[0]


def _smooth(positions: FloatArray, trusted: BoolArray, step: float) -> BoolArray:
    """(frames, labels): samples that lie between their two neighbours; spares most of them the full trial."""
    smooth = np.zeros_like(trusted)
    if len(positions) < 3:
        return smooth
    bend = 0.5 * (positions[:-2] + positions[2:]) - positions[1:-1]
    smooth[1:-1] = (squared_lengths(bend) <= step * step) & trusted[:-2] & trusted[2:]
    return smooth


def _gather(values: NDArray, samples: tuple[IntArray, IntArray], offsets: tuple[int, ...], absent: float = np.nan) -> NDArray:
    """(offsets, samples, ...): the values some frames before and after each sample, `absent` beyond the take."""
    padding = [(REACH, REACH)] + [(0, 0)] * (values.ndim - 1)
    padded = np.pad(values, padding, constant_values=absent)
    return np.stack([padded[samples[0] + REACH + offset, samples[1]] for offset in offsets])


def _weight(a: int, b: int) -> float:
    """Share of the second of two neighbours, at these offsets, in the line through both at offset 0."""
    return a / (a - b)


#: Rows of OFFSETS whose line predicts a sample.
PAIRS = tuple(
    (first, second)
    for first, second in combinations(range(len(OFFSETS)), 2)
    if max(abs(_weight(OFFSETS[first], OFFSETS[second])), abs(1 - _weight(OFFSETS[first], OFFSETS[second]))) <= FURTHEST
)
PAIRS_BEFORE = tuple(pair for pair in PAIRS if OFFSETS[pair[1]] < 0)
PAIRS_AFTER = tuple(pair for pair in PAIRS if OFFSETS[pair[0]] > 0)


def _misses(judged: FloatArray, neighbours: FloatArray) -> FloatArray:
    """(pairs, samples) in metres: how far each sample lies from the line through each pair of its neighbours."""
    misses = np.empty((len(PAIRS), len(judged)), dtype=judged.dtype)
    for row, (a, b) in enumerate(PAIRS):
        weight = np.float32(_weight(OFFSETS[a], OFFSETS[b]))
        misses[row] = np.sqrt(squared_lengths(neighbours[a] + weight * (neighbours[b] - neighbours[a]) - judged))
    return misses


@dataclass(frozen=True)
class Reach:
    """How far a marker may be from where it would be had it gone on as before, by the settings and by what a hand can do."""

    max_speed: float
    rate_hz: float

    def squared(self, spans: FloatArray | float, before: FloatArray | float) -> FloatArray:
        """In m^2, after so many frames; its velocity is known from so many frames before."""
        part = np.minimum(0.5 / TURN_SECONDS / self.rate_hz * (spans + before), MOST_TURN)
        return (np.maximum(part, 1.0) * self.max_speed * spans / self.rate_hz) ** 2


def _excursions(positions: FloatArray, trusted: BoolArray, max_speed: float, rate_hz: float) -> BoolArray:
    """Stretches, (frames, labels), that jump away from a marker's path and back."""
    flagged = np.zeros_like(trusted)
    reach = Reach(max_speed, rate_hz)
    for marker in range(positions.shape[1]):
        frames = np.flatnonzero(trusted[:, marker])
        if len(frames) < 2:
            continue
        path = positions[frames, marker]
        breaks = np.flatnonzero(_jumps(path, frames, reach)) + 1
        if len(breaks):
            for start, end in _strays(path, frames, breaks, reach, BREAK_COST * rate_hz):
                flagged[frames[start:end], marker] = True
    return flagged


def _jumps(path: FloatArray, frames: IntArray, reach: Reach) -> BoolArray:
    """(samples - 1): True between two samples where neither standing still nor going on at either side's speed explains it."""
    spans = np.diff(frames).astype(path.dtype)
    moves = np.diff(path, axis=0)
    speeds = moves / spans[:, None]
    jumps = squared_lengths(moves) > reach.squared(spans, np.zeros_like(spans))
    jumps[1:] &= squared_lengths(moves[1:] - speeds[:-1] * spans[1:, None]) > reach.squared(spans[1:], spans[:-1])
    jumps[:-1] &= squared_lengths(moves[:-1] - speeds[1:] * spans[:-1, None]) > reach.squared(spans[:-1], spans[1:])
    return jumps


def _strays(path: FloatArray, frames: IntArray, breaks: IntArray, reach: Reach, break_cost: float) -> list[tuple[int, int]]:
    """(start, end) of the stretches between breaks that are noise.

    The chain of stretches is sought that explains the path most cheaply: a sample left out costs 1, two stretches that do not
    continue one another cost `break_cost`. So an excursion is left out up to twice that length, a stray end up to once.
    """
    starts = np.concatenate([[0], breaks])
    ends = np.concatenate([breaks, [len(path)]])
    left_out = np.concatenate([[0], np.cumsum(ends - starts)])
    # before each stretch, those that leave out no more on the way than a chain may
    least = np.searchsorted(left_out[1:-1], left_out[:-1] - 2 * break_cost)
    counts = np.arange(len(starts)) - least
    firsts = np.concatenate([[0], np.cumsum(counts)])
    followers = np.repeat(np.arange(len(starts)), counts)
    others = np.arange(firsts[-1]) - firsts[followers] + least[followers]
    steps = (left_out[followers] - left_out[others + 1]).astype(float)
    steps[~_continues(path, frames, others, followers, (starts, ends), reach)] += break_cost
    costs = left_out[:-1].astype(float)
    previous = np.full(len(starts), -1)
    for stretch in range(len(starts)):
        ways = costs[least[stretch] : stretch] + steps[firsts[stretch] : firsts[stretch + 1]]
        if len(ways) and ways.min() < costs[stretch]:
            costs[stretch] = ways.min()
            previous[stretch] = least[stretch] + ways.argmin()
    kept = set()
    stretch = int(np.argmin(costs + left_out[-1] - left_out[1:]))
    while stretch >= 0:
        kept.add(stretch)
        stretch = int(previous[stretch])
    return [(int(start), int(end)) for stretch, (start, end) in enumerate(zip(starts, ends, strict=True)) if stretch not in kept]


def _continues(
    path: FloatArray, frames: IntArray, others: IntArray, followers: IntArray, bounds: tuple[IntArray, IntArray], reach: Reach
) -> BoolArray:
    """(pairs): whether a stretch can follow another: at rest, or at the speed at the end of the one or at the beginning of the other.

    Args:
        path: (samples, 3) in metres.
        frames: (samples) of the samples.
        others, followers: (pairs), the stretches of each pair, the earlier one first.
        bounds: (stretches) first sample of each, and the one behind its last.
        reach: How far a marker may be from where it goes on to.
    """
    starts, ends = bounds
    last, first = ends[others] - 1, starts[followers]
    spans = (frames[first] - frames[last]).astype(path.dtype)
    moves = path[first] - path[last]
    joined = squared_lengths(moves) <= reach.squared(spans, np.zeros_like(spans))
    for inner, end in ((last > starts[others], last), (first + 1 < ends[followers], first + 1)):
        pairs = np.flatnonzero(inner & ~joined)
        at = end[pairs]
        before = (frames[at] - frames[at - 1]).astype(path.dtype)
        miss = moves[pairs] - (path[at] - path[at - 1]) / before[:, None] * spans[pairs, None]
        joined[pairs] = squared_lengths(miss) <= reach.squared(spans[pairs], before)
    return joined
