# SPDX-License-Identifier: GPL-3.0-or-later
"""Flags of the noise filter as hypotheses: true samples of a limb that moves faster than the filter allows are put back.

Where a hand goes too fast, the filter takes its markers for noise all at once, and then nothing contradicts a pose that has the hand
somewhere else: what is left of it looks as if its labels were exchanged, or it were nobody's. Noise does not keep the distances of a
rigid part, though. So samples that were flagged, or whose labels the first poses would change, and that keep those distances are put
back for a trial, and poses of the frames around them are found again. They stay where these explain more samples than labels that are
put right do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..actors.prior import PosePrior
from ..core.distances import distances
from ..core.take import BoolArray, CleanTake, FloatArray, Take
from .fit import Found, Terms, pose_costs, prior_terms, refined
from .frames import Between, joined
from .kinematics import Body, Pose, to_array
from .observations import Observations
from .rotations import rigid_points_registration, rotmat_to_rotvec
from .sampling import marker_places

#: Two markers are neighbours on a rigid part whose distance is within this of its median in nine of ten frames, in m.
RIGID_M = 0.010
#: A flagged sample keeps its distances that is within this of them, in m, to at least so many neighbours and this part of those there are.
KEPT_M, FEWEST_KEPT, KEPT = 0.015, 1, 0.6
#: Distances are told by so many frames, evenly spread.
FRAMES = 300
#: Stretches of such samples that are nearer than this are looked at together, and with so much around them, in s.
APART, AROUND = 0.1, 0.15
#: Longer ones, in s, and more than so many, are a take whose threshold is wrong, which the user is told of: nothing is tried.
LONGEST, MOST = 2.0, 40
#: A sample is explained that is within this of its place, in m, or within so many times what its marker is usually off.
NEAR_M, NEAR_RATIO = 0.020, 2.0
#: Scales of the robust kernel in metres: from poses that may have a limb the other way round.
SCALES_M, FINE_M = (0.3, 0.2, 0.1, 0.1, 0.05, 0.04, 0.03), (0.04, 0.03)
#: Poses are found so often, the second time with all that the first explained.
ROUNDS = 2
#: A joint is turned to where its markers are by so many of them.
FEWEST_ON_JOINT = 3


@dataclass(frozen=True, eq=False)
class Reinstated:
    """What was put back.

    Attributes:
        samples: (frames, labels): flagged or relabelled samples that are as the file has them.
        found: Poses that follow them.
    """

    samples: BoolArray
    found: Found


def put_back(body: Body, prior: PosePrior, cleaned: CleanTake, corrected: Take, seen: Observations, found: Found) -> Reinstated | None:
    """Put samples back that poses explain, though they were flagged or their labels are to be changed; None where there are none.

    Args:
        body: Of the take's actor.
        prior: Of its poses.
        cleaned: The body's markers.
        corrected: The same with labels put right by `found`.
        seen: The cleaned markers as the solver takes them.
        found: Poses without what was flagged.
    """
    present = cleaned.take.present
    doubtful = present & ~cleaned.trusted
    if corrected.positions is not cleaned.take.positions:
        doubtful |= present & (corrected.positions != cleaned.take.positions).any(axis=-1)
    doubted = _keeping_distance(cleaned, doubtful)
    trials = _trials(doubted, cleaned.take.rate_hz)
    if not trials:
        return None
    seen = replace(seen, sigma_m=found.sigma_m)
    terms = prior_terms(prior, seen.seconds, seen.points)
    places = marker_places(body, found, len(doubted))
    limits = _limits(cleaned, places)
    samples, better = np.zeros_like(doubted), dict[int, Pose]()
    for frames in trials:
        begun, back = Between(found.at, frames).pose(found.pose), doubted[frames]
        for _ in range(ROUNDS - 1):
            # what the first poses did not follow and explain all the same is surest
            _, explained = _explained(body, terms, cleaned.take, frames, back, seen, begun, limits)
            back = doubtful[frames] & explained
        pose, explained = _explained(body, terms, cleaned.take, frames, back, seen, begun, limits)
        back = doubtful[frames] & explained
        now = refined(body, terms, seen[frames], begun, FINE_M)
        otherwise = _apart(body, now, corrected.positions[frames]) <= limits
        as_labelled = np.array_equal(corrected.positions[frames], cleaned.take.positions[frames], equal_nan=True)
        if back.any() and explained.sum() >= otherwise.sum() + (not as_labelled):
            samples[frames] |= back
            better[frames.start] = pose
    return Reinstated(samples, merged(found, better)) if better else None


def _keeping_distance(cleaned: CleanTake, doubtful: BoolArray) -> BoolArray:
    """(frames, labels): doubtful samples that keep their distances to their neighbours on the body, doubtful ones or not."""
    positions, present = cleaned.take.positions, cleaned.take.present
    doubted = np.zeros_like(doubtful)
    few = slice(None, None, max(1, len(positions) // FRAMES))
    known = np.where(cleaned.trusted[few, :, None], positions[few], np.nan)
    for row in np.flatnonzero(doubtful.any(axis=0)).tolist():
        usual, rigid = _rigid_to(known, row)
        frames = np.flatnonzero(doubtful[:, row])
        if rigid.sum() < FEWEST_KEPT or not len(frames):
            continue
        lengths = distances(positions[frames][:, rigid], positions[frames, row, None])
        kept, there = np.abs(lengths - usual[rigid]) <= KEPT_M, present[frames][:, rigid]
        doubted[frames, row] = (kept.sum(axis=1) >= FEWEST_KEPT) & (kept.sum(axis=1) >= KEPT * there.sum(axis=1))
    return doubted


def _rigid_to(known: FloatArray, row: int) -> tuple[FloatArray, BoolArray]:
    """(labels,) the usual distance of a marker to each in metres, and whether it keeps it.

    Args:
        known: (frames, labels, 3) in metres, NaN where there is no sample.
        row: The marker.
    """
    lengths = distances(known, known[:, row, None])
    enough = np.isfinite(lengths).sum(axis=0) >= 0.1 * len(lengths)
    enough[row] = False
    usual, rigid = np.full(lengths.shape[1], np.nan), enough.copy()
    usual[enough] = _quantile(lengths[:, enough], 0.5)
    rigid[enough] = _quantile(np.abs(lengths[:, enough] - usual[enough]), 0.9) <= RIGID_M
    return usual, rigid


def _quantile(values: FloatArray, part: float) -> FloatArray:
    """(columns,): of values (frames, columns), NaN aside, that below which a part of them lies; numpy's own goes column by column."""
    known = np.isfinite(values).sum(axis=0)
    return np.take_along_axis(np.sort(values, axis=0), np.rint(part * (known - 1)).astype(int)[None], axis=0)[0]


