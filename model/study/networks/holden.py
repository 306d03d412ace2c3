# SPDX-License-Identifier: GPL-3.0-or-later
"""The residual dense network of Holden 2018, Robust Solving of Optical Motion Capture Data by Denoising."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .registry import Shape, network


@network("holden")
class Holden(nn.Module):
    """Six dense layers, the inner ones beside a shortcut.

    LeCun's initialisation as in the paper: with He's, which the study took, every shortcut doubles the variance and the first
    answers are tens of times too large. The paper has 2048 units to a layer; fewer see more frames in the same time on a
    processor without a GPU.
    """

    def __init__(self, shape: Shape, *, width: int = 1024, layers: int = 6) -> None:
        super().__init__()
        self.enter = nn.Linear(shape.inputs, width)
        self.inner = nn.ModuleList(nn.Linear(width, width) for _ in range(layers - 2))
        self.leave = nn.Linear(width, shape.outputs)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
                nn.init.zeros_(layer.bias)

    def forward(self, features: Tensor) -> Tensor:
        x = torch.relu(self.enter(features.flatten(2)))
        for layer in self.inner:
            x = x + torch.relu(layer(x))
        return self.leave(x)
