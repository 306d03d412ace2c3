# SPDX-License-Identifier: GPL-3.0-or-later
"""A network of the study with its inputs normalised, its root, and its file of weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from model.actors.prior import BUNDLED
from model.core.errors import BonesetterError
from model.study.generator import Pool
from model.study.joint_network import JointNetwork, read_network, write_network
from model.study.outputs import OUTPUTS
from model.study.preprocessing import BODY_LABELS
from model.study.run_file import Run, read_table

from .study_networks import OUTPUT_NAMES, SMALL, rotations, same


def run_of(network: str = "linear", **tables: Any) -> Run:
    return read_table({"network": {"kind": network, "options": SMALL[network]}, "loss": {"l1": 1.0}, "corruption": {}, **tables}, "tiny")


def pool_of(windows: int = 6, frames: int = 4, seed: int = 0) -> Pool:
    """Random markers, every third missing."""
    random = torch.Generator().manual_seed(seed)
    visible = (torch.rand(windows, frames, 41, 1, generator=random) < 0.67).float()
    points = (
        torch.randn(windows, frames, 41, 3, generator=random) * torch.tensor([1.0, 2.0, 0.1]) + torch.tensor([0.0, 5.0, -3.0])
    ) * visible
    offsets = torch.randn(windows, 31, 3, generator=random)
    return Pool(
        torch.cat([points, visible], -1), rotations(windows, frames, 31), torch.randn(windows, frames, 3, generator=random), offsets
    )


@pytest.mark.parametrize("output", OUTPUT_NAMES)
@pytest.mark.parametrize("learned", ["together", "apart"])
def test_a_run_answers_with_all_joints_and_the_roots_place(prior, output, learned):
    network = JointNetwork(run_of(output=output, root={"learned": learned}), prior).eval()
    answer = network(pool_of().features)
    assert answer.numbers.shape == (6, 4, 31, OUTPUTS[output].width)
    assert answer.rotations.shape == (6, 4, 31, 3, 3)
    assert answer.place.shape == (6, 4, 3)
    assert (network.root_network is not None) == (learned == "apart")


@pytest.mark.parametrize("markers", ["all", "body"])
def test_the_root_learned_apart_sees_its_own_markers_only(prior, markers):
    network = JointNetwork(run_of(root={"learned": "apart", "markers": markers, "options": {"width": 64}}), prior).eval()
    features = pool_of().features
    features[..., 3] = 1.0
    features.requires_grad_()
    answer = network(features)
    labels = prior.actor.labels
    for values, seen in ((answer.place, markers), (answer.numbers[:, :, 0], markers), (answer.numbers[:, :, 1:], "all")):
        (gradient,) = torch.autograd.grad((values * torch.randn(values.shape)).sum(), features, retain_graph=True)
        touched = {label for label, row in zip(labels, gradient.abs().sum(dim=(0, 1, 3)), strict=True) if row > 0}
        assert touched == (set(labels) if seen == "all" else set(BODY_LABELS))


def test_missing_markers_have_no_place_even_when_normalised(prior):
    network = JointNetwork(run_of(normalise="feature"), prior).eval()
    pool = pool_of()
    network.normalise(pool)
    moved = pool.features.clone()
    moved[..., :3] = torch.where(pool.features[..., 3:] > 0, pool.features[..., :3], 77.0)
    same(network(moved).numbers, network(pool.features).numbers)


@pytest.mark.parametrize("normalise", ["axis", "feature"])
def test_normalised_inputs_have_mean_0_and_deviation_1_where_they_are_seen(prior, normalise):
    network = JointNetwork(run_of(normalise=normalise), prior)
    pool = pool_of(200)
    pool.features[..., 7, :3] *= 3.0
    pool.features[..., 9, 1] = 5.0 * pool.features[..., 9, 3]  # never changes
    network.normalise(pool)
    seen = pool.features[..., 3] > 0
    values = (pool.features[..., :3] - network.shift) * network.factor
    if normalise == "axis":
        same(values[seen].mean(0), torch.zeros(3), 1e-3)
        same(values[seen].std(0), torch.ones(3), 1e-3)
        assert (network.shift == network.shift[0]).all()
    else:
        for label in range(41):
            own = values[:, :, label][seen[:, :, label]]
            same(own.mean(0), torch.zeros(3), 0.02)
            same(own.std(0), torch.tensor([1.0, 0.0 if label == 9 else 1.0, 1.0]), 0.02)
    assert network.factor.isfinite().all()


@pytest.mark.parametrize("name", SMALL)
def test_what_is_written_is_read_with_its_run_and_facts(prior, tmp_path, name):
    run = run_of(name, output="6d", normalise="axis", root={"learned": "apart", "markers": "body"}, joint_weights={"Hips": 2.0}, seed=3)
    run = replace(run, name=tmp_path.name)
    network = JointNetwork(run, prior)
    network.normalise(pool_of())
    write_network(network, tmp_path / "weights.safetensors", {"epoch": 3, "root_mm": float("nan")})
    again, facts = read_network(tmp_path / "weights.safetensors", prior)
    assert again.run == run
    assert facts["epoch"] == 3
    assert not again.training
    features = pool_of().features
    same(again(features).numbers, network.eval()(features).numbers, 0)


def test_weights_that_are_none_are_one_sentence(prior, tmp_path):
    path = tmp_path / "weights.safetensors"
    write_network(JointNetwork(run_of(), prior), path, {})
    whole = path.read_bytes()
    wider = JointNetwork(replace(run_of(), network=replace(run_of().network, options={"width": 8})), prior)
    foreign = BUNDLED.read_bytes()
    write_network(wider, tmp_path / "wider.safetensors", {})
    half = (tmp_path / "wider.safetensors").read_bytes()
    for content in (
        b"",
        b"no",
        whole[:-10],
        foreign,
        whole.replace(b'\\"width\\": 32', b'\\"width\\": 31'),
        half.replace(b"linear", b"lineal"),
    ):
        assert content != whole
        path.write_bytes(content)
        with pytest.raises(BonesetterError, match=r"train it again|no network|not complete"):
            read_network(path, prior)
