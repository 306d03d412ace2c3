# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels that sit elsewhere than their names say, all the take long: each label's place on the body is a hypothesis, the motion judges it.

Poses of some well-spread frames are fitted by a robust kernel, so that the many markers that sit where they should outvote the few that do
not. In the frame of every bone each marker then has a place and a scatter; with where the marker set has each label that makes a cost of
every marker at every label. Markers that are far from their own labels, and those of unknown names, are assigned to the labels that are
vacant, at the least cost in all; what fits nowhere is no longer believed, and is attached by its motion later. Poses are fitted again
without what was wrong, until nothing changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..actors.actor import Actor
from ..actors.placement import Placement
from ..actors.prior import PosePrior
from ..core.take import FloatArray, IntArray
from .calibration import spread_subset
from .fit import prior_terms, refined
from .kinematics import Body, Pose, to_array
from .observations import Observations
from .robust import settled_place

#: Frames that tell, and the fewest samples among them by which a marker is judged.
FRAMES, FEWEST_SAMPLES = 20, 8
#: Scales of the robust kernel in metres: of the first poses, and of each round without what was wrong.
SCALES_M, ROUND_SCALES_M, ROUNDS = (0.2, 0.1, 0.06), (0.2, 0.1, 0.06), 4
#: How far poses of a mean person, and markers in them, are off beside what the marker set allows, and how much skin scatters, in metres.
ERROR_M, SCATTER_M = 0.03, 0.025
#: A marker is looked at if its cost, a squared number of deviations, at its own label is larger than the first, and put at another label
#: where it is less than the second; and nowhere if it is larger than the third and the marker as far off as this, in metres.
SUSPECT, FITS, LOST, LOST_M = 9.0, 9.0, 36.0, 0.12
#: By so much a new label's place must be better than the own label's; and the links of a chain of exchanges that are followed.
GAIN, MOST_LINKS = 3.0, 4
#: What a marker costs that is at no label.
NOWHERE = 25.0


@dataclass(frozen=True, eq=False)
class Settled:
    """Where markers sit.

    Attributes:
        labels: (markers,) index of the label at whose place each sits; -1 for none.
        away_m: (markers,) in metres: how far each is from the place that its own label has; NaN for a marker of an unknown name.
    """

    labels: IntArray
    away_m: FloatArray


def settle(start: Actor, prior: PosePrior, places: Placement, markers: int, seen: Observations, begun: Pose) -> Settled | None:
    """Which label's place each marker sits at; None where all sit at their own, and none of an unknown name sits at a vacant one.

    Args:
        start: The bones of the person.
        prior: Of poses.
        places: Of the labels of the first `markers` markers, in their order, then of labels that no marker has.
        markers: How many have a label of the set.
        seen: Of these and then of the markers of unknown names.
        begun: Poses of the same frames.
    """
    chosen = spread_subset(seen, FRAMES)
    few, pose = seen[chosen].apart(), begun[chosen]
    own = np.full(few.points.shape[1], -1)
    own[:markers] = np.arange(markers)
    held, costs, away = own.copy(), np.empty(0), np.empty(0)
    for number, scales in enumerate((SCALES_M, *(ROUND_SCALES_M,) * ROUNDS)):
        body, pose = _posed(start, prior, places, held, few, pose, scales)
        costs, away = _costs(body, pose, few, places)
        if not number and not _doubtful(costs, away, own):
            return None
        # a pose that follows a wrong marker hides it: the first look only takes away the say of what may be wrong
        settled = assigned(costs, away, own) if number else _believed(costs, own)
        if number and (settled == held).all():
            break
        held = settled
    if (held == own).all():
        return None
    return Settled(held, _at_own(away, own))


def _at_own(table: FloatArray, own: IntArray) -> FloatArray:
    """(markers,): of a table (markers, labels) what stands at each marker's own label; NaN where it has none."""
    return np.where(own >= 0, table[np.arange(len(own)), own.clip(0)], np.nan)


def _posed(
    start: Actor, prior: PosePrior, places: Placement, held: IntArray, few: Observations, pose: Pose, scales_m: tuple[float, ...]
) -> tuple[Body, Pose]:
    """Poses by the markers that sit at a label, each at its usual place."""
    rows = np.flatnonzero(held >= 0)
    here = places.only(held[rows].tolist())
    actor = Actor(start.skeleton, here.labels, here.joints, _offsets(start, here))
    body = Body(actor, prior, few.points.device, few.points.dtype)
    return body, refined(body, prior_terms(prior, few.seconds, few.points), few.only(rows.tolist()), pose, scales_m)


