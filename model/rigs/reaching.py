# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands of another rig put right: they reach as far from the chest, for the length of its arms, as the performer's do.

Arms that point as the performer's end elsewhere on a body of other proportions: hands that met are apart where shoulders are narrower. Arms
are turned at the shoulder and bent at the elbow for it by a few degrees, and by more while hands touch each other, hips, head or the floor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.fading import ease
from ..core.take import FloatArray
from .figure import Anatomy, Performance
from .limbs import Moving, bent_to, rows_of, turn_part
from .rig import SIDES
from .standing import rest_floor

UP = np.array([0.0, 0.0, 1.0])
#: By how much upper arm and forearm may be turned for a hand that touches nothing, and for one that does, in degrees.
FREE_DEG, TOUCHING_DEG = 1.0, 4.0
#: By how much on average over a take: hands that touch the floor in a whole take would turn the arms of other proportions for good.
MEAN_DEG = 1.9
#: From the wrist to the middle of the palm, in lengths of an arm.
PALM = 0.15
#: Distances of the palm at which a hand touches, and at which it does so no more, in lengths of the performer's arm.
NEAR = {"hands": (0.2, 0.4), "hips": (0.2, 0.32), "head": (0.3, 0.5), "floor": (0.1, 0.25)}
#: From the head's joint to the middle of the head, in lengths of the trunk.
HEAD = 0.18
#: From the hip joints up to where hands lie on hips, in lengths of the trunk.
WAIST = 0.2
#: How often the way of a hand that arms may not be turned for wholly is halved.
HALVINGS = 9


@dataclass(frozen=True, eq=False)
class _Body:
    """Places of a body that moves, each (frames, 3) in metres in the world; of wrists and palms by side; `sides` of the waist."""

    chest: FloatArray
    hips: FloatArray
    head: FloatArray
    wrists: dict[str, FloatArray]
    palms: dict[str, FloatArray]
    sides: tuple[FloatArray, FloatArray]
    floor: float
    arm: float
    trunk: float


def reach(performance: Performance, source: Anatomy, moving: Moving, strength: float) -> None:
    """Put the hands of a target right.

    Args:
        performance, source: Of the performer, and its body at rest.
        moving: The target, whose arms are changed.
        strength: 0, where directions alone count, to 1, where hands go to their places whatever arms have to turn; between, up to a half
            by no more than the limits above, and less than those below a half.
    """
    sides = [side for side in SIDES if source.has(f"hand.{side}") and moving.body.has(f"hand.{side}")]
    if not sides or strength <= 0:
        return
    rows = {part: chain for part, chain in source.chains.items() if chain}
    theirs = _body(source, rows, performance.deltas, performance.heads, sides)
    rows = {part: rows_of(moving, part) for part, chain in moving.body.chains.items() if chain}
    own = _body(moving.body, rows, moving.deltas, moving.heads, sides)
    for side in sides:
        wanted, touching = _wanted(theirs, own, side)
        _bring(moving, side, wanted, touching, strength)
    moving.place()


def _body(body: Anatomy, rows: dict[str, list[int]], deltas: FloatArray, heads: FloatArray, sides: list[str]) -> _Body:
    """Places of a body whose parts have these rows of deltas (frames, rows, 3, 3) and heads (frames, rows, 3)."""
    shoulders = 0.5 * (body.head("upper_arm.L") + body.head("upper_arm.R"))
    trunk = "spine" if body.has("spine") else "hips"
    last, bone = rows[trunk][-1], body.chains[trunk][-1]
    # of the chest as it is at rest: shoulders go up and ahead by themselves
    chest = heads[:, last] + deltas[:, last] @ (shoulders - body.rig.heads[bone])
    arm = float(np.mean([body.length(f"upper_arm.{side}") + body.length(f"forearm.{side}") for side in SIDES]))
    joints = (heads[:, rows["thigh.L"][0]], heads[:, rows["thigh.R"][0]])
    wrists = {side: heads[:, rows[f"hand.{side}"][0]] for side in sides}
    palms = {}
    for side in sides:
        along = body.axes @ body.direction(f"hand.{side}")
        palms[side] = wrists[side] + PALM * arm * deltas[:, rows[f"hand.{side}"][0]] @ along
    length = float(np.linalg.norm(shoulders - body.hip_middle))
    if body.has("head"):
        head = heads[:, rows["head"][0]] + HEAD * length * deltas[:, rows["head"][0]] @ body.axes[:, 2]
    else:
        head = chest + 2 * HEAD * length * deltas[:, last] @ body.axes[:, 2]
    waist = WAIST * length * deltas[:, rows["hips"][-1]] @ body.axes[:, 2]
    sides_of_waist = (joints[0] + waist, joints[1] + waist)
    return _Body(chest, 0.5 * (joints[0] + joints[1]), head, wrists, palms, sides_of_waist, rest_floor(body), arm, length)


