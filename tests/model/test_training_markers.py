# SPDX-License-Identifier: GPL-3.0-or-later
"""Synthetic actors, and windows of motion with their markers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from model.actors.prior import Prior, bundled
from model.core.motion import FASTEST_RAD, Motion
from model.core.rotations import unitquat_to_rotmat
from model.core.skeleton import CMU_JOINTS, CMU_PARENTS, Skeleton
from model.files.asf_amc import ASF_TO_C3D
from model.study.generator import Generator, batches, corrupted_windows
from model.study.preprocessing import Preprocessing
from model.synthetic import bodies as bodies_module
from model.synthetic import markers as made
from model.synthetic.bodies import Bodies, draw_bodies
from model.synthetic.markers import (
    FASTEST,
    LEAST_PART,
    RATE_HZ,
    ROOM_M,
    SLOWEST,
    Footage,
    cut_windows,
    forward,
    gather_footage,
    leg_length,
    marked,
    sound_parts,
)
from model.synthetic.synthesis import SyntheticTake

SIDES = np.array([1.0, -1.0, 1.0])  # left is right in the room's mirror
JOINT = {name: row for row, name in enumerate(CMU_JOINTS)}


@pytest.fixture(scope="module")
def prior() -> Prior:
    return bundled()


@pytest.fixture(scope="module")
def footage(synthetic: SyntheticTake) -> Footage:
    return gather_footage([synthetic.motion.on_axes(ASF_TO_C3D.T)], ["somebody"])


def standing(frames: int, rate_hz: float = RATE_HZ) -> Motion:
    """The mean person in the mean pose on the ASF's axes, hips at 0.9 m."""
    prior = bundled()
    rotations = np.repeat(prior.pose.mean_rotations[None], frames, axis=0)
    rotations[:, 0] = np.eye(3)
    return Motion(prior.mean_actor().skeleton, rotations, np.tile([0.0, 0.9, 0.0], (frames, 1)), rate_hz)


def rotated(motion: Motion, joint: str, degrees: Sequence[float] | np.ndarray, axis: str = "x") -> Motion:
    """A motion whose joint turns further, by an angle in each frame."""
    rotations = motion.rotations.copy()
    further = Rotation.from_euler(axis, np.asarray(degrees)[:, None], degrees=True).as_matrix()
    rotations[:, JOINT[joint]] = rotations[:, JOINT[joint]] @ further
    return replace(motion, rotations=rotations)


def bodies_of(prior: Prior, count: int, seed: int = 0) -> Bodies:
    return draw_bodies(prior.actor, count, np.random.default_rng(seed))


def mean_bodies(prior: Prior, count: int, size: float = 1.0) -> Bodies:
    """People of mean build, larger or smaller, without soft tissue."""
    bodies = bodies_of(prior, count)
    bones = np.repeat(prior.actor.bone_mean[None] * size, count, axis=0)
    return replace(bodies, bones=bones, skin=np.zeros_like(bodies.skin))


