# SPDX-License-Identifier: GPL-3.0-or-later
"""On which bones a solve may end: what the shell and the panel offer, without what makes them."""

from __future__ import annotations

from typing import NamedTuple

#: Which skeletons, rest poses and names there are: identifier, label and description.
SKELETONS = (
    ("production", "Production", "Hips, a spine of three, neck, head, and limbs whose hand begins at the wrist: 22 bones"),
    ("cmu", "CMU", "The 31 bones of the CMU release, which is what the solver turns"),
)
REST_POSES = (
    ("t", "T-Pose", "Arms level at rest, legs straight down"),
    ("a", "A-Pose", "Arms 45° down at rest, legs straight down"),
)
NAMES = (
    ("blender", "Blender", "upper_arm.L, as Rigify has them"),
    ("mixamo", "Mixamo", "mixamorig:LeftArm"),
    ("unreal", "Unreal", "upperarm_l, as the mannequin has them"),
    ("vrm", "VRM", "leftUpperArm, the humanoid bones of VRM"),
    ("cmu", "CMU", "LeftArm, as the CMU release has them"),
)


class SkeletonChoice(NamedTuple):
    """On which bones a solve ends: identifiers of `SKELETONS`, `REST_POSES` and `NAMES`; the last two are the production rig's alone."""

    kind: str = "cmu"
    rest: str = "t"
    names: str = "blender"
