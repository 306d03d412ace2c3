# SPDX-License-Identifier: GPL-3.0-or-later
"""Feet of another rig put right: they stand on its floor when the performer's stood, at one place, and never below it.

A foot touches the floor with its heel and its ball. Where either stands is the middle of where the carried motion has it, so that legs are
moved as little as can be; between two contacts that correction fades. Legs are bent at the knee and turned at the hip to bring feet there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..core.fading import ease, smoothed, spread
from ..core.take import BoolArray, FloatArray
from .figure import Anatomy, Performance, part_of_way, turn_betweens
from .limbs import STRETCH, Moving, bent_to, rows_of, turn_part
from .rig import SIDES
from .settling import Wanted, settled

UP = np.array([0.0, 0.0, 1.0])
#: Parts of a foot that stand, in the order of their columns.
SOLES = ("heel", "ball")
#: Cosine of the tilt up to which a foot stands on its heel, and on its ball.
LEAST_UPRIGHT = {"heel": 0.7, "ball": 0.35}
#: How long a correction fades after a contact and sets in before one, in s.
FADE_S = 0.2
#: A heel sits this far behind the ankle, in lengths from the ankle to the ball.
HEEL = 0.3
#: Of a foot without a toe, the ball's place between the ankle and the end of the foot.
BALL = 0.75
#: Toes that are not mapped begin no further than this behind the end of their foot, in leg lengths.
NEAR_END = 0.02
#: The floor is where the rig's own origin is, if its feet are within this of it, in leg lengths.
NEAR_ORIGIN = 0.15
#: Hips come down for legs that do not reach by no more than this, in leg lengths.
LOWEST = 0.1
#: How far around a frame hips come down with it, in s.
LOWER_S = 0.1
#: How often places of feet and hips are fitted to one another.
SETTLES = 3


@dataclass(frozen=True)
class FootContact:
    """A sole stands.

    Attributes:
        side: L or R.
        part: "heel", "ball", or "foot" for both.
        first, last: Frames from 0, both included.
    """

    side: str
    part: str
    first: int
    last: int

    @property
    def frames(self) -> slice:
        return slice(self.first, self.last + 1)


@dataclass(frozen=True, eq=False)
class Feet:
    """One foot: where its heel and ball are.

    Attributes:
        rest: (2, 3) in metres in the world at rest, on the floor: heel and ball.
        soles: (frames, 2, 3) in metres in the world.
    """

    rest: FloatArray
    soles: FloatArray


def rest_floor(body: Anatomy) -> float:
    """Height in metres of the floor on which a rig stands at rest, along its own up axis."""
    up = body.axes[:, 2]
    bones = [bone for side in SIDES for part in ("foot", "toe", "shin") for bone in body.chains[f"{part}.{side}"]]
    bones += [toe for side in SIDES for toe in _unmapped_toes(body, side)]
    lowest = min(float(min(body.rig.heads[bone] @ up, body.rig.tails[bone] @ up)) for bone in bones)
    origin = float(body.rig.origin @ up)
    return origin if abs(lowest - origin) < NEAR_ORIGIN * body.leg else lowest


def _unmapped_toes(body: Anatomy, side: str) -> list[int]:
    """Bones that begin ahead of the end of a foot that no toe is mapped for: its toes, whose bases are the ball."""
    chain = body.chains[f"foot.{side}"]
    if not chain or body.has(f"toe.{side}"):
        return []
    ahead = -body.axes[:, 1]
    end = float(body.rig.tails[chain[-1]] @ ahead) - NEAR_END * body.leg
    return [bone for bone in body.rig.children[chain[-1]] if float(body.rig.heads[bone] @ ahead) >= end]


def rest_soles(body: Anatomy, side: str) -> FloatArray:
    """(2, 3) in metres in the world: heel and ball of a foot at rest, on the floor."""
    up, ankle = body.axes[:, 2], body.head(f"foot.{side}")
    if body.has(f"toe.{side}"):
        ball = body.head(f"toe.{side}")
    elif toes := _unmapped_toes(body, side):
        ball = body.rig.heads[toes].mean(axis=0)
    else:
        along = body.axes @ body.direction(f"foot.{side}")
        ball = ankle + BALL * along * np.linalg.norm(body.rig.tails[body.chains[f"foot.{side}"][-1]] - ankle)
    ahead = ball - ankle
    ahead = ahead - (ahead @ up) * up
    if np.linalg.norm(ahead) < 0.05 * body.leg:
        ahead = -0.15 * body.leg * body.axes[:, 1]
    points = np.stack([ankle - HEEL * ahead, ankle + ahead])
    return points + (rest_floor(body) - points @ up)[:, None] * up


def stand(performance: Performance, moving: Moving, contacts: Sequence[FootContact]) -> tuple[dict[str, Feet], tuple[FootContact, ...]]:
    """Put the feet of a target right, and with them hips, thighs and shins.

    Args:
        performance: Of the performer.
        moving: The target, which is changed.
        contacts: When soles of the performer stand.

    Returns:
        {side: its soles, of sides with a foot}, and each sole's contacts by itself.
    """
    body = moving.body
    sides = [side for side in SIDES if body.has(f"foot.{side}")]
    each = tuple(
        FootContact(one.side, part, one.first, one.last)
        for one in contacts
        for part in (SOLES if one.part == "foot" else (one.part,))
        if one.side in sides and _upright(moving, one, part)
    )
    if not sides:
        return {}, ()
    aims = [_Aim(performance, moving, side, [one for one in each if one.side == side]) for side in sides]
    over = np.concatenate([aim.over() for aim in aims], axis=1)
    if np.isfinite(over).any():
        moving.hips = moving.hips - float(np.nanmedian(over)) * UP
    carried = moving.hips
    for _ in range(SETTLES):
        moving.place()
        moving.hips = settled(moving, {aim.side: aim.wanted() for aim in aims}, carried, performance.rate_hz)
    moving.place()
    wanted = {aim.side: aim.wanted() for aim in aims}
    _lower(moving, wanted, performance.rate_hz)
    found: dict[str, Feet] = {}
    for side in sides:
        _bend_leg(moving, side, wanted[side])
    moving.place()
    for side in sides:
        rest = rest_soles(body, side)
        row = rows_of(moving, f"foot.{side}")[-1]
        offsets = rest - body.rig.heads[moving.keyed[row].bone]
        soles = moving.heads[:, row, None] + np.einsum("fab,sb->fsa", moving.deltas[:, row], offsets)
        found[side] = Feet(rest, soles)
    return found, each


def _upright(moving: Moving, contact: FootContact, part: str) -> bool:
    """Whether a foot stands on its sole, and does not lie on its back or its side as that of a body on the floor."""
    row = rows_of(moving, f"foot.{contact.side}")[0]
    tilt = moving.deltas[contact.frames, row] @ moving.body.axes[:, 2]
    return float(np.median(tilt[:, 2])) > LEAST_UPRIGHT[part]


class _Aim:
    """Where one foot is, and where it belongs."""

    def __init__(self, performance: Performance, moving: Moving, side: str, contacts: Sequence[FootContact]) -> None:
        self.side, self.moving, self.rate = side, moving, performance.rate_hz
        self.row = rows_of(moving, f"foot.{side}")[0]
        self.up, self.floor = moving.body.axes[:, 2], rest_floor(moving.body)
        self.offsets = rest_soles(moving.body, side) - moving.body.head(f"foot.{side}")
        self.length = float(np.linalg.norm(self.offsets[1] - self.offsets[0]))
        self.own = {part: [one for one in contacts if one.part == part] for part in SOLES}
        self.standing = np.stack([_standing(self.own[part], performance.frames) for part in SOLES], axis=1)
        self.weight = _faded(self.standing, self.rate)
        # flat where both stand, and by as much wherever it does not
        foot = moving.deltas[:, self.row]
        foot = foot @ _levelling(foot, self.up, np.asarray(self.standing.all(axis=1)))
        self.foot = _levelled(foot, self.up, self.weight.min(axis=1))

    def soles(self) -> FloatArray:
        """(frames, 2, 3) in metres: heel and ball where the carried motion has them."""
        return self.moving.heads[:, self.row, None] + np.einsum("fab,sb->fsa", self.foot, self.offsets)

    def over(self) -> FloatArray:
        """(frames, 2) in metres: by how much soles that stand are above the floor; NaN where one does not."""
        return np.where(self.standing, self.soles()[..., 2] - self.floor, np.nan)

    def wanted(self) -> Wanted:
        """Where it belongs."""
        soles = self.soles()
        places = _places(soles, self.own, self.floor, self.length)
        moved = _corrections(soles, self.own, places, self.rate)
        moved[..., 2] += _smooth_lift(self.floor - (soles + moved)[..., 2], self.standing, self.rate)
        aimed = _as_long(soles + moved, self.length, self.standing, self.weight)
        turned = turn_betweens(soles[:, 1] - soles[:, 0], aimed[:, 1] - aimed[:, 0]) @ self.foot
        pins = self.weight + 1e-3
        pins = pins / pins.sum(axis=1, keepdims=True)
        held = np.einsum("fs,fsa->fa", pins, aimed) - np.einsum("fab,fb->fa", turned, pins @ self.offsets)
        toes = rows_of(self.moving, f"toe.{self.side}")
        toe = _levelled(self.moving.deltas[:, toes[0]], self.up, self.weight[:, 1]) if toes else turned
        return Wanted(held, turned, toe, self.weight.max(axis=1))


def _as_long(aimed: FloatArray, length: float, standing: BoolArray, weight: FloatArray) -> FloatArray:
    """Heel and ball (frames, 2, 3), of which one that does not stand gives way to one that does, so that they are a foot's length apart."""
    apart = aimed[:, 1] - aimed[:, 0]
    excess = (1 - length / np.maximum(np.linalg.norm(apart, axis=1), 1e-6))[:, None] * apart
    gives = weight[:, ::-1] * ~standing
    return aimed + gives[..., None] * np.stack([excess, -excess], axis=1)