def random_pose(count: int, frames: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    random = np.random.default_rng(seed)
    local = unitquat_to_rotmat(random.normal(size=(count, frames, len(CMU_JOINTS), 4)))
    return torch.from_numpy(local).float(), torch.from_numpy(random.normal(size=(count, frames, 3))).float()


# Bodies


def test_proportions_are_those_that_were_measured(prior):
    bodies = bodies_of(prior, 4000)
    mean, basis = prior.actor.bone_mean, prior.actor.bone_basis
    np.testing.assert_allclose(bodies.bones.mean(axis=0), mean, atol=0.003)
    np.testing.assert_allclose(bodies.bones.std(axis=0), np.linalg.norm(basis, axis=-1), atol=1e-4, rtol=0.06)
    # thighs are long together: bones are not drawn one by one
    left, right = (bodies.bones[:, JOINT[f"{side}UpLeg"]] for side in ("Left", "Right"))
    expected = basis[JOINT["LeftUpLeg"], 1] @ basis[JOINT["RightUpLeg"], 1]
    assert np.cov(left[:, 1], right[:, 1])[0, 1] == pytest.approx(expected, rel=0.1)


def test_markers_are_put_on_as_differently_as_was_measured_and_farther_out_on_the_tall(prior):
    bodies = bodies_of(prior, 4000)
    size = np.linalg.norm(bodies.bones, axis=-1).sum(axis=1) / np.linalg.norm(prior.actor.bone_mean, axis=-1).sum()
    apart = (bodies.offsets - prior.actor.offset_mean * size[:, None, None]) / prior.actor.offset_deviation
    assert np.abs(apart.mean(axis=0)).max() < 5 / np.sqrt(4000)
    np.testing.assert_allclose(apart.std(axis=0), 1.0, atol=0.06)
    assert bodies.skin.std() == pytest.approx(0.004, rel=0.01)
    out = (bodies.offsets * prior.actor.offset_mean).sum(axis=(1, 2)) / (prior.actor.offset_mean**2).sum()
    assert np.polyfit(size, out, 1)[0] == pytest.approx(1, abs=0.05)


def test_a_real_subjects_bones_are_given_to_all(prior):
    bones = prior.actor.bone_mean * 1.1
    bodies = draw_bodies(prior.actor, 3, np.random.default_rng(0), bones)
    np.testing.assert_array_equal(bodies.bones, np.stack([bones] * 3))
    assert not np.array_equal(bodies.offsets[0], bodies.offsets[1])
    actor = bodies.actor(2)
    assert (actor.skeleton.joints, actor.labels) == (CMU_JOINTS, prior.actor.labels)
    np.testing.assert_array_equal(actor.marker_offsets, bodies.offsets[2])


# Footage


def test_footage_is_the_motion_turned_upright(synthetic, footage):
    np.testing.assert_allclose(footage.root, synthetic.motion.root, atol=1e-5)
    np.testing.assert_allclose(unitquat_to_rotmat(footage.rotations.numpy()), synthetic.motion.rotations, atol=1e-5)
    assert (footage.rotations[1:] * footage.rotations[:-1]).sum(-1).min() > 0.9, "a sign flips"
    assert footage.legs[0] == pytest.approx(leg_length(synthetic.motion.skeleton.bones, CMU_JOINTS))


def test_clips_lie_one_behind_the_other_and_much_motion_counts_less_than_its_frames():
    footage = gather_footage([standing(400), standing(100, 60.0), standing(300)], ["much", "little", "much"])
    assert footage.starts.tolist() == [0, 400, 500]
    assert footage.lengths.tolist() == [400, 100, 300]
    assert footage.rates_hz.tolist() == [120.0, 60.0, 120.0]
    assert len(footage.root) == 800
    assert footage.chances.sum() == pytest.approx(1)
    assert footage.chances[0] / footage.chances[2] == pytest.approx(400 / 300)
    assert (footage.chances[0] + footage.chances[2]) / footage.chances[1] == pytest.approx(np.sqrt(7))


def test_a_clip_is_parted_where_an_angle_flips():
    angles = np.zeros(200)
    angles[100:] = 170.0
    angles[100] = 90.0  # over two steps, so that one frame lies between
    parts = sound_parts(rotated(standing(200), "LeftLeg", angles))
    assert [part.frames for part in parts] == [100, 99]
    np.testing.assert_array_equal(parts[1].root, standing(99).root)
    whole = rotated(standing(200), "LeftLeg", angles).rotations
    np.testing.assert_array_equal(np.concatenate([parts[0].rotations, parts[1].rotations]), np.delete(whole, 100, axis=0))


def test_short_parts_between_flips_are_left_out_but_short_clips_are_not():
    angles = np.zeros(200)
    angles[100 : 100 + LEAST_PART - 1] = 90.0
    assert [part.frames for part in sound_parts(rotated(standing(200), "RightArm", angles))] == [100]
    assert [part.frames for part in sound_parts(standing(5))] == [5]
    assert [part.frames for part in sound_parts(standing(1))] == [1]


@pytest.mark.parametrize("rate_hz", [60.0, 120.0])
def test_only_what_nobody_can_do_is_a_flip(rate_hz):
    fastest = np.degrees(FASTEST_RAD / rate_hz)
    for step, parts in ((0.98 * fastest, 1), (1.02 * fastest, 2)):
        angles = np.where(np.arange(160) < 80, 0.0, step)
        assert len(sound_parts(rotated(standing(160, rate_hz), "LeftArm", angles))) == parts
    # fingers and toes are noisy everywhere
    wild = np.where(np.arange(160) < 80, 0.0, 120.0)
    assert len(sound_parts(rotated(standing(160), "LThumb", wild))) == 1
    assert len(sound_parts(rotated(standing(160), "RightToeBase", wild))) == 1


# Forward kinematics and markers


def test_forward_is_the_engines(prior):
    bodies = bodies_of(prior, 2)
    local, root = random_pose(2, 3)
    skeletons = [Skeleton(CMU_JOINTS, CMU_PARENTS, bones) for bones in bodies.bones]
    offsets = torch.from_numpy(np.stack([skeleton.offsets for skeleton in skeletons])).float()
    positions, rotations = forward(local, root, offsets, CMU_PARENTS)
    for row, skeleton in enumerate(skeletons):
        expected = Motion(skeleton, local[row].double().numpy(), root[row].double().numpy(), RATE_HZ).forward()
        np.testing.assert_allclose(positions[row], expected[0], atol=1e-5)
        np.testing.assert_allclose(rotations[row], expected[1], atol=1e-5)


def test_markers_screwed_to_the_bone_are_exactly_where_the_engine_has_them(prior):
    bodies = bodies_of(prior, 3)
    local, root = random_pose(3, 4)
    windows = marked(local, root, bodies, np.random.default_rng(0), soft=0.0)
    for row in range(3):
        actor = bodies.actor(row)
        motion = Motion(actor.skeleton, local[row].double().numpy(), root[row].double().numpy(), RATE_HZ)
        np.testing.assert_allclose(windows.markers[row], actor.markers(motion), atol=1e-5)
        np.testing.assert_allclose(windows.offsets[row], actor.skeleton.offsets, atol=1e-6)


def test_markers_slide_smoothly_by_a_few_millimetres(prior):
    bodies = mean_bodies(prior, 8)
    local, root = torch.eye(3).expand(8, 240, len(CMU_JOINTS), 3, 3).clone(), torch.zeros(8, 240, 3)
    hard, soft = (marked(local.clone(), root, bodies, np.random.default_rng(0), soft).markers.numpy() for soft in (0.0, 1.0))
    slid = (soft - hard).astype(float) * 1000
    assert 1.5 < slid.std() < 2.5
    assert np.abs(slid).max() < 15
    assert np.abs(np.diff(slid, axis=1)).max() < 1.2, "mm within a frame"
    assert np.abs(np.diff(slid, 2, axis=1)).max() < 0.05, "no corners"
    # every marker wanders by itself
    ways = np.corrcoef(slid[0].reshape(240, -1).T)
    assert np.abs(ways[np.triu_indices_from(ways, 1)]).mean() < 0.5
    half = marked(local.clone(), root, bodies, np.random.default_rng(0), 0.5).markers.numpy()
    np.testing.assert_allclose((half - hard) * 1000, slid / 2, atol=1e-3)


@pytest.fixture
def no_sliding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made, "SLIDING_M", 0.0)


