# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the markers of an actor with another hierarchy would sit on the bundled one, whatever they are called.

The network that proposes poses knows the bundled joints alone, and markers by where they sit. A marker of a limb keeps its place along and
about the bone that its joint's counterpart turns; one of the trunk keeps its place between hips and shoulders, as the joints of
spines are anywhere.
"""

from __future__ import annotations

import numpy as np

from ..core.skeleton import Skeleton
from ..core.take import FloatArray
from .actor import Actor
from .hierarchy import Carrying
from .placement import Placement
from .prior import Prior

#: Joints that must have a counterpart: else the network would be told of a body without limbs.
LIMBS = tuple(f"{side}{name}" for side in ("Left", "Right") for name in ("UpLeg", "Leg", "Arm", "ForeArm"))
#: Joints of the trunk by which no limb hangs.
TRUNK = ("Hips", "LHipJoint", "RHipJoint", "LowerBack", "Spine", "Spine1", "LeftShoulder", "RightShoulder")
#: How well such a place is known, in m, on a limb and on the trunk: as a marker set's rough places are.
LIMB_M, TRUNK_M = 0.025, 0.04


def carried_placement(actor: Actor, prior: Prior, carry: Carrying) -> Placement | None:
    """Where the markers of an actor are expected on the bundled hierarchy; None where its joints do not tell enough of that.

    Args:
        actor: Of any hierarchy.
        prior: Of the bundled one.
        carry: Between the two.
    """
    bundled = prior.mean_actor().skeleton
    like = {bundled.joints[row]: joint for joint, row in enumerate(carry.like) if row >= 0}
    if not has_limbs(prior, carry):
        return None
    own, ours = actor.skeleton.zero_places, bundled.zero_places
    (hips, shoulders), (our_hips, our_shoulders) = _trunk(own, like), _trunk(ours, {name: row for row, name in enumerate(bundled.joints)})
    scale = np.linalg.norm(our_shoulders - our_hips) / max(float(np.linalg.norm(shoulders - hips)), 1e-6)
    carriers, offsets, deviations = [], [], []
    for joint, offset in zip(actor.marker_joints, actor.marker_offsets, strict=True):
        anchor = joint
        while carry.like[anchor] < 0:
            anchor = actor.skeleton.parents[anchor]
        carrier = carry.like[anchor]
        if bundled.joints[carrier] in TRUNK:
            offsets.append(our_hips + (own[joint] + offset - hips) * scale - ours[carrier])
        else:
            along = carry.align[anchor] @ (own[joint] + offset - own[anchor])
            offsets.append(along * _longer(actor.skeleton, bundled, carry, anchor))
        carriers.append(carrier)
        deviations.append(TRUNK_M if bundled.joints[carrier] in TRUNK else LIMB_M)
    joints, sure = tuple(carriers), np.repeat(np.array(deviations)[:, None], 3, axis=1)
    return Placement(actor.labels, joints, np.array(offsets).reshape(-1, 3), sure, joints)


def has_limbs(prior: Prior, carry: Carrying) -> bool:
    """Whether the joints of arms and legs are known, of a hierarchy onto which poses of the bundled one are carried."""
    joints = prior.actor.joints
    return set(LIMBS) <= {joints[row] for row in carry.like if row >= 0}


def _trunk(places: FloatArray, joints: dict[str, int]) -> tuple[FloatArray, FloatArray]:
    """The middle of the hip joints and that of the shoulders, of joints' places in the zero pose."""
    hips, shoulders = ([places[joints[f"{side}{name}"]] for side in ("Left", "Right")] for name in ("UpLeg", "Arm"))
    return np.mean(hips, axis=0), np.mean(shoulders, axis=0)


def _longer(skeleton: Skeleton, bundled: Skeleton, carry: Carrying, joint: int) -> float:
    """How long the bone of a joint's counterpart is, of the joint's own; 1 where the joint has none that goes on to one joint."""
    below = [child for child, parent in enumerate(skeleton.parents) if parent == joint and carry.like[child] >= 0]
    if len(below) != 1:
        return 1.0
    ours = bundled.zero_places
    own = float(np.linalg.norm(skeleton.offsets[below[0]]))
    return float(np.linalg.norm(ours[carry.like[below[0]]] - ours[carry.like[joint]])) / own if own > 1e-3 else 1.0
