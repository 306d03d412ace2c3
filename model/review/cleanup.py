# SPDX-License-Identifier: GPL-3.0-or-later
"""Clean keys: those of a whole rig thinned, so that no bone turns and no joint is further off than allowed.

Each bone's curves are thinned to an angle by itself (`thinning.py`). Small angles add up to the end of a chain: where a joint is too far
off, the bones above it that do most of it get keys there, until none is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..core.fading import smoothed
from ..core.rotations import unitquat_to_rotmat
from ..core.take import BoolArray, FloatArray, IntArray
from .thinning import Curves, Error, Stretch, added, played, slopes, thinned

#: Of what moves a joint most, the part from which another bone gets a key too.
SHARE = 0.5
#: How many kinds of a key there are: usual, beside a gap, in a gap.
USUAL, EXTREME, BREAKDOWN = 0, 1, 2


@dataclass(frozen=True, eq=False)
class BoneKeys:
    """A bone that is keyed, and how it hangs.

    Attributes:
        parent: Index of the keyed bone that it hangs on, -1 where there is none.
        offset: (3,) in metres at rest: from the parent's head, or the origin, to its own.
        turn: (3, 3): its own axes at rest, as columns.
        length: In metres.
        mode: How it turns: "QUATERNION", "AXIS_ANGLE", an order of Euler angles, or "" where that is not keyed.
        values: (frames, channels): of the rotation, if it is keyed, then three of the location, if that is.
        unit: Metres for each unit of the location.
        stretches: Where it is known.
    """

    parent: int
    offset: FloatArray
    turn: FloatArray
    length: float
    mode: str
    values: FloatArray
    unit: float
    stretches: tuple[Stretch, ...]

    @property
    def angles(self) -> int:
        """How many channels its rotation has."""
        return {"QUATERNION": 4, "AXIS_ANGLE": 4, "": 0}.get(self.mode, 3)

    def rotations(self, values: FloatArray) -> FloatArray:
        """(frames, 3, 3) in its own axes."""
        return (
            unitquat_to_rotmat(as_quaternions(values[:, : self.angles], self.mode))
            if self.mode
            else np.tile(np.eye(3), (len(values), 1, 1))
        )

    def places(self, values: FloatArray) -> FloatArray:
        """(frames, 3) in metres in its own axes; zero where they are not keyed."""
        moved = values[:, self.angles :]
        return moved * self.unit if moved.shape[1] else np.zeros((len(values), 3))


@dataclass(frozen=True)
class Tolerance:
    """How far off a cleaned motion may be: a bone in degrees, from its parent; heads and tails in mm, from where they were."""

    degrees: float = 0.5
    mm: float = 5.0


@dataclass(frozen=True, eq=False)
class Cleaned:
    """What is left.

    Attributes:
        keys: Frames of each bone's keys, ascending.
        slopes: (frames, channels) of each bone's curves, per frame.
        played: (frames, channels) of each bone: what these keys play.
        degrees, mm: How far off that is at most.
    """

    keys: tuple[IntArray, ...]
    slopes: tuple[FloatArray, ...]
    played: tuple[FloatArray, ...]
    degrees: float
    mm: float


def clean(
    bones: Sequence[BoneKeys],
    tolerance: Tolerance,
    allowed: BoolArray | None = None,
    wanted: Sequence[Sequence[int]] = (),
) -> Cleaned:
    """Thin the keys of a rig.

    Args:
        bones: Parents before their children.
        tolerance: How far off it may be.
        allowed: (frames,) where keys may be, beside the ends of stretches; None for everywhere. Elsewhere tolerances may be exceeded.
        wanted: For each bone frames that keep a key.
    """
    frames = len(bones[0].values)
    allowed = np.ones(frames, dtype=bool) if allowed is None else allowed
    curves = [Curves(bone.values, bone.stretches, _error(bone, tolerance), allowed) for bone in bones]
    steep = [slopes(each) for each in curves]
    forced = [tuple(each) for each in wanted] or [()] * len(bones)
    keys = [thinned(each, own) for each, own in zip(curves, forced, strict=True)]
    known = _known(bones, frames)
    exact = points(bones, [bone.values for bone in bones])
    while True:
        now = [played(each, own, left) for each, own, left in zip(curves, steep, keys, strict=True)]
        off = 1e3 * np.linalg.norm(points(bones, now) - exact, axis=-1)
        off[~known] = 0.0
        more = _needed(bones, off, now, tolerance.mm, keys, allowed)
        if not more:
            break
        keys = [added(curves[row], steep[row], np.union1d(keys[row], more[row])) if row in more else keys[row] for row in range(len(bones))]
    angles = [np.where(_inside(bone, frames), angle_deg(bone, each), 0.0).max() for bone, each in zip(bones, now, strict=True)]
    return Cleaned(tuple(keys), tuple(steep), tuple(now), float(max(angles)), float(off.max()))


def _inside(bone: BoneKeys, frames: int) -> BoolArray:
    inside = np.zeros(frames, dtype=bool)
    for first, last in bone.stretches:
        inside[first : last + 1] = True
    return inside


def _known(bones: Sequence[BoneKeys], frames: int) -> BoolArray:
    """(frames, bones): where a bone and all above it are known."""
    known = np.empty((frames, len(bones)), dtype=bool)
    for row, bone in enumerate(bones):
        known[:, row] = _inside(bone, frames) & (known[:, bone.parent] if bone.parent >= 0 else True)
    return known


def _error(bone: BoneKeys, tolerance: Tolerance) -> Error:
    moved = bone.places(bone.values)

    def error(values: FloatArray) -> FloatArray:
        turned = angle_deg(bone, values) / tolerance.degrees if bone.mode else np.zeros(len(values))
        return np.maximum(turned, 1e3 / tolerance.mm * np.linalg.norm(bone.places(values) - moved, axis=1))

    return error


def angle_deg(bone: BoneKeys, values: FloatArray) -> FloatArray:
    """(frames,): how far a bone is turned off by other values."""
    if not bone.mode:
        return np.zeros(len(values))
    one, other = (as_quaternions(each[:, : bone.angles], bone.mode) for each in (bone.values, values))
    # of small angles the sine is exact where the cosine is not
    apart = np.minimum(np.linalg.norm(one - other, axis=1), np.linalg.norm(one + other, axis=1))
    return np.degrees(4 * np.arcsin(np.clip(0.5 * apart, 0.0, 1.0)))


def as_quaternions(values: FloatArray, mode: str) -> FloatArray:
    """(frames, 4) unit quaternions w x y z of a rotation as Blender keys it: of angles in radians about x, y and z, the first of the mode
    turned first, or of an angle and an axis."""
    if mode == "QUATERNION":
        return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    if mode == "AXIS_ANGLE":
        axis = values[:, 1:] / np.maximum(np.linalg.norm(values[:, 1:], axis=1, keepdims=True), 1e-12)
        half = 0.5 * values[:, :1]
        return np.concatenate([np.cos(half), np.sin(half) * axis], axis=1)
    found = np.zeros((len(values), 4))
    found[:, 0] = 1.0
    for axis in ("XYZ".index(name) for name in mode):
        c, s = np.cos(0.5 * values[:, axis, None]), np.sin(0.5 * values[:, axis, None])
        w, v = found[:, :1], found[:, 1:]
        unit = np.eye(3)[axis]
        found = np.concatenate([c * w - s * (v @ unit)[:, None], c * v + s * (w * unit + np.cross(unit, v))], axis=1)
    return found


def points(bones: Sequence[BoneKeys], values: Sequence[FloatArray]) -> FloatArray:
    """(frames, bones, 6) in metres: where heads and tails are."""
    turned: list[FloatArray] = []
    found = np.empty((len(values[0]), len(bones), 6))
    for row, (bone, own) in enumerate(zip(bones, values, strict=True)):
        local = bone.turn @ bone.rotations(own) @ bone.turn.T
        moved = bone.offset + bone.places(own) @ bone.turn.T
        if bone.parent >= 0:
            above = turned[bone.parent]
            found[:, row, :3] = found[:, bone.parent, :3] + np.einsum("fab,fb->fa", above, moved)
            local = above @ local
        else:
            found[:, row, :3] = moved
        turned.append(local)
        found[:, row, 3:] = found[:, row, :3] + local @ (bone.turn[:, 1] * bone.length)
    return found


def _needed(
    bones: Sequence[BoneKeys], off: FloatArray, now: Sequence[FloatArray], most_mm: float, keys: Sequence[IntArray], allowed: BoolArray
) -> dict[int, list[int]]:
    """{bone: frames in which it needs a key}, so that the joints that are furthest off come nearer."""
    worst = off.max(axis=1)
    peaks = np.flatnonzero((worst > most_mm) & (worst >= np.roll(worst, 1)) & (worst >= np.roll(worst, -1))).tolist()
    angles = [np.radians(angle_deg(bone, each)) for bone, each in zip(bones, now, strict=True)]
    taken = [set(each.tolist()) for each in keys]
    free = np.flatnonzero(allowed)
    more: dict[int, list[int]] = {}
    for frame in peaks if len(free) else ():
        near = int(free[np.argmin(np.abs(free - frame))])
        chain = [int(np.argmax(off[frame]))]
        while bones[chain[-1]].parent >= 0:
            chain.append(bones[chain[-1]].parent)
        reach = np.cumsum([np.linalg.norm(bones[row].offset) + bones[row].length for row in chain])
        moves = np.array([angles[row][frame] * far + _moved(bones[row], now[row], frame) for row, far in zip(chain, reach, strict=True)])
        for row, does in zip(chain, moves, strict=True):
            known = any(first <= near <= last for first, last in bones[row].stretches)
            if does >= SHARE * moves.max() and near not in taken[row] and known:
                more.setdefault(row, []).append(near)
    return more


def _moved(bone: BoneKeys, values: FloatArray, frame: int) -> float:
    """In metres: how far a bone's own location is off in a frame."""
    both = (bone.places(each[frame : frame + 1]) for each in (bone.values, values))
    return float(np.linalg.norm(np.subtract(*both)))


