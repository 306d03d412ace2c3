# SPDX-License-Identifier: GPL-3.0-or-later
"""Synthetic people: their bones, and where their markers are put."""

from __future__ import annotations

import numpy as np
import pytest

from model.core.skeleton import CMU_JOINTS
from model.synthetic.bodies import draw_bodies

from .synthetic_people import JOINT, bodies_of


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
