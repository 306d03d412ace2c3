# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses to begin from for actors whose hierarchy the network does not know.

Several beginnings are refined, and of each frame the pose with the least cost is kept: the mean pose where the steadiest markers put
it, and what the network says of the markers, carried over joint by joint. Where markers sit the actor's file says, whatever they are
called; where its joints do not tell, marker sets do by names. Frames that end in a wrong minimum nevertheless begin again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from ..actors.actor import Actor
from ..actors.actor_set import marker_set_of
from ..actors.carried_markers import carried_placement, has_limbs
from ..actors.hierarchy import Carrying, carrying, prior_of
from ..actors.placement import Placement
from ..actors.prior import PosePrior, Prior
from ..core.rotations import rotmat_to_rotvec
from ..marker_sets.marker_set import MarkerSet
from ..solver.fit import place_root, pose_costs, prior_terms, refined
from ..solver.kinematics import Body, Pose, to_array
from ..solver.observations import Observations
from ..solver.rescue import TRIAL_SCALES_M, chosen, rescued
from .joint_shapes import counterparts_by_shape
from .propose import bundled_network, propose_poses, unknown_actor

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
        return unwound(body, rescued(body, terms, seen, chosen(tried, best), costs.amin(0)))

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


def _placed(body: Body, pose: Pose, seen: Observations) -> Pose:
    """The poses with their roots moved to where most markers want them, not rotated."""
    away = seen.points - body.posed(pose).markers
    away = torch.where((seen.confidence > 0)[..., None], away, torch.nan)
    return Pose(pose.root + away.nanmedian(1).values.nan_to_num(), pose.turn, pose.q)


def _coordinates(local: np.ndarray, prior: PosePrior) -> np.ndarray:
    """(frames, coordinates) in radians of local rotations (frames, joints, 3, 3); what no coordinate turns is left out."""
    vectors = rotmat_to_rotvec(prior.mean_rotations.swapaxes(-1, -2) @ local)
    return np.einsum("fci,ci->fc", vectors[:, prior.joints_of], prior.axes)
