# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs that tests build: the bones of a family, in a rest pose, with rolls, a scale and a rotation of their own."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from model.rigs.families import family_named
from model.rigs.rig import BoneMap, Rig

#: Joints of a person of 1.8 m in a T-pose, facing -Y with the left at +X, on the floor at 0; those of the left side.
PLACES = {
    "hips": (0, 0.02, 0.98), "spine": (0, 0.01, 1.08), "neck": (0, 0.02, 1.5), "head": (0, 0.0, 1.6), "top": (0, 0.0, 1.8),
    "clavicle": (0.03, 0.02, 1.44), "upper_arm": (0.18, 0.04, 1.45), "forearm": (0.46, 0.05, 1.45), "hand": (0.72, 0.04, 1.45),
    "fingers": (0.81, 0.04, 1.45), "thigh": (0.1, 0.01, 0.93), "shin": (0.11, 0.0, 0.5), "foot": (0.11, 0.03, 0.09),
    "toe": (0.115, -0.11, 0.02), "tip": (0.115, -0.19, 0.02),
}  # fmt: skip
NEXT = {"spine": "neck", "neck": "head", "head": "top", "clavicle": "upper_arm", "upper_arm": "forearm", "forearm": "hand"}
NEXT |= {"hand": "fingers", "thigh": "shin", "shin": "foot", "foot": "toe", "toe": "tip", "hips": "spine"}
ABOVE = {"spine": "hips", "neck": "spine", "head": "neck", "clavicle": "spine", "upper_arm": "clavicle", "forearm": "upper_arm"}
ABOVE |= {"hand": "forearm", "thigh": "hips", "shin": "thigh", "foot": "shin", "toe": "foot"}


@dataclass
class Made:
    """How a rig is built.

    Attributes:
        family: Whose names it has.
        arms_down_deg: How far its arms hang in the rest pose: 0 is a T-pose, 45 an A-pose.
        height: Against 1.8 m.
        legs: How long its legs are against those of others of its height.
        turn: (3, 3): how its object is rotated.
        seed: Of the rolls; None for none.
        names: {name in the family: the rig's own}.
        without: Parts that it lacks.
        arms: How long its arms are against those of others of its height.
        shoulders: How far apart its shoulders are, likewise.
    """

    family: str
    arms_down_deg: float = 0.0
    height: float = 1.0
    legs: float = 1.0
    turn: np.ndarray = field(default_factory=lambda: np.eye(3))
    seed: int | None = None
    names: dict[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    arms: float = 1.0
    shoulders: float = 1.0


@dataclass
class Bones:
    """Bones as Blender wants them: names, parents, heads, tails and rolls' reference, in metres, and the true bone map."""

    names: list[str]
    parents: list[str]
    heads: np.ndarray
    tails: np.ndarray
    turns: np.ndarray
    bone_map: BoneMap


def joint(made: Made, part: str) -> np.ndarray:
    """Where a part begins, in metres: the left of the two sides, or the right one's where it ends in .R."""
    limb, _, side = part.partition(".")
    place = np.array(PLACES[limb], dtype=float)
    if limb in ("forearm", "hand", "fingers"):
        shoulder, angle = np.array(PLACES["upper_arm"]), np.radians(made.arms_down_deg)
        x, z = (place - shoulder)[[0, 2]]
        down = [x * np.cos(angle) + z * np.sin(angle), (place - shoulder)[1], z * np.cos(angle) - x * np.sin(angle)]
        place = shoulder + made.arms * np.array(down)
    if limb in ("clavicle", "upper_arm", "forearm", "hand", "fingers"):
        place[0] += (made.shoulders - 1) * PLACES["clavicle" if limb == "clavicle" else "upper_arm"][0]
    ankle, hip = PLACES["foot"][2], PLACES["thigh"][2]
    longer = (hip - ankle) * (made.legs - 1)
    if limb == "shin":
        place[2] = ankle + (place[2] - ankle) * made.legs
    elif limb not in ("foot", "toe", "tip"):
        place[2] += longer
    if side == "R":
        place[0] *= -1
    return place * made.height


def build(made: Made) -> Bones:
    """A rig of a family, every chain and every bone that it has beside its chains."""
    family = family_named(made.family)
    names, parents, heads, tails, chains, beside = [], [], [], [], {}, {}
    if family.root:
        names.append(family.root[0])
        parents.append("")
        heads.append(np.zeros(3))
        tails.append(np.array([0, 0.2, 0]))
    for part, chain in family.bones.items():
        limb, _, side = part.partition(".")
        if limb in made.without:
            continue
        above = ABOVE.get(limb, "")
        while above in made.without:
            above = ABOVE.get(above, "")
        above = above if above in ("hips", "spine", "neck", "") else f"{above}.{side}"
        parent = chains[above][-1] if above in chains else (names[0] if family.root else "")
        start, end = joint(made, part), joint(made, f"{NEXT[limb]}.{side}")
        own = [made.names.get(each[0], each[0]) for each in chain]
        if limb == "hips":
            places = [start] * len(own)
            ends = [start + np.array([0, 0, 0.1 * made.height])] * len(own)
        else:
            places = [start + (end - start) * place / len(own) for place in range(len(own))]
            ends = [*places[1:], end]
        for name, head, tail in zip(own, places, ends, strict=True):
            names.append(name)
            parents.append(parent)
            heads.append(head)
            tails.append(tail)
            parent = name
        chains[part] = tuple(own)
        beside[part] = tuple(made.names.get(each[0], each[0]) for each in family.twists.get(part, ()))
        for place, name in enumerate(beside[part]):
            along = (place + 1) / (len(beside[part]) + 1)
            names.append(name)
            parents.append(own[0])
            heads.append(start + along * (end - start))
            tails.append(start + (along + 0.1) * (end - start))
    heads, tails = np.array(heads), np.array(tails)
    root = names[0] if family.root else ""
    bone_map = BoneMap(made.family, chains, {part: each for part, each in beside.items() if each}, root)
    return Bones(names, parents, heads, tails, rolled(tails - heads, made.seed), bone_map)


def rolled(along: np.ndarray, seed: int | None) -> np.ndarray:
    """(bones, 3, 3): axes of bones, y along them, rolled by lot."""
    rng = np.random.default_rng(seed)
    found = []
    for direction in along:
        y = direction / np.linalg.norm(direction)
        x = rng.normal(size=3) if seed is not None else (np.array([1.0, 0, 0]) if abs(y[0]) < 0.9 else np.array([0, 0, 1.0]))
        x = x - (x @ y) * y
        x /= np.linalg.norm(x)
        found.append(np.stack([x, y, np.cross(x, y)], axis=1))
    return np.array(found)


def rig_of(made: Made, origin: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> tuple[Rig, BoneMap]:
    """The rig in the world, and its true bone map."""
    bones = build(made)
    order = {name: row for row, name in enumerate(bones.names)}
    parents = tuple(order[parent] if parent else -1 for parent in bones.parents)
    place = np.array(origin)
    heads, tails = bones.heads @ made.turn.T + place, bones.tails @ made.turn.T + place
    return Rig(tuple(bones.names), parents, heads, tails, made.turn @ bones.turns, made.turn, place), bones.bone_map


def quarter(axis: int, degrees: float = 90.0) -> np.ndarray:
    """(3, 3): a rotation about an axis of the world."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    turn = np.eye(3)
    turn[i, i], turn[i, j], turn[j, i], turn[j, j] = c, -s, s, c
    return turn
