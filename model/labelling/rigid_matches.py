# SPDX-License-Identifier: GPL-3.0-or-later
"""Tracks matched with the members of a rigid set by what they are apart: the largest sets of pairings that all go together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..core.take import BoolArray, FloatArray, IntArray

#: How far distances may be from those of a set, in m.
WITHIN_M = 0.012
#: Tracks that are matched together, at least, and where some of them have no label of the segment.
FEWEST, FEWEST_OF_OTHERS = 3, 4
#: Matches that are compared, and how many steps are made to find them: where these do not suffice, nothing is said.
BEST, MOST_STEPS = 6, 4000
#: Distances that have to be known of each that is matched.
KNOWN = 2


@dataclass(frozen=True, eq=False)
class Stretch:
    """Frames in which the same tracks are there.

    Attributes:
        tracks: (m,) which.
        own: (m,) whether each has a label of the segment.
        apart: (m, m) in metres.
        moves: (m, m) in metres, the standard deviation of that.
        frames: How many.
    """

    tracks: IntArray
    own: BoolArray
    apart: FloatArray
    moves: FloatArray
    frames: int

    def only(self, rows: BoolArray) -> Stretch:
        """Some of its tracks."""
        both = np.ix_(rows, rows)
        return replace(self, tracks=self.tracks[rows], own=self.own[rows], apart=self.apart[both], moves=self.moves[both])


def matches(stretch: Stretch, apart: FloatArray) -> list[tuple[IntArray, float]]:
    """The best ways to match tracks with members, of those that match most of them.

    Args:
        stretch: With the tracks.
        apart: (members, members) in metres, NaN where it is not known.

    Returns:
        Of each (members,) the row of the stretch that each is, -1 for none, and how far distances are off, root mean square, in m. None
        where there are too many ways to look at all of them.
    """
    pairings = Pairings(stretch, apart)
    found: list[tuple[int, float, list[int]]] = []
    steps = 0

    def search(chosen: list[int], able: int, squared: float, pairs: int) -> None:
        """Go on from some pairings with those in the bits of `able`, which go with them and are of later members."""
        nonlocal steps
        steps += 1
        most = len(chosen) + sum((able & members) != 0 for members in pairings.of_member)
        if steps > MOST_STEPS or most < max(FEWEST, found[0][0] if found else 0):
            return
        if not able:
            if pairings.all_known(chosen) and (len(chosen) >= FEWEST_OF_OTHERS or all(pairings.own[one] for one in chosen)):
                found.append((len(chosen), (squared / max(pairs, 1)) ** 0.5, chosen))
                found.sort(key=lambda one: (-one[0], one[1]))
                del found[BEST:]
            return
        first = next(members for members in pairings.of_member if able & members)
        for one in _bits(able & first):
            known = [pairings.squared[one][other] for other in chosen if pairings.known[one][other]]
            search([*chosen, one], able & pairings.go_with[one] & ~first, squared + sum(known), pairs + len(known))
        search(chosen, able & ~first, squared, pairs)

    search([], (1 << len(pairings.own)) - 1, 0.0, 0)
    if steps > MOST_STEPS:
        return []
    best = []
    for count, off, chosen in found:
        if count == found[0][0]:
            rows = np.full(len(apart), -1)
            rows[[pairings.members[one] for one in chosen]] = [pairings.rows[one] for one in chosen]
            best.append((rows, off))
    return best


class Pairings:
    """All pairs of a member and a row of a stretch, and which of them go together, as the bits of integers.

    Attributes:
        members, rows: (pairings,) of each.
        own: (pairings,) whether the row has a label of the segment.
        of_member: (members,) the pairings of each, as bits.
        go_with: (pairings,) those that each goes with, as bits: of another member and row, whose distance is right or not known.
        known, squared: (pairings, pairings) whether it is known how far the distance is off, and its square, in m^2.
    """

    def __init__(self, stretch: Stretch, apart: FloatArray) -> None:
        count, many = len(apart), len(stretch.tracks)
        members, rows = (each.ravel() for each in np.meshgrid(np.arange(count), np.arange(many), indexing="ij"))
        off = np.abs(stretch.apart[np.ix_(rows, rows)] - apart[np.ix_(members, members)])
        known = np.isfinite(off)
        goes = (members[:, None] != members) & (rows[:, None] != rows) & (~known | (off <= WITHIN_M))
        # what goes with fewer than two others is in no match
        left = goes.sum(axis=1) >= FEWEST - 1
        self.members, self.rows = members[left].tolist(), rows[left].tolist()
        self.own = stretch.own[rows[left]].tolist()
        goes, self.known = goes[np.ix_(left, left)], known[np.ix_(left, left)].tolist()
        self.squared = np.square(off[np.ix_(left, left)]).tolist()
        self.go_with = _as_bits(goes)
        self.of_member = _as_bits(np.arange(count)[:, None] == members[left])

    def all_known(self, chosen: list[int]) -> bool:
        """Whether enough is known of each of some pairings that go together."""
        return all(sum(self.known[one][other] for other in chosen if other != one) >= KNOWN for one in chosen)


def _as_bits(rows: BoolArray) -> list[int]:
    """Each row as an integer whose bits are its values, the first one the lowest."""
    return [int.from_bytes(row.tobytes(), "little") for row in np.packbits(rows, axis=1, bitorder="little")]


def _bits(number: int) -> Iterator[int]:
    """The places of the bits that are set."""
    while number:
        lowest = number & -number
        yield lowest.bit_length() - 1
        number ^= lowest
