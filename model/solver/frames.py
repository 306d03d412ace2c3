# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of frames: long takes in windows, and all frames from some of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ..core.take import is_long
from .kinematics import Pose
from .rotations import rotmat_to_rotvec, rotvec_to_rotmat

#: Most frames that are refined together, and how many more on either side are refined with them and thrown away.
#: Shorter windows would lie in the processor's cache, but then threads, which share Python's lock between operations, wait for one another.
LONGEST_WINDOW, OVERLAP = 1024, 64
#: Most frames that are worked on together where each is by itself and takes little: in fewer, calling the operations takes longer than
#: they do, and threads wait for Python's lock.
LONGEST_SPAN = 5000


@dataclass(frozen=True)
class Window:
    """Frames that are worked on together.

    Attributes:
        frames: Its own, among all.
        whole: These with the overlaps on either side, among all.
    """

    frames: slice
    whole: slice

    @property
    def own(self) -> slice:
        """Its own frames among the whole."""
        return slice(self.frames.start - self.whole.start, self.frames.stop - self.whole.start)


def windows(frames: int, longest: int | None = None, overlap: int | None = None) -> list[Window]:
    """The windows of a take: one, or few, nearly of one length and even in number, so that threads that share them end together.

    Args:
        frames: Of the take.
        longest: Most frames of a window; `LONGEST_WINDOW` unless given.
        overlap: Frames more on either side; `OVERLAP` unless given.
    """
    longest, overlap = longest or LONGEST_WINDOW, OVERLAP if overlap is None else overlap
    cuts = _cuts(frames, max(1, -(-frames // longest)))
    return [Window(slice(start, stop), slice(max(0, start - overlap), min(stop + overlap, frames))) for start, stop in pairwise(cuts)]


def spans(frames: int) -> list[slice]:
    """The frames of a take in few parts, of a long one in shorter ones, for work that takes little of each frame and needs no other one."""
    count, longest = 2 if frames > LONGEST_WINDOW else 1, LONGEST_WINDOW if is_long(frames) else LONGEST_SPAN
    return [slice(start, stop) for start, stop in pairwise(_cuts(frames, max(count, -(-frames // longest))))]


def _cuts(frames: int, parts: int) -> list[int]:
    """Where so many parts begin, one more where they are odd and not one, and where the last ends."""
    parts += parts % 2 if parts > 1 else 0
    return [frames * part // parts for part in range(parts + 1)]


def joined(poses: list[Pose]) -> Pose:
    """Poses one after the other."""
    return Pose(*(torch.cat([getattr(pose, part) for pose in poses]) for part in ("root", "turn", "q")))


def put_together(parts: Iterable[Pose], frames: int) -> Pose:
    """The same of parts that are still being made, of so many frames together: none is kept once its numbers are in the whole."""
    whole: Pose | None = None
    start = 0
    for part in parts:
        if whole is None:
            whole = Pose(*(tensor.new_empty(frames, *tensor.shape[1:]) for tensor in (part.root, part.turn, part.q)))
        own = slice(start, start + part.frames)
        whole.root[own], whole.turn[own], whole.q[own] = part.root, part.turn, part.q
        start += part.frames
    if whole is None or start != frames:
        raise ValueError(f"{start} frames came, {frames} were announced")
    return whole


class Between:
    """Some frames, of a slice or by indices (frames,), straight between those `at` which something is known.

    These are ascending, a take's first and last included.
    """

    def __init__(self, at: Tensor, frames: slice | Tensor) -> None:
        wanted = torch.arange(frames.start, frames.stop, device=at.device) if isinstance(frames, slice) else frames
        self.right = torch.searchsorted(at, wanted).clamp(1, len(at) - 1) if len(at) > 1 else torch.zeros_like(wanted)
        self.left = (self.right - 1).clamp_min(0)
        self.part = (wanted - at[self.left]) / (at[self.right] - at[self.left]).clamp_min(1)

    def values(self, known: Tensor) -> Tensor:
        """(frames, n) of known (frames at, n)."""
        return torch.lerp(known[self.left], known[self.right], self.part.to(known.dtype)[:, None])

    def pose(self, known: Pose) -> Pose:
        """The root on the shortest turn."""
        turn = rotmat_to_rotvec(known.turn[self.right] @ known.turn[self.left].transpose(1, 2))
        part = self.part.to(turn.dtype)[:, None]
        return Pose(self.values(known.root), rotvec_to_rotmat(part * turn) @ known.turn[self.left], self.values(known.q))