def _standing(contacts: Sequence[FootContact], frames: int) -> BoolArray:
    found = np.zeros(frames, dtype=bool)
    for one in contacts:
        found[one.frames] = True
    return found


def _levelling(foot: FloatArray, up: FloatArray, flat: BoolArray) -> FloatArray:
    """(3, 3): how a foot is to be turned at rest so that its sole is level, on average, where it stands with heel and ball."""
    if flat.sum() < 3:
        return np.eye(3)
    mean = np.einsum("fba,b->fa", foot[flat], UP).mean(axis=0)
    return turn_betweens(up, mean)


def _levelled(deltas: FloatArray, up: FloatArray, weight: FloatArray) -> FloatArray:
    """Deltas (frames, 3, 3) with what is up at rest (3,) brought upright, by a weight (frames,) of 0 to 1."""
    level = turn_betweens(deltas @ up, np.broadcast_to(UP, (len(deltas), 3)))
    return part_of_way(np.broadcast_to(np.eye(3), level.shape), level, weight) @ deltas


def _places(soles: FloatArray, own: Mapping[str, Sequence[FootContact]], floor: float, length: float) -> dict[FootContact, FloatArray]:
    """Where each contact of a foot stands, (3,) in metres. Heel and ball that stand together are as far apart as the foot is long: the
    shorter contact gives way."""
    order = sorted((one for contacts in own.values() for one in contacts), key=lambda one: one.first - one.last)
    places: dict[FootContact, FloatArray] = {}
    for one in order:
        place = soles[one.frames, SOLES.index(one.part)].mean(axis=0)
        place[2] = floor
        together = [each for each in places if each.part != one.part and each.first <= one.last and one.first <= each.last]
        for other in together * (20 if len(together) > 1 else 1):
            apart = place - places[other]
            place = places[other] + apart * (length / max(float(np.linalg.norm(apart)), 1e-6))
        places[one] = place
    return places


