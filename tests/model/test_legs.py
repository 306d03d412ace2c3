# SPDX-License-Identifier: GPL-3.0-or-later
"""Feet that stand, of a solver that lets them drift, shake and sink."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from model.actors.prior import bundled
from model.core.settings import Settings
from model.feet.contacts import find_soles
from model.feet.footing import SEEN_TOLERANCE_M
from model.feet.legs import Asked, Legs, hold_feet
from model.marker_sets.marker_set import load_marker_set
from model.markers.cleaning import clean
from model.solver.kinematics import Body, Pose
from model.synthetic.synthesis import Noise, synthesise

PRIOR = bundled()
ACTOR = PRIOR.mean_actor()
BODY = Body(ACTOR, PRIOR.pose, torch.device("cpu"), torch.float32)
HEELS = [ACTOR.labels.index(label) for label in ("LHEE", "RHEE")]


def walking():
    """A true pose of a synthetic walk, Z up, and its take, cleaned."""
    made = synthesise(seconds=5.0, noise=Noise(jitter=0.0, gaps=0.0, long_gaps=0, spikes=0.0, swaps=0))
    motion = made.motion
    q = np.stack(
        [
            Rotation.from_matrix(PRIOR.pose.mean_rotations[joint].T @ motion.rotations[:, joint]).as_rotvec() @ axis
            for joint, axis in zip(PRIOR.pose.joints_of, PRIOR.pose.axes, strict=True)
        ],
        axis=1,
    )
    root, turn, q = (torch.as_tensor(values, dtype=torch.float32) for values in (motion.root, motion.rotations[:, 0], q))
    pose = Pose(root, turn, q)
    # what the coordinates cannot turn is not in the markers either
    take = replace(made.take, labels=ACTOR.labels, positions=BODY.posed(pose).markers.double().numpy(), residuals=np.zeros((len(q), 41)))
    return pose, clean(take, load_marker_set(), Settings())


def held_feet(pose, actor, prior, cleaned, *, lock):
    held = hold_feet(pose, actor, prior, cleaned, Asked(lock=float(lock)))
    return held.pose, held.contacts


@pytest.fixture(scope="module")
def walk():
    return walking()


@pytest.fixture(scope="module")
def drifting(walk):
    """The walk as a solver may see it: legs that drift by degrees and shake."""
    pose, _ = walk
    random = np.random.default_rng(1)
    legs = Legs(ACTOR, find_soles(ACTOR), PRIOR.pose, pose.q)
    noise = [gaussian_filter1d(random.normal(size=(pose.frames, len(legs.columns))), width, axis=0) for width in (4, 60)]
    q = pose.q.clone()
    q[:, legs.columns] += torch.as_tensor(
        sum(np.radians(amount) * each / each.std() for amount, each in zip((0.1, 0.6), noise, strict=True)), dtype=q.dtype
    )
    return replace(pose, q=q)


def soles(pose, sole):
    return BODY.posed(pose).markers[:, list(sole.markers)].mean(1).double().numpy()


def steps_mm(pose, contacts):
    """How far standing soles move from frame to frame, on average."""
    steps = [np.linalg.norm(np.diff(soles(pose, each.sole)[each.frames], axis=0), axis=-1) for each in contacts]
    return 1000 * np.concatenate(steps).mean()


def test_feet_stand_as_still_as_their_markers(walk, drifting):
    pose, cleaned = walk
    held, contacts = held_feet(drifting, ACTOR, PRIOR.pose, cleaned, lock=False)
    assert len(contacts) >= 6
    assert steps_mm(drifting, contacts) > 1.3 * steps_mm(pose, contacts)
    assert steps_mm(held, contacts) < 1.1 * steps_mm(pose, contacts)
    # and no further from the truth for it
    true, before, after = (BODY.posed(each).positions for each in (pose, drifting, held))
    assert (after - true).norm(dim=-1).mean() < (before - true).norm(dim=-1).mean() + 2e-4


def test_locked_feet_stand_at_one_place_and_nothing_pops(walk, drifting):
    _, cleaned = walk
    locked, contacts = held_feet(drifting, ACTOR, PRIOR.pose, cleaned, lock=True)
    for each in contacts:
        places = soles(locked, each.sole)[each.frames]
        assert np.linalg.norm(places - places.mean(axis=0), axis=-1).max() < 1e-3
    # second differences of the joints: 1 mm from frame to frame would be seen as a jump
    jumps = [float(BODY.posed(each).positions.diff(n=2, dim=0).norm(dim=-1).max()) for each in (drifting, locked)]
    assert jumps[1] < jumps[0] + 1e-3


def test_a_foot_is_lifted_out_of_the_floor_as_far_as_its_markers(walk):
    pose, cleaned = walk
    sunk = replace(pose, root=pose.root - torch.tensor([0.0, 0.0, 0.03]))
    held, _ = held_feet(sunk, ACTOR, PRIOR.pose, cleaned, lock=False)
    below = [
        np.maximum(0, cleaned.take.positions[:, HEELS, 2] - BODY.posed(each).markers[:, HEELS, 2].double().numpy()) for each in (sunk, held)
    ]
    standing = cleaned.take.positions[:, HEELS, 2] < np.percentile(cleaned.take.positions[:, HEELS, 2], 20)
    assert below[0][standing].mean() > 0.029
    assert below[1][standing].mean() < SEEN_TOLERANCE_M + 0.004
    # high in a step nothing is done
    assert np.abs(below[0] - below[1]).min() < 1e-3


def test_a_foot_that_is_never_still_has_no_floor_to_be_lifted_to(walk):
    """Flying at 4 m/s, and solved 3 cm too low."""
    pose, cleaned = walk
    fly = torch.arange(pose.frames)[:, None] * torch.tensor([4.0 / 120, 0.0, 0.0])
    way = fly.double().numpy()[:, None]
    flying = replace(cleaned, take=replace(cleaned.take, positions=cleaned.take.positions + way))
    low = replace(pose, root=pose.root + fly - torch.tensor([0.0, 0.0, 0.03]))
    held, contacts = held_feet(low, ACTOR, PRIOR.pose, flying, lock=False)
    assert contacts == ()
    np.testing.assert_allclose(held.root, low.root, atol=1e-6)


def test_a_leg_that_is_straight_does_not_snap():
    """The floor comes nearer by 2 cm and goes again under straight legs: the hips give way, the knees hardly."""
    pose = BODY.rest(240)
    straight = [
        int(c) for c in np.flatnonzero(np.isin(PRIOR.pose.joints_of, [ACTOR.skeleton.joints.index(n) for n in ("LeftLeg", "RightLeg")]))
    ]
    q = pose.q.clone()
    q[:, straight] = torch.as_tensor(PRIOR.pose.limits[0, straight] + np.radians(7.0), dtype=q.dtype)
    turn = torch.tensor([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]).expand(240, 3, 3)
    pose = Pose(torch.zeros(240, 3), turn, q)
    markers = BODY.posed(pose).markers.double().numpy()
    markers[:, :, 2] += 0.02 * np.sin(np.linspace(0, np.pi, 240))[:, None] ** 2
    take = replace(synthesise(seconds=2.0).take, labels=ACTOR.labels, positions=markers, residuals=np.zeros((240, 41)))
    held, _ = held_feet(pose, ACTOR, PRIOR.pose, clean(take, load_marker_set(), Settings()), lock=True)
    assert np.degrees(float(held.q[:, straight].diff(dim=0).abs().max())) < 1.5


def test_without_markers_on_its_feet_an_actor_is_left_alone(walk):
    pose, cleaned = walk
    rows = [row for row, label in enumerate(ACTOR.labels) if label[1:] not in ("HEE", "TOE", "MT5")]
    held, contacts = held_feet(pose, ACTOR.only(rows), PRIOR.pose, cleaned.only(rows), lock=False)
    assert contacts == ()
    assert held is pose


def test_several_joints_may_carry_a_marker(walk, drifting, shared_markers):
    _, cleaned = walk
    actor = shared_markers(ACTOR)
    body = Body(actor, PRIOR.pose, torch.device("cpu"), torch.float32)
    legs = Legs(actor, find_soles(actor), PRIOR.pose, drifting.q)
    np.testing.assert_allclose(legs.body.posed(legs.of(drifting)).markers, body.posed(drifting).markers[:, legs.rows], atol=1e-5)
    held, contacts = held_feet(drifting, actor, PRIOR.pose, cleaned, lock=True)
    for each in contacts:
        places = body.posed(held).markers[:, list(each.sole.markers)].mean(1)[each.frames]
        assert float((places - places.mean(0)).norm(dim=-1).max()) < 1e-3


def test_lock_strength_is_part_of_the_way(walk, drifting):
    _, cleaned = walk
    poses = [hold_feet(drifting, ACTOR, PRIOR.pose, cleaned, Asked(lock=lock)) for lock in (0.0, 0.25, 0.5, 0.75, 1.0)]
    spread = []
    for held in poses:
        places = [soles(held.pose, each.sole)[each.frames] for each in held.contacts]
        spread.append(1000 * np.mean([np.linalg.norm(each - each.mean(axis=0), axis=-1).max() for each in places]))
    assert spread == sorted(spread, reverse=True)
    assert spread[-1] < 0.2 * spread[2] < 0.2 * spread[0]


def test_a_floor_that_is_set_lifts_feet_and_tells_when_they_stand(walk):
    pose, cleaned = walk
    found = hold_feet(pose, ACTOR, PRIOR.pose, cleaned)
    assert found.floor_m is not None
    legs = Legs(ACTOR, find_soles(ACTOR), PRIOR.pose, pose.q)

    def lowest(held):
        return np.min(list(legs.placed(legs.of(held.pose), "Z")[1].values()), axis=0)

    assert abs(np.median(lowest(found)) - found.floor_m) < 0.01
    for lock in (0.0, 1.0):
        raised = hold_feet(pose, ACTOR, PRIOR.pose, cleaned, Asked(lock=lock, floor_m=found.floor_m + 0.02))
        assert raised.floor_m == found.floor_m, "where feet are found to stand"
        up = np.median(lowest(raised) - lowest(hold_feet(pose, ACTOR, PRIOR.pose, cleaned, Asked(lock=lock))))
        assert 0.015 < up < 0.022
    low = hold_feet(pose, ACTOR, PRIOR.pose, cleaned, Asked(floor_m=found.floor_m - 0.1))
    assert low.contacts == (), "nobody stands 10 cm above the floor"


def test_contacts_are_held_where_the_user_says(walk, drifting):
    _, cleaned = walk
    found = hold_feet(drifting, ACTOR, PRIOR.pose, cleaned, Asked(lock=1.0))
    foot = found.contacts[0].sole.foot
    stands = np.zeros(drifting.frames, dtype=bool)
    for each in found.contacts:
        if each.sole.foot == foot:
            stands[each.frames] = True
    same = hold_feet(drifting, ACTOR, PRIOR.pose, cleaned, Asked(lock=1.0, stands={foot: stands}))
    assert same.contacts == found.contacts
    torch.testing.assert_close(same.pose.q, found.pose.q, rtol=0, atol=0)
    free = hold_feet(drifting, ACTOR, PRIOR.pose, cleaned, Asked(lock=1.0, stands={foot: np.zeros_like(stands)}))
    assert {each.sole.foot for each in free.contacts} == {each.sole.foot for each in found.contacts} - {foot}
    assert steps_mm(free.pose, [each for each in found.contacts if each.sole.foot == foot]) > 10 * steps_mm(found.pose, found.contacts)
