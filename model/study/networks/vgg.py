# SPDX-License-Identifier: GPL-3.0-or-later
"""The study's VGG: Simonyan and Zisserman 2015, Very Deep Convolutional Networks for Large-Scale Image Recognition."""

from __future__ import annotations

from torch import Tensor, nn

from .registry import Shape, network


@network("vgg")
class Vgg(nn.Module):
    """Configuration A over the list of markers: eight convolutions, a pooling at each of five levels, three dense layers, dropout.

    There is neither normalisation nor a shortcut, as in 2015.
    """

    def __init__(self, shape: Shape, *, width: int = 16, dense: int = 512, dropout: float = 0.5) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        entering, markers = shape.channels, shape.markers
        for level, convolutions in enumerate((1, 1, 2, 2, 2)):
            leaving = width * 2 ** min(level, 3)
            for _ in range(convolutions):
                layers += [nn.Conv1d(entering, leaving, 3, padding=1), nn.ReLU()]
                entering = leaving
            # six body markers are no picture to be halved five times
            if markers > 1:
                layers.append(nn.MaxPool1d(2))
                markers //= 2
        self.convolutions = nn.Sequential(*layers, nn.Flatten())
        self.dense = nn.Sequential(
            nn.Linear(entering * markers, dense),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(dense, dense),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(dense, shape.outputs),
        )

    def forward(self, features: Tensor) -> Tensor:
        batch, frames = features.shape[:2]
        picture = features.flatten(0, 1).transpose(1, 2)
        return self.dense(self.convolutions(picture)).unflatten(0, (batch, frames))
