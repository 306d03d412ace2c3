# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes solved with the study's networks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from model.actors.actor import Actor
from model.actors.prior import Prior
from model.core.errors import BonesetterError
from model.core.skeleton import CMU_JOINTS, Skeleton
from model.core.take import Take
from model.marker_sets.marker_set import load_marker_set
from model.study import predict as prediction
from model.study.joint_network import JointNetwork, read_network
from model.study.losses import Prediction
from model.study.outputs import OUTPUTS
from model.study.predict import predict
from model.synthetic.synthesis import SyntheticTake

from .study_runs import read, trained


def network_of(prior: Prior, **more: Any) -> JointNetwork:
    torch.manual_seed(0)
    return JointNetwork(read(**more), prior).eval()


@pytest.fixture(scope="module")
def take(synthetic: SyntheticTake) -> Take:
    """Two seconds, nothing missing."""
    markers = synthetic.markers[:240]
    return replace(synthetic.take, positions=markers, residuals=np.zeros(markers.shape[:2]))


@pytest.fixture(scope="module")
def actor(prior: Prior) -> Actor:
    """Somebody tall with few markers."""
    mean = prior.mean_actor(prior.placement(load_marker_set(), ("LFHD", "C7", "LFWT", "RTOE")))
    return replace(mean, skeleton=Skeleton(mean.skeleton.joints, mean.skeleton.parents, mean.skeleton.bones * 1.2))


def chosen(take: Take, labels: list[str]) -> Take:
    rows = [take.labels.index(label) for label in labels]
    return replace(take, labels=tuple(labels), positions=take.positions[:, rows], residuals=take.residuals[:, rows])


def clipped(take: Take, frames: slice) -> Take:
    return replace(take, positions=take.positions[frames], residuals=take.residuals[frames])


@pytest.mark.parametrize("frames", [1, 2, 240])
@pytest.mark.parametrize("output", list(OUTPUTS))
@pytest.mark.parametrize("window", [1, 16])
def test_a_take_becomes_a_motion_of_the_actors_skeleton(prior, actor, take, output, window, frames):
    kind: dict[str, Any] = {} if window == 1 else {"kind": "rnn", "options": {"width": 8}, "training": {"window": window}}
    network = network_of(prior, output=output, **kind)
    motion, markers = predict(network, prior, actor, clipped(take, slice(frames)))
    assert motion.skeleton is actor.skeleton
    assert motion.rate_hz == take.rate_hz
    assert motion.rotations.shape == (frames, len(CMU_JOINTS), 3, 3)
    assert motion.root.shape == (frames, 3)
    np.testing.assert_allclose(
        motion.rotations @ motion.rotations.swapaxes(-1, -2), np.broadcast_to(np.eye(3), motion.rotations.shape), atol=1e-4
    )
    np.testing.assert_allclose(np.linalg.det(motion.rotations), 1.0, atol=1e-4)
    np.testing.assert_array_equal(markers, actor.markers(motion))


def solved(network: JointNetwork, prior: Prior, actor: Actor, take: Take) -> tuple[np.ndarray, np.ndarray]:
    motion, _ = predict(network, prior, actor, take)
    return motion.rotations, motion.root


