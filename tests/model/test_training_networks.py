# SPDX-License-Identifier: GPL-3.0-or-later
"""How rotations are written, the networks, and the losses they learn by."""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor, nn

from model.actors.prior import BUNDLED, Prior, bundled
from model.core.rotations import unitquat_to_rotmat
from model.core.take import BonesetterError
from model.study import networks
from model.study.generator import Pool
from model.study.joint_network import JointNetwork, read_network, write_network
from model.study.losses import LOSSES, Prediction, Truth, weighed
from model.study.networks import Shape
from model.study.networks.registry import NETWORKS
from model.study.outputs import OUTPUTS
from model.study.preprocessing import BODY_LABELS
from model.study.run_file import Run, read_table

ROOT = Path(__file__).resolve().parents[2]
#: Options that make each network small.
SMALL: dict[str, dict[str, int | float]] = {
    "cnn": {"width": 4, "dense": 32},
    "custom_cnn": {"width": 4, "dense": 32, "dropout": 0.0},
    "holden": {"width": 32},
    "linear": {"width": 32},
    "resnet": {"width": 4, "blocks": 1},
    "rnn": {"width": 16},
    "vgg": {"width": 8, "dense": 64, "dropout": 0.0},
}
OUTPUT_NAMES = list(OUTPUTS)


@pytest.fixture(scope="module")
def prior() -> Prior:
    return bundled()


