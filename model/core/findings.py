# SPDX-License-Identifier: GPL-3.0-or-later
"""What a solve found out about its take that the user should know, as sentences and as entries of the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["no markers", "few markers", "unseen", "threshold"]
Frames = tuple[int, int]

#: A sentence names this many stretches, or labels; the report has all.
NAMED = 5


@dataclass(frozen=True)
class Finding:
    """One thing the user should know.

    Attributes:
        kind: "no markers": frames that have none; "few markers": too few to tell a pose; "unseen": bones that no marker tells of;
            "threshold": a threshold of the noise filter removes much, or was raised because it would have.
        text: One sentence.
        labels: Of the markers in question, if any.
        bones: Names of the joints in question, if any.
        frames: First and last of each stretch, counted from 0; none where all frames are meant.
    """

    kind: Kind
    text: str
    labels: tuple[str, ...] = ()
    bones: tuple[str, ...] = ()
    frames: tuple[Frames, ...] = ()

    def document(self, number: Callable[[int], int]) -> dict[str, Any]:
        """For the report; `number` gives a frame the number that the user sees, `Take.number`."""
        frames = [[number(first), number(last)] for first, last in self.frames]
        return {"kind": self.kind, "text": self.text, "labels": list(self.labels), "bones": list(self.bones), "frames": frames}


def in_words(names: Sequence[str], rest: int = 0) -> str:
    """`a`, `a and b`, `a, b and c`, `a, b and 7 more`."""
    every = [*names, *([f"{rest} more"] if rest else [])]
    return every[0] if len(every) == 1 else f"{', '.join(every[:-1])} and {every[-1]}"


def shortened(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    return in_words(names[:NAMED], max(0, len(names) - NAMED))


def listed_frames(frames: Sequence[Frames], number: Callable[[int], int]) -> str:
    """`frame 7`, `frames 1 to 206 and 300`; of many the first, and how many more stretches there are."""
    stretches = [f"{number(first)} to {number(last)}" if last > first else f"{number(first)}" for first, last in frames]
    single = len(frames) == 1 and frames[0][0] == frames[0][1]
    return f"frame{'' if single else 's'} {shortened(stretches)}"
