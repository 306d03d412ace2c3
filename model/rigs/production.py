# SPDX-License-Identifier: GPL-3.0-or-later
"""A solved motion on the bones of a production rig: 22 of them, none a helper, in a T- or an A-pose, under the names of a program.

The solver's hierarchy is that of the CMU release, whose forearm ends in its own middle: what it calls a hand is the pronation of
the forearm, and the wrist bends a joint further on, which lies between the wrist's markers. The hand begins there. All bones point from
joint to joint as they are solved; the forearm, a single bone, takes half of its twist, and the hand the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..core.motion import forward
from ..core.rigid import local_rotations, quaternions, turn_between
from ..core.rotations import rotvec_to_rotmat, unitquat_to_rotmat
from ..core.skeleton import CMU_JOINTS, Skeleton
from ..core.take import BoolArray, FloatArray
from .choices import SkeletonChoice
from .families import family_named
from .figure import Performance, about, part_of_way, turn_betweens, twist_angles
from .retarget import SINGLE_SHARE
from .rig import LIMBS, SIDES, TRUNK, sided

#: How far an A-pose's arms hang, in radians.
A_POSE = np.radians(45.0)
#: Of names: the family in `families/`, and what all begin with.
FAMILIES = {"blender": ("Blender", ""), "mixamo": ("Mixamo", "mixamorig:"), "unreal": ("Unreal mannequin", "")} | {
    "vrm": ("VRM humanoid", ""),
    "cmu": ("CMU", ""),
}

#: A bone: what it hangs on, the CMU joint at its head, the one whose rotation it takes, and the one that it points at, if any.
_TRUNK = (
    ("hips", "", "", "Hips", "LowerBack"),
    ("spine", "hips", "LowerBack", "LowerBack", "Spine"),
    ("spine.001", "spine", "Spine", "Spine", "Spine1"),
    ("spine.002", "spine.001", "Spine1", "Spine1", "Neck"),
    ("neck", "spine.002", "Neck", "Neck", "Head"),
    ("head", "neck", "Head", "Head", ""),
)
_LIMBS = (
    ("clavicle", "spine.002", "Shoulder", "Shoulder", "Arm"),
    ("upper_arm", "clavicle", "Arm", "Arm", "ForeArm"),
    ("forearm", "upper_arm", "ForeArm", "ForeArm", "FingerBase"),
    ("hand", "forearm", "FingerBase", "FingerBase", ""),
    ("thigh", "hips", "UpLeg", "UpLeg", "Leg"),
    ("shin", "thigh", "Leg", "Leg", "Foot"),
    ("foot", "shin", "Foot", "Foot", "ToeBase"),
    ("toe", "foot", "ToeBase", "ToeBase", ""),
)
#: Further CMU joints that a bone stands for.
_INSIDE = {"neck": ("Neck1",), "forearm": ("{word}Hand",), "hand": ("{word}HandIndex1", "{side}Thumb"), "thigh": ("{side}HipJoint",)}
_SIDES = {"L": "Left", "R": "Right"}
#: At rest a bone's Z axis is this one of the figure's, as in Rigify: front, back, up or down.
Z_AXES = {"clavicle": "up", "thigh": "back", "shin": "back", "foot": "down", "toe": "up"}
#: Bones shorter than this have no direction, in metres.
SHORTEST_M = 1e-4
#: Frames of a motion that are put on the rig at once, in some dozens of MB.
AT_ONCE = 10_000


@dataclass(frozen=True)
class _Bone:
    name: str
    parent: int
    start: int
    turns: int
    end: int


def _bones() -> tuple[_Bone, ...]:
    def joint(name: str) -> int:
        return CMU_JOINTS.index(name) if name else -1

    rows = list(_TRUNK)
    for side in SIDES:
        for name, parent, *joints in _LIMBS:
            above = parent if parent in {one for one, *_ in _TRUNK} else sided(parent, side)
            start, turns, end = (_SIDES[side] + one if one else "" for one in joints)
            rows.append((sided(name, side), above, start, turns, end))
    names = [name for name, *_ in rows]
    return tuple(
        _Bone(name, names.index(parent) if parent else -1, joint(start), joint(turns), joint(end))
        for name, parent, start, turns, end in rows
    )


BONES = _bones()
#: The bones, parents before their children, by Blender's names, which stand for them whatever they are called.
JOINTS = tuple(bone.name for bone in BONES)
PARENTS = tuple(bone.parent for bone in BONES)


@dataclass(frozen=True, eq=False)
class Posed:
    """A skeleton in poses.

    Attributes:
        skeleton: Of J joints, in metres; its zero pose is the rest pose: y up, facing +z, its left +x.
        rotations: (frames, J, 4) local unit quaternions w x y z from there, continuous over time.
        positions: (frames, J, 3) in metres, on the axes of the motion that it was made of.
        keyed: (frames, J) where a joint's pose is known; None for everywhere.
    """

    skeleton: Skeleton
    rotations: FloatArray
    positions: FloatArray
    keyed: BoolArray | None = None


def on_chosen_bones(
    choice: SkeletonChoice, skeleton: Skeleton, rotations: FloatArray, positions: FloatArray, keyed: BoolArray | None = None
) -> Posed:
    """A solved motion on the bones that are wanted; on its own where these cannot be had.

    Args:
        choice: Which bones.
        skeleton, rotations, keyed: As of `production_pose`.
        positions: (frames, joints, 3) in metres.
    """
    if choice.kind != "production" or not can_be_production(skeleton):
        return Posed(skeleton, rotations, positions, keyed)
    return production_pose(skeleton, rotations, positions[:, skeleton.parents.index(-1)], choice.rest, keyed)


def named(posed: Posed, names: str) -> Posed:
    """The same motion with the production rig's bones called as a program calls them."""
    called = bone_names(names)
    return replace(posed, skeleton=replace(posed.skeleton, joints=tuple(called.get(joint, joint) for joint in posed.skeleton.joints)))


