# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers that no marker set knows, attached by fitting: each to the joint in whose frame it stays stillest.

After the known markers are solved, an unknown marker at y_t has in the frame of joint j (place x_j, rotation R_j) the place
R_j,t' (y_t - x_j,t). On its own bone that hardly changes. Its robust mean there becomes the marker's expected offset, and the
actor is fitted once more with all markers. Some well-spread frames are enough to tell.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..actors.actor import Actor
from ..actors.placement import Placement
from ..actors.prior import Prior
from ..core.findings import Finding
from ..core.progress import Progress
from ..core.take import BoolArray, FloatArray, Take
from ..markers.matching import FEWEST_SAMPLES, listed, sampled_enough
from .calibration import fit_actor, spread_subset
from .coarse_poses import find_poses
from .fit import fit_poses, say_of
from .kinematics import Body, Pose, to_array
from .looseness import how_loose
from .observations import Observations
from .robust import kernel_cost, settled_place

#: Frames that tell where a marker belongs.
FRAMES = 120
#: A marker that moves more than this on every bone (root mean square) belongs to none, in metres: soft tissue moves less.
MOST_SPREAD_M = 0.040
#: Nor does one that is farther than this from the bone: the longest wands and hats are nearer.
FARTHEST_M = 0.40
#: Of joints in whose frames it is stiller by less than this, the one with the nearest bone is taken, in metres.
AS_STILL_M = 0.002
#: A sample is away from its bone that is farther than this from its marker's place, in m; where more than this part of the samples of
#: markers that are rigid to each other are away, they are on something that is only held for a while.
AWAY_M, MOST_AWAY = 0.15, 0.05
#: Markers are rigid to each other whose distance changes by less than this in most frames, in m, and so many of them are an object.
RIGID_M, FEWEST_RIGID = 0.004, 3
#: No attachment is held to be surer than this, in metres: the poses it is measured by were found without the marker.
LEAST_DEVIATION_M = 0.012
#: Attached markers are kept unless the fit is worse with them by more than this part: loose ones hardly change it.
AS_WELL = 0.01
#: Scale of the robust kernel that compares the fits with and without the attached markers, in metres.
SCALE_M = 0.04


@dataclass(frozen=True, eq=False)
class StillPlace:
    """Where a marker stays stillest.

    Attributes:
        joint: Index.
        offset: (3,) in metres, from the joint, on its axes.
        spread_m: Root mean square distance of its samples from there, without the outlying ones.
        distance_m: From the bone.
        away: Part of the samples that are far from there.
    """

    joint: int
    offset: FloatArray
    spread_m: float
    distance_m: float
    away: float = 0.0

    @property
    def fits(self) -> bool:
        """Whether the marker belongs to that bone."""
        return self.spread_m <= MOST_SPREAD_M and self.distance_m <= FARTHEST_M


def enough_samples(unknown: Take) -> tuple[Take, tuple[Finding, ...]]:
    """The markers with enough samples to be attached, and what is said of the others."""
    enough = sampled_enough(unknown)
    few = tuple(label for label, kept in zip(unknown.labels, enough, strict=True) if not kept)
    return unknown.only(np.flatnonzero(enough).tolist()), (_left_out("they have few samples", few),) if few else ()


def _left_out(why: str, labels: tuple[str, ...]) -> Finding:
    return Finding("left out", f"Left out, as the marker set does not know them and {why}: {listed(labels)}.", labels)


def attach(
    actor: Actor,
    placement: Placement | None,
    prior: Prior,
    labels: tuple[str, ...],
    seen: Observations,
    begun: Pose,
    progress: Progress | None = None,
) -> tuple[Actor, tuple[Finding, ...]]:
    """Attach the markers that the actor lacks.

    Args:
        actor: Fitted to the other markers.
        placement: Of the actor's markers, to fit the actor once more with all; None to keep the actor's bones and places.
        prior: Of poses and bones.
        labels: Of all observed markers, the actor's among them.
        seen: Frames to choose from.
        begun: Poses of these frames to begin from.
        progress: Of the second fit.

    Returns:
        The actor with the markers that fit a bone, behind its own, and what was attached and what was left out.
    """
    known = [labels.index(label) for label in actor.labels]
    unknown = [row for row, label in enumerate(labels) if label not in actor.labels]
    chosen = spread_subset(seen, FRAMES)
    few, start = seen[chosen].apart(), begun[chosen]
    body, pose, sigma_m = _posed(actor, prior, few.only(known), start)
    found = _still_places(body, pose, few.only(unknown))
    held = _held_for_a_while(few.only(unknown), found)
    places = {
        labels[row]: place for row, place, away in zip(unknown, found, held, strict=True) if place is not None and place.fits and not away
    }
    nowhere = tuple(labels[row] for row in unknown if labels[row] not in places)
    findings = (_left_out("they stay still on no bone", nowhere),) if nowhere else ()
    if not places:
        return actor, findings
    attached = _placement(places)
    longer = actor.beside(attached)
    rows = [labels.index(label) for label in longer.labels]
    longer = _loosened(longer, prior, body, pose, replace(few.only(rows), sigma_m=sigma_m), places)
    if placement is not None:
        body = Body(longer, prior.pose, seen.points.device, seen.points.dtype)
        refined = fit_actor(body, prior, placement + attached, seen.only(rows), begun, progress).actor
        without = _cost(body, pose, few.only(rows))
        if _cost(*_posed(refined, prior, few.only(rows), start)[:2], few.only(rows)) > (1 + AS_WELL) * without:
            return actor, (*findings, _left_out("the others fit better without", attached.labels))
        longer = refined
    bones = tuple(longer.skeleton.joints[place.joint] for place in places.values())
    said = listed([f"{label} to {bone}" for label, bone in zip(places, bones, strict=True)])
    text = f"Attached by fitting, as the marker set does not know them: {said}."
    return longer, (*findings, Finding("attached", text, tuple(places), bones))


