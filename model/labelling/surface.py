# SPDX-License-Identifier: GPL-3.0-or-later
"""Where markers may sit on a body whose marker set nobody has described: places all over the skin, grouped by segments.

The places stand a marker's radius off the skin of a person of mean build, in the zero pose. Limbs are cones about their bones, the trunk
and the head are rings about the spine, and feet and shoulders have places of their own. A segment is a part of the body that carries
markers as one: the neck's joints belong to the head, those of the clavicles to the chest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..actors.actor import Actor
from ..actors.prior import ActorPrior, Prior
from ..core.take import BoolArray, FloatArray, IntArray
from ..marker_sets.marker_set import MarkerSet

#: Segments, and the joints of the bundled hierarchy that carry their markers. `LeftHand` turns the distal forearm about its length.
MIDDLE = {"head": ("Neck", "Neck1", "Head"), "chest": ("Spine", "Spine1"), "belly": ("LowerBack",), "hips": ("Hips",)}
OF_A_SIDE = {
    "shoulder": ("Shoulder",),
    "upper_arm": ("Arm",),
    "forearm": ("ForeArm", "Hand"),
    "hand": ("FingerBase", "HandIndex1"),
    "thigh": ("UpLeg",),
    "shin": ("Leg",),
    "foot": ("Foot", "ToeBase"),
}
SIDES = {"L": "Left", "R": "Right"}
SEGMENTS: dict[str, tuple[str, ...]] = MIDDLE | {
    f"{segment}.{letter}": tuple(side + joint for joint in joints)
    for letter, side in SIDES.items()
    for segment, joints in OF_A_SIDE.items()
}
#: {joint: the segment whose markers it carries}; joints of which no marker is expected go with their neighbours.
SEGMENT_OF = {joint: segment for segment, joints in SEGMENTS.items() for joint in joints} | {
    "LHipJoint": "hips",
    "RHipJoint": "hips",
    "LThumb": "hand.L",
    "RThumb": "hand.R",
}

#: {segment: the joint of the bone that it hangs on}; of head, chest, belly and hips a joint of the trunk against which they turn.
NEXT_BONE = {"head": "Spine1", "chest": "Hips", "belly": "Hips", "hips": "Spine1"} | {
    f"{segment}.{letter}": (bone if bone in ("Spine1", "Hips") else side + bone)
    for letter, side in SIDES.items()
    for segment, bone in {
        "shoulder": "Spine1",
        "upper_arm": "Shoulder",
        "forearm": "Arm",
        "hand": "ForeArm",
        "thigh": "Hips",
        "shin": "UpLeg",
        "foot": "Leg",
    }.items()
}

#: (segments, segments) whether one hangs on the other.
NEIGHBOURS = np.array([[SEGMENT_OF[NEXT_BONE[a]] == b or SEGMENT_OF[NEXT_BONE[b]] == a for b in SEGMENTS] for a in SEGMENTS])

#: Cones about the bones of a side: parts of the length, places around, and at either end the half breadths in m, first along what is up
#: (of legs: left) in the zero pose, then along what is forward. Wrists are broad, and carry bars.
CONES = {
    "UpLeg": ((0.1, 0.3, 0.5, 0.7, 0.97), 6, (0.105, 0.105), (0.066, 0.066)),
    "Leg": ((0.12, 0.35, 0.6, 0.95), 6, (0.075, 0.075), (0.05, 0.05)),
    "Arm": ((0.15, 0.4, 0.65, 0.97), 5, (0.06, 0.06), (0.052, 0.052)),
    "ForeArm": ((0.2, 0.6), 5, (0.052, 0.052), (0.055, 0.055)),
    "Hand": ((0.2, 0.85), 6, (0.045, 0.055), (0.042, 0.08)),
    "FingerBase": ((0.6, 2.0), 4, (0.035, 0.045), (0.035, 0.035)),
}
#: Rings about the spine: up from the joint, half breadth, half depth and how far forward, all in m, and places around.
RINGS = {
    "Hips": ((-0.05, 0.18, 0.11, 0.015, 10), (0.035, 0.16, 0.11, 0.015, 10)),
    "LowerBack": ((0.08, 0.15, 0.11, 0.01, 8),),
    "Spine": ((0.08, 0.16, 0.115, 0.005, 8),),
    "Spine1": ((0.04, 0.165, 0.122, 0.0, 8), (0.15, 0.14, 0.11, -0.01, 8), (0.21, 0.1, 0.09, -0.01, 6)),
    "Head": ((0.075, 0.08, 0.085, 0.01, 8), (0.15, 0.08, 0.09, 0.01, 8)),
}
#: The nape, from `Spine1`, and the crown, from `Head`: up and forward in m.
NECK, CROWN = (0.263, -0.07), (0.22, -0.03)
#: On feet and shoulders: part of the bone's length, then left (mirrored on the right), up and forward in m.
SPOTS = {
    "Foot": (
        (-0.42, 0.01, -0.035, 0.0), (0.4, 0.045, 0.01, 0.0), (0.4, -0.045, 0.01, 0.0), (1.35, 0.05, 0.008, 0.0), (1.35, -0.03, 0.0, 0.0),
        (0.7, 0.0, 0.05, 0.0), (0.0, 0.045, -0.02, 0.0), (0.0, -0.045, -0.02, 0.0),
    ),
    "ToeBase": ((1.1, 0.0, 0.0, 0.0), (0.3, 0.0, 0.025, 0.0)),
    "Shoulder": ((1.05, 0.0, 0.047, 0.0), (1.0, -0.015, 0.034, 0.05), (1.0, -0.01, 0.01, -0.075), (0.6, 0.0, 0.06, -0.01)),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Surface:
    """The skin of a person of mean build.

    Attributes:
        actor: Whose markers are the places.
        normals: (places, 3) unit vectors out of the skin, on the zero pose's axes.
        segments: (places,) index in `SEGMENTS` of each place's.
        shares: (segments,) which part of a person's markers each segment usually has.
    """

    actor: Actor
    normals: FloatArray
    segments: IntArray
    shares: FloatArray

    @property
    def joints(self) -> list[int]:
        """(places,) index of the joint that carries each."""
        return list(self.actor.marker_joints)

    @property
    def carriers(self) -> BoolArray:
        """(joints,): which of them carry places."""
        return np.isin(np.arange(len(self.actor.skeleton.joints)), self.joints)

    def near(self, joints: IntArray, offsets: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The nearest places on the skin of the same joints, and their normals, both (markers, 3).

        Args:
            joints: (markers,) index of the joint of each; each carries a place.
            offsets: (markers, 3) in metres from these, of a person of mean build.
        """
        apart = np.linalg.norm(offsets[:, None] - self.actor.marker_offsets, axis=-1)
        nearest = np.where(joints[:, None] == np.array(self.joints), apart, np.inf).argmin(axis=1)
        return self.actor.marker_offsets[nearest], self.normals[nearest]


