# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses to begin from for actors whose hierarchy the network does not know.

Several beginnings are refined, and of each frame the pose with the least cost is kept: the mean pose where the steadiest markers put
it, and what the network says of the markers, carried over joint by joint. Where markers sit the actor's file says, whatever they are
called; where its joints do not tell, marker sets do by names. Frames that end in a wrong minimum nevertheless stand out by their cost:
they begin again from the nearest frames that did not, the root placed anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..actors.actor import Actor
from ..actors.actor_set import marker_set_of
from ..actors.carried_markers import carried_placement, has_limbs
from ..actors.hierarchy import Carrying, carrying, prior_of
from ..actors.placement import Placement
from ..actors.prior import PosePrior, Prior
from ..core.rotations import rotmat_to_rotvec
from ..marker_sets.marker_set import MarkerSet
from ..solver.fit import Terms, place_root, pose_costs, prior_terms, refined
from ..solver.kinematics import Body, Pose, to_array
from ..solver.observations import MARKER_SIGMA_M, SECONDS_APART, Observations
from ..solver.rotations import rigid_points_registration
from .joint_shapes import counterparts_by_shape
from .propose import bundled_network, propose_poses, unknown_actor

#: Scales of the robust kernel in metres while beginnings are tried.
TRIAL_SCALES_M = (0.3, 0.3, 0.2, 0.2, 0.1, 0.1, 0.05)
#: A frame's pose is wrong where its cost a marker is this many times the take's median, and more than that of this distance in metres.
WRONG_RATIO, WRONG_M = 3.0, 0.03
#: Wrong frames begin again at most so often; each time right ones are nearer.
ROUNDS = 6

#: Says poses of a body for frames that follow on one another.
Initialise = Callable[[Body, Observations], Pose]


def other_hierarchy(actor: Actor, prior: Prior, marker_set: MarkerSet) -> tuple[Prior, MarkerSet, Initialise]:
    """What a solve needs to know of an actor with another hierarchy than the bundled one.

    Args:
        actor: Given.
        prior: The bundled one.
        marker_set: Of the take's labels.

    Returns:
        The prior of the actor's poses, the set of its own markers, and where to begin.
    """
    carry = _carried_by_any(actor, prior)
    own = prior_of(actor, prior, carry)
    placement = carried_placement(actor, prior, carry) or _named_placement(actor, prior, marker_set)
    proposal = carried_proposal(prior, own.pose, carry, placement) if placement else None
    return own, marker_set_of(actor, marker_set), initialise_with(own.pose, proposal)


def _carried_by_any(actor: Actor, prior: Prior) -> Carrying:
    """How poses are carried over: by what the file says of joints, by their names, or, where these tell of no limbs, by their places."""
    by_names = carrying(actor, prior)
    if has_limbs(prior, by_names) or (shape := counterparts_by_shape(actor.skeleton)) is None:
        return by_names
    by_shape = carrying(actor, prior, shape)
    return by_shape if has_limbs(prior, by_shape) else by_names


def _named_placement(actor: Actor, prior: Prior, marker_set: MarkerSet) -> Placement | None:
    """Where a marker set has the actor's markers; None where it knows too few of their names."""
    known = {label: name for label in actor.labels if (name := marker_set.find(label)) is not None}
    if len(known) < marker_set.fewest_markers or len(set(marker_set.core) & set(known.values())) < 3:
        return None
    return replace(prior.placement(marker_set, tuple(known.values())), labels=tuple(known))


def initialise_with(prior: PosePrior, proposal: Initialise | None) -> Initialise:
    """Where to begin with any body of a hierarchy.

    Args:
        prior: Of the hierarchy.
        proposal: Another beginning than the mean pose; None where there is none.
    """

    def begin(body: Body, seen: Observations) -> Pose:
        terms = prior_terms(prior, seen.seconds, seen.points)
        starts = [place_root(body, terms, seen), *([proposal(body, seen)] if proposal else [])]
        tried = [refined(body, terms, seen, start, TRIAL_SCALES_M) for start in starts]
        costs = torch.stack([pose_costs(body, terms, seen, pose) for pose in tried])
        best = costs.argmin(0)
        return unwound(body, _rescued(body, terms, seen, _chosen(tried, best), costs.amin(0)))

    return begin


