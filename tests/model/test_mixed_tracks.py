# SPDX-License-Identifier: GPL-3.0-or-later
"""Tracks without names that go over to another marker where two pass each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.actors.prior import bundled
from model.core.take import FloatArray
from model.labelling.key_frames import KeyFrames
from model.labelling.label import label_take
from model.labelling.labelled import Labelled, TrackLabel
from model.labelling.passing import changes
from model.labelling.people import cut_as
from model.labelling.tracks import OPEN, Tracks
from model.marker_sets.marker_set import load_marker_set
from model.synthetic.synthesis import Noise, synthesise
from model.synthetic.unlabelled import Stripped, score, strip_labels

CMU = load_marker_set()
#: Frames at 60 Hz, when two markers pass, how long before and after they come and go, and how near.
FRAMES, PASS, REACH, NEAR_M = 300, 130, 6, 0.012


def on_joints(joints: int, samples: int, riding: list[tuple[int, int]], shaking_m: float = 0.004) -> FloatArray:
    """(samples, joints, 3) in metres: a point on one joint after the other, (joint, until), which moves in the frames of all others."""
    random = np.random.default_rng(0)
    local = np.cumsum(random.normal(0.0, 0.05, size=(samples, joints, 3)), axis=0)
    start = 0
    for joint, end in riding:
        local[start:end, joint] = [0.1, 0.2, 0.3]
        start = end
    return local + random.normal(0.0, shaking_m, size=local.shape)


@pytest.mark.parametrize("change", [7, 20, 33])
def test_a_change_of_marker_is_told_by_the_bones(change: int) -> None:
    assert changes(on_joints(4, 40, [(1, change), (3, 40)]), 5) == pytest.approx(change, abs=2)


@pytest.mark.parametrize("riding", [[(2, 40)], [], [(1, 2), (3, 40)], [(1, 20)]])
def test_what_rides_on_one_bone_or_on_none_is_not_cut(riding: list[tuple[int, int]]) -> None:
    assert changes(on_joints(4, 40, riding), 5) is None


def test_so_is_what_is_too_short() -> None:
    assert changes(on_joints(4, 9, [(1, 5), (3, 9)]), 5) is None


def test_a_body_that_is_followed_roughly_has_no_other_markers() -> None:
    assert changes(on_joints(4, 40, [(1, 20), (3, 40)], shaking_m=0.05), 5) is None


def tracks_of(*spans: tuple[int, int, int]) -> Tracks:
    columns, starts, ends = np.array(spans).T
    return Tracks(np.zeros((100, int(columns.max()) + 1, 3)), columns, starts, ends, 60.0, still=np.arange(len(spans)) == 1)


def test_tracks_are_cut_in_their_order() -> None:
    parts, origins = tracks_of((0, 0, 50), (0, 60, 100), (1, 10, 90)).parted([(2, 40), (0, 20)])
    assert list(zip(parts.columns.tolist(), parts.starts.tolist(), parts.ends.tolist(), strict=True)) == [
        (0, 0, 20),
        (0, 20, 50),
        (0, 60, 100),
        (1, 10, 40),
        (1, 40, 90),
    ]
    assert origins.tolist() == [0, 0, 1, 2, 2]
    assert parts.still is not None
    assert parts.still.tolist() == [False, False, True, False, False]


def test_key_frames_go_to_the_part_that_is_there() -> None:
    tracks = tracks_of((0, 0, 50), (0, 60, 100), (1, 10, 90))
    keys = KeyFrames(np.array([15, 30, 70]), np.zeros((3, 2, 3)), np.array([[0, 2], [0, 2], [1, OPEN]]))
    parts, origins = tracks.parted([(2, 30), (0, 20)])
    assert keys.of_parts(parts, origins).tracks.tolist() == [[0, 3], [1, 4], [2, OPEN]]


def test_people_who_compete_have_the_cuts_of_each() -> None:
    tracks = tracks_of((0, 0, 100), (1, 10, 90))
    take = synthesise(0.2).take

    def person(*rows: tuple[str, int, int]) -> Labelled:
        found = tuple(TrackLabel(column, first, last, "LWRA", 1.0, "", "", "LWRA") for column, first, last in rows)
        return Labelled(take, found, bundled().mean_actor(bundled().placement(CMU, CMU.labels)), CMU, ())

    cut = cut_as([person(("a", 0, 29), ("a", 30, 59), ("a", 60, 99)), person(("b", 10, 49), ("b", 50, 89))], tracks, ["a", "b"])
    assert cut.starts.tolist() == [0, 30, 60, 10, 50]
    assert cut_as([person(("a", 0, 99))], tracks, ["a", "b"]) is tracks


@pytest.fixture(scope="module")
def mixed() -> Stripped:
    """Somebody whose left wrist and right thigh pass each other; from then on each one's point is the other's."""
    take = synthesise(FRAMES / 60.0, 60.0, seed=4, noise=Noise(jitter=5e-4, gaps=0.0, long_gaps=0, spikes=0.0, swaps=0)).take
    wrist, thigh = take.labels.index("LWRA"), take.labels.index("RTHI")
    positions = take.positions.copy()
    near = np.clip(1.0 - np.abs(np.arange(FRAMES) - PASS) / REACH, 0.0, 1.0)[:, None] ** 2
    way = positions[PASS, thigh] - positions[PASS, wrist]
    positions[:, wrist] += near * way * (1.0 - NEAR_M / np.linalg.norm(way))
    stripped = strip_labels(replace(take, positions=positions), 2)
    columns = [int(np.flatnonzero(stripped.truth[0] == row)[0]) for row in (wrist, thigh)]
    points, truth = stripped.take.positions.copy(), stripped.truth.copy()
    for values in (points, truth):
        values[PASS:, columns] = values[PASS:, columns[::-1]]
    return replace(stripped, take=replace(stripped.take, positions=points), truth=truth)


def test_each_part_of_a_track_gets_its_own_label(mixed: Stripped) -> None:
    """Uncut, the two tracks, a twentieth of all samples, have no label."""
    take = label_take(mixed.take, marker_set=CMU).take
    named = [row for row, label in enumerate(take.labels) if not label.startswith("*")]
    found = score(mixed, take.positions[:, named], [take.labels[row] for row in named])
    assert found.right > 0.98
    assert found.wrong < 0.001
