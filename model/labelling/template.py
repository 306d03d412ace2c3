# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates: a body with labels at expected places, which is looked for in points without names."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..actors.actor import Actor
from ..actors.joint_names import counterparts
from ..actors.placement import Placement
from ..actors.prior import Prior
from ..core.take import FloatArray
from ..marker_sets.marker_set import MarkerSet

#: Where technical markers are put: standard deviations in mm on the zero pose's axes (left, up, forward). They mark no bone's landmark, and
#: labs put those of left and right at different heights on purpose. Markers in the middle of the trunk stay in the middle.
TECHNICAL_MM = {
    "C7": (12, 25, 15),
    "T10": (12, 50, 20),
    "CLAV": (12, 25, 15),
    "STRN": (12, 50, 20),
    "RBAC": (50, 60, 25),
    **dict.fromkeys(("LTHI", "RTHI", "LSHN", "RSHN"), (30, 70, 30)),
    **dict.fromkeys(("LUPA", "RUPA", "LFRM", "RFRM"), (70, 30, 30)),
}
#: How differently markers on landmarks are put, in m: labs differ more than the few actors that the prior has learned from.
LANDMARK_M = 0.025
#: Of the deviation of a technical marker this is the part by which it is expected anywhere.
TECHNICAL_M = 0.055
#: Of a marker of a given actor.
GIVEN_M = 0.012


#: Joints at which the legs begin.
THIGHS = ("LeftUpLeg", "RightUpLeg")


@dataclass(frozen=True, eq=False)
class Template:
    """What is looked for.

    Attributes:
        name: Of the marker set, or of the actor.
        prior: Of poses and bones.
        placement: Of the labels: `offset_deviation` is how freely the solver may move them.
        deviation: (labels, 3) in metres, on the zero pose's axes: how far from its place each label is expected.
        actor: To begin with.
        given: Whether the actor is the take's own.
        marker_set: Of the labels, which are all or some of its; None where they are an actor's, or were made of tracks.
        made: Whether the labels were made of tracks.
        half: Whether these are the labels of half of a body, see `halves`.
    """

    name: str
    prior: Prior
    placement: Placement
    deviation: FloatArray
    actor: Actor
    given: bool = False
    marker_set: MarkerSet | None = None
    made: bool = False
    half: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        return self.placement.labels

    @property
    def joints(self) -> list[int]:
        """(labels,) index of the joint that carries each."""
        return list(self.placement.joints)

    @property
    def spread(self) -> FloatArray:
        """(labels,) in metres: the deviation along an axis, whichever the axis is."""
        return self.placement.offset_deviation.mean(axis=-1)

    def scaled(self, size: float) -> Template:
        """The same of another size."""
        return replace(self, actor=self.actor.of_size(size))

    def halves(self) -> tuple[Template, ...]:
        """The same with the markers of pelvis and legs only, and of all but the legs; none where one of these is all there are."""
        skeleton = self.actor.skeleton
        thighs = [name in THIGHS for name in counterparts(skeleton.joints, skeleton.parents)]
        on_legs = np.asarray(skeleton.below[np.array(thighs)].any(axis=0))[self.joints]
        with_root = on_legs | (np.array(self.joints) == 0)
        if with_root.all() or not on_legs.any():
            return ()
        halves = {"legs": with_root, "upper body": ~on_legs}
        found = (self.only(np.flatnonzero(own).tolist(), f"{self.name}: {half}") for half, own in halves.items())
        return tuple(replace(each, half=True) for each in found)

    def only(self, rows: list[int], name: str) -> Template:
        """The same with some of its markers, in that order."""
        some = self.placement.only(rows), self.deviation[rows], self.actor.only(rows)
        return replace(self, name=name, placement=some[0], deviation=some[1], actor=some[2])


def is_technical(label: str) -> bool:
    """Whether a marker of the CMU set marks no landmark."""
    return label in TECHNICAL_MM and label not in ("C7", "CLAV")


def template_of_set(marker_set: MarkerSet, prior: Prior) -> Template:
    """A person of mean build with a set's markers.

    Args:
        marker_set: Whose labels are given.
        prior: The bundled one, not centred.
    """
    centred = prior.centred(marker_set)
    place = centred.placement(marker_set, marker_set.labels)
    learned = np.linalg.norm(place.offset_deviation, axis=-1) / np.sqrt(3)
    likes = [where.like or label for label, where in zip(marker_set.labels, marker_set.places, strict=True)]
    spread = np.maximum(learned, [TECHNICAL_M if is_technical(like) else LANDMARK_M for like in likes])
    deviation = np.repeat(np.maximum(spread, 0.02)[:, None], 3, axis=1)
    for row, (like, where) in enumerate(zip(likes, marker_set.places, strict=True)):
        if like in TECHNICAL_MM and where.offset_mm is None:
            deviation[row] = np.array(TECHNICAL_MM[like]) * 1e-3
    wide = replace(place, offset_deviation=np.maximum(place.offset_deviation, spread[:, None]))
    return Template(marker_set.name, centred, wide, deviation, centred.mean_actor(wide), marker_set=marker_set)


def template_of_actor(actor: Actor, prior: Prior, name: str = "actor") -> Template:
    """A person who is known.

    Args:
        actor: Fitted before, of the prior's hierarchy.
        prior: Of its poses.
        name: For people.
    """
    sigma = np.full_like(actor.marker_offsets, GIVEN_M)
    if actor.offset_sigma is not None:
        sigma = np.fmax(sigma, np.minimum(actor.offset_sigma, LANDMARK_M))
    joints = tuple(actor.marker_joints)
    place = Placement(actor.labels, joints, actor.marker_offsets, sigma, joints)
    return Template(name, prior, place, sigma, actor, given=True)
