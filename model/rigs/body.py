# SPDX-License-Identifier: GPL-3.0-or-later
"""A body to look at: a human mesh that is shaped to a rig's bones at rest, and moves with them.

The mesh is MakeHuman's, coarser (`makehuman/README.md`). It knows which part of a body moves each vertex; where a part has several bones,
those share it by where a vertex stands along the part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from ..core.take import FloatArray, IntArray
from ..storage.arrays import NUMBERS, WHOLE_NUMBERS, read_arrays
from .figure import Anatomy, alignments, next_part
from .retarget import plan
from .rig import LIMBS, PARENT_PARTS, PARTS, SIDES, BoneMap, Rig, sided
from .standing import rest_floor

FILE = Path(__file__).parent / "makehuman" / "body.npz"
#: See `arrays.read_arrays`: V vertices, T triangles, K parts that count for a vertex.
ARRAYS = {
    "vertices": (NUMBERS, ("V", 3)),
    "triangles": (WHOLE_NUMBERS, ("T", 3)),
    "parts": (WHOLE_NUMBERS, ("V", "K")),
    "weights": (WHOLE_NUMBERS, ("V", "K")),
    "joints": (NUMBERS, (len(PARTS), 3)),
    "ends": (NUMBERS, (5, 3)),
}
#: Parts whose ends the file has, in its order.
ENDING = ("head", "hand.L", "hand.R", "toe.L", "toe.R")
#: No part becomes longer or shorter against the whole body than by this factor: bones may begin at odd places.
LEAST, MOST = 0.6, 1.7
#: A head that begins farther than this from where shoulders have it begins at an odd place, in m of a body of the mesh's size.
ODD = 0.25
#: Limbs that are as long as the way from their joint to the next.
LONG = ("upper_arm", "forearm", "thigh", "shin")
#: A smaller share of a bone in a vertex is none.
LEAST_SHARE = 0.01

#: Of a vertex, so many bones count at most: game engines and glTF take no more.
MOST_BONES = 4

#: {bone: (vertices that it moves, their weights)}.
Groups = Mapping[str, tuple[IntArray, FloatArray]]


@dataclass(frozen=True, eq=False)
class Body:
    """A mesh of somebody who stands on the floor, facing -Y with the left at +X.

    Attributes:
        vertices: (vertices, 3) in metres.
        triangles: (triangles, 3) vertices, seen from outside against the clock.
        weights: (vertices, parts): how much each of `PARTS` moves a vertex; 1 in all.
        joints: {part: (3,) where it begins, in metres}.
        ends: {part: (3,)} of those that no other follows.
    """

    vertices: FloatArray
    triangles: IntArray
    weights: FloatArray
    joints: Mapping[str, FloatArray]
    ends: Mapping[str, FloatArray]

    @cached_property
    def anatomy(self) -> Anatomy:
        """The body as a rig of one bone a part."""
        tails = [self.ends.get(part, self.joints.get(next_part(part), self.joints[part])) for part in PARTS]
        parents = tuple(PARTS.index(above) if above else -1 for above in PARENT_PARTS.values())
        turns = np.tile(np.eye(3), (len(PARTS), 1, 1))
        rig = Rig(PARTS, parents, np.array([self.joints[part] for part in PARTS]), np.array(tails), turns)
        return Anatomy(rig, BoneMap("body", {part: (part,) for part in PARTS}))


@lru_cache(maxsize=1)
def read_body() -> Body:
    """The bundled body."""
    arrays = read_arrays(FILE, ARRAYS)
    weights = np.zeros((len(arrays["vertices"]), len(PARTS)))
    np.put_along_axis(weights, arrays["parts"].astype(int), arrays["weights"] / 255.0, axis=1)
    weights /= weights.sum(axis=1, keepdims=True)
    joints, ends = arrays["joints"].astype(float), arrays["ends"].astype(float)
    return Body(
        arrays["vertices"].astype(float),
        arrays["triangles"].astype(int),
        weights,
        dict(zip(PARTS, joints, strict=True)),
        dict(zip(ENDING, ends, strict=True)),
    )


@dataclass(frozen=True, eq=False)
class _Affine:
    """x becomes `to + linear (x - origin)`, on the body's axes."""

    linear: FloatArray
    origin: FloatArray
    to: FloatArray

    def __call__(self, points: FloatArray) -> FloatArray:
        return self.to + (points - self.origin) @ self.linear.T


