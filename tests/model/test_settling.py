# SPDX-License-Identifier: GPL-3.0-or-later
"""Hips over feet that stand: they share what feet are off by, and go as far as the performer's."""

from __future__ import annotations

import numpy as np
import pytest

from model.core.rotations import rotvec_to_rotmat
from model.rigs.agreement import footing_mm
from model.rigs.figure import Performance
from model.rigs.retarget import Retargeted, retarget
from model.rigs.standing import FootContact

from .made_rigs import Made, rig_of
from .test_rigs import RATE, apart

FRAMES = 480


def swing(slide: float, reach_deg: float = 12.0) -> tuple[Performance, list[FootContact]]:
    """A person with bent knees who swings from side to side and to and fro over both feet, which slide by a part of the hips' way."""
    rig, bone_map = rig_of(Made("CMU"))
    time = np.arange(FRAMES)[:, None] / RATE
    sideways = np.radians(reach_deg) * np.sin(3 * time) * [0, 1, 0] + np.radians(0.5 * reach_deg) * np.sin(4.3 * time) * [1, 0, 0]
    turns = {"thigh": rotvec_to_rotmat(np.array([-0.6, 0, 0])), "shin": rotvec_to_rotmat(np.array([0.6, 0, 0]))}
    deltas = np.tile(np.eye(3), (FRAMES, len(rig.names), 1, 1))
    for part, turn in turns.items():
        for side in "LR":
            deltas[:, rig.index[bone_map.bones[f"{part}.{side}"][0]]] = rotvec_to_rotmat(sideways) @ turn
    heads = np.tile(rig.heads, (FRAMES, 1, 1))
    for bone, parent in enumerate(rig.parents):
        if parent >= 0:
            heads[:, bone] = heads[:, parent] + deltas[:, parent] @ (rig.heads[bone] - rig.heads[parent])
    ankle = rig.index[bone_map.bones["foot.L"][0]]
    heads += (rig.heads[ankle] - heads[:, ankle])[:, None]
    heads += slide * (heads[:, :1] - heads[:, :1].mean(axis=0)) * [1, 1, 0]
    contacts = [FootContact(side, "foot", 0, FRAMES - 1) for side in "LR"]
    return Performance(rig, bone_map, deltas, heads, RATE), contacts


def path_error(performance: Performance, moved: Retargeted) -> float:
    """By how much the path of the middle of the hip joints is too long, as a part of it."""
    rows = [moved.chain(f"thigh.{side}")[0] for side in "LR"]
    own = [performance.rig.index[performance.bone_map.bones[f"thigh.{side}"][0]] for side in "LR"]
    went, wanted = moved.heads[:, rows].mean(axis=1), performance.heads[:, own].mean(axis=1)
    lengths = [float(np.linalg.norm(np.diff(each[::5], axis=0), axis=1).sum()) for each in (went, wanted)]
    return lengths[0] / lengths[1] / moved.scale - 1


@pytest.mark.parametrize("slide", [0.1, -0.1])
@pytest.mark.parametrize("legs", [0.85, 1.0, 1.2])
def test_the_hips_path_keeps_its_length_over_feet_that_slid(slide, legs):
    """Feet that go with the hips, or against them, are held; hips share that without going less far, or farther."""
    performance, contacts = swing(slide)
    moved = retarget(performance, *rig_of(Made("Mixamo", 30, legs=legs)), contacts)
    assert abs(path_error(performance, moved)) < 0.01
    slid, height = footing_mm({side: feet.soles for side, feet in moved.feet.items()}, moved.contacts, moved.floor)
    assert slid < 1.0
    assert height < 1.0
    assert max(apart(performance, moved).values()) < 3.0


def test_hips_that_stand_still_are_left_so():
    """There is no path whose length could be kept: what trembles by a tenth of a mm is not made to go farther."""
    performance, contacts = swing(0.1, reach_deg=0.01)
    moved = retarget(performance, *rig_of(Made("Mixamo", 30)), contacts)
    thigh = moved.heads[:, moved.chain("thigh.L")[0]]
    assert np.ptp(thigh, axis=0).max() < 0.001


def test_a_take_of_a_few_frames_settles():
    performance, _ = swing(0.1)
    few = Performance(performance.rig, performance.bone_map, performance.deltas[:3], performance.heads[:3], RATE)
    moved = retarget(few, *rig_of(Made("Mixamo", 30)), [FootContact("L", "foot", 0, 2)])
    assert np.isfinite(moved.heads).all()
