# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is in a take: by the names of the markers, or by motion where there are none."""

from __future__ import annotations

from dataclasses import replace

from ..actors.actor import Actor
from ..core.axes import pointing_up
from ..core.progress import Progress
from ..core.settings import Settings
from ..core.take import Take
from ..marker_sets.marker_set import MarkerSet
from ..markers.matching import TooFewLabelsError, choose_marker_set, match_all
from ..markers.people import people_of


def everybody(
    take: Take, settings: Settings, actor: Actor | None, marker_set: MarkerSet | None, progress: Progress
) -> list[tuple[Take, MarkerSet | None]]:
    """A take for each person, and the marker set of its labels where that is known.

    Args:
        take: As read.
        settings: Which axis points up, and how many threads look for labels.
        actor: Given, or None: of another hierarchy it has labels of its own, and people are told apart by names alone.
        marker_set: Given, or None.
        progress: Called with the part that is done.
    """
    people = people_of(take, marker_set)
    if len(people) > 1 or (actor is not None and marker_set is None):
        return [(person, marker_set) for person in people]
    try:
        match_all(take, marker_set or choose_marker_set(take))
    except TooFewLabelsError:
        # not above: takes with labels do not wait for it
        from ..labelling.people import label_people

        upright = pointing_up(take, settings.up)
        found = label_people(upright, actor, marker_set, None, lambda _stage, part: progress(part), settings.workers or None)
        if found:
            # the file has these samples in other columns: no copy of it can be patched by its labels
            return [(replace(person.take, source=None), person.marker_set or marker_set) for person in found]
    return [(take, marker_set)]
