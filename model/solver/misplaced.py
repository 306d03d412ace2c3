# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels that sit elsewhere than their names say, all the take long: each label's place on the body is a hypothesis, the motion judges it.

Most takes are right, which the poses show to which the actor was fitted (`all_settled`). Where they doubt a label, poses of some
well-spread frames are fitted by a robust kernel, so that the many markers that sit where they should outvote the few that do not; where
much seems wrong, the poses begin again from the whole body's rotation, which a few labels cannot turn over. In the frame of every bone
each marker then has a place and a scatter; with where the marker set has each label that makes a cost of every marker at every label. All
markers are assigned to labels at the least cost in all; what fits nowhere is no longer believed, and is attached by its motion later.
Poses are fitted again without what was wrong, until nothing changes, and who sits near what was wrong is tried once more by fitting the
actor (`retrying.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
import torch
from torch import Tensor

from ..actors.actor import Actor
from ..actors.placement import Placement
from ..actors.prior import PosePrior, Prior
from ..core.take import BoolArray, FloatArray, IntArray
from .calibration import spread_subset
from .fit import Terms, prior_terms, refined_apart, wandering
from .kinematics import Body, Pose, to_array
from .observations import Observations
from .retrying import retried
from .robust import kernel_cost, kernel_weight, settled_place
from .rotations import rigid_points_registration
from .trials import Trial

#: Frames that tell, and the fewest samples in them by which a marker is judged.
FRAMES, FEWEST_SAMPLES = 20, 8
#: Scales of the robust kernel in metres by which poses are fitted, and how often without what was wrong.
SCALES_M, ROUNDS = (0.2, 0.1, 0.06), 4
#: By so many of these scales the first poses are fitted: where all markers sit at their own labels there, they do in finer ones.
FIRST_SCALES = 2
#: The same for poses that every label has a say in, however far off it seems: a head that is turned as nobody begins is farther.
WIDE_M = (0.6, 0.6, 0.4, 0.4, 0.3, 0.2, 0.1, 0.06)
#: How far poses of a mean person, and markers in them, are off beside what the marker set allows, and how much skin scatters, in metres.
ERROR_M, SCATTER_M = 0.03, 0.025
#: A marker is suspected if its cost, a squared number of deviations, at its own label is larger than the first; put at another label where
#: it is less than the second; and nowhere if it is larger than the third and the marker as far off as this, in metres.
SUSPECT, FITS, LOST, LOST_M = 9.0, 16.0, 36.0, 0.12
#: By so much a new label's place must be better than the own label's.
GAIN = 1.0
#: Where more than this part of the markers is suspected, the poses begin again; where it is wrong, the labels say nothing.
MOSTLY_WRONG = 0.2
#: What a marker costs that is at no label, and at one whose place it does not fit.
NOWHERE, ELSEWHERE = 25.0, 1e3
#: Scales of the kernel by which the mean pose is laid onto the markers, in metres.
LAYING_M = (0.6, 0.4, 0.3, 0.2, 0.15, 0.1, 0.1, 0.1)


@dataclass(frozen=True, eq=False)
class Settled:
    """Where markers sit.

    Attributes:
        labels: (markers,) index of the label at whose place each sits; -1 for none.
        away_m: (markers,) in metres: how far each is from the place that its own label has; NaN for a marker of an unknown name.
        mostly: Whether so many labels are wrong that the others cannot be trusted to tell where these belong.
        unclear: Whether some markers sit at another label than their own, and others at none: labels are left over, and what was moved
            may sit there.
    """

    labels: IntArray
    away_m: FloatArray
    mostly: bool
    unclear: bool


def all_settled(
    fitted: Actor, prior: PosePrior, places: Placement, markers: int, seen: Observations, pose: Pose, *, catalogue: bool
) -> bool:
    """Whether every marker is seen to sit at its own label, and none of an unknown name at a vacant one, in poses that are at hand.

    Where a label is wrong these show it as well as poses that are made to tell, and they doubt fewer that are right, as the bones are the
    person's.

    Args:
        fitted: The person.
        prior: Of poses.
        places: Of labels, as for `settle`.
        markers: How many have a label of the set.
        seen: Of these and then of the markers of unknown names, in frames that are apart.
        pose: Of the same frames.
        catalogue: As for `settle`.

    Returns:
        False also where some marker is in too few of the frames to be judged.
    """
    own, barred = _hypotheses(markers, places, seen, catalogue=catalogue)
    if bool(((seen.confidence >= 1).sum(0) < FEWEST_SAMPLES).any()):
        return False
    body = Body(_placed(fitted, places), prior, seen.points.device, seen.points.dtype)
    # an actor that was fitted to two neighbours' exchanged labels makes up for some of it
    return not _doubtful(_costs(body, pose, seen, places, barred)[0], own, gain=0.0)


def settle(
    start: Actor, known: Prior, places: Placement, markers: int, seen: Observations, begun: Pose, *, catalogue: bool
) -> Settled | None:
    """Which label's place each marker sits at; None where all sit at their own, and none of an unknown name sits at a vacant one.

    Args:
        start: The bones of the person, as the labels say.
        known: The prior of poses and bones, whose mean person is taken where the labels seem wrong.
        places: Of the labels of the first `markers` markers, in their order, then of labels that no marker has.
        markers: How many have a label of the set.
        seen: Of these and then of the markers of unknown names.
        begun: Poses of the same frames.
        catalogue: The marker set has everything: a label that no marker has is open to markers of unknown names only.
    """
    chosen = _telling(seen)
    few, pose, prior = seen[chosen].apart(), begun[chosen], known.pose
    own, barred = _hypotheses(markers, places, few, catalogue=catalogue)
    looked = _first_look(start, known, places, own, few, pose, barred)
    if looked is None:
        return None
    start, first, costs, away = looked
    # a pose that follows a wrong marker hides it: the first look only takes away the say of what may be wrong
    settled, pose = assigned(costs, away, own), first
    held = np.where(_suspected(costs, own) | (settled != own), -1, own)
    # where the first look doubts markers but moves none, a round without the doubted ones mostly moves none either: it costs less than
    # poses from wide scales, so it is asked first
    moves = bool((settled != own).any())
    if moves and _explained(start, prior, places, own, few, first, barred):
        return None
    for number in range(ROUNDS):
        body, pose = _posed(start, prior, places, held, few, pose, SCALES_M)
        costs, away = _costs(body, pose, few, places, barred)
        settled = assigned(costs, away, own)
        if number == 0 and not moves and ((settled == own).all() or _explained(start, prior, places, own, few, first, barred)):
            return None
        if (settled == held).all():
            break
        held = settled
    if (held == own).all():
        return None
    mostly = (held != own)[:markers].sum() > MOSTLY_WRONG * markers
    again = held if mostly else retried(Trial(_placed(start, places), known, places, few, pose, SCALES_M), held, own, costs)
    if (again != held).any():
        held = again
        body, pose = _posed(start, prior, places, held, few, pose, SCALES_M)
        _, away = _costs(body, pose, few, places, barred)
    named = own >= 0
    moved, lost = named & (held >= 0) & (held != own), named & (held < 0)
    return Settled(held, _at_own(away, own), bool(mostly), bool(moved.any() and lost.any() and not catalogue))


def _hypotheses(markers: int, places: Placement, seen: Observations, *, catalogue: bool) -> tuple[IntArray, BoolArray]:
    """(markers,): the index of the label that each has by its name, -1 where it is unknown; and (markers, labels): where none may go."""
    own = np.full(seen.points.shape[1], -1)
    own[:markers] = np.arange(markers)
    barred = np.zeros((len(own), len(places.labels)), bool)
    barred[:markers, markers:] = catalogue
    return own, barred


def _first_look(
    start: Actor, known: Prior, places: Placement, own: IntArray, few: Observations, pose: Pose, barred: BoolArray
) -> tuple[Actor, Pose, FloatArray, FloatArray] | None:
    """Poses by all labels, and where markers sit in them; None where no label is doubted.

    Returns:
        The person whose bones are taken, poses, and for these both of `_costs`.
    """
    prior = known.pose
    body, pose = _posed(start, prior, places, own, few, pose, SCALES_M[:FIRST_SCALES])
    if not _doubtful(_costs(body, pose, few, places, barred)[0], own):
        return None
    rows, terms = np.flatnonzero(own >= 0).tolist(), prior_terms(prior, few.seconds, few.points)
    pose = refined_apart(body, terms, few.only(rows), pose, SCALES_M[FIRST_SCALES:])
    costs, away = _costs(body, pose, few, places, barred)
    if _suspected(costs, own).sum() > MOSTLY_WRONG * len(rows):
        usual = known.mean_actor(places)
        laid_down = laid(_body(usual, prior, places, own, few), terms, few.only(rows))
        body, other = _posed(usual, prior, places, own, few, laid_down, SCALES_M)
        again, off = _costs(body, other, few, places, barred)
        if _suspected(again, own).sum() < _suspected(costs, own).sum():
            start, pose, costs, away = usual, other, again, off
    return (start, pose, costs, away) if _doubtful(costs, own) else None


def _telling(seen: Observations) -> Tensor:
    """Indices of the frames by which markers are judged: those that differ most, and more of those in which what is rarely seen is."""
    chosen, sampled = spread_subset(seen, FRAMES).cpu().numpy(), seen.confidence.cpu().numpy() >= 1
    for marker in np.argsort(sampled.sum(axis=0), kind="stable").tolist():
        lacking = FEWEST_SAMPLES - int(sampled[chosen, marker].sum())
        if lacking <= 0:
            continue
        others = np.setdiff1d(np.flatnonzero(sampled[:, marker]), chosen)
        if len(others) >= lacking:
            chosen = np.concatenate([chosen, others[np.linspace(0, len(others) - 1, lacking).round().astype(int)]])
    return torch.as_tensor(chosen, device=seen.points.device)


def _explained(start: Actor, prior: PosePrior, places: Placement, own: IntArray, few: Observations, pose: Pose, barred: BoolArray) -> bool:
    """Whether there are poses in which every marker sits at its own label.

    Where the poses begin far off, as of a head that is turned to the shoulder, the robust kernel holds all markers of the bone for wrong,
    and they are judged in the frame of a bone that nothing holds.
    """
    body, pose = _posed(start, prior, places, own, few, pose, WIDE_M)
    return not _doubtful(_costs(body, pose, few, places, barred)[0], own)


def _at_own(table: FloatArray, own: IntArray) -> FloatArray:
    """(markers,): of a table (markers, labels) what stands at each marker's own label; NaN where it has none."""
    return np.where(own >= 0, table[np.arange(len(own)), own.clip(0)], np.nan)


def _body(start: Actor, prior: PosePrior, places: Placement, held: IntArray, few: Observations) -> Body:
    """The person with the markers that sit at a label, each at its usual place."""
    return Body(_placed(start, places.only(held[held >= 0].tolist())), prior, few.points.device, few.points.dtype)


def _placed(start: Actor, places: Placement) -> Actor:
    """The person with markers at their usual places."""
    return Actor(start.skeleton, places.labels, places.joints, _offsets(start, places))


def _posed(
    start: Actor, prior: PosePrior, places: Placement, held: IntArray, few: Observations, pose: Pose, scales_m: tuple[float, ...]
) -> tuple[Body, Pose]:
    """Poses by the markers that sit at a label."""
    body = _body(start, prior, places, held, few)
    rows = np.flatnonzero(held >= 0).tolist()
    return body, refined_apart(body, prior_terms(prior, few.seconds, few.points), few.only(rows), pose, scales_m)


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


def _costs(body: Body, pose: Pose, seen: Observations, places: Placement, barred: BoolArray) -> tuple[FloatArray, FloatArray]:
    """(markers, labels): the cost of every marker at every label's place, infinite where barred, and its distance from there in metres."""
    posed = body.posed(pose)
    positions, rotations, points = (to_array(tensor) for tensor in (posed.positions, posed.global_rotations, seen.points))
    sampled = seen.confidence.cpu().numpy() >= 1
    offsets, deviations = _offsets(body.actor, places), np.sqrt(places.offset_deviation**2 + ERROR_M**2)
    costs, away = (np.full((points.shape[1], len(places.labels)), np.nan) for _ in range(2))
    joints = sorted(set(places.joints))
    column = [joints.index(joint) for joint in places.joints]
    # markers with samples in the same frames, as most are, together
    together: dict[bytes, list[int]] = {}
    for marker, own in enumerate(np.ascontiguousarray(sampled.T)):
        together.setdefault(own.tobytes(), []).append(marker)
    for markers in together.values():
        rows = sampled[:, markers[0]]
        if rows.sum() < FEWEST_SAMPLES:
            continue
        local = (points[rows][:, None, markers] - positions[rows][:, joints, None]) @ rotations[rows][:, joints]
        place, scatter = (values.swapaxes(0, 1) for values in settled_place(local))
        off = place[:, column] - offsets
        away[markers] = np.linalg.norm(off, axis=-1)
        costs[markers] = ((off / deviations) ** 2).sum(axis=-1) + (scatter[:, column] / SCATTER_M) ** 2
    return np.where(barred, np.inf, costs), away


def laid(body: Body, terms: Terms, seen: Observations) -> Pose:
    """The mean pose, rotated and moved as a whole to where most markers want it, whatever a few of them say.

    Every frame begins from the 24 rotations of a cube; a robust kernel draws in, as wide for each marker as the pose prior lets it wander
    besides, and the best of them is kept.
    """
    frames, turns = len(seen.points), torch.as_tensor(_cube()).to(seen.points)
    markers, wander = body.posed(body.rest(1)).markers[0], wandering(body, terms)
    points, told = seen.points[:, None].expand(-1, len(turns), -1, -1), (seen.confidence[:, None] > 0).to(seen.points)
    placed = (turns @ markers.T).transpose(-1, -2)[None].expand(frames, -1, -1, -1)
    middle = torch.where((told > 0)[..., None], points - placed, torch.nan).nanmedian(2, keepdim=True).values.nan_to_num()
    placed, turn, root = placed + middle, turns, middle[:, :, 0]
    for scale in LAYING_M:
        width = wander + scale**2
        say = told / width * kernel_weight(((placed - points) ** 2).sum(-1), width)
        turn, root = rigid_points_registration(markers.expand_as(points), points, say.clamp_min(1e-9))
        placed = (turn @ markers.T).transpose(-1, -2) + root[:, :, None]
    width = wander + LAYING_M[-1] ** 2
    # in units of the width, so that a marker that may be anywhere says no more than another
    cost = (told * kernel_cost(((placed - points) ** 2).sum(-1) / width, 1.0)).sum(-1)
    best, at = cost.argmin(1), torch.arange(frames)
    return Pose(root[at, best], turn[at, best], body.rest(frames).q)


def _cube() -> FloatArray:
    """(24, 3, 3): the rotations that leave a cube as it is."""
    signed = [np.eye(3)[list(order)] * signs for order in permutations(range(3)) for signs in product((1.0, -1.0), repeat=3)]
    return np.array([rotation for rotation in signed if np.linalg.det(rotation) > 0])


def _suspected(costs: FloatArray, own: IntArray) -> BoolArray:
    """(markers,): which have a label and are far from it."""
    return _at_own(costs, own) > SUSPECT


def _doubtful(costs: FloatArray, own: IntArray, gain: float = GAIN) -> bool:
    """Whether a look shows a marker that is far off, two that fit better exchanged, or one without a label where a label has none; a
    marker fits another label better that costs less there by the gain."""
    at_own = _at_own(costs, own)
    named = np.flatnonzero(own >= 0)
    pairs = costs[np.ix_(named, own[named])]
    exchanged = pairs + pairs.T < at_own[named] + at_own[named][:, None] - 2 * gain
    vacant = np.ones(costs.shape[1], bool)
    vacant[own[named]] = False
    fits = costs[:, vacant] < np.where(own >= 0, at_own - gain, FITS)[:, None]
    return bool(_suspected(costs, own).any() or exchanged.any() or fits.any())


def assigned(costs: FloatArray, away: FloatArray, own: IntArray) -> IntArray:
    """(markers,): the labels at whose places markers sit, at the least cost in all; their own ones where these are as good.

    Args:
        costs: (markers, labels) of each marker at each label, infinite where it may not be; NaN for markers that tell too little: these
            keep theirs.
        away: The same, distances in metres.
        own: (markers,) index of each marker's own label, or -1.
    """
    at_own, off = _at_own(costs, own), _at_own(away, own)
    told = ~np.isnan(costs).any(axis=1)
    moving = np.flatnonzero(told)
    free = np.setdiff1d(np.arange(costs.shape[1]), own[~told & (own >= 0)])
    table = np.where(costs[np.ix_(moving, free)] < FITS, costs[np.ix_(moving, free)], ELSEWHERE)
    kept = free[None] == own[moving][:, None]
    lost = (at_own > LOST) & (off > LOST_M)
    table = np.where(kept & ~lost[moving, None], at_own[moving, None].clip(max=NOWHERE) - GAIN, table)
    table = np.concatenate([table, np.full((len(moving), len(moving)), NOWHERE)], axis=1)
    at, label = np.arange(len(moving)), table.argmin(axis=1)
    wanted = label[label < len(free)]
    if len(np.unique(wanted)) < len(wanted):
        # not above: few takes need it, and it takes long to load
        from scipy.optimize import linear_sum_assignment

        at, label = linear_sum_assignment(table)
    settled = own.copy()
    settled[moving[at]] = [free[column] if column < len(free) else -1 for column in label]
    return settled
