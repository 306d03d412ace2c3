# SPDX-License-Identifier: GPL-3.0-or-later
"""The study's RNN: frame after frame, with a memory."""

from __future__ import annotations

from torch import Tensor, nn

from .registry import Shape, network


@network("rnn")
class Rnn(nn.Module):
    """A dense layer, gated recurrent units that read a window forwards and backwards, and a dense layer."""

    def __init__(self, shape: Shape, *, width: int = 256) -> None:
        super().__init__()
        self.enter = nn.Sequential(nn.Flatten(2), nn.Linear(shape.inputs, 2 * width), nn.ReLU())
        self.memory = nn.GRU(2 * width, width, batch_first=True, bidirectional=True)
        self.leave = nn.Linear(2 * width, shape.outputs)

    def forward(self, features: Tensor) -> Tensor:
        return self.leave(self.memory(self.enter(features))[0])
