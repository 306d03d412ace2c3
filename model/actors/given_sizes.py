# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a take may be from a given actor's bones and marker places: the prior of an actor that is fitted to the take.

Whoever wears the markers may be another person, and markers are put on anew: all bones are scaled together, each by itself, and every
marker is shifted, with the file's numbers as the mean of all. Markers ride along: one in the middle of a bone stays in its middle.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..core.skeleton import Skeleton
from ..core.take import FloatArray
from .actor import Actor
from .placement import Placement
from .prior import USUAL_SPREAD_M, Prior

#: How people differ from one another, as standard deviations in parts of a length: in size, and each bone by itself.
SCALE, LENGTH = 0.08, 0.04
#: Bones that are shorter than this, in metres, have no length to be scaled.
SHORTEST_M = 1e-3


def prior_around(actor: Actor, prior: Prior) -> tuple[Prior, Placement]:
    """What is known of bones and marker places of a given actor that is fitted to a take: that they are near what the actor has.

    Args:
        actor: Given, on the take's labels.
        prior: Of the actor's poses.

    Returns:
        The prior with the actor's bones as its mean, and the placement of the actor's markers.
    """
    skeleton, joints = actor.skeleton, actor.marker_joints
    said = np.zeros_like(actor.marker_offsets) if actor.offset_sigma is None else np.nan_to_num(actor.offset_sigma)
    deviation = np.hypot(said, USUAL_SPREAD_M)
    if prior.actor.bone_basis.shape[-1]:
        # of the bundled hierarchy it was learned how people differ
        usual = replace(prior, actor=replace(prior.actor, bone_mean=skeleton.bones))
        return usual, Placement(actor.labels, joints, actor.marker_offsets, deviation, joints)
    along = _along(skeleton)
    known = replace(
        prior.actor,
        bone_mean=skeleton.bones,
        bone_basis=along if skeleton.places is None else _drawn(skeleton, along),
        places=skeleton.places,
        place_basis=None if skeleton.places is None else along,
    )
    placement = Placement(actor.labels, joints, actor.marker_offsets, deviation, joints, _ridden(actor, along))
    return replace(prior, actor=known), placement


def _along(skeleton: Skeleton) -> FloatArray:
    """(joints, 3, components) in metres: of the bones, or, where the skeleton has them, of the places of its joints.

    The direction of a limb's bone in the zero pose is a matter of convention, which nothing in a take tells. Where a joint carries several
    others, as the pelvis does, their places across tell a broad one from a narrow one.
    """
    placed = skeleton.places is not None
    vectors = skeleton.places if skeleton.places is not None else skeleton.bones
    basis = [SCALE * vectors]
    for joint, length in enumerate(np.linalg.norm(vectors, axis=1)):
        if length < SHORTEST_M:
            continue
        broad = placed and skeleton.parents.count(skeleton.parents[joint]) > 1
        for way in np.eye(3) if broad else vectors[joint : joint + 1] / length:
            one = np.zeros_like(vectors)
            one[joint] = LENGTH * length * way
            basis.append(one)
    return np.stack(basis, axis=-1)


def _drawn(skeleton: Skeleton, along: FloatArray) -> FloatArray:
    """(joints, 3, components) in metres, of the bones that are drawn: they end at a joint, or are scaled as the whole."""
    basis = np.zeros_like(along)
    basis[..., 0] = SCALE * skeleton.bones
    for joint, bone in enumerate(skeleton.bones):
        ends = [child for child in _children(skeleton, joint) if np.allclose(skeleton.offsets[child], bone, atol=1e-6)]
        if ends:
            basis[joint] = along[ends[0]]
    return basis


def _ridden(actor: Actor, along: FloatArray) -> FloatArray:
    """(labels, 3, components) in metres: how markers are shifted with the bones that they sit on."""
    skeleton = actor.skeleton
    basis = np.zeros((len(actor.labels), *along.shape[1:]))
    basis[..., 0] = SCALE * actor.marker_offsets
    for row, (joint, offset) in enumerate(zip(actor.marker_joints, actor.marker_offsets, strict=True)):
        ends = _children(skeleton, joint) if skeleton.places is not None else [joint]
        if len(ends) != 1:
            continue
        bone = skeleton.offsets[ends[0]] if skeleton.places is not None else skeleton.bones[joint]
        part = float(np.clip(offset @ bone / max(float(bone @ bone), SHORTEST_M**2), 0.0, 1.0))
        basis[row, :, 1:] = part * along[ends[0], :, 1:]
    return basis


def _children(skeleton: Skeleton, joint: int) -> list[int]:
    return [child for child, parent in enumerate(skeleton.parents) if parent == joint]
