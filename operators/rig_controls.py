# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs whose bones are held by constraints, as Rigify's: which constraints let go, and whom each control really moves with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import bpy
import numpy as np
from mathutils import Quaternion

from ..model.core.rigid import rotation_angles_deg
from ..model.core.take import FloatArray
from ..model.rigs.retarget import Follows
from ..model.rigs.rig import BoneMap, Switch
from .playing import alone

#: Constraints that turn a bone whatever its keys say.
HOLDING = {"IK", "SPLINE_IK", "COPY_ROTATION", "COPY_TRANSFORMS", "DAMPED_TRACK", "TRACK_TO", "LOCKED_TRACK", "STRETCH_TO", "ARMATURE"}
#: By how much controls are turned to see what follows them, in radians; what follows one to within these, in degrees and in bone lengths.
PROBE, NEAR_DEG, NEAR = 0.2, 0.05, 1e-3


def released(armature: bpy.types.Object, bone_map: BoneMap) -> BoneMap:
    """A bone map with a switch for every constraint that would hold one of its bones against its keys."""
    found = list(bone_map.switches)
    for names in (*bone_map.bones.values(), *bone_map.twists.values()):
        for pose in (armature.pose.bones[name] for name in names):
            found += [Switch(pose.name, each.name, 0.0) for each in pose.constraints if _holds(armature, each)]
    return replace(bone_map, switches=tuple(found))


def _holds(armature: bpy.types.Object, constraint: Any) -> bool:
    return constraint.type in HOLDING and not constraint.mute and constraint.influence > 0 and not _is_driven(armature, constraint)


def _is_driven(armature: bpy.types.Object, constraint: Any) -> bool:
    animation = armature.animation_data
    paths = {f"{constraint.path_from_id()}.{name}" for name in ("influence", "mute", "enabled")}
    return animation is not None and any(driver.data_path in paths for driver in animation.drivers)


def follows_of(armature: bpy.types.Object, bone_map: BoneMap) -> Follows | None:
    """Whom each bone moves and turns with, seen by turning all of them a little; None where no constraint is in the way."""
    names = [name for each in (*bone_map.bones.values(), *bone_map.twists.values()) for name in each]
    if bone_map.root and bone_map.root not in names:
        names.append(bone_map.root)
    if not any(_constrained(armature.pose.bones[name]) for name in names):
        return None
    parents = [armature.pose.bones[name].parent for name in names]
    with _apart(armature, names, bone_map) as (evaluated, layer):
        for name in names:
            armature.pose.bones[name].matrix_basis.identity()
        still = _matrices(evaluated(layer), names), _matrices(evaluated(layer), [one.name if one else "" for one in parents])
        rng = np.random.default_rng(0)
        for name in names:
            pose = armature.pose.bones[name]
            turn = Quaternion(rng.normal(size=3), PROBE * (1 + rng.random())).to_matrix().to_4x4()
            pose.matrix_basis = turn
        moved = _matrices(evaluated(layer), names), _matrices(evaluated(layer), [one.name if one else "" for one in parents])
    own, above = (after @ np.linalg.inv(before) for before, after in zip(still, moved, strict=True))
    lengths = [armature.data.bones[name].length for name in names]
    return {
        name: (_whose_place(names, row, own, above, still[0][row, :3, 3], lengths[row]), _whose_turn(names, row, own, above))
        for row, name in enumerate(names)
        if name != bone_map.root
    }


def _constrained(pose: Any) -> bool:
    """Whether a constraint of its own or of one above moves a bone."""
    while pose is not None:
        if any(not constraint.mute for constraint in pose.constraints):
            return True
        pose = pose.parent
    return False


def _whose_turn(names: Sequence[str], row: int, own: FloatArray, above: FloatArray) -> str:
    """The bone that another's parent turned with, or, where it turned with none, the one that it turned most like."""
    angles = rotation_angles_deg(own[:, :3, :3], above[row, :3, :3])
    angles[row] = np.inf
    still = float(rotation_angles_deg(np.eye(3), above[row, :3, :3]))
    best = int(np.argmin(angles))
    return names[best] if angles[best] < max(still, NEAR_DEG) and still > NEAR_DEG else ""


def _whose_place(names: Sequence[str], row: int, own: FloatArray, above: FloatArray, head: FloatArray, length: float) -> str:
    """The bone with which a bone's head went where its parent took it."""
    point = np.append(head, 1.0)
    went = (above[row] @ point)[:3]
    if np.linalg.norm(went - head) < NEAR * length:
        return ""
    apart = np.linalg.norm((own @ point)[:, :3] - went, axis=1)
    apart[row] = np.inf
    return names[int(np.argmin(apart))]


def _matrices(armature: bpy.types.Object, names: Sequence[str]) -> FloatArray:
    """(bones, 4, 4) of posed bones; the identity of none."""
    return np.array([armature.pose.bones[name].matrix if name else np.eye(4) for name in names], dtype=float)


@contextmanager
def _apart(armature: bpy.types.Object, names: Sequence[str], bone_map: BoneMap) -> Iterator[Any]:
    """An armature that is evaluated in a scene of its own, without its animation and with its switches set; all is put back afterwards.

    Yields a function that evaluates it, and what that wants.
    """
    animation = armature.animation_data
    kept = (animation.action, animation.action_slot, animation.use_nla) if animation else None
    bases = {name: armature.pose.bones[name].matrix_basis.copy() for name in names}
    switched = [(armature.pose.bones[one.bone], one) for one in bone_map.switches if one.bone in armature.pose.bones]
    values = [_set(pose, one.name, one.value) for pose, one in switched]
    try:
        if animation:
            animation.action, animation.use_nla = None, False

        def evaluated(layer: bpy.types.ViewLayer) -> bpy.types.Object:
            armature.update_tag(refresh={"OBJECT", "DATA", "TIME"})
            layer.update()
            return armature.evaluated_get(layer.depsgraph)

        with alone(armature) as scene:
            yield evaluated, scene.view_layers[0]
    finally:
        for (pose, one), value in zip(switched, values, strict=True):
            _set(pose, one.name, value)
        for name, basis in bases.items():
            armature.pose.bones[name].matrix_basis = basis
        if animation and kept:
            animation.use_nla, animation.action = kept[2], kept[0]
            if kept[1] is not None:
                animation.action_slot = kept[1]


def _set(pose: Any, name: str, value: Any) -> Any:
    """Set a switch, and return what it was; nothing happens where there is none."""
    if name in pose.constraints:
        before, pose.constraints[name].influence = pose.constraints[name].influence, value
        return before
    if name not in pose or value is None:
        return None
    before = pose[name]
    pose[name] = type(before)(value)
    return before
