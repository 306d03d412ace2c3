# SPDX-License-Identifier: GPL-3.0-or-later
"""What a network sees of markers, and the way back to a pose."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from model.actors.prior import bundled
from model.core.errors import BonesetterError
from model.core.rotations import unitquat_to_rotmat
from model.files.asf_amc import ASF_TO_C3D
from model.study.noise_filters import FASTEST_M_PER_S, NOISE_FILTERS, drop_strays, hold_jumps
from model.study.preprocessing import (
    BODY_LABELS,
    Coordinates,
    NoiseFilter,
    Prepared,
    Preprocessing,
    Reference,
    Scale,
    body_frames,
    from_frame,
    measured_scale,
    prepare,
    reference_of,
    to_frame,
)
from model.synthetic.synthesis import CYCLE, SQUAT, SyntheticTake

RATE_HZ = 120.0
ALL = [
    Preprocessing(*chosen)
    for chosen in product(get_args(Coordinates), get_args(Scale), get_args(NoiseFilter), ("xyz", "yzx"))  # as the class has them
]


@pytest.fixture(scope="module")
def reference() -> Reference:
    return reference_of(bundled())


@pytest.fixture(scope="module")
def true(synthetic: SyntheticTake) -> np.ndarray:
    """Two windows of 40 frames, one walking and one squatting, nothing missing."""
    return np.stack([synthetic.markers[start : start + 40] for start in (200, 860)]).astype(np.float32)


@pytest.fixture(scope="module")
def gappy(true: np.ndarray) -> np.ndarray:
    markers = true.copy()
    markers[np.random.default_rng(0).random(markers.shape[:3]) < 0.2] = np.nan
    return markers


def rotated(markers: np.ndarray, turn: np.ndarray, shift: np.ndarray) -> np.ndarray:
    return (markers @ turn.T + shift).astype(np.float32)


ABOUT_Z = Rotation.from_euler("z", 130, degrees=True).as_matrix()
ANYHOW = Rotation.from_rotvec([1.0, -2.0, 0.5]).as_matrix()
SHIFT = np.array([2.0, -1.0, 0.4])


# There and back


@pytest.mark.parametrize("switches", ALL, ids=lambda s: f"{s.coordinates}-{s.scale}-{s.noise_filter}-{s.axes}")
def test_a_pose_comes_back_from_the_frame_with_every_switch(reference, gappy, switches):
    local = torch.from_numpy(unitquat_to_rotmat(np.random.default_rng(0).normal(size=(2, 40, 31, 4)))).float()
    root = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 40, 3))).float()
    prepared = prepare(gappy * 1.1, reference, switches, RATE_HZ)
    seen, place = to_frame(local, root, prepared)
    back = from_frame(seen, place, prepared)
    np.testing.assert_allclose(back[0], local, atol=2e-6)
    np.testing.assert_allclose(back[1], root, atol=1e-5)
    torch.testing.assert_close(seen[:, :, 1:], local[:, :, 1:])
    if switches.coordinates == "body":
        assert not torch.allclose(seen[:, :, 0], local[:, :, 0], atol=0.1)


@pytest.mark.parametrize("switches", ALL, ids=lambda s: f"{s.coordinates}-{s.scale}-{s.noise_filter}-{s.axes}")
def test_features_are_markers_as_the_pose_is_a_pose(reference, gappy, switches):
    """What brings the root back brings the markers back; what is not visible is 0."""
    prepared = prepare(gappy, reference, switches, RATE_HZ)
    points, visible = prepared.features[..., [switches.axes.index(axis) for axis in "xyz"]], prepared.features[..., 3]
    filtered = NOISE_FILTERS[switches.noise_filter](gappy, reference.rigid_groups, RATE_HZ)
    np.testing.assert_array_equal(visible, np.isfinite(filtered[..., 0]))
    assert not points[visible == 0].any()
    for label in range(points.shape[2]):
        _, back = from_frame(torch.eye(3).expand(2, 40, 1, 3, 3), points[:, :, label], prepared)
        seen = visible[:, :, label] > 0
        np.testing.assert_allclose(back[seen], filtered[:, :, label][seen], atol=1e-5)


@given(
    st.tuples(*[st.floats(-50, 50)] * 3),
    st.tuples(*[st.floats(-4, 4)] * 3),
    st.floats(0.3, 3),
)
@settings(max_examples=50, deadline=None)
def test_the_way_back_holds_for_any_frame(origin, rotvec, scale):
    turn = torch.tensor(Rotation.from_rotvec(rotvec).as_matrix())[None, None]
    prepared = Prepared(torch.zeros(1, 1, 1, 4), turn, torch.tensor([[origin]]), torch.tensor([scale]).double())
    local, root = turn[:, :, None].expand(1, 1, 2, 3, 3), torch.tensor([[[1.0, 2.0, 3.0]]]).double()
    back = from_frame(*to_frame(local, root, prepared), prepared)
    np.testing.assert_allclose(back[0], local, atol=1e-9)
    np.testing.assert_allclose(back[1], root, atol=1e-9)


def test_axes_are_in_the_order_asked_for(reference, gappy):
    usual, other = Preprocessing(), Preprocessing(axes="yzx")
    prepared = [prepare(gappy, reference, switches, RATE_HZ) for switches in (usual, other)]
    torch.testing.assert_close(prepared[1].features, prepared[0].features[..., [1, 2, 0, 3]])


def test_markers_of_the_world_are_left_alone(reference, gappy):
    prepared = prepare(gappy, reference, Preprocessing("world", "none"), RATE_HZ)
    np.testing.assert_array_equal(prepared.features[..., :3], np.nan_to_num(gappy))
    np.testing.assert_array_equal(prepared.scale, 1.0)


def test_the_input_stays_as_it_is(reference, gappy):
    markers = gappy.copy()
    markers.flags.writeable = False
    for switches in ALL:
        prepare(markers, reference, switches, RATE_HZ)


# Body coordinates


@pytest.mark.parametrize("scale", ["none", "thigh", "rigid"])
@pytest.mark.parametrize("turn", [ABOUT_Z, ANYHOW])
def test_body_coordinates_do_not_see_where_the_world_is(reference, gappy, scale, turn):
    switches = Preprocessing(scale=scale)
    here = prepare(gappy, reference, switches, RATE_HZ)
    there = prepare(rotated(gappy, turn, SHIFT), reference, switches, RATE_HZ)
    np.testing.assert_allclose(there.features, here.features, atol=1e-4)
    np.testing.assert_allclose(there.turn, turn @ here.turn.numpy(), atol=1e-4)
    np.testing.assert_allclose(there.origin, rotated(here.origin.numpy(), turn, SHIFT), atol=1e-4)
    world = Preprocessing("world", scale)
    apart = prepare(rotated(gappy, turn, SHIFT), reference, world, RATE_HZ).features - prepare(gappy, reference, world, RATE_HZ).features
    assert apart.abs().max() > 0.3


def test_height_needs_to_know_where_up_is(reference, true):
    height = Preprocessing(scale="height")
    here = prepare(true, reference, height, RATE_HZ).features
    np.testing.assert_allclose(prepare(rotated(true, ABOUT_Z, SHIFT), reference, height, RATE_HZ).features, here, atol=1e-4)
    lying = prepare(rotated(true, Rotation.from_euler("x", 90, degrees=True).as_matrix(), SHIFT), reference, height, RATE_HZ).features
    assert (lying - here).abs().max() > 0.3


def test_the_mean_person_is_found_where_it_stands(reference):
    """The reference itself, rotated and moved: the frame is that turn, the origin its root, and features are the reference."""
    markers = np.stack([rotated(reference.markers, turn, SHIFT) for turn in (ABOUT_Z @ ASF_TO_C3D, ANYHOW)])[:, None]
    turn, origin = body_frames(markers[:, :, reference.body], np.ones((2, 1, 6), dtype=bool), reference)
    np.testing.assert_allclose(turn[:, 0], [ABOUT_Z @ ASF_TO_C3D, ANYHOW], atol=1e-5)
    np.testing.assert_allclose(origin[:, 0], [SHIFT, SHIFT], atol=1e-5)
    assert np.linalg.det(turn) == pytest.approx(np.ones((2, 1)), abs=1e-5)
    features = prepare(markers, reference, Preprocessing(), RATE_HZ).features
    np.testing.assert_allclose(features[:, 0, :, :3], [reference.markers] * 2, atol=1e-4)


@pytest.mark.parametrize("seen", [[0, 1, 2], [2, 3, 4], [0, 3, 5], [1, 2, 3, 4]])
def test_three_body_markers_are_enough_whichever(reference, seen):
    visible = np.zeros((1, 1, 6), dtype=bool)
    visible[..., seen] = True
    points = np.where(visible[..., None], rotated(reference.markers[reference.body], ANYHOW, SHIFT), 99.0)
    turn, origin = body_frames(points.astype(np.float32), visible, reference)
    np.testing.assert_allclose(turn[0, 0], ANYHOW, atol=1e-3)
    np.testing.assert_allclose(origin[0, 0], SHIFT, atol=1e-3)


def test_with_fewer_body_markers_the_nearest_frame_is_kept(reference, true):
    markers = true[:1, :12].copy()
    body = np.array(reference.body)
    for frame in (0, 4, 5, 6, 7, 11):
        markers[0, frame, body[2:]] = np.nan  # two are left
    prepared = prepare(markers, reference, Preprocessing(scale="none"), RATE_HZ)
    whole = prepare(true[:1, :12], reference, Preprocessing(scale="none"), RATE_HZ)
    taken = [1, 1, 2, 3, 3, 3, 8, 8, 8, 9, 10, 10]
    np.testing.assert_allclose(prepared.turn[0], whole.turn[0, taken], atol=1e-6)
    np.testing.assert_allclose(prepared.origin[0], whole.origin[0, taken], atol=1e-6)


def test_without_body_markers_throughout_the_frame_is_upright_about_what_is_seen(reference, true):
    markers = true.copy()
    markers[1, :, reference.body] = np.nan
    markers[1, :, reference.body[:2]] = true[1, :, reference.body[:2]]
    prepared = prepare(markers, reference, Preprocessing(), RATE_HZ)
    np.testing.assert_allclose(prepared.turn[1], np.broadcast_to(ASF_TO_C3D, (40, 3, 3)), atol=1e-6)
    np.testing.assert_allclose(prepared.origin[1], true[1][:, reference.body[:2]].mean(axis=1), atol=1e-5)
    # the other window knows nothing of it
    np.testing.assert_array_equal(prepared.features[0], prepare(true, reference, Preprocessing(), RATE_HZ).features[0])


@pytest.mark.parametrize("switches", ALL, ids=lambda s: f"{s.coordinates}-{s.scale}-{s.noise_filter}-{s.axes}")
def test_hardly_any_markers_are_numbers_all_the_same(reference, true, switches):
    """One window without a sample, one with one body marker, in one frame."""
    markers = np.full_like(true, np.nan)
    markers[1, 7, reference.labels.index("T10")] = 1.0
    if switches.scale == "height":
        markers[1, 7, reference.labels.index("RTOE")] = 0.0
    prepared = prepare(markers, reference, switches, RATE_HZ)
    for values in (prepared.features, prepared.turn, prepared.origin, prepared.scale):
        assert values.isfinite().all()
    assert not prepared.features[0].any()
    assert prepared.features[1, ..., 3].sum() == 1 + (switches.scale == "height")


def test_a_take_without_a_sample_is_one_sentence(reference, true):
    with pytest.raises(BonesetterError, match=r"There is no marker to see .*: choose a take with labelled markers\.$"):
        prepare(np.full_like(true, np.nan), reference, Preprocessing(), RATE_HZ)


def test_the_reference_is_the_mean_person(reference):
    assert reference_of(bundled()) is reference
    assert [reference.labels[row] for row in reference.body] == list(BODY_LABELS)
    place = dict(zip(reference.labels, reference.markers, strict=True))
    assert place["LFHD"][1] > 0.4 > -0.6 > place["LTOE"][1]  # y is up
    assert place["LKNE"][0] > 0 > place["RKNE"][0]  # its left is x
    assert place["STRN"][2] > place["T10"][2]  # it faces z
    for a, b in reference.rigid_pairs:
        assert a != b
        assert reference.carriers[a] == reference.carriers[b]
    assert len(reference.rigid_pairs) == len(set(reference.rigid_pairs)) == 32


# Scale


@pytest.fixture(scope="module")
def standing(synthetic: SyntheticTake) -> np.ndarray:
    """The take begins before the walk does."""
    return synthetic.markers[None, :24].astype(np.float32)


@pytest.mark.parametrize("scale", ["thigh", "height", "rigid"])
@pytest.mark.parametrize("size", [0.85, 1.0, 1.1])
def test_a_larger_person_measures_larger_and_looks_the_same(reference, standing, scale, size):
    measured = measured_scale(standing * np.float32(size), reference, scale)
    assert measured.dtype == np.float32
    assert measured[0] == pytest.approx(size, rel=0.01), "the synthetic person is of mean build"
    switches = Preprocessing(scale=scale)
    seen = [prepare(standing * np.float32(s), reference, switches, RATE_HZ).features for s in (1.0, size)]
    # the body's frame is aligned with a person of mean size, so its origin moves a little with the size
    np.testing.assert_allclose(seen[1], seen[0], atol=0.03)
    unscaled = prepare(standing * np.float32(size), reference, Preprocessing(scale="none"), RATE_HZ).features
    assert (unscaled - seen[0]).abs().max() > 0.06 or size == 1.0


def test_height_takes_a_squat_for_a_child_and_rigid_does_not(reference, synthetic):
    lowest = round((SQUAT[0] + SQUAT[1]) / 2 * CYCLE * RATE_HZ)
    crouching = synthetic.markers[None, lowest - 20 : lowest + 20]
    assert measured_scale(crouching, reference, "height")[0] < 0.85
    assert measured_scale(crouching, reference, "thigh")[0] < 0.85, "from waist to knee a hip bends"
    assert measured_scale(crouching, reference, "rigid")[0] == pytest.approx(1, abs=1e-3)


def test_rigid_does_not_mind_gaps_and_jumping_markers(reference, gappy):
    markers = gappy * np.float32(1.1)
    random = np.random.default_rng(1)
    jumping = random.random(markers.shape[:3]) < 0.1
    markers[jumping] += random.uniform(-0.5, 0.5, size=(int(jumping.sum()), 3)).astype(np.float32)
    np.testing.assert_allclose(measured_scale(markers, reference, "rigid"), 1.1, rtol=0.02)


@pytest.mark.parametrize("scale", ["none", "thigh", "height", "rigid"])
def test_what_cannot_be_measured_is_of_size_one(reference, true, scale):
    np.testing.assert_array_equal(measured_scale(np.full_like(true, np.nan), reference, scale), 1.0)


def test_each_window_has_a_size_of_its_own(reference, true):
    both = np.stack([true[0] * 0.9, true[0] * 1.2])
    np.testing.assert_allclose(measured_scale(both, reference, "rigid"), [0.9, 1.2], rtol=1e-3)


def test_pairs_that_are_never_seen_say_nothing(reference, standing):
    tall = standing * np.float32(1.1)
    tall[:, :, reference.labels.index("LKNE")] = np.nan
    assert measured_scale(tall, reference, "thigh")[0] == pytest.approx(1.1, rel=0.01)
    few = np.full_like(tall, np.nan)
    few[:, :, reference.body] = tall[:, :, reference.body]
    assert measured_scale(few, reference, "rigid")[0] == pytest.approx(1.1, rel=0.01)


def test_the_height_of_one_marker_is_none(reference, standing):
    one = np.full_like(standing, np.nan)
    one[:, :, 0] = standing[:, :, 0]
    with np.errstate(all="ignore"):
        prepared = prepare(one, reference, Preprocessing(scale="height"), RATE_HZ)
    assert prepared.features.isfinite().all()


# Noise filters


def path(*places: float | None) -> np.ndarray:
    """One marker that goes along x, in metres."""
    markers = np.zeros((1, len(places), 1, 3), dtype=np.float32)
    markers[0, :, 0, 0] = [np.nan if place is None else place for place in places]
    markers[np.isnan(markers[..., 0])] = np.nan
    return markers


def along(markers: np.ndarray) -> list[float | None]:
    return [None if np.isnan(x) else round(float(x), 4) for x in markers[0, :, 0, 0]]


def test_a_jump_is_held_until_the_marker_comes_back():
    held = hold_jumps(path(0, 0, 0.01, 3.0, 3.0, 0.02, 0.03), [], RATE_HZ)
    assert along(held) == [0, 0, 0.01, 0.01, 0.01, 0.02, 0.03]


def test_a_marker_that_stays_away_is_let_go_when_it_may_have_got_there():
    away = [0.0] * 3 + [0.95] * 17
    held = along(hold_jumps(path(*away), [], RATE_HZ))
    step = FASTEST_M_PER_S / RATE_HZ
    frames = int(np.ceil(0.95 / step))
    assert held == [0.0] * (2 + frames) + [0.95] * (20 - 2 - frames)


def test_speeds_that_people_have_pass():
    fast = np.cumsum(np.full(20, 0.99 * FASTEST_M_PER_S / RATE_HZ))
    markers = path(*fast)
    np.testing.assert_array_equal(hold_jumps(markers, [], RATE_HZ), markers)
    assert along(hold_jumps(path(*fast), [], 2 * RATE_HZ)) != along(markers)


def test_what_is_missing_stays_missing_and_may_have_moved_meanwhile():
    assert along(hold_jumps(path(0, None, None, 0.25, 0.26), [], RATE_HZ)) == [0, None, None, 0.25, 0.26]
    assert along(hold_jumps(path(0, None, None, 5.0, 0.01), [], RATE_HZ)) == [0, None, None, 0, 0.01]
    assert along(hold_jumps(path(None, None, 7.0, 7.0), [], RATE_HZ)) == [None, None, 7, 7]


def test_clean_markers_pass_every_filter_unchanged(reference, synthetic):
    markers = synthetic.markers[None].astype(np.float32)
    for name in NOISE_FILTERS:
        np.testing.assert_array_equal(NOISE_FILTERS[name](markers, reference.rigid_groups, RATE_HZ), markers)


def test_a_stray_leaves_its_rigid_group_alone(reference, true):
    markers = true.copy()
    head = reference.labels.index("LFHD")
    markers[0, 10:18, head] += np.array([0.0, 0.0, 0.3], dtype=np.float32)
    kept = drop_strays(markers, reference.rigid_groups, RATE_HZ)
    expected = markers.copy()
    expected[0, 10:18, head] = np.nan
    np.testing.assert_array_equal(kept, expected)


def test_a_marker_of_no_group_and_a_small_shift_are_kept(reference, true):
    markers = true.copy()
    in_groups = {row for group in reference.rigid_groups for row in group}
    lone = next(row for row in range(len(reference.labels)) if row not in in_groups)
    markers[0, 10:18, lone] += 0.5
    markers[0, 10:18, reference.labels.index("LFHD")] += np.array([0.0, 0.0, 0.02], dtype=np.float32)
    np.testing.assert_array_equal(drop_strays(markers, reference.rigid_groups, RATE_HZ), markers)


def test_most_of_the_group_must_agree_that_one_has_left():
    square = np.array([[0.0, 0, 0], [0.2, 0, 0], [0.2, 0.2, 0], [0, 0.2, 0], [5.0, 0, 0]])
    markers = np.tile(square, (1, 20, 1, 1)).astype(np.float32)
    markers[0, 5:8, 0, 0] -= 0.3
    lost = np.isnan(drop_strays(markers, [[0, 1, 2, 3]], RATE_HZ)[0, ..., 0])
    assert np.argwhere(lost).tolist() == [[5, 0], [6, 0], [7, 0]]
    # where only two are seen nobody knows which of them has left
    markers[0, 5:8, 2:4] = np.nan
    np.testing.assert_array_equal(drop_strays(markers, [[0, 1, 2, 3]], RATE_HZ), markers)


def test_a_filter_works_before_anything_is_measured(reference, true):
    """A stray of the waist turns the body's frame, unless it is dropped first."""
    markers = true[:1].copy()
    markers[0, 8:12, reference.labels.index("LBWT")] += np.array([0.5, 0.5, 0.5], dtype=np.float32)
    clean = prepare(true[:1], reference, Preprocessing(), RATE_HZ)
    for name, off in (("none", 0.05), ("groups", 0.02)):
        apart = (prepare(markers, reference, replace(Preprocessing(), noise_filter=name), RATE_HZ).origin - clean.origin).norm(dim=-1)
        assert (apart.max() > off) == (name == "none")
