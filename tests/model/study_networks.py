# SPDX-License-Identifier: GPL-3.0-or-later
"""Small networks of the study, and rotations as tensors."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from model.core.rotations import unitquat_to_rotmat
from model.study.outputs import OUTPUTS

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


def rotations(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(unitquat_to_rotmat(np.random.default_rng(seed).normal(size=(*shape, 4)))).float()


def about(axis: str, degrees: np.ndarray | list[float]) -> Tensor:
    return torch.from_numpy(Rotation.from_euler(axis, np.asarray(degrees)[:, None], degrees=True).as_matrix()).float()


def same(one: Tensor, other: Tensor, atol: float = 1e-6) -> None:
    torch.testing.assert_close(one, other, atol=atol, rtol=0)
