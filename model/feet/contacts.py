# SPDX-License-Identifier: GPL-3.0-or-later
"""When a foot stands, found from its markers: low, and still.

A foot is what hangs on the lowest joints of the zero pose, whatever they are called. It touches the floor with its heel and its ball;
each of these soles is the mean of the markers that sit there. A sole stands from where it is low and slow until it clearly is not any
more (hysteresis, as Canny 1986 follows edges), so that noise does not break a stance into pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..actors.actor import Actor
from ..core.axes import heights
from ..core.distances import squared_lengths
from ..core.stretches import stretches
from ..core.take import Axis, BoolArray, FloatArray
from ..result.contacts import Contact, Sole

#: A joint belongs to a foot below this part of the body's height in the zero pose.
FOOT_HEIGHT = 0.1
#: Of a foot's markers from back to front, this part at either end is the heel's and the ball's; they are not told apart where all of them
#: are spread by less than this, in m.
END, LEAST_LENGTH_M = 0.35, 0.08
#: Speed is the mean over this time, in s: a millimetre of jitter at 120 Hz would be 0.2 m/s from frame to frame.
SPEED_SECONDS = 0.1
#: Speed in m/s and height above the floor in m below which a sole stands, and above which it does not any more: people who stand sway
#: at 0.05 m/s, those who shuffle reach 0.2 m/s.
SPEEDS, HEIGHTS_M = (0.08, 0.15), (0.03, 0.045)
#: A marker's floor is this percentile of its heights while it is slow: as a foot pushes off, its toes go lower than they stand.
FLOOR_PERCENTILE = 5.0
#: A shorter stance is none, a shorter break in one is none, in s.
LEAST_STANCE_S, LEAST_BREAK_S = 0.1, 0.05
#: While a sole stands, it keeps this near to one place, in m; one that does so for less than half of the time slides.
REACH_M = 0.025


@dataclass(frozen=True, eq=False)
class Track:
    """Where the markers of a sole are.

    Attributes:
        sole: Which.
        samples: (frames, the sole's markers, 3) in metres, as the file has them; NaN where there is none.
        seen: The same without those that were flagged as noise.
        solved: The same, where the solver puts them.
        floor: (the sole's markers,) height of each on the floor, in metres on the take's axis; NaN where it is never slow.
        speed: (frames,) in m/s.
        height: (frames,) above the floor, in m.
        raised: By how much the floor is higher than the markers show it, in m, as the user says.
    """

    sole: Sole
    samples: FloatArray
    seen: FloatArray
    solved: FloatArray
    floor: FloatArray
    speed: FloatArray
    height: FloatArray
    raised: float = 0.0

    def above(self, raised: float) -> Track:
        """The same above a floor that is higher by this, in m."""
        return replace(self, floor=self.floor + raised, height=self.height - raised, raised=self.raised + raised)

    def places(self, frames: slice) -> FloatArray:
        """(frames, 3) in metres: the sole in some frames as its markers show it. A marker that is missing is where the solver puts it,
        moved by as much as the two are apart where it is seen, so that the sole does not jump as it goes."""
        seen, solved = self.seen[frames], self.solved[frames]
        known = np.isfinite(seen)
        apart = np.where(known, seen - solved, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        return np.where(known, seen, solved + apart).mean(axis=1)


def find_soles(actor: Actor) -> tuple[Sole, ...]:
    """The soles of an actor, foot by foot; none where a foot carries no marker."""
    skeleton = actor.skeleton
    places = skeleton.zero_places
    heights = np.concatenate([places[:, 1], (places + skeleton.bones)[:, 1]])
    low = places[:, 1] < heights.min() + FOOT_HEIGHT * np.ptp(heights)
    foot_of = np.full(len(low), -1)
    for joint, parent in enumerate(skeleton.parents):
        if low[joint] and parent >= 0:
            foot_of[joint] = foot_of[parent] if foot_of[parent] >= 0 else joint
    carriers = list(actor.marker_joints)
    forward = (places[carriers] + actor.marker_offsets)[:, 2]
    soles: list[Sole] = []
    for foot in dict.fromkeys(foot_of[foot_of >= 0].tolist()):
        soles += _parts(skeleton.joints[foot], np.flatnonzero(foot_of[carriers] == foot), forward)
    return tuple(soles)


def _parts(foot: str, rows: NDArray[np.intp], forward: FloatArray) -> list[Sole]:
    """The soles of a foot with the markers `rows`; `forward` says how far ahead each marker sits, in m."""
    if not len(rows):
        return []
    back, front = forward[rows].min(), forward[rows].max()
    if front - back < LEAST_LENGTH_M:
        return [Sole(foot, "foot", tuple(rows.tolist()))]
    part = (forward[rows] - back) / (front - back)
    return [Sole(foot, "heel", tuple(rows[part < END].tolist())), Sole(foot, "ball", tuple(rows[part > 1 - END].tolist()))]


def follow(sole: Sole, samples: FloatArray, trusted: BoolArray, solved: FloatArray, rate_hz: float, up_axis: Axis) -> Track:
    """Where a sole is and how fast; where none of its markers is seen, the solver's speak for them.

    Args:
        sole: Which.
        samples: (frames, the sole's markers, 3) in metres, as the file has them; NaN where there is none.
        trusted: (frames, the sole's markers): not flagged. A filled gap is none: it is a guess, and the solver knows better.
        solved: (frames, the sole's markers, 3) in metres: where the solver puts them.
        rate_hz: Frames per second.
        up_axis: The axis that points up.
    """
    seen = np.where(trusted[..., None], samples, np.nan)
    seen_speed, solved_speed = speeds(seen, rate_hz), speeds(solved, rate_hz)
    floor, solved_floor = _floor(heights(seen, up_axis), seen_speed), _floor(heights(solved, up_axis), solved_speed)
    height = _seen_or_solved(heights(seen, up_axis) - floor, heights(solved, up_axis) - solved_floor)
    return Track(sole, samples, seen, solved, floor, _seen_or_solved(seen_speed, solved_speed), height)


def find_contacts(track: Track, rate_hz: float) -> tuple[Contact, ...]:
    """When a sole stands, from the first contact to the last."""
    enters, stays = ((track.speed < speed) & (track.height < height) for speed, height in zip(SPEEDS, HEIGHTS_M, strict=True))
    places, contacts = track.places(slice(None)), []
    for first, last in _spans(enters, stays, round(LEAST_BREAK_S * rate_hz)):
        held_first, held_last = _held(places[first : last + 1])
        if held_last - held_first + 1 >= max(2, LEAST_STANCE_S * rate_hz):
            contacts.append(Contact(track.sole, first + held_first, first + held_last))
    return tuple(contacts)


def as_given(soles: Sequence[Sole], contacts: Sequence[Sequence[Contact]], stands: BoolArray) -> list[tuple[Contact, ...]]:
    """The contacts of a foot's soles where the user says when the foot stands.

    Where it does not, no sole does. Where it does and no sole was found to, those go on that stand just before or after, else all of them.

    Args:
        soles: Of the foot.
        contacts: Of each of them, as they were found.
        stands: (frames,) whether the foot stands.
    """
    found = np.zeros((len(contacts), len(stands)), dtype=bool)
    for row, stood in zip(found, contacts, strict=True):
        for contact in stood:
            row[contact.frames] = True
    standing = found & stands
    for start, end in stretches(stands & ~found.any(axis=0)).tolist():
        beside = found[:, max(start - 1, 0)] | found[:, min(end, len(stands) - 1)]
        standing[beside if beside.any() else slice(None), start:end] = True
    return [
        tuple(Contact(sole, start, end - 1) for start, end in stretches(row).tolist() if end - start > 1)
        for sole, row in zip(soles, standing, strict=True)
    ]


def speeds(points: FloatArray, rate_hz: float) -> FloatArray:
    """Speeds (frames, points) in m/s over `SPEED_SECONDS` about each frame of points (frames, points, 3); NaN where either end is."""
    reach = max(1, round(0.5 * SPEED_SECONDS * rate_hz))
    frames = np.arange(len(points))
    before, after = np.maximum(frames - reach, 0), np.minimum(frames + reach, len(points) - 1)
    seconds = np.maximum(after - before, 1)[:, None] / rate_hz
    return np.sqrt(squared_lengths(points[after] - points[before])) / seconds


def _floor(heights: FloatArray, speed: FloatArray) -> FloatArray:
    """Height (points,) of each point while it stands on the floor, from heights and speeds (frames, points)."""
    return np.array([percentile(height[slow], FLOOR_PERCENTILE) for height, slow in zip(heights.T, (speed < SPEEDS[0]).T, strict=True)])


def percentile(values: FloatArray, percent: float) -> float:
    """Of those that are known; NaN where none is."""
    known = values[np.isfinite(values)]
    return float(np.percentile(known, percent)) if len(known) else np.nan


def _seen_or_solved(seen: FloatArray, solved: FloatArray) -> FloatArray:
    """Mean (frames,) over a sole's markers (frames, markers): of those that are known, or, where none is, of the solver's."""
    known = np.isfinite(seen)
    count = known.sum(axis=1)
    return np.where(count > 0, np.where(known, seen, 0.0).sum(axis=1) / np.maximum(count, 1), solved.mean(axis=1))


def _spans(enters: BoolArray, stays: BoolArray, least_break: int) -> list[tuple[int, int]]:
    """First and last frames of the runs of `stays` (frames,), shorter breaks bridged, in which `enters` (frames,) holds somewhere."""
    merged: list[tuple[int, int]] = []
    for start, end in stretches(stays).tolist():
        if merged and start - merged[-1][1] - 1 < least_break:
            merged[-1] = merged[-1][0], end - 1
        else:
            merged.append((start, end - 1))
    return [(first, last) for first, last in merged if enters[first : last + 1].any()]


def _held(places: FloatArray) -> tuple[int, int]:
    """First and last index of the longest run in which a point (frames, 3) keeps near to its median; an empty one where it slides."""
    near = squared_lengths(places - np.median(places, axis=0)) < REACH_M**2
    start, end = max(stretches(near).tolist(), key=lambda stretch: stretch[1] - stretch[0], default=(0, 0))
    return (start, end - 1) if 2 * (end - start) > len(places) else (0, -1)
