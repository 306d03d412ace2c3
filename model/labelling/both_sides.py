# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers of left and right are put on alike: where one sits tells where its other side is.

Both are taken to be off their places on the template by deviations that are normal, of the same variance V on each axis, and that differ
between the sides, once mirrored, by the variance D: they have the correlation 1 - D / 2V. So a set whose sides differ is mirrored rightly,
and the less the template says, the more the other side counts.
"""

from __future__ import annotations

import numpy as np

from ..core.skeleton import CMU_JOINTS, mirrored_joints
from ..core.take import FloatArray, IntArray
from ..marker_sets.marker_set import MarkerSet
from .template import Template, is_technical

#: How differently both sides have a marker, standard deviation along an axis, in m: on landmarks, and of technical markers.
LANDMARK_M, TECHNICAL_M = 0.02, 0.03
#: Each side has a marker by itself along axes on which it is expected as widely as this, in m: labs differ the heights on purpose.
APART_M = 0.05
#: The other side's place is known so much less, in m, until it has been seen for some seconds.
SHORT_M, SHORT_SECONDS = 0.03, 2.0
#: The other side's deviation, on the zero pose's axes.
MIRROR = np.array([-1.0, 1.0, 1.0])
NO_OTHER = -1


def by_other_side(
    template: Template, expected: FloatArray, variance: FloatArray, places: FloatArray, seconds: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Where each label is expected and with which variance, given where the marker of its other side sits; both (..., labels, 3).

    Args:
        template: With the labels.
        expected: (labels, 3) in metres: by the template alone.
        variance: (labels, 3) in m^2: about that.
        places: (..., labels, 3) in metres: where each label's own tracks have it.
        seconds: (..., labels) for how long they do; where that is 0, the other side says nothing.
    """
    others = other_sides(template.marker_set, template.labels)
    if template.marker_set is None or (others == NO_OTHER).all():
        return expected, variance
    lasting = np.where(others == NO_OTHER, 0.0, seconds[..., others])[..., None]
    differing = _differing(template, template.marker_set) ** 2 + SHORT_M**2 * np.exp(-lasting / SHORT_SECONDS)
    correlation = np.where(lasting > 0, np.maximum(1 - differing / (2 * variance), 0.0), 0.0)
    away = (places - expected)[..., others, :] * MIRROR
    return expected + correlation * away, variance * (1 - correlation**2)


def other_sides(marker_set: MarkerSet | None, labels: tuple[str, ...]) -> IntArray:
    """(labels,) index of the label that mirrors each, on the mirrored joint; `NO_OTHER` where there is none."""
    others = np.full(len(labels), NO_OTHER)
    if marker_set is None:
        return others
    joints, mirrored = dict(zip(marker_set.labels, marker_set.joints, strict=True)), dict(zip(CMU_JOINTS, mirrored_joints(), strict=True))
    for left, right in marker_set.pairs:
        if CMU_JOINTS[mirrored[joints[left]]] == joints[right] and left in labels and right in labels:
            one, other = labels.index(left), labels.index(right)
            others[one], others[other] = other, one
    return others


def _differing(template: Template, marker_set: MarkerSet) -> FloatArray:
    """(labels, 3) in metres: how much the sides differ."""
    likes = {label: place.like or label for label, place in zip(marker_set.labels, marker_set.places, strict=True)}
    usual = np.array([TECHNICAL_M if is_technical(likes[label]) else LANDMARK_M for label in template.labels])
    return np.where(template.deviation > APART_M, np.inf, usual[:, None])
