# SPDX-License-Identifier: GPL-3.0-or-later
"""A hierarchy of joints. Nothing here knows how many there are; the CMU one is the first of its users."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from .take import BoolArray, FloatArray


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Joints and bones in the zero pose, on the ASF's axes: y up, the figure faces +z, its left is +x.

    A joint sits at the start of its bone and turns that bone.

    Attributes:
        joints: One name per joint; a parent stands before its children.
        parents: Index of each joint's parent, -1 for the root.
        bones: (joints, 3) in metres: from the joint to the end of its bone. The root's is zero.
        places: (joints, 3) in metres, of a skeleton whose joints do not sit at the ends of their parents' bones: where each sits
            in its parent's frame. Its sizes are fitted only where that is asked for.
    """

    joints: tuple[str, ...]
    parents: tuple[int, ...]
    bones: FloatArray
    places: FloatArray | None = None

    def of_size(self, size: float) -> Skeleton:
        """The same, so many times as large."""
        return replace(self, bones=size * self.bones, places=None if self.places is None else size * self.places)

    @cached_property
    def offsets(self) -> FloatArray:
        """(joints, 3) in metres: where each joint sits in its parent's frame: `places`, or its parent's bone; 0 for the root."""
        if self.places is not None:
            return self.places
        offsets = self.bones[np.array(self.parents)]
        offsets[np.array(self.parents) < 0] = 0.0
        return offsets

    @cached_property
    def zero_places(self) -> FloatArray:
        """(joints, 3) in metres: where the joints sit in the zero pose, from the root."""
        places = np.zeros((len(self.joints), 3))
        for joint, parent in enumerate(self.parents):
            if parent >= 0:
                places[joint] = places[parent] + self.offsets[joint]
        return places

    @cached_property
    def below(self) -> BoolArray:
        """(joints, joints): [a, b] is True where b is a or a joint below it."""
        below = np.eye(len(self.joints), dtype=bool)
        for joint, parent in enumerate(self.parents):
            if parent >= 0:
                below[:, joint] |= below[:, parent]
        return below


#: Name in the CMU BVH release, name in the ASF, name of the parent (BVH).
CMU_HIERARCHY: tuple[tuple[str, str, str | None], ...] = (
    ("Hips", "root", None),
    ("LHipJoint", "lhipjoint", "Hips"),
    ("LeftUpLeg", "lfemur", "LHipJoint"),
    ("LeftLeg", "ltibia", "LeftUpLeg"),
    ("LeftFoot", "lfoot", "LeftLeg"),
    ("LeftToeBase", "ltoes", "LeftFoot"),
    ("RHipJoint", "rhipjoint", "Hips"),
    ("RightUpLeg", "rfemur", "RHipJoint"),
    ("RightLeg", "rtibia", "RightUpLeg"),
    ("RightFoot", "rfoot", "RightLeg"),
    ("RightToeBase", "rtoes", "RightFoot"),
    ("LowerBack", "lowerback", "Hips"),
    ("Spine", "upperback", "LowerBack"),
    ("Spine1", "thorax", "Spine"),
    ("Neck", "lowerneck", "Spine1"),
    ("Neck1", "upperneck", "Neck"),
    ("Head", "head", "Neck1"),
    ("LeftShoulder", "lclavicle", "Spine1"),
    ("LeftArm", "lhumerus", "LeftShoulder"),
    ("LeftForeArm", "lradius", "LeftArm"),
    ("LeftHand", "lwrist", "LeftForeArm"),
    ("LeftFingerBase", "lhand", "LeftHand"),
    ("LeftHandIndex1", "lfingers", "LeftFingerBase"),
    ("LThumb", "lthumb", "LeftHand"),
    ("RightShoulder", "rclavicle", "Spine1"),
    ("RightArm", "rhumerus", "RightShoulder"),
    ("RightForeArm", "rradius", "RightArm"),
    ("RightHand", "rwrist", "RightForeArm"),
    ("RightFingerBase", "rhand", "RightHand"),
    ("RightHandIndex1", "rfingers", "RightFingerBase"),
    ("RThumb", "rthumb", "RightHand"),
)

CMU_JOINTS: tuple[str, ...] = tuple(name for name, _, _ in CMU_HIERARCHY)
CMU_PARENTS: tuple[int, ...] = tuple(-1 if parent is None else CMU_JOINTS.index(parent) for _, _, parent in CMU_HIERARCHY)


def mirrored_joints() -> list[int]:
    """For each CMU joint the index of its other side, itself on the midline."""
    names = [asf for _, asf, _ in CMU_HIERARCHY]
    sides = {"l": "r", "r": "l"}
    mirrored = [sides.get(name[0], name[0]) + name[1:] for name in names]
    return [names.index(other if other in names else name) for name, other in zip(names, mirrored, strict=True)]
