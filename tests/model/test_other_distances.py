# SPDX-License-Identifier: GPL-3.0-or-later
"""Tracks that keep the distances of a label that nothing else has: of a hand with two markers no other marker of the hand tells them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from model.actors import prior as priors
from model.core.take import Take
from model.labelling.evidence import find_evidence
from model.labelling.following import follow
from model.labelling.label import reopened
from model.labelling.other_distances import near_each_other, other_distances, with_own_distances
from model.labelling.refinement import Refined
from model.labelling.template import template_of_set
from model.labelling.tracks import OPEN, Tracks, cut_tracks
from model.marker_sets.marker_set import load_marker_set
from model.synthetic.synthesis import Noise, synthesise

#: Three markers of a forearm, two of a hand, in m; joints are the upper arm's, the forearm's and the hand's.
FOREARM = np.array([[0.0, 0.0, 0.0], [0.03, -0.1, 0.02], [-0.03, -0.2, 0.01]])
HAND = np.array([[0.04, -0.28, 0.0], [-0.05, -0.29, 0.03]])
JOINTS, PARENTS = (1, 1, 1, 2, 2), (-1, 0, 1)
INNER, OUTER = 3, 4


def arm(frames: int = 900, bent: float = 0.0) -> np.ndarray:
    """(frames, markers, 3): an arm that walks, the hand bending a little at the wrist, and so far in radians for a while."""
    bend = 0.06 * np.sin(np.linspace(0.0, 12.0, frames))
    bend[300:380] += bent
    wrist = np.array([0.0, -0.22, 0.0])
    turn = np.zeros((frames, 3, 3))
    turn[:, 1, 1] = turn[:, 2, 2] = np.cos(bend)
    turn[:, 1, 2], turn[:, 2, 1], turn[:, 0, 0] = -np.sin(bend), np.sin(bend), 1.0
    hand = np.einsum("fab,mb->fma", turn, HAND - wrist) + wrist
    both = np.concatenate([np.broadcast_to(FOREARM, (frames, 3, 3)), hand], axis=1)
    return both + np.linspace(0.0, 3.0, frames)[:, None, None] * [1.0, 0.0, 0.0]


def tracks_of(paths: np.ndarray) -> Tracks:
    return cut_tracks(Take("arm", tuple("abcdefgh"[: paths.shape[1]]), paths, np.zeros(paths.shape[:2]), 100.0))


@pytest.fixture
def hidden() -> Tracks:
    """The outer marker of the hand is away from frame 300 to 380, the inner one has a track of its own meanwhile."""
    paths = arm()
    paths[299:381, OUTER] = np.nan
    paths[[299, 380], INNER] = np.nan
    return tracks_of(paths)


def test_joints_next_to_each_other_are_near() -> None:
    near = near_each_other((0, *JOINTS, 3), (*PARENTS, 2))
    assert (near == near.T).all()
    assert near.diagonal().all()
    assert near[0].tolist() == [True, True, True, True, False, False, False]
    assert near[4].tolist() == [False, True, True, True, True, True, True]


def test_a_track_with_the_label_of_a_hidden_neighbour_is_found(hidden: Tracks) -> None:
    labels = hidden.columns.copy()
    wrong = (hidden.columns == INNER) & (hidden.starts == 300)
    labels[wrong] = OUTER
    near = near_each_other(JOINTS, PARENTS)
    (found,) = other_distances(near, hidden, labels)
    assert (found.track, found.label) == (int(np.flatnonzero(wrong)[0]), INNER)
    assert not other_distances(near, hidden, hidden.columns)


def test_a_label_that_something_else_has_is_given_to_nothing(hidden: Tracks) -> None:
    labels = hidden.columns.copy()
    labels[(hidden.columns == INNER) & (hidden.starts == 300)] = OUTER
    taken = np.where((hidden.columns == 0) & (hidden.starts == 0), INNER, labels)
    assert not any(each.label == INNER for each in other_distances(near_each_other(JOINTS, PARENTS), hidden, taken))


@pytest.mark.parametrize("bent", [-1.2, -0.6, -0.3, 0.3, 0.6, 1.2])
@pytest.mark.parametrize("seen", [INNER, OUTER])
def test_a_wrist_that_is_bent_as_nowhere_else_keeps_its_labels(bent: float, seen: int) -> None:
    paths = arm(bent=bent)
    paths[299:381, INNER + OUTER - seen] = np.nan
    paths[[299, 380], seen] = np.nan
    tracks = tracks_of(paths)
    assert not other_distances(near_each_other(JOINTS, PARENTS), tracks, tracks.columns)


def test_many_tracks_are_put_right_in_few_rounds() -> None:
    """In a long take a hand's outer marker is hidden again and again, and the inner one has its label meanwhile."""
    paths = arm(9000)
    for start in range(300, 8700, 200):
        paths[start - 1 : start + 81, OUTER] = np.nan
        paths[[start - 1, start + 80], INNER] = np.nan
    tracks = tracks_of(paths)
    hidden_again = (tracks.columns == INNER) & (tracks.lengths == 80)
    assert hidden_again.sum() == 42
    wrong = np.where(hidden_again, OUTER, tracks.columns)
    found = with_own_distances(near_each_other(JOINTS, PARENTS), tracks, wrong, np.zeros((len(tracks), len(JOINTS))))
    assert (found == tracks.columns).all()