def carried_proposal(prior: Prior, pose_prior: PosePrior, carry: Carrying, placement: Placement) -> Initialise:
    """What the network says of markers whose places on the bundled hierarchy are about known, as poses of another hierarchy.

    Args:
        prior: The bundled one.
        pose_prior: Of the other hierarchy.
        carry: From the one to the other.
        placement: Of the body's labels, on the bundled hierarchy; others are left out.
    """

    def begin(body: Body, seen: Observations) -> Pose:
        rows = [row for row, label in enumerate(body.labels) if label in placement.labels]
        placed = placement.only([placement.labels.index(body.labels[row]) for row in rows])
        theirs, _, _ = propose_poses(bundled_network(), unknown_actor(prior, placed), seen.only(rows))
        there = Body(prior.mean_actor(placed), prior.pose, seen.points.device, seen.points.dtype)
        local = carry.local(to_array(there.posed(theirs).global_rotations))
        q = _coordinates(local, pose_prior)
        turn = torch.as_tensor(local[:, 0]).to(seen.points)
        return _placed(body, Pose(theirs.root, turn, torch.as_tensor(q).to(seen.points)), seen)

    return begin


def unwound(body: Body, pose: Pose) -> Pose:
    """The same poses by coordinates that do not jump: a turn of 190 degrees is also one of 170 degrees the other way round.

    Between the frames of a coarse rate coordinates are drawn straight, so that a jump would send a limb through everything.
    """
    joints, axes = body.topology.coordinate_joints.cpu().numpy(), to_array(body.topology.coordinate_axes)
    vectors = np.zeros((pose.frames, len(body.joints), 3))
    turns = to_array(pose.q)[..., None] * axes
    for coordinate, joint in enumerate(joints):
        vectors[:, joint] += turns[:, coordinate]
    angles = np.linalg.norm(vectors, axis=-1, keepdims=True).clip(1e-9)
    others = vectors * (1 - 2 * np.pi / angles)
    for frame in range(1, pose.frames):
        stays, jumps = (np.linalg.norm(way[frame] - vectors[frame - 1], axis=-1) for way in (vectors, others))
        vectors[frame] = np.where((jumps < stays)[:, None], others[frame], vectors[frame])
    q = np.einsum("fci,ci->fc", vectors[:, joints], axes)
    return Pose(pose.root, pose.turn, torch.as_tensor(q).to(pose.q))


def _rescued(body: Body, terms: Terms, seen: Observations, pose: Pose, costs: Tensor) -> Pose:
    """The poses, those of wrong frames found again from their nearest right ones."""
    limit = max(WRONG_RATIO * float(costs.median()), (WRONG_M / MARKER_SIGMA_M) ** 2)
    # none is held to a neighbour that is wrong
    apart = replace(terms, change_precision=terms.change_precision * (seen.seconds / SECONDS_APART) ** 2)
    for _ in range(ROUNDS):
        wrong, right = torch.nonzero(costs > limit)[:, 0], torch.nonzero(costs <= limit)[:, 0]
        if not len(wrong) or not len(right):
            return pose
        after = torch.searchsorted(right, wrong)
        donors = (right[(after - 1).clamp_min(0)], right[after.clamp_max(len(right) - 1)])
        there = seen[wrong]
        tried = [pose[wrong], *(refined(body, apart, there, _registered(body, pose[donor], there), TRIAL_SCALES_M) for donor in donors)]
        again = torch.stack([costs[wrong], *(pose_costs(body, terms, there, other) for other in tried[1:])])
        if not (again.amin(0) < again[0]).any():
            return pose
        better = _chosen(tried, again.argmin(0))
        pose = Pose(*(getattr(pose, part).index_copy(0, wrong, getattr(better, part)) for part in ("root", "turn", "q")))
        costs = costs.index_copy(0, wrong, again.amin(0))
    return pose


def _chosen(poses: list[Pose], which: Tensor) -> Pose:
    """Of each frame the pose of that number."""
    frames = torch.arange(len(which), device=which.device)
    return Pose(*(torch.stack([getattr(pose, part) for pose in poses])[which, frames] for part in ("root", "turn", "q")))


def _registered(body: Body, pose: Pose, seen: Observations) -> Pose:
    """The poses with their roots where the markers of these frames put them."""
    markers = body.posed(pose).markers
    weights = seen.confidence.clamp_min(1e-9)
    turn, shift = rigid_points_registration(markers, seen.points, weights)
    return Pose((turn @ pose.root[..., None])[..., 0] + shift, turn @ pose.turn, pose.q)


def _placed(body: Body, pose: Pose, seen: Observations) -> Pose:
    """The poses with their roots moved to where most markers want them, not rotated."""
    away = seen.points - body.posed(pose).markers
    away = torch.where((seen.confidence > 0)[..., None], away, torch.nan)
    return Pose(pose.root + away.nanmedian(1).values.nan_to_num(), pose.turn, pose.q)


def _coordinates(local: np.ndarray, prior: PosePrior) -> np.ndarray:
    """(frames, coordinates) in radians of local rotations (frames, joints, 3, 3); what no coordinate turns is left out."""
    vectors = rotmat_to_rotvec(prior.mean_rotations.swapaxes(-1, -2) @ local)
    return np.einsum("fci,ci->fc", vectors[:, prior.joints_of], prior.axes)
