# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows cut from footage: mirrored, rotated, moved, at other speeds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from model.core.rotations import unitquat_to_rotmat
from model.core.skeleton import CMU_JOINTS, CMU_PARENTS
from model.files.asf_amc import ASF_TO_C3D
from model.solver.kinematics import forward
from model.synthetic import markers as made
from model.synthetic.markers import (
    FASTEST,
    RATE_HZ,
    ROOM_M,
    SLOWEST,
    Footage,
    cut_windows,
    gather_footage,
)

from .synthetic_people import JOINT, bodies_of, mean_bodies, rotated, standing

SIDES = np.array([1.0, -1.0, 1.0])  # left is right in the room's mirror


def mirrored(footage: Footage, rotations: Tensor, root: Tensor) -> tuple[Tensor, Tensor]:
    return made._mirror(rotations, root, torch.ones(len(root), dtype=torch.bool), footage.mirrored)


def test_mirroring_twice_is_the_identity(footage):
    rotations, root = footage.rotations[None, ::40], footage.root[None, ::40]
    once = mirrored(footage, rotations, root)
    again = mirrored(footage, *once)
    assert not np.allclose(unitquat_to_rotmat(once[0].numpy()), unitquat_to_rotmat(rotations.numpy()), atol=0.1)
    np.testing.assert_allclose(unitquat_to_rotmat(again[0].numpy()), unitquat_to_rotmat(rotations.numpy()), atol=1e-5)
    np.testing.assert_allclose(again[1], root)


def test_a_left_handed_wave_becomes_a_right_handed_one():
    wave = 60.0 * np.sin(np.arange(30) / 5.0)
    motion = rotated(rotated(standing(30), "LeftArm", 80 + wave, "z"), "LeftForeArm", wave, "y")
    slanted = replace(motion.on_axes(Rotation.from_euler("y", 35, degrees=True).as_matrix()), root=motion.root + np.array([0.3, 0.0, 0.7]))
    footage = gather_footage([slanted], ["left-handed"])
    rotations, root = mirrored(footage, footage.rotations[None], footage.root[None])
    upright = slanted.on_axes(ASF_TO_C3D)
    there = replace(upright, rotations=unitquat_to_rotmat(rotations[0].numpy()), root=root[0].double().numpy()).forward()[0]
    here = upright.forward()[0]
    np.testing.assert_allclose(there[:, list(footage.mirrored)], here * SIDES, atol=2e-4)
    assert np.ptp(here[:, JOINT["LeftHand"], 2]) > 0.3 > 1e-3 > np.ptp(here[:, JOINT["RightHand"], 2])
    assert np.ptp(there[:, JOINT["RightHand"], 2]) > 0.3 > 1e-3 > np.ptp(there[:, JOINT["LeftHand"], 2])


def test_only_the_chosen_windows_are_mirrored(footage):
    rotations, root = footage.rotations[None, :4].repeat(2, 1, 1, 1), footage.root[None, :4].repeat(2, 1, 1)
    some = made._mirror(rotations, root, torch.tensor([False, True]), footage.mirrored)
    np.testing.assert_array_equal(some[0][0], rotations[0])
    np.testing.assert_array_equal(some[1][0], root[0])
    np.testing.assert_array_equal(some[1][1], root[1] * torch.tensor(SIDES).float())


def test_half_of_the_windows_are_mirrored(prior):
    footage = gather_footage([rotated(standing(10), "LeftForeArm", np.full(10, 90.0))], ["a"])
    windows = cut_windows(footage, mean_bodies(prior, 400), 1, np.random.default_rng(0))
    elbows = [JOINT["LeftForeArm"], JOINT["RightForeArm"]]
    mean = torch.from_numpy(prior.pose.mean_rotations[elbows]).float()
    bent = ((windows.local[:, 0, elbows] - mean).norm(dim=(-1, -2)) > 0.5).T
    assert (bent[0] ^ bent[1]).all()
    assert 0.42 < bent[0].float().mean() < 0.58


def test_people_face_anywhere_and_stand_anywhere(prior):
    footage = gather_footage([standing(200)], ["a"])
    windows = cut_windows(footage, mean_bodies(prior, 400), 2, np.random.default_rng(0))
    forwards = windows.local[:, 0, 0, :, 2].numpy()  # the zero pose faces z
    np.testing.assert_allclose(forwards[:, 2], 0.0, atol=1e-6)
    headings = np.arctan2(forwards[:, 1], forwards[:, 0])
    assert np.abs(np.exp(1j * headings).mean()) < 0.12
    assert np.abs(np.exp(2j * headings).mean()) < 0.12
    place = windows.root[:, 0].numpy()
    assert np.abs(place[:, :2]).max() < ROOM_M
    np.testing.assert_allclose(place[:, :2].std(axis=0), ROOM_M / np.sqrt(3), rtol=0.1)
    np.testing.assert_allclose(place[:, 2], 0.9, atol=1e-5)
    np.testing.assert_allclose(windows.local[:, 0, 0, 2, 1], 1.0, atol=1e-6)  # upright: y of the zero pose is up


