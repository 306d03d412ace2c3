# SPDX-License-Identifier: GPL-3.0-or-later
"""When the feet of a take stand."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sole:
    """A part of a foot that can stand on the floor.

    Attributes:
        foot: Name of the foot's first joint.
        part: "heel", "ball", or "foot" where the markers do not tell the two apart.
        markers: Rows of its markers among the actor's labels.
    """

    foot: str
    part: str
    markers: tuple[int, ...]


@dataclass(frozen=True)
class Contact:
    """A sole stands from frame `first` to frame `last`, counted from 0, both included."""

    sole: Sole
    first: int
    last: int

    @property
    def frames(self) -> slice:
        return slice(self.first, self.last + 1)
