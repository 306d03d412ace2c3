# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of markers in a glossy floor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.core.axes import heights, up_index
from model.core.settings import Settings
from model.core.take import Axis, FloatArray, Take
from model.engine.pipeline import solve_people
from model.labelling.label import label_take
from model.labelling.mirrored import mirror_height
from model.labelling.tracks import cut_tracks
from model.synthetic.synthesis import Noise, synthesise
from model.synthetic.unlabelled import GHOST, Stripped, score, strip_labels

FLOOR_M = -0.03


@pytest.fixture(scope="module")
def take() -> Take:
    return synthesise(6.0, 60.0, seed=5, noise=Noise(gaps=0.0, long_gaps=0, spikes=0.0, swaps=0)).take


def images(take: Take, below_m: float, seen: float) -> FloatArray:
    """(frames, points, 3): of the markers that are lower than this on average, each in a part of the frames, half a second at a time."""
    random, up = np.random.default_rng(4), up_index(take.up_axis)
    low = np.flatnonzero(np.nanmean(heights(take.positions, take.up_axis), axis=0) < below_m)
    shown = take.positions[:, low] + random.normal(0.0, 1e-3, (take.frames, len(low), 3))
    shown[..., up] = 2 * FLOOR_M - shown[..., up]
    for column in range(len(low)):
        shown[(np.arange(take.frames) + 13 * column) % 60 >= 60 * seen, column] = np.nan
    return shown


def turned(take: Take, axis: Axis) -> Take:
    """The same with another axis up."""
    order = {"Z": [0, 1, 2], "Y": [1, 2, 0], "-Z": [0, 1, 2]}[axis]
    positions = take.positions[..., order] * (np.array([1.0, -1.0, -1.0]) if axis == "-Z" else 1.0)
    return replace(take, positions=positions, up_axis=axis)


def beside(take: Take, points: FloatArray) -> Take:
    positions = np.concatenate([take.positions, points], axis=1)
    labels = tuple(f"*{column}" for column in range(positions.shape[1]))
    return replace(take, labels=labels, positions=positions, residuals=np.zeros(positions.shape[:2]), origins=())


@pytest.mark.parametrize("axis", ["Z", "Y", "-Z"])
def test_a_floor_is_where_images_begin(take: Take, axis: Axis) -> None:
    whole = turned(beside(take, images(take, 0.6, 0.5)), axis)
    assert mirror_height(whole.positions, axis) == pytest.approx(FLOOR_M, abs=0.011)
    tracks = cut_tracks(whole)
    np.testing.assert_array_equal(tracks.images, tracks.columns >= len(take.labels))


def test_nobody_alone_has_an_image(take: Take) -> None:
    assert mirror_height(take.positions, "Z") is None
    assert not cut_tracks(take).images.any()
    assert mirror_height(np.full((3, 2, 3), np.nan), "Z") is None
    below = take.positions - np.array([0.0, 0.0, 1.0])
    # somebody who happens to be a floor lower, and elsewhere
    assert mirror_height(np.concatenate([take.positions, below + np.array([0.5, 0.0, 0.0])], axis=1), "Z") is None


@pytest.mark.parametrize(("below_m", "seen", "hard"), [(0.6, 1.0, False), (0.6, 0.5, True), (0.2, 0.5, False)])
def test_a_body_is_found_above_its_image(take: Take, below_m: float, seen: float, hard: bool) -> None:
    stripped, shown = strip_labels(take, 2, hard=hard), images(take, below_m, seen)
    room = beside(stripped.take, shown)
    truth = np.concatenate([stripped.truth, np.full(shown.shape[:2], GHOST)], axis=1)
    found = label_take(room)
    labels = [label for label in found.take.labels if not label.startswith("*")]
    result = score(Stripped(room, stripped.names, truth), found.take.positions[:, : len(labels)], labels)
    assert result.right > 0.99
    assert result.ghosts < 0.01
    assert any("images of others in the floor" in finding.text for finding in found.findings)


def test_the_image_of_a_shin_is_no_object(take: Take) -> None:
    """Its markers are rigid to each other, and on nobody."""
    room = beside(strip_labels(take, 2).take, images(take, 0.6, 1.0))
    (solved,) = solve_people(room, Settings())
    assert [prop.name for prop in solved.props] == []


def test_a_table_beside_somebody_on_a_stage_is_no_image(take: Take) -> None:
    """Its feet stand under its corners, and nothing else is as low."""
    random = np.random.default_rng(2)
    corners = np.array([[0.8, 0.0, 0.77], [0.8, 0.8, 0.77], [1.4, 0.0, 0.77], [1.4, 0.8, 0.77]])
    table = np.concatenate([corners, corners * [1.0, 1.0, 0.0]]) + random.normal(0.0, 3e-4, (take.frames, 8, 3))
    whole = np.concatenate([take.positions + np.array([0.0, 0.0, 0.6]), table], axis=1)
    assert mirror_height(whole, "Z") is None


def test_what_lacks_a_coordinate_is_no_point(take: Take) -> None:
    positions = beside(take, images(take, 0.6, 1.0)).positions.copy()
    positions[5:, 3, 0] = np.nan
    assert mirror_height(positions, "Z") == pytest.approx(FLOOR_M, abs=0.011)
    assert mirror_height(positions[:0], "Z") is None
