# SPDX-License-Identifier: GPL-3.0-or-later
"""A marker set of a given actor's own markers, for actors whose joints are not those that marker sets name."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..marker_sets.marker_set import MarkerSet, Place, bare_name
from .actor import Actor

#: A marker of which a joint moves less than this does not keep its distances to the joint's other markers.
RIGID_WEIGHT = 0.9
#: A rigid group has at least this many markers; so has the core, which says where the body is and where it faces.
FEWEST = 3
#: A take with fewer markers than this, or than this part of the actor's, says too little of its pose.
FEWEST_MARKERS, FEWEST_PART = 12, 0.3


def marker_set_of(actor: Actor, others: MarkerSet) -> MarkerSet:
    """A set of the actor's labels.

    Args:
        actor: Of any hierarchy.
        others: A set that may know the actor's labels under further names.
    """
    groups = _rigid_groups(actor)
    depth = [_depth(actor.skeleton.parents, joint) for joint in range(len(actor.skeleton.joints))]
    core = min(groups, key=lambda name: (depth[actor.skeleton.joints.index(name)], -len(groups[name])), default=None)
    return MarkerSet(
        f"the actor's own, with the names of {others.name}",
        actor.labels,
        tuple(Place(actor.skeleton.joints[joint], label) for joint, label in zip(actor.marker_joints, actor.labels, strict=True)),
        _aliases(actor.labels, others),
        groups,
        _pairs(actor.labels),
        () if core is None else (core,),
        min(FEWEST_MARKERS, max(FEWEST, round(FEWEST_PART * len(actor.labels)))),
    )


def _rigid_groups(actor: Actor) -> dict[str, tuple[str, ...]]:
    """The markers that one joint alone moves, by that joint."""
    groups = {}
    for joint, name in enumerate(actor.skeleton.joints):
        members = np.flatnonzero(actor.weights[:, joint] >= RIGID_WEIGHT)
        if len(members) >= FEWEST:
            groups[name] = tuple(actor.labels[row] for row in members)
    return groups


def _depth(parents: tuple[int, ...], joint: int) -> int:
    return 0 if parents[joint] < 0 else 1 + _depth(parents, parents[joint])


def _aliases(labels: tuple[str, ...], others: MarkerSet) -> Mapping[str, tuple[str, ...]]:
    """What the other set calls the same markers; a name that is a label of the actor, or was given before, is no other's."""
    taken = {bare_name(label) for label in labels}
    aliases = {}
    for label in labels:
        if (known := others.find(label)) is None:
            continue
        names = {bare_name(name): name for name in (known, *others.aliases.get(known, ()))}
        aliases[label] = tuple(name for bare, name in names.items() if bare not in taken)
        taken |= set(names)
    return aliases


def _pairs(labels: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Labels that are named alike but for their side."""
    rights = {bare_name(label): label for label in labels if bare_name(label).startswith("R")}
    return tuple((label, rights[f"R{bare[1:]}"]) for label in labels if (bare := bare_name(label))[:1] == "L" and f"R{bare[1:]}" in rights)