def _offsets(start: Actor, places: Placement) -> FloatArray:
    """(labels, 3): the usual offsets, those that lie by another joint than their own where these bones put it."""
    at, joints, origins = start.skeleton.zero_places, list(places.joints), list(places.origins)
    mean = places.offset_mean.copy()
    elsewhere = np.array(joints) != np.array(origins)
    # of the mean person the marker lies by the origin as far as the difference says
    scale = np.linalg.norm(at[origins] - at[joints], axis=-1)[elsewhere]
    lengths = np.linalg.norm(mean[elsewhere], axis=-1).clip(1e-6)
    mean[elsewhere] *= np.clip(scale / lengths, 0.8, 1.2)[:, None]
    return mean


def _costs(body: Body, pose: Pose, seen: Observations, places: Placement) -> tuple[FloatArray, FloatArray]:
    """(markers, labels): the cost of every marker at every label's place, and its distance from there in metres."""
    posed = body.posed(pose)
    positions, rotations, points = (to_array(tensor) for tensor in (posed.positions, posed.global_rotations, seen.points))
    sampled = seen.confidence.cpu().numpy() >= 1
    offsets, deviations = _offsets(body.actor, places), np.sqrt(places.offset_deviation**2 + ERROR_M**2)
    costs, away = (np.full((points.shape[1], len(places.labels)), np.nan) for _ in range(2))
    joints = sorted(set(places.joints))
    for marker in range(points.shape[1]):
        rows = sampled[:, marker]
        if rows.sum() < FEWEST_SAMPLES:
            continue
        apart = points[rows, marker][:, None] - positions[rows][:, joints]
        place, scatter = settled_place(np.einsum("fjba,fjb->fja", rotations[rows][:, joints], apart))
        column = [joints.index(joint) for joint in places.joints]
        off = place[column] - offsets
        away[marker] = np.linalg.norm(off, axis=-1)
        costs[marker] = ((off / deviations) ** 2).sum(axis=-1) + (scatter[column] / SCATTER_M) ** 2
    return costs, away


def _doubtful(costs: FloatArray, away: FloatArray, own: IntArray) -> bool:
    """Whether the first look, which most takes end with, shows a marker that is lost or that fits elsewhere."""
    return bool((_at_own(costs, own) > LOST).any() or (assigned(costs, away, own) != own).any())


def _believed(costs: FloatArray, own: IntArray) -> IntArray:
    """The markers' own labels, -1 where they are far from these."""
    return np.where(_at_own(costs, own) > SUSPECT, -1, own)


def assigned(costs: FloatArray, away: FloatArray, own: IntArray) -> IntArray:
    """(markers,): their own labels, but of those that are far from these the vacant ones at the least cost in all."""
    rows = np.arange(len(own))
    named = own >= 0
    at_own, off = _at_own(costs, own), _at_own(away, own)
    far = at_own > SUSPECT
    for _ in range(MOST_LINKS):
        # whoever sits better where one of these came from is next in a chain of exchanges
        left = own[far & named]
        linked = far | (named & (costs[:, left].min(axis=1, initial=np.inf) < at_own - GAIN))
        if (linked == far).all():
            break
        far = linked
    moving = np.flatnonzero(far | (~named & np.isfinite(costs[:, 0])))
    vacant = np.setdiff1d(np.arange(costs.shape[1]), own[named & ~np.isin(rows, moving)])
    settled = own.copy()
    if not len(moving):
        return settled
    table = costs[np.ix_(moving, vacant)].copy()
    # a label's own marker may stay a little farther away than another may come
    bonus = vacant[None] == own[moving][:, None]
    table = np.where(bonus, table - GAIN, np.where(table < FITS, table, 1e3))
    # not above: few takes need it, and it takes long to load
    from scipy.optimize import linear_sum_assignment

    at, label = linear_sum_assignment(np.concatenate([table, np.full((len(moving), len(moving)), NOWHERE)], axis=1))
    settled[moving] = -1
    for row, column in zip(at, label, strict=True):
        if column < len(vacant):
            settled[moving[row]] = vacant[column]
    # what is at nobody's place but not far from its own stays
    taken = set(settled[settled >= 0].tolist())
    for marker in moving[(settled[moving] < 0) & named[moving]]:
        if int(own[marker]) not in taken and not (at_own[marker] > LOST and off[marker] > LOST_M):
            settled[marker] = own[marker]
    return settled
