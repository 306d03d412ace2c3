# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fit makes of the network's advice."""

import pytest
import torch

from model.actors.prior import bundled
from model.solver.advice import ADVICE_WEIGHT, Advice
from model.solver.coarse_poses import find_poses
from model.solver.fit import fit_poses, visible_part
from model.solver.observations import coarse

from .solving import observed, solved


def test_advice_is_for_what_is_hidden(body, noiseless):
    """Of the left arm, whose markers are all away in the second of two frames."""
    seen = observed(noiseless.markers[:2])
    arm = [row for row, label in enumerate(body.labels) if label in ("LUPA", "LELB", "LFRM", "LWRA", "LWRB", "LFIN")]
    seen.confidence[1, arm] = 0.0
    ones = torch.ones(2, body.coordinates, dtype=torch.float64)
    believed = Advice(ones, ones, torch.ones(2, 41)).where_hidden(body, visible_part(body, seen)).precision
    joints = [body.joints[joint] for joint in body.topology.coordinate_joints]
    elbow, other, thumb = (joints.index(joint) for joint in ("LeftForeArm", "RightForeArm", "LThumb"))
    assert believed[0, elbow] == believed[1, other] == 0
    assert believed[1, elbow] == pytest.approx(ADVICE_WEIGHT)
    assert not believed[:, thumb].any()  # no marker tells of it, in any frame


def test_advice_moves_a_hidden_arm_and_no_other(body, noiseless):
    seen = observed(noiseless.markers[:40])
    arm = [row for row, label in enumerate(body.labels) if label in ("LUPA", "LELB", "LFRM", "LWRA", "LWRB", "LFIN")]
    seen.confidence[:, arm] = 0.0
    at, _ = coarse(seen)
    elbow = [body.joints[joint] for joint in body.topology.coordinate_joints].index("LeftForeArm")
    q = solved(body, seen).q[at]
    wanted = q.clone()
    wanted[:, elbow] += 0.5
    advice = Advice(wanted, torch.full_like(wanted, 1e6), torch.ones(len(at), 41))
    moved = fit_poses(body, bundled().pose, seen, find_poses(body, bundled().pose, seen, advice=advice)).q[at]
    torch.testing.assert_close(moved[:, elbow], wanted[:, elbow], atol=0.02, rtol=0)
    far = [c for c, joint in enumerate(body.topology.coordinate_joints) if not body.joints[joint].startswith(("Left", "LThumb"))]
    assert (moved - q)[:, far].abs().max() < 0.01


def test_advice_on_other_labels():
    advice = Advice(torch.zeros(2, 1), torch.ones(2, 1), torch.tensor([[0.1, 0.9], [0.2, 0.8]]))
    on = advice.on(("A", "B"), ("B", "C", "A"))
    torch.testing.assert_close(on.reliability, torch.tensor([[0.9, 1.0, 0.1], [0.8, 1.0, 0.2]]))