def surface_of(prior: Prior, sets: Sequence[MarkerSet]) -> Surface:
    """Places on the skin.

    Args:
        prior: Of the bundled hierarchy; its bones are covered.
        sets: Which tell how many markers segments usually have.
    """
    names, offsets, normals = zip(*_places(prior.actor), strict=True)
    joints = tuple(prior.actor.joints.index(name) for name in names)
    bare = prior.mean_actor()
    actor = Actor(bare.skeleton, tuple(f"place {row}" for row in range(len(joints))), joints, np.array(offsets))
    segments = list(SEGMENTS)
    return Surface(actor, _unit(np.array(normals)), np.array([segments.index(SEGMENT_OF[name]) for name in names]), usual_shares(sets))


def usual_shares(sets: Sequence[MarkerSet]) -> FloatArray:
    """(segments,): which part of its markers a marker set puts on each segment, on average, left and right alike."""
    segments = list(SEGMENTS)
    counts = np.zeros(len(segments))
    for known in sets:
        on = [segments.index(SEGMENT_OF[joint]) for joint in known.joints if joint in SEGMENT_OF]
        counts += np.bincount(on, minlength=len(segments)) / len(on)
    mirrored = [segments.index(_other_side(segment)) for segment in segments]
    return (counts + counts[mirrored]) / (2 * counts.sum())


def _other_side(segment: str) -> str:
    name, dot, side = segment.partition(".")
    return name + dot + {"L": "R", "R": "L", "": ""}[side]


def _unit(vectors: FloatArray) -> FloatArray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _places(bones: ActorPrior) -> Iterator[tuple[str, FloatArray, FloatArray]]:
    """The joint of each place, its offset (3,) in metres from there, and a vector (3,) out of the skin, on the zero pose's axes."""
    bone = dict(zip(bones.joints, bones.bone_mean, strict=True))
    for joint, rings in RINGS.items():
        for up, wide, deep, forward, count in rings:
            for angle in 2 * np.pi * np.arange(count) / count:
                out = np.array([wide * np.sin(angle), 0.0, deep * np.cos(angle)])
                yield joint, out + np.array([0.0, up, forward]), out
    yield "Spine1", np.array([0.0, *NECK]), np.array([0.0, 0.0, -1.0])
    yield "Head", np.array([0.0, *CROWN]), np.array([0.0, 1.0, 0.0])
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        for name, (parts, count, first, last) in CONES.items():
            for row, part in enumerate(parts):
                broad = (1 - min(part, 1.0)) * np.array(first) + min(part, 1.0) * np.array(last)
                for offset in _ring(bone[side + name], count, 0.5 * (row % 2), broad):
                    yield side + name, part * bone[side + name] + offset, offset
        for name, spots in SPOTS.items():
            for along, left, up, forward in spots:
                place = along * bone[side + name] + np.array([sign * left, up, forward])
                # out of the skin is away from the nearest point of the bone
                yield side + name, place, place - min(max(along, 0.0), 1.0) * bone[side + name]


def _ring(bone: FloatArray, count: int, turned: float, broad: FloatArray) -> FloatArray:
    """(count, 3) in metres: an ellipse of two half breadths about a bone, turned by a part of the angle between two places."""
    along = bone / np.linalg.norm(bone)
    first = np.cross(along, [0.0, 0.0, 1.0])
    first /= np.linalg.norm(first)
    second = np.cross(along, first)
    angles = 2 * np.pi * (np.arange(count) + turned) / count
    return broad[0] * np.cos(angles)[:, None] * first + broad[1] * np.sin(angles)[:, None] * second