@pytest.mark.parametrize("rate_hz", [60.0, 120.0])
def test_windows_play_near_the_recorded_speed(prior, rate_hz):
    walk = standing(600, rate_hz)
    walk.root[:, 2] += np.arange(600) / rate_hz  # 1 m/s ahead
    footage = gather_footage([rotated(walk, "Neck1", np.arange(600) / rate_hz * 20)], ["a"])
    windows = cut_windows(footage, mean_bodies(prior, 300), 24, np.random.default_rng(0))
    steps = (windows.root[:, 1:] - windows.root[:, :-1]).norm(dim=-1).numpy() * RATE_HZ
    assert np.ptp(steps, axis=1).max() < 1e-3, "a window has one speed"
    assert SLOWEST - 1e-3 < steps.min() < SLOWEST + 0.02
    assert FASTEST - 0.02 < steps.max() < FASTEST + 1e-3
    # rotations keep time with the root
    neck = windows.local[:, :, JOINT["Neck1"]].numpy()
    turns = Rotation.from_matrix((neck[:, 0].swapaxes(-1, -2) @ neck[:, -1]).astype(float)).magnitude()
    np.testing.assert_allclose(np.degrees(turns), 20 * steps.mean(axis=1) * 23 / RATE_HZ, rtol=5e-3)


def test_windows_begin_at_any_moment_and_end_within_their_clip(prior):
    here, there = standing(100), standing(100)
    here.root[:, 0] = np.arange(100) / 100
    there.root[:] = here.root + np.array([50.0, 10.0, 0.0])
    footage = gather_footage([here, there], ["a", "b"])
    windows = cut_windows(footage, mean_bodies(prior, 300), 40, np.random.default_rng(0))
    way = (windows.root - windows.root[:, :1]).norm(dim=-1)
    assert way.max() < 0.01 * 39 * FASTEST + 1e-4, "it jumps from clip to clip"
    assert 0.4 < (windows.root[:, 0, 2] > 5).float().mean() < 0.6
    neck = gather_footage([rotated(standing(100), "Neck1", np.linspace(0, 99, 100))], ["a"])
    cut = cut_windows(neck, mean_bodies(prior, 300), 40, np.random.default_rng(0)).local[:, :, JOINT["Neck1"]].numpy().astype(float)
    mean = prior.pose.mean_rotations[JOINT["Neck1"]]
    moments = np.degrees(Rotation.from_matrix((mean.T @ cut).reshape(-1, 3, 3)).magnitude()).reshape(300, 40)
    assert moments[:, 0].min() < 2
    assert moments[:, -1].max() > 97
    assert moments.min() > -0.05
    assert moments.max() < 99.05
    assert np.diff(moments, axis=1).min() > 0.7


def test_a_clip_shorter_than_the_window_plays_slower(prior):
    walk = standing(7)
    walk.root[:, 0] = np.arange(7) * 0.1
    windows = cut_windows(gather_footage([walk], ["a"]), mean_bodies(prior, 5), 61, np.random.default_rng(0))
    steps = (windows.root[:, 1:] - windows.root[:, :-1]).norm(dim=-1)
    np.testing.assert_allclose(steps, 0.01, atol=1e-5)


@pytest.mark.parametrize(("recorded", "wanted"), [(1, 1), (1, 30), (2, 1), (300, 1), (300, 2)])
def test_windows_of_hardly_anything(prior, recorded, wanted):
    windows = cut_windows(gather_footage([standing(recorded)], ["a"]), bodies_of(prior, 3), wanted, np.random.default_rng(0))
    assert windows.local.shape == (3, wanted, len(CMU_JOINTS), 3, 3)
    assert windows.markers.shape == (3, wanted, len(prior.actor.labels), 3)
    assert windows.markers.isfinite().all()
    assert windows.root.isfinite().all()


def test_feet_stay_on_the_floor_whatever_the_legs(prior):
    recorded = standing(100)
    feet = recorded.on_axes(ASF_TO_C3D).forward()[0][0, [JOINT["LeftFoot"], JOINT["RightFoot"]], 2].mean()
    hips = recorded.root[0, 1]
    for size in (0.8, 1.0, 1.25):
        windows = cut_windows(gather_footage([recorded], ["a"]), mean_bodies(prior, 2, size), 3, np.random.default_rng(0))
        positions, _ = forward(windows.local, windows.root, windows.offsets[:, None], CMU_PARENTS)
        np.testing.assert_allclose(windows.root[..., 2], size * hips, atol=1e-5)
        np.testing.assert_allclose(positions[:, :, [JOINT["LeftFoot"], JOINT["RightFoot"]], 2].mean(), size * feet, atol=1e-4)
