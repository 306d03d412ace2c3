# SPDX-License-Identifier: GPL-3.0-or-later
"""An articulated actor as Momentum wants a character, in numbers. It needs no Momentum.

Momentum counts in centimetres and turns a joint by P Rz(z) Ry(y) Rx(x), with P its rest. The body's own angles turn about the axes A in
the order x, y, z, so each joint stands on the frame whose axes are -A_z, A_y, A_x: in it the two are the same, but for a sign.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from ...actors.prior import PosePrior
from ...core.take import FloatArray
from .articulation import Articulation

#: Centimetres in a metre.
CM = 100.0
#: Of each joint Momentum has a shift along x, y, z, a turn about x, y, z, and a scale.
NUMBERS, TURNS = 7, 3
#: Parameters are told apart by their names: the root's, which are solved first, and those of a person's size.
ROOT_NAMES = ("root_tx", "root_ty", "root_tz", "root_rx", "root_ry", "root_rz")
SCALE = "scale_"
#: An axis of the body is a prior's coordinate's if they are as parallel as this.
PARALLEL = 0.99


@dataclass(frozen=True, eq=False)
class Rig:
    """A body as Momentum wants it.

    Attributes:
        frames: (joints, 3, 3): the columns are the axes of Momentum's joint in the actor's.
        rests: (joints, 4) unit quaternions x y z w of the joints at angles of 0, in their parents.
        places: (joints, 3) in cm, where each sits in its parent; the root where the take begins.
        names: Of the parameters: the root's, `Articulation.names`, then a scale a bone that carries joints.
        transform: (7 joints, parameters): what each parameter adds to the shifts, turns and scales of the joints.
        offsets: (labels, 3) in cm, of the markers in their joints.
        limits: (parameter, least, greatest) in radians of each angle that has limits.
    """

    frames: FloatArray
    rests: FloatArray
    places: FloatArray
    names: tuple[str, ...]
    transform: FloatArray
    offsets: FloatArray
    limits: tuple[tuple[int, float, float], ...]


def rig(body: Articulation, pose: PosePrior) -> Rig:
    """The body with the limits of a prior."""
    actor, skeleton = body.actor, body.actor.skeleton
    frames = np.stack([-body.axes[..., 2], body.axes[..., 1], body.axes[..., 0]], axis=-1)
    rests, places = np.empty((len(frames), 4)), np.empty((len(frames), 3))
    for joint, parent in enumerate(skeleton.parents):
        above = np.eye(3) if parent < 0 else frames[parent].T
        rests[joint] = Rotation.from_matrix(above @ body.rest[joint] @ frames[joint]).as_quat()
        places[joint] = above @ (body.start if parent < 0 else skeleton.offsets[joint]) * CM
    carrying = [joint for joint in range(len(frames)) if joint in skeleton.parents and np.any(skeleton.bones[joint])]
    names = (*ROOT_NAMES, *body.names, *(SCALE + skeleton.joints[joint] for joint in carrying))
    offsets = np.einsum("lji,lj->li", frames[list(actor.marker_joints)], actor.marker_offsets) * CM
    return Rig(frames, rests, places, names, _transform(body, places, carrying), offsets, _limits(body, pose))


def _transform(body: Articulation, places: FloatArray, carrying: list[int]) -> FloatArray:
    """`Rig.transform`: a bone's scale shifts the joints at its end along it, as a part of its length."""
    angles = sum(body.angles)
    transform = np.zeros((NUMBERS * len(places), 3 + angles + len(carrying)))
    transform[:3, :3] = np.eye(3)
    column = 3
    for joint, count in enumerate(body.angles):
        for axis in range(count):
            transform[NUMBERS * joint + TURNS + 2 - axis, column] = -1.0 if axis == 2 else 1.0
            column += 1
    for bone in carrying:
        for joint, parent in enumerate(body.actor.skeleton.parents):
            if parent == bone:
                transform[NUMBERS * joint : NUMBERS * joint + 3, column] = places[joint]
        column += 1
    return transform


def _limits(body: Articulation, pose: PosePrior) -> tuple[tuple[int, float, float], ...]:
    """`Rig.limits`: those of the prior's coordinates, as if angles about axes that follow on one another were a rotation vector's."""
    limits = []
    for row, name in enumerate(body.names):
        joint = body.actor.skeleton.joints.index(name[:-2])
        along = pose.axes @ body.axes[joint][:, "xyz".index(name[-1])]
        for coordinate in np.flatnonzero((pose.joints_of == joint) & (np.abs(along) > PARALLEL)):
            ends = sorted(pose.limits[:, coordinate] * np.sign(along[coordinate]))
            if np.isfinite(ends).all():
                limits.append((len(ROOT_NAMES) + row, float(ends[0]), float(ends[1])))
    return tuple(limits)
