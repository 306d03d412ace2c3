# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys thinned within bounds, on motions made up; tests/blender/test_clean_keys.py has Blender play what is left."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from model.core.take import FloatArray
from model.review.cleanup import BREAKDOWN, EXTREME, USUAL, BoneKeys, Doubt, Tolerance, as_quaternions, clean, grid, points, smooth

FRAMES = 400


def chain(mode: str = "QUATERNION", frames: int = FRAMES, stretches: tuple[tuple[int, int], ...] | None = None) -> list[BoneKeys]:
    """A chain of five bones that wave, the first of which travels."""
    time = np.arange(frames) / 60.0
    rng = np.random.default_rng(5)
    bones: list[BoneKeys] = []
    for row in range(5):
        vectors = np.zeros((frames, 3))
        for k in (1, 2, 3):
            vectors += rng.normal(size=3) * 0.4 / k * np.sin(k * rng.uniform(1, 3) * time[:, None] + rng.uniform(0, 6))
        values = channels(Rotation.from_rotvec(vectors), vectors, mode)
        if row == 0:
            values = np.concatenate([values, np.stack([time, 0.1 * np.sin(3 * time), 0 * time], axis=-1)], axis=1)
        offset = np.zeros(3) if row == 0 else np.array([0.0, 0.3, 0.0])
        turn = Rotation.from_rotvec(rng.normal(size=3)).as_matrix()
        bones.append(BoneKeys(row - 1, offset, turn, 0.3, mode, values, 1.0, stretches or ((0, frames - 1),)))
    return bones


def channels(turned: Rotation, vectors: FloatArray, mode: str) -> FloatArray:
    if mode == "QUATERNION":
        quats = np.roll(turned.as_quat(), 1, axis=-1)
        flips = np.cumsum(np.r_[0, (quats[1:] * quats[:-1]).sum(axis=1) < 0]) % 2
        return quats * np.where(flips, -1.0, 1.0)[:, None]
    if mode == "AXIS_ANGLE":
        angle = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.concatenate([angle, vectors / np.maximum(angle, 1e-9)], axis=1)
    return vectors


@pytest.mark.parametrize("mode", ["QUATERNION", "AXIS_ANGLE", "XYZ", "ZXY"])
@pytest.mark.parametrize("tolerance", [Tolerance(0.5, 1000.0), Tolerance(5.0, 2.0), Tolerance(0.2, 1.0)])
def test_nothing_is_further_off_than_allowed(mode: str, tolerance: Tolerance) -> None:
    bones = chain(mode)
    cleaned = clean(bones, tolerance)
    assert cleaned.degrees <= tolerance.degrees * (1 + 1e-9)
    assert cleaned.mm <= tolerance.mm * (1 + 1e-9)
    for bone, played, keys in zip(bones, cleaned.played, cleaned.keys, strict=True):
        assert keys[[0, -1]].tolist() == [0, FRAMES - 1]
        assert len(keys) < 0.6 * FRAMES
        np.testing.assert_allclose(played[keys], bone.values[keys], atol=1e-12)
        exact, now = (
            Rotation.from_quat(np.roll(as_quaternions(each[:, : bone.angles], mode), -1, axis=-1)) for each in (bone.values, played)
        )
        assert np.degrees((exact.inv() * now).magnitude()).max() <= cleaned.degrees + 1e-6
    off = np.linalg.norm(points(bones, cleaned.played) - points(bones, [bone.values for bone in bones]), axis=-1)
    assert 1e3 * off.max() <= 2 * cleaned.mm


@pytest.mark.parametrize("order", ["XYZ", "ZXY", "YZX"])
def test_angles_are_turned_in_blenders_order(order: str) -> None:
    angles = np.random.default_rng(1).normal(size=(20, 3))
    wanted = Rotation.from_euler(order.lower(), angles[:, ["XYZ".index(axis) for axis in order]])
    found = Rotation.from_quat(np.roll(as_quaternions(angles, order), -1, axis=-1))
    assert (wanted.inv() * found).magnitude().max() < 1e-9


