# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark's peers themselves, in the environments that `tools/environment bench` and `bench-momentum` make.

`.venv/bench/bin/python -m pytest tests/peers` runs this, and so does `.venv/bench-momentum`; those of the other are skipped. `tools/test`
does not.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from model.actors.prior import bundled
from model.bench.peers import ENVIRONMENTS, PEERS, Calibrating, Peer, Solved, load
from model.bench.range_of_motion import range_of_motion
from model.core.metrics import pose_error
from model.core.motion import Motion
from model.core.take import Take
from model.synthetic.synthesis import Noise, SyntheticTake, synthesise

ACTOR = bundled().mean_actor()


@pytest.fixture(params=PEERS)
def peer(request) -> Peer:
    environment = ENVIRONMENTS.get(request.param, "bench")
    if Path(sys.prefix).name != environment:
        pytest.skip(f"{request.param} lives in .venv/{environment}")
    return load(request.param)


@pytest.fixture(scope="module")
def second() -> SyntheticTake:
    """A second of a synthetic person who walks."""
    return synthesise(seconds=1.0, noise=Noise(jitter=1e-3, gaps=0.0, long_gaps=0, spikes=0.0, swaps=0))


def check(solved: Solved, truth: Motion) -> None:
    error = pose_error(*solved.motion.forward(), *truth.forward())
    assert error.position_mm.mean() < 4.0
    assert error.rotation_deg.mean() < 4.0


def excerpt(peer: Peer, take: Take) -> Take:
    """The take, or a third of it for those who are slow."""
    frames = 40 if peer.SLOW else take.frames
    return replace(take, positions=take.positions[:frames], residuals=take.residuals[:frames])


def test_peer_finds_the_pose(peer, second):
    take = excerpt(peer, second.take)
    solved = peer.solve(ACTOR, take)
    check(solved, second.motion)
    assert solved.motion.rotations.shape == (take.frames, 31, 3, 3)
    assert solved.motion.skeleton.joints == ACTOR.skeleton.joints
    assert solved.motion.rate_hz == take.rate_hz
    assert solved.markers is not None
    assert np.linalg.norm(solved.markers - take.positions, axis=-1).mean() < 0.02
    assert peer.version()


def test_peer_bears_gaps_other_axes_and_another_order_of_labels(peer, second):
    turn = Rotation.from_euler("xyz", [-90, 0, 40], degrees=True).as_matrix()
    positions = second.take.positions[:, ::-1] @ turn.T
    positions[5:25, 3] = np.nan
    positions[30] = np.nan
    positions[0, ::2] = np.nan
    take = excerpt(peer, replace(second.take, labels=second.take.labels[::-1], positions=positions, up_axis="Y"))
    solved = peer.solve(ACTOR, take)
    assert np.isfinite(solved.motion.rotations).all()
    check(solved, second.motion.on_axes(turn))


def test_a_calibration_of_its_own_finds_the_person(peer):
    """From an actor whose left shin is 4 cm too long."""
    if not isinstance(peer, Calibrating):
        pytest.skip("it has none")
    motion = range_of_motion(ACTOR.skeleton, bundled().pose, np.random.default_rng(0), 30.0)
    markers = ACTOR.markers(motion)
    clean = Take("rom", ACTOR.labels, markers, np.zeros(markers.shape[:2]), 30.0)
    shin = ACTOR.skeleton.joints.index("LeftLeg")
    bones = ACTOR.skeleton.bones.copy()
    bones[shin] *= 1.0 + 0.04 / np.linalg.norm(bones[shin])
    found = peer.calibrate(replace(ACTOR, skeleton=replace(ACTOR.skeleton, bones=bones)), clean)
    lengths = [np.linalg.norm(actor.skeleton.bones[shin]) for actor in (ACTOR, found)]
    assert lengths[1] == pytest.approx(lengths[0], abs=0.01)
    assert found.labels == ACTOR.labels
