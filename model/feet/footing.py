# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the soles of the feet belong: as still as their markers while they stand, above the floor always.

A sole that stands keeps the place that its markers show without their jitter, or, where feet are locked, one place. Before and after
that, a locked sole comes and goes along a cubic Hermite curve that begins with the speed it has, so that neither place nor speed jumps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.axes import heights, up_vector
from ..core.curves import hermite
from ..core.fading import ease, smoothed, smoothed_within, spread
from ..core.stretches import frames_from
from ..core.take import Axis, BoolArray, FloatArray
from .contacts import Contact, Track, percentile

#: Standard deviation of the filter that takes the jitter out of a standing sole's place, in s: it passes the sway of a body.
SWAY_SECONDS = 0.03
#: How long a correction takes to set in within a contact, and to fade after a locked one, in s.
EASE_SECONDS, FADE_SECONDS = 0.1, 0.2
#: Farther than this from the middle of a contact, in m, the solver does not drift from the markers: it fails there, or they do.
USUAL_DRIFT_M = 0.01
#: How far around a frame a sole is lifted as it must be there, in s: a foot that is kept above the floor does not bounce off it.
LIFT_SECONDS = 0.05
#: This percentile of a sole's heights is the lowest that it gets.
LOWEST_PERCENTILE = 1.0
#: A sole may be lower than it must by this, in m: floors are not known better where its markers are seen, and where they are not.
SEEN_TOLERANCE_M, HIDDEN_TOLERANCE_M = 0.002, 0.03
#: What a sole may miss its place by where others ask for another, in m: a locked one, one that is only kept calm, and, where feet are
#: locked, one that does not stand.
LOCKED_M, CALM_M, FREE_M = 1e-4, 2e-3, 5e-3
#: Rounds in which a locked place is brought to where the soles that stand beside it allow it.
PROJECTIONS = 20


@dataclass(frozen=True, eq=False)
class Footing:
    """What is wanted of one sole.

    Attributes:
        moved: (frames, 3) in metres, from where it is solved to be.
        give: (frames,) in metres, by how much it may be missed.
    """

    moved: FloatArray
    give: FloatArray


def calm_footing(tracks: Sequence[Track], contacts: Sequence[Sequence[Contact]], rate_hz: float, up_axis: Axis) -> list[Footing]:
    """The soles of one foot as still as their markers: each without jitter, and all of them moved alike by what the solver drifts
    from the markers, because the solver knows better than two points how a foot is rotated.

    Args:
        tracks: Of the foot's soles.
        contacts: Of each sole.
        rate_hz: Frames per second.
        up_axis: The axis that points up.
    """
    frames = len(tracks[0].speed)
    parts = [ease(_depth(stands(stood, frames)) / (EASE_SECONDS * rate_hz)) for stood in contacts]
    still, drift = np.zeros((len(tracks), frames, 3)), np.zeros((frames, 3))
    for track, stood, part, own in zip(tracks, contacts, parts, still, strict=True):
        solved = track.solved.mean(axis=1)
        off = np.zeros_like(solved)
        for contact in stood:
            off[contact.frames] = track.places(contact.frames) - solved[contact.frames]
        stretches = [(contact.first, contact.last + 1) for contact in stood]
        calm = smoothed_within(np.concatenate([solved, off], axis=1), stretches, SWAY_SECONDS * rate_hz)
        own[:] = part[:, None] * (calm[:, :3] - solved)
        for contact in stood:
            apart = calm[contact.frames, 3:]
            middle = np.median(apart, axis=0)
            # what fails for a second does not move a stance of half a minute
            middle = apart.clip(middle - USUAL_DRIFT_M, middle + USUAL_DRIFT_M).mean(axis=0)
            drift[contact.frames] += part[contact.frames, None] ** 2 * (apart - middle)
    drift /= np.maximum(np.sum(parts, axis=0), 1e-9)[:, None]
    give = np.full(frames, CALM_M)
    return [Footing(lifted(track, own + drift, rate_hz, up_axis), give) for track, own in zip(tracks, still, strict=True)]


def locked_footing(tracks: Sequence[Track], contacts: Sequence[Sequence[Contact]], rate_hz: float, up_axis: Axis) -> list[Footing]:
    """The soles of one foot, each at one place throughout a contact; see `calm_footing`."""
    places = locked_places(tracks, contacts)
    found = []
    for track, stood in zip(tracks, contacts, strict=True):
        solved = track.solved.mean(axis=1)
        moved = np.zeros_like(solved)
        for contact in stood:
            moved[contact.frames] = places[contact] - solved[contact.frames]
        standing = stands(stood, len(moved))
        free = ease(_depth(~standing) / (FADE_SECONDS * rate_hz))
        moved[~standing] = faded(moved, stood, round(FADE_SECONDS * rate_hz))[~standing]
        lift = lifted(track, moved, rate_hz, up_axis) - moved
        # a floor that the user set is also higher or lower than where the soles stand
        weight = np.ones_like(free) if track.raised else free
        found.append(Footing(moved + weight[:, None] * lift, LOCKED_M + (FREE_M - LOCKED_M) * free))
    return found


