# SPDX-License-Identifier: GPL-3.0-or-later
"""Every corruption's statistics against its definition, on made-up takes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.core.errors import BonesetterError
from model.core.take import Take
from model.markers.matching import UNLABELLED
from model.synthetic.corruptions import corrupt
from model.synthetic.corruptions.gaps import gap_lengths
from model.synthetic.corruptions.registry import CORRUPTIONS, corruption
from model.synthetic.corruptions.space import directions, median_distances

#: Parameters with which every corruption does something to a short clip.
STRONG = {
    "drift": {"part": 0.8},
    "gaps": {"part": 0.2, "together": 0.3},
    "ghosts": {"alive": 3.0, "taken": 0.5},
    "holden": {},
    "jitter": {},
    "occlusion": {"part": 0.2},
    "shifts": {"part": 0.25},
    "spikes": {"part": 0.05},
    "swaps": {"rate": 0.1},
}
#: Those that may add trajectories are asked not to where samples are compared one by one.
SAME_LABELS = {**STRONG, "ghosts": {**STRONG["ghosts"], "append": False}}


def made_up(frames: int, labels: int, rate_hz: float = 120.0, dtype: type = np.float32) -> Take:
    """Markers of a body that walks and turns: all in a box of 0.4 x 0.3 x 1.8 m, 0.3 m or so from each other."""
    random = np.random.default_rng(5)
    body = random.uniform(-0.5, 0.5, size=(labels, 3)) * [0.4, 0.3, 1.8]
    time = np.arange(frames) / rate_hz
    cos, sin, zero = np.cos(time), np.sin(time), np.zeros(frames)
    turn = np.stack([np.stack([cos, -sin, zero]), np.stack([sin, cos, zero]), np.stack([zero, zero, zero + 1])]).transpose(2, 0, 1)
    walk = np.stack([time, 0.1 * np.sin(7 * time), zero], axis=-1)
    positions = (np.einsum("fij,lj->fli", turn, body) + walk[:, None]).astype(dtype)
    names = tuple(f"M{number}" for number in range(labels))
    return Take("made up", names, positions, np.zeros((frames, labels), dtype), rate_hz)


def off(take: Take, other: Take) -> np.ndarray:
    """(frames, labels) in metres: how far the samples of two takes are apart."""
    return np.linalg.norm(take.positions.astype(float) - other.positions, axis=-1)


def runs(mask: np.ndarray) -> np.ndarray:
    """The lengths of all runs of True along the frames of a (frames, labels) mask that neither of its ends cuts."""
    edges = np.diff(np.pad(mask, ((1, 1), (0, 0))).astype(int), axis=0).T
    start, end = np.nonzero(edges == 1)[1], np.nonzero(edges == -1)[1]
    return (end - start)[(start > 0) & (end < len(mask))]


@pytest.fixture(scope="module")
def clip() -> Take:
    return made_up(240, 41)


@pytest.fixture(scope="module")
def wide() -> Take:
    """A short clip of so many markers that means are near their expectations."""
    return made_up(240, 2000)


# All of them


def test_every_corruption_is_tested_here():
    assert set(STRONG) == set(CORRUPTIONS)


@pytest.mark.parametrize("name", STRONG)
def test_the_same_seed_gives_the_same_take_and_another_another(clip, name):
    recipe = {name: STRONG[name]}
    first, again, other = (corrupt(clip, recipe, seed) for seed in ([3, 4], [3, 4], [3, 5]))
    assert first.labels == again.labels
    np.testing.assert_array_equal(first.positions, again.positions)
    assert not np.array_equal(first.positions, other.positions, equal_nan=True)


def test_seeds_are_numbers_or_sequences(clip):
    recipe = {"shifts": {}}
    np.testing.assert_array_equal(corrupt(clip, recipe, 3).positions, corrupt(clip, recipe, (3,)).positions)
    np.testing.assert_array_equal(corrupt(clip, recipe, 3).positions, corrupt(clip, recipe, [3]).positions)


@pytest.mark.parametrize("name", STRONG)
def test_the_input_stays_as_it_is(clip, name):
    take = replace(clip, positions=clip.positions.copy(), residuals=clip.residuals.copy())
    take.positions[:50, 3] = np.nan
    before = take.positions.copy()
    take.positions.flags.writeable = take.residuals.flags.writeable = False
    changed = corrupt(take, {name: STRONG[name]}, 0)
    np.testing.assert_array_equal(take.positions, before)
    assert not np.array_equal(changed.positions, before, equal_nan=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", STRONG)
def test_types_and_the_rest_of_a_take_are_kept(name, dtype):
    take = made_up(60, 12, dtype=dtype)
    changed = corrupt(take, {name: STRONG[name]}, 0)
    assert changed.positions.dtype == dtype
    assert changed.residuals.dtype == dtype
    assert changed.positions.shape == (60, len(changed.labels), 3)
    assert changed.residuals.shape == (60, len(changed.labels))
    assert (changed.name, changed.rate_hz, changed.labels[:12]) == (take.name, take.rate_hz, take.labels)


@pytest.mark.parametrize("name", STRONG)
def test_what_is_missing_stays_missing(clip, name):
    positions = clip.positions.copy()
    missing = np.random.default_rng(1).random(positions.shape[:2]) < 0.3
    missing[:, 7] = True
    positions[missing] = np.nan
    present = corrupt(replace(clip, positions=positions), {name: SAME_LABELS[name]}, 2).present
    if name == "swaps":  # gaps go with their markers
        np.testing.assert_array_equal(present.sum(axis=1), (~missing).sum(axis=1))
    else:
        assert not present[missing].any()


@pytest.mark.parametrize(("frames", "labels"), [(0, 5), (1, 1), (1, 5), (2, 3), (240, 1), (5, 0)])
@pytest.mark.parametrize("name", STRONG)
def test_takes_of_hardly_anything(name, frames, labels):
    take = made_up(frames, labels)
    for shown in (take, replace(take, positions=np.full_like(take.positions, np.nan))):
        for seed in range(5):
            changed = corrupt(shown, {name: SAME_LABELS[name]}, seed)
            assert changed.positions.shape == take.positions.shape
            assert not changed.present[~shown.present].any()


@pytest.mark.parametrize("name", STRONG)
def test_a_take_without_samples_gets_none(name):
    take = made_up(50, 8)
    empty = replace(take, positions=np.full_like(take.positions, np.nan))
    assert not corrupt(empty, {name: STRONG[name]}, 0).present.any()


def test_each_draws_from_its_own_stream(clip):
    alone = off(corrupt(clip, {"shifts": {}}, 0), clip) > 0.05
    after = off(corrupt(clip, {"jitter": {}, "spikes": {"part": 0.0}, "shifts": {}}, 0), clip) > 0.05
    np.testing.assert_array_equal(alone, after)
    lost = ~corrupt(clip, {"occlusion": {}}, 0).present
    np.testing.assert_array_equal(lost, ~corrupt(clip, {"shifts": {}, "occlusion": {}}, 0).present)
    assert abs(np.corrcoef(lost.ravel(), alone.ravel())[0, 1]) < 0.05


def test_they_are_applied_in_the_order_of_the_recipe(clip):
    first, second = {"swaps": {"rate": 0.1}}, {"drift": {"part": 1.0}}
    recipes = ({**first, **second}, {**second, **first})
    drawn = [corrupt(clip, recipe, 0) for recipe in recipes]
    assert not np.array_equal(drawn[0].positions, drawn[1].positions)
    assert corrupt(clip, {}, 0) is clip


@pytest.mark.parametrize(
    ("recipe", "sentence"),
    [
        ({"blur": {}}, r'no corruption "blur": choose from drift, gaps, .*swaps\.$'),
        ({"shifts": {"size": 1}}, r'"shifts" has no parameter "size": choose from part, distance\.$'),
        ({"shifts": {"part": -0.1}}, r'"part" of the corruption "shifts" must be a number of at least 0, not -0.1\.$'),
        ({"shifts": {"part": float("nan")}}, "at least 0, not nan"),
        ({"shifts": {"part": "much"}}, "at least 0, not much"),
        ({"gaps": {"part": 1.0}}, "must be below 1"),
        ({"jitter": {"least": 0.01}}, r'"least" of the corruption "jitter" is 0.01, more than its "most"'),
    ],
)
def test_a_wrong_recipe_is_one_sentence(clip, recipe, sentence):
    with pytest.raises(BonesetterError, match=sentence):
        corrupt(clip, recipe, 0)


def test_a_name_is_given_once():
    with pytest.raises(ValueError, match="Two corruptions are called gaps"):
        corruption("gaps")(lambda take, random: take)


# One by one


def test_holden_is_as_published():
    take = made_up(40000, 20)
    changed = corrupt(take, {"holden": {}}, 0)
    lost = ~changed.present
    distance = off(changed, take)
    moved = distance > 1e-4
    assert lost.mean() == pytest.approx(0.0782, rel=0.02)
    assert moved[~lost].mean() == pytest.approx(0.0782, rel=0.02)
    assert distance[moved & ~lost].mean() == pytest.approx(0.9606 * 0.5, rel=0.01)
    assert np.nanmax(np.abs(changed.positions - take.positions)) == pytest.approx(0.5, abs=1e-3)
    # the markers of a frame share its probability: pairs are lost together as often as the mean of p² says
    p = np.minimum(np.abs(np.random.default_rng(0).normal(scale=0.1, size=10**6)), 0.2)
    count = lost.sum(axis=1)
    assert (count * (count - 1)).mean() / (20 * 19) == pytest.approx((p**2).mean(), rel=0.05)
    assert lost.mean(axis=0).min() > 0.07  # any marker


def test_occlusion_and_shifts_are_as_asked(wide):
    lost = ~corrupt(wide, {"occlusion": {"part": 0.2}}, 0).present
    assert lost.mean() == pytest.approx(0.2, abs=0.003)
    assert (lost[1:] & lost[:-1]).mean() == pytest.approx(0.04, abs=0.002)  # independent of the frame before
    changed = corrupt(wide, {"shifts": {"part": 0.25, "distance": 0.1}}, 0)
    moved = (changed.positions != wide.positions).any(axis=-1)
    assert moved.mean() == pytest.approx(0.25, abs=0.003)
    np.testing.assert_allclose(off(changed, wide)[moved], 0.1, atol=1e-5)
    np.testing.assert_allclose((changed.positions - wide.positions)[moved].mean(axis=0), 0.0, atol=1e-3)  # any direction


def test_jitter_is_white_and_drawn_per_clip(clip):
    deviations = []
    for seed in range(40):
        noise = corrupt(clip, {"jitter": {}}, seed).positions - clip.positions
        deviations.append(noise.std())
        assert np.abs((noise[1:] * noise[:-1]).mean() / noise.var()) < 0.05
    assert 0.49e-3 < min(deviations) < 0.7e-3
    assert 1.8e-3 < max(deviations) < 2.05e-3
    given = corrupt(clip, {"jitter": {"least": 1e-3, "most": 1e-3}}, 0).positions - clip.positions
    assert given.std() == pytest.approx(1e-3, rel=0.02)


def test_gap_lengths_are_those_of_productions():
    lengths = gap_lengths(np.random.default_rng(0), 2_000_000)
    assert np.median(lengths) == 6
    assert lengths.mean() == pytest.approx(57.5, abs=2.5)
    assert lengths[lengths > 200].sum() / lengths.sum() == pytest.approx(0.69, abs=0.02)
    assert lengths.min() == 1
    assert np.median(gap_lengths(np.random.default_rng(0), 100_000, rate_hz=240.0)) == pytest.approx(12, abs=1)


@pytest.mark.parametrize("rate_hz", [60.0, 120.0])
@pytest.mark.parametrize("frames", [1, 100])
@pytest.mark.parametrize("together", [0.0, 0.5])
def test_the_missing_part_holds_for_clips_of_any_length(rate_hz, frames, together):
    # markers in fives, 1 m from the next: who vanishes together is known
    take = made_up(frames, 100, rate_hz)
    number = np.arange(100)[:, None]
    take.positions[:] = number // 5 * [1.0, 0.0, 0.0] + number % 5 * [0.0, 0.01, 0.0]
    recipe = {"gaps": {"part": 0.1, "together": together}}
    lost = np.concatenate([~corrupt(take, recipe, seed).present for seed in range(200)], axis=1)
    assert lost.mean() == pytest.approx(0.1, abs=0.012)
    assert lost[0].mean() == pytest.approx(lost[-1].mean(), abs=0.02)  # neither end is special
    fives = lost.reshape(frames, -1, 5)
    alike = fives.all(axis=-1).mean()
    assert alike > 0.04 if together else alike < 0.001


def test_gaps_lie_in_the_clip_as_drawn():
    take = made_up(50_000, 60)
    lost = ~corrupt(take, {"gaps": {}}, 0).present
    assert lost.mean() == pytest.approx(0.0065, abs=0.004)  # few long gaps are most of it
    lengths = runs(lost)
    assert 4 <= np.median(lengths) <= 8
    assert lengths[lengths > 200].sum() / lengths.sum() > 0.5
    assert corrupt(made_up(240, 41), {"gaps": {"part": 0.0}}, 0).present.all()


def test_spikes_are_short_and_far(wide):
    changed = corrupt(wide, {"spikes": {"part": 0.003}}, 0)
    distance = off(changed, wide)
    moved = distance > 1e-4
    assert moved.mean() == pytest.approx(0.003, rel=0.1)
    assert distance[moved].min() > 0.0499
    assert distance[moved].max() < 0.3001
    assert np.median(distance[moved]) == pytest.approx(0.175, abs=0.01)
    lengths = runs(moved)
    assert [(lengths == frames).mean() for frames in (1, 2, 3)] == pytest.approx([1 / 3] * 3, abs=0.05)
    assert (lengths > 3).mean() < 0.02
    fast = made_up(400, 500, rate_hz=480.0)
    lengths = runs(off(corrupt(fast, {"spikes": {"part": 0.003}}, 0), fast) > 1e-4)
    assert lengths.min() == 4
    assert np.median(lengths) == pytest.approx(8, abs=1)


def test_swaps_exchange_neighbours_for_a_while():
    take = made_up(6000, 41)
    take.residuals[:] = np.arange(41)
    take.positions[100:2000, 5] = np.nan
    changed = corrupt(take, {"swaps": {"rate": 0.01}}, 0)
    # every frame is a permutation of the samples, which the residuals number
    who = changed.residuals.astype(int)
    np.testing.assert_array_equal(np.sort(who, axis=1), np.broadcast_to(np.arange(41), who.shape))
    np.testing.assert_array_equal(changed.positions, np.take_along_axis(take.positions, who[..., None], axis=1))
    swapped = who != np.arange(41)
    assert (np.count_nonzero(swapped, axis=1) == 2).any()
    lengths = runs(swapped)
    assert len(lengths) / 2 == pytest.approx(0.01 * 41 * 50, rel=0.5)
    assert 10 <= np.median(lengths) <= 60
    distances = median_distances(take.positions)
    near = distances[swapped.nonzero()[1], who[swapped]]
    assert np.median(near) < 0.5 * np.median(distances[np.isfinite(distances)])


def test_a_swap_wants_two_that_are_seen_together(clip):
    positions = np.full_like(clip.positions, np.nan)
    positions[:, 3] = clip.positions[:, 3]
    alone = replace(clip, positions=positions)
    np.testing.assert_array_equal(corrupt(alone, {"swaps": {"rate": 1.0}}, 0).positions, positions)
    positions[:, 9] = clip.positions[:, 9]
    swapped = corrupt(alone, {"swaps": {"rate": 1.0}}, 0)
    assert swapped.present[:, [3, 9]].all()
    assert not np.array_equal(swapped.positions[:, 3], positions[:, 3])


def test_ghosts_live_beside_a_marker():
    take = made_up(12_000, 41)
    take = replace(take, labels=("*1", *take.labels[1:]))
    changed = corrupt(take, {"ghosts": {"alive": 0.5, "taken": 0.0}}, 0)
    new = changed.labels[41:]
    assert changed.labels[:41] == take.labels
    assert new[:3] == ("*0", "*2", "*3")
    assert len(set(changed.labels)) == len(changed.labels)
    assert all(UNLABELLED.match(label) for label in new)
    np.testing.assert_array_equal(changed.positions[:, :41], take.positions)
    alive = changed.present[:, 41:]
    assert alive.sum(axis=1).mean() == pytest.approx(0.5, abs=0.15)
    lives = runs(alive)
    assert len(new) - 4 <= len(lives) <= len(new)  # each lives once, and the clip's ends cut some
    assert 12 <= lives.min() < 30
    assert 100 < lives.max() <= 120
    for ghost in changed.positions[:, 41:].swapaxes(0, 1):
        born = np.isfinite(ghost[:, 0]).argmax()
        assert np.linalg.norm(take.positions[born] - ghost[born], axis=-1).min() < 0.3001
        assert np.nanmax(np.linalg.norm(np.diff(ghost, axis=0), axis=-1)) < 0.05  # it moves as smoothly as its marker


def test_a_label_may_sit_on_a_ghost(clip):
    take = made_up(12_000, 41)
    changed = corrupt(take, {"ghosts": {"alive": 0.5, "taken": 1.0}}, 0)
    assert changed.labels == take.labels
    taken = off(changed, take) > 1e-4
    assert taken.sum() / 12_000 == pytest.approx(0.5, abs=0.15)
    starts = taken & ~np.pad(taken, ((1, 0), (0, 0)))[:-1]
    assert off(changed, take)[starts].min() > 0.0299
    assert off(changed, take)[starts].max() < 0.31
    some = corrupt(clip, {"ghosts": {"alive": 5.0, "taken": 0.3, "append": False}}, 0)
    assert some.labels == clip.labels
    assert (off(some, clip) > 1e-4).sum() > 0


def test_drift_is_smooth_bounded_and_stays():
    take = made_up(1200, 400)
    changed = corrupt(take, {"drift": {"part": 0.25}}, 0)
    distance = off(changed, take)
    slid = distance.max(axis=0) > 1e-4
    assert slid.mean() == pytest.approx(0.25, abs=0.06)
    assert 0.03 < distance.max() < 0.0401
    # at most 1.5 times the distance in a second, and what has slid does not come back
    assert np.diff(distance, axis=0).max() * 120 < 1.5 * 0.04 + 0.01
    assert np.diff(distance, axis=0).min() > -1e-5
    ended = distance[-1, slid]
    assert ended.min() < 0.01 < 0.035 < ended.max()
    still = (np.abs(np.diff(distance[-60:, slid], axis=0)) < 1e-5).all(axis=0)
    assert still.mean() > 0.6
    # it turns with the body: along the line to the nearest neighbour
    neighbours = median_distances(take.positions).argmin(axis=1)
    way = take.positions[:, neighbours] - take.positions
    moved = (changed.positions - take.positions)[-1, slid]
    cosine = (way[-1, slid] * moved).sum(axis=-1) / np.linalg.norm(way[-1, slid], axis=-1) / ended
    np.testing.assert_allclose(np.abs(cosine), 1.0, atol=1e-3)
    assert 0.3 < (cosine > 0).mean() < 0.7  # towards it or away


def test_drift_goes_on_through_gaps():
    take = made_up(480, 20)
    take.positions[100:300, 4] = np.nan
    changed = corrupt(take, {"drift": {"part": 1.0}}, 0)
    np.testing.assert_array_equal(changed.present, take.present)
    step = np.linalg.norm(np.diff(changed.positions - take.positions, axis=0), axis=-1)
    assert np.nanmax(step) < 1.5e-3
    lone = made_up(480, 1)
    path = (corrupt(lone, {"drift": {"part": 1.0}}, 0).positions - lone.positions)[:, 0]
    assert 0.004 < np.linalg.norm(path[-1]) < 0.0401


def test_directions_are_uniform():
    vectors = directions(np.random.default_rng(0), 20_000)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0)
    np.testing.assert_allclose(vectors.T @ vectors / len(vectors), np.eye(3) / 3, atol=0.01)


def test_median_distances_know_who_is_never_seen():
    positions = np.zeros((5, 4, 3))
    positions[:, 1] = [0.0, 0.3, 0.4]
    positions[2, 1] = 9.0  # one frame is not the median
    positions[:, 2] = np.nan
    positions[:3, 3], positions[3:, 3] = np.nan, 1.0
    distances = median_distances(positions)
    assert distances[0, 1] == distances[1, 0] == pytest.approx(0.5)
    assert distances[0, 3] == pytest.approx(np.sqrt(3))
    assert np.isinf(distances[2]).all()
    assert np.isinf(distances.diagonal()).all()
    assert np.isinf(median_distances(np.zeros((0, 3, 3)))).all()
