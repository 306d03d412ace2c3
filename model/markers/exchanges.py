# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels that are exchanged from some frame on, for much of the take, told by the markers' paths alone.

What is wrong for a moment is told by a first solve (`relabelling.py`), what is wrong throughout by where markers sit. In between neither
tells: labels that are right in one half and wrong in the other make an actor of neither. But the moment of the change shows: several
labels jump at once, each to where another one has just been. The paths that go on smoothly there are put under one label each, those that
they have for most of the take. If these are the wrong ones, they are so throughout.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..core.distances import FARTHEST_M
from ..core.parallel import columns, each
from ..core.stretches import evenly
from ..core.take import FloatArray, IntArray, Take
from .corrections import Correction, in_order
from .sources import Sources, corrections_of, own_sources, with_sources

#: A label jumps if it is farther than this, in m, from where it was at most so long before, in s, and if that step is so many times as
#: long as those before and after it.
JUMP_M, REACH_SECONDS, LONGER = 0.04, 0.1, 2.0
#: A label with more jumps than this, per second, is noisy: its jumps tell nothing.
MOST_A_SECOND = 2.0
#: Another path goes on where a label jumps to if that is at most so far, in m, from where the path leads, and this part of the jump.
NEAR_M, NEARER = 0.02, 0.3
#: For each second without samples so many m more are allowed.
UNSEEN_SPEED = 3.0
#: Where more labels jump at once, frames are missing.
MOST_AT_ONCE = 24
#: Labels are put back if they are exchanged for at least this part of the take: what is shorter is told better by a solve.
LEAST_PART = 0.1
#: And if their distances to so many other markers, those that change least, change so much less then, in so many frames of the take: a
#: change that was not seen, while labels were hidden, would turn right parts into wrong ones. A limb is as far from the rest of the body
#: as the other side's often enough.
COMPANIONS, COMPARED, STEADIER, LIMB_STEADIER = 4, 200, 0.65, 0.97
#: So many pairs of left and right that are exchanged at once are a limb.
FEWEST_OF_LIMB = 3


@dataclass(frozen=True)
class Jump:
    """A label that is elsewhere than it was: its last sample before, and its first one after."""

    label: int
    before: int
    after: int


def put_exchanged_back(take: Take, pairs: Sequence[tuple[str, str]] = ()) -> tuple[Take, tuple[Correction, ...]]:
    """Put paths that change their labels for much of the take under one label each.

    Args:
        take: Of one person, on labels that are markers.
        pairs: Left and right labels: several of them that are exchanged at once are said to be a limb's sides.

    Returns:
        The take, the very same where nothing was exchanged, and what was put back.
    """
    jumps = [jump for found in each(lambda own: _jumps(take, own), columns(len(take.labels), take.frames)) for jump in found]
    changes = [change for together in _at_once(jumps) if (change := _change(take, together))]
    if not changes:
        return take, ()
    source = own = own_sources(take.frames, len(take.labels))
    paths = _paths(changes, own)
    for labels in _exchanged(changes):
        usual = _usual(paths[:, labels])
        moved = paths[:, labels] != usual
        # what the user pinned is right, whatever most frames say
        if moved.any(axis=1).sum() < LEAST_PART * take.frames or (take.pinned is not None and (moved & take.pinned[:, labels]).any()):
            continue
        put_back = source.copy()
        for label, path in zip(labels, usual.tolist(), strict=True):
            frames, column = np.nonzero(paths[:, labels] == path)
            put_back[:, label] = -1
            put_back[frames, label] = np.array(labels)[column]
        names = {take.labels[label] for label in labels}
        steadier = LIMB_STEADIER if sum(names >= {*pair} for pair in pairs) >= FEWEST_OF_LIMB else STEADIER
        if _unsteady(take, put_back, labels) <= steadier * _unsteady(take, own, labels):
            source = put_back
    corrections = corrections_of(source, take.labels)
    return (with_sources(take, take.only([]), source), _by_limbs(corrections, pairs)) if corrections else (take, ())