def _corrections(
    soles: FloatArray, own: Mapping[str, Sequence[FootContact]], places: Mapping[FootContact, FloatArray], rate_hz: float
) -> FloatArray:
    """(frames, 2, 3) in metres, to add to where heel and ball are: onto their places while they stand, fading between."""
    moved = np.zeros_like(soles)
    frames = len(soles)
    for index, part in enumerate(SOLES):
        contacts = sorted(own[part], key=lambda one: one.first)
        for one in contacts:
            moved[one.frames, index] = places[one] - soles[one.frames, index]
        ends = [(-1, None), *((one.last, one) for one in contacts)]
        begins = [*((one.first, one) for one in contacts), (frames, None)]
        for (end, before), (begin, after) in zip(ends, begins, strict=True):
            between = np.arange(end + 1, begin)
            if not len(between):
                continue
            fade = max(1.0, min(FADE_S * rate_hz, begin - end if before and after else np.inf))
            if before:
                moved[between, index] += ease(1 - (between - end) / fade)[:, None] * moved[end, index]
            if after:
                moved[between, index] += ease(1 - (begin - between) / fade)[:, None] * moved[begin, index]
    return moved


def _faded(standing: BoolArray, rate_hz: float) -> FloatArray:
    """(frames, 2): 1 where a sole stands, fading to 0 before and after."""
    reach = max(1, round(FADE_S * rate_hz))
    frames = np.arange(len(standing), dtype=float)[:, None]
    before = np.maximum.accumulate(np.where(standing, frames, -np.inf), axis=0)
    after = np.minimum.accumulate(np.where(standing, frames, np.inf)[::-1], axis=0)[::-1]
    return ease(1 - np.minimum(frames - before, after - frames) / reach)


