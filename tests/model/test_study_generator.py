# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools of windows that the study's networks learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from model.actors.prior import Prior
from model.core.skeleton import CMU_PARENTS
from model.solver.kinematics import forward
from model.study.generator import Generator, batches, corrupted_windows
from model.study.preprocessing import Preprocessing
from model.synthetic import bodies as bodies_module
from model.synthetic.markers import (
    Footage,
)

from .synthetic_people import JOINT

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
    positions, _ = forward(pool.local, pool.place, pool.offsets[:, None], CMU_PARENTS)
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
