# SPDX-License-Identifier: GPL-3.0-or-later
"""A motion without its rig: how each part of a body turns, seen from a rest pose that all bodies have in common.

Rotations are deltas: D takes what a part is at rest, in the world, to what it is in a frame; a bone of rest matrix M is posed as D M.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..core.rotations import rotmat_to_unitquat, rotvec_to_rotmat, unitquat_to_rotmat
from ..core.take import FloatArray
from .rig import PARENT_PARTS, BoneMap, Rig, body_axes, sided

#: A direction at rest is from the head of a part to that of the next of these that there is.
NEXT_PARTS = {"upper_arm": "forearm", "forearm": "hand", "thigh": "shin", "shin": "foot", "foot": "toe"}
#: And what the others go on as.
_TRUNK = {"hips": "spine", "spine": "neck", "neck": "head", "clavicle": "upper_arm"}
#: Parts that point where they point in the world; others turn from rest to the same degree, whatever the rest pose.
POINTING = ("upper_arm", "forearm", "hand", "thigh", "shin")
SHORTEST_M = 1e-4


def next_part(part: str) -> str:
    """The part of a body that another one goes on as; "" for the last ones: head, hands and toes."""
    limb, _, side = part.partition(".")
    following = NEXT_PARTS.get(limb) or _TRUNK.get(limb, "")
    return sided(following, side) if side and following else following


@dataclass(frozen=True, eq=False)
class Performance:
    """A rig that moves.

    Attributes:
        rig, bone_map: Whose motion.
        deltas: (frames, bones, 3, 3) in the world.
        heads: (frames, bones, 3) in metres in the world.
        rate_hz: Frames per second.
    """

    rig: Rig
    bone_map: BoneMap
    deltas: FloatArray
    heads: FloatArray
    rate_hz: float

    @property
    def frames(self) -> int:
        return len(self.heads)


class Anatomy:
    """Of a rig at rest: its body's axes, where parts begin, and where they point."""

    def __init__(self, rig: Rig, bone_map: BoneMap) -> None:
        self.rig, self.bone_map = rig, bone_map
        self.axes = body_axes(rig, bone_map)
        self.chains = {part: [rig.index[name] for name in bone_map.bones.get(part, ())] for part in PARENT_PARTS}

    def has(self, part: str) -> bool:
        return bool(self.chains.get(part))

    def head(self, part: str) -> FloatArray:
        """(3,) in metres in the world."""
        return self.rig.heads[self.chains[part][0]]

    def above(self, part: str) -> str:
        """The part that one hangs on, of those that there are; nothing above the hips."""
        part = PARENT_PARTS[part]
        while part and not self.has(part):
            part = PARENT_PARTS[part]
        return part

    def direction(self, part: str) -> FloatArray:
        """(3,) unit vector on the body's axes: from a part's head to the next part's, or to its own end."""
        limb, _, side = part.partition(".")
        following = f"{NEXT_PARTS.get(limb, '')}.{side}"
        end = self.head(following) if self.has(following) else self._end(self.chains[part][-1])
        along = end - self.head(part)
        if np.linalg.norm(along) < SHORTEST_M:
            along = self.rig.turns[self.chains[part][-1], :, 1]
        return self.axes.T @ along / np.linalg.norm(along)

    def _end(self, bone: int) -> FloatArray:
        """Where a bone without a next part ends: at its farthest child (fingers), else at its tail."""
        heads = [self.rig.heads[child] for child in self.rig.children[bone]]
        far = max(heads, key=lambda head: float(np.linalg.norm(head - self.rig.heads[bone])), default=self.rig.tails[bone])
        return far if np.linalg.norm(far - self.rig.heads[bone]) > SHORTEST_M else self.rig.tails[bone]

    def length(self, part: str) -> float:
        """In metres, from a part's head to the next part's, or to the end of its own bones."""
        limb, _, side = part.partition(".")
        following = f"{NEXT_PARTS[limb]}.{side}"
        end = self.head(following) if self.has(following) else self.rig.tails[self.chains[part][-1]]
        return float(np.linalg.norm(end - self.head(part)))

    @property
    def leg(self) -> float:
        """Length of a leg in metres, the mean of both, down to the ankle where there is one."""
        return float(np.mean([self.length(f"thigh.{side}") + self.shin(side) for side in "LR"]))

    def shin(self, side: str) -> float:
        """Length of a shin in metres."""
        return self.length(f"shin.{side}")

    @property
    def hip_middle(self) -> FloatArray:
        """(3,) in metres in the world: between the hip joints."""
        return 0.5 * (self.head("thigh.L") + self.head("thigh.R"))


