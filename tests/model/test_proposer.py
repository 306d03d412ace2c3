# SPDX-License-Identifier: GPL-3.0-or-later
"""The proposing network: any marker set in any order, training that can be killed, and what the solver makes of a guess."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.actors.actor import Actor
from model.actors.prior import Prior
from model.core.errors import BonesetterError
from model.files.asf_amc import ASF_TO_C3D
from model.marker_sets.marker_set import load_marker_set
from model.proposer.features import Figure, into_frames
from model.proposer.network import Proposer, Size, read_proposer, write_proposer
from model.proposer.propose import BUNDLED, EVERY, FITTED_M, Proposal, as_proposed, fitted_actor, propose, propose_poses, unknown_actor
from model.solver import fit
from model.solver.coarse_poses import find_poses
from model.solver.fit import Observations
from model.solver.kinematics import Body
from model.synthetic.bodies import draw_bodies
from model.synthetic.markers import gather_footage
from model.synthetic.synthesis import SyntheticTake, synthesise
from model.training import proposer_samples as samples
from model.training import proposer_trainer as training
from model.training.proposer_trainer import Mixed, ProposerRun, ProposerTrainer, read_run

SMALL = Size(marker=8, frame=16, queries=4, heads=2, rounds=2)
MIX = {"some": Mixed(1.0, {"jitter": {}, "occlusion": {"part": 0.1}, "shifts": {}})}


@pytest.fixture(scope="module")
def network(prior: Prior) -> Proposer:
    """Small and untrained, but with heads that say something."""
    torch.manual_seed(1)
    network = Proposer(prior, SMALL).eval()
    for name, values in network.named_parameters():
        if name.endswith("step.weight"):
            torch.nn.init.normal_(values, std=0.3)
    return network


@pytest.fixture(scope="module")
def walk() -> SyntheticTake:
    return synthesise(seconds=4.0, seed=3)


def coarse(walk: SyntheticTake, labels: list[int]) -> Observations:
    points = torch.from_numpy(np.nan_to_num(walk.take.positions[::8][:, labels])).float()
    seen = torch.from_numpy(walk.take.present[::8][:, labels]).float()
    return Observations(points, seen, 8 / walk.take.rate_hz)


def some(actor: Actor, rows: list[int]) -> Actor:
    """An actor with some of its labels, some more than once."""
    names = tuple(f"{actor.labels[row]} {number}" for number, row in enumerate(rows))
    return replace(actor.only(rows), labels=names)


def proposed(network: Proposer, prior: Prior, walk: SyntheticTake, rows: list[int]) -> Proposal:
    return propose(network, fitted_actor(some(prior.mean_actor(), rows)), coarse(walk, rows))


@pytest.mark.parametrize("count", [20, 41, 68])
def test_any_number_of_markers(network: Proposer, prior: Prior, walk: SyntheticTake, count: int) -> None:
    rows = [row % 41 for row in range(count)]
    proposal = proposed(network, prior, walk, rows)
    frames, numbers = len(coarse(walk, rows).points), 6 + len(prior.pose.speed)
    assert proposal.pose.q.shape == (frames, numbers - 6)
    assert proposal.pose.turn.shape == (frames, 3, 3)
    assert proposal.sigma.shape == (frames, numbers)
    assert proposal.reliability.shape == (frames, count)
    assert proposal.offsets.shape == proposal.offset_sigma.shape == (count, 3)
    assert proposal.components.shape == proposal.component_sigma.shape == (prior.actor.bone_basis.shape[-1],)
    for values in (proposal.pose.q, proposal.pose.root, proposal.sigma, proposal.reliability, proposal.offsets, proposal.components):
        assert torch.isfinite(values).all()
    assert (proposal.sigma > 0).all()
    assert (proposal.offset_sigma > 0).all()


def test_order_of_markers_is_nothing(network: Proposer, prior: Prior, walk: SyntheticTake) -> None:
    rows = list(range(41))
    order = np.random.default_rng(0).permutation(41).tolist()
    one, other = proposed(network, prior, walk, rows), proposed(network, prior, walk, order)
    torch.testing.assert_close(one.pose.q, other.pose.q, atol=2e-4, rtol=1e-3)
    torch.testing.assert_close(one.sigma, other.sigma, atol=2e-4, rtol=1e-3)
    torch.testing.assert_close(one.reliability[:, order], other.reliability, atol=2e-4, rtol=1e-3)
    torch.testing.assert_close(one.offsets[order], other.offsets, atol=2e-4, rtol=1e-3)


def test_where_nothing_is_seen_nothing_is_read(network: Proposer, prior: Prior, walk: SyntheticTake) -> None:
    rows = list(range(41))
    seen = coarse(walk, rows)
    confidence = seen.confidence.clone()
    confidence[10:14] = 0
    confidence[:, :8] = 0
    known = unknown_actor(prior, prior.actor.placement)
    elsewhere = torch.where(confidence[..., None] > 0, seen.points, torch.full_like(seen.points, 3.0))
    one = propose(network, known, Observations(seen.points, confidence, seen.seconds))
    other = propose(network, known, Observations(elsewhere, confidence, seen.seconds))
    assert torch.isfinite(one.pose.q).all()
    assert (one.reliability[confidence == 0] == 0).all()
    # a frame without any sample has no body frame, but its q must not be what the places that do not count say
    full = confidence.sum(1) > 0
    torch.testing.assert_close(one.pose.q[full], other.pose.q[full], atol=1e-3, rtol=1e-2)


def test_where_the_take_is_does_not_matter(network: Proposer, prior: Prior, walk: SyntheticTake) -> None:
    seen = coarse(walk, list(range(41)))
    turn = torch.from_numpy(ASF_TO_C3D).float()
    moved = Observations(seen.points @ turn.T + torch.tensor([1.0, -2.0, 0.5]), seen.confidence, seen.seconds)
    known = unknown_actor(prior, prior.actor.placement)
    one, other = propose(network, known, seen), propose(network, known, moved)
    torch.testing.assert_close(one.pose.q, other.pose.q, atol=2e-3, rtol=1e-2)
    torch.testing.assert_close(turn @ one.pose.turn, other.pose.turn, atol=2e-3, rtol=1e-2)


def test_chunks_have_no_seams(network: Proposer, prior: Prior, walk: SyntheticTake, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = list(range(41))
    whole = proposed(network, prior, walk, rows)
    monkeypatch.setattr("model.proposer.propose.CHUNK", 16)
    torch.testing.assert_close(whole.pose.q, proposed(network, prior, walk, rows).pose.q, atol=2e-4, rtol=1e-3)


def test_an_actor_is_known_as_well_as_it_says_and_no_better_than_a_fit_knows(prior: Prior) -> None:
    actor = prior.mean_actor()
    sigma = np.full_like(actor.marker_offsets, np.nan)
    sigma[:2] = [[0.03, 0.02, 0.001], [0.001] * 3]
    spread = fitted_actor(replace(actor, offset_sigma=sigma)).spread[0]
    torch.testing.assert_close(spread[0], torch.tensor([0.03, 0.02, FITTED_M]))
    torch.testing.assert_close(spread[1:], torch.full((40, 3), FITTED_M))
    torch.testing.assert_close(fitted_actor(actor).spread[0], torch.full((41, 3), FITTED_M))


def test_a_wild_marker_of_the_trunk_leaves_the_body_frame(prior: Prior, walk: SyntheticTake) -> None:
    seen = coarse(walk, list(range(41)))
    known = fitted_actor(prior.mean_actor(), 0.0, 0.0)
    figure = Figure(prior)
    wild = seen.points.clone()
    wild[:, prior.actor.labels.index("STRN")] += 0.6
    straight, bent = (into_frames(figure, known, points[None], seen.confidence[None]) for points in (seen.points, wild))
    assert (straight.root - bent.root).norm(dim=-1).max() < 0.02


def test_coordinates_say_what_the_kinematics_say(prior: Prior) -> None:
    body = Body(prior.mean_actor(), prior.pose, torch.device("cpu"), torch.float32)
    figure = Figure(prior)
    pose = body.rest(5)
    q = torch.randn(5, figure.coordinates, generator=torch.Generator().manual_seed(0)) * 0.3
    posed = body.posed(replace(pose, q=q))
    places, global_rotations = figure(q, figure.bone_mean[None].expand(5, -1, -1))
    torch.testing.assert_close(places, posed.positions, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(global_rotations, posed.global_rotations, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(figure.coordinates_of(posed.local), q, atol=1e-4, rtol=1e-3)


@pytest.fixture
def synthetic_footage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training without the data: on the procedural motion."""
    motion = synthesise(seconds=6.0).motion.on_axes(ASF_TO_C3D.T)
    small = replace(motion, rotations=motion.rotations.astype(np.float32), root=motion.root.astype(np.float32))
    footage = gather_footage([small], ["nobody"])
    monkeypatch.setattr(training, "footage_of", lambda _splits: footage)


