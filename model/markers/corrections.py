# SPDX-License-Identifier: GPL-3.0-or-later
"""What was put right in the labels of a take, as it is told to the user."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["swapped back", "relabelled", "filled", "dropped", "sides exchanged", "sides doubtful", "re-stuck"]

#: The number, as the user sees it, of a frame counted from 0: `Take.number`.
FrameNumber = Callable[[int], int]

#: What a warning says before it lists the corrections of a kind. Of a marker that was re-stuck there is a sentence of its own.
SENTENCES: dict[Kind, str] = {
    "swapped back": "Labels that had been swapped were swapped back",
    "relabelled": "Samples under a wrong label were given the right one",
    "filled": "Unlabelled points were taken where they continue a missing marker",
    "dropped": "Samples that are nobody's were dropped",
    "sides exchanged": "Left and right labels had been exchanged and were put right",
    "sides doubtful": "Left and right look exchanged but were left as they are, check the labels",
}
#: A warning names this many corrections; the report has all.
NAMED = 6


@dataclass(frozen=True)
class Correction:
    """One mistake in labelling.

    Attributes:
        kind: "swapped back": two labels exchanged; "relabelled": the first label's samples are now the second's, "filled" the same
            of an unlabelled point; "dropped": a label's samples were removed; "sides exchanged": (left, right, left, right, ...);
            "sides doubtful": the same, reported only; "re-stuck": the label's place on a given actor was fitted anew.
        labels: Whose samples, as the kind says.
        first: The first frame, counted from 0.
        last: The last frame, itself included.
    """

    kind: Kind
    labels: tuple[str, ...]
    first: int
    last: int

    def document(self, number: FrameNumber) -> dict[str, Any]:
        """For the report."""
        return {"kind": self.kind, "labels": list(self.labels), "frames": [number(self.first), number(self.last)]}


def sentences(corrections: Sequence[Correction], number: FrameNumber) -> list[str]:
    """A warning for each kind of correction that there is."""
    return [_sentence(kind, found, number) for kind in SENTENCES if (found := [each for each in corrections if each.kind == kind])]


def _sentence(kind: Kind, corrections: Sequence[Correction], number: FrameNumber) -> str:
    named = "; ".join(f"{_listed(each)} in {number(each.first)} to {number(each.last)}" for each in corrections[:NAMED])
    rest = f" and {len(corrections) - NAMED} more" if len(corrections) > NAMED else ""
    return f"{SENTENCES[kind]} (frames): {named}{rest}."


def _listed(correction: Correction) -> str:
    joint = {"swapped back": " and ", "relabelled": " to ", "filled": " for "}.get(correction.kind, ", ")
    return joint.join(correction.labels)


def in_order(corrections: Iterable[Correction]) -> tuple[Correction, ...]:
    """Sorted by time, then by label."""
    return tuple(sorted(corrections, key=lambda each: (each.first, each.last, each.labels)))
