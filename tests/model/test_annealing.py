# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies of several key frames that are drawn to their points at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from model.actors import prior as priors
from model.labelling import annealing
from model.labelling.annealing import at_once
from model.labelling.anywhere import find_anywhere
from model.labelling.key_frames import KeyFrames
from model.labelling.registration import register, upright
from model.labelling.surface import surface_of
from model.labelling.template import template_of_set
from model.labelling.tracks import OPEN
from model.marker_sets.marker_set import bundled_marker_sets, load_marker_set
from model.synthetic.synthesis import Noise, synthesise


@pytest.fixture(scope="module")
def frames() -> list[KeyFrames]:
    """Key frames of one person, each by itself, with all markers, half of them, and all with as many ghosts around."""
    markers = synthesise(3.0, 60.0, seed=4, noise=Noise(0.0, 0.0, 0, 0.0, 0)).markers[::60]
    ghosts = markers[2].mean(axis=0) + np.random.default_rng(0).uniform(-1.5, 1.5, markers[2].shape)
    clouds = [markers[0], markers[1][::2], np.concatenate([markers[2], ghosts])]
    return [KeyFrames(np.array([key]), points[None], np.arange(len(points))[None]) for key, points in enumerate(clouds)]


@pytest.fixture(scope="module")
def together(frames: list[KeyFrames]) -> KeyFrames:
    """The same as one, with nothing behind the points of those that have fewer."""
    most = max(frame.points.shape[1] for frame in frames)
    points, tracks = np.zeros((len(frames), most, 3)), np.full((len(frames), most), OPEN)
    for key, frame in enumerate(frames):
        points[key, : frame.points.shape[1]], tracks[key, : frame.points.shape[1]] = frame.points[0], frame.tracks[0]
    return KeyFrames(np.arange(len(frames)), points, tracks)


def test_key_frames_that_are_looked_at_together_know_nothing_of_one_another(frames: list[KeyFrames], together: KeyFrames) -> None:
    template = template_of_set(load_marker_set(), priors.bundled())
    with torch.no_grad():
        whole = register(template, together, upright("Z"), 3)
        each_alone = [register(template, frame, upright("Z"), 3) for frame in frames]
    for key, alone in enumerate(each_alone):
        assert whole.markers[key] == pytest.approx(alone.markers[0], abs=1e-3)
        assert whole.costs[key] == pytest.approx(alone.costs[0], rel=1e-3)
        assert whole.sizes[key] == pytest.approx(alone.sizes[0], abs=1e-3)


def test_so_it_is_where_a_body_is_looked_for_by_its_skin(frames: list[KeyFrames], together: KeyFrames) -> None:
    surface = surface_of(priors.bundled(), bundled_marker_sets())
    with torch.no_grad():
        whole = find_anywhere(surface, priors.bundled(), together, upright("Z"), 1)
        each_alone = [find_anywhere(surface, priors.bundled(), frame, upright("Z"), 1)[0] for frame in frames]
    for found, alone in zip(whole, each_alone, strict=True):
        assert found[0].cost == pytest.approx(alone[0].cost, rel=1e-3)
        assert found[0].positions == pytest.approx(alone[0].positions, abs=1e-3)
        assert found[0].segments == pytest.approx(alone[0].segments, abs=1e-2)


@pytest.mark.parametrize("distances", [1, 1_000_000])
def test_every_key_frame_is_in_one_part(together: KeyFrames, distances: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annealing, "DISTANCES_AT_ONCE", distances)
    parts = at_once(together, 24, 41)
    assert [key for part in parts for key in range(len(together.frames))[part]] == list(range(len(together.frames)))
    assert len(parts) == (len(together.frames) if distances == 1 else 1)