@dataclass
class _Landmarks:
    """A body's places on its own axes, in metres, from the middle of its hip joints."""

    anatomy: Anatomy
    middle: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        self.middle = self.anatomy.hip_middle @ self.anatomy.axes

    def joint(self, part: str) -> FloatArray:
        """(3,): where a part begins."""
        return self.anatomy.head(part) @ self.anatomy.axes - self.middle

    def between(self, limb: str) -> FloatArray:
        """(3,): the middle between left and right."""
        return 0.5 * (self.joint(sided(limb, "L")) + self.joint(sided(limb, "R")))

    def width(self, limb: str) -> float:
        return float(np.linalg.norm(self.joint(sided(limb, "L")) - self.joint(sided(limb, "R"))))

    @property
    def size(self) -> float:
        """A leg and the trunk, in metres."""
        return self.anatomy.leg + float(np.linalg.norm(self.between("upper_arm")))

    @property
    def floor(self) -> float:
        return rest_floor(self.anatomy) - float(self.middle[2])


def shaped(body: Body, target: Anatomy) -> FloatArray:
    """(vertices, 3) in metres in the world: the body in a rig's rest pose and of its proportions."""
    source = body.anatomy
    parts = _affines(_Landmarks(source), _Landmarks(target), alignments(target, source))
    points = body.vertices @ source.axes - _Landmarks(source).middle
    found = np.zeros_like(points)
    for column, part in enumerate(PARTS):
        moved = np.flatnonzero(body.weights[:, column] > 0)
        found[moved] += body.weights[moved, column, None] * parts[part](points[moved])
    return (found + _Landmarks(target).middle) @ target.axes.T


def _affines(source: _Landmarks, target: _Landmarks, turns: Mapping[str, FloatArray]) -> dict[str, _Affine]:
    size = target.size / source.size
    parts = {"hips": _Affine(np.diag([_within(target.width("thigh") / source.width("thigh"), size), size, size]), np.zeros(3), np.zeros(3))}
    parts["spine"] = _trunk(source, target, size)
    neck = source.joint("neck")
    parts["neck"] = parts["head"] = _Affine(size * np.eye(3), neck, parts["spine"](neck))
    for side in SIDES:
        shoulder = sided("upper_arm", side)
        trunk = parts["spine"]
        parts[sided("clavicle", side)] = _Affine(trunk.linear, source.joint(shoulder), target.joint(shoulder))
        before = parts["hips"]
        for limb in LIMBS:
            part = sided(limb, side)
            if limb != "clavicle":
                parts[part] = before = _limb(source, target, part, turns.get(part, np.eye(3)), before, size)
    return parts


def _within(ratio: float, size: float) -> float:
    return float(np.clip(ratio, LEAST * size, MOST * size))


def _trunk(source: _Landmarks, target: _Landmarks, size: float) -> _Affine:
    """What brings the way from the hips to the neck onto the target's.

    Rigs differ in where neck and head begin, and shoulders are higher or lower at rest: the head goes where both say, on average.
    """
    wide = 0.5 * (size + _within(target.width("upper_arm") / source.width("upper_arm"), size))
    linear = np.diag([wide, size, size])
    neck, head = source.joint("neck"), source.joint("head")
    wanted = target.between("upper_arm") + linear @ (head - source.between("upper_arm"))
    if target.anatomy.has("head") and np.linalg.norm(target.joint("head") - wanted) < ODD * size:
        wanted = 0.5 * (wanted + target.joint("head"))
    linear[:, 2] += (wanted - size * (head - neck) - linear @ neck) / neck[2]
    return _Affine(linear, np.zeros(3), np.zeros(3))


