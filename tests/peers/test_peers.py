# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark's peers themselves, in the environment that `tools/environment bench` makes.

`.venv/bench/bin/python -m pytest tests/peers` runs this; `tools/test` does not.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from model.actors.prior import bundled
from model.bench.peers import PEERS, Peer, Solved, load
from model.core.metrics import pose_error
from model.core.motion import Motion
from model.core.take import Take
from model.synthetic.synthesis import Noise, SyntheticTake, synthesise

ACTOR = bundled().mean_actor()


@pytest.fixture(params=PEERS)
def peer(request) -> Peer:
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