def between(calm: Sequence[Footing], locked: Sequence[Footing], strength: float) -> list[Footing]:
    """Part of the way from soles that are only kept calm to locked ones, 0 to 1."""
    return [
        Footing(one.moved + strength * (other.moved - one.moved), one.give + strength * (other.give - one.give))
        for one, other in zip(calm, locked, strict=True)
    ]


def locked_places(tracks: Sequence[Track], contacts: Sequence[Sequence[Contact]]) -> dict[Contact, FloatArray]:
    """Where the soles of one foot stand, (3,) in metres by contact: in the middle of what their markers show.

    Soles that stand together must be as far apart as the foot is long, or it could not reach both: the shorter contact gives way.
    """
    whose = [(contact, track) for track, stood in zip(tracks, contacts, strict=True) for contact in stood]
    whose.sort(key=lambda one: one[0].first - one[0].last)
    places: dict[Contact, FloatArray] = {}
    for contact, track in whose:
        place = track.places(contact.frames).mean(axis=0)
        spheres = []
        for other, other_track in whose:
            both = slice(max(contact.first, other.first), min(contact.last, other.last) + 1)
            if other in places and other.sole != contact.sole and both.start < both.stop:
                apart = track.solved[both].mean(axis=1) - other_track.solved[both].mean(axis=1)
                spheres.append((places[other], np.linalg.norm(apart, axis=-1).mean()))
        # onto each sphere in turn: two of them meet in a circle, on which this ends
        for centre, radius in spheres * PROJECTIONS:
            place = centre + (place - centre) * (radius / np.linalg.norm(place - centre))
        places[contact] = place
    return places


def lifted(track: Track, moved: FloatArray, rate_hz: float, up_axis: Axis) -> FloatArray:
    """A correction (frames, 3) that also lifts a sole that is below its floor and lower than its markers are, or, where one of them is
    missing, lower than they ever are: a foot may roll lower than it stands. Samples are believed here even if they are flagged."""
    shown = heights(track.samples, up_axis).mean(axis=1) + track.raised
    # a frame or two of noise in the markers is no floor
    lowest = np.minimum(track.floor.mean(), -spread(-np.nan_to_num(shown, nan=np.inf)[:, None], 2)[:, 0]) - SEEN_TOLERANCE_M
    lowest[np.isnan(shown)] = percentile(shown, LOWEST_PERCENTILE) - HIDDEN_TOLERANCE_M
    sunk = np.fmax(lowest - heights(track.solved.mean(axis=1) + moved, up_axis), 0.0)
    reach = round(LIFT_SECONDS * rate_hz)
    lift = smoothed(spread(sunk[:, None], reach), 0.5 * max(reach, 1))
    return moved + lift * up_vector(up_axis)


def faded(moved: FloatArray, contacts: Sequence[Contact], reach: int) -> FloatArray:
    """A correction (frames, 3) that is known in the contacts, continued around them: it fades within `reach` frames."""
    nothing = np.zeros(3)
    knots: list[tuple[int, FloatArray, FloatArray]] = []
    for contact in contacts:
        if not knots or contact.first - knots[-1][0] > 2 * reach:
            knots += [(knots[-1][0] + reach, nothing, nothing)] if knots else []
            knots.append((contact.first - reach, nothing, nothing))
        inside = moved[contact.frames]
        knots.append((contact.first, inside[0], inside[1] - inside[0]))
        knots.append((contact.last, inside[-1], inside[-1] - inside[-2]))
    if not knots:
        return np.zeros_like(moved)
    knots.append((knots[-1][0] + reach, nothing, nothing))
    at, values, slopes = (np.array(part) for part in zip(*knots, strict=True))
    return hermite(at, values, slopes, np.clip(np.arange(len(moved)), at[0], at[-1]))


def stands(contacts: Sequence[Contact], frames: int) -> BoolArray:
    """(frames,): True in a contact."""
    standing = np.zeros(frames, dtype=bool)
    for contact in contacts:
        standing[contact.frames] = True
    return standing


def _depth(flags: BoolArray) -> FloatArray:
    """How many frames each True of (frames,) is from the nearest False, 0 where False; nothing is beyond the take."""
    return frames_from(~flags[:, None])[:, 0]
