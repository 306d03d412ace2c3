# SPDX-License-Identifier: GPL-3.0-or-later
"""Reflections that stand around a person, and markers that only stand for a while."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from model.actors import prior as priors
from model.core.motion import Motion
from model.core.rotations import rotvec_to_rotmat
from model.core.take import FloatArray, Take
from model.labelling.label import label_take
from model.labelling.standing import MOVED_M, STANDING_SECONDS, standing
from model.labelling.tracks import cut_tracks
from model.synthetic.synthesis import ASF_TO_C3D, Noise, synthesise
from model.synthetic.unlabelled import GHOST, Stripped, score, strip_labels

RATE_HZ = 60.0


def take_of(paths: FloatArray) -> Take:
    return Take("room", tuple(f"*{column}" for column in range(paths.shape[1])), paths, np.zeros(paths.shape[:2]), RATE_HZ)


def swaying(frames: int, far_m: float) -> FloatArray:
    """(frames, 12, 3): points that move to and fro together, so far in all."""
    random = np.random.default_rng(0)
    points = random.uniform(-0.4, 0.4, (12, 3)) + np.array([0.0, 0.0, 1.0])
    return points + 0.5 * far_m * np.sin(np.arange(frames) / 20.0)[:, None, None] * [1.0, 0.0, 0.0]


def reflection(frames: int, place: tuple[float, float, float]) -> FloatArray:
    return np.array(place) + np.random.default_rng(1).normal(0.0, 3e-4, (frames, 1, 3))


def test_a_reflection_stands_and_markers_do_not() -> None:
    paths = np.concatenate([swaying(400, 0.5), reflection(400, (0.9, 0.0, 1.0))], axis=1)
    assert np.flatnonzero(standing(cut_tracks(take_of(paths)))).tolist() == [12]


def test_a_reflection_that_the_cameras_lose_now_and_then_stands() -> None:
    lost = reflection(400, (0.9, 0.0, 1.0))
    lost[np.arange(400) % 50 > 30] = np.nan
    tracks = cut_tracks(take_of(np.concatenate([swaying(400, 0.5), lost], axis=1)))
    np.testing.assert_array_equal(standing(tracks), tracks.columns == 12)


def test_what_stands_for_no_longer_than_a_foot_does_is_nothing_special() -> None:
    short = reflection(400, (0.9, 0.0, 1.0))
    short[int(0.9 * STANDING_SECONDS * RATE_HZ) :] = np.nan
    assert not standing(cut_tracks(take_of(np.concatenate([swaying(400, 0.5), short], axis=1)))).any()


def test_nothing_stands_where_nobody_moves() -> None:
    assert not standing(cut_tracks(take_of(np.concatenate([swaying(400, 0.5 * MOVED_M), reflection(400, (0.9, 0.0, 1.0))], axis=1)))).any()
    assert not standing(cut_tracks(take_of(np.repeat(swaying(1, 0.5), 400, axis=0)))).any()
    assert not len(standing(cut_tracks(take_of(np.full((5, 2, 3), np.nan)))))


def test_a_planted_foot_is_a_persons() -> None:
    """Its toe stands while the body squats; the ankle beside it moves a little."""
    body = swaying(400, 0.5)
    ankle = np.array([0.0, 0.9, 0.1]) + 0.02 * np.sin(np.arange(400) / 20.0)[:, None, None] * [0.0, 0.0, 1.0]
    toe = reflection(400, (0.15, 0.9, 0.05))
    assert not standing(cut_tracks(take_of(np.concatenate([body, ankle, toe], axis=1)))).any()


def test_a_foot_whose_markers_are_lost_before_and_behind_it_is_planted_is_a_persons() -> None:
    """Where a recorder drops frames, what it shows before and behind them are other tracks, and nothing else is seen beside the foot."""
    foot = reflection(900, (0.0, 0.9, 0.1))
    foot[:300] += np.linspace(0.5, 0.0, 300)[:, None, None] * [1.0, 0.0, 0.0]
    foot[700:] += np.linspace(0.0, 0.5, 200)[:, None, None] * [1.0, 0.0, 0.0]
    foot[[300, 301, 500, 501, 698, 699]] = np.nan
    lamp = reflection(900, (0.9, 0.0, 1.0))
    tracks = cut_tracks(take_of(np.concatenate([swaying(900, 0.5), foot, lamp], axis=1)))
    np.testing.assert_array_equal(standing(tracks), tracks.columns == 13)


@pytest.mark.parametrize("seen", [1.0, 0.6])
def test_a_body_is_found_among_reflections_that_stand_around_it(seen: float) -> None:
    """As many within arm's reach as half of the markers, in a part of the frames or in all."""
    made = synthesise(8.0, RATE_HZ, seed=5, noise=Noise(gaps=0.0, long_gaps=0, spikes=0.0, swaps=0)).take
    stripped, random = strip_labels(made, 2), np.random.default_rng(3)
    paths = np.nanmedian(made.positions, axis=(0, 1)) + random.uniform(-0.7, 0.7, (24, 3)) + random.normal(0.0, 3e-4, (made.frames, 24, 3))
    for column in range(24):
        paths[(np.arange(made.frames) + 11 * column) % 60 >= 60 * seen, column] = np.nan
    positions = np.concatenate([stripped.take.positions, paths], axis=1)
    room = replace(take_of(positions), name="room", rate_hz=RATE_HZ)
    truth = np.concatenate([stripped.truth, np.full((made.frames, 24), GHOST)], axis=1)
    found = label_take(room)
    labels = [label for label in found.take.labels if not label.startswith("*")]
    result = score(Stripped(room, stripped.names, truth), found.take.positions[:, : len(labels)], labels)
    assert result.right > 0.995
    assert result.ghosts < 0.01


