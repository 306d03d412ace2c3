# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known beforehand of an actor with another hierarchy than the bundled one: how its joints move.

A joint j of the other hierarchy that moves like the bundled joint c has its global rotation,

    R_j = R_c A_j,

with A_j the turn between the two zero poses: it takes the direction to the next joint in the one to that in the other. A joint without
a counterpart turns with its parent. Poses drawn from the bundled prior are carried over so, and a Gaussian is laid through them: it
knows that a knee is all but a hinge and that the trunk bends as a whole, however many joints the other hierarchy has. Every joint
is given some freedom about all three axes on top, because its file may have another knee than ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.motion import forward
from ..core.rigid import nearest_rotations, turn_between
from ..core.rotations import rotmat_to_rotvec, rotvec_to_rotmat, unitquat_to_rotmat
from ..core.skeleton import Skeleton
from ..core.take import FloatArray
from .actor import Actor, Freedom
from .joint_names import counterparts
from .prior import ActorPrior, PosePrior, Prior

#: Poses that are drawn from the bundled prior, and the seed of the draw.
DRAWN, SEED = 1000, 0
#: How much wider their Gaussian is made, as the joints are others: markers then say what they see, and on real takes with a fifth of the
#: samples moved nothing is lost.
WIDENING = 1.5
#: How far a joint with a counterpart may turn otherwise, and one without at all: standard deviations in radians about each axis.
FLOOR_RAD, FREE_RAD = np.radians(12.0), np.radians(40.0)
#: A joint goes through so many of its deviations in a second, at least; the bundled ones go through three to eight.
SPEED_PER_DEVIATION = 4.0
#: In s: short enough that a turn is its speed.
INSTANT = 1e-3
#: Deviations below this hold a joint still about an axis, in radians.
STILL_RAD = np.radians(0.1)
#: Zero poses whose bones point into directions with a smaller cosine are not rotated into each other: which way round is not known.
OPPOSITE = -0.9
#: The offsets of a given actor's markers are sure to this, in metres.
OFFSET_DEVIATION_M = 0.008


@dataclass(frozen=True, eq=False)
class Carrying:
    """Poses of the bundled hierarchy on another one.

    Attributes:
        parents: Of the other hierarchy.
        like: (joints,) index of the bundled joint that each moves like, -1 where there is none.
        align: (joints, 3, 3), A_j.
        still: (joints, 3, 3): usual local rotations, which joints without a counterpart keep.
    """

    parents: tuple[int, ...]
    like: tuple[int, ...]
    align: FloatArray
    still: FloatArray

    def local(self, global_rotations: FloatArray) -> FloatArray:
        """(frames, joints, 3, 3) local rotations of the other hierarchy, from global ones (frames, bundled joints, 3, 3)."""
        carried = np.empty((len(global_rotations), len(self.parents), 3, 3))
        local = np.empty_like(carried)
        for joint, (parent, like) in enumerate(zip(self.parents, self.like, strict=True)):
            if like >= 0:
                carried[:, joint] = global_rotations[:, like] @ self.align[joint]
                local[:, joint] = carried[:, parent].swapaxes(-1, -2) @ carried[:, joint] if parent >= 0 else carried[:, joint]
            else:
                local[:, joint] = self.still[joint]
                carried[:, joint] = carried[:, parent] @ local[:, joint]
        return local


def same_hierarchy(actor: Actor, prior: Prior) -> bool:
    """Whether a prior is of the actor's own joints, and its file does not say otherwise how they move."""
    skeleton, known = actor.skeleton, prior.actor
    return skeleton.joints == known.joints and skeleton.parents == known.parents and actor.freedoms is None


def carrying(actor: Actor, prior: Prior, named: tuple[str | None, ...] | None = None) -> Carrying:
    """How poses of the prior's hierarchy are carried over to an actor's.

    Args:
        actor: Of any hierarchy; what its file says of its joints goes before all else.
        prior: Of the bundled one.
        named: For each joint the bundled joint that moves like it, or None; None for what the joints' names say.
    """
    skeleton, bundled = actor.skeleton, prior.mean_actor().skeleton
    named = counterparts(skeleton.joints, skeleton.parents) if named is None else named
    said = [name if freedom.like is None else freedom.like or None for name, freedom in zip(named, _freedoms(actor), strict=True)]
    # the root is what everything hangs from, whatever it is called
    like = tuple(
        0 if parent < 0 else bundled.joints.index(name) if name else -1 for name, parent in zip(said, skeleton.parents, strict=True)
    )
    still = np.array([_matrix(freedom.mean) for freedom in _freedoms(actor)])
    return Carrying(skeleton.parents, like, _aligned(skeleton, bundled, like), still)


def prior_of(actor: Actor, prior: Prior, carry: Carrying) -> Prior:
    """What is known beforehand of an actor's poses; of its bones and its markers' places, that they are as the actor has them.

    Args:
        actor: Of any hierarchy.
        prior: Of the bundled one.
        carry: Between the two.
    """
    skeleton = actor.skeleton
    known = ActorPrior(
        skeleton.joints,
        skeleton.parents,
        skeleton.bones,
        np.zeros((len(skeleton.joints), 3, 0)),
        actor.labels,
        actor.marker_joints,
        actor.marker_offsets,
        np.full_like(actor.marker_offsets, OFFSET_DEVIATION_M),
        skeleton.places,
    )
    return Prior(_pose_prior(actor, prior, carry), known)


