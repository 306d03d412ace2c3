# SPDX-License-Identifier: GPL-3.0-or-later
"""A limb that is found folded in a part of a take, by labels that are wrong in the same way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.actors import prior as priors
from model.core.take import IntArray
from model.labelling.evidence import find_evidence
from model.labelling.following import follow
from model.labelling.ill_fitting import FEWEST_POINTS, MOST_KEYS, ill_fitting, with_better_fits
from model.labelling.refinement import Refined
from model.labelling.template import Template, template_of_set
from model.labelling.tracks import OPEN, Tracks, cut_tracks
from model.markers.matching import choose_marker_set
from model.synthetic.synthesis import Noise, synthesise

#: From the trunk outwards.
ARM = ("RUPA", "RELB", "RFRM", "RWRA", "RWRB", "RFIN")
LEG = ("LTHI", "LKNE", "LSHN", "LANK", "LHEE", "LTOE", "LMT5")
#: The limb is seen before and behind these frames.
HIDDEN = slice(420, 450)


def hidden(limb: tuple[str, ...], seed: int) -> tuple[Template, Tracks, IntArray, list[int]]:
    """A take of which a limb is hidden for a while: its template, tracks and their labels, and those of the limb."""
    take = synthesise(10.0, 60.0, seed=seed, noise=Noise(gaps=0.0, long_gaps=0, spikes=0.0, swaps=0)).take
    positions = take.positions.copy()
    positions[HIDDEN, [take.labels.index(label) for label in limb]] = np.nan
    template = template_of_set(choose_marker_set(take), priors.bundled())
    tracks = cut_tracks(replace(take, positions=positions))
    labels = np.array([template.labels.index(take.labels[column]) for column in tracks.columns])
    return template, tracks, labels, [template.labels.index(label) for label in limb]


def followed_by(template: Template, tracks: Tracks, labels: IntArray) -> Refined:
    followed = follow(template, tracks, labels)
    return Refined(labels, followed, find_evidence(template, tracks, labels, followed, gated=False), 0)


def drawn_inwards(tracks: Tracks, labels: IntArray, limb: list[int]) -> IntArray:
    """The labels (tracks,), those of the limb one place nearer to the trunk behind where it is hidden; the nearest has none there."""
    later, moved = tracks.starts >= HIDDEN.stop, labels.copy()
    for inner, outer in zip([OPEN, *limb[:-1]], limb, strict=True):
        moved[later & (labels == outer)] = inner
    return moved


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("names", [ARM, LEG])
def test_a_limb_with_wrong_labels_after_it_was_hidden_is_found_again(names: tuple[str, ...], seed: int) -> None:
    template, tracks, labels, limb = hidden(names, seed)
    wrong = followed_by(template, tracks, drawn_inwards(tracks, labels, limb))
    found = with_better_fits(template, tracks, wrong)
    assert (found.labels == labels).all()


def test_what_fits_everywhere_stays_as_it_is() -> None:
    template, tracks, labels, _ = hidden(ARM, 3)
    right = followed_by(template, tracks, labels)
    assert with_better_fits(template, tracks, right) is right


def test_the_costliest_frames_of_each_stretch_are_looked_at() -> None:
    costs = np.full(1000, 20.0)
    costs[100], costs[200:260], costs[300] = 26.0, 40.0, 24.0
    assert ill_fitting(costs).tolist() == [100, 200, 229, 259]
    costs[::4] = np.arange(30.0, 280.0)
    many = ill_fitting(costs)
    assert len(many) == MOST_KEYS
    assert many[-1] == 996
    assert not len(ill_fitting(np.full(5, 20.0)))


def test_a_take_with_few_points_in_any_frame_stays_as_it_is() -> None:
    template, tracks, labels, _ = hidden(ARM, 3)
    few = replace(tracks, ends=np.where(labels < FEWEST_POINTS - 1, tracks.ends, tracks.starts + 5))
    right = followed_by(template, few, labels)
    assert with_better_fits(template, few, right) is right
