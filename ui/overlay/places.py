# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the actor carries each marker: lines from the armature's joints to the places that the last solve found for its markers."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

import bpy
import numpy as np

from ...operators.takes import JOINT

if TYPE_CHECKING:
    from ...operators.review import Review


def carried(take: bpy.types.Collection, review: Review, sample: int) -> np.ndarray:
    """(2 n, 3) in the scene's space: the joint that carries a marker, and the marker's place, one behind the other.

    Of markers that the take's own actor has, and whose joint, or one that it hangs on, is a bone of its armature. Edits of the pose move
    the joints alone: places are those of the solve.
    """
    armature, solved = take.bonesetter.armature, review.solved
    if armature is None or solved is None or armature.type != "ARMATURE":
        return np.zeros((0, 3))
    joints, parents = _carriers(take.bonesetter.solved_actor)
    if len(joints) != len(solved.labels):
        return np.zeros((0, 3))
    bones = {joint: bone.name for bone in armature.data.bones for joint in _stands_for(bone.get(JOINT, bone.name))}
    rows = {label: row for row, label in enumerate(review.take.labels)}
    heads: dict[str, np.ndarray | None] = {}
    ends: list[np.ndarray] = []
    for label, joint in zip(solved.labels, joints, strict=True):
        if joint not in heads:
            heads[joint] = _head(armature, _on_rig(joint, parents, bones))
        head, row = heads[joint], rows.get(label)
        if head is not None and row is not None and np.isfinite(place := review.solved_world[sample, row]).all():
            ends += [head, place]
    return np.array(ends, dtype=np.float32).reshape(-1, 3)


@lru_cache(maxsize=8)
def _carriers(actor: str) -> tuple[tuple[str, ...], dict[str, str | None]]:
    """Of an actor's JSON the joint of each marker, in their order, and {joint: its parent}."""
    try:
        document = json.loads(actor)
        return tuple(each["joint"] for each in document["markers"]), {each["name"]: each["parent"] for each in document["joints"]}
    except (ValueError, KeyError, TypeError):
        return (), {}


@lru_cache(maxsize=256)
def _stands_for(bone: str) -> tuple[str, ...]:
    """The actor's joints that a bone stands for, by the name that it was made with: itself, or several of a production rig's."""
    from ...model.rigs.production import JOINTS, cmu_joints

    return cmu_joints(bone) if bone in JOINTS else (bone,)


def _on_rig(joint: str | None, parents: dict[str, str | None], bones: dict[str, str]) -> str | None:
    """The bone of a joint, or of the nearest one that it hangs on: a production rig has fewer bones than the actor has joints."""
    while joint is not None and joint not in bones:
        joint = parents.get(joint)
    return bones[joint] if joint is not None else None


def _head(armature: bpy.types.Object, bone: str | None) -> np.ndarray | None:
    """Where a bone of an armature begins now."""
    return None if bone is None else np.array(armature.matrix_world @ armature.pose.bones[bone].head)