def grid(frames: int, rate_hz: float, keys_hz: float) -> BoolArray:
    """(frames,): those nearest to the frames of another rate, from the first; all where that is not lower."""
    if not 0 < keys_hz < rate_hz:
        return np.ones(frames, dtype=bool)
    found = np.zeros(frames, dtype=bool)
    rows = np.rint(np.arange(0.0, frames - 0.5, rate_hz / keys_hz)).astype(int)
    found[rows[rows < frames]] = True
    return found


def smooth(bone: BoneKeys, seconds: float, rate_hz: float, weight: FloatArray | None = None) -> FloatArray:
    """A bone's values (frames, channels) under a Gaussian whose standard deviation is that many seconds, each stretch by itself.

    Args:
        bone: Whose.
        seconds: 0 changes nothing.
        rate_hz: Frames per second.
        weight: (frames,) how much of it, 0 to 1; None for all.
    """
    found = bone.values.copy()
    if seconds <= 0:
        return found
    for first, last in bone.stretches:
        found[first : last + 1] = smoothed(bone.values[first : last + 1], seconds * rate_hz)
    if weight is not None:
        found = bone.values + weight[:, None] * (found - bone.values)
    if bone.mode == "QUATERNION":
        found[:, :4] /= np.maximum(np.linalg.norm(found[:, :4], axis=1, keepdims=True), 1e-12)
    return found


@dataclass(frozen=True)
class Doubt:
    """Frames in which no marker of a bone is seen.

    Attributes:
        stretches: Of them, first and last.
    """

    stretches: tuple[Stretch, ...] = field(default=())

    def borders(self, frames: int) -> list[int]:
        """The frames before and behind each, which keep their keys."""
        return sorted({each for first, last in self.stretches for each in (first - 1, last + 1) if 0 <= each < frames})

    def kinds(self, keys: IntArray) -> IntArray:
        """(keys,): what kind of key each is."""
        found = np.full(len(keys), USUAL)
        for first, last in self.stretches:
            found[(keys >= first) & (keys <= last)] = BREAKDOWN
            found[(keys == first - 1) | (keys == last + 1)] = EXTREME
        return found