def run_of(**changes: object) -> ProposerRun:
    usual = {"size": SMALL, "pools": 3, "passes": 1, "actors": 4, "together": 2, "frames": 8, "batch": 2, "validation_actors": 4}
    return ProposerRun("tiny", MIX, **{**usual, **changes})  # type: ignore[arg-type]


def test_resumed_is_uninterrupted(synthetic_footage: None, prior: Prior, tmp_path: Path) -> None:
    whole = ProposerTrainer(run_of(), tmp_path / "whole", prior)
    whole.train(lambda _: None)
    ProposerTrainer(run_of(), tmp_path / "parts", prior).train(lambda _: None, until=1)
    parts = ProposerTrainer(run_of(), tmp_path / "parts", prior)
    parts.train(lambda _: None)
    assert [epoch.train_loss for epoch in whole.history] == [epoch.train_loss for epoch in parts.history]
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, parts.network.state_dict()[name]), name


def test_another_runs_checkpoint_is_refused(synthetic_footage: None, prior: Prior, tmp_path: Path) -> None:
    ProposerTrainer(run_of(), tmp_path, prior).train(lambda _: None, until=1)
    with pytest.raises(BonesetterError, match="--restart"):
        ProposerTrainer(run_of(seed=9), tmp_path, prior).train(lambda _: None)