def rotations(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(unitquat_to_rotmat(np.random.default_rng(seed).normal(size=(*shape, 4)))).float()


def about(axis: str, degrees: np.ndarray | list[float]) -> Tensor:
    return torch.from_numpy(Rotation.from_euler(axis, np.asarray(degrees)[:, None], degrees=True).as_matrix()).float()


def same(one: Tensor, other: Tensor, atol: float = 1e-6) -> None:
    torch.testing.assert_close(one, other, atol=atol, rtol=0)


# Outputs


@pytest.mark.parametrize("name", OUTPUT_NAMES)
def test_any_rotation_comes_back_from_its_numbers(name):
    output = OUTPUTS[name]
    true, usual = rotations(4, 50, 31), rotations(31, seed=1)
    numbers = output.encode(true, usual)
    assert numbers.shape == (4, 50, 31, output.width)
    same(output.decode(numbers), true, 3e-6)


@pytest.mark.parametrize("name", OUTPUT_NAMES)
def test_half_turns_come_back_too(name):
    true = torch.cat([about("x", [180.0]), about("y", [180.0]), about("z", [180.0, -180.0, 179.99]), torch.eye(3)[None]])[:, None]
    same(OUTPUTS[name].decode(OUTPUTS[name].encode(true, torch.eye(3)[None])), true, 3e-6)


@pytest.mark.parametrize("name", OUTPUT_NAMES)
def test_any_numbers_are_a_rotation(name):
    output = OUTPUTS[name]
    numbers = (
        torch.randn(5, 400, output.width, generator=torch.Generator().manual_seed(0))
        * torch.tensor([1e-2, 0.1, 1.0, 10.0, 100.0])[:, None, None]
    )
    matrices = output.decode(numbers)
    same(matrices @ matrices.mT, torch.eye(3).expand(5, 400, 3, 3), 2e-4)
    same(torch.linalg.det(matrices), torch.ones(5, 400), 2e-4)


def test_numbers_are_in_the_order_that_is_said():
    quarter = about("x", [90.0])[:, None]
    half = 0.5**0.5
    same(OUTPUTS["quaternion"].encode(quarter, torch.eye(3)[None])[0, 0], torch.tensor([half, half, 0, 0]))
    same(OUTPUTS["matrix"].encode(quarter, torch.eye(3)[None])[0, 0], torch.tensor([1.0, 0, 0, 0, 0, -1, 0, 1, 0]))
    six = OUTPUTS["6d"].encode(quarter, torch.eye(3)[None])[0, 0].reshape(3, 2)
    same(six, torch.tensor([[1.0, 0], [0, 0], [0, 1]]))


def test_the_nearest_rotation_is_taken_from_a_matrix():
    true = rotations(20)
    stretched = true * torch.tensor([0.5, 2.0, 3.0])  # columns of any length
    same(OUTPUTS["matrix"].decode(stretched.flatten(-2)), true, 1e-5)


def jumps(name: str, sweep: Tensor, usual: Tensor) -> int:
    numbers = OUTPUTS[name].encode(sweep[:, None], usual[None])[:, 0]
    return int(((numbers[1:] - numbers[:-1]).norm(dim=-1) > 1).sum())


@pytest.mark.parametrize("sign", [1, -1])
def test_quaternions_pass_the_switch_of_the_formula_without_a_jump(sign):
    """A turn from 45 to 135 degrees: at 90 the largest number is no longer w. Backwards it is -x, and the formula's sign jumps."""
    sweep = about("x", sign * np.linspace(45, 135, 91))
    assert jumps("raw quaternion", sweep, torch.eye(3)) == (0 if sign > 0 else 1)
    assert jumps("quaternion", sweep, torch.eye(3)) == 0


def test_quaternions_jump_only_a_half_turn_from_the_usual():
    sweep = about("x", np.linspace(-179, 539, 719))
    turns = jumps("quaternion", sweep, torch.eye(3)), jumps("raw quaternion", sweep, torch.eye(3))
    assert turns == (1, 2)
    # a joint whose usual turn is a half one is at ease there, where w = 0
    around = about("x", np.linspace(91, 269, 179))
    assert jumps("quaternion", around, about("x", [180.0])[0]) == 0
    assert jumps("raw quaternion", around, about("x", [180.0])[0]) == 0
    assert jumps("raw quaternion", about("y", np.linspace(260, 280, 21)), torch.eye(3)) == 1
    assert jumps("quaternion", about("y", np.linspace(260, 280, 21)), about("y", [180.0])[0]) == 0


def test_quaternions_are_on_the_side_of_any_usual_rotation():
    usual = rotations(200, seed=2)
    near = usual @ matrices_about(usual.shape[0])
    output = OUTPUTS["quaternion"]
    agree = (output.encode(near, usual) * output.encode(usual, usual)).sum(-1)
    assert (agree > 0).all(), "within 170 degrees of the usual"
    assert (usual[:, 0, 0] < 0).any()


def matrices_about(count: int) -> Tensor:
    """Turns by 170 degrees about any axis."""
    axes = np.random.default_rng(3).normal(size=(count, 3))
    return torch.from_numpy(Rotation.from_rotvec(np.radians(170) * axes / np.linalg.norm(axes, axis=1, keepdims=True)).as_matrix()).float()


# Networks


def small(name: str, shape: Shape) -> nn.Module:
    torch.manual_seed(0)
    return networks.build(name, shape, SMALL[name])


def test_every_network_is_tested_here():
    assert set(SMALL) == set(NETWORKS)


@pytest.mark.parametrize("markers", [41, 6])
@pytest.mark.parametrize("name", SMALL)
def test_every_network_answers_for_every_frame(name, markers):
    network = small(name, Shape(markers, 4, 282)).eval()
    for batch, frames in ((3, 5), (1, 1), (2, 48)):
        with torch.inference_mode():
            answer = network(torch.randn(batch, frames, markers, 4))
        assert answer.shape == (batch, frames, 282)
        assert answer.isfinite().all()


@pytest.mark.parametrize("markers", [41, 6])
@pytest.mark.parametrize("name", SMALL)
def test_every_network_sees_every_number_of_every_marker(name, markers):
    network = small(name, Shape(markers, 4, 20)).eval()
    features = torch.randn(64, 2, markers, 4, generator=torch.Generator().manual_seed(1), requires_grad=True)
    # one output would do, were there no ReLU
    (gradient,) = torch.autograd.grad((network(features) * torch.arange(20)).sum(), features)
    assert (gradient.abs().sum(dim=(0, 1)) > 0).all()
    assert all(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("name", SMALL)
def test_frames_know_of_each_other_only_in_the_network_with_a_memory(name):
    network = small(name, Shape(6, 4, 20)).eval()
    features = torch.randn(2, 5, 6, 4, generator=torch.Generator().manual_seed(1), requires_grad=True)
    (gradient,) = torch.autograd.grad(network(features)[0, 2].sum(), features)
    assert not gradient[1].any(), "windows of a batch know nothing of each other"
    seen = gradient[0].abs().sum(dim=(1, 2)) > 0
    assert seen.tolist() == ([True] * 5 if name == "rnn" else [False, False, True, False, False])


@pytest.mark.parametrize(
    ("name", "steps", "part"),
    [
        ("linear", 200, 0.1),
        ("holden", 100, 0.1),
        ("cnn", 60, 0.7),
        ("custom_cnn", 60, 0.7),
        ("resnet", 25, 0.5),
        ("rnn", 60, 0.1),
        ("vgg", 100, 0.8),
    ],
)
def test_every_network_can_learn_a_tiny_batch_by_heart(name, steps, part):
    network = small(name, Shape(6, 4, 12))
    generator = torch.Generator().manual_seed(0)
    features, wanted = torch.randn(4, 4, 6, 4, generator=generator), torch.randn(4, 4, 12, generator=generator)
    optimiser = torch.optim.Adam(network.parameters(), lr=5e-3)
    losses = []
    for _ in range(steps):
        loss = (network(features) - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    print(name, losses[0], losses[-1])
    assert losses[-1] < part * losses[0]


def test_dropout_is_for_training_only():
    network = networks.build("vgg", Shape(6, 4, 12), {"width": 4, "dense": 32})
    features = torch.randn(1, 1, 6, 4)
    assert not torch.equal(network(features), network(features))
    network.eval()
    assert torch.equal(network(features), network(features))


def test_the_residual_network_starts_small():
    """As LeCun initialises: every layer beside a shortcut adds half of the variance, where He's adds all of it."""
    torch.manual_seed(0)
    network = networks.build("holden", Shape(41, 4, 282), {"width": 512})
    answer = network(torch.randn(64, 1, 41, 4)).std().item()
    assert 0.5 < answer < 5


def test_a_network_that_is_none_is_one_sentence():
    with pytest.raises(BonesetterError, match=r"^There is no network 'lstm': choose one of cnn, custom_cnn, .*, vgg\.$"):
        networks.build("lstm", Shape(6, 4, 12), {})


def test_an_option_that_is_none_is_one_sentence():
    with pytest.raises(BonesetterError, match=r"^The network linear has no option 'depth': it has width, layers\.$"):
        networks.build("linear", Shape(6, 4, 12), {"width": 8, "depth": 3})
    with pytest.raises(BonesetterError, match="no option 'shape'"):
        networks.build("linear", Shape(6, 4, 12), {"shape": 3})


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("linear", {"width": 8.5}),
        ("vgg", {"dropout": 2}),
        ("holden", {"width": -1}),
    ],
)
def test_an_option_that_makes_no_sense_is_one_sentence(name, options):
    with pytest.raises(BonesetterError, match=name):
        networks.build(name, Shape(6, 4, 12), options)


def test_a_new_file_in_the_folder_is_found_by_itself(tmp_path, monkeypatch):
    """The folder copied, with the network of docs/training.md in it as one new file."""
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    (example,) = re.findall(r'```python\n(@network\("average"\).*?)```', text, re.DOTALL)
    imports = re.findall(r"`(from (?:torch|\.registry) import [^`]*(?:nn|network))`", text)
    assert len(imports) == 2
    folder = tmp_path / "copied"
    shutil.copytree(Path(networks.__path__[0]), folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "average.py").write_text("\n".join(["from __future__ import annotations", *imports, "", "", example]))
    # where the package's own relative imports still lead out of it
    name = "model.training.copied_networks"
    spec = spec_from_file_location(name, folder / "__init__.py", submodule_search_locations=[str(folder)])
    assert spec is not None
    assert spec.loader is not None
    package = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, package)
    try:
        spec.loader.exec_module(package)
    finally:
        for module in [module for module in sys.modules if module.startswith(f"{name}.")]:
            del sys.modules[module]
    network = package.build("average", package.Shape(41, 4, 282), {"width": 8})
    assert network(torch.randn(2, 3, 41, 4)).shape == (2, 3, 282)
    assert "average" not in NETWORKS


