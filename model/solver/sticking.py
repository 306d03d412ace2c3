# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers that sit elsewhere than a given actor has them: re-stuck since it was fitted.

A marker's samples lie at a distance from its place that is the same in its bone's frame all the take long, where soft tissue comes and
goes. Poses, though, follow a marker that was moved, and its neighbours then seem to be off too. So each of the markers that are farthest
off is left out, poses are found from the others, and only what they say of its place counts. Of those that were moved by that, the one is
fitted anew that explains the take best, and the rest are looked at again. Some well-spread frames are enough to tell.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..actors.prior import PosePrior
from ..core.findings import Finding
from ..core.take import FloatArray
from .calibration import distinct_poses, spread_subset
from .coarse_poses import find_poses
from .fit import Found, prior_terms, refined, say_of
from .kinematics import Body, Pose, to_array
from .observations import Observations
from .robust import kernel_cost, settled_place

#: Frames that tell, and the fewest samples among them by which a marker is judged.
FRAMES, FEWEST_SAMPLES = 120, 20
#: A take that shows fewer poses cannot tell a marker that was moved from a limb that is held otherwise.
FEWEST_POSES = 8
#: Markers that are farther off than this in poses that follow them are looked at, in metres, the farthest so many at a time.
SUSPECT_M, SUSPECTS = 0.008, 6
#: One is re-stuck that is farther off than this where it is not followed, in metres, than this many times the scatter of its samples
#: about the new place, and than this many times what a marker is usually off in poses that follow it. On real takes skin, and actors that
#: were fitted to other movements of the same person, come to 35 mm, 5 times and 5.7 times, but not at once.
MOVED_M, SCATTER_RATIO, USUAL_RATIO = 0.025, 3.0, 7.0
#: ... and no farther than this, in metres: what is has another marker's label, and so has one whose new place is this near to another's.
FARTHEST_M, OTHERS_PLACE_M = 0.15, 0.015
#: If more than this part of the markers seem to have moved, the actor is another person.
MOST = 0.25
#: Scales of the robust kernel in metres: of poses without the marker, and of each round in which its new offset settles.
SCALES_M, SETTLING_SCALES_M, ROUNDS = (0.1, 0.05, 0.04, 0.04), (0.04, 0.04), 4
#: And of what explains a take best.
COST_SCALE_M = 0.04


@dataclass(frozen=True)
class Restuck:
    """A marker that was moved on its bone by so many metres."""

    label: str
    moved_m: float

    @property
    def finding(self) -> Finding:
        """As the user is told."""
        moved_mm = self.moved_m * 1000
        text = f"{self.label} sits {moved_mm:.0f} mm from where the actor has it: re-stuck, and fitted anew."
        return Finding("re-stuck", text, (self.label,), numbers={"moved_mm": round(moved_mm, 1)})


def follow_restuck(
    body: Body, prior: PosePrior, seen: Observations, found: Found, judged: Collection[str]
) -> tuple[Body, Found, tuple[Restuck, ...]]:
    """Find markers that were re-stuck, and fit their offsets anew.

    Args:
        body: Of the given actor.
        prior: Of its poses.
        seen: All frames of the take, with the body's markers.
        found: Poses of the take.
        judged: The labels whose places were given.

    Returns:
        The body and its poses, the very same where no marker was re-stuck, and those that were, the farthest first.
    """
    rows = [row for row, label in enumerate(body.labels) if label in judged]
    if not rows:
        return body, found, ()
    chosen = spread_subset(seen[found.at], FRAMES)
    few, pose = seen[found.at[chosen]].apart(), found.pose[chosen]
    most = MOST * len(rows)
    distances = _distances(body, pose, few)[rows]
    if distinct_poses(few) < FEWEST_POSES or not (distances > SUSPECT_M).any() or (distances > MOVED_M).sum() > most:
        return body, found, ()
    far_m = max(MOVED_M, USUAL_RATIO * float(np.median(distances)))
    fitted, moved = body, []
    while len(moved) <= most and (trial := _best_trial(fitted, prior, few, pose, [row for row in rows if row not in moved], far_m)):
        moved.append(trial.marker)
        fitted, pose = trial.body, trial.pose
    if not moved or len(moved) > most:
        return body, found, ()
    fitted = _inflate_sigma(fitted, moved, displacements(fitted, pose, few).scatter)
    lengths = (fitted.sizes.marker_offsets - body.sizes.marker_offsets).norm(dim=-1).tolist()
    restuck = sorted((Restuck(body.labels[marker], lengths[marker]) for marker in moved), key=lambda each: -each.moved_m)
    # the network was told where they sat before: what it thinks of their samples counts no more
    told = ["" if row in moved else label for row, label in enumerate(body.labels)]
    advice = found.advice.on(told, body.labels) if found.advice else None
    return fitted, find_poses(fitted, prior, seen, found.pose, advice), tuple(restuck)


