# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers of left and right that are put on alike, as evidence of which point is which marker."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from model.actors import prior as priors
from model.core.take import FloatArray, IntArray
from model.labelling.assignment import assign_tracks
from model.labelling.both_sides import NO_OTHER, by_other_side, other_sides
from model.labelling.evidence import Evidence, find_evidence
from model.labelling.following import Followed, follow
from model.labelling.refinement import grouped, regrouped
from model.labelling.template import Template, template_of_set
from model.labelling.tracks import OPEN, Tracks, cut_tracks
from model.marker_sets.marker_set import MarkerSet
from model.synthetic.synthesis import Noise, synthesise
from model.synthetic.unlabelled import strip_labels

QUIET = Noise(jitter=5e-4, gaps=0.02, long_gaps=2, spikes=0.0, swaps=0)
#: Where a person has the markers of both wrists, from where the set has them, in m: nearer to each other's places than to their own.
CROSSED = {"WRA": (0.0, 0.03, -0.1), "WRB": (0.0, -0.03, 0.08)}


@pytest.fixture
def template(marker_set: MarkerSet) -> Template:
    return template_of_set(marker_set, priors.bundled())


def unlabelled(template: Template, off: dict[str, tuple[float, float, float]] | None = None) -> tuple[Tracks, IntArray]:
    """Tracks of a synthetic person, and their true labels.

    Args:
        template: Of the bundled set.
        off: {label without its side: how far from the template's place both sides have it, in m, mirrored alike}.
    """
    prior = priors.bundled()
    labels, offsets = prior.mean_actor().labels, prior.actor.offset_mean.copy()
    for name, away in (off or {}).items():
        for side in "LR":
            offsets[labels.index(side + name)] += away
    take = synthesise(4.0, 60.0, seed=2, noise=QUIET, prior=replace(prior, actor=replace(prior.actor, offset_mean=offsets))).take
    stripped = strip_labels(take, 0)
    tracks = cut_tracks(stripped.take)
    owner = stripped.truth[tracks.starts, tracks.columns]
    return tracks, np.array([template.labels.index(stripped.names[name]) for name in owner])


def judged(template: Template, tracks: Tracks, labels: IntArray) -> tuple[Followed, Evidence]:
    with torch.no_grad():
        followed = follow(template, tracks, labels)
        return followed, find_evidence(template, tracks, labels, followed, gated=False)


def expectations(template: Template, label: str, away: tuple[float, float, float], seconds: float) -> tuple[FloatArray, FloatArray]:
    """By how much every label (labels, 3) is expected elsewhere if one sits so far from its place, in m, and its variance."""
    expected = template.placement.offset_mean
    places, lasting, row = expected.copy(), np.zeros(len(template.labels)), template.labels.index(label)
    places[row] += away
    lasting[row] = seconds
    means, variances = by_other_side(template, expected, template.deviation**2, places, lasting)
    return means - expected, variances


def test_a_marker_is_expected_as_far_from_its_place_as_its_other_side(template: Template) -> None:
    moved, variances = expectations(template, "RWRB", (0.02, 0.01, 0.03), 60.0)
    row = template.labels.index("LWRB")
    part = moved[row] / (-0.02, 0.01, 0.03)
    assert ((part > 0.5) & (part < 1.0)).all()
    assert (variances[row] < template.deviation[row] ** 2).all()
    assert not np.delete(moved, row, axis=0).any()
    shortly, _ = expectations(template, "RWRB", (0.02, 0.01, 0.03), 0.1)
    assert np.linalg.norm(shortly[row]) < 0.5 * np.linalg.norm(moved[row])


def test_technical_markers_are_at_heights_of_their_own(template: Template) -> None:
    moved, _ = expectations(template, "RTHI", (0.02, 0.05, 0.02), 60.0)
    left, up, forward = moved[template.labels.index("LTHI")]
    assert up == 0.0
    assert left < 0 < forward


def test_markers_of_the_middle_have_no_other_side(template: Template) -> None:
    others = other_sides(template.marker_set, template.labels)
    assert others[template.labels.index("STRN")] == NO_OTHER
    assert others[template.labels.index("LKNE")] == template.labels.index("RKNE")
    assert (other_sides(None, template.labels) == NO_OTHER).all()


def test_what_the_template_has_crossed_the_other_side_tells(template: Template) -> None:
    tracks, true = unlabelled(template, CROSSED)
    wrist = [template.labels.index(label) for label in ("LWRA", "LWRB")]
    given = np.where(np.isin(true, wrist), OPEN, true)
    _, evidence = judged(template, tracks, given)
    assert assign_tracks(evidence.scores, tracks).tolist() == true.tolist()


def test_exchanged_on_both_sides_alike_they_are_put_back(template: Template) -> None:
    """Each side speaks for the other one's mistake, and the template against both."""
    tracks, true = unlabelled(template)
    exchange = np.arange(len(template.labels))
    for side in "LR":
        pair = [template.labels.index(side + name) for name in ("WRA", "WRB")]
        exchange[pair] = pair[::-1]
    wrong = exchange[true]
    followed, evidence = judged(template, tracks, wrong)
    groups = grouped(template, tracks, wrong, evidence, followed)
    assert groups.cost(exchange) < groups.cost(np.arange(len(exchange)))
    assert regrouped(template, tracks, wrong, evidence, followed).tolist() == true.tolist()