@pytest.mark.usefixtures("no_sliding")
def test_skin_follows_the_turn_of_its_joint(prior):
    bodies = bodies_of(prior, 1)
    slope = np.zeros_like(bodies.skin)
    slope[..., 2, 0] = 0.01  # of a turn about x a centimetre a radian along z
    bodies = replace(bodies, skin=slope)
    local, root = torch.eye(3).expand(1, 1, len(CMU_JOINTS), 3, 3).clone(), torch.zeros(1, 1, 3)
    local[:, :, JOINT["LeftForeArm"]] = torch.from_numpy(Rotation.from_euler("x", 0.3).as_matrix()).float()
    hard, soft = (marked(local.clone(), root, bodies, np.random.default_rng(0), soft).markers[0, 0].numpy() for soft in (0.0, 1.0))
    expected = np.zeros_like(hard)
    on = [row for row, carrier in enumerate(bodies.carriers) if carrier == JOINT["LeftForeArm"]]
    expected[on] = local[0, 0, JOINT["LeftForeArm"]].numpy() @ [0.0, 0.0, 0.01 * np.sin(0.3)]
    assert on
    np.testing.assert_allclose(soft - hard, expected, atol=1e-6)


@pytest.mark.usefixtures("no_sliding")
def test_turning_round_does_not_stretch_the_skin(prior):
    bodies = bodies_of(prior, 2)
    local, root = torch.eye(3).expand(2, 5, len(CMU_JOINTS), 3, 3).clone(), torch.zeros(2, 5, 3)
    local[:, :, 0] = random_pose(2, 5)[0][:, :, 0]
    hard, soft = (marked(local.clone(), root, bodies, np.random.default_rng(0), soft).markers for soft in (0.0, 1.0))
    np.testing.assert_array_equal(hard, soft)


# Mirrors


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


# Windows


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
        positions, _ = forward(windows.local, windows.root, windows.offsets, CMU_PARENTS)
        np.testing.assert_allclose(windows.root[..., 2], size * hips, atol=1e-5)
        np.testing.assert_allclose(positions[:, :, [JOINT["LeftFoot"], JOINT["RightFoot"]], 2].mean(), size * feet, atol=1e-4)


# Pools


