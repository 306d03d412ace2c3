# SPDX-License-Identifier: GPL-3.0-or-later
"""Short gaps filled: on a curve in time, or as the rest of a rigid group moves; and the ends of a marker's samples drawn out a little."""

from __future__ import annotations

import numpy as np

from ..core.curves import akima_slopes, hermite
from ..core.rigid import nearest_rotations
from ..core.take import BoolArray, FloatArray, IntArray, Take
from ..marker_sets.marker_set import MarkerSet

#: Gaps up to this long are bridged in time even where a rigid group could help: closer to the truth there, in s.
SHORT_GAP = 0.05
#: Before a marker's first sample and after its last it goes on as it moved in so many s next to it, for no longer than so many s,
#: beside so many others of those that are nearest on the body.
MOVED_SECONDS, ON_SECONDS, BESIDE, NEAREST = 0.05, 0.1, 3, 12


def fill_gaps(positions: FloatArray, trusted: BoolArray, take: Take, marker_set: MarkerSet, max_gap: float) -> None:
    """Fill the gaps of `positions` up to `max_gap` seconds, in place: from the rigid group where that helps, else in time.

    At either end of a marker only the frames next to its samples are filled.
    """
    groups = {
        label: [take.labels.index(other) for other in labels if other != label and other in take.labels]
        for labels in marker_set.rigid_groups.values()
        for label in labels
    }
    present = take.present
    nearest = _nearest(positions) if max_gap > 0 and take.frames and not present[[0, -1]].all() else []
    for marker, label in enumerate(take.labels):
        frames = np.flatnonzero(trusted[:, marker])
        others = groups.get(label, [])
        if len(frames) and len(nearest):
            for way in (slice(None), slice(None, None, -1)):
                _go_on(positions[way], trusted[way], present[way, marker], marker, nearest[marker], take.rate_hz)
        spans = np.diff(frames)
        gaps = np.flatnonzero((spans > 1) & (spans - 1 <= max_gap * take.rate_hz))
        if not len(gaps):
            continue
        _bridge(positions, marker, frames, gaps)
        for gap in gaps[spans[gaps] - 1 > SHORT_GAP * take.rate_hz].tolist():
            before, after = int(frames[gap]), int(frames[gap + 1])
            near = [other for other in others if trusted[before : after + 1, other].all()]
            if len(near) >= 3:
                stretch = slice(before, after + 1)
                positions[stretch, marker] = _carried(take.positions[stretch, near], take.positions[stretch, marker])


def _nearest(positions: FloatArray) -> IntArray:
    """(labels, labels): for each marker all, those first that are nearest in the median of some frames, itself last."""
    few = positions[:: max(1, len(positions) // 50)]
    apart = np.nan_to_num(np.linalg.norm(few[:, :, None] - few[:, None], axis=-1), nan=np.inf)
    middle = np.median(apart, axis=0)
    np.fill_diagonal(middle, np.inf)
    return np.argsort(middle, axis=1, kind="stable")


def _go_on(positions: FloatArray, trusted: BoolArray, present: BoolArray, marker: int, nearest: IntArray, rate_hz: float) -> None:
    """Let a marker go on behind its last trusted sample as it moved before, in place.

    It moves beside its neighbours on the body, where these are seen, else by itself. Where the file has samples that were flagged it
    does not: at an end nobody can tell which side of a jump is right.

    Args:
        positions: (frames, labels, 3) in metres.
        trusted: (frames, labels).
        present: (frames,), where the file has samples of the marker.
        marker: Which.
        nearest: The others, the nearest first.
        rate_hz: Frames per second.
    """
    frames = np.flatnonzero(trusted[:, marker])
    last = int(frames[-1])
    missing = ~present[last + 1 : last + 1 + round(ON_SECONDS * rate_hz)]
    end = last + 1 + int(np.logical_and.accumulate(missing).sum())
    if end == last + 1:
        return
    known = frames[frames >= min(last - MOVED_SECONDS * rate_hz, frames[-2] if len(frames) > 1 else last)]
    beside = [other for other in nearest[:NEAREST] if trusted[known[0] : end, other].all()][:BESIDE]
    base = positions[known[0] : end, beside].mean(axis=1) if len(beside) == BESIDE else np.zeros((end - known[0], 3))
    since = (known - last)[:, None]
    path = positions[known, marker] - base[known - known[0]]
    speed = (since * (path - path[-1])).sum(axis=0) / max(float((since**2).sum()), 1.0)
    positions[last + 1 : end, marker] = base[last + 1 - known[0] :] + path[-1] + speed * np.arange(1, end - last)[:, None]


def _bridge(positions: FloatArray, marker: int, frames: IntArray, gaps: IntArray) -> None:
    """Fill gaps by a curve in time through the trusted samples; Akima's bends no further than its neighbours do."""
    holes = np.concatenate([np.arange(int(frames[gap]) + 1, int(frames[gap + 1])) for gap in gaps.tolist()])
    if len(frames) < 3:
        for axis in range(3):
            positions[holes, marker, axis] = np.interp(holes, frames, positions[frames, marker, axis])
    else:
        known = positions[frames, marker]
        positions[holes, marker] = hermite(frames, known, akima_slopes(frames, known), holes)


def _carried(group: FloatArray, marker: FloatArray) -> FloatArray:
    """(frames, 3): a marker carried by the others of its rigid group from both ends of a gap, one fading into the other.

    Args:
        group: (frames, others, 3), all known.
        marker: (frames, 3), known in the first and the last frame.
    """
    fade = np.linspace(0.0, 1.0, len(group))[:, None]
    return (1 - fade) * _moved(group, marker[0], 0) + fade * _moved(group, marker[-1], -1)


def _moved(group: FloatArray, point: FloatArray, frame: int) -> FloatArray:
    """(frames, 3): where `point` of one frame goes when it moves with the group (Kabsch 1976)."""
    centre = group.mean(axis=1)
    spread = group - centre[:, None]
    return centre + nearest_rotations(np.einsum("fmi,mj->fij", spread, spread[frame])) @ (point - centre[frame])
