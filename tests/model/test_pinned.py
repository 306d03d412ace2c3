# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples that the user pinned as right: no filter flags them, and no correction moves them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.core.settings import Settings
from model.core.take import Take
from model.files.exchange import load_take, save_take
from model.marker_sets.marker_set import MarkerSet
from model.markers.cleaning import clean
from model.markers.corrections import Correction, without_pinned
from model.markers.relabelling import relabel
from model.synthetic.synthesis import Noise, SyntheticTake, synthesise


@pytest.fixture(scope="module")
def still() -> SyntheticTake:
    return synthesise(seconds=4.0, noise=Noise(gaps=0.0, long_gaps=0, spikes=0.0, swaps=0))


def pinned(take: Take, frames: slice, *labels: str) -> Take:
    where = np.zeros(take.positions.shape[:2], dtype=bool)
    where[frames, [take.labels.index(label) for label in labels]] = True
    return replace(take, pinned=where)


def test_a_pinned_sample_is_never_flagged(still: SyntheticTake, marker_set: MarkerSet) -> None:
    positions = still.take.positions.copy()
    row = still.take.labels.index("LWRA")
    positions[[100, 200], row] += 0.5
    take = replace(still.take, positions=positions)
    assert not clean(take, marker_set, Settings()).trusted[[100, 200], row].any()
    kept = clean(pinned(take, slice(90, 110), "LWRA"), marker_set, Settings())
    assert kept.trusted[[100, 200], row].tolist() == [True, False]


def test_pinned_samples_keep_their_label(still: SyntheticTake) -> None:
    pair = [still.take.labels.index(label) for label in ("LWRA", "LWRB")]
    positions = still.take.positions.copy()
    for span in (slice(100, 150), slice(300, 350)):
        positions[span, pair] = positions[span, pair[::-1]]
    take = pinned(replace(still.take, positions=positions), slice(90, 160), "LWRA", "LWRB")
    put_right, corrections = relabel(take, take.only([]), still.markers)
    assert [(each.kind, each.first, each.last) for each in corrections] == [("swapped back", 300, 349)]
    np.testing.assert_array_equal(put_right.positions[:160], positions[:160])
    np.testing.assert_array_equal(put_right.positions[290:], still.take.positions[290:])


def test_pinned_ghosts_stay(still: SyntheticTake) -> None:
    row = still.take.labels.index("LWRA")
    positions = still.take.positions.copy()
    positions[100:200, row] += (0.0, 0.0, 1.0)
    take = replace(still.take, positions=positions)
    dropped, corrections = relabel(take, take.only([]), still.markers)
    assert [each.kind for each in corrections] == ["dropped"]
    assert np.isnan(dropped.positions[100:200, row]).all()
    assert relabel(pinned(take, slice(150, 160), "LWRA"), take.only([]), still.markers)[1] == ()


def test_corrections_of_pinned_samples_are_taken_back(still: SyntheticTake) -> None:
    take = pinned(still.take, slice(10, 20), "LWRA")
    pair = [take.labels.index(label) for label in ("LWRA", "RWRA")]
    positions = take.positions.copy()
    for span in (slice(5, 15), slice(50, 60)):
        positions[span, pair] = positions[span, pair[::-1]]
    made = tuple(Correction("sides exchanged", ("LWRA", "RWRA"), first, last) for first, last in ((5, 14), (50, 59)))
    kept, corrections = without_pinned(take, replace(take, positions=positions), made)
    assert corrections == made[1:]
    np.testing.assert_array_equal(kept.positions[:40], take.positions[:40])
    np.testing.assert_array_equal(kept.positions[50:60], positions[50:60])


def test_pins_go_to_the_engine(still: SyntheticTake, tmp_path: Path) -> None:
    take = pinned(still.take, slice(3, 9), "LWRA", "RTOE")
    save_take(take, tmp_path / "take.npz")
    found = load_take(tmp_path / "take.npz").pinned
    assert found is not None
    assert take.pinned is not None
    np.testing.assert_array_equal(found, take.pinned)
    save_take(still.take, tmp_path / "take.npz")
    assert load_take(tmp_path / "take.npz").pinned is None
