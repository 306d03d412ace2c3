# SPDX-License-Identifier: GPL-3.0-or-later
"""How well each track fits each label, by the body's motion: on the right bone it stays still, and near where the label sits.

Of a track at y_t the frame of joint j has the places R_j,t' (y_t - x_j,t). Their scatter on the label's joint tells whether the track rides
on that bone, and counts with the track's length; their middle tells whether it sits where the label does, and counts once however long the
track is, since all of its frames repeat the same deviation. Where the label sits is known from the other tracks that have it, or else
from the template and from where the marker of its other side sits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..core.parallel import run_each
from ..core.take import BoolArray, FloatArray, IntArray
from .both_sides import by_other_side
from .following import Followed, coarse_frames
from .template import Template
from .tracks import OPEN, Tracks

#: Samples that are looked at of a track.
SAMPLES = 48
#: A marker moves about its place by this much, root mean square, and no sample counts as farther than the other, in m.
RIGID_M, FARTHEST_M = 0.015, 0.1
#: What is nobody's scatters by this much on every bone, in m, and costs so much more, in the units of a log-likelihood.
NOBODYS_M, NOBODYS = 0.045, 12.0
#: Independent samples a second, of a track at least and at most, and how much each of them counts.
PER_SECOND, FEWEST, MOST, WEIGHT = 4.0, 1.0, 40.0, 0.5
#: A label's place is known this well from other tracks, and less by this much, in m, until they last for some seconds.
POOLED_M, POOLED_SHORT_M, POOLED_SECONDS = 0.02, 0.03, 2.0
#: How closely a place from other tracks is believed beside the template's, and what is added to the template's deviation, in m.
POOL_SIGMA_M, TEMPLATE_M = 0.01, 0.015
#: A deviation of this much costs nothing by itself, in m: all others are compared with it.
REFERENCE_M = 0.02
#: A joint's frame is believed where it and its neighbours have so many labelled samples, or this part of all that they may have.
ENOUGH, ENOUGH_PART = 3.0, 0.6
#: A track is judged on a joint where so many of its samples count, ...
JUDGED, JUDGED_PART = 2, 0.25
#: Samples that are looked at together.
SAMPLES_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the motion says of every track and label.

    Attributes:
        places: (tracks, joints, 3) in metres: where each is in the frames of the joints.
        scatter: (tracks, joints) mean squared distance from there, in m^2.
        weights: (tracks,) how many independent samples each counts for.
        scores: (tracks, labels) how much likelier each label is than none, as a logarithm.
    """

    places: FloatArray
    scatter: FloatArray
    weights: FloatArray
    scores: FloatArray


def find_evidence(template: Template, tracks: Tracks, labels: IntArray, followed: Followed, *, gated: bool) -> Evidence:
    """Judge every track.

    Args:
        template: With the labels.
        tracks: All of the take.
        labels: (tracks,) found so far, by which the body was followed.
        followed: The body.
        gated: Only frames count in which the bone is held by enough labelled samples, but for tracks that have a label already.
    """
    places, scatter = _on_joints(template, tracks, labels, followed, gated)
    weights = np.clip(tracks.lengths / tracks.rate_hz * PER_SECOND, FEWEST, MOST)
    joints = template.joints
    means, variances = _label_places(template, tracks, labels, places[:, joints], followed)
    away = ((places[:, joints] - means) ** 2 / (2 * variances)).sum(-1) + 0.5 * np.log(variances / REFERENCE_M**2).sum(-1)
    still = WEIGHT * weights / (2 * RIGID_M**2)
    fits = -still[:, None] * scatter[:, joints] - away
    return Evidence(places, scatter, weights, fits + (still * NOBODYS_M**2 + NOBODYS)[:, None])


