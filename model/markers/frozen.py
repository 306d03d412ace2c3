# SPDX-License-Identifier: GPL-3.0-or-later
"""Frozen samples: a lab, a stream or a recorder repeats the last sample of a marker that it lost. They are no measurement.

A repeat is a sample that is its predecessor's to the bit. By itself that proves nothing: a marker at rest repeats where a file rounds to
a tenth of a millimetre or more, so does one that an editor holds or that nobody measured, and real takes have a few by chance. A run of
repeats is frozen where the marker cannot have rested meanwhile:

jump: behind the run it is somewhere else within one frame, farther than anything comes from rest, and stays away.
companions: markers that keep their distances to it elsewhere in the take were at others while it held still.
dropped frames: all markers repeat at once, and many of them jump behind it. Where they are few a curve takes the place of the repeats.

A take of which every sample comes k times was recorded at a k-th of its rate: there all repeats go, and a curve through the other samples
takes their place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..core.curves import hermite
from ..core.findings import Finding, listed_frames, shortened
from ..core.stretches import evenly, stretches
from ..core.take import BoolArray, FloatArray, IntArray, Take
from .computed import is_known

#: A marker that rested is within one frame no farther than this, in m, or than this acceleration, in m/s2, takes it; for so many frames.
RESTING_M, FROM_REST, STAYS_AWAY = 0.005, 100.0, 3
#: Of a marker alone so many repeats are a run: one comes by chance, and costs nothing.
FEWEST_REPEATS = 2
#: Where more than this part of the samples that move shares a coordinate with the one before, the file rounds so that rest repeats; in so
#: many frames.
ROUNDED_PART, LOOKED_AT = 0.005, 500
#: Whoever comes so near, in m, to where a marker was as it jumps has its label: they were exchanged.
EXCHANGED_M = 0.02
#: A marker that moves has this many samples that are no repeats, and so many for each run.
MOVING_SAMPLES, MOVING_PER_RUN = 5, 2
#: Companions: so many, of a deviation of the distance, in m, of less than this, in so many frames of the take.
COMPANIONS, COMPANION_M, COMPANION_FRAMES = 8, 0.02, 200
#: A distance is not its usual one when it is off by this, in m, and by so many deviations.
OFF_M, OFF_DEVIATIONS = 0.015, 5.0
#: That counts of two companions, in two of so many moments of a run, which is so long, in s.
MOMENTS, COMPANIONS_SECONDS = 8, 0.1
#: Frames in which all markers repeat are dropped ones where this part of them jumps.
DROPPED_PART = 0.25
#: Up to so many seconds of dropped frames are bridged.
BRIDGED_SECONDS = 0.1
#: The fewest changes that prove that every sample comes several times, and the fewest markers of a frame that is looked at as a whole.
FEWEST_CHANGES, FEWEST_MARKERS = 10, 3


@dataclass(frozen=True, eq=False)
class _Runs:
    """Runs of repeats, those of a marker in order.

    Attributes:
        marker: (runs,).
        first, last: (runs,) frames: the sample that is repeated, and its last repeat.
    """

    marker: IntArray
    first: IntArray
    last: IntArray

    def only(self, which: BoolArray | IntArray) -> _Runs:
        return _Runs(self.marker[which], self.first[which], self.last[which])


def without_frozen(take: Take) -> Take:
    """A take whose frozen samples are missing, or drawn where all of it repeats, with one finding that says so; else the very same.

    What the user pinned is kept. A take is looked at once: one that has the finding is returned as it is.
    """
    if any(finding.kind == "frozen" for finding in take.findings):
        return take
    repeats = _repeats(take.positions)
    if not repeats.any():
        return take
    # spikes may be so far away that their square is beyond all numbers
    with np.errstate(over="ignore", invalid="ignore"):
        return _thawed(take, repeats)


def _thawed(take: Take, repeats: BoolArray) -> Take:
    """See `without_frozen`."""
    times, first = _times(take.positions, repeats)
    if times > 1:
        bridged = (np.arange(take.frames) - first) % times != 0
        frozen = repeats & bridged[:, None]
    else:
        frozen, dropped = _frozen(take, repeats)
        bridged = _short(dropped, BRIDGED_SECONDS * take.rate_hz)
    if take.pinned is not None:
        frozen &= ~take.pinned
    if not frozen.any():
        return take
    positions, residuals = take.positions.copy(), take.residuals.copy()
    positions[frozen], residuals[frozen] = np.nan, 0.0
    _bridge(positions, frozen, np.flatnonzero(bridged))
    return replace(take, positions=positions, residuals=residuals, findings=(*take.findings, _said(take, frozen, times)))


def _short(frames: BoolArray, most: float) -> BoolArray:
    """(frames,): those in stretches of no more than so many."""
    short = np.zeros_like(frames)
    for first, end in stretches(frames).tolist():
        short[first:end] = end - first <= most
    return short


def _bridge(positions: FloatArray, frozen: BoolArray, frames: IntArray) -> None:
    """Put the frozen samples of some frames, whose markers all are, on a curve through the frames around, in place.

    Were they missing, no track of a take without names would go on behind them. Behind the last frame a marker goes straight on.

    Args:
        positions: (frames, labels, 3) in metres; NaN, which stays, where one of the two next samples is missing.
        frozen: (frames, labels).
        frames: Ascending.
    """
    sampled = np.ones(len(positions), dtype=bool)
    sampled[frames] = False
    at = np.flatnonzero(sampled)
    if not len(frames) or len(at) < 2:
        return
    # two samples on either side are enough, and at an end the next two
    near = np.unique(np.clip(np.searchsorted(at, frames)[:, None] + np.arange(-2, 2), 0, len(at) - 1))
    at = at[near]
    values = positions[at]
    if frames[-1] > at[-1]:
        ahead = (len(positions) - at[-1]) / (at[-1] - at[-2])
        at, values = np.append(at, len(positions)), np.concatenate([values, values[-1:] + ahead * (values[-1:] - values[-2:-1])])
    secants = np.diff(values, axis=0) / np.diff(at)[:, None, None]
    before, after = np.concatenate([secants[:1], secants]), np.concatenate([secants, secants[-1:]])
    # beside a gap by the other side alone
    slopes = np.where(np.isnan(before), after, np.where(np.isnan(after), before, 0.5 * (before + after)))
    wanted = frames[frames > at[0]]
    positions[wanted] = np.where(frozen[wanted][..., None], hermite(at, values, slopes, wanted), positions[wanted])


def _said(take: Take, frozen: BoolArray, times: int) -> Finding:
    count = int(frozen.sum())
    if times > 1:
        text = f"Every sample of the take comes {times} times: the repeats are replaced by a curve through the others."
        return Finding("frozen", text, numbers={"samples": count, "times": times})
    per_marker = frozen.sum(axis=0)
    labels = tuple(take.labels[row] for row in np.argsort(-per_marker, kind="stable") if per_marker[row])
    frames = tuple((int(first), int(end) - 1) for first, end in stretches(np.count_nonzero(frozen, axis=1) > 0))
    named, where = shortened(labels), listed_frames(frames, take.number)
    text = f"{count} samples repeat the one before while the marker moved on, and are taken as missing: {named} in {where}."
    return Finding("frozen", text, labels, frames=frames, numbers={"samples": count})


def _repeats(positions: FloatArray) -> BoolArray:
    """(frames, labels): which samples are those of the frame before, to the bit; none of the first frame."""
    repeats = np.zeros(positions.shape[:2], dtype=bool)
    if len(positions) < 2:
        return repeats
    np.equal(positions[1:, :, 0], positions[:-1, :, 0], out=repeats[1:])
    for axis in (1, 2) if repeats.any() else ():
        repeats[1:] &= positions[1:, :, axis] == positions[:-1, :, axis]
    return repeats


def _times(positions: FloatArray, repeats: BoolArray) -> tuple[int, int]:
    """How often every sample comes, and the first frame in which one changes: all changes of the take are a multiple of it apart.

    It is 1 where samples are not repeated regularly.
    """
    if np.count_nonzero(repeats) < repeats.size / 4 and np.count_nonzero(repeats) < np.isfinite(positions[..., 0]).sum() / 3:
        # of a take in which every sample comes twice half would
        return 1, 0
    frames = np.arange(1, len(positions))
    changes = frames[~_whole(positions, repeats, frames)]
    return (int(np.gcd.reduce(np.diff(changes))), int(changes[0])) if len(changes) >= FEWEST_CHANGES else (1, 0)


def _whole(positions: FloatArray, repeats: BoolArray, frames: IntArray) -> BoolArray:
    """Which of some frames, none of them the first, repeat every marker that they and the one before have."""
    moved: BoolArray = np.isfinite(positions[frames, :, 0] - positions[frames - 1, :, 0]) & ~repeats[frames]
    return np.count_nonzero(moved, axis=1) == 0


def _frozen(take: Take, repeats: BoolArray) -> tuple[BoolArray, BoolArray]:
    """(frames, labels): the samples of frozen runs, and (frames,): which frames were dropped.

    The sample that is repeated counts as measured, unless it is the take's first.
    """
    runs, whole = _runs(repeats), _whole_frames(take.positions, repeats)
    # of a body that holds still from the beginning nobody can tell that it moved
    held_until = int(np.argmin(whole[1:])) if not whole[1:].all() else len(whole)
    jumps = _jumping(take, repeats, runs)
    longer = runs.last - runs.first >= max(FEWEST_REPEATS, COMPANIONS_SECONDS * take.rate_hz)
    candidates = np.flatnonzero((jumps | longer) & ((runs.first > 0) | (runs.last > held_until)))
    candidates = candidates[_moves(take.positions, repeats, runs, np.unique(runs.marker[candidates]))[runs.marker[candidates]]]
    runs, jumps = runs.only(candidates), jumps[candidates]
    at = np.flatnonzero(whole)
    jumping = _samples(runs.only(jumps), repeats.shape)[at]
    at = at[np.count_nonzero(jumping, axis=1) >= DROPPED_PART * np.count_nonzero(repeats[at], axis=1)]
    frozen = jumps & (runs.last - runs.first >= FEWEST_REPEATS)
    others = np.flatnonzero(~jumps)
    frozen[others[_left_behind(take, repeats, runs.only(others))]] = True
    samples = _samples(runs.only(frozen), repeats.shape)
    samples[at] |= repeats[at]
    dropped = np.zeros(len(whole), dtype=bool)
    dropped[at] = True
    return samples, dropped


def _moves(positions: FloatArray, repeats: BoolArray, runs: _Runs, markers: IntArray) -> BoolArray:
    """(labels,): which of some markers move: else an editor may have put them here and there."""
    moving = np.zeros(repeats.shape[1], dtype=bool)
    counts = np.bincount(runs.marker, minlength=len(moving))
    for marker in markers.tolist():
        changes = np.count_nonzero(np.isfinite(positions[:, marker, 0])) - np.count_nonzero(repeats[:, marker])
        moving[marker] = changes >= MOVING_SAMPLES + MOVING_PER_RUN * counts[marker]
    return moving


def _whole_frames(positions: FloatArray, repeats: BoolArray) -> BoolArray:
    """(frames,): where every marker that this and the frame before have repeats."""
    whole = np.count_nonzero(repeats, axis=1) >= FEWEST_MARKERS
    frames = np.flatnonzero(whole)
    whole[frames] = _whole(positions, repeats, frames)
    return whole


def _runs(repeats: BoolArray) -> _Runs:
    """All runs of repeats (frames, labels), whose first frame has none."""
    # a marker's frames in one row, behind them those of the next: no run goes over, as its first frame is no repeat
    flat = np.ascontiguousarray(repeats.T).ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    found = np.append(edges, len(flat))[: len(edges) + len(edges) % 2].reshape(-1, 2)
    marker, first = np.divmod(found[:, 0] - 1, len(repeats))
    return _Runs(marker, first, first + found[:, 1] - found[:, 0])


def _samples(runs: _Runs, shape: tuple[int, ...]) -> BoolArray:
    """(frames, labels): the repeats of some runs; of one that begins with the take, whose samples may all be held, all."""
    samples = np.zeros(shape, dtype=bool)
    for marker, first, last in zip(runs.marker.tolist(), runs.first.tolist(), runs.last.tolist(), strict=True):
        samples[first + (first > 0) : last + 1, marker] = True
    return samples


def _rounds(positions: FloatArray, repeats: BoolArray) -> bool:
    """Whether a file rounds so much that markers at rest repeat: then those that move often keep one coordinate, too."""
    frames = evenly(1, len(positions), LOOKED_AT)
    here, before = positions[frames], positions[frames - 1]
    kept = np.count_nonzero((here == before).any(axis=-1) & ~repeats[frames])
    return bool(kept > ROUNDED_PART * np.count_nonzero(np.isfinite(here[..., 0]) & ~repeats[frames]))


def _jumping(take: Take, repeats: BoolArray, runs: _Runs) -> BoolArray:
    """(runs,): behind which the marker, of those that move, is where it cannot have come to from rest."""
    positions = take.positions
    limit = max(RESTING_M, 0.5 * FROM_REST / take.rate_hz**2)
    held, end = positions[runs.first, runs.marker], len(positions) - 1
    jumps = runs.last < end
    for ahead in range(1, STAYS_AWAY + 1):
        frame = np.minimum(runs.last + ahead, end)
        away = np.linalg.norm(positions[frame, runs.marker] - held, axis=-1)
        # right behind the run it must be seen; one that is missing later has not come back
        jumps &= away > limit if ahead == 1 else ~(away <= limit)
    if jumps.any() and _rounds(positions, repeats):
        # a marker at rest repeats: it may have been exchanged with another
        for run in np.flatnonzero(jumps).tolist():
            last = int(runs.last[run])
            near = np.linalg.norm(positions[last : last + 2] - held[run], axis=-1) < EXCHANGED_M
            jumps[run] = not (near[1] & ~near[0]).any()
    return jumps


def _left_behind(take: Take, repeats: BoolArray, runs: _Runs) -> BoolArray:
    """(runs,): during which companions of the marker that do not repeat themselves were not at their usual distances to it.

    What no marker set knows may be an object that was carried and laid down, and with it what keeps its distance and rests, too.
    """
    positions = take.positions
    known = np.array([is_known(label) for label in take.file_labels] if len(runs.first) else [], dtype=bool)
    behind = np.zeros(len(runs.first), dtype=bool)
    for marker in np.unique(runs.marker).tolist():
        own = np.flatnonzero(runs.marker == marker)
        others, usual, most = _companions(positions, repeats, marker)
        if len(others) < 2:
            continue
        moments = np.linspace(runs.first[own] + 1, runs.last[own], MOMENTS).astype(int)
        distances = np.linalg.norm(positions[moments[..., None], others] - positions[runs.first[own], marker][:, None], axis=-1)
        still = repeats[moments[..., None], others]
        off = ((np.abs(distances - usual) > most) & ~still).sum(axis=-1) >= 2
        off &= ~(still & ~(known[others] & known[marker])).any(axis=-1)
        behind[own] = off.sum(axis=0) >= 2
    return behind


def _companions(positions: FloatArray, repeats: BoolArray, marker: int) -> tuple[IntArray, FloatArray, FloatArray]:
    """The markers that keep their distance to one, what it usually is, and by how much it may differ, in m."""
    frames = np.flatnonzero(np.isfinite(positions[:, marker, 0]) & ~repeats[:, marker])
    frames = frames[evenly(0, len(frames), COMPANION_FRAMES)]
    distances = np.linalg.norm(positions[frames] - positions[frames, marker][:, None], axis=-1)
    distances[repeats[frames]] = np.nan
    distances[:, marker] = np.nan
    seen = np.flatnonzero(np.isfinite(distances).sum(axis=0) >= max(FEWEST_CHANGES, len(frames) / 4))
    deviations = np.nanstd(distances[:, seen], axis=0)
    order = np.argsort(deviations, kind="stable")[:COMPANIONS]
    order = order[deviations[order] < COMPANION_M]
    usual = np.nanmedian(distances[:, seen[order]], axis=0) if len(order) else np.zeros(0)
    return seen[order], usual, np.maximum(OFF_M, OFF_DEVIATIONS * deviations[order])