def turn_betweens(start: FloatArray, end: FloatArray) -> FloatArray:
    """The smallest rotations (..., 3, 3) that turn directions (..., 3) into others; half a turn about some axis into their opposites."""
    a = start / np.linalg.norm(start, axis=-1, keepdims=True)
    b = end / np.linalg.norm(end, axis=-1, keepdims=True)
    quats = np.concatenate([1.0 + np.sum(a * b, axis=-1, keepdims=True), np.cross(a, b)], axis=-1)
    opposite = quats[..., 0] < 1e-9
    if opposite.any():
        sideways = np.cross(a, np.eye(3)[np.argmin(np.abs(a), axis=-1)])
        quats[opposite] = np.concatenate([np.zeros_like(sideways[..., :1]), sideways], axis=-1)[opposite]
    return unitquat_to_rotmat(quats)


def part_of_way(start: FloatArray, end: FloatArray, part: float | FloatArray) -> FloatArray:
    """Rotations (frames, 3, 3) that lie a part of the way, 0 to 1, from some to others, along the shortest turn."""
    between = rotmat_to_unitquat(np.swapaxes(start, -1, -2) @ end)
    between *= np.where(between[..., :1] < 0, -1.0, 1.0)
    sine = np.linalg.norm(between[..., 1:], axis=-1)
    half = np.arctan2(sine, between[..., 0])
    scale = 2 * half * part / np.maximum(sine, 1e-12)
    return start @ rotvec_to_rotmat(between[..., 1:] * scale[..., None])


def twist_angles(turns: FloatArray, axis: FloatArray) -> FloatArray:
    """How far rotations (frames, 3, 3) turn about an axis (3,), in radians, without jumps; the rest of each is a swing after that."""
    quats = rotmat_to_unitquat(turns)
    return np.unwrap(2 * np.arctan2(quats[:, 1:] @ axis, quats[:, 0]))


def about(axis: FloatArray, angles: FloatArray) -> FloatArray:
    """Rotations (frames, 3, 3) about an axis (3,) by angles (frames,) in radians."""
    half = 0.5 * angles[:, None]
    return unitquat_to_rotmat(np.concatenate([np.cos(half), np.sin(half) * axis], axis=-1))


def alignments(source: Anatomy, target: Anatomy) -> Mapping[str, FloatArray]:
    """{part: (3, 3)}: on the body's axes, what of the source's rest pose a target's part has to take on to point where it points there."""
    found: dict[str, FloatArray] = {}
    for part in PARENT_PARTS:
        if not target.has(part):
            continue
        before = found[target.above(part)] if target.above(part) else np.eye(3)
        limb = part.partition(".")[0]
        if not source.has(part):
            found[part] = before
        elif limb in POINTING:
            found[part] = turn_betweens(before @ target.direction(part), source.direction(part)) @ before
        elif limb in ("foot", "toe"):
            # soles are flat at rest: only where the toes point, seen from above, is taken over
            ahead, wanted = (body.direction(f"foot.{part[-1]}" if body.has(f"foot.{part[-1]}") else part) for body in (target, source))
            flat = np.array([1.0, 1.0, 0.0])
            found[part] = turn_betweens(flat * ahead, flat * wanted)
        else:
            found[part] = np.eye(3)
    return found


def carried(performance: Performance, source: Anatomy, part: str, above: str, share: float) -> FloatArray:
    """(frames, 3, 3): the delta of a source's part at a share of its length, 1 its end; it bends from bone to bone."""
    chain = source.chains[part]
    deltas = performance.deltas
    place = share * len(chain)
    index = min(max(int(np.ceil(place - 1e-9)) - 1, 0), len(chain) - 1)
    last = deltas[:, chain[index]]
    rest = place - index
    if rest > 1 - 1e-9:
        return last
    before = deltas[:, chain[index - 1]] if index else deltas[:, source.chains[above][-1]]
    return part_of_way(before, last, rest)
