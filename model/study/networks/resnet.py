# SPDX-License-Identifier: GPL-3.0-or-later
"""The study's ResNet: He et al. 2016, Deep Residual Learning for Image Recognition, over the list of markers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .registry import Shape, network


class Block(nn.Module):
    """Two convolutions beside a shortcut; the second half of the blocks' channels comes with half the markers."""

    def __init__(self, entering: int, leaving: int) -> None:
        super().__init__()
        stride = 1 if entering == leaving else 2
        self.residual = nn.Sequential(
            nn.Conv1d(entering, leaving, 3, stride, padding=1, bias=False),
            nn.BatchNorm1d(leaving),
            nn.ReLU(),
            nn.Conv1d(leaving, leaving, 3, padding=1, bias=False),
            nn.BatchNorm1d(leaving),
        )
        self.shortcut = nn.Identity()
        if stride > 1:
            self.shortcut = nn.Sequential(nn.Conv1d(entering, leaving, 1, stride, bias=False), nn.BatchNorm1d(leaving))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.shortcut(x) + self.residual(x))


@network("resnet")
class ResNet(nn.Module):
    """Eight blocks in four stages, as in ResNet-18, and one dense layer; the places of markers matter, so nothing is averaged."""

    def __init__(self, shape: Shape, *, width: int = 16, blocks: int = 2) -> None:
        super().__init__()
        widths = [width * 2**stage for stage in range(4)]
        layers: list[nn.Module] = [nn.Conv1d(shape.channels, width, 3, padding=1, bias=False), nn.BatchNorm1d(width), nn.ReLU()]
        entering = width
        for leaving in widths:
            for _ in range(blocks):
                layers.append(Block(entering, leaving))
                entering = leaving
        self.convolutions = nn.Sequential(*layers, nn.Flatten())
        self.dense = nn.Linear(entering * -(-shape.markers // 8), shape.outputs)

    def forward(self, features: Tensor) -> Tensor:
        batch, frames = features.shape[:2]
        picture = features.flatten(0, 1).transpose(1, 2)
        return self.dense(self.convolutions(picture)).unflatten(0, (batch, frames))
