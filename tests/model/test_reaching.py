# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands of rigs whose arms and shoulders have other proportions: where they reach, and what it costs in directions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from model.rigs.figure import Anatomy, Performance, turn_betweens
from model.rigs.limbs import bent_to
from model.rigs.reaching import FREE_DEG, TOUCHING_DEG
from model.rigs.retarget import Retargeted, retarget
from model.rigs.rig import BoneMap, Rig

from .made_rigs import Made, quarter, rig_of
from .test_rigs import apart

RATE = 60.0
#: Directions alone, the usual, and places whatever directions that costs.
STRENGTHS = (0.0, 0.5, 1.0)
LONG_ARMS: dict[str, Any] = {"arms": 1.2}
NARROW: dict[str, Any] = {"shoulders": 0.8}
#: Where wrists of a person of 1.8 m are, in metres: left, back, up; the right ones on the other side.
CLAP, ON_HIPS, ON_HEAD, ON_FLOOR = (0.03, -0.3, 1.3), (0.23, 0.05, 1.1), (0.18, 0.08, 1.7), (0.2, -0.35, 0.9)


def perform(wrist: tuple[float, float, float], squat: float = 0.0, stay: bool = False) -> Performance:
    """A CMU figure whose wrists go from hanging to a place and back in a second and a half, and hang for another; its trunk and legs stand,
    `squat` m lower. Or wrists stay at that place all the time."""
    rig, bone_map = rig_of(Made("CMU"))
    frames = 180
    deltas = np.tile(np.eye(3), (frames, len(rig.names), 1, 1))
    heads = np.tile(rig.heads - [0, 0, squat], (frames, 1, 1))
    there = np.where(np.arange(frames) < 90, 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frames) / 90), 0.0)
    there = np.ones(frames) if stay else there
    for side, sign in (("L", 1.0), ("R", -1.0)):
        upper, fore, hand = (list(bone_map.bones[f"{limb}.{side}"]) for limb in ("upper_arm", "forearm", "hand"))
        shoulder, elbow, wrist_place = (rig.heads[rig.index[chain[0]]] for chain in (upper, fore, hand))
        hangs = shoulder + np.array([sign * 0.06, -0.02, -0.5])
        aims = hangs + there[:, None] * (np.array(wrist) * [sign, 1, 1] - hangs)
        bones = [np.tile(end - start, (frames, 1)) for start, end in ((shoulder, elbow), (elbow, wrist_place))]
        hinge = np.tile([0.0, 0.0, -sign], (frames, 1))
        turns = bent_to(bones[0], bones[1], aims - shoulder, hinge)
        carried = np.tile(shoulder, (frames, 1)) - [0, 0, squat]
        for chain, turn, along in ((upper, turns[0], bones[0]), (fore, turns[1], bones[1]), (hand, turns[1], bones[1])):
            first = rig.heads[rig.index[chain[0]]]
            for name in chain:
                deltas[:, rig.index[name]] = turn
                heads[:, rig.index[name]] = carried + turn @ (rig.heads[rig.index[name]] - first)
            carried = carried + np.einsum("fab,fb->fa", turn, along)
    return Performance(rig, bone_map, deltas, heads, RATE)


def wrists(rig: Rig, bone_map: BoneMap, heads: np.ndarray) -> np.ndarray:
    """(2, frames, 3)."""
    return np.stack([heads[:, rig.index[bone_map.bones[f"hand.{side}"][0]]] for side in "LR"])


def moved_wrists(moved: Retargeted) -> np.ndarray:
    return np.stack([moved.heads[:, moved.chain(f"hand.{side}")[0]] for side in "LR"])


def arm(rig: Rig, bone_map: BoneMap) -> float:
    body = Anatomy(rig, bone_map)
    return body.length("upper_arm.L") + body.length("forearm.L")


@pytest.mark.parametrize("shape", [LONG_ARMS, NARROW, LONG_ARMS | NARROW | {"height": 0.6}])
def test_hands_that_clap_meet(shape):
    """On directions alone they are centimetres apart, or through one another."""
    performance = perform(CLAP)
    rig, bone_map = rig_of(Made("Mixamo", 30, seed=2, **shape))
    scale = arm(rig, bone_map) / arm(performance.rig, performance.bone_map)
    own = wrists(performance.rig, performance.bone_map, performance.heads)[:, 45]
    gaps, turned = [], []
    for strength in STRENGTHS:
        moved = retarget(performance, rig, bone_map, hands=strength)
        left, right = moved_wrists(moved)[:, 45]
        gaps.append(np.linalg.norm((left - right) - scale * (own[0] - own[1])))
        turned.append(max(apart(performance, moved).values()))
    assert gaps[0] > 0.07 * scale / 1.2
    assert gaps[0] > 1.5 * gaps[1] > gaps[2]
    assert gaps[2] < 1e-3
    assert turned[0] < 0.01
    assert turned[1] < TOUCHING_DEG + 0.3


