# SPDX-License-Identifier: GPL-3.0-or-later
"""The study's first: densely connected layers."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from .registry import Shape, network


@network("linear")
class Linear(nn.Module):
    """Dense layers from all markers of a frame to all joints."""

    def __init__(self, shape: Shape, *, width: int = 512, layers: int = 2) -> None:
        super().__init__()
        widths = [shape.inputs] + [width] * layers
        hidden = [part for a, b in pairwise(widths) for part in (nn.Linear(a, b), nn.ReLU())]
        self.body = nn.Sequential(nn.Flatten(2), *hidden, nn.Linear(width, shape.outputs))

    def forward(self, features: Tensor) -> Tensor:
        return self.body(features)