# The whole: joints and root


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


# Losses: three joints in a row, a metre from each other along y, of one window of two frames


BONES = torch.tensor([[[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]])
PARENTS = (-1, 0, 1)


def truth_of(output: str, local: Tensor | None = None, weights: tuple[float, ...] = (1.0, 1.0, 1.0)) -> Truth:
    local = rotations(1, 2, 3) if local is None else local
    pool = Pool(torch.zeros(1, 2, 6, 4), local, torch.tensor([[[0.0, 1.0, 2.0], [0.5, 1.0, 2.0]]]), BONES)
    usual = torch.eye(3).expand(3, 3, 3)
    return Truth(pool, OUTPUTS[output].encode(local, usual), PARENTS, torch.tensor(weights))


def answer_of(truth: Truth, output: str, numbers: Tensor | None = None, place: Tensor | None = None) -> Prediction:
    return Prediction(truth.numbers if numbers is None else numbers, truth.pool.place if place is None else place, OUTPUTS[output])


def rotated(truth: Truth, output: str, joint: int, degrees: float, axis: str = "x") -> Prediction:
    """The truth with one joint rotated further."""
    local = truth.pool.local.clone()
    local[:, :, joint] = local[:, :, joint] @ about(axis, [degrees])[0]
    return answer_of(truth, output, OUTPUTS[output].encode(local, torch.eye(3).expand(3, 3, 3)))


def value(name: str, answer: Prediction, truth: Truth) -> float:
    return LOSSES[name](answer, truth).item()


@pytest.mark.parametrize("output", OUTPUT_NAMES)
@pytest.mark.parametrize("name", ["mse", "l1", "geodesic", "position", "smoothness", "quaternion"])
def test_losses_are_0_at_the_truth_and_more_beside_it(name, output):
    if name == "quaternion":
        output = "quaternion"
    truth = truth_of(output)
    # of a sine near 0 single precision knows three digits
    assert value(name, answer_of(truth, output), truth) == pytest.approx(0, abs=2e-3)
    moved = truth.pool.place + torch.tensor([[[0.0, 0, 0], [0.3, 0, 0]]])
    for wrong in (
        answer_of(truth, output, truth.numbers + torch.tensor([0.0, 0.5])[None, :, None, None]),
        answer_of(truth, output, place=moved),
    ):
        assert value(name, wrong, truth) > 0.01


@pytest.mark.parametrize("name", ["mse", "l1", "quaternion", "geodesic", "position"])
@pytest.mark.parametrize("output", OUTPUT_NAMES)
def test_losses_can_be_followed_downhill_from_anywhere(name, output):
    truth = truth_of(output)
    random = torch.Generator().manual_seed(0)
    for numbers in (truth.numbers, torch.randn(truth.numbers.shape, generator=random)):
        numbers, place = numbers.clone().requires_grad_(), truth.pool.place.clone().requires_grad_()
        gradients = torch.autograd.grad(LOSSES[name](Prediction(numbers, place, OUTPUTS[output]), truth), (numbers, place))
        assert all(gradient.isfinite().all() for gradient in gradients)


def test_mse_and_l1_are_means():
    truth = truth_of("6d")
    off = answer_of(truth, "6d", truth.numbers + 0.5, truth.pool.place - 0.2)
    assert value("mse", off, truth) == pytest.approx(0.25 + 0.04)
    assert value("l1", off, truth) == pytest.approx(0.5 + 0.2)


def test_cross_entropy_falls_without_limit():
    """Where numbers may be negative, -t log p has no least value: far away from the truth it is less than at the truth."""
    truth = truth_of("matrix", torch.eye(3).expand(1, 2, 3, 3, 3) @ about("z", [180.0])[0])
    assert (truth.numbers < 0).any()
    falling = [value("cross_entropy", answer_of(truth, "matrix", scale * truth.numbers), truth) for scale in (1.0, 10.0, 100.0, 1000.0)]
    assert falling[0] > falling[1] > falling[2] > falling[3]
    assert falling[3] < -1000


def test_geodesic_is_the_angle():
    truth = truth_of("matrix")
    assert value("geodesic", rotated(truth, "matrix", 1, 30), truth) == pytest.approx(np.radians(30) / 3, abs=1e-3)
    moved = answer_of(truth, "matrix", place=truth.pool.place + 0.3)
    assert value("geodesic", moved, truth) == pytest.approx(0.3, abs=2e-3)


def test_the_quaternion_loss_minds_neither_sign_nor_length():
    truth = truth_of("quaternion")
    signs = torch.tensor([[[1.0, -1.0, 1.0], [-1.0, -1.0, 1.0]]])[..., None]
    assert value("quaternion", answer_of(truth, "quaternion", 3.0 * signs * truth.numbers), truth) == pytest.approx(0, abs=1e-6)
    assert value("l1", answer_of(truth, "quaternion", signs * truth.numbers), truth) > 0.1
    # 1 - cos²(half the angle)
    assert value("quaternion", rotated(truth, "quaternion", 2, 60), truth) == pytest.approx(0.25 / 3, abs=1e-5)


@pytest.mark.parametrize("output", OUTPUT_NAMES)
def test_position_is_the_distance_by_forward_kinematics(output):
    truth = truth_of(output, torch.eye(3).expand(1, 2, 3, 3, 3))
    same(truth.positions[0, 0], torch.tensor([[0.0, 1.0, 2.0], [0.0, 2.0, 2.0], [0.0, 3.0, 2.0]]))
    # the root rotated by 90 degrees swings the joints a and b, 1 m and 2 m away
    chord = 2**0.5
    assert value("position", rotated(truth, output, 0, 90), truth) == pytest.approx((1 + 2) * chord / 3, abs=1e-5)
    assert value("position", rotated(truth, output, 1, 90), truth) == pytest.approx(chord / 3, abs=1e-5)
    assert value("position", rotated(truth, output, 2, 90), truth) == pytest.approx(0, abs=1e-5), "its own bone has no joint at its end"
    moved = answer_of(truth, output, place=truth.pool.place + torch.tensor([0.0, 3.0, 4.0]))
    assert value("position", moved, truth) == pytest.approx(5, abs=1e-5)


def test_smoothness_is_of_steps_only():
    truth = truth_of("6d")
    constant = answer_of(truth, "6d", truth.numbers + 0.7, truth.pool.place - 0.4)
    assert value("smoothness", constant, truth) == pytest.approx(0, abs=1e-6)
    shaking = torch.tensor([0.0, 0.6])[None, :, None]
    assert value(
        "smoothness", answer_of(truth, "6d", truth.numbers + shaking[..., None], truth.pool.place + shaking), truth
    ) == pytest.approx(1.2)
    pool = truth.pool.cut(1)
    alone = replace(truth, pool=pool, numbers=truth.numbers.transpose(0, 1))
    assert value("smoothness", answer_of(alone, "6d", alone.numbers + 1), alone) == 0


@pytest.mark.parametrize("name", ["mse", "l1", "quaternion", "geodesic", "smoothness"])
def test_joints_count_as_much_as_they_weigh(name):
    weights = (0.5, 0.0, 2.5)
    truth = truth_of("quaternion", torch.eye(3).expand(1, 2, 3, 3, 3))
    weighty = replace(truth, joint_weights=torch.tensor(weights))
    for joint in range(3):
        numbers = truth.numbers.clone()
        numbers[:, 1, joint] += torch.tensor([0.0, 0.4, 0.0, 0.0])
        wrong = answer_of(truth, "quaternion", numbers)
        assert value(name, wrong, truth) > 5e-3
        assert value(name, wrong, weighty) == pytest.approx(weights[joint] * value(name, wrong, truth), abs=1e-6)


def test_position_weighs_joints_by_where_they_get():
    truth = replace(truth_of("matrix", torch.eye(3).expand(1, 2, 3, 3, 3)), joint_weights=torch.tensor([0.5, 0.0, 2.5]))
    assert value("position", rotated(truth, "matrix", 0, 90), truth) == pytest.approx(2.5 * 2 * 2**0.5 / 3, abs=1e-5)
    everywhere = answer_of(truth, "matrix", place=truth.pool.place + torch.tensor([0.0, 3.0, 4.0]))
    assert value("position", everywhere, truth) == pytest.approx(5, abs=1e-5), "their mean is 1"


def test_a_run_weighs_its_losses():
    truth = truth_of("6d")
    answer = answer_of(truth, "6d", truth.numbers + 0.5, truth.pool.place - 0.2)
    assert weighed({"l1": 2.0, "mse": 0.1})(answer, truth).item() == pytest.approx(2 * 0.7 + 0.1 * 0.29)
    assert weighed({"l1": 1})(answer, truth).item() == pytest.approx(0.7)


def test_unknown_losses_are_refused():
    with pytest.raises(BonesetterError, match=r"^There is no loss 'huber': choose from mse, l1, .*smoothness\.$"):
        weighed({"l1": 1.0, "huber": 1.0})
    with pytest.raises(BonesetterError, match="choose from mse"):
        weighed({})
