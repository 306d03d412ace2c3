# SPDX-License-Identifier: GPL-3.0-or-later
"""The study's networks, each by itself, and how they are found."""

from __future__ import annotations

import re
import shutil
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch
from torch import nn

from model.core.errors import BonesetterError
from model.study import networks
from model.study.networks import Shape
from model.study.networks.registry import NETWORKS

from .study_networks import SMALL

ROOT = Path(__file__).resolve().parents[2]


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
