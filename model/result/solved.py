# SPDX-License-Identifier: GPL-3.0-or-later
"""Of a solved take what a user compares its markers with."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.take import BoolArray, FloatArray


@dataclass(frozen=True)
class Stance:
    """A part of a foot stands from frame `first` to frame `last`, counted from 0, both included.

    Attributes:
        foot: Name of the foot's first joint.
        part: "heel", "ball" or "foot".
        first, last: Frames.
    """

    foot: str
    part: str
    first: int
    last: int


@dataclass(frozen=True, eq=False)
class SolvedMarkers:
    """Where a solve puts each marker.

    Attributes:
        labels: As the file calls them.
        places: (frames, labels, 3) in metres on the take's own axes, for every frame.
        stances: When the feet stand.
        feet: Names of the first joints of all feet that bear markers.
        floor_m: Where they are found to stand, in metres on the take's up axis; None where none does.
    """

    labels: tuple[str, ...]
    places: FloatArray
    stances: tuple[Stance, ...] = ()
    feet: tuple[str, ...] = ()
    floor_m: float | None = None


@dataclass(frozen=True, eq=False)
class SolvedProp:
    """An object that moves in the take; see `Prop`.

    Attributes:
        name: Of the object.
        labels: What the file calls its markers.
        positions: (frames, 3) in metres on the take's own axes.
        rotations: (frames, 4) unit quaternions w x y z, onto the take's axes.
        keyed: (frames,) where it gets a key.
    """

    name: str
    labels: tuple[str, ...]
    positions: FloatArray
    rotations: FloatArray
    keyed: BoolArray
