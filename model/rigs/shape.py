# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bone of a rig is which part of a body, told from its tree and its rest pose alone, whatever the bones are called.

A body has two legs, which begin as a pair beside the middle and end lowest, and two arms, which begin as a pair above and reach furthest.
The chain between the two pairs is the spine; what goes on above it are neck and head. Toes point ahead, which tells left from right.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core.take import FloatArray
from .rig import BoneMap, Rig, sided

#: Bones of a pair lie mirrored to within this part of the body's height.
MIRRORED = 0.02
#: Of the body's height: what is nearer to the middle than this lies in it; feet end below this; arms begin above this.
MIDDLE, LOW, HIGH = 0.02, 0.15, 0.5
#: Bones shorter than this part of the body's height begin no part of their own.
SHORT = 0.01


def recognise_shape(rig: Rig) -> BoneMap | None:
    """A bone map by shape; None where no body is found."""
    if not rig.names:
        return None
    sides = (np.eye(3)[0], np.eye(3)[1], *rig.axes.T)
    seen = [(up, across) for up in (np.eye(3)[2], *rig.axes.T) for across in sides if abs(across @ up) < 0.1]
    found = [one for up, across in seen if (one := _Body(rig, up, across).bone_map()) and not one.missing]
    # seen along a wrong axis some limbs are missing
    return max(found, key=lambda one: len(one.bones), default=None)


