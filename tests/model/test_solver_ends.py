# SPDX-License-Identifier: GPL-3.0-or-later
"""The ends of takes where markers are missing: the step against a dense reference, and a limb that is hidden in mid-swing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from model.actors.prior import bundled
from model.solver.coarse_poses import find_poses
from model.solver.ends import END_SECONDS, FADE_SECONDS, refine_ends, steady_step, way_to
from model.solver.fit import DAMPING, ROOT_DAMPING, Found, changes, fit_poses, upper_triangle
from model.solver.kinematics import Body, Pose
from model.solver.observations import Observations
from model.solver.options import EVERYTHING
from model.solver.topology import ROOT_DOF

RATE_HZ, FRAMES, HIDDEN = 60.0, 150, 5
FAR = ("LFRM", "LWRA", "LWRB", "LFIN")


def drawn_pose(frames: int, count: int, random: torch.Generator) -> Pose:
    turn = torch.eye(3, dtype=torch.float64).expand(frames, 3, 3)
    root, q = (torch.randn(frames, columns, generator=random, dtype=torch.float64) for columns in (3, count - ROOT_DOF))
    return Pose(root, turn, q)


def test_steady_step_solves_the_dense_system():
    random = torch.Generator().manual_seed(1)
    frames, count = 6, 9
    half = torch.randn(frames, count, count, generator=random, dtype=torch.float64)
    hessian = half @ half.transpose(1, 2) + torch.eye(count)
    gradient = torch.randn(frames, count, generator=random, dtype=torch.float64)
    coupling, steady = (torch.rand(frames - less, count, generator=random, dtype=torch.float64) for less in (1, 2))
    pose = drawn_pose(frames, count, random)
    blocks = hessian + DAMPING * torch.diag_embed(hessian.diagonal(dim1=1, dim2=2))
    blocks[:, range(ROOT_DOF), range(ROOT_DOF)] += ROOT_DAMPING
    # from all numbers of all frames to their changes, and to the changes of these
    change = torch.eye(frames, dtype=torch.float64).diff(dim=0)
    ways = [torch.kron(way, torch.eye(count, dtype=torch.float64)) for way in (change, change.diff(dim=0))]
    dense = torch.block_diag(*blocks)
    pull = gradient.flatten()
    for way, precision, apart in zip(ways, (coupling, steady), (changes(pose), changes(pose).diff(dim=0)), strict=True):
        dense = dense + way.T @ torch.diag(precision.flatten()) @ way
        pull = pull + way.T @ (precision * apart).flatten()
    band = torch.zeros(frames, count * (count + 1), dtype=torch.float64)
    upper_triangle(band).copy_(torch.triu(hessian))
    expected = torch.linalg.solve(dense, -pull).view(frames, count)
    torch.testing.assert_close(steady_step(band, gradient, pose, coupling, steady), expected)


def test_the_way_to_a_pose_leads_there(body: Body):
    random = torch.Generator().manual_seed(2)
    steps = 0.3 * torch.randn(2, 4, ROOT_DOF + body.coordinates, generator=random, dtype=torch.float64)
    one, other = (body.rest(4).stepped(step) for step in steps)
    there = one.stepped(way_to(one, other))
    for part in ("root", "turn", "q"):
        torch.testing.assert_close(getattr(there, part), getattr(other, part))


@pytest.fixture(scope="module")
def swinging(body: Body) -> Pose:
    """The left arm swings at the shoulder and bends at the elbow, as fast as in a fight."""
    rest = body.rest(FRAMES)
    time = torch.arange(FRAMES, dtype=torch.float64) / RATE_HZ
    q = rest.q.clone()
    joints = body.topology.coordinate_joints.tolist()
    for name, phase in (("LeftArm", 0.0), ("LeftForeArm", 0.3)):
        q[:, joints.index(body.joints.index(name))] += 0.5 * torch.sin(2 * np.pi * 2.0 * time + phase)
    return replace(rest, q=q)


def shown(body: Body, pose: Pose, hidden: dict[str, slice]) -> Observations:
    """What is seen of poses, some markers hidden in some frames."""
    confidence = torch.ones(pose.frames, len(body.labels), dtype=torch.float64)
    for label, frames in hidden.items():
        confidence[frames, body.labels.index(label)] = 0.0
    return Observations(body.posed(pose).markers, confidence, 1 / RATE_HZ)


def fitted(body: Body, seen: Observations) -> tuple[Found, Pose]:
    prior = bundled().pose
    found = find_poses(body, prior, seen)
    return found, fit_poses(body, prior, seen, found)


def hand_off_mm(body: Body, pose: Pose, truth: Pose) -> Tensor:
    hand = body.joints.index("LeftHand")
    return 1000 * (body.posed(pose).positions[:, hand] - body.posed(truth).positions[:, hand]).norm(dim=-1)


@pytest.mark.parametrize("frames", [slice(FRAMES - HIDDEN, FRAMES), slice(0, HIDDEN)], ids=["last", "first"])
def test_a_limb_that_is_hidden_at_an_end_goes_on_as_it_moved(frames: slice, body: Body, swinging: Pose):
    seen = shown(body, swinging, dict.fromkeys(FAR, frames))
    found, before = fitted(body, seen)
    after = refine_ends(body, bundled().pose, seen, found, before)
    stayed, went_on = (hand_off_mm(body, pose, swinging)[frames].max() for pose in (before, after))
    assert stayed > 50
    # it is 38 of 71 mm in the last frames, and 35 of 53 in the first
    assert went_on < 0.75 * stayed
    # nothing changes further in, nor at the other end, and what changes fades in without a jump
    length = round((END_SECONDS + FADE_SECONDS) * RATE_HZ)
    others = slice(0, FRAMES - length) if frames.start else slice(length, FRAMES)
    assert torch.equal(after.q[others], before.q[others])
    fading = slice(-length - 1, -length + 10) if frames.start else slice(length - 10, length + 1)
    assert hand_off_mm(body, after, before)[fading].diff().abs().max() < 1


def test_ends_without_a_hidden_marker_are_left_alone(body: Body, swinging: Pose):
    seen = shown(body, swinging, {"LWRA": slice(60, 70)})
    found, before = fitted(body, seen)
    assert refine_ends(body, bundled().pose, seen, found, before) is before


def test_poses_that_are_not_fitted_stay_the_networks(body: Body, swinging: Pose):
    seen = shown(body, swinging, dict.fromkeys(FAR, slice(0, HIDDEN)))
    found, before = fitted(body, seen)
    assert refine_ends(body, bundled().pose, seen, found, before, replace(EVERYTHING, fit=False)) is before


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 20])
def test_takes_that_are_all_end_are_refined(frames: int, body: Body, swinging: Pose):
    pose = swinging[slice(0, frames)]
    seen = shown(body, pose, {"LWRA": slice(0, 1)})
    found, before = fitted(body, seen)
    after = refine_ends(body, bundled().pose, seen, found, before)
    assert hand_off_mm(body, after, pose).max() < 5
