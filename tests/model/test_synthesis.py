# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest

from model.marker_sets.marker_set import MarkerSet
from model.markers.matching import match
from model.synthetic.synthesis import Noise, SyntheticTake, synthesise


def test_the_same_seed_gives_the_same_take(synthetic: SyntheticTake) -> None:
    np.testing.assert_array_equal(synthesise(seed=1).take.positions, synthetic.take.positions)
    assert not np.array_equal(synthesise(seed=2).take.positions, synthetic.take.positions, equal_nan=True)


def test_it_is_a_take_of_the_marker_set(synthetic: SyntheticTake, marker_set: MarkerSet) -> None:
    assert match(synthetic.take, marker_set).labels == marker_set.labels
    assert synthetic.take.frames == 1200


def test_the_person_stands_on_the_floor_and_moves_smoothly(synthetic: SyntheticTake) -> None:
    head = synthetic.markers[:, synthetic.take.labels.index("LFHD"), 2]
    assert synthetic.markers[..., 2].min() > -0.05
    assert 1.4 < head[0] < 2.0
    assert head.min() < head.max() - 0.15  # it squats
    speed = np.linalg.norm(np.diff(synthetic.markers, axis=0), axis=-1) * 120
    assert 1.0 < speed.max() < 8.0
    bend = np.linalg.norm(np.diff(synthetic.markers, n=2, axis=0), axis=-1) * 120**2
    assert bend.max() < 300


def test_the_truth_is_consistent(synthetic: SyntheticTake) -> None:
    turns = synthetic.motion.rotations
    np.testing.assert_allclose(turns @ turns.swapaxes(-1, -2), np.broadcast_to(np.eye(3), turns.shape), atol=1e-6)
    positions, _ = synthetic.motion.forward()
    lengths = np.linalg.norm(positions[:, 3] - positions[:, 2], axis=-1)
    assert np.ptp(lengths) == pytest.approx(0.0, abs=1e-6)


def test_the_noise_is_as_asked() -> None:
    quiet = Noise(jitter=0.0, gaps=0.0, long_gaps=0, spikes=0.0, swaps=0)
    none = synthesise(seconds=2.0, noise=quiet)
    np.testing.assert_array_equal(none.take.positions, none.markers)
    jitter = synthesise(seconds=2.0, noise=Noise(jitter=1e-3, gaps=0.0, long_gaps=0, spikes=0.0, swaps=0))
    assert np.std(jitter.take.positions - jitter.markers) == pytest.approx(1e-3, rel=0.05)


def test_the_usual_noise_has_gaps_long_ones_and_spikes(synthetic: SyntheticTake) -> None:
    missing = ~synthetic.take.present
    assert 0.02 < missing.mean() < 0.08
    edges = np.diff(np.pad(missing, ((1, 1), (0, 0))).astype(int), axis=0)
    assert max(np.flatnonzero(e == -1).max(initial=0) - np.flatnonzero(e == 1).min(initial=0) for e in edges.T) > 120
    off = np.linalg.norm(synthetic.take.positions - synthetic.markers, axis=-1)
    assert 0.002 < np.mean(off[~missing] > 0.04) < 0.02