def _jumps(take: Take, own: slice) -> list[Jump]:
    """Of some labels, those that are noise left out."""
    reach, most = max(1, round(REACH_SECONDS * take.rate_hz)), max(2.0, MOST_A_SECOND * take.frames / take.rate_hz)
    # numbers of one axis of one label side by side: numpy takes half as long
    paths = np.ascontiguousarray(take.positions[:, own].T)
    found: list[Jump] = []
    with np.errstate(invalid="ignore", over="ignore"):
        steps = (np.diff(paths) ** 2).sum(axis=0)
        far, missing = steps > JUMP_M**2, np.isnan(paths[0])
        for row in np.flatnonzero(far.any(axis=1) | missing.any(axis=1)).tolist():
            at = np.flatnonzero(far[row])
            at = at[~(steps[row, at] <= LONGER**2 * _beside(steps[row], at))]
            there = np.flatnonzero(~missing[row])
            gaps = np.flatnonzero((np.diff(there) > 1) & (np.diff(there) <= reach))
            before, after = there[gaps], there[gaps + 1]
            over = ((paths[:, row, after] - paths[:, row, before]) ** 2).sum(axis=0) > JUMP_M**2
            pairs = [*zip(at.tolist(), (at + 1).tolist(), strict=True), *zip(before[over].tolist(), after[over].tolist(), strict=True)]
            if len(pairs) <= most:
                found += [Jump((own.start or 0) + row, first, last) for first, last in pairs]
    return found


def _beside(steps: FloatArray, at: IntArray) -> FloatArray:
    """The larger of the steps before and after each; NaN where neither is known."""
    around = np.concatenate([[np.nan], steps, [np.nan]])
    return np.fmax(around[at], around[at + 2])


def _at_once(jumps: Iterable[Jump]) -> list[list[Jump]]:
    """Jumps that overlap in time, of several labels; a label that jumps twice meanwhile is left out."""
    together: list[list[Jump]] = []
    end = -1
    for jump in sorted(jumps, key=lambda jump: (jump.before, jump.after, jump.label)):
        if together and jump.before < end:
            together[-1].append(jump)
            end = max(end, jump.after)
        else:
            together.append([jump])
            end = jump.after
    found: list[list[Jump]] = []
    for some in together:
        jumped = Counter(jump.label for jump in some)
        once = [jump for jump in some if jumped[jump.label] == 1]
        if 1 < len(once) <= MOST_AT_ONCE:
            found.append(once)
    return found


def _change(take: Take, jumps: Sequence[Jump]) -> dict[Jump, Jump]:
    """{jump of the label that a path leaves: jump of the label that it goes on under}, of all labels that are exchanged at once."""
    # whoever has no such jumps does not wait for it
    from scipy.optimize import linear_sum_assignment

    apart, frames = _apart(take, jumps)
    near = apart <= np.minimum(NEAR_M + UNSEEN_SPEED * frames / take.rate_hz, NEARER * apart.diagonal()[:, None])
    rows, chosen = linear_sum_assignment(apart)
    goes_on = dict(zip(rows.tolist(), chosen.tolist(), strict=True))
    change: dict[Jump, Jump] = {}
    left = {row for row, other in goes_on.items() if row != other}
    while left:
        cycle = [left.pop()]
        while goes_on[cycle[-1]] in left:
            cycle.append(goes_on[cycle[-1]])
            left.discard(cycle[-1])
        if all(near[row, goes_on[row]] for row in cycle):
            change |= {jumps[row]: jumps[goes_on[row]] for row in cycle}
    return change


