# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of frames: long takes in windows, and all frames from some of them."""

from __future__ import annotations

from collections.abc import Iterator

import roma
import torch
from torch import Tensor

from .kinematics import Pose

#: Frames that are refined together, and how many more on either side are refined with them and thrown away.
WINDOW, OVERLAP = 2048, 64


def windows(frames: int) -> Iterator[tuple[slice, slice]]:
    """Slices of the frames: of each window with its overlaps, and of its own frames within it."""
    for start in range(0, frames, WINDOW):
        first = max(0, start - OVERLAP)
        yield slice(first, min(start + WINDOW + OVERLAP, frames)), slice(start - first, min(start + WINDOW, frames) - first)


def joined(poses: list[Pose]) -> Pose:
    """Poses one after the other."""
    return Pose(*(torch.cat([getattr(pose, part) for pose in poses]) for part in ("root", "turn", "q")))


class Between:
    """All `frames` from those `at` which something is known (ascending, first and last included), straight in between."""

    def __init__(self, at: Tensor, frames: int) -> None:
        wanted = torch.arange(frames, device=at.device)
        self.right = torch.searchsorted(at, wanted).clamp(1, len(at) - 1) if len(at) > 1 else torch.zeros_like(wanted)
        self.left = (self.right - 1).clamp_min(0)
        self.part = (wanted - at[self.left]) / (at[self.right] - at[self.left]).clamp_min(1)

    def values(self, known: Tensor) -> Tensor:
        """(frames, n) of known (frames at, n)."""
        return torch.lerp(known[self.left], known[self.right], self.part.to(known.dtype)[:, None])

    def pose(self, known: Pose) -> Pose:
        """The root on the shortest turn."""
        turn = roma.rotmat_to_rotvec(known.turn[self.right] @ known.turn[self.left].transpose(1, 2))
        part = self.part.to(turn.dtype)[:, None]
        return Pose(self.values(known.root), roma.rotvec_to_rotmat(part * turn) @ known.turn[self.left], self.values(known.q))