def _trials(doubted: BoolArray, rate_hz: float) -> list[slice]:
    """Stretches of frames in which something may be put back; none where there are too many."""
    frames = np.flatnonzero(doubted.any(axis=1))
    if not len(frames):
        return []
    around, apart = max(2, round(AROUND * rate_hz)), round((APART + 2 * AROUND) * rate_hz)
    cuts = np.flatnonzero(np.diff(frames) > apart) + 1
    spans = [(int(part[0]), int(part[-1]) + 1) for part in np.split(frames, cuts)]
    short = [span for span in spans if span[1] - span[0] <= LONGEST * rate_hz]
    if len(short) > MOST:
        return []
    return [slice(max(0, start - around), min(len(doubted), end + around)) for start, end in short]


def _limits(cleaned: CleanTake, places: FloatArray) -> FloatArray:
    """(labels,) in metres: samples that are nearer to their places are explained."""
    lengths = distances(cleaned.take.positions, places)
    lengths[~cleaned.trusted] = np.nan
    usual, known = np.zeros(lengths.shape[1]), cleaned.trusted.any(axis=0)
    usual[known] = np.nanmedian(lengths[:, known], axis=0)
    return np.maximum(NEAR_M, NEAR_RATIO * usual)


def _explained(
    body: Body, terms: Terms, take: Take, frames: slice, back: BoolArray, seen: Observations, begun: Pose, limits: FloatArray
) -> tuple[Pose, BoolArray]:
    """Poses of some frames with what is put `back` (frames, labels) in them, and which samples are within their limits of these."""
    pose = _tried(body, terms, _whole(take, frames, back, seen), begun)
    return pose, _apart(body, pose, take.positions[frames]) <= limits


def _whole(take: Take, frames: slice, back: BoolArray, seen: Observations) -> Observations:
    """Some frames with what is put `back` (frames, labels) in them."""
    there, wanted = seen[frames], torch.as_tensor(back, device=seen.points.device)
    points = torch.as_tensor(np.nan_to_num(take.positions[frames])).to(seen.points)
    return replace(there, points=torch.where(wanted[..., None], points, there.points), confidence=there.confidence.masked_fill(wanted, 1.0))


def _tried(body: Body, terms: Terms, seen: Observations, begun: Pose) -> Pose:
    """Poses of frames that follow on one another: of two beginnings, as found and with joints turned to their markers, the better."""
    starts = (begun, _turned(body, seen, begun))
    poses = [refined(body, terms, seen, start, SCALES_M) for start in starts]
    return min(poses, key=lambda pose: float(pose_costs(body, terms, seen, pose).sum()))


def _turned(body: Body, seen: Observations, pose: Pose) -> Pose:
    """The poses with every joint that has enough markers turned to where these are, parents first."""
    topology, q = body.topology, pose.q.clone()
    for joint in range(1, len(body.joints)):
        coordinates = torch.nonzero(topology.coordinate_joints == joint)[:, 0]
        own = torch.nonzero(topology.marker_joints == joint)[:, 0]
        if not len(coordinates) or len(own) < FEWEST_ON_JOINT:
            continue
        weights = seen.confidence[:, own]
        offsets = body.sizes.marker_offsets[own].expand(pose.frames, -1, -1)
        turn, _ = rigid_points_registration(offsets, seen.points[:, own], weights.clamp_min(1e-6))
        parents = body.posed(Pose(pose.root, pose.turn, q)).global_rotations[:, topology.parents[joint]]
        local = topology.mean[joint].T @ parents.mT @ turn
        q[:, coordinates] = rotmat_to_rotvec(local) @ topology.coordinate_axes[coordinates].T
    return Pose(pose.root, pose.turn, q)


def _apart(body: Body, pose: Pose, positions: FloatArray) -> FloatArray:
    """(frames, labels) in metres, NaN where there is no sample."""
    return distances(to_array(body.posed(pose).markers), positions)


def merged(found: Found, better: dict[int, Pose]) -> Found:
    """The poses at the coarse rate, with those of all frames of some stretches in their place."""
    parts, at, advised = list[Pose](), list[Tensor](), found.at
    begin = 0
    for start, pose in sorted(better.items()):
        frames = torch.arange(start, start + pose.frames, device=found.at.device)
        before = torch.nonzero((found.at >= begin) & (found.at < start))[:, 0]
        parts += [found.pose[before], pose]
        at += [found.at[before], frames]
        begin = start + pose.frames
    rest = torch.nonzero(found.at >= begin)[:, 0]
    every = torch.cat([*at, found.at[rest]])
    advice = None
    if found.advice is not None:
        advice = found.advice.of_all(Between(advised, slice(0, int(advised[-1]) + 1)))[every]
    return Found(joined([*parts, found.pose[rest]]), every, found.sigma_m, advice)
