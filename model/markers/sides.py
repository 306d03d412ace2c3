# SPDX-License-Identifier: GPL-3.0-or-later
"""Left and right exchanged for a whole segment: both legs, both arms, the waist, the head.

The side of the body is told without the labels that may be wrong: from the trunk's single markers and the middles of its pairs, which
an exchange leaves where they are. A leg or an arm is on the wrong side when all pairs of its uppermost part are: thighs and
shoulders do not cross. Whatever hangs on it is exchanged too where that shortens the way from each part to the next.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..actors.actor import Actor
from ..actors.placement import Placement
from ..actors.prior import Prior
from ..core.findings import Finding
from ..core.motion import Motion
from ..core.rigid import nearest_rotations
from ..core.stretches import stretches
from ..core.take import BoolArray, FloatArray, IntArray, Take, all_finite
from ..marker_sets.marker_set import MarkerSet
from .corrections import Correction, in_order

#: Looked at first this often, in Hz: most takes have nothing wrong.
LOOK_HZ = 15.0
#: A pair is exchanged when it is the wrong way round by this part of the distance across that it has in the mean pose.
WRONG_WAY = 0.3
#: Pairs nearer to each other than this in the mean pose tell no sides, in m.
NARROW_M = 0.05
#: Spans of exchange no farther apart than this are one, in s; what is shorter or has fewer frames than this part is noise.
HOLE, SHORTEST, DENSITY = 0.1, 0.1, 0.8
#: Without jumps a span must last this long to be worth a word, in s: a swap in the trunk turns its sides for a while.
DOUBTFUL = 0.75
#: At the ends of a span its pairs jump by this part of the distance between left and right; else it may be the person.
JUMP = 0.5
#: Whether a take is mirrored is asked in so many frames, each with so many markers and with so much depth between them, as a standard
#: deviation in metres; it is in this part of them or more.
MIRROR_FRAMES, MIRROR_MARKERS, LEAST_DEPTH_M, MIRRORED = 100, 6, 0.04, 0.9


@dataclass(frozen=True, eq=False)
class Segment:
    """Pairs of markers that are exchanged together.

    Attributes:
        upper: (pairs, 2): rows (left, right) of the labels of the uppermost part.
        across: (pairs) in metres: from right to left in the mean pose.
        parts: The rest from the uppermost part outwards, each as `upper`.
    """

    upper: IntArray
    across: FloatArray
    parts: tuple[IntArray, ...]


def put_sides_right(take: Take, marker_set: MarkerSet, placement: Placement, prior: Prior) -> tuple[Take, tuple[Correction, ...]]:
    """Exchange left and right where a whole segment has them exchanged.

    A span that begins or ends without a jump may be the person's doing: it is only reported.

    Args:
        take: On the marker set's labels.
        marker_set: Its pairs, and which labels are the trunk's.
        placement: Of its labels.
        prior: Of the mean build and pose, which say where left and right are.

    Returns:
        The take, the very same where nothing was put right, and what was corrected or found.
    """
    actor = prior.mean_actor(placement)
    template = _template(actor, prior.pose.mean_rotations)
    pairs = [(take.labels.index(a), take.labels.index(b)) for a, b in marker_set.pairs if a in take.labels and b in take.labels]
    trunk = _trunk(take.labels, marker_set.core, pairs)
    if len(trunk) < 3:
        return take, ()
    # most takes have nothing wrong, and pay for a few frames only
    few = take.positions[:: max(1, round(take.rate_hz / LOOK_HZ))]
    few_leftwards = _leftwards(few, trunk, template)
    corrections = []
    positions, residuals = take.positions, take.residuals
    suspects = [segment for segment in _segments(pairs, actor, template) if _exchanged(few, few_leftwards, segment).any()]
    leftwards = _leftwards(take.positions, trunk, template) if suspects else few_leftwards
    for segment in suspects:
        for start, end in _spans(_exchanged(take.positions, leftwards, segment), take.rate_hz):
            sure = all(_jumps(take.positions, segment, frame) for frame in (start, end))
            if not sure and end - start < DOUBTFUL * take.rate_hz:
                continue
            rows = _to_exchange(take.positions[start:end], segment)
            labels = tuple(take.labels[row] for row in rows.ravel())
            corrections.append(Correction("sides exchanged" if sure else "sides doubtful", labels, start, end - 1))
            if sure:
                positions, residuals = (_with_exchanged(values, rows, start, end) for values in (positions, residuals))
    if positions is take.positions:
        return take, in_order(corrections)
    return replace(take, positions=positions, residuals=residuals), in_order(corrections)


def look_mirrored(take: Take, placement: Placement, prior: Prior) -> tuple[Finding, ...]:
    """Whether left and right are exchanged in the whole take, as in a mirror image.

    The affine map from the mean pose's markers to those of a frame has a negative determinant where they are. The arms, which go
    anywhere, say nothing.

    Args:
        take: On the marker set's labels.
        placement: Of its labels.
        prior: Of the mean build and pose.
    """
    actor = prior.mean_actor(placement)
    arms = counterpart_rows(actor, ("Arm", "ForeArm", "Hand", "FingerBase", "HandIndex1", "Thumb"))
    rows = [row for row in range(len(take.labels)) if row not in arms]
    few = take.positions[:: max(1, len(take.positions) // MIRROR_FRAMES)][:, rows]
    template = _template(actor, prior.pose.mean_rotations)[rows]
    seen = all_finite(few)
    few, seen = few[seen.sum(axis=1) >= MIRROR_MARKERS], seen[seen.sum(axis=1) >= MIRROR_MARKERS]
    if not len(few):
        return ()
    weights = seen / seen.sum(axis=1, keepdims=True)
    centred = (template - np.einsum("fl,li->fi", weights, template)[:, None]) * np.sqrt(weights)[..., None]
    shape = np.einsum("fli,flj->fij", centred, centred)
    told = np.linalg.eigvalsh(shape)[:, 0] > LEAST_DEPTH_M**2
    product = np.einsum("fl,fli,flj->fij", np.sqrt(weights), np.nan_to_num(few), centred)
    flipped = np.linalg.det(np.linalg.solve(shape[told], np.swapaxes(product[told], 1, 2))) < 0
    if not told.any() or flipped.mean() < MIRRORED:
        return ()
    said = "Left and right are exchanged in the whole take, as in a mirror: check the labels, or the axes, of the file."
    return (Finding("mirrored", said, numbers={"mirrored_percent": round(100 * float(flipped.mean()), 1)}),)


def counterpart_rows(actor: Actor, parts: tuple[str, ...]) -> set[int]:
    """Rows of the markers on joints whose names end in one of these parts."""
    return {row for row, joint in enumerate(actor.marker_joints) if actor.skeleton.joints[joint].endswith(parts)}


def _trunk(labels: tuple[str, ...], core: tuple[str, ...], pairs: list[tuple[int, int]]) -> IntArray:
    """(points, 2): the rows whose middles are points of the trunk: of a pair, or twice that of a single marker."""
    paired = {row for pair in pairs for row in pair}
    single = [(row, row) for row, label in enumerate(labels) if label in core and row not in paired]
    return np.array([*single, *(pair for pair in pairs if labels[pair[0]] in core)], dtype=np.intp).reshape(-1, 2)


def _with_exchanged(values: FloatArray, rows: IntArray, start: int, end: int) -> FloatArray:
    """A copy of values (frames, labels, ...) with pairs of rows (pairs, 2) exchanged in a span."""
    changed = values.copy()
    changed[start:end, rows] = values[start:end, rows[:, ::-1]]
    return changed


def _template(actor: Actor, mean: FloatArray) -> FloatArray:
    """(labels, 3) in metres: the markers in the mean pose, left at +x."""
    rotations = mean.copy()
    rotations[0] = np.eye(3)
    positions, global_rotations = Motion(actor.skeleton, rotations[None], np.zeros((1, 3)), 1.0).forward()
    carriers = list(actor.marker_joints)
    return positions[0, carriers] + np.einsum("lij,lj->li", global_rotations[0, carriers], actor.marker_offsets)


def _segments(pairs: list[tuple[int, int]], actor: Actor, template: FloatArray) -> list[Segment]:
    """The pairs by the topmost joint that carries the one side only, or by the joint that carries both."""
    parents = actor.skeleton.parents

    def chain(joint: int) -> list[int]:
        return [joint, *(chain(parents[joint]) if parents[joint] >= 0 else [])]

    grouped: dict[int, dict[int, list[tuple[int, int]]]] = {}
    for pair in pairs:
        left, right = (chain(actor.marker_joints[row]) for row in pair)
        top = next((joint for joint in reversed(left) if joint not in right), left[0])
        grouped.setdefault(top, {}).setdefault(len(left), []).append(pair)
    segments = []
    for parts in grouped.values():
        upper, *others = (np.array(parts[depth], dtype=np.intp) for depth in sorted(parts))
        across = template[upper[:, 0], 0] - template[upper[:, 1], 0]
        if (wide := across > NARROW_M).any():
            segments.append(Segment(upper[wide], across[wide], (*([upper[~wide]] if not wide.all() else []), *others)))
    return segments


def _exchanged(positions: FloatArray, leftwards: FloatArray, segment: Segment) -> BoolArray:
    """(frames): where more than half of the pairs of the segment's uppermost part are seen, all of them the wrong way round.

    Args:
        positions: (frames, labels, 3) in metres.
        leftwards: (frames, 3), see `_leftwards`.
        segment: Which.
    """
    across = positions[:, segment.upper[:, 0]] - positions[:, segment.upper[:, 1]]
    ways = np.einsum("fpi,fi->fp", across, leftwards) / segment.across
    seen = np.isfinite(ways)
    return (~seen | (ways < -WRONG_WAY)).all(axis=1) & (seen.mean(axis=1) > 0.5)


def _leftwards(positions: FloatArray, trunk: IntArray, template: FloatArray) -> FloatArray:
    """(frames, 3): the unit vector to the left, from the trunk (Kabsch 1976); NaN where fewer than three of its points are seen.

    Args:
        positions: (frames, labels, 3) in metres.
        trunk: (points, 2), labels whose middles are points of the trunk.
        template: (labels, 3), of the mean pose.
    """
    middles, mean = positions[:, trunk].mean(axis=2), template[trunk].mean(axis=1)
    seen = all_finite(middles)
    weights = seen / np.maximum(seen.sum(axis=1, keepdims=True), 1)
    points = np.nan_to_num(middles, nan=0.0)
    centred = (points - np.einsum("fk,fki->fi", weights, points)[:, None]) * weights[..., None]
    shape = mean - np.einsum("fk,ki->fi", weights, mean)[:, None]
    turn = nearest_rotations(np.einsum("fki,fkj->fij", centred, shape))
    return np.where(seen.sum(axis=1)[:, None] >= 3, turn[:, :, 0], np.nan)


def _spans(exchanged: BoolArray, rate_hz: float) -> list[tuple[int, int]]:
    """(start, end) of the stretches, short holes closed, short stretches left out."""
    edges = stretches(exchanged)
    if not len(edges):
        return []
    apart = edges[1:, 0] - edges[:-1, 1] > HOLE * rate_hz
    starts, ends = edges[np.concatenate([[True], apart]), 0], edges[np.concatenate([apart, [True]]), 1]
    spans = [(int(start), int(end)) for start, end in zip(starts, ends, strict=True) if end - start >= SHORTEST * rate_hz]
    return [(start, end) for start, end in spans if exchanged[start:end].mean() >= DENSITY]


def _jumps(positions: FloatArray, segment: Segment, frame: int) -> bool:
    """Whether the uppermost pairs jump into this frame, or the take begins or ends there."""
    if frame <= 0 or frame >= len(positions):
        return True
    before, after = positions[frame - 1, segment.upper], positions[frame, segment.upper]
    apart = np.linalg.norm(after[:, 0] - after[:, 1], axis=-1)
    moved = np.linalg.norm(after - before, axis=-1).min(axis=1)
    known = np.isfinite(moved) & np.isfinite(apart)
    return bool(known.any() and (moved[known] > JUMP * apart[known]).all())


def _to_exchange(positions: FloatArray, segment: Segment) -> IntArray:
    """(pairs, 2): the pairs of a span (frames, labels, 3) that are exchanged: the uppermost, and what is nearer when it is too."""
    rows, inner = [segment.upper], positions[:, segment.upper[:, ::-1]]
    for part in segment.parts:
        # missing samples count for nothing
        anchor = np.nansum(inner, axis=1) / np.isfinite(inner).sum(axis=1, dtype=float).clip(1e-9)
        outer = positions[:, part]
        if _length(outer[:, :, ::-1], anchor) < _length(outer, anchor):
            rows.append(part)
            outer = outer[:, :, ::-1]
        inner = outer
    return np.concatenate(rows)


def _length(outer: FloatArray, anchor: FloatArray) -> float:
    """Mean distance in m of pairs (frames, pairs, 2, 3) from their side's anchor (frames, 2, 3); infinite where none are seen together."""
    distance = np.linalg.norm(outer - anchor[:, None], axis=-1)
    return float(np.nanmean(distance)) if np.isfinite(distance).any() else np.inf