def _pose_prior(actor: Actor, prior: Prior, carry: Carrying) -> PosePrior:
    """The Gaussian through the poses that are carried over, and what the actor's file says."""
    now, soon = (carry.local(global_rotations) for global_rotations in _drawn(prior))
    means = nearest_rotations(now.mean(axis=0))
    freedoms = _freedoms(actor)
    for joint, freedom in enumerate(freedoms):
        if freedom.mean is not None:
            means[joint] = _matrix(freedom.mean)
    vectors, later = (rotmat_to_rotvec(means.swapaxes(-1, -2) @ local) for local in (now, soon))
    axes, joints_of, given, least = [], [], [], []
    for joint in range(1, len(freedoms)):
        said = freedoms[joint].deviation
        about = np.eye(3) if said else _principal(vectors[:, joint])
        floor = np.array(said) if said else np.full(3, FREE_RAD if carry.like[joint] < 0 else FLOOR_RAD)
        moves = floor > STILL_RAD
        axes.append(about[moves])
        least.append(floor[moves])
        joints_of += [joint] * int(moves.sum())
        given += [said is not None] * int(moves.sum())
    joints, own = np.array(joints_of, dtype=int), np.array(given, dtype=bool)
    about, floors = np.concatenate([np.zeros((0, 3)), *axes]), np.concatenate([np.zeros(0), *least])
    q, dq = (np.einsum("fci,ci->fc", values[:, joints], about) for values in (vectors, later - vectors))
    covariance = q.T @ q / len(q)
    # what the file says stands by itself
    covariance[own] = covariance[:, own] = 0.0
    covariance = WIDENING**2 * covariance + np.diag(floors**2)
    speed = np.sqrt((dq**2).mean(axis=0)) / INSTANT
    speed = np.maximum(speed, SPEED_PER_DEVIATION * floors)
    return PosePrior(means, about, joints, np.linalg.inv(covariance), speed, np.outer((-np.inf, np.inf), np.ones(len(joints))))


def _drawn(prior: Prior) -> tuple[FloatArray, FloatArray]:
    """Global rotations (poses, joints, 3, 3) of poses of the prior, its root on the zero pose's axes, and those an instant later."""
    random = np.random.default_rng(SEED)
    pose, skeleton = prior.pose, prior.mean_actor().skeleton
    spread = np.linalg.cholesky(np.linalg.inv(pose.precision))
    half = random.standard_normal((DRAWN // 2, len(pose.speed))) @ spread.T
    q = np.concatenate([half, -half])
    moved = q + INSTANT * pose.speed * random.standard_normal(q.shape)
    return _global_rotations(pose, skeleton, q), _global_rotations(pose, skeleton, moved)


def _global_rotations(pose: PosePrior, skeleton: Skeleton, q: FloatArray) -> FloatArray:
    """Global rotations (frames, joints, 3, 3) of coordinates (frames, coordinates), the root's identity."""
    vectors = np.zeros((len(q), len(skeleton.joints), 3))
    for coordinate, joint in enumerate(pose.joints_of):
        vectors[:, joint] += q[:, coordinate, None] * pose.axes[coordinate]
    local = pose.mean_rotations @ rotvec_to_rotmat(vectors)
    local[:, 0] = np.eye(3)
    return forward(skeleton, local, np.zeros((len(q), 3)))[1]


def _aligned(skeleton: Skeleton, bundled: Skeleton, like: tuple[int, ...]) -> FloatArray:
    """A_j, (joints, 3, 3), of joints with one joint below that has a counterpart too; else their parent's, the root's identity."""
    ours = bundled.zero_places
    align = np.tile(np.eye(3), (len(like), 1, 1))
    for joint, parent in enumerate(skeleton.parents):
        if parent < 0:
            continue
        children = [child for child, above in enumerate(skeleton.parents) if above == joint and like[child] >= 0]
        if like[joint] >= 0 and len(children) == 1:
            way = ours[like[children[0]]] - ours[like[joint]]
            align[joint] = _turn_between(skeleton.offsets[children[0]], way)
        elif like[joint] < 0 or not children:
            align[joint] = align[parent]
    return align


def _turn_between(start: FloatArray, end: FloatArray) -> FloatArray:
    """The smallest rotation, (3, 3), from one direction to another; identity where either is none or they are opposite."""
    lengths = np.linalg.norm(start) * np.linalg.norm(end)
    if lengths < 1e-8 or start @ end < OPPOSITE * lengths:
        return np.eye(3)
    return turn_between(start, end)


def _principal(vectors: FloatArray) -> FloatArray:
    """(3, 3), rows: the axes about which rotation vectors (frames, 3) vary, each by itself."""
    return np.linalg.eigh(vectors.T @ vectors)[1].T


def _matrix(quaternion: tuple[float, ...] | None) -> FloatArray:
    return np.eye(3) if quaternion is None else unitquat_to_rotmat(np.array(quaternion))


def _freedoms(actor: Actor) -> tuple[Freedom, ...]:
    return actor.freedoms or (Freedom(),) * len(actor.skeleton.joints)