def still_place(
    points: FloatArray, seen: BoolArray, positions: FloatArray, global_rotations: FloatArray, bones: FloatArray
) -> StillPlace | None:
    """The joint in whose frame a marker stays stillest; None if it has too few samples.

    Args:
        points: (frames, 3) in metres, of the marker.
        seen: (frames,): where it has a sample.
        positions: (frames, joints, 3) in metres.
        global_rotations: (frames, joints, 3, 3).
        bones: (joints, 3) in metres, in the zero pose.
    """
    if seen.sum() < FEWEST_SAMPLES:
        return None
    local = np.einsum("fjba,fjb->fja", global_rotations[seen], points[seen, None] - positions[seen])
    offsets, spreads = settled_place(local)
    along = np.clip((offsets * bones).sum(axis=-1) / np.maximum((bones**2).sum(axis=-1), 1e-9), 0.0, 1.0)
    distances = np.linalg.norm(offsets - along[:, None] * bones, axis=-1)
    joint = int(np.where(spreads <= spreads.min() + AS_STILL_M, distances, np.inf).argmin())
    away = float((np.linalg.norm(local[:, joint] - offsets[joint], axis=-1) > AWAY_M).mean())
    return StillPlace(joint, offsets[joint], float(spreads[joint]), float(distances[joint]), away)


def _still_places(body: Body, pose: Pose, seen: Observations) -> list[StillPlace | None]:
    """One for each observed marker."""
    posed = body.posed(pose)
    positions, global_rotations, points = (to_array(tensor) for tensor in (posed.positions, posed.global_rotations, seen.points))
    sampled = seen.confidence.cpu().numpy() >= 1
    return [
        still_place(points[:, row], sampled[:, row], positions, global_rotations, body.actor.skeleton.bones)
        for row in range(points.shape[1])
    ]


def _held_for_a_while(seen: Observations, places: list[StillPlace | None]) -> list[bool]:
    """Which observed markers are of an object that leaves the bone: rigid to at least two others that leave it too."""
    leaves = [row for row, place in enumerate(places) if place is not None and place.away > MOST_AWAY]
    points, sampled = to_array(seen.points), seen.confidence.cpu().numpy() >= 1
    rigid: dict[int, int] = dict.fromkeys(leaves, 1)
    for row in leaves:
        for other in leaves:
            both = sampled[:, row] & sampled[:, other]
            away = np.linalg.norm(points[both, row] - points[both, other], axis=-1)
            if other != row and len(away) >= FEWEST_SAMPLES and np.percentile(np.abs(away - np.median(away)), 90) <= RIGID_M:
                rigid[row] += 1
    return [rigid.get(row, 0) >= FEWEST_RIGID for row in range(len(places))]


def _placement(places: dict[str, StillPlace]) -> Placement:
    spreads = np.maximum([place.spread_m for place in places.values()], LEAST_DEVIATION_M)
    joints = tuple(place.joint for place in places.values())
    offsets = np.stack([place.offset for place in places.values()])
    return Placement(tuple(places), joints, offsets, np.repeat(spreads[:, None], 3, axis=1), joints)


def _loosened(longer: Actor, prior: Prior, body: Body, pose: Pose, seen: Observations, places: dict[str, StillPlace]) -> Actor:
    """An actor with attached markers, who knows how far these move about on their bones; `seen` are its markers in frames apart."""
    spreads_m = np.array([place.spread_m for place in places.values()])
    of_longer = Body(longer, prior.pose, seen.points.device, seen.points.dtype)
    before = np.zeros(len(longer.labels)) if longer.loose_m is None else longer.loose_m
    # the attached ones stand behind the actor's own
    loose_m = np.concatenate([before[: len(before) - len(places)], how_loose(body, prior.pose, pose, seen, of_longer, spreads_m)])
    return replace(longer, loose_m=loose_m if loose_m.any() else None)


def _posed(actor: Actor, prior: Prior, few: Observations, begun: Pose) -> tuple[Body, Pose, float]:
    """The actor's body, its poses, and the deviation of markers that shows in the take, in metres."""
    body = Body(actor, prior.pose, few.points.device, few.points.dtype)
    found = find_poses(body, prior.pose, few, begun)
    return body, fit_poses(body, prior.pose, few, found), found.sigma_m


def _cost(body: Body, pose: Pose, seen: Observations) -> float:
    """Mean of Geman and McClure's kernel over all samples, in m^2, those of loose markers counted less."""
    squared = ((body.posed(pose).markers - seen.points) ** 2).sum(-1)
    say = say_of(seen, body.looseness)
    return float((say * kernel_cost(squared, SCALE_M**2)).sum() / say.sum().clamp_min(1e-9))