class _Body:
    """A rig seen along an axis that may point up and one that may point to a side."""

    def __init__(self, rig: Rig, up: FloatArray, across: FloatArray) -> None:
        self.rig = rig
        points = np.concatenate([rig.heads, rig.tails])
        self.height = float(np.ptp(points @ up)) or 1.0
        self.up = (rig.heads @ up - (points @ up).min()) / self.height
        self.ends = (rig.tails @ up - (points @ up).min()) / self.height
        side, tails = rig.heads @ across, rig.tails @ across
        self.side = (side - np.median(side)) / self.height
        self.tail_side = (tails - np.median(side)) / self.height
        self.across, self.upward = across, up
        self.descendants = self._descendants()

    def bone_map(self) -> BoneMap | None:
        pairs = self._pairs()
        legs = [pair for pair in pairs if self._lowest(pair[0]) < LOW and self.up[pair[0]] > 0.25]
        arms = [pair for pair in pairs if self.up[pair[0]] > HIGH and self._reach(pair[0]) > 0.12 and self._lowest(pair[0]) > LOW]
        if not legs or not arms:
            return None
        # a pair within a limb begins lower, or further out
        leg = max(legs, key=lambda pair: self.up[pair[0]])
        arm = max(arms, key=lambda pair: (self._reach(pair[0]), -self._depth(pair[0])))
        bones = self._leg(leg) | self._arm(arm)
        trunk = self._trunk(leg[0], arm[0])
        if not trunk or not bones:
            return None
        return BoneMap("its shape", self._named(trunk | self._with_sides(bones, leg)))

    def _descendants(self) -> list[list[int]]:
        below: list[list[int]] = [[bone] for bone in range(len(self.rig.names))]
        for bone in reversed(range(len(self.rig.names))):
            if (parent := self.rig.parents[bone]) >= 0:
                below[parent] += below[bone]
        return below

    def _lowest(self, bone: int) -> float:
        return float(min(min(self.up[each], self.ends[each]) for each in self.descendants[bone]))

    def _reach(self, bone: int) -> float:
        """How far out of where it begins a limb reaches, whichever way it hangs."""
        below = self.descendants[bone]
        points = np.concatenate([self.rig.heads[below], self.rig.tails[below]])
        return float(np.linalg.norm(points - self.rig.heads[bone], axis=1).max()) / self.height

    def _depth(self, bone: int) -> int:
        depth = 0
        while (bone := self.rig.parents[bone]) >= 0:
            depth += 1
        return depth

    def _pairs(self) -> list[tuple[int, int]]:
        """Pairs of bones that lie mirrored and hang on one bone in the middle; the one on the positive side first."""
        found: list[tuple[int, int]] = []
        parents = self.rig.parents
        plain = self.rig.heads - np.outer(self.side * self.height, self.across)
        for one in range(len(parents)):
            for other in self.rig.children[parents[one]] if parents[one] >= 0 else ():
                apart = np.linalg.norm(plain[one] - plain[other]) / self.height
                mirrored = abs(self.side[one] + self.side[other]) < MIRRORED and apart < MIRRORED
                ends = abs(self.tail_side[one] + self.tail_side[other]) < 2 * MIRRORED
                beyond = max(self.side[one], self._furthest(one)) > MIDDLE
                if one != other and mirrored and ends and beyond and self._furthest(one) > self._furthest(other):
                    found.append((one, other))
        return found

    def _furthest(self, bone: int) -> float:
        """The mean of how far to the positive side the bones below one are."""
        return float(np.mean([self.side[each] + self.tail_side[each] for each in self.descendants[bone]]))

    def _chain(self, bone: int) -> list[int]:
        """A limb's bones, down to its end: at a fork along the side on which it goes on furthest."""
        chain = [bone]
        while children := self.rig.children[chain[-1]]:
            chain.append(max(children, key=lambda child: (self._reach_from(bone, child), len(self.descendants[child]))))
        return chain

    def _reach_from(self, start: int, bone: int) -> float:
        below = self.descendants[bone]
        points = np.concatenate([self.rig.heads[below], self.rig.tails[below]])
        return float(np.linalg.norm(points - self.rig.heads[start], axis=1).max())

    def _leg(self, pair: Sequence[int]) -> dict[str, list[list[int]]]:
        parts: dict[str, list[list[int]]] = {"thigh": [], "shin": [], "foot": [], "toe": []}
        for bone in pair:
            chain = self._leg_chain(bone)
            ankle = next((place for place, each in enumerate(chain) if self.up[each] < LOW * 0.8), len(chain))
            if ankle < 2:
                return {}
            knee = self._middle(chain, ankle)
            parts["thigh"].append(chain[:knee])
            parts["shin"].append(chain[knee:ankle])
            parts["foot"].append(chain[ankle : ankle + 1])
            parts["toe"].append(self._toe(chain[ankle]) if ankle < len(chain) else [])
        return parts

    def _toe(self, foot: int) -> list[int]:
        """The child of a foot that ends furthest from the ankle, ahead or behind; heels end near to it."""
        depth = np.cross(self.upward, self.across)
        ends = {child: abs(float((self.rig.tails[child] - self.rig.heads[foot]) @ depth)) for child in self.rig.children[foot]}
        return [max(ends, key=lambda child: ends[child])] if ends else []

    def _leg_chain(self, bone: int) -> list[int]:
        """Down a leg, from the hip joint: pelvis bones that only lead there are none of it."""
        chain = self._chain(bone)
        while len(chain) > 3 and self.up[chain[1]] > 0.3 and self._leads_aside(*chain[:2]):
            chain = chain[1:]
        return chain

    def _leads_aside(self, bone: int, following: int) -> bool:
        """Whether a bone is short and goes as much to the side as down."""
        aside, down = abs(self.side[bone] - self.side[following]), abs(self.up[bone] - self.up[following])
        return bool(aside > 0.5 * down) and self._length(bone, following) < 0.12

    def _arm(self, pair: Sequence[int]) -> dict[str, list[list[int]]]:
        parts: dict[str, list[list[int]]] = {"clavicle": [], "upper_arm": [], "forearm": [], "hand": []}
        for bone in pair:
            chain = self._chain(bone)
            wrist = self._wrist(chain)
            # clavicles are short, and begin near to the middle
            shoulder = 1 if wrist > 2 and abs(self.side[chain[0]]) < 0.6 * abs(self.side[chain[1]]) else 0
            if wrist - shoulder < 2:
                return {}
            elbow = shoulder + self._middle(chain[shoulder:], wrist - shoulder)
            parts["clavicle"].append(chain[:shoulder])
            parts["upper_arm"].append(chain[shoulder:elbow])
            parts["forearm"].append(chain[elbow:wrist])
            parts["hand"].append(chain[wrist : wrist + 1])
        return parts

    def _wrist(self, chain: Sequence[int]) -> int:
        """Where on an arm the hand begins: the first bone on which several chains hang (fingers), else the last."""
        for place, bone in enumerate(chain):
            several = [child for child in self.rig.children[bone] if self.rig.children[child]]
            if place >= 2 and len(several) >= 2:
                return place
        return len(chain) - 1

    def _middle(self, chain: Sequence[int], end: int) -> int:
        """The place in a chain, between its begin and `end`, of the joint that halves the way best."""
        heads = self.rig.heads
        last = heads[chain[end]] if end < len(chain) else self.rig.tails[chain[-1]]
        return min(
            range(1, end),
            key=lambda place: abs(np.linalg.norm(heads[chain[place]] - heads[chain[0]]) - np.linalg.norm(last - heads[chain[place]])),
        )

    def _length(self, one: int, other: int) -> float:
        return float(np.linalg.norm(self.rig.heads[one] - self.rig.heads[other])) / self.height

    def _trunk(self, leg: int, arm: int) -> dict[str, list[int]]:
        """Hips, spine, neck and head: from the bone that both limbs hang on to the top."""
        to_leg, to_arm = self._path(leg), self._path(arm)
        common = [bone for bone in to_leg if bone in to_arm]
        if not common:
            return {}
        hips = common[-1]
        spine = to_arm[to_arm.index(hips) + 1 : -1]
        # bones on the way to the legs that are none of a leg turn with the hips
        lower = [bone for bone in to_leg[to_leg.index(hips) + 1 : -1] if abs(self.side[bone]) < MIDDLE]
        chest = spine[-1] if spine else hips
        above = self._up_from(chest)
        sizes = [max(self.ends[bone], self.up[bone]) - self.up[bone] for bone in above]
        heads = [place for place, size in enumerate(sizes) if size > 0.5 * max(sizes)]
        head = heads[-1] if heads else len(above) - 1
        return {"hips": [hips, *lower], "spine": spine, "neck": above[:head], "head": above[head : head + 1]}

    def _path(self, bone: int) -> list[int]:
        path = [bone]
        while self.rig.parents[path[-1]] >= 0:
            path.append(self.rig.parents[path[-1]])
        return path[::-1]

    def _up_from(self, bone: int) -> list[int]:
        """Bones in the middle that go on upwards from one."""
        found: list[int] = []
        while True:
            children = [
                each for each in self.rig.children[bone] if abs(self.side[each]) < MIDDLE and self.up[each] >= self.up[bone] - SHORT
            ]
            if not children:
                return found
            bone = max(children, key=lambda each: max(max(self.up[one], self.ends[one]) for one in self.descendants[each]))
            found.append(bone)

    def _with_sides(self, parts: dict[str, list[list[int]]], leg: Sequence[int]) -> dict[str, list[int]]:
        """Parts of limbs by side: toes point ahead, and the left is to the left of that."""
        ahead = np.zeros(3)
        for foot, toe in zip(parts["foot"], parts["toe"], strict=True):
            if foot:
                ahead += (self.rig.heads[toe[0]] if toe else self.rig.tails[foot[0]]) - self.rig.heads[foot[0]]
        left = np.cross(self.upward, ahead)
        first = "L" if left @ (self.rig.heads[leg[0]] - self.rig.heads[leg[1]]) >= 0 else "R"
        sides = (first, "R" if first == "L" else "L")
        return {sided(limb, side): bones for limb, both in parts.items() for side, bones in zip(sides, both, strict=True)}

    def _named(self, parts: dict[str, list[int]]) -> dict[str, tuple[str, ...]]:
        return {part: tuple(self.rig.names[bone] for bone in bones) for part, bones in parts.items() if bones}
