# SPDX-License-Identifier: GPL-3.0-or-later
"""The study's own CNN: a frame as a grey picture, markers down and their numbers across."""

from __future__ import annotations

from torch import Tensor, nn

from .registry import Shape, network


@network("custom_cnn")
class CustomCnn(nn.Module):
    """A convolution over each marker's numbers, then ones over ever more markers, without pooling; dropout before the dense layers."""

    def __init__(self, shape: Shape, *, width: int = 16, dense: int = 512, dropout: float = 0.1) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, width, (1, shape.channels)),
            nn.ReLU(),
            nn.Conv2d(width, width, (5, 1), padding=(2, 0)),
            nn.ReLU(),
            nn.Conv2d(width, width, (9, 1), padding=(4, 0)),
            nn.ReLU(),
        )
        self.dense = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(width * shape.markers, dense), nn.ReLU(), nn.Dropout(dropout), nn.Linear(dense, shape.outputs)
        )

    def forward(self, features: Tensor) -> Tensor:
        batch, frames = features.shape[:2]
        picture = features.flatten(0, 1)[:, None]
        return self.dense(self.convolutions(picture).flatten(1)).unflatten(0, (batch, frames))