def _sample_frames(tracks: Tracks) -> list[IntArray]:
    """The frames in which each track is looked at: coarse ones where it has enough of them."""
    at, found = coarse_frames(tracks), []
    begins, ends = np.searchsorted(at, tracks.starts), np.searchsorted(at, tracks.ends)
    for track, (begin, end) in enumerate(zip(begins.tolist(), ends.tolist(), strict=True)):
        if end - begin >= 3:
            found.append(at[begin : end : max(1, -(-(end - begin) // SAMPLES))])
        else:
            # not outside of two coarse frames: there the body may not be seen, as where all tracks break
            first, last = (at[begin], at[begin + 1]) if end - begin == 2 else (tracks.starts[track], tracks.ends[track] - 1)
            found.append(np.unique(np.linspace(first, last, 3).round().astype(int)))
    return found


def _on_joints(template: Template, tracks: Tracks, labels: IntArray, followed: Followed, gated: bool) -> tuple[FloatArray, FloatArray]:
    """Places (tracks, joints, 3) in the joints' frames, and scatter (tracks, joints) about them."""
    frames = _sample_frames(tracks)
    wanted = np.unique(np.concatenate(frames)) if frames else np.zeros(0, dtype=int)
    positions, rotations = followed.at_frames(wanted)
    nearest = np.clip(np.searchsorted(followed.at.numpy(), wanted), 0, len(followed.at) - 1)
    held = _held(template, followed) if gated else None
    joints = len(template.actor.skeleton.joints)
    places, scatter = np.zeros((len(tracks), joints, 3)), np.full((len(tracks), joints), FARTHEST_M**2)

    def work(rows: IntArray) -> None:
        at = np.searchsorted(wanted, np.stack([frames[row] for row in rows.tolist()]))
        away = tracks.positions[wanted[at], tracks.columns[rows][:, None]][:, :, None] - positions[at]
        local = (away[..., None, :] @ rotations[at])[..., 0, :]
        counted = np.ones(local.shape[:3], dtype=bool) if held is None else held[nearest[at]]
        places[rows], scatter[rows] = _settled(local, counted, labels[rows] != OPEN)

    run_each(work, _alike(frames))
    return places, scatter


def _alike(frames: list[IntArray]) -> Iterator[IntArray]:
    """The tracks with as many frames to be looked at, not too many at once."""
    counts = np.array([len(each) for each in frames])
    for count in np.unique(counts).tolist():
        rows, step = np.flatnonzero(counts == count), max(1, SAMPLES_AT_ONCE // count)
        yield from (rows[start : start + step] for start in range(0, len(rows), step))


def _settled(local: FloatArray, counted: BoolArray, known: BoolArray) -> tuple[FloatArray, FloatArray]:
    """The middles (tracks, joints, 3) of places (tracks, samples, joints, 3), and the scatter (tracks, joints) about them.

    Args:
        local: In metres.
        counted: (tracks, samples, joints) which of them count; where none does on a joint all of them do.
        known: (tracks,) whether a track has a label: then it is judged on every joint.
    """
    count = counted.sum(axis=1)
    middle = np.median(local, axis=1) if counted.all() else _middle(local, counted | (count == 0)[:, None])
    squared = np.minimum(((local - middle[:, None]) ** 2).sum(-1), FARTHEST_M**2)
    weight = np.where((count > 0)[:, None], counted, 1.0)
    scatter = (squared * weight).sum(axis=1) / weight.sum(axis=1)
    judged = known[:, None] | (count >= max(JUDGED, min(4, int(JUDGED_PART * local.shape[1]))))
    return middle, np.where(judged, scatter, FARTHEST_M**2)


def _middle(local: FloatArray, counted: BoolArray) -> FloatArray:
    """The medians (tracks, joints, 3) of those of (tracks, samples, joints, 3) that count; numpy's for NaN goes through masked arrays."""
    ranked = np.sort(np.where(counted[..., None], local, np.inf), axis=1)
    count = counted.sum(axis=1)[:, None, :, None]
    low, high = (np.take_along_axis(ranked, rank, axis=1)[:, 0] for rank in ((count - 1) // 2, count // 2))
    return (low + high) / 2


def _held(template: Template, followed: Followed) -> BoolArray:
    """(F, joints): whether enough labelled samples hold each joint's bone and its neighbours."""
    parents = followed.body.topology.parents
    near = np.eye(len(parents))
    for joint, parent in enumerate(parents):
        if parent >= 0:
            near[joint, parent] = near[parent, joint] = 1.0
    carried = np.eye(len(parents))[template.joints]
    full = carried.sum(axis=0) @ near
    return followed.seen.numpy() @ carried @ near >= np.maximum(np.minimum(ENOUGH, ENOUGH_PART * (full - 1)), 1.0)


def _label_places(
    template: Template, tracks: Tracks, labels: IntArray, places: FloatArray, followed: Followed
) -> tuple[FloatArray, FloatArray]:
    """Where each label sits and with which variance, both (tracks, labels, 3): for every track by all others that have the label."""
    expected = expected_offsets(template, followed)
    own = template.deviation**2
    seconds = np.zeros((len(tracks), len(template.labels)))
    having = np.flatnonzero(labels != OPEN)
    seconds[having, labels[having]] = tracks.lengths[having] / tracks.rate_hz
    whole, total = (seconds[..., None] * places).sum(axis=0), seconds.sum(axis=0)
    others = np.maximum(total - seconds, 0.0)
    pooled = (whole - seconds[..., None] * places) / np.maximum(others, 1e-9)[..., None]
    belief = own / (own + POOL_SIGMA_M**2)
    variance = POOLED_M**2 + POOLED_SHORT_M**2 * np.exp(-others / POOLED_SECONDS)
    known = (others > 1e-6)[..., None]
    alike, free = by_other_side(template, expected, own + TEMPLATE_M**2, pooled, others)
    means = np.where(known, belief * pooled + (1 - belief) * alike, alike)
    return means, np.where(known, variance[..., None], free)


def expected_offsets(template: Template, followed: Followed) -> FloatArray:
    """(labels, 3) in metres: where the template has its markers on a body of the followed one's size."""
    if template.given:
        return template.actor.marker_offsets
    size = template.prior.actor.scale(followed.actor.skeleton)
    return template.placement.offset_mean * (size or 1.0)
