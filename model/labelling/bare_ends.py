# SPDX-License-Identifier: GPL-3.0-or-later
"""Limbs whose ends carry no markers: a hand or a foot that nobody marked, or all below a knee or an elbow.

A body bends such a limb until its end is where the markers are that are left, a knee's on a foot: nothing else has that label, and a foot
with a single marker turns as it likes. So where labels near the trunk have no track and others farther out on the limb have, its tracks
are tried on the labels nearest to the trunk, and taken where that makes places and poses likelier.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..actors.joint_names import counterparts
from ..core.take import FloatArray, IntArray
from ..proposer.starts import Initialise
from .annealing import pose_cost, pose_terms
from .evidence import MOST, PER_SECOND, WEIGHT, find_evidence
from .following import follow
from .refinement import Refined, group_cost, refine
from .template import THIGHS, Template
from .tracks import OPEN, Tracks

#: Joints at which limbs begin.
LIMBS = (*THIGHS, "LeftArm", "RightArm")
#: A limb is straight whose marker is so far from where it begins, of how far it can be, in the frames of this percentile.
STRAIGHT, MOST_STRAIGHT = 0.9, 95.0


def with_bare_ends(template: Template, tracks: Tracks, refined: Refined, initialise: Initialise | None = None) -> Refined:
    """The labels, those of limbs whose ends have no markers put right.

    Args:
        template: The body.
        tracks: Of the take.
        refined: The labels, and the body that was followed by them.
        initialise: See `follow`.
    """
    for limb in limbs_of(template):
        having = np.flatnonzero(np.isin(limb.outwards, refined.labels))
        if (having == np.arange(len(having))).all():
            continue
        # a single marker may be another limb's, after which this one stretches
        if len(having) > 1 and _reaches(limb, int(having[-1]), tracks, refined):
            continue
        # as few labels as there are markers, or all up to the farthest that is found, as a set may lack some of them
        counts = sorted({len(having), int(having[-1])})
        tried = [refined, *(_drawn_inwards(template, tracks, refined, limb.outwards, count, initialise) for count in counts)]
        refined = min(tried, key=lambda each: _cost(template, tracks, each))
    return refined


@dataclass(frozen=True, eq=False)
class Limb:
    """The labels of a limb.

    Attributes:
        joint: At which it begins.
        outwards: (labels,) rows of the template's, from the trunk outwards.
        reach: (labels,) in metres: how far each is from the joint where the limb is straight.
    """

    joint: int
    outwards: IntArray
    reach: FloatArray


def limbs_of(template: Template) -> Iterator[Limb]:
    """The limbs of a template."""
    actor = template.actor
    places = actor.skeleton.zero_places
    markers = places[template.joints] + actor.marker_offsets
    for joint, name in enumerate(counterparts(actor.skeleton.joints, actor.skeleton.parents)):
        if name in LIMBS:
            rows = np.flatnonzero(actor.skeleton.below[joint][template.joints])
            reach = np.linalg.norm(markers[rows] - places[joint], axis=-1)
            yield Limb(joint, rows[np.argsort(reach)], np.sort(reach))


def _reaches(limb: Limb, farthest: int, tracks: Tracks, refined: Refined) -> bool:
    """Whether the limb is ever about as straight as its farthest label is out: then that is no label nearer to the trunk."""
    at = refined.followed.at.numpy()
    positions, _ = refined.followed.at_frames(at)
    row = limb.outwards[farthest]
    points = tracks.on_labels(np.where(refined.labels == row, 0, OPEN), 1, at)[:, 0]
    away = np.linalg.norm(points - positions[:, limb.joint], axis=-1)
    away = away[np.isfinite(away)]
    return bool(len(away) and np.percentile(away, MOST_STRAIGHT) >= STRAIGHT * limb.reach[farthest])


def _drawn_inwards(
    template: Template, tracks: Tracks, refined: Refined, outwards: IntArray, count: int, initialise: Initialise | None
) -> Refined:
    """The labels of a body whose limb carries only so many markers, the nearest to the trunk; they begin in the order that they have."""
    having = outwards[np.isin(outwards, refined.labels)]
    inwards = np.arange(len(template.labels))
    inwards[having] = outwards[: len(having)]
    kept = np.setdiff1d(inwards, outwards[count:])
    first = np.where(refined.labels == OPEN, OPEN, np.searchsorted(kept, inwards[refined.labels]))
    found = refine(template.only(kept.tolist(), template.name), tracks, first, initialise).labels
    labels = np.where(found == OPEN, OPEN, kept[found])
    followed = follow(template, tracks, labels, initialise=initialise)
    return replace(refined, labels=labels, followed=followed, evidence=find_evidence(template, tracks, labels, followed, gated=False))


def _cost(template: Template, tracks: Tracks, refined: Refined) -> float:
    """How unlikely the places of the labels and the poses are, in the units of a log-likelihood."""
    usual = pose_cost(pose_terms(template.prior.pose), refined.followed.pose)
    independent = WEIGHT * min(MOST, PER_SECOND * tracks.frames / tracks.rate_hz)
    return group_cost(template, tracks, refined) + independent * float(usual.mean())
