# SPDX-License-Identifier: GPL-3.0-or-later
"""A network from prepared markers to joints and root, of one part or of two that are learned apart."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ..actors.prior import Prior
from ..core.errors import BonesetterError
from ..storage.atomic import replacing
from . import networks
from .generator import Pool
from .losses import Prediction
from .networks import Shape
from .outputs import OUTPUTS, Output
from .preprocessing import reference_of
from .run_file import Run, read_table

CHANNELS = 4
#: A number that hardly changes is not blown up.
LEAST_DEVIATION = 1e-3


class JointNetwork(nn.Module):
    """What a run trains.

    Args:
        run: Its settings.
        prior: Whose reference the markers are prepared with; its mean pose says on which side quaternions lie.
    """

    shift: Tensor
    factor: Tensor
    usual: Tensor

    def __init__(self, run: Run, prior: Prior) -> None:
        super().__init__()
        reference = reference_of(prior)
        self.run = run
        self.output: Output = OUTPUTS[run.output]
        self.joints = len(prior.actor.joints)
        markers = len(reference.labels)
        self.root_rows = reference.body if run.root.markers == "body" else list(range(markers))
        together = run.root.learned == "together"
        width = self.output.width
        kind, options = run.network.kind, run.network.options
        outputs = self.joints * width + 3 if together else (self.joints - 1) * width
        self.joints_network = networks.build(kind, Shape(markers, CHANNELS, outputs), options)
        self.root_network = None
        if not together:
            own = options if run.root.options is None else run.root.options
            self.root_network = networks.build(kind, Shape(len(self.root_rows), CHANNELS, width + 3), own)
        self.register_buffer("shift", torch.zeros(markers, 3))
        self.register_buffer("factor", torch.ones(markers, 3))
        # seen from the trunk's own frame the root hardly turns; in the world it faces anywhere, and no side is the usual one
        self.register_buffer("usual", torch.as_tensor(prior.pose.mean_rotations, dtype=torch.float32))

    def normalise(self, pool: Pool) -> None:
        """Take mean and spread of the visible samples of a pool, as the run wants them: per axis or per feature."""
        points, visible = pool.features[..., :3], pool.features[..., 3:] > 0
        dims = (0, 1) if self.run.normalise == "feature" else (0, 1, 2)
        count = visible.sum(dims).clamp(min=1)
        mean = (points * visible).sum(dims) / count
        spread = (((points - mean) * visible).square().sum(dims) / count).sqrt()
        self.shift.copy_(mean.expand_as(self.shift))
        self.factor.copy_((1.0 / spread.clamp(min=LEAST_DEVIATION)).expand_as(self.factor))

    def forward(self, features: Tensor) -> Prediction:
        """Features (batch, frames, markers, 4) to joints and root."""
        visible = features[..., 3:]
        seen = torch.cat([(features[..., :3] - self.shift) * self.factor * visible, visible], dim=-1)
        numbers = self.joints_network(seen)
        if self.root_network is not None:
            root = self.root_network(seen[:, :, self.root_rows])
            numbers = torch.cat([root[..., 3:], numbers, root[..., :3]], dim=-1)
        rotations, place = numbers[..., :-3], numbers[..., -3:]
        return Prediction(rotations.unflatten(-1, (self.joints, self.output.width)), place, self.output)


def write_network(network: JointNetwork, path: Path, facts: dict[str, object]) -> None:
    """Write weights with the run they come from, whole or not at all.

    Args:
        network: To write.
        path: A safetensors file.
        facts: What else to know of it.
    """
    header = {"run": json.dumps(asdict(network.run)), "facts": json.dumps(facts)}
    with replacing(path, binary=True) as stream:
        stream.write(save({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, header))


def read_network(path: Path, prior: Prior) -> tuple[JointNetwork, dict[str, object]]:
    """A network as `write_network` wrote it, and its facts.

    Raises:
        BonesetterError: The file is no such network.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        network = JointNetwork(read_table(json.loads(header["run"]), path.parent.name), prior)
        network.load_state_dict(tensors)
        return network.eval(), json.loads(header["facts"])
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise BonesetterError(f"{path} holds no network of this version: train it again.") from error
