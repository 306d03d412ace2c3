# SPDX-License-Identifier: GPL-3.0-or-later
"""On which bones a take is solved: its own choice, and what its armature was made with."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import bpy

if TYPE_CHECKING:
    from ..model.files.exchange import SolvedPose
    from ..model.rigs.choices import SkeletonChoice


def chosen_skeleton(collection: bpy.types.Collection) -> SkeletonChoice:
    """What the panel says of a take."""
    from ..model.rigs.choices import SkeletonChoice

    take = collection.bonesetter
    return SkeletonChoice(take.skeleton, take.rest_pose, take.bone_names)


def choose_skeleton(collection: bpy.types.Collection, choice: SkeletonChoice) -> None:
    """Have the next solve of a take end on these bones."""
    take = collection.bonesetter
    take.skeleton, take.rest_pose, take.bone_names = choice.kind, choice.rest, choice.names


def is_as_chosen(collection: bpy.types.Collection) -> bool:
    """Whether the armature has the bones that the panel says; so it has where no solve noted which."""
    from ..model.rigs.choices import SkeletonChoice

    noted, chosen = collection.bonesetter.solved_skeleton, chosen_skeleton(collection)
    made = SkeletonChoice(**json.loads(noted)) if noted else chosen
    return made == chosen or made.kind == chosen.kind == "cmu"


def as_chosen(pose: SolvedPose, collection: bpy.types.Collection) -> SolvedPose:
    """A solved pose on the bones that the take wants, which is noted."""
    choice = chosen_skeleton(collection)
    collection.bonesetter.solved_skeleton = json.dumps(choice._asdict())
    return _on_bones(pose, choice)


def as_before(pose: SolvedPose, collection: bpy.types.Collection) -> SolvedPose:
    """A solved pose on the bones that the take's armature has, whatever is chosen by now."""
    from ..model.rigs.choices import SkeletonChoice

    noted = collection.bonesetter.solved_skeleton
    return _on_bones(pose, SkeletonChoice(**json.loads(noted)) if noted else SkeletonChoice())


def _on_bones(pose: SolvedPose, choice: SkeletonChoice) -> SolvedPose:
    from ..model.rigs.production import on_chosen_bones

    posed = on_chosen_bones(choice, pose.skeleton, pose.rotations, pose.positions, pose.keyed)
    return replace(pose, skeleton=posed.skeleton, rotations=posed.rotations, positions=posed.positions, keyed=posed.keyed)