def _by_limbs(corrections: Sequence[Correction], pairs: Sequence[tuple[str, str]]) -> tuple[Correction, ...]:
    """The corrections, those of several left and right labels in the same frames as one."""
    sided: dict[tuple[int, int], list[Correction]] = {}
    for one in corrections:
        if one.kind == "swapped back" and (one.labels in pairs or one.labels[::-1] in pairs):
            sided.setdefault((one.first, one.last), []).append(one)
    limbs = {frames: of for frames, of in sided.items() if len(of) >= FEWEST_OF_LIMB}
    gone = {one for of in limbs.values() for one in of}
    said = [Correction("sides exchanged", tuple(label for one in of for label in one.labels), *frames) for frames, of in limbs.items()]
    return in_order((*said, *(one for one in corrections if one not in gone)))


def _apart(take: Take, jumps: Sequence[Jump]) -> tuple[FloatArray, IntArray]:
    """(jumps, jumps): how far, in m, a label's first sample after is from where another's path leads, and how many frames lie between.

    A path goes on as it was, or at the speed that it has on either side. Nothing leads to a sample that was there before.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        positions, labels = take.positions, np.array([jump.label for jump in jumps])
        before, after = (np.array(frames) for frames in zip(*((jump.before, jump.after) for jump in jumps), strict=True))
        came, goes = positions[before, labels], positions[after, labels]
        speeds = (came - positions[np.maximum(before - 1, 0), labels], positions[np.minimum(after + 1, take.frames - 1), labels] - goes)
        at_first, at_last = (np.nan_to_num(speed) for speed in speeds)
        frames = after[None] - before[:, None]
        step, between = goes[None] - came[:, None], frames[..., None]
        # what is beyond all numbers leads nowhere
        ways = [step, step - at_first[:, None] * between, step - at_last[None] * between]
        apart = np.min([np.linalg.norm(way, axis=-1) for way in ways], axis=0)
    return np.where((frames > 0) & np.isfinite(apart), apart, FARTHEST_M), frames


def _paths(changes: list[dict[Jump, Jump]], own: Sources) -> Sources:
    """(frames, labels): which path each label has, called by the label that had it at first; -1 while it has none at a change."""
    paths = own.copy()
    for change in changes:
        last = paths[-1].copy()
        for one in change:
            paths[one.before + 1 :, one.label] = -1
        for one, other in change.items():
            paths[other.after :, other.label] = last[one.label]
    return paths


def _exchanged(changes: list[dict[Jump, Jump]]) -> list[list[int]]:
    """Labels that are exchanged at once, and what these are exchanged with at other times."""
    group: dict[int, set[int]] = {}
    for change in changes:
        labels = {jump.label for jump in change}
        joined = labels.union(*(group.get(label, set[int]()) for label in labels))
        group.update(dict.fromkeys(joined, joined))
    return [sorted(labels) for label, labels in group.items() if label == min(labels)]


def _usual(paths: Sources) -> Sources:
    """(labels,): the paths that the labels have for most of the frames, together; at first, if no others have more."""
    states, first, frames = np.unique(paths, axis=0, return_index=True, return_counts=True)
    whole = (states >= 0).all(axis=1)
    return states[whole][np.lexsort((first[whole], -frames[whole]))[0]]


def _unsteady(take: Take, source: Sources, labels: list[int]) -> float:
    """How much the distances of labels to other markers change, in m: root mean square of the deviations of the steadiest."""
    at = evenly(0, take.frames, COMPARED)
    others = np.setdiff1d(np.arange(len(take.labels)), labels)
    own = np.where(source[at][:, labels, None] >= 0, take.positions[at[:, None], source[at][:, labels]], np.nan)
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.linalg.norm(own[:, :, None] - take.positions[at][:, None, others], axis=-1)
    known = np.isfinite(apart)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, apart, 0.0).sum(axis=0) / count
    variance = (np.where(known, apart - mean, 0.0) ** 2).sum(axis=0) / count
    # what is rarely seen together looks steady
    variance[known.sum(axis=0) < 0.5 * known.sum(axis=0).max(initial=1)] = np.inf
    steadiest = np.sort(variance, axis=1)[:, :COMPANIONS]
    return float(np.sqrt(steadiest[np.isfinite(steadiest)].mean())) if np.isfinite(steadiest).any() else 0.0