def test_training_learns(synthetic_footage: None, prior: Prior, tmp_path: Path) -> None:
    trainer = ProposerTrainer(run_of(pools=6, actors=24, learning_rate=3e-3), tmp_path, prior)
    trainer.train(lambda _: None)
    assert trainer.history[-1].validation_loss < trainer.history[0].validation_loss - 0.05


def test_a_pool_knows_its_truth(synthetic_footage: None, prior: Prior) -> None:
    source = samples.Source(training.footage_of(("train",)), prior, [(1.0, MIX["some"].recipe)], 6, 2, 8, (0,))
    pool, again = source.pool(0), source.pool(0)
    assert torch.equal(pool.framed.points, again.framed.points)
    figure = Figure(prior)
    # put the true actor into the true pose: the samples that are true lie there, skin and jitter apart
    bones = pool.known.bones + torch.einsum("jic,bc->bji", figure.bone_basis, pool.components)
    places, global_rotations = figure(pool.pose[..., 6:].flatten(0, 1), bones.repeat_interleave(8, 0))
    turn = samples.roma.rotvec_to_rotmat(pool.pose[..., 3:6].flatten(0, 1))[:, None]
    carriers = pool.known.carriers.repeat_interleave(8, 0)
    offsets = (pool.known.offsets + pool.offsets).repeat_interleave(8, 0)
    row = torch.arange(len(carriers))[:, None]
    markers = places[row, carriers] + (global_rotations[row, carriers] @ offsets[..., None])[..., 0]
    markers = (turn @ markers[..., None])[..., 0] + pool.pose[..., :3].flatten(0, 1)[:, None]
    away = (markers.view_as(pool.framed.points) - pool.framed.points).norm(dim=-1)
    seen, true = pool.framed.confidence > 0, pool.true > 0
    assert away[seen & true].median() < 0.012
    assert away[seen & ~true].median() > 0.05
    assert 0.05 < float((~true)[seen].float().mean()) < 0.2


def test_damaged_runs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("pools = 0\n[mix.a]\nchance = 1.0\nrecipe = {}\n")
    with pytest.raises(BonesetterError, match="pools is 0"):
        read_run(path)
    path.write_text("colour = 3\n")
    with pytest.raises(BonesetterError, match="no run"):
        read_run(path)
    with pytest.raises(BonesetterError, match="cannot be read"):
        read_run(tmp_path / "none.toml")


def test_weights_come_back(network: Proposer, prior: Prior, tmp_path: Path) -> None:
    write_proposer(network, tmp_path / "weights.safetensors", {"epoch": 1})
    back = read_proposer(tmp_path / "weights.safetensors", prior)
    assert back.size == SMALL
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, back.state_dict()[name], atol=1e-4, rtol=1e-3)


