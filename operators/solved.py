# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a solve puts each marker, kept on the take: overlay, strip and repairs compare the markers with it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import bpy
import numpy as np

from .takes import keep_numbers

if TYPE_CHECKING:
    from ..model.result.solved import SolvedMarkers

#: Custom properties of a take's collection: labels, their places as (frames, labels, 3) in metres on the take's axes, stances.
LABELS, PLACES, STANCES = "solved_labels", "solved_places", "solved_stances"


def keep_solved(collection: bpy.types.Collection, solved: SolvedMarkers) -> None:
    """Replace what is kept of the solve before."""
    collection[LABELS] = json.dumps(solved.labels)
    keep_numbers(collection, PLACES, solved.places)
    collection[STANCES] = json.dumps([asdict(each) for each in solved.stances])


def solved_of(collection: bpy.types.Collection) -> SolvedMarkers | None:
    """What the last solve said; None without one, or where it is not of this take's frames."""
    from ..model.result.solved import SolvedMarkers, Stance

    if not collection.bonesetter.solved or PLACES not in collection:
        return None
    labels = tuple(json.loads(collection[LABELS]))
    places = np.array(collection[PLACES], dtype=np.float32)
    frames = collection.bonesetter.frames
    if places.size != frames * len(labels) * 3:
        return None
    stances = tuple(Stance(**each) for each in json.loads(collection[STANCES]))
    return SolvedMarkers(labels, places.reshape(frames, len(labels), 3), stances)
