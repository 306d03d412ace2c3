# SPDX-License-Identifier: GPL-3.0-or-later
"""The rig is the actor: a character's own bones, as large as the person, as the hierarchy that a take is solved with.

Markers sit on it where a calibrated actor has them: about a limb, trunk and shoulder as far along it and as far from it, about the head as
high on it.
How joints move is known by the part of the body that they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..actors.actor import Actor, Freedom
from ..core.errors import BonesetterError
from ..core.rigid import turn_between
from ..core.rotations import unitquat_to_rotmat
from ..core.skeleton import CMU_JOINTS, Skeleton
from ..core.take import FloatArray
from .families import recognise
from .figure import SHORTEST_M, Anatomy, alignments, next_part
from .rig import PARENT_PARTS, BoneMap, Rig

#: From the axes of the zero pose (y up, facing +z) to a rig's world (z up, facing -y).
ZERO_TO_WORLD = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
#: From a body's axes (left, back, up) to those of the zero pose.
BODY_TO_ZERO = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
#: Joints of the bundled hierarchy that parts move like, from a chain's beginning; those of both sides without the side.
_LIKE = {"hips": ("Hips",), "spine": ("LowerBack", "Spine", "Spine1"), "neck": ("Neck", "Neck1"), "head": ("Head",)} | {
    "clavicle": ("{side}Shoulder",),
    "upper_arm": ("{side}Arm",),
    "forearm": ("{side}ForeArm", "{side}Hand"),
    "hand": ("{side}FingerBase",),
    "thigh": ("{side}UpLeg",),
    "shin": ("{side}Leg",),
    "foot": ("{side}Foot",),
    "toe": ("{side}ToeBase",),
}
_SIDES = {"L": "Left", "R": "Right", "": ""}
#: Parts whose markers are kept as far along them; about others they keep their distances.
STRETCHED = ("upper_arm", "forearm", "thigh", "shin")


def rig_actor(rig: Rig, bone_map: BoneMap, fitted: Actor) -> Actor:
    """A rig as the actor of the person to whom another was fitted.

    Args:
        rig, bone_map: The character; its mapped bones become joints.
        fitted: Of the bundled hierarchy, with the markers of the take.

    Raises:
        BonesetterError: The bone map does not fit the rig, or the actor is of another hierarchy.
    """
    bone_map.check(rig)
    person = _person(fitted)
    body = Anatomy(rig, bone_map)
    scale = _size(person) / _size(body)
    skeleton, bones = _skeleton(body, scale)
    joint_of = {bone: joint for joint, bone in enumerate(bones)}
    likes = _likes(body)
    markers = [_marker(person, body, fitted, row, scale) for row in range(len(fitted.labels))]
    carriers = tuple(joint_of[bone] for bone, _ in markers)
    heads = scale * rig.heads
    offsets = np.array([BODY_TO_ZERO @ body.axes.T @ (place - heads[bone]) for bone, place in markers]).reshape(-1, 3)
    still = (0.0, 0.0, 0.0)
    freedoms = tuple(Freedom(likes[bone]) if likes[bone] else Freedom("", deviation=still) for bone in bones)
    return Actor(skeleton, fitted.labels, carriers, offsets, freedoms=freedoms)


def refitted(actor: Actor, labels: Sequence[str], markers: FloatArray, rotations: FloatArray, positions: FloatArray) -> Actor:
    """The same actor with its markers where a take that was solved with it has them, the middle of all frames.

    Args:
        actor: Whose markers its own joints alone move.
        labels: Of the columns of `markers`; those that the actor lacks are left out.
        markers: (frames, labels, 3) in metres, NaN where missing.
        rotations: (frames, joints, 4) local unit quaternions w x y z.
        positions: (frames, joints, 3) in metres, on the markers' axes.
    """
    local, parents = unitquat_to_rotmat(rotations), actor.skeleton.parents
    turned = np.empty_like(local)
    for joint, parent in enumerate(parents):
        turned[:, joint] = local[:, joint] if parent < 0 else turned[:, parent] @ local[:, joint]
    offsets = actor.marker_offsets.copy()
    for row, label in enumerate(actor.labels):
        if label in labels:
            joint = actor.marker_joints[row]
            seen = markers[:, list(labels).index(label)] - positions[:, joint]
            known = np.isfinite(seen).all(axis=1)
            if known.any():
                offsets[row] = np.median(np.einsum("fba,fb->fa", turned[known, joint], seen[known]), axis=0)
    return replace(actor, marker_offsets=offsets)


def _person(fitted: Actor) -> Anatomy:
    """A fitted actor as a rig at rest."""
    skeleton = fitted.skeleton
    if skeleton.joints != CMU_JOINTS:
        raise BonesetterError(
            "A rig becomes the actor of a take that was solved with an actor fitted to it: solve it without an actor first."
        )
    heads = skeleton.zero_places @ ZERO_TO_WORLD.T
    turns = np.tile(np.eye(3), (len(heads), 1, 1))
    rig = Rig(skeleton.joints, skeleton.parents, heads, heads + skeleton.bones @ ZERO_TO_WORLD.T, turns)
    bone_map = recognise(rig)
    assert bone_map is not None  # as these are names of a family
    return Anatomy(rig, bone_map)


def _size(body: Anatomy) -> float:
    """Legs and trunk together, in metres: shoulders are then as high as the person's, and the trunk need not bend for it."""
    return float(body.leg + np.linalg.norm(_shoulders(body) - body.hip_middle))


def _shoulders(body: Anatomy) -> FloatArray:
    return 0.5 * (body.head("upper_arm.L") + body.head("upper_arm.R"))