def test_what_the_body_plainly_speaks_against_stays(hidden: Tracks) -> None:
    wrong = (hidden.columns == INNER) & (hidden.starts == 300)
    labels, scores = np.where(wrong, OUTER, hidden.columns), np.zeros((len(hidden), len(JOINTS)))
    scores[wrong, OUTER] = 40.0
    assert (with_own_distances(near_each_other(JOINTS, PARENTS), hidden, labels, scores) == labels).all()


def test_open_tracks_and_short_ones_are_left_alone(hidden: Tracks) -> None:
    near = near_each_other(JOINTS, PARENTS)
    assert not other_distances(near, hidden, np.where(hidden.columns == INNER, OPEN, hidden.columns))
    paths = arm()
    paths[299:321, OUTER] = np.nan
    paths[[299, 320], INNER] = np.nan
    short = tracks_of(paths)
    labels = np.where((short.columns == INNER) & (short.starts == 300), OUTER, short.columns)
    assert not other_distances(near, short, labels)


def test_a_take_of_one_frame_and_one_without_labels_say_nothing() -> None:
    near = near_each_other(JOINTS, PARENTS)
    one = tracks_of(arm(1))
    assert not other_distances(near, one, one.columns)
    assert not other_distances(near, one, np.full(len(one), OPEN))


def test_a_hand_that_is_turned_by_a_wrong_label_is_put_right() -> None:
    """The body is followed by the wrong label, so that the hand agrees with it; what was hidden besides gets its label back."""
    quiet = Noise(jitter=5e-4, gaps=0.0, long_gaps=0, spikes=0.0, swaps=0)
    take = synthesise(8.0, 60.0, seed=4, noise=quiet).take
    template = template_of_set(load_marker_set(), priors.bundled())
    take = take.only([take.labels.index(label) for label in template.labels])
    inner, outer = template.labels.index("LWRA"), template.labels.index("LFIN")
    cut = take.positions.copy()
    cut[299:341, outer] = np.nan
    cut[[299, 340], inner] = np.nan
    # the hidden one is seen for an instant, while its label is another's
    cut[320:323, outer] = take.positions[320:323, outer]
    tracks = cut_tracks(replace(take, positions=cut))
    true = tracks.columns.copy()
    wrong = np.where((true == inner) & (tracks.starts == 300), outer, true)
    wrong[(true == outer) & (tracks.starts == 320)] = OPEN
    with torch.no_grad():
        followed = follow(template, tracks, wrong)
        evidence = find_evidence(template, tracks, wrong, followed, gated=False)
        assert (reopened(template, tracks, Refined(wrong, followed, evidence, 1), None).labels == true).all()