@pytest.mark.parametrize(("place", "part"), [(ON_HIPS, "hips"), (ON_HEAD, "head")])
@pytest.mark.parametrize("shape", [LONG_ARMS, NARROW])
def test_hands_on_the_body_stay_on_it(place, part, shape):
    performance = perform(place)
    rig, bone_map = rig_of(Made("Unreal mannequin", 45, seed=3, turn=quarter(2, 120), **shape))
    own = wrists(performance.rig, performance.bone_map, performance.heads)[:, 45]
    off, turned = [], []
    for strength in STRENGTHS:
        moved = retarget(performance, rig, bone_map, hands=strength)
        # all but the arms is alike, and stands in the same place
        assert np.linalg.norm(moved.heads[45, moved.chain(part)[0]] - Anatomy(performance.rig, performance.bone_map).head(part)) < 1e-6
        off.append(np.linalg.norm(moved_wrists(moved)[:, 45] - own, axis=1).max())
        turned.append(max(apart(performance, moved).values()))
    assert off[0] > 0.025
    assert off[0] > off[1] >= off[2]
    assert off[2] < 1e-3
    assert turned[1] < TOUCHING_DEG + 0.3


def test_hands_on_the_floor_do_not_sink():
    performance = perform(ON_FLOOR, squat=0.9)
    rig, bone_map = rig_of(Made("Mixamo", 20, **LONG_ARMS))
    own = wrists(performance.rig, performance.bone_map, performance.heads)[0, 45, 2]
    scale = arm(rig, bone_map) / arm(performance.rig, performance.bone_map)
    assert own < 0.13
    heights = [moved_wrists(retarget(performance, rig, bone_map, hands=strength))[0, 45, 2] for strength in STRENGTHS]
    off = np.abs(np.array(heights) - scale * own)
    assert off[0] > 0.03
    assert off[1] < off[0]
    assert off[2] < 1e-3


@pytest.mark.parametrize(("wrist", "squat"), [(ON_FLOOR, 0.9), (ON_HIPS, 0.0)])
def test_hands_that_touch_all_along_turn_arms_by_no_more_than_two_degrees_on_average(wrist, squat):
    performance = perform(wrist, squat, stay=True)
    rig, bone_map = rig_of(Made("Mixamo", 20, **LONG_ARMS))
    own = wrists(performance.rig, performance.bone_map, performance.heads)[0, 45]
    plain, moved = (retarget(performance, rig, bone_map, hands=strength) for strength in (0.0, 0.5))
    turned = apart(performance, moved)
    arms = [deg for name, deg in turned.items() if "arm" in name]
    # of a pose that stays the mean is the worst
    assert 1.0 < max(arms) < 2.0
    scale = arm(rig, bone_map) / arm(performance.rig, performance.bone_map) if squat else 1.0
    off = [abs(moved_wrists(each)[0, 45, 2] - scale * own[2]) for each in (plain, moved)]
    assert off[1] < off[0]


def test_free_hands_cost_little_and_do_not_jump():
    performance = perform((0.5, -0.3, 1.4))
    rig, bone_map = rig_of(Made("Mixamo", 30, **NARROW))
    moved, plain = (retarget(performance, rig, bone_map, hands=strength) for strength in (0.5, 0.0))
    assert 0.5 < max(apart(performance, moved).values()) < FREE_DEG + 0.3
    shifted = moved_wrists(moved) - moved_wrists(plain)
    assert np.linalg.norm(np.diff(shifted, axis=1), axis=-1).max() < 0.004


def test_a_body_of_the_same_proportions_keeps_all_directions():
    performance = perform(CLAP)
    rig, bone_map = rig_of(Made("VRM", height=0.5))
    moved = retarget(performance, rig, bone_map, hands=1.0)
    assert max(apart(performance, moved).values()) < 0.1


def test_a_limb_ends_where_it_is_wanted():
    rng = np.random.default_rng(4)
    upper, lower, aim = rng.normal(size=(3, 50, 3))
    upper /= np.linalg.norm(upper, axis=1, keepdims=True)
    lower /= np.linalg.norm(lower, axis=1, keepdims=True)
    aim *= (rng.uniform(0.3, 1.9, 50) / np.linalg.norm(aim, axis=1))[:, None]
    first, second = bent_to(upper, lower, aim, np.cross(upper, lower))
    ends = np.einsum("fab,fb->fa", first, upper) + np.einsum("fab,fb->fa", second, lower)
    np.testing.assert_allclose(ends, aim, atol=1e-6)
    assert np.allclose(turn_betweens(upper, upper), np.eye(3))