def _smooth_lift(below: FloatArray, standing: BoolArray, rate_hz: float) -> FloatArray:
    """(frames, 2) in m: by how much soles are to be lifted that are below the floor by `below`, smooth, and not while they stand."""
    lift = np.where(standing, 0.0, np.maximum(below, 0.0))
    smooth = smoothed(spread(lift, round(0.05 * rate_hz)), 0.03 * rate_hz)
    return np.where(standing, 0.0, np.maximum(lift, smooth * (1 - _faded(standing, rate_hz))))


def _lower(moving: Moving, wanted: Mapping[str, Wanted], rate_hz: float) -> None:
    """Let the hips down where a leg does not reach a foot that stands."""
    needed = np.zeros(len(moving.hips))
    body = moving.body
    for side, want in wanted.items():
        hip = moving.heads[:, rows_of(moving, f"thigh.{side}")[0]]
        reach = STRETCH * (body.length(f"thigh.{side}") + body.shin(side))
        level = np.linalg.norm((hip - want.ankle)[:, :2], axis=1)
        over = hip[:, 2] - want.ankle[:, 2] - np.sqrt(np.maximum(reach**2 - level**2, 0.0))
        needed = np.maximum(needed, want.weight * np.clip(over, 0.0, LOWEST * body.leg))
    down = smoothed(spread(needed[:, None], round(LOWER_S * rate_hz)), 0.5 * LOWER_S * rate_hz)[:, 0]
    moving.hips = moving.hips - np.maximum(down, 0.0)[:, None] * UP
    moving.place()


def _bend_leg(moving: Moving, side: str, want: Wanted) -> None:
    """Bring an ankle where it belongs: the knee bent, the leg turned at the hip; foot and toe as they are wanted."""
    thighs, shins, feet = (rows_of(moving, f"{part}.{side}") for part in ("thigh", "shin", "foot"))
    toes = [row for row, each in enumerate(moving.keyed) if each.part == f"toe.{side}"]
    hip, knee, ankle = (moving.heads[:, rows[0]] for rows in (thighs, shins, feet))
    thigh, shin, aim = knee - hip, ankle - knee, want.ankle - hip
    left = moving.deltas[:, thighs[0]] @ moving.body.axes[:, 0]
    for part, turn in zip(("thigh", "shin"), bent_to(thigh, shin, aim, left), strict=True):
        turn_part(moving, f"{part}.{side}", turn)
    for row in feet:
        moving.deltas[:, row] = want.foot
    for row in toes:
        moving.deltas[:, row] = want.toe