def _limb(source: _Landmarks, target: _Landmarks, part: str, turn: FloatArray, before: _Affine, size: float) -> _Affine:
    limb, _, side = part.partition(".")
    if limb == "toe" or not target.anatomy.has(part):
        return before
    origin, to = source.joint(part), target.joint(part)
    along = source.anatomy.direction(part)
    if limb in LONG:
        ratio = target.anatomy.length(part) / source.anatomy.length(part)
        return _Affine(turn @ (size * np.eye(3) + (ratio - size) * np.outer(along, along)), origin, to)
    if limb == "foot":
        high = _within((to[2] - target.floor) / (origin[2] - source.floor), size)
        ahead = size
        if target.anatomy.has(sided("toe", side)):
            ways = [each.joint(sided("toe", side)) - each.joint(part) for each in (target, source)]
            ahead = _within(float(np.linalg.norm(ways[0][:2]) / np.linalg.norm(ways[1][:2])), size)
        return _Affine(turn @ np.diag([size, ahead, high]), origin, to)
    return _Affine(size * turn, origin, to)


def bone_groups(body: Body, points: FloatArray, target: Anatomy) -> Groups:
    """Which bones of a rig move which vertices.

    Args:
        body: The body.
        points: (vertices, 3) of it as `shaped` for the rig.
        target: The rig at rest.
    """
    bones = plan(target)
    totals = np.zeros((len(points), len(target.rig.names)))
    for column, part in enumerate(PARTS):
        standing = part
        while not target.has(standing):
            standing = PARENT_PARTS[standing]
        own = [each for each in bones if each.part == standing]
        moved = np.flatnonzero(body.weights[:, column] > 0)
        places = [_place(target, each.share, standing) for each in own]
        order = np.argsort(places, kind="stable")
        shares = _hats(_along(target, standing, points[moved]), np.array(places)[order])
        for rank, row in enumerate(order):
            totals[moved, own[row].bone] += body.weights[moved, column] * shares[:, rank]
    least = np.partition(totals, -MOST_BONES, axis=1)[:, -MOST_BONES, None] if totals.shape[1] > MOST_BONES else 0.0
    totals = np.where((totals >= least) & (totals > LEAST_SHARE), totals, 0.0)
    totals /= totals.sum(axis=1, keepdims=True)
    found = {bone: np.flatnonzero(totals[:, bone]) for bone in range(totals.shape[1])}
    return {target.rig.names[bone]: (rows, totals[rows, bone]) for bone, rows in found.items() if len(rows)}


def _place(target: Anatomy, share: float, part: str) -> float:
    """Where along a part a bone turns as the part does there, from 0 to 1: of limbs as far as it twists, of others its own middle."""
    if part.partition(".")[0] in LONG:
        return share
    return share - 0.5 / max(1, len(target.chains[part]))


def _along(target: Anatomy, part: str, points: FloatArray) -> FloatArray:
    """(points,): where points in the world stand along a part, from 0 to 1."""
    start, way = target.head(part), target.axes @ target.direction(part)
    if part.partition(".")[0] in LONG:
        length = target.length(part)
    else:
        following = next((target.head(each) for each in ("neck", "head") if part == "spine" and target.has(each)), None)
        end = following if following is not None else target.rig.tails[target.chains[part][-1]]
        way, length = end - start, float(np.linalg.norm(end - start))
        way = way / max(length, 1e-6)
    return np.clip((points - start) @ way / max(length, 1e-6), 0.0, 1.0)


def _hats(along: FloatArray, places: FloatArray) -> FloatArray:
    """(points, places) shares that add up to 1: of the two places beside a point the more, the nearer."""
    found = np.zeros((len(along), len(places)))
    for rank in range(len(places)):
        found[:, rank] = np.interp(along, places, np.eye(len(places))[rank]) if len(places) > 1 else 1.0
    return found


def skinned(points: FloatArray, groups: Groups, rig: Rig, deltas: FloatArray, heads: FloatArray) -> FloatArray:
    """(vertices, 3) in metres: a body as its bones take it.

    Args:
        points: (vertices, 3) at rest.
        groups: Of the rig's bones.
        rig: At rest.
        deltas: (bones, 3, 3) in the world, from rest.
        heads: (bones, 3) in metres.
    """
    found = np.zeros_like(points)
    weight = np.zeros((len(points), 1))
    for name, (rows, shares) in groups.items():
        bone = rig.index[name]
        found[rows] += shares[:, None] * (heads[bone] + (points[rows] - rig.heads[bone]) @ deltas[bone].T)
        weight[rows] += shares[:, None]
    return found / weight