def _skeleton(body: Anatomy, scale: float) -> tuple[Skeleton, list[int]]:
    """The mapped bones as joints, and which bone each is; what hangs on no mapped bone hangs where it does on a body."""
    rig, chains = body.rig, body.chains
    mapped = {bone for chain in chains.values() for bone in chain}
    above: dict[int, int] = {}
    for part in PARENT_PARTS:
        for place, bone in enumerate(chains[part]):
            nearest = rig.nearest(bone, mapped)
            by_body = chains[part][place - 1] if place else (chains[body.above(part)][-1] if body.above(part) else -1)
            above[bone] = by_body if nearest < 0 or bone == chains["hips"][0] else nearest
    order: list[int] = []
    while len(order) < len(above):
        ready = [bone for bone in above if bone not in order and above[bone] in {-1, *order}]
        if not ready:
            raise BonesetterError("The bone map has bones that hang on one another: choose others.")
        order += ready
    turn = scale * BODY_TO_ZERO @ body.axes.T
    places = [turn @ (rig.heads[bone] - rig.heads[above[bone]]) if above[bone] >= 0 else np.zeros(3) for bone in order]
    tips = _ends(body)
    ends = [turn @ (tips[bone] - rig.heads[bone]) for bone in order]
    parents = tuple(order.index(above[bone]) if above[bone] >= 0 else -1 for bone in order)
    return Skeleton(tuple(rig.names[bone] for bone in order), parents, np.array(ends), np.array(places)), order


def _ends(body: Anatomy) -> dict[int, FloatArray]:
    """{mapped bone: (3,) where it ends}: at the next bone of the body, since tails of a rig's controls may point anywhere."""
    found: dict[int, FloatArray] = {}
    for part, chain in body.chains.items():
        following = next_part(part)
        while following and not body.has(following):
            following = next_part(following)
        heads = [*(body.rig.heads[bone] for bone in chain), *([body.head(following)] if following else [])]
        for place, bone in enumerate(chain):
            # several bones of hips may begin at one place
            ahead = (end for end in heads[place + 1 :] if np.linalg.norm(end - heads[place]) > SHORTEST_M)
            found[bone] = next(ahead, body.rig.tails[bone])
    return found


def _likes(body: Anatomy) -> dict[int, str]:
    """{bone: the bundled joint that it moves like}, "" for bones inside limbs, which stay as they are."""
    found: dict[int, str] = {}
    for part, chain in body.chains.items():
        limb, _, side = part.partition(".")
        names = [name.format(side=_SIDES[side]) for name in _LIKE[limb]]
        for place, bone in enumerate(chain):
            if limb in ("spine", "neck"):
                found[bone] = names[min(place * len(names) // len(chain), len(names) - 1)]
            elif limb == "forearm" and len(chain) > 1 and place == len(chain) - 1:
                found[bone] = names[1]
            else:
                found[bone] = names[0] if place == 0 else ""
    return found


def _marker(person: Anatomy, body: Anatomy, fitted: Actor, row: int, scale: float) -> tuple[int, FloatArray]:
    """The bone of the rig that carries a marker, and the marker's place in metres in the world of the rig at rest, in the person's size."""
    joint = fitted.marker_joints[row]
    own = person.rig.heads[joint] + ZERO_TO_WORLD @ fitted.marker_offsets[row]
    part, place = _part_of(person, joint)
    if part.startswith("forearm") and place > 0 and len(body.chains[part]) == 1 and body.has(part.replace("forearm", "hand")):
        # a single forearm is turned by its elbow alone: what turns with the wrist sits on the hand
        part, place = part.replace("forearm", "hand"), 0.0
    while not (body.has(part) and person.has(part)):
        part, place = person.above(part), 1.0
    chain, limb = body.chains[part], part.partition(".")[0]
    bone = chain[min(int(place * len(chain)), len(chain) - 1)]
    if limb in ("hips", "spine"):
        return bone, _beside(own, (person, body), [(each.hip_middle, _shoulders(each)) for each in (person, body)], scale)
    if limb == "clavicle":
        side = part[-1]
        return bone, _beside(own, (person, body), [(each.head(part), each.head(f"upper_arm.{side}")) for each in (person, body)], scale)
    away = alignments(person, body)[part].T @ person.axes.T @ (own - person.head(part))
    if limb in STRETCHED:
        along = body.direction(part)
        away = away + (scale * body.length(part) / person.length(part) - 1) * (away @ along) * along
    return bone, scale * body.head(part) + body.axes @ away


def _beside(place: FloatArray, bodies: tuple[Anatomy, Anatomy], lines: list[tuple[FloatArray, FloatArray]], scale: float) -> FloatArray:
    """A place as far along a line of one body, and as far beside it, as on another's: the lines of two rests lean in different ways.

    Args:
        place: (3,) in metres in the world of the first body.
        bodies: From whose rest pose, and to whose.
        lines: Of each its ends, (3,) in metres in its world.
        scale: The second one's size.

    Returns:
        (3,) in metres in the second one's world in that size.
    """
    own, other = ((body.axes.T @ (end - start)) for body, (start, end) in zip(bodies, lines, strict=True))
    turned = turn_between(own, other) @ bodies[0].axes.T @ (place - lines[0][0])
    along = other / np.linalg.norm(other)
    turned += (scale * np.linalg.norm(other) / np.linalg.norm(own) - 1) * (turned @ along) * along
    return scale * lines[1][0] + bodies[1].axes @ turned


def _part_of(person: Anatomy, joint: int) -> tuple[str, float]:
    """The part that a joint of the bundled hierarchy belongs to, or hangs on, and where along its chain it is, from 0 to 1."""
    while True:
        for part, chain in person.chains.items():
            if joint in chain:
                return part, chain.index(joint) / len(chain)
        joint = person.rig.parents[joint]
