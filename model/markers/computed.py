# SPDX-License-Identifier: GPL-3.0-or-later
"""Points that a lab's model computed from others, such as the middle of two markers: they are no markers, and repeat what others say.

By their names some are known (`matching.COMPUTED`). The others are told by evidence: a point that in every frame is the same mean of a few
others, to less than what any camera measures. A mean of points that are rigid to each other proves nothing, because a marker between them
would be that, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..core.findings import Finding
from ..core.stretches import evenly
from ..core.take import BoolArray, FloatArray, IntArray, Take
from ..marker_sets.marker_set import bundled_marker_sets
from .matching import bare_name, listed

#: A computed point is nowhere farther than this from the mean of others, in m.
EXACT_M = 5e-5
#: It is the mean of so many at most, each with so much weight at least.
MOST, LEAST_WEIGHT = 4, 0.02
#: Weights that differ by less are alike.
ALIKE = 1e-3
#: The distances of these others change by more than this in the take, as a deviation in m: else it may be a marker that is rigid to them.
MOVES_M = 1e-3
#: Frames in which means are looked for, the fewest that prove one, and the frames of which these are chosen.
LOOKED_AT, FEWEST_FRAMES, TRIED = 64, 16, 512


@dataclass(frozen=True)
class Mean:
    """A point that is a weighted mean of others: columns of a take, and the others' weights, which sum to one."""

    point: int
    others: tuple[int, ...]
    weights: tuple[float, ...]


def without_computed(take: Take) -> tuple[Take, tuple[Finding, ...]]:
    """A take without points that are exact means of others, and what is said of them."""
    known = [is_known(label) for label in take.labels]
    left_out: set[int] = set()
    for mean in exact_means(take.positions, take.present):
        if not left_out & {mean.point, *mean.others}:
            left_out.add(_computed(mean, known))
    if not left_out:
        return take, ()
    names = tuple(take.labels[column] for column in sorted(left_out))
    said = f"Left out, as they are means of other points in every frame, not markers: {listed(names)}."
    return take.only([column for column in range(len(take.labels)) if column not in left_out]), (Finding("left out", said, names),)


def _computed(mean: Mean, known: list[bool]) -> int:
    """Which column of a relation, which can be solved for any of its points, is the computed one.

    Where the weights are alike it is the mean, as a lab computes the middle of two markers; else, or of copies, what no set knows.
    """
    columns = [mean.point, *mean.others]
    middle = len(mean.others) > 1 and np.ptp(mean.weights) < ALIKE
    return mean.point if middle else min(columns, key=lambda column: (known[column], columns.index(column)))


def exact_means(positions: FloatArray, present: BoolArray) -> Iterator[Mean]:
    """The points that are exact means of a few others which move relative to each other.

    Args:
        positions: (frames, points, 3) in metres, NaN where missing.
        present: (frames, points).
    """
    for point in may_be_means(positions, present):
        frames, others = _seen_together(present, point)
        if len(frames) >= FEWEST_FRAMES and len(others):
            mean = _mean(positions, frames, point, others)
            if mean is not None and _holds(positions, present, mean):
                yield mean


def may_be_means(positions: FloatArray, present: BoolArray) -> list[int]:
    """The points that may be means of others; looking at each by itself takes a hundred times as long as this.

    Of points x_i, with their coordinates in some frames, X is the matrix of the products x_i x_j. The least |sum c_i x_i|^2 for c_p = 1 and
    sum c_i = 0, which is how far p is from the nearest weighted mean of all others, is 1 / (X + s 1 1')^-1_pp for a large s.

    Args:
        positions: (frames, points, 3) in metres, NaN where missing.
        present: (frames, points).
    """
    count, whole = present.shape[1], np.flatnonzero(present.all(axis=1))
    if count < 2 or len(whole) < max(LOOKED_AT, count):
        return list(range(count))
    points = positions[whole[evenly(0, len(whole), max(LOOKED_AT, count))]].astype(float)
    with np.errstate(over="ignore", invalid="ignore"):
        points -= points.mean(axis=1, keepdims=True)
        away = points.swapaxes(1, 2).reshape(-1, count)
        products = away.T @ away
        products += 1e3 * products.trace()
    if not np.isfinite(products).all():
        return list(range(count))
    sizes, axes = np.linalg.eigh(products)
    # of points that are all at one place everything is 0
    unsure = max(1e-15 * sizes.max(), np.finfo(float).tiny)
    nearest = 1 / (axes**2 / np.maximum(sizes, unsure)).sum(axis=1)
    return np.flatnonzero(nearest <= max(len(away) * (2 * EXACT_M) ** 2, 4 * unsure)).tolist()


