# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rig is: bones with a rest pose in the world, and a bone map that says which of them are which part of a body."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..core.errors import BonesetterError
from ..core.take import FloatArray

SIDES = ("L", "R")
#: Parts of a body, and the part that each hangs on; those of the limbs are there on both sides.
TRUNK = {"hips": "", "spine": "hips", "neck": "spine", "head": "neck"}
LIMBS = {
    "clavicle": "spine",
    "upper_arm": "clavicle",
    "forearm": "upper_arm",
    "hand": "forearm",
    "thigh": "hips",
    "shin": "thigh",
    "foot": "shin",
    "toe": "foot",
}
#: Without these nothing can be retargeted.
NEEDED = ("thigh", "shin", "upper_arm", "forearm")


def sided(limb: str, side: str) -> str:
    """The name of a limb's part on one side: `forearm.L`."""
    return f"{limb}.{side}"


def _hierarchy() -> dict[str, str]:
    above = dict(TRUNK)
    for limb, parent in LIMBS.items():
        for side in SIDES:
            above[sided(limb, side)] = parent if parent in TRUNK else sided(parent, side)
    return above


#: {part: the part that it hangs on}, parents first.
PARENT_PARTS = _hierarchy()
PARTS = tuple(PARENT_PARTS)
NEEDED_PARTS = ("hips", *(sided(limb, side) for limb in NEEDED for side in SIDES))


@dataclass(frozen=True, eq=False)
class Rig:
    """Bones at rest.

    Attributes:
        names: One a bone; parents stand before their children.
        parents: Index of each bone's parent, -1 where there is none.
        heads, tails: (bones, 3) in metres on the world's axes, z up.
        turns: (bones, 3, 3): from a bone's own axes, y along it, to the world's.
        axes: (3, 3): the object's own axes in the world, as columns.
        origin: (3,) in metres: where the object stands.
        free: Bones that do not turn with their parents (Blender's Inherit Rotation is off); their heads go with them all the same.
        along_parent: Bones whose location is along the axes of their parent, or of the object where they have none (Local Location is off).
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    heads: FloatArray
    tails: FloatArray
    turns: FloatArray
    axes: FloatArray = field(default_factory=lambda: np.eye(3))
    origin: FloatArray = field(default_factory=lambda: np.zeros(3))
    free: frozenset[int] = frozenset()
    along_parent: frozenset[int] = frozenset()

    @cached_property
    def index(self) -> dict[str, int]:
        return {name: bone for bone, name in enumerate(self.names)}

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        found: list[list[int]] = [[] for _ in self.names]
        for bone, parent in enumerate(self.parents):
            if parent >= 0:
                found[parent].append(bone)
        return tuple(tuple(each) for each in found)

    def nearest(self, bone: int, among: Iterable[int]) -> int:
        """The nearest bone above one that is among others; -1 where none is."""
        wanted = set(among)
        bone = self.parents[bone]
        while bone >= 0 and bone not in wanted:
            bone = self.parents[bone]
        return bone

    def pivot(self, bone: int, above: int) -> int:
        """The uppermost free bone between a bone and one above it (-1 is the object), without these two; the bone itself where none is.

        From the head of that one on nothing turns with the bone above.
        """
        found, between = bone, self.parents[bone]
        while between not in (-1, above):
            found = between if between in self.free else found
            between = self.parents[between]
        return found

    def location_axes(self, bone: int) -> FloatArray:
        """(3, 3): the axes along which a bone's location is, as columns in the world at rest; what its parent turns turns them."""
        if bone not in self.along_parent:
            return self.turns[bone]
        return self.turns[self.parents[bone]] if self.parents[bone] >= 0 else self.axes


@dataclass(frozen=True)
class Switch:
    """A custom property of a bone, or the influence of a constraint, that has to have a value for the bones that are keyed to count."""

    bone: str
    name: str
    value: float


@dataclass(frozen=True)
class BoneMap:
    """Which bones of a rig are which part of a body.

    Attributes:
        family: What the rig is called.
        bones: {part: its bones, from the body outwards}; a part of several bones is shared out over them.
        twists: {part: bones beside it that share its twist}.
        root: The bone on the floor that carries the whole character, if there is one.
        switches: What has to be set.
    """

    family: str
    bones: Mapping[str, tuple[str, ...]]
    twists: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    root: str = ""
    switches: tuple[Switch, ...] = ()

    @property
    def missing(self) -> list[str]:
        """Parts without which nothing can be retargeted, and that no bone stands for."""
        return [part for part in NEEDED_PARTS if not self.bones.get(part)]

    @property
    def count(self) -> int:
        return sum(len(names) for names in self.bones.values())

    def check(self, rig: Rig) -> None:
        """Whether this is a map of that rig.

        Raises:
            BonesetterError: A bone is not there or stands for two parts, or a needed part has none.
        """
        if self.missing:
            raise BonesetterError(f"The bone map has no bone for {', '.join(self.missing)}: choose one for each.")
        named = [name for names in (*self.bones.values(), *self.twists.values()) for name in names]
        if unknown := [name for name in named if name not in rig.index]:
            raise BonesetterError(f"The bone map names {', '.join(unknown[:4])}, which the rig does not have: choose its own bones.")
        if twice := sorted({name for name in named if named.count(name) > 1}):
            raise BonesetterError(f"The bone map has {', '.join(twice[:4])} for two parts of the body: choose one.")


def body_axes(rig: Rig, bone_map: BoneMap) -> FloatArray:
    """(3, 3): the axes of a body at rest, as columns in the world: to its left, to its back, and up.

    Rigs stand straight but for some that are drawn leaning or turned by a degree: near to an axis of the world or of the object, it is that
    axis that is meant.
    """
    hips, chest = _middle(rig, bone_map, "thigh"), _middle(rig, bone_map, "upper_arm")
    knees = _middle(rig, bone_map, "shin")
    candidates = np.concatenate([np.eye(3), -np.eye(3), rig.axes.T, -rig.axes.T])
    up = _snapped(chest + hips - 2 * knees, candidates, 25.0)
    across = _first_head(rig, bone_map, "thigh.L") - _first_head(rig, bone_map, "thigh.R")
    left = _snapped(across - (across @ up) * up, candidates, 20.0)
    left = left - (left @ up) * up
    left /= np.linalg.norm(left)
    return np.stack([left, np.cross(up, left), up], axis=1)


def _first_head(rig: Rig, bone_map: BoneMap, part: str) -> FloatArray:
    return rig.heads[rig.index[bone_map.bones[part][0]]]


def _middle(rig: Rig, bone_map: BoneMap, limb: str) -> FloatArray:
    return 0.5 * (_first_head(rig, bone_map, sided(limb, "L")) + _first_head(rig, bone_map, sided(limb, "R")))


def _snapped(direction: FloatArray, candidates: FloatArray, within_deg: float) -> FloatArray:
    """The unit vector among `candidates` that is nearest to a direction, or the direction where none is near."""
    unit = direction / np.linalg.norm(direction)
    best = candidates[np.argmax(candidates @ unit)]
    return best if best @ unit > np.cos(np.radians(within_deg)) else unit