RECIPE = {"jitter": {}, "occlusion": {"part": 0.1}, "ghosts": {"alive": 3.0}}


def generator(footage: Footage, prior: Prior, seed: Sequence[int] = (4, 0)) -> Generator:
    return Generator(footage, prior, Preprocessing(), RECIPE, clips=3, frames=12, seed=seed)


def equal(pool: object, other: object) -> bool:
    return all(torch.equal(getattr(pool, name), getattr(other, name)) for name in ("features", "local", "place", "offsets"))


def test_the_same_seed_and_number_give_the_same_pool_and_others_another(footage, prior):
    pool = generator(footage, prior).pool(3)
    assert equal(pool, generator(footage, prior).pool(3))
    others = [generator(footage, prior).pool(2), generator(footage, prior, (5, 0)).pool(3), generator(footage, prior, (4, 1)).pool(3)]
    for other in others:
        assert (other.features[..., 3] != pool.features[..., 3]).any()
        apart = (other.local[:, :, 1:] - pool.local[:, :, 1:]).abs()  # of other moments
        assert (apart.amax(dim=(1, 2, 3, 4)) > 0.01).all()
        # and of other people, by the ratio of two of their bones
        shins, thighs = ([each.offsets[:, JOINT[name]].norm(dim=-1) for each in (pool, other)] for name in ("LeftFoot", "LeftLeg"))
        assert (shins[0] / thighs[0] - shins[1] / thighs[1]).abs().min() > 1e-4


def test_pools_made_ahead_are_those_made_one_by_one(footage, prior):
    maker = generator(footage, prior)
    pools = list(maker.pools(2, 5))
    assert len(pools) == 3
    assert all(equal(pool, maker.pool(number)) for number, pool in enumerate(pools, start=2))
    assert list(maker.pools(5, 5)) == []


def test_a_bug_in_the_thread_ahead_is_heard(footage, prior):
    broken = replace(generator(footage, prior), recipe={"blur": {}})
    with pytest.raises(Exception, match="blur"):
        next(broken.pools(0, 3))


def test_every_window_is_corrupted_by_itself_and_ghosts_have_no_place(prior):
    markers = np.zeros((4, 20, len(prior.actor.labels), 3), dtype=np.float32)
    seen = corrupted_windows(markers, prior.actor.labels, RECIPE, (1, 2))
    assert seen.shape == markers.shape
    lost = np.isnan(seen[..., 0])
    assert lost.any(axis=(1, 2)).all()
    assert len({part.tobytes() for part in lost}) == 4
    np.testing.assert_array_equal(seen, corrupted_windows(markers, prior.actor.labels, RECIPE, (1, 2)))
    assert not markers.any()


@pytest.mark.usefixtures("no_sliding")
def test_a_pool_says_where_markers_and_joints_truly_are(footage, prior, monkeypatch):
    """Screwed to their bones, markers stay as far from their joints as they are, however the body moves."""
    monkeypatch.setattr(bodies_module, "SKIN_M_PER_RAD", 0.0)
    pool = Generator(footage, prior, Preprocessing(), {}, clips=6, frames=200, seed=(0,)).pool(0)
    assert pool.frames == 1200
    positions, _ = forward(pool.local, pool.place, pool.offsets, CMU_PARENTS)
    apart = (pool.features[..., :3] - positions[:, :, list(prior.actor.carriers)]).norm(dim=-1)
    assert (apart[:, :, prior.actor.labels.index("LWRA")] > 0.01).all()
    assert np.ptp(apart.numpy(), axis=1).max() < 1e-3


def test_batches_are_all_whole_windows_once_in_random_order(footage, prior):
    pool = generator(footage, prior).pool(0)
    pieces = pool.cut(5)
    assert pieces.place.shape == (6, 5, 3)
    np.testing.assert_array_equal(pieces.place[1], pool.place[0, 5:10])
    np.testing.assert_array_equal(pieces.offsets[2:4], pool.offsets[[1, 1]])
    drawn = list(batches(pool, 5, 10, np.random.default_rng(0)))
    assert [len(batch.place) for batch in drawn] == [2, 2, 2]
    rows = [next(row for row in range(6) if torch.equal(pieces.place[row], one)) for batch in drawn for one in batch.place]
    assert sorted(rows) == list(range(6)) != rows
    # a last batch that is not whole is left out, and a window longer than a batch is one
    assert [len(batch.place) for batch in batches(pool, 5, 20, np.random.default_rng(0))] == [4]
    assert [len(batch.place) for batch in batches(pool, 5, 2, np.random.default_rng(0))] == [1] * 6
