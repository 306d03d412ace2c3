# SPDX-License-Identifier: GPL-3.0-or-later
"""The study's CNN: a frame as a picture of one row, a pixel for each marker."""

from __future__ import annotations

from torch import Tensor, nn

from .registry import Shape, network


@network("cnn")
class Cnn(nn.Module):
    """Two convolutions along the list of markers, a pooling after each, and two dense layers."""

    def __init__(self, shape: Shape, *, width: int = 32, dense: int = 512) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv1d(shape.channels, width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool1d(2),
            nn.Conv1d(width, 2 * width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool1d(2),
        )
        self.dense = nn.Sequential(nn.Linear(2 * width * (shape.markers // 4), dense), nn.ReLU(), nn.Linear(dense, shape.outputs))

    def forward(self, features: Tensor) -> Tensor:
        batch, frames = features.shape[:2]
        picture = features.flatten(0, 1).transpose(1, 2)
        return self.dense(self.convolutions(picture).flatten(1)).unflatten(0, (batch, frames))