def _wanted(theirs: _Body, own: _Body, side: str) -> tuple[FloatArray, FloatArray]:
    """Where a wrist belongs, (frames, 3) in metres in the world, and how much its hand touches something, (frames,) from 0 to 1."""
    arm, trunk = own.arm / theirs.arm, own.trunk / theirs.trunk
    wrist, palm = theirs.wrists[side], theirs.palms[side]
    # from the middle of the chest both hands go alike: those that meet do so here
    wanted = own.chest + arm * (wrist - theirs.chest)
    on = {
        "hips": _touching("hips", _distance_to_segment(palm, *theirs.sides), theirs.arm),
        "head": _touching("head", np.linalg.norm(palm - theirs.head, axis=1), theirs.arm),
        "floor": _touching("floor", np.maximum(palm[:, 2] - theirs.floor, 0.0), theirs.arm),
    }
    if len(theirs.palms) == 2:
        on["hands"] = _touching("hands", np.linalg.norm(theirs.palms["L"] - theirs.palms["R"], axis=1), theirs.arm)
    # two hands that hold each other in front of the hips hold each other
    free = 1.0 - on.get("hands", np.zeros(len(wrist)))
    for name, place in (("hips", own.hips + trunk * (wrist - theirs.hips)), ("head", own.head + trunk * (wrist - theirs.head))):
        wanted = wanted + (free * on[name])[:, None] * (place - wanted)
    height = own.floor + arm * (wrist[:, 2] - theirs.floor)
    wanted = wanted + (on["floor"] * (height - wanted[:, 2]))[:, None] * UP
    return wanted, np.max(list(on.values()), axis=0)


def _touching(what: str, distance: FloatArray, arm: float) -> FloatArray:
    near, far = NEAR[what]
    return ease((far - distance / arm) / (far - near))


def _distance_to_segment(points: FloatArray, start: FloatArray, end: FloatArray) -> FloatArray:
    """(frames,) in metres, of points (frames, 3) from segments whose ends are (frames, 3)."""
    along = end - start
    part = np.sum((points - start) * along, axis=1) / np.maximum(np.sum(along**2, axis=1), 1e-12)
    return np.linalg.norm(points - start - np.clip(part, 0.0, 1.0)[:, None] * along, axis=1)


def _bring(moving: Moving, side: str, wanted: FloatArray, touching: FloatArray, strength: float) -> None:
    """Bring a wrist towards where it is wanted (frames, 3), as far as directions allow; the hand stays turned as it is."""
    body = moving.body
    parts = [f"{limb}.{side}" for limb in ("upper_arm", "forearm")]
    shoulder, elbow, wrist = (moving.heads[:, rows_of(moving, part)[0]] for part in (*parts, f"hand.{side}"))
    limbs = elbow - shoulder, wrist - elbow
    # a straight arm bends at the elbow so that the forearm comes ahead
    at_rest = body.axes @ np.cross(body.direction(parts[0]), [0.0, -1.0, 0.0])
    hinge = moving.deltas[:, rows_of(moving, parts[0])[-1]] @ at_rest
    most = min(1.0, 2 * strength) * (FREE_DEG + (TOUCHING_DEG - FREE_DEG) * touching)
    way = wrist - shoulder, wanted - shoulder
    share = _shares(limbs, *way, hinge, most)
    allowed = _allowed_part(_turned_deg(limbs, *way, hinge, share), most)
    if allowed < 1:
        share = _shares(limbs, *way, hinge, allowed * most)
    share = share + max(0.0, 2 * strength - 1) * (1 - share)
    aim = wrist + share[:, None] * (wanted - wrist)
    for part, turn in zip(parts, bent_to(*limbs, aim - shoulder, hinge), strict=True):
        turn_part(moving, part, turn)


def _shares(
    limbs: tuple[FloatArray, FloatArray], start: FloatArray, end: FloatArray, hinge: FloatArray, most_deg: FloatArray
) -> FloatArray:
    """(frames,) from 0 to 1: how far of the way from `start` to `end` (frames, 3), both from the shoulder, the wrist can go while neither
    of two bones turns by more than `most_deg` (frames,)."""
    # by halving: a nearly straight arm bends by many degrees for the first mm
    share, step = np.ones(len(start)), 1.0
    for _ in range(HALVINGS):
        turned = _turned_deg(limbs, start, end, hinge, share)
        step /= 2
        share = np.where(turned > most_deg, share - step, np.minimum(share + step, 1.0))
    return share


def _turned_deg(
    limbs: tuple[FloatArray, FloatArray], start: FloatArray, end: FloatArray, hinge: FloatArray, share: FloatArray
) -> FloatArray:
    """(frames,): by how much the bone turns that turns more, where the wrist goes that share of the way; see `_shares`."""
    turns = bent_to(*limbs, start + share[:, None] * (end - start), hinge)
    return np.max([_angles_deg(limb, np.einsum("fab,fb->fa", turn, limb)) for limb, turn in zip(limbs, turns, strict=True)], axis=0)


def _allowed_part(turned_deg: FloatArray, most_deg: FloatArray) -> float:
    """The part of `most_deg` (frames,) that leaves the mean of what is turned (frames,) at `MEAN_DEG`; 1 where it is no more anyway."""
    if turned_deg.mean() <= MEAN_DEG:
        return 1.0
    part, step = 1.0, 1.0
    for _ in range(HALVINGS):
        step /= 2
        part += step if np.minimum(turned_deg, part * most_deg).mean() <= MEAN_DEG else -step
    return part


def _angles_deg(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=1), np.sum(a * b, axis=1)))