def test_labels_are_found_by_name(prior, actor, take):
    network = network_of(prior)
    usual = solved(network, prior, actor, take)
    shuffled = chosen(take, [str(label) for label in np.random.default_rng(0).permutation(take.labels)])
    more = replace(take, labels=("*0", *take.labels), positions=np.concatenate([take.positions[:, :1] + 5.0, take.positions], axis=1))
    for other in (shuffled, more):
        for mine, theirs in zip(usual, solved(network, prior, actor, other), strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_a_label_that_is_not_there_is_a_marker_that_is_missing(prior, actor, take):
    network = network_of(prior)
    fewer = chosen(take, [label for label in take.labels if label not in ("LFHD", "RTOE")])
    missing = replace(take, positions=take.positions.copy())
    missing.positions[:, [take.labels.index("LFHD"), take.labels.index("RTOE")]] = np.nan
    usual = solved(network, prior, actor, take)
    for one, other, whole in zip(solved(network, prior, actor, fewer), solved(network, prior, actor, missing), usual, strict=True):
        np.testing.assert_array_equal(one, other)
        assert np.isfinite(one).all()
        assert np.abs(one - whole).max() > 1e-3


def test_a_take_without_known_labels_is_one_sentence(prior, actor, take):
    strange = replace(take, labels=tuple(f"*{row}" for row in range(len(take.labels))))
    with pytest.raises(BonesetterError, match=r"choose a take with labelled markers\.$"):
        predict(network_of(prior), prior, actor, strange)


def test_who_faces_another_way_is_solved_the_same(prior, actor, take):
    network = network_of(prior)
    turn = Rotation.from_euler("z", 75, degrees=True).as_matrix()
    shift = np.array([3.0, -2.0, 0.0])
    here = predict(network, prior, actor, take)[0].on_axes(turn)
    there = predict(network, prior, actor, replace(take, positions=take.positions @ turn.T + shift))[0]
    np.testing.assert_allclose(there.rotations, here.rotations, atol=2e-3)
    np.testing.assert_allclose(there.root, here.root + shift, atol=2e-3)


def test_frames_at_once_make_no_difference(prior, actor, take, monkeypatch):
    network = network_of(prior)
    usual = solved(network, prior, actor, take)
    monkeypatch.setattr(prediction, "FRAMES_AT_ONCE", 7)
    for mine, theirs in zip(usual, solved(network, prior, actor, take), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


@pytest.mark.parametrize("window", [1, 2, 5, 16])
def test_every_frame_is_answered_once_with_a_past_and_a_future(window):
    """A network that answers with the frame's number and how far it is from the ends of what was seen at once."""

    def number(features: Tensor) -> Prediction:
        at = torch.arange(features.shape[1], dtype=torch.float32).expand(features.shape[:2])
        place = torch.stack([features[..., 0, 0], at, features.shape[1] - 1 - at], dim=-1)
        return Prediction(torch.eye(3).flatten().expand(*features.shape[:2], 31, 9), place, OUTPUTS["matrix"])

    for frames in (*range(1, 20), 63, 64, 65, 66, 95, 257):
        features = torch.zeros(frames, 6, 4)
        features[:, 0, 0] = torch.arange(frames)
        rotations, place = prediction._answered(cast(JointNetwork, number), features, window)
        assert rotations.shape == (frames, 31, 3, 3)
        assert place[:, 0].tolist() == list(range(frames))
        if window > 1 and frames > prediction.REACH * window:
            past, future = place[:, 1], place[:, 2]
            frame = torch.arange(frames)
            assert ((past >= window) | (past == frame)).all()
            assert ((future >= window) | (future == frames - 1 - frame)).all()
            assert (past + future + 1 <= prediction.REACH * window).all(), "more at once than it is asked for"


def test_a_network_with_a_memory_answers_the_same_for_a_part_of_a_take(prior, actor, take):
    network = network_of(prior, kind="rnn", options={"width": 8}, training={"window": 16})
    whole = solved(network, prior, actor, take)
    part = solved(network, prior, actor, clipped(take, slice(70, 200)))
    for mine, theirs in zip(whole, part, strict=True):
        np.testing.assert_allclose(theirs[16:-16], mine[86:184], atol=2e-3)
    # at its own ends it may not: there it has no past
    assert np.abs(part[0][:2] - whole[0][70:72]).max() > 5e-3


@pytest.mark.usefixtures("library")
def test_training_helps(prior, synthetic, take, tmp_path):
    run = read(options={"width": 64}, output="6d", training={"epochs": 8, "clips": 16, "frames": 48, "batch": 64})
    trained(tmp_path / "tiny", run)
    network, _ = read_network(tmp_path / "tiny" / "weights.safetensors", prior)
    truth = replace(synthetic.motion, rotations=synthetic.motion.rotations[:240], root=synthetic.motion.root[:240])
    mean = prior.mean_actor()
    off = []
    for each in (network_of(prior, options={"width": 64}, output="6d"), network):
        motion, markers = predict(each, prior, mean, take)
        off.append(np.linalg.norm(motion.forward()[0] - truth.forward()[0], axis=-1).mean())
        assert markers.shape == take.positions.shape
    assert off[1] < off[0] / 3
    assert off[1] < 0.15