def can_be_production(skeleton: Skeleton) -> bool:
    """Whether a skeleton has the joints of which a production rig is made: the bundled hierarchy has."""
    return skeleton.joints == CMU_JOINTS


def production_pose(skeleton: Skeleton, rotations: FloatArray, root: FloatArray, rest: str = "t", keyed: BoolArray | None = None) -> Posed:
    """A motion of CMU's hierarchy on the bones of a production rig, whose sizes depend on the actor's alone.

    Args:
        skeleton: For which `can_be_production` is true.
        rotations: (frames, joints, 4) local unit quaternions w x y z from the zero pose.
        root: (frames, 3) in metres, of the root joint.
        rest: "t" or "a".
        keyed: (frames, joints) where a joint's pose is known.
    """
    turns = rest_turns(skeleton, rest)
    made = _skeleton(skeleton, turns)
    frames, kept = len(root), rotations.dtype
    quats, positions = np.empty((frames, len(BONES), 4), dtype=kept), np.empty((frames, len(BONES), 3), dtype=kept)
    pronations: dict[str, float] = {}
    for start in range(0, frames, AT_ONCE):
        # with the frame before, from which angles and quaternions go on
        here = slice(max(0, start - 1), min(start + AT_ONCE, frames))
        local, hips = _posed_bones(skeleton, made, turns, rotations[here], root[here], pronations)
        positions[here], _ = forward(made, local, hips)
        own = quaternions(local)
        if start:
            own *= np.where(np.einsum("jk,jk->j", own[0], quats[start - 1]) < 0, -1.0, 1.0)[:, None]
        quats[here] = own
    known = None if keyed is None else keyed[:, [bone.turns for bone in BONES]]
    return Posed(made, quats, positions, known)


def _posed_bones(
    skeleton: Skeleton, made: Skeleton, turns: FloatArray, rotations: FloatArray, root: FloatArray, pronations: dict[str, float]
) -> tuple[FloatArray, FloatArray]:
    """Some frames' local rotations (frames, 22, 3, 3) on a production rig, and where its hips are, (frames, 3) in metres.

    Args:
        skeleton, rotations, root: As of `production_pose`, of these frames.
        made: The production rig at rest.
        turns: `rest_turns` of it.
        pronations: See `_followed`.
    """
    places, solved = forward(skeleton, unitquat_to_rotmat(rotations), root)
    posed = np.stack([_followed(bone, skeleton, solved, pronations) for bone in BONES], axis=1) @ np.swapaxes(turns, -1, -2)
    for row, bone in enumerate(BONES):
        if bone.name.partition(".")[0] in ("neck", "forearm"):
            wanted = places[:, bone.end] - places[:, bone.start]
            posed[:, row] = turn_betweens(posed[:, row] @ made.bones[row], wanted) @ posed[:, row]
    return local_rotations(posed, PARENTS), root + solved[:, 0] @ _hip_middle(skeleton)


def rest_turns(skeleton: Skeleton, rest: str) -> FloatArray:
    """(22, 3, 3): what turns each bone from CMU's zero pose to the rest pose, on the axes that both have."""
    turns = np.tile(np.eye(3), (len(BONES), 1, 1))
    for row, bone in enumerate(BONES):
        limb, _, side = bone.name.partition(".")
        out = np.array([1.0 if side == "L" else -1.0, 0.0, 0.0])
        along = _zero_vector(skeleton, bone)
        if np.linalg.norm(along) < SHORTEST_M:
            turns[row] = turns[bone.parent] if bone.parent >= 0 else np.eye(3)
        elif limb in ("upper_arm", "forearm", "hand"):
            down = rotvec_to_rotmat(np.array([0.0, 0.0, -out[0] * (A_POSE if rest == "a" else 0.0)]))
            turns[row] = down @ turn_between(along, out)
        elif limb in ("thigh", "shin"):
            turns[row] = turn_between(along, np.array([0.0, -1.0, 0.0]))
        elif limb in ("foot", "toe"):
            # soles stay as flat, and toes as far out, as the shin leaves them
            turns[row] = turns[JOINTS.index(sided("shin", side))]
    return turns


