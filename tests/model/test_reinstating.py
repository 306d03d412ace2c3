# SPDX-License-Identifier: GPL-3.0-or-later
"""True samples that the noise filter flags: put back where poses explain them, and noise that is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from model.actors.actor import Actor
from model.core.metrics import PoseError, pose_error
from model.core.motion import Motion, forward
from model.core.rotations import unitquat_to_rotmat
from model.core.settings import Settings
from model.core.take import Take
from model.engine import pipeline
from model.engine.pipeline import solve_take
from model.result.solution import Solution
from model.solver.advice import Advice
from model.solver.fit import Found
from model.solver.kinematics import Pose
from model.solver.reinstating import merged
from model.synthetic.synthesis import SyntheticTake

from .soft_person import person, taken, walking

FLIPS = (slice(100, 112), slice(200, 215))
HAND = ("RWRA", "RWRB", "RFIN", "RHND")


@pytest.fixture(scope="module")
def actor() -> Actor:
    return person(more=True)


@pytest.fixture(scope="module")
def motion(actor: Actor, synthetic: SyntheticTake) -> Motion:
    """The right hand is thrown over within a frame, and back: faster than the filter allows."""
    own = walking(actor, synthetic.motion)
    rotations, wrist = own.rotations[:300].copy(), actor.skeleton.joints.index("right_wrist")
    for frames in FLIPS:
        rotations[frames, wrist] = rotations[frames, wrist] @ Rotation.from_euler("xz", (170, 40), degrees=True).as_matrix()
    return Motion(own.skeleton, rotations, own.root[:300], own.rate_hz)


def error_of(solution: Solution, motion: Motion) -> PoseError:
    positions, rotations = forward(solution.actor.skeleton, unitquat_to_rotmat(solution.rotations), solution.positions[:, 0])
    return pose_error(positions, rotations, *motion.forward())


def off(solution: Solution, motion: Motion) -> NDArray[np.floating]:
    """(frames, joints) in mm."""
    return error_of(solution, motion).position_mm


def lost(solution: Solution) -> NDArray[np.bool_]:
    """Samples of a take without gaps that were flagged or dropped."""
    return ~solution.clean.trusted


def test_a_hand_that_is_too_fast_is_followed(actor: Actor, motion: Motion, monkeypatch: pytest.MonkeyPatch) -> None:
    take = taken(actor, motion)
    solution = solve_take(take, Settings(), actor)
    monkeypatch.setattr(pipeline, "put_back", lambda *_given: None)
    without = solve_take(take, Settings(), actor)
    assert lost(without).sum() > 30, "else there is nothing to put back"
    assert lost(solution).sum() < lost(without).sum() / 3
    wrist = actor.skeleton.joints.index("right_wrist")
    wrong = [int((error_of(each, motion).rotation_deg[:, wrist] > 60).sum()) for each in (without, solution)]
    assert wrong[1] < wrong[0] / 3
    assert off(solution, motion).mean() < off(without, motion).mean()
    assert not [each for each in solution.findings if each.kind in ("swapped back", "relabelled", "dropped")]
    assert solution.clean.take.pinned is None, "nothing of it is the user's"


def test_noise_stays_lost(actor: Actor, synthetic: SyntheticTake) -> None:
    own = walking(actor, synthetic.motion)
    own = Motion(own.skeleton, own.rotations[:300], own.root[:300], own.rate_hz)
    take = taken(actor, own)
    random = np.random.default_rng(0)
    positions = take.positions.copy()
    rows = [take.labels.index(label) for label in HAND]
    for frames in FLIPS:
        # each of the hand's markers by itself
        positions[frames, rows] += random.normal(scale=0.3, size=(4, 3))
    solution = solve_take(replace(take, positions=positions), Settings(), actor)
    there = np.zeros(positions.shape[:2], dtype=bool)
    for frames in FLIPS:
        there[frames, rows] = True
    assert lost(solution)[there].mean() > 0.9
    assert off(solution, own).max() < 120


def swapped(take: Take, one: str, other: str, frames: slice) -> Take:
    positions, pair = take.positions.copy(), [take.labels.index(one), take.labels.index(other)]
    positions[frames, pair] = positions[frames, pair[::-1]]
    return replace(take, positions=positions)


def test_hands_whose_labels_are_exchanged_are_swapped_back(actor: Actor, synthetic: SyntheticTake) -> None:
    """Crossed arms would explain them too, but no more than right labels do."""
    own = walking(actor, synthetic.motion)
    own = Motion(own.skeleton, own.rotations[:300], own.root[:300], own.rate_hz)
    take = taken(actor, own)
    for label in HAND:
        take = swapped(take, label, f"L{label[1:]}", FLIPS[1])
    solution = solve_take(take, Settings(), actor)
    assert off(solution, own).max() < 60


def test_poses_of_all_frames_of_a_stretch_stand_among_the_coarse_ones() -> None:
    at = torch.tensor([0, 6, 12, 18, 20])

    def pose(frames: torch.Tensor, more: float) -> Pose:
        along = frames.double()[:, None] + more
        return Pose(along.expand(-1, 3), torch.eye(3, dtype=torch.float64).expand(len(frames), 3, 3), along.expand(-1, 2))

    advice = Advice(at.double()[:, None].expand(-1, 2), torch.ones(5, 2).double(), torch.ones(5, 4).double())
    whole = merged(Found(pose(at, 0.0), at, 0.01, advice), {7: pose(torch.arange(7, 14), 100.0)})
    assert whole.at.tolist() == [0, 6, *range(7, 14), 18, 20]
    assert whole.pose.q[:, 0].tolist() == [0, 6, *range(107, 114), 18, 20]
    assert whole.advice is not None
    assert whole.advice.q[:, 0].tolist() == pytest.approx(whole.at.tolist())
    assert whole.advice.reliability.shape == (11, 4)