@dataclass(frozen=True, eq=False)
class Trial:
    """A body with one marker fitted anew, its poses of the frames that tell, and how badly both explain them."""

    marker: int
    body: Body
    pose: Pose
    cost: float


def _best_trial(body: Body, prior: PosePrior, few: Observations, pose: Pose, candidates: list[int], far_m: float) -> Trial | None:
    """That of the suspects that was moved, farther than `far_m`, and, fitted anew, explains the frames best; None if none was moved."""
    distances = _distances(body, pose, few)
    suspects = sorted((row for row in candidates if distances[row] > SUSPECT_M), key=lambda row: -distances[row])[:SUSPECTS]
    trials = [trial for marker in suspects if (trial := _trial(body, prior, few, pose, marker, far_m)) is not None]
    return min(trials, key=lambda trial: trial.cost, default=None)


def _trial(body: Body, prior: PosePrior, few: Observations, pose: Pose, marker: int, far_m: float) -> Trial | None:
    """The body with that marker where the others say that it sits; None if it was not moved."""
    terms = prior_terms(prior, few.seconds, few.points)
    confidence = few.confidence.clone()
    confidence[:, marker] = 0.0
    pose = refined(body, terms, replace(few, confidence=confidence), pose, SCALES_M)
    seen = displacements(body, pose, few)
    if not _was_moved(body, marker, seen, far_m):
        return None
    body = _moved(body, marker, seen.away[marker])
    for _ in range(ROUNDS):
        pose = refined(body, terms, few, pose, SETTLING_SCALES_M)
        body = _moved(body, marker, displacements(body, pose, few).away[marker])
    squared = ((body.posed(pose).markers - few.points) ** 2).sum(-1)
    return Trial(marker, body, pose, float((say_of(few, body.looseness) * kernel_cost(squared, COST_SCALE_M**2)).sum()))


def _distances(body: Body, pose: Pose, seen: Observations) -> FloatArray:
    """(labels,) in metres: how far each marker's samples lie from its place, all the take long."""
    return np.linalg.norm(displacements(body, pose, seen).away, axis=-1)


@dataclass(frozen=True, eq=False)
class Displacements:
    """How far samples are from their markers' places, on the axes of the markers' joints.

    Attributes:
        away: (labels, 3) in metres: their robust mean; 0 where there are few samples.
        scatter: (labels,) in metres: root mean square distance from there, without the outlying ones.
    """

    away: FloatArray
    scatter: FloatArray


def displacements(body: Body, pose: Pose, seen: Observations) -> Displacements:
    """Of every marker, in these poses."""
    posed = body.posed(pose)
    carried = body.topology.gathered(posed.global_rotations[:, body.topology.attached_joints])
    local = to_array(torch.linalg.solve(carried, (seen.points - posed.markers)[..., None])[..., 0])
    sampled = seen.confidence.cpu().numpy() >= 1
    away, scatter = np.zeros((len(body.labels), 3)), np.zeros(len(body.labels))
    for marker in range(len(body.labels)):
        own = local[sampled[:, marker], marker]
        if len(own) >= FEWEST_SAMPLES:
            away[marker], scatter[marker] = settled_place(own)
    return Displacements(away, scatter)


def _was_moved(body: Body, marker: int, seen: Displacements, far_m: float) -> bool:
    """Whether a marker that the poses do not follow sits elsewhere, all the take long, and not where another one does."""
    distance = float(np.linalg.norm(seen.away[marker]))
    if not max(far_m, SCATTER_RATIO * seen.scatter[marker]) < distance < FARTHEST_M:
        return False
    places = to_array(body.joint_places()[body.topology.marker_joints] + body.sizes.marker_offsets)
    apart = np.linalg.norm(places - places[marker] - seen.away[marker], axis=-1)
    apart[marker] = np.inf
    return bool(apart.min() > OTHERS_PLACE_M)


def _inflate_sigma(body: Body, moved: list[int], scatter: FloatArray) -> Body:
    """The body with new deviations of the offsets that were fitted anew, unknown where none of the others' are known.

    The other markers said where those sit: no surer than they know their own places, and with the scatter (labels,) in metres.
    """
    if body.actor.offset_sigma is None:
        return body
    sigma = body.actor.offset_sigma.copy()
    sigma[moved] = np.nan
    known = sigma[np.isfinite(sigma)]
    if len(known):
        sigma[moved] = np.sqrt((known**2).mean() + scatter[moved, None] ** 2 / 3)
    return body.of_actor(replace(body.actor, offset_sigma=sigma))


def _moved(body: Body, marker: int, by_m: FloatArray) -> Body:
    """The body with a marker moved on its joint's axes."""
    offsets = body.actor.marker_offsets.copy()
    offsets[marker] += by_m
    return body.of_actor(replace(body.actor, marker_offsets=offsets))
