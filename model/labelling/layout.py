# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found, as a marker set of its own: so that the next takes of a shoot are labelled by it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..actors import prior as priors
from ..actors.actor import Actor
from ..actors.actor_set import marker_set_of
from ..actors.prior import unusual_size
from ..marker_sets.marker_set import MarkerSet, Place, bundled_marker_sets
from .labelled import Labelled

#: How alike the markers are put on in another take, and on another person, in mm.
SPREAD_MM = 15.0


def layout_of(labelled: Labelled) -> MarkerSet:
    """A set of the labels that have samples, at the places on the bones that were found."""
    used = set(labelled.take.labels)
    actor = labelled.actor.only([row for row, label in enumerate(labelled.actor.labels) if label in used])
    return set_of_actor(actor, labelled.take.name, labelled.marker_set)


def set_of_actor(actor: Actor, take_name: str, others: MarkerSet | None = None) -> MarkerSet:
    """A set of an actor's labels, at their places on the bones.

    Args:
        actor: Of the bundled hierarchy.
        take_name: Of the take that it was fitted to.
        others: A set that knows the labels by further names; None for a bundled one.
    """
    own = marker_set_of(actor, others or bundled_marker_sets()[0])
    return replace(own, name=f"found in {take_name}", places=_places(actor))


def _places(actor: Actor) -> tuple[Place, ...]:
    """Where the actor's markers are, in mm from their joints: on a person of usual size where the actor's is unusual."""
    joints, size = actor.skeleton.joints, unusual_size(priors.bundled(), actor) or 1.0
    offsets = np.round(1000.0 * actor.marker_offsets / size, 1).tolist()
    return tuple(
        Place(joints[joint], None, (offset[0], offset[1], offset[2]), (SPREAD_MM, SPREAD_MM, SPREAD_MM))
        for joint, offset in zip(actor.marker_joints, offsets, strict=True)
    )
