# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers that were re-stuck since the actor was fitted."""

from dataclasses import replace

import numpy as np
import pytest

from model.actors.actor_file import read_actor
from model.actors.prior import bundled
from model.bench.evaluate import CORRUPTED
from model.core.metrics import pose_error
from model.core.motion import forward
from model.core.rotations import unitquat_to_rotmat
from model.core.settings import Settings
from model.datasets.lab_takes import find_c3d
from model.engine.pipeline import solve_take
from model.files.c3d import read_c3d
from model.files.output import write_outputs
from model.synthetic.corruptions import corrupt


def with_moved(synthetic, moved):
    """The synthetic take with markers moved on their bones: {label: metres on the axes of the label's joint}."""
    actor, global_rotations = bundled().mean_actor(), synthetic.motion.forward()[1]
    positions = synthetic.take.positions.copy()
    for label, by in moved.items():
        row = actor.labels.index(label)
        positions[:, row] += global_rotations[:, actor.marker_joints[row]] @ np.array(by)
    return replace(synthetic.take, positions=positions)


def error_of(solution, motion):
    global_rotations = forward(solution.actor.skeleton, unitquat_to_rotmat(solution.rotations), solution.positions[:, 0])[1]
    return pose_error(solution.positions, global_rotations, *motion.forward())


def restuck(solution):
    return [each.labels[0] for each in solution.findings if each.kind == "re-stuck"]


@pytest.fixture(scope="module")
def undisturbed(synthetic):
    return solve_take(synthetic.take, Settings(), bundled().mean_actor())


@pytest.mark.parametrize(
    "moved",
    [
        {"LTHI": (0.0, 0.03, 0.026)},
        {"RKNE": (0.0, 0.04, 0.0)},
        {"LWRA": (0.04, 0.0, 0.0)},
        {"C7": (0.02, -0.035, 0.0)},
        {"LFWT": (-0.028, 0.028, 0.0)},
        {"RSHO": (0.04, 0.0, 0.0), "LANK": (0.0, 0.04, 0.0)},
    ],
    ids=lambda moved: " and ".join(moved),
)
def test_a_marker_that_was_moved_is_found_and_fitted(synthetic, undisturbed, moved, tmp_path):
    actor = bundled().mean_actor()
    sure = np.full_like(actor.marker_offsets, 0.005)
    sure[[actor.labels.index(label) for label in moved]] = 0.001
    actor = replace(actor, offset_sigma=sure)
    solution = solve_take(with_moved(synthetic, moved), Settings(), actor)
    assert set(restuck(solution)) == set(moved)
    assert solution.actor.offset_sigma is not None
    for label, by in moved.items():
        row = actor.labels.index(label)
        assert any(warning.startswith(f"{label} sits ") for warning in solution.warnings)
        np.testing.assert_allclose(solution.actor.marker_offsets[row], actor.marker_offsets[row] + by, atol=6e-3)
        # how sure its old place was says nothing of the new one, which the other markers told
        assert (solution.actor.offset_sigma[row] >= 0.005).all()
        assert (solution.actor.offset_sigma[row] < 0.012).all()
    others = [row for row, label in enumerate(actor.labels) if label not in moved]
    np.testing.assert_array_equal(solution.actor.marker_offsets[others], actor.marker_offsets[others])
    np.testing.assert_array_equal(solution.actor.offset_sigma[others], sure[others])
    usual, error = (error_of(each, synthetic.motion) for each in (undisturbed, solution))
    assert error.position_mm.mean() < usual.position_mm.mean() + 0.5
    assert error.motion_deg.mean() < usual.motion_deg.mean() + 0.3
    report = write_outputs(solution, {}, actor=tmp_path / "actor.json")
    entries = [entry for entry in report["findings"] if entry["kind"] == "re-stuck"]
    assert len(entries) == len(moved)
    assert entries[0]["frames"] == []  # all of them
    assert entries[0]["numbers"]["moved_mm"] > 25
    again = solve_take(with_moved(synthetic, moved), Settings(), read_actor(tmp_path / "actor.json"))
    assert not restuck(again)


def test_nothing_is_found_where_nothing_was_moved(undisturbed):
    assert not restuck(undisturbed)
    assert undisturbed.actor.labels == bundled().mean_actor().labels
    np.testing.assert_array_equal(undisturbed.actor.marker_offsets, bundled().mean_actor().marker_offsets)


def test_noise_is_not_taken_for_it(synthetic):
    assert not restuck(solve_take(corrupt(synthetic.take, CORRUPTED, seed=0), Settings(), bundled().mean_actor()))


def test_a_single_pose_tells_nothing(synthetic):
    take = with_moved(synthetic, {"LWRA": (0.04, 0.0, 0.0)})
    still = replace(take, positions=take.positions[:30], residuals=take.residuals[:30])
    assert not restuck(solve_take(still, Settings(), bundled().mean_actor()))


def test_another_person_is_not_fitted(synthetic):
    """Where half of the markers sit elsewhere, it is not the markers."""
    random = np.random.default_rng(0)
    moved = {label: random.normal(scale=0.04, size=3) for label in bundled().mean_actor().labels[::2]}
    solution = solve_take(with_moved(synthetic, moved), Settings(), bundled().mean_actor())
    assert not restuck(solution)


@pytest.mark.parametrize("name", ["cmu_01_01", "cmu_02_05", "cmu_85_02", "mons_rolling", "gatech_squat"])
def test_no_real_take_has_any(takes_folder, name):
    """With the actor fitted to the take itself, and with that of either half on the other."""
    take = read_c3d(find_c3d(takes_folder / name))
    middle = take.frames // 2
    spans = [(slice(None), slice(None)), (slice(middle), slice(middle, None)), (slice(middle, None), slice(middle))]
    for fitted, reused in spans:
        one, other = (replace(take, positions=take.positions[span], residuals=take.residuals[span]) for span in (fitted, reused))
        actor = solve_take(one, Settings()).actor
        assert not restuck(solve_take(other, Settings(), actor))