def test_bundled_weights_are_small_and_see_the_pose(prior: Prior) -> None:
    assert BUNDLED.stat().st_size < 20e6
    network = read_proposer(BUNDLED, prior)
    walk = synthesise(seconds=10.0, seed=2)
    truth = network.figure.coordinates_of(torch.from_numpy(walk.motion.rotations[::8]).float())
    proposal = propose(network, fitted_actor(prior.mean_actor(), 0.0, 0.0), coarse(walk, list(range(41))))
    # nearer than the mean pose, whose q is 0, wherever anything moves
    moving = truth.square().mean(0) > 0.03
    assert moving.sum() > 3
    assert (proposal.pose.q - truth)[:, moving].square().mean() < 0.75 * truth[:, moving].square().mean()
    assert (proposal.pose.root - torch.from_numpy(walk.motion.root[::8]).float()).norm(dim=-1).mean() < 0.05


def test_proposed_poses_come_where_the_samples_are(network: Proposer, prior: Prior, walk: SyntheticTake) -> None:
    seen = coarse(walk, list(range(41)))[slice(0, 5 * EVERY + 1)]
    known = fitted_actor(prior.mean_actor())
    begun, advice, _ = propose_poses(network, known, replace(seen, points=seen.points.double(), confidence=seen.confidence.double()))
    assert begun.q.dtype == advice.q.dtype == advice.reliability.dtype == torch.float64
    looked = Observations(seen.points[::EVERY], seen.confidence[::EVERY], EVERY * seen.seconds)
    torch.testing.assert_close(begun.q[::EVERY].float(), propose(network, known, looked).pose.q)
    torch.testing.assert_close(begun.q[1], 0.5 * (begun.q[0] + begun.q[2]))


def test_advice_is_what_the_network_says(network: Proposer, prior: Prior, walk: SyntheticTake) -> None:
    seen = coarse(walk, list(range(41)))[slice(0, 5 * EVERY + 1)]
    seen.confidence[EVERY, 3] = 0.0
    known = fitted_actor(prior.mean_actor())
    _, advice, said = propose_poses(network, known, seen)
    assert said.reliability[1, 3] == 0
    torch.testing.assert_close(advice.precision[::EVERY], said.sigma[:, 6:] ** -2)
    there = seen.confidence[::EVERY] > 0
    torch.testing.assert_close(advice.reliability[::EVERY][there], said.reliability[there])
    assert advice.reliability[EVERY, 3] == 1


def test_the_actor_that_is_proposed_is_nearer_than_the_mean(prior: Prior) -> None:
    """By the bundled network, of a unknown_actor who is larger and marked otherwise."""
    made = draw_bodies(prior.actor, 1, np.random.default_rng(3))
    larger = Prior(prior.pose, replace(prior.actor, bone_mean=1.15 * prior.actor.bone_mean, offset_mean=1.15 * made.offsets[0]))
    take = synthesise(seconds=4.0, seed=2, prior=larger)
    placement = prior.placement(load_marker_set(), take.take.labels)
    mean = prior.mean_actor(placement)
    points = torch.from_numpy(np.nan_to_num(take.take.positions[::12])).float()
    seen = Observations(points, torch.ones(points.shape[:2]), 12 / take.take.rate_hz)
    network = read_proposer(BUNDLED, prior)
    actor = as_proposed(network, mean, propose(network, unknown_actor(prior, placement), seen))
    truth = larger.mean_actor()
    lengths = [np.linalg.norm(one.skeleton.bones, axis=1).sum() for one in (actor, mean, truth)]
    assert abs(lengths[0] - lengths[2]) < 0.5 * abs(lengths[1] - lengths[2])
    rows = [truth.labels.index(label) for label in actor.labels]
    away = [np.linalg.norm(one.marker_offsets - truth.marker_offsets[rows], axis=1).mean() for one in (actor, mean)]
    assert away[0] < 0.9 * away[1]


def test_the_solver_begins_from_the_poses_it_is_given(prior: Prior, walk: SyntheticTake) -> None:
    seen = coarse(walk, list(range(41)))
    body = Body(prior.mean_actor(), prior.pose, torch.device("cpu"), torch.float32)
    begun = fit.place_root(body, fit.prior_terms(prior.pose, seen.seconds, seen.points), seen)
    torch.testing.assert_close(find_poses(body, prior.pose, seen, begun).pose.q, find_poses(body, prior.pose, seen).pose.q)
    begun.q[:] = torch.nan
    assert torch.isnan(find_poses(body, prior.pose, seen, begun).pose.q).all()