def test_somebody_who_sits_is_no_reflection() -> None:
    """Legs and pelvis rest for eight seconds while trunk and arms move: no set explains the upper half alone."""
    prior, frames = priors.bundled(), 480
    actor, seconds = prior.mean_actor(), np.arange(frames) / RATE_HZ
    rotations = np.repeat(prior.pose.mean_rotations[None], frames, axis=0)

    def turn(joint: str, axis: int, degrees: FloatArray | float) -> None:
        vectors = np.zeros((frames, 3))
        vectors[:, axis] = np.radians(degrees)
        row = actor.skeleton.joints.index(joint)
        rotations[:, row] = rotvec_to_rotmat(vectors) @ rotations[:, row]

    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        turn(f"{side}UpLeg", 0, -80.0)
        turn(f"{side}Leg", 0, 80.0)
        turn(f"{side}Arm", 2, 40.0 * sign * (1 - np.cos(1.1 * seconds + sign)))
    for joint in ("LowerBack", "Spine", "Spine1"):
        turn(joint, 0, 14.0 * (1 - np.cos(1.3 * seconds)))
    rotations[:, 0] = ASF_TO_C3D
    root = np.tile([0.0, 0.0, 0.55], (frames, 1))
    markers = actor.markers(Motion(actor.skeleton, rotations, root, RATE_HZ))
    jitter = np.random.default_rng(0).normal(0.0, 5e-4, markers.shape)
    stripped = strip_labels(Take("seat", actor.labels, markers + jitter, np.zeros(markers.shape[:2]), RATE_HZ), 2)
    assert standing(cut_tracks(stripped.take)).sum() > 8, "else the test tests nothing"
    found = label_take(stripped.take)
    labels = [label for label in found.take.labels if not label.startswith("*")]
    assert score(stripped, found.take.positions[:, : len(labels)], labels).right > 0.99
    assert not any("stand still" in finding.text for finding in found.findings)


def test_many_reflections_take_no_longer_than_a_body() -> None:
    paths = np.concatenate([swaying(3000, 0.5), *(reflection(3000, (2.0 + 0.01 * row, 0.0, 1.0)) for row in range(300))], axis=1)
    tracks, begin = cut_tracks(take_of(paths)), time.perf_counter()
    assert standing(tracks).sum() == 300
    assert time.perf_counter() - begin < 3.0
