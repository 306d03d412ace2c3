# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels that are told by distances: stretches in which the markers of a bone have one another's labels."""

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
from model.labelling.refinement import Refined
from model.labelling.rigidity import mixed_up, stretch, unlike
from model.labelling.template import template_of_set
from model.labelling.tracks import OPEN, Tracks, cut_tracks
from model.marker_sets.marker_set import load_marker_set
from model.synthetic.synthesis import Noise, synthesise

#: Four markers of a head, in m.
HEAD = np.array([[0.07, 0.15, 0.06], [0.07, 0.07, -0.06], [-0.06, 0.07, -0.06], [-0.06, 0.16, 0.07]])


def turning(places: np.ndarray, frames: int) -> np.ndarray:
    """(frames, markers, 3): places that turn about the vertical and walk."""
    angle = np.linspace(0.0, 3.0, frames)
    turn = np.zeros((frames, 3, 3))
    turn[:, 0, 0] = turn[:, 2, 2] = np.cos(angle)
    turn[:, 0, 2], turn[:, 2, 0], turn[:, 1, 1] = np.sin(angle), -np.sin(angle), 1.0
    return np.einsum("fab,mb->fma", turn, places) + np.linspace(0.0, 2.0, frames)[:, None, None] * [1.0, 0.0, 0.0]


def tracks_of(paths: np.ndarray, gap: slice) -> Tracks:
    """Two tracks a column: before and after a gap."""
    paths = paths.copy()
    paths[gap] = np.nan
    return cut_tracks(Take("head", tuple("abcdefgh"[: paths.shape[1]]), paths, np.zeros(paths.shape[:2]), 100.0))


@pytest.fixture(scope="module")
def head() -> Tracks:
    return tracks_of(turning(HEAD, 600), slice(450, 455))


def test_right_labels_keep_their_distances(head: Tracks) -> None:
    assert len(head) == 8
    assert not unlike(np.zeros(4, dtype=int), head, head.columns).any()


def test_a_stretch_with_one_anothers_labels_mixed_up_the_rest(head: Tracks) -> None:
    late = head.starts > 400
    turned = np.where(late, (head.columns + 1) % 4, head.columns)
    parts = unlike(np.zeros(4, dtype=int), head, turned)
    assert mixed_up(parts, head).tolist() == late.tolist()
    # two that are exchanged; the others differ to these alone
    pair = np.where(late, np.array([0, 3, 2, 1])[head.columns], head.columns)
    parts = unlike(np.zeros(4, dtype=int), head, pair)
    assert parts[late & np.isin(pair, [1, 3])].min() > parts[late & np.isin(pair, [0, 2])].max() - 1e-9
    assert not parts[~late].any()


def test_labels_of_two_and_open_tracks_are_not_judged(head: Tracks) -> None:
    late = head.starts > 400
    turned = np.where(late, (head.columns + 1) % 4, head.columns)
    assert not unlike(np.array([0, 0, 1, 1]), head, turned).any()
    left = np.where(late, OPEN, head.columns)
    assert not unlike(np.zeros(4, dtype=int), head, left).any()


def test_a_short_track_is_not_spoken_of() -> None:
    short = tracks_of(turning(HEAD, 475), slice(450, 455))
    turned = np.where(short.starts > 400, (short.columns + 1) % 4, short.columns)
    parts = unlike(np.zeros(4, dtype=int), short, turned)
    assert parts[short.starts > 400].min() > 0.6
    assert not mixed_up(parts, short).any()


def test_what_moves_against_the_others_stretches(head: Tracks) -> None:
    paths = turning(HEAD, 600)
    paths[:, 3, 1] += 0.05 * np.sin(np.linspace(0.0, 20.0, 600))
    tracks = tracks_of(paths, slice(0, 0))
    changes = stretch(tracks, tracks.columns, 4, np.arange(0, 600, 7))
    assert np.nanmax(changes[:3, :3]) < 1e-9
    assert np.nanmin(changes[3, :3]) > 0.002
    assert np.isnan(np.diag(changes)).all()


def test_a_head_that_is_mixed_up_for_a_while_is_put_right() -> None:
    """The body is followed by the wrong labels, so that it agrees with them; only the distances tell."""
    quiet = Noise(jitter=5e-4, gaps=0.0, long_gaps=0, spikes=0.0, swaps=0)
    take = synthesise(6.0, 60.0, seed=4, noise=quiet).take
    template = template_of_set(load_marker_set(), priors.bundled())
    take = take.only([take.labels.index(label) for label in template.labels])
    cut = take.positions.copy()
    on_head = [template.labels.index(label) for label in ("LFHD", "LBHD", "RBHD", "RFHD")]
    cut[270:276, on_head] = np.nan
    tracks = cut_tracks(replace(take, positions=cut))
    true = tracks.columns.copy()
    late = (tracks.starts > 250) & np.isin(true, on_head)
    assert late.sum() == 4
    turned = true.copy()
    turned[late] = [on_head[(on_head.index(label) + 1) % 4] for label in true[late].tolist()]
    with torch.no_grad():
        followed = follow(template, tracks, turned)
        wrong = Refined(turned, followed, find_evidence(template, tracks, turned, followed, gated=False), 1)
        assert (reopened(template, tracks, wrong, None).labels == true).all()
        right = Refined(true, followed, wrong.evidence, 1)
        assert reopened(template, tracks, right, None) is right