def _zero_vector(skeleton: Skeleton, bone: _Bone) -> FloatArray:
    """(3,) in metres in CMU's zero pose: along a bone."""
    zero = skeleton.zero_places
    if bone.end >= 0:
        start = zero[bone.start] if bone.start >= 0 else zero[0] + _hip_middle(skeleton)
        return zero[bone.end] - start
    if bone.name.startswith("hand"):
        # to the fingers' ends, which CMU's next joint has
        tips = CMU_JOINTS.index(f"{_SIDES[bone.name[-1]]}HandIndex1")
        return skeleton.bones[bone.turns] + skeleton.bones[tips]
    return skeleton.bones[bone.turns]


def _hip_middle(skeleton: Skeleton) -> FloatArray:
    """(3,) in metres in the hips' axes: from the root joint to the middle between the hip joints, where a production rig's hips begin."""
    legs = [CMU_JOINTS.index(f"{side}UpLeg") for side in _SIDES.values()]
    return skeleton.zero_places[legs].mean(axis=0)


def _skeleton(skeleton: Skeleton, turns: FloatArray) -> Skeleton:
    """The production rig at rest."""
    zero = skeleton.zero_places
    heads = np.array([zero[bone.start] if bone.start >= 0 else zero[0] + _hip_middle(skeleton) for bone in BONES])
    offsets = np.zeros((len(BONES), 3))
    for row, bone in enumerate(BONES):
        if bone.parent >= 0:
            offsets[row] = turns[bone.parent] @ (heads[row] - heads[bone.parent])
    bones = np.array([turn @ _zero_vector(skeleton, bone) for turn, bone in zip(turns, BONES, strict=True)])
    return Skeleton(JOINTS, PARENTS, bones, offsets)


def _followed(bone: _Bone, skeleton: Skeleton, solved: FloatArray, pronations: dict[str, float]) -> FloatArray:
    """(frames, 3, 3): how a bone turns from CMU's zero pose, but for where it points.

    `pronations` {forearm: radians} has the twist in the first of the frames, where they follow on others, and gets that in the last.
    """
    own = solved[:, bone.turns]
    limb, _, side = bone.name.partition(".")
    if limb == "neck":
        return part_of_way(own, solved[:, CMU_JOINTS.index("Neck1")], 0.5)
    along = skeleton.bones[bone.turns]
    if limb == "forearm" and np.linalg.norm(along) > SHORTEST_M:
        axis = along / np.linalg.norm(along)
        pronation = twist_angles(np.swapaxes(own, -1, -2) @ solved[:, CMU_JOINTS.index(f"{_SIDES[side]}Hand")], axis)
        pronation += 2 * np.pi * np.round((pronations.get(bone.name, pronation[0]) - pronation[0]) / (2 * np.pi))
        pronations[bone.name] = float(pronation[-1])
        return own @ about(axis, SINGLE_SHARE["forearm"] * pronation)
    return own


def with_whole_pronation(performance: Performance) -> Performance:
    """A production rig's motion with all of its forearms' twist on them, as Apply to Rig shares it out, not half of it on the hands."""
    deltas, chains = performance.deltas.copy(), performance.bone_map.bones
    for side in SIDES:
        forearm, hand = (performance.rig.index[chains[sided(limb, side)][0]] for limb in ("forearm", "hand"))
        axis = performance.rig.turns[forearm, :, 1]
        deltas[:, forearm] = deltas[:, forearm] @ about(axis, twist_angles(np.swapaxes(deltas[:, forearm], -1, -2) @ deltas[:, hand], axis))
    return replace(performance, deltas=deltas)


def bone_names(scheme: str) -> Mapping[str, str]:
    """{bone: its name}, by an identifier of `NAMES`."""
    family, prefix = FAMILIES[scheme]
    chains = family_named(family).bones
    found: dict[str, str] = {}
    for part in (*TRUNK, *(sided(limb, side) for side in SIDES for limb in LIMBS)):
        own = [name for name in JOINTS if name == part or (part == "spine" and name.startswith("spine"))]
        for name, alternatives in zip(own, chains[part], strict=False):
            found[name] = prefix + alternatives[0]
    if scheme == "cmu":
        # there the forearm is two bones, the second of which is called the hand
        found |= {sided("hand", side): f"{word}Hand" for side, word in _SIDES.items()}
    if scheme == "blender":
        found = {name: name for name in JOINTS}
    return found


def cmu_joints(bone: str) -> tuple[str, ...]:
    """The joints of CMU's hierarchy that a bone stands for; the name itself where it is none of ours."""
    if bone not in JOINTS:
        return (bone,)
    own = BONES[JOINTS.index(bone)]
    limb, _, side = bone.partition(".")
    return (CMU_JOINTS[own.turns], *(one.format(word=_SIDES.get(side, ""), side=side) for one in _INSIDE.get(limb, ())))


def z_axis(bone: str) -> FloatArray:
    """(3,) on the skeleton's axes (y up, facing +z): where the Z axis of a bone is at rest, but for what the bone leans."""
    axes = {"front": (0.0, 0.0, 1.0), "back": (0.0, 0.0, -1.0), "up": (0.0, 1.0, 0.0), "down": (0.0, -1.0, 0.0)}
    return np.array(axes[Z_AXES.get(bone.partition(".")[0], "front")])
