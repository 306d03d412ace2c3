# SPDX-License-Identifier: GPL-3.0-or-later
"""A motion carried to another rig: directions of limbs as they are, the trunk bent as far, feet standing where they stood.

The path of the hips is scaled as legs are long. Bones of the target that stand for one part share it out: those of the trunk its bend,
those of limbs its twist.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..core.take import FloatArray
from .figure import NEXT_PARTS, Anatomy, Performance, about, alignments, carried, turn_betweens, twist_angles
from .reaching import reach
from .rig import LIMBS, PARENT_PARTS, BoneMap, Rig
from .standing import Feet, FootContact, rest_floor, stand

#: Of a limb with one bone and none beside it, how much of its twist that takes: the forearm's is between its two ends.
SINGLE_SHARE = {"forearm": 0.5}


@dataclass(frozen=True)
class Keyed:
    """A bone of the target that gets keys.

    Attributes:
        bone: Index in the rig.
        part: Which part of the body it is.
        share: Of the part's bend, or of its twist.
        place_parent, turn_parent: Rows of the keyed bones that it moves and turns with, -1 where there is none.
        pivot: The bone up to whose head its place turns with that of `place_parent`; from there on the way to it stays as at rest.
        free: Whether it turns with no bone at all, not even with a root, but with the object alone.
    """

    bone: int
    part: str
    share: float
    place_parent: int
    turn_parent: int
    pivot: int
    free: bool


@dataclass(frozen=True, eq=False)
class Retargeted:
    """What a rig does.

    Attributes:
        rig, bone_map: Whose.
        keyed: Its bones that move, those that others move with before them.
        deltas: (frames, keyed, 3, 3) in the world.
        heads: (frames, keyed, 3) in metres in the world.
        scale: By what the hips' path is scaled.
        contacts: In which frames which soles stand.
        feet: {side: the foot's soles}, of sides with a foot.
        floor: Height of the floor in metres in the world.
        rate_hz: Frames per second.
    """

    rig: Rig
    bone_map: BoneMap
    keyed: tuple[Keyed, ...]
    deltas: FloatArray
    heads: FloatArray
    scale: float
    contacts: tuple[FootContact, ...]
    feet: Mapping[str, Feet]
    floor: float
    rate_hz: float

    def rows(self, part: str) -> list[int]:
        return [row for row, each in enumerate(self.keyed) if each.part == part]

    def chain(self, part: str) -> list[int]:
        """The rows of a part without the bones beside it that share its twist."""
        bones = [self.rig.index[name] for name in self.bone_map.bones.get(part, ())]
        return [next(row for row, each in enumerate(self.keyed) if each.bone == bone) for bone in bones]


#: {bone: the bones that it moves and turns with, the root too, "" for none}, of rigs whose bones follow others by constraints.
Follows = Mapping[str, tuple[str, str]]


@dataclass
class _Moving:
    """The target while its pose is made."""

    body: Anatomy
    keyed: tuple[Keyed, ...]
    deltas: FloatArray
    hips: FloatArray
    heads: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        self.place()

    def place(self) -> None:
        """Heads (frames, keyed, 3) from deltas and from where the first bone of the hips is."""
        rest = self.body.rig.heads
        heads = np.empty(self.deltas.shape[:-1])
        for row, each in enumerate(self.keyed):
            above = each.place_parent
            if each.bone == self.body.chains["hips"][0]:
                heads[:, row] = self.hips
            elif above < 0:
                heads[:, row] = rest[each.bone]
            else:
                turned = self.deltas[:, above] @ (rest[each.pivot] - rest[self.keyed[above].bone])
                heads[:, row] = heads[:, above] + turned + (rest[each.bone] - rest[each.pivot])
        self.heads = heads


def retarget(
    performance: Performance,
    rig: Rig,
    bone_map: BoneMap,
    contacts: Sequence[FootContact] = (),
    follows: Follows | None = None,
    hands: float = 0.0,
) -> Retargeted:
    """Carry a motion to another rig.

    Args:
        performance: What is to be done, and by whom.
        rig: Who is to do it.
        bone_map: Of that rig.
        contacts: When soles of the performer stand.
        follows: Of bones that follow others than those they hang on.
        hands: How much hands keep their reach relative to the body, where arms or trunk have other proportions: 0, where directions alone
            count, to 1.

    Raises:
        BonesetterError: A bone map does not fit its rig.
    """
    performance.bone_map.check(performance.rig)
    bone_map.check(rig)
    source, target = Anatomy(performance.rig, performance.bone_map), Anatomy(rig, bone_map)
    keyed = plan(target, follows)
    deltas = _deltas(performance, source, target, keyed)
    scale = target.leg / source.leg
    moving = _Moving(target, keyed, deltas, _hips(performance, source, target, deltas[:, 0], scale))
    feet, standing = stand(performance, moving, contacts)
    reach(performance, source, moving, hands)
    return Retargeted(rig, bone_map, keyed, moving.deltas, moving.heads, scale, standing, feet, rest_floor(target), performance.rate_hz)


def plan(target: Anatomy, follows: Follows | None = None) -> tuple[Keyed, ...]:
    """The bones that get keys, and whom each moves with, the first of the hips first."""
    rig, found = target.rig, list[tuple[int, str, float]]()
    for part in PARENT_PARTS:
        chain = target.chains[part]
        beside = [rig.index[name] for name in target.bone_map.twists.get(part, ()) if name in rig.index]
        limb = part.partition(".")[0]
        for place, bone in enumerate(chain):
            if limb in LIMBS and limb not in ("clavicle", "hand", "foot", "toe"):
                alone = 0.0 if beside and limb == "forearm" else SINGLE_SHARE.get(limb, 1.0)
                share = place / (len(chain) - 1) if len(chain) > 1 else alone
            else:
                share = 1.0 if part == "hips" else (place + 1) / len(chain)
            found.append((bone, part, share))
        for place, bone in enumerate(beside):
            # toes side by side bend alike
            share = 1.0 if limb == "toe" else _along(target, part, bone, (place + 1) / (len(beside) + 1))
            found.append((bone, part, share))
    rows = {bone: row for row, (bone, _, _) in enumerate(found)}

    return _parents_first([Keyed(bone, part, share, *_above(target, follows, rows, bone)) for bone, part, share in found])


def _above(target: Anatomy, follows: Follows | None, rows: Mapping[int, int], bone: int) -> tuple[int, int, int, bool]:
    """Whom a bone moves and turns with: rows among the keyed bones, pivot and freedom, as `Keyed` has them."""
    rig, root = target.rig, target.rig.index.get(target.bone_map.root, -1)
    name = rig.names[bone]
    if follows is not None and name in follows:
        # whoever moves it was seen to do so, bones between them or not
        place, turn = (rig.index[above] if above else -1 for above in follows[name])
        pivot, free = bone, turn < 0
    else:
        place = turn = rig.nearest(bone, {*rows, root})
        pivot = rig.pivot(bone, place)
        free = pivot != bone
    free = free or bone in rig.free
    return rows.get(place, -1), -1 if free else rows.get(turn, -1), pivot, free


def _parents_first(keyed: Sequence[Keyed]) -> tuple[Keyed, ...]:
    """The same bones, each behind those that it moves and turns with."""
    order: list[int] = []
    while len(order) < len(keyed):
        ready = [row for row, each in enumerate(keyed) if row not in order and {each.place_parent, each.turn_parent} <= {-1, *order}]
        # a circle, which constraints could make, is cut
        order += ready or [row for row in range(len(keyed)) if row not in order][:1]
    new = {old: row for row, old in enumerate(order)} | {-1: -1}
    return tuple(replace(keyed[old], place_parent=new[keyed[old].place_parent], turn_parent=new[keyed[old].turn_parent]) for old in order)


def _along(target: Anatomy, part: str, bone: int, otherwise: float) -> float:
    """Where a bone sits along a part, 0 to 1; what is given of bones that sit where the part begins."""
    along = target.axes @ target.direction(part)
    limb, _, side = part.partition(".")
    length = target.length(part) if limb != "shin" else target.shin(side)
    place = float((target.rig.heads[bone] - target.head(part)) @ along) / length
    return min(place, 1.0) if place > 0.05 else otherwise


def _deltas(performance: Performance, source: Anatomy, target: Anatomy, keyed: Sequence[Keyed]) -> FloatArray:
    """(frames, keyed, 3, 3) in the world, before feet are put right."""
    aligned = alignments(source, target)
    ends: dict[str, FloatArray] = {}
    deltas = np.empty((performance.frames, len(keyed), 3, 3))
    for part, rotation in aligned.items():
        above = target.above(part)
        rest = source.axes @ rotation @ target.axes.T
        rows = [row for row, each in enumerate(keyed) if each.part == part]
        if not source.has(part):
            ends[part] = ends[above] if above else np.tile(np.eye(3), (performance.frames, 1, 1))
            for row in rows:
                deltas[:, row] = ends[part]
            continue
        ends[part] = carried(performance, source, part, source.above(part), 1.0) @ rest
        limb = part.partition(".")[0]
        if limb in ("upper_arm", "forearm", "thigh", "shin"):
            axis = target.axes @ target.direction(part)
            ends[part] = _pointing(performance, source, part, ends[part], axis)
            twist = twist_angles(np.swapaxes(ends[above], -1, -2) @ ends[part], axis)
            for row in rows:
                deltas[:, row] = ends[part] @ about(axis, (keyed[row].share - 1) * twist) if keyed[row].share < 1 else ends[part]
            deltas[:, rows] = _straightened(target, part, keyed, rows, deltas[:, rows], ends[part] @ axis)
        else:
            for row in rows:
                whole = part == "hips" or keyed[row].share >= 1
                deltas[:, row] = ends[part] if whole else carried(performance, source, part, source.above(part), keyed[row].share) @ rest
    return deltas


def _straightened(
    target: Anatomy, part: str, keyed: Sequence[Keyed], rows: Sequence[int], deltas: FloatArray, along: FloatArray
) -> FloatArray:
    """A limb's deltas (frames, rows, 3, 3), turned alike so that the limb as a whole points along (frames, 3).

    Bones of a chain that is not straight at rest, each with its own share of the twist, end beside the limb's axis.
    """
    limb, _, side = part.partition(".")
    chain, following = target.chains[part], f"{NEXT_PARTS[limb]}.{side}"
    if len(chain) == 1 or not target.has(following):
        return deltas
    places = target.rig.heads[[*chain, target.chains[following][0]]]
    own = {keyed[row].bone: place for place, row in enumerate(rows)}
    ends = sum(deltas[:, own[bone]] @ way for bone, way in zip(chain, np.diff(places, axis=0), strict=True))
    return turn_betweens(np.asarray(ends), along)[:, None] @ deltas


def _pointing(performance: Performance, source: Anatomy, part: str, deltas: FloatArray, along: FloatArray) -> FloatArray:
    """A limb's deltas (frames, 3, 3), turned by what its chain is bent, so that it points from joint to joint as the performer's."""
    limb, _, side = part.partition(".")
    following = f"{NEXT_PARTS[limb]}.{side}"
    if len(source.chains[part]) == 1 or not source.has(following):
        return deltas
    wanted = performance.heads[:, source.chains[following][0]] - performance.heads[:, source.chains[part][0]]
    return turn_betweens(deltas @ along, wanted) @ deltas


def _hips(performance: Performance, source: Anatomy, target: Anatomy, turned: FloatArray, scale: float) -> FloatArray:
    """(frames, 3): where the first bone of the hips is, so that the middle of the hip joints goes the performer's path, scaled.

    The path begins where it begins for the performer, seen from the rig's own object: one that stands beside the performer moves there.
    """
    rows = [source.chains[f"thigh.{side}"][0] for side in "LR"]
    path = performance.heads[:, rows].mean(axis=1)
    up = np.array([0.0, 0.0, 1.0])
    ankles = [_ankle_height(body) for body in (source, target)]
    stands = target.rig.origin * (1.0 - up)
    middle = scale * (path - ankles[0] * up) + (ankles[1] + rest_floor(target)) * up + stands
    return middle + turned @ (target.head("hips") - target.hip_middle)


def _ankle_height(body: Anatomy) -> float:
    """In metres above the floor at rest; 0 where there are no feet."""
    feet = [body.head(f"foot.{side}") @ body.axes[:, 2] for side in "LR" if body.has(f"foot.{side}")]
    return float(np.mean(feet)) - rest_floor(body) if feet else 0.0