def test_looser_is_fewer_and_a_straight_line_is_two_keys() -> None:
    counts = [sum(map(len, clean(chain(), Tolerance(degrees, 1000.0)).keys)) for degrees in (0.1, 0.5, 2.0)]
    assert counts[0] > 1.2 * counts[1] > 1.44 * counts[2]
    line = np.zeros((FRAMES, 7))
    line[:, 0] = 1.0
    line[:, 4] = np.linspace(0, 3, FRAMES)
    (keys,) = clean([replace(chain()[0], values=line)], Tolerance()).keys
    assert keys.tolist() == [0, FRAMES - 1]


def test_gaps_stay_gaps() -> None:
    cleaned = clean(chain(stretches=((10, 120), (200, 201), (300, 380))), Tolerance())
    for keys, played in zip(cleaned.keys, cleaned.played, strict=True):
        assert {10, 120, 200, 201, 300, 380} <= set(keys.tolist())
        assert not ((keys > 120) & (keys < 200)).any()
        np.testing.assert_array_equal(played[121:200], np.broadcast_to(played[120], played[121:200].shape))
        np.testing.assert_array_equal(played[390], played[380])


def test_keys_of_another_rate() -> None:
    allowed = grid(FRAMES, 60.0, 24.0)
    assert np.flatnonzero(allowed)[:4].tolist() == [0, 2, 5, 8]
    assert grid(FRAMES, 60.0, 0.0).all()
    assert grid(FRAMES, 60.0, 60.0).all()
    cleaned = clean(chain(), Tolerance(1e-6, 1e-4), allowed)
    for keys in cleaned.keys:
        assert allowed[keys[:-1]].all()
        assert len(keys) > 0.9 * allowed.sum()
    assert cleaned.degrees > 1e-6, "it is said that the bound is not kept"


def test_gaps_in_confidence_are_marked() -> None:
    doubt = Doubt(((50, 90), (390, 399)))
    assert doubt.borders(FRAMES) == [49, 91, 389]
    kinds = doubt.kinds(np.array([0, 49, 50, 70, 91, 200, 389, 399]))
    assert kinds.tolist() == [USUAL, EXTREME, BREAKDOWN, BREAKDOWN, EXTREME, USUAL, EXTREME, BREAKDOWN]
    cleaned = clean(chain(), Tolerance(), wanted=[doubt.borders(FRAMES)] * 5)
    assert all({49, 91, 389} <= set(keys.tolist()) for keys in cleaned.keys)


@pytest.mark.parametrize("mode", ["QUATERNION", "XYZ"])
def test_smoothing_takes_jitter_and_leaves_what_has_no_weight(mode: str) -> None:
    bone = chain(mode, stretches=((0, 199), (200, FRAMES - 1)))[1]
    noisy = bone.values + np.random.default_rng(0).normal(size=bone.values.shape) * 0.01
    if mode == "QUATERNION":
        noisy /= np.linalg.norm(noisy, axis=1, keepdims=True)
    jittery = replace(bone, values=noisy)
    found = smooth(jittery, 0.03, 60.0, np.where(np.arange(FRAMES) < 100, 0.0, 1.0))
    np.testing.assert_allclose(found[:100], noisy[:100], atol=1e-12)
    before, after = (np.abs(np.diff(each[100:], n=2, axis=0)).mean() for each in (noisy, found))
    assert after < 0.3 * before
    assert np.abs(found - bone.values)[110:190].mean() < np.abs(noisy - bone.values)[110:190].mean()
    np.testing.assert_array_equal(smooth(jittery, 0.0, 60.0), noisy)


def test_work_grows_with_frames_not_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """How often all frames are posed is counted, not timed: not once a key."""
    posed = 0
    given = BoneKeys.rotations

    def counting(bone: BoneKeys, values: FloatArray) -> FloatArray:
        nonlocal posed
        posed += 1
        return given(bone, values)

    monkeypatch.setattr(BoneKeys, "rotations", counting)
    counts: list[int] = []
    for frames in (500, 2000):
        posed = 0
        clean(chain(frames=frames), Tolerance())
        counts.append(posed)
    assert counts[1] < 1.5 * counts[0] + 20
    assert counts[1] < 200
