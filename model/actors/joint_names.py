# SPDX-License-Identifier: GPL-3.0-or-later
"""Which joint of the bundled hierarchy a joint of another one moves like, by its name.

There are two manners: joints are named for where they sit (hip, knee, ankle: SMPL) or for the bone that they turn (thigh, shin, foot:
Mixamo, Blender, BVH of most programs). Some words mean something else in each (a foot's joint is the ball of the foot or the ankle),
so that one manner is taken for the whole hierarchy. Joints of the spine and of the neck are told by their order, not by their numbers.
"""

from __future__ import annotations

import re
from typing import Literal

from ..core.skeleton import CMU_JOINTS

#: {what is left of a name without its side: joint of the bundled hierarchy without its side}. The wrist turns with the hand: in the
#: bundled hierarchy `LeftHand` is the lower half of the forearm.
BY_PLACE = {
    "hip": "UpLeg",
    "knee": "Leg",
    "ankle": "Foot",
    "foot": "ToeBase",
    "toe": "ToeBase",
    "collar": "Shoulder",
    "clavicle": "Shoulder",
    "shoulder": "Arm",
    "elbow": "ForeArm",
    "wrist": "FingerBase",
    "hand": "HandIndex1",
}
BY_BONE = {
    "upleg": "UpLeg",
    "upperleg": "UpLeg",
    "thigh": "UpLeg",
    "femur": "UpLeg",
    "leg": "Leg",
    "lowerleg": "Leg",
    "shin": "Leg",
    "calf": "Leg",
    "shank": "Leg",
    "tibia": "Leg",
    "foot": "Foot",
    "toe": "ToeBase",
    "toes": "ToeBase",
    "toebase": "ToeBase",
    "ball": "ToeBase",
    "collar": "Shoulder",
    "clavicle": "Shoulder",
    "shoulder": "Shoulder",
    "arm": "Arm",
    "upperarm": "Arm",
    "humerus": "Arm",
    "forearm": "ForeArm",
    "lowerarm": "ForeArm",
    "radius": "ForeArm",
    "hand": "FingerBase",
}
#: Names in the middle of the body, and the joints that stand for them from below upwards.
MIDDLE = {
    "spine": (re.compile(r"spine|chest|thorax|torso|abdomen|back|lumbar"), ("LowerBack", "Spine", "Spine1")),
    "neck": (re.compile(r"neck"), ("Neck", "Neck1")),
    "head": (re.compile(r"head$"), ("Head",)),
}
#: A side at either end of a name: `left_hip`, `LeftUpLeg`, `lThigh`, `L_Hip`, `thigh.L`.
FIRST_SIDE = re.compile(r"^((?i:left|right)|[LRlr](?=[_.\-\sA-Z]))")
LAST_SIDE = re.compile(r"(?:[_.\-\s](l|r)|[_.\-\s]?(left|right))$", re.IGNORECASE)


def counterparts(joints: tuple[str, ...], parents: tuple[int, ...]) -> tuple[str | None, ...]:
    """For each joint the joint of the bundled hierarchy that moves like it, None where its name tells none. The root is the hips.

    Args:
        joints: Names, parents before their children.
        parents: Index of each joint's parent, -1 for the root.
    """
    if set(joints) <= set(CMU_JOINTS):
        return joints
    sided = [_sided(name) for name in joints]
    manner = max((BY_PLACE, BY_BONE), key=lambda known: len({each for each in sided if each and each[1] in known}))
    found: list[str | None] = [each[0] + manner[each[1]] if each and each[1] in manner else None for each in sided]
    for pattern, standing in MIDDLE.values():
        members = [joint for joint, name in enumerate(joints) if sided[joint] is None and pattern.search(_bare(name))]
        for order, joint in enumerate(members):
            # of few joints the uppermost carries the shoulders, or the head
            part = order / (len(members) - 1) if len(members) > 1 else 1.0
            found[joint] = standing[round(part * (len(standing) - 1))]
    found[parents.index(-1)] = "Hips"
    return tuple(found)


def side_of(joint: str) -> Literal["Left", "Right"] | None:
    """The side of the body that a joint's name says, in any of the usual manners; None in the middle, or where it says none."""
    sided = _sided(joint)
    return sided[0] if sided else None


def _sided(name: str) -> tuple[Literal["Left", "Right"], str] | None:
    """("Left" or "Right", the rest in small letters) of a joint's name; None in the middle of the body."""
    plain = name.rpartition(":")[2]
    if side := FIRST_SIDE.search(plain):
        rest = plain[side.end() :]
    elif side := LAST_SIDE.search(plain):
        rest = plain[: side.start()]
    else:
        return None
    word = next(group for group in side.groups() if group)
    return ("Left" if word[0].lower() == "l" else "Right"), _bare(rest)


def _bare(name: str) -> str:
    """Small letters only."""
    return re.sub(r"[^a-z]", "", name.rpartition(":")[2].lower())
