# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes without labels in which all tracks break at once, as where a recorder drops frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.core.take import Take
from model.labelling.label import label_take
from model.labelling.tracks import OPEN, cut_tracks
from model.labelling.unreached import FEWEST_POINTS, unreached_keys
from model.synthetic.synthesis import Noise, synthesise
from model.synthetic.unlabelled import score, strip_labels


def moving(seed: int) -> Take:
    return synthesise(12.0, 60.0, seed=seed, noise=Noise(gaps=0.0, long_gaps=0, spikes=0.0, swaps=0)).take


def dropped(take: Take, starts: list[int], frames: int) -> Take:
    """The take without any sample in so many frames from each of some."""
    positions = take.positions.copy()
    for start in starts:
        positions[start : start + frames] = np.nan
    return replace(take, positions=positions)


@pytest.mark.parametrize(("seed", "frames"), [(3, 2), (4, 6), (5, 12)])
def test_every_stretch_between_dropped_frames_is_labelled(seed: int, frames: int) -> None:
    starts = sorted(np.random.default_rng(seed).integers(20, 690, 14).tolist())
    stripped = strip_labels(dropped(moving(seed), starts, frames), 2)
    found = label_take(stripped.take)
    labels = [label for label in found.take.labels if not label.startswith("*")]
    result = score(stripped, found.take.positions[:, : len(labels)], labels)
    assert result.right > 0.98
    assert result.wrong < 0.005


def test_key_frames_are_in_what_labels_do_not_reach() -> None:
    take = dropped(moving(6), [100, 300, 308], 3)
    tracks = cut_tracks(take)
    labels = np.where((tracks.starts < 100) | (tracks.starts > 310), tracks.columns, OPEN)
    keys = unreached_keys(tracks, labels)
    # one between 303 and 308, though no track there is long
    assert ((keys.frames >= 103) & (keys.frames < 308)).all()
    assert (keys.frames > 300).any()
    assert keys.there.sum(1).min() > FEWEST_POINTS
    assert not len(unreached_keys(tracks, tracks.columns).frames)


def test_few_tracks_without_a_label_are_nobodys_stretch() -> None:
    tracks = cut_tracks(dropped(moving(6), [200], 3))
    labels = np.where(tracks.columns < 0.4 * tracks.columns.max(), OPEN, tracks.columns)
    assert not len(unreached_keys(tracks, labels).frames)
