# SPDX-License-Identifier: GPL-3.0-or-later
"""What was put right in the labels of a take, as it is told to the user."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["swapped back", "relabelled", "filled", "dropped", "sides exchanged", "sides doubtful", "re-stuck"]

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

    def document(self, first_frame: int) -> dict[str, Any]:
        """For the report, its frames numbered as the file's, whose first is `first_frame`."""
        return {"kind": self.kind, "labels": list(self.labels), "frames": [self.first + first_frame, self.last + first_frame]}


def sentences(corrections: Sequence[Correction], first_frame: int) -> list[str]:
    """A warning for each kind of correction that there is, its frames numbered as the file's."""
    return [_sentence(kind, found, first_frame) for kind in SENTENCES if (found := [each for each in corrections if each.kind == kind])]


def _sentence(kind: Kind, corrections: Sequence[Correction], first_frame: int) -> str:
    named = "; ".join(f"{_listed(each)} in {each.first + first_frame} to {each.last + first_frame}" for each in corrections[:NAMED])
    rest = f" and {len(corrections) - NAMED} more" if len(corrections) > NAMED else ""
    return f"{SENTENCES[kind]} (frames): {named}{rest}."


def _listed(correction: Correction) -> str:
    joint = {"swapped back": " and ", "relabelled": " to ", "filled": " for "}.get(correction.kind, ", ")
    return joint.join(correction.labels)


def in_order(corrections: Iterable[Correction]) -> tuple[Correction, ...]:
    """Sorted by time, then by label."""
    return tuple(sorted(corrections, key=lambda each: (each.first, each.last, each.labels)))
