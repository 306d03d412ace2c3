# SPDX-License-Identifier: GPL-3.0-or-later
"""Which joint of the bundled hierarchy a joint of another one moves like, by where it sits in the zero pose: where names do not tell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core.skeleton import Skeleton
from ..core.take import FloatArray
from ..rigs.rig import SIDES, Rig, sided
from ..rigs.shape import recognise_shape

#: {part of a body: joint of the bundled hierarchy without its side}.
LIMBS = {
    "clavicle": "Shoulder",
    "upper_arm": "Arm",
    "forearm": "ForeArm",
    "hand": "FingerBase",
    "thigh": "UpLeg",
    "shin": "Leg",
    "foot": "Foot",
    "toe": "ToeBase",
}
TRUNK = {"spine": ("LowerBack", "Spine", "Spine1"), "neck": ("Neck", "Neck1"), "head": ("Head",)}
#: A palm is shorter than this part of the forearm. A bone that no file says the end of goes on by this part of the way to its joint.
PALM, ONWARDS = 0.6, 0.6
#: Y up, as actors are, to z up, as rigs are.
Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


def counterparts_by_shape(skeleton: Skeleton) -> tuple[str | None, ...] | None:
    """For each joint the joint of the bundled hierarchy that moves like it, or None; None where no body is seen in the joints."""
    heads = skeleton.zero_places @ Z_UP.T
    names = tuple(str(row) for row in range(len(skeleton.joints)))
    turns = np.tile(np.eye(3), (len(names), 1, 1))
    found = recognise_shape(Rig(names, skeleton.parents, heads, _tails(skeleton) @ Z_UP.T, turns, np.eye(3), np.zeros(3)))
    if found is None:
        return None
    like: list[str | None] = [None] * len(names)
    for part, standing in TRUNK.items():
        bones = found.bones.get(part, ())
        for order, bone in enumerate(bones):
            # of few joints the uppermost carries the shoulders, or the head
            up = order / (len(bones) - 1) if len(bones) > 1 else 1.0
            like[int(bone)] = standing[round(up * (len(standing) - 1))]
    # an actor's left is +x, whatever a rig faces
    across = 1.0 if heads[int(found.bones["thigh.L"][0]), 0] > heads[int(found.bones["thigh.R"][0]), 0] else -1.0
    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        name = "Left" if across * sign > 0 else "Right"
        for part, standing in LIMBS.items():
            # a part of several bones turns at its first
            for bone in found.bones.get(sided(part, side), ())[:1]:
                like[int(bone)] = name + standing
        _with_palm(like, heads, found.bones.get(sided("forearm", side), ()), found.bones.get(sided("hand", side), ()), name)
    like[skeleton.parents.index(-1)] = "Hips"
    return tuple(like)


def _with_palm(like: list[str | None], heads: FloatArray, forearm: Sequence[str], hand: Sequence[str], side: str) -> None:
    """Without fingers the last joint of an arm is taken for the hand: where the bone before it is short, that is the palm."""
    if len(forearm) != 2 or not hand:
        return
    elbow, wrist, knuckle = (int(bone) for bone in (*forearm, hand[0]))
    if np.linalg.norm(heads[knuckle] - heads[wrist]) < PALM * np.linalg.norm(heads[wrist] - heads[elbow]):
        like[wrist], like[knuckle] = f"{side}FingerBase", f"{side}HandIndex1"


def _tails(skeleton: Skeleton) -> FloatArray:
    """(joints, 3) in metres: where bones end: in the middle of the joints below, or as their file says, else on as the bone above goes."""
    places = skeleton.zero_places
    tails = places + skeleton.bones
    for joint, parent in enumerate(skeleton.parents):
        below = [child for child, above in enumerate(skeleton.parents) if above == joint]
        if below:
            tails[joint] = places[below].mean(axis=0)
        elif not skeleton.bones[joint].any() and parent >= 0:
            tails[joint] = places[joint] + ONWARDS * (places[joint] - places[parent])
    return tails
