# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark's peers. Those that are not installed are skipped: `tools/environment bench` makes an environment that has them all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from model.actors.prior import bundled
from model.bench.peers import PEERS, Peer, Solved, load
from model.bench.peers.articulation import articulate
from model.core.metrics import pose_error, rotation_angles_deg
from model.core.motion import Motion
from model.core.take import BonesetterError, Take
from model.synthetic.synthesis import Noise, SyntheticTake, synthesise

ACTOR = bundled().mean_actor()
JITTER = Noise(jitter=1e-3, gaps=0.0, long_gaps=0, spikes=0.0, swaps=0)


@pytest.fixture(params=PEERS)
def peer(request) -> Peer:
    try:
        return load(request.param)
    except ImportError as error:
        pytest.skip(f"{request.param} is not installed: {error}")


@pytest.fixture(scope="module")
def second() -> SyntheticTake:
    """A second of a synthetic person who walks."""
    return synthesise(seconds=1.0, noise=JITTER)


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


def test_articulation_stands_where_the_take_begins(second):
    body = articulate(ACTOR, second.take)
    motion = body.motion(np.zeros((1, 3 + len(body.names))), body.start[None], 120.0)
    apart = np.linalg.norm(body.actor.markers(motion)[0] - second.take.positions[0], axis=-1)
    assert apart.mean() < 0.15
    np.testing.assert_allclose(motion.rotations[0, 1:], bundled().pose.mean_rotations[1:], atol=1e-6)


def test_articulation_turns_joints_about_the_prior_s_axes(second):
    body, pose = articulate(ACTOR, second.take), bundled().pose
    knee = ACTOR.skeleton.joints.index("LeftLeg")
    angles = np.zeros((1, 3 + len(body.names)))
    angles[0, 3 + body.names.index("LeftLeg_x")] = 0.5
    global_rotations = body.motion(angles, body.start[None], 120.0).rotations[0]
    axis = pose.axes[pose.joints_of == knee][0]
    np.testing.assert_allclose(global_rotations[knee], pose.mean_rotations[knee] @ Rotation.from_rotvec(0.5 * axis).as_matrix(), atol=1e-6)
    assert np.count_nonzero(rotation_angles_deg(global_rotations[1:], pose.mean_rotations[1:]) > 1e-3) == 1


def test_articulation_locks_what_no_marker_tells(second):
    whole, told = articulate(ACTOR, second.take), articulate(ACTOR, second.take, determined=True)
    assert set(told.names) < set(whole.names)
    assert not any(name.startswith(("LThumb", "LHipJoint")) for name in whole.names)
    assert sum(name.startswith(("LowerBack", "Spine")) for name in told.names) < 7
    assert {"LeftLeg_x", "LeftForeArm_x", "LeftUpLeg_y"} <= set(told.names)


def test_articulation_refuses_what_it_cannot_stand(second):
    few = second.take.positions.copy()
    few[:, 2:] = np.nan
    with pytest.raises(BonesetterError, match="three"):
        articulate(ACTOR, replace(second.take, positions=few))
    with pytest.raises(BonesetterError, match="NOSE"):
        articulate(ACTOR, replace(second.take, labels=("NOSE", *second.take.labels[1:])))