def _seen_together(present: BoolArray, point: int) -> tuple[IntArray, IntArray]:
    """Frames that have a point, spread over the take, and the other points that are in all of them: as many as leave enough frames."""
    having = np.flatnonzero(present[:, point])
    having = having[evenly(0, len(having), TRIED)]
    share = present[having].sum(axis=0)
    share[point] = -1
    order = np.argsort(-share, kind="stable")[:-1]
    together = np.logical_and.accumulate(present[np.ix_(having, order)], axis=1)
    many = int((together.sum(axis=0) >= min(LOOKED_AT, max(len(having) / 2, FEWEST_FRAMES))).sum())
    if not many:
        return having[:0], order[:0]
    full = having[together[:, many - 1]]
    # more numbers than weights, or anything were a mean
    wanted = max(LOOKED_AT, many)
    return full[evenly(0, len(full), wanted)], order[:many]


def _mean(positions: FloatArray, frames: IntArray, point: int, others: IntArray) -> Mean | None:
    """The mean of others that a point is in these frames; None where it is none."""
    away = (positions[frames][:, others] - positions[frames, point][:, None]).transpose(0, 2, 1).reshape(-1, len(others))
    first, rest = away[:, 0], away[:, 1:]
    nearest = np.linalg.lstsq(rest - first[:, None], -first, rcond=None)[0] if rest.shape[1] else np.zeros(0)
    if np.abs(first + (rest - first[:, None]) @ nearest).max() > 2 * EXACT_M:
        return None
    # not above: it takes longer to import than all takes without such points take to look at
    from scipy.optimize import nnls

    # weights that are not negative and sum to one, by a row that outweighs all others
    scale = max(float(np.abs(away).max()), 1e-3)
    try:
        weights, _ = nnls(np.concatenate([away, np.full((1, len(others)), 100 * scale)]), np.append(np.zeros(len(away)), 100 * scale))
    except RuntimeError:  # it did not settle, as of numbers of very different size; no mean of a few points needs so many steps
        return None
    chosen = np.flatnonzero(weights > LEAST_WEIGHT)
    if not 1 <= len(chosen) <= MOST:
        return None
    own = away[:, chosen]
    first, rest = own[:, 0], own[:, 1:]
    solved = np.linalg.lstsq(rest - first[:, None], -first, rcond=None)[0] if len(chosen) > 1 else np.zeros(0)
    exact = np.concatenate([[1.0 - solved.sum()], solved])
    if np.abs(own @ exact).max() > EXACT_M:
        return None
    return Mean(point, tuple(others[chosen].tolist()), tuple(exact.tolist()))


def _holds(positions: FloatArray, present: BoolArray, mean: Mean) -> bool:
    """Whether a mean holds in every frame that has all of its points, which move relative to each other."""
    others = list(mean.others)
    points = positions[present[:, [mean.point, *others]].all(axis=1)]
    off = np.einsum("fpa,p->fa", points[:, others], np.array(mean.weights)) - points[:, mean.point]
    if np.linalg.norm(off, axis=-1).max() > EXACT_M:
        return False
    if len(others) == 1:
        return True
    distances = np.linalg.norm(points[:, others[1:]] - points[:, others[:1]], axis=-1)
    return bool(distances.std(axis=0).max() > MOVES_M)


def is_known(label: str) -> bool:
    """Whether any marker set knows a label, without what stands before it."""
    name = bare_name(label.rpartition(":")[2])
    return any(known.find(name) is not None for known in bundled_marker_sets())
