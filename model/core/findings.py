# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine found out about a take that the user should know: one `Finding` for each thing, whichever stage found it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

Kind = Literal[
    "file",
    "axes",
    "mirrored",
    "left out",
    "subjects",
    "duplicate",
    "missing",
    "misplaced",
    "attached",
    "usual place",
    "re-stuck",
    "fitted",
    "swapped back",
    "relabelled",
    "filled",
    "dropped",
    "sides exchanged",
    "sides doubtful",
    "no markers",
    "few markers",
    "unseen",
    "held",
    "threshold",
    "far off",
    "edited pose",
    "flagged",
    "far",
    "frozen",
    "labelled",
    "doubtful label",
    "unlabelled",
    "prop",
]
Frames = tuple[int, int]
#: Gives a frame, counted from 0, the number that the user sees: `Take.number`.
FrameNumber = Callable[[int], int]

#: A sentence names this many stretches, or labels; the report has all.
NAMED = 5
#: What a warning says where a take has many findings of one kind, before it lists them.
GROUPED: dict[Kind, str] = {
    "swapped back": "Labels that had been swapped were swapped back",
    "relabelled": "Samples under a wrong label were given the right one",
    "filled": "Unlabelled points were taken where they continue a missing marker",
    "dropped": "Samples that are nobody's were dropped",
    "sides exchanged": "Left and right labels had been exchanged and were put right",
    "sides doubtful": "Left and right look exchanged but were left as they are, check the labels",
}

#: Kinds by how much they matter to the motion, the gravest first: lists of findings are sorted by it.
GRAVITY: tuple[Kind, ...] = (
    "far off",
    "mirrored",
    "no markers",
    "sides doubtful",
    "doubtful label",
    "misplaced",
    "unseen",
    "few markers",
    "held",
    "swapped back",
    "relabelled",
    "dropped",
    "filled",
    "sides exchanged",
    "frozen",
    "far",
    "flagged",
    "re-stuck",
    "fitted",
    "threshold",
    "axes",
    "unlabelled",
    "labelled",
    "prop",
    "attached",
    "usual place",
    "missing",
    "left out",
    "subjects",
    "duplicate",
    "edited pose",
    "file",
)
#: Findings that a result is not to be used without: what was guessed, or may be wrong.
SEVERE: frozenset[Kind] = frozenset(
    {
        "axes",
        "mirrored",
        "subjects",
        "misplaced",
        "sides doubtful",
        "no markers",
        "few markers",
        "unseen",
        "held",
        "threshold",
        "far off",
        "labelled",
        "doubtful label",
    }
)


def gravity(kind: str) -> int:
    """The place of a kind among all, 0 being the gravest; the last one for what no kind is called."""
    return next((place for place, each in enumerate(GRAVITY) if each == kind), len(GRAVITY))


@dataclass(frozen=True)
class Finding:
    """One thing the user should know.

    Attributes:
        kind: "file": what had to be assumed to read it; "axes": another axis points up than the file, or its format, says; "mirrored":
            left and right are exchanged in the whole take; "left out": points that are not solved; "subjects": of several people one is
            solved; "duplicate": a second column of a label; "missing": labels of the set that the file lacks; "misplaced": a
            label sits elsewhere than it says, all the take long; "attached": markers that
            no set knows, and their bones; "usual place": markers that a given actor lacks; "re-stuck": a marker's place on a given
            actor was fitted anew; "fitted": how far a given actor was fitted to the take; "swapped back": two labels had been exchanged;
            "relabelled": the first label's samples are now the
            second's; "filled": the same of an unlabelled point; "dropped": samples of a label that are nobody's; "sides exchanged",
            "sides doubtful": left and right (left, right, left, ...), put right or left as they are; "no markers": frames that have
            none; "few markers": too few to tell a pose; "unseen": bones that no marker tells of; "held": a format has keys
            where a pose is not known; "threshold": a threshold of the noise
            filter removes much, or was raised because it would have; "far off": the markers are far from where the solver puts them;
            "edited pose": where a pose that was edited by hand is kept; "flagged": stretches of a marker that were taken for noise; "far":
            stretches of one that is far from where the solver puts it; "frozen": samples that repeat the one before while their markers
            moved on, taken as missing; "labelled": labels were found by motion; "doubtful label": found
            labels that may be wrong; "unlabelled": tracks that got none; "prop": markers that are an object's.
        text: One sentence.
        labels: Of the markers in question, if any.
        bones: Names of the joints in question, if any.
        frames: First and last of each stretch, counted from 0; none where all frames are meant.
        numbers: {name with its unit: value} of what the sentence says in figures.
        columns: {label: what the file calls its markers}, of those labels that the file does not know by that name.
    """

    kind: Kind
    text: str
    labels: tuple[str, ...] = ()
    bones: tuple[str, ...] = ()
    frames: tuple[Frames, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict[str, float])
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    @property
    def markers(self) -> tuple[str, ...]:
        """The markers in question as the file calls them."""
        return tuple(dict.fromkeys(column for label in self.labels for column in self.columns.get(label, (label,))))

    def called(self, columns: Mapping[str, tuple[str, ...]]) -> Finding:
        """The same with the file's names of its markers, which the sentence says too: `RSK1 (LR-SK1)`.

        Args:
            columns: {label: what the file calls its markers}, of any labels.
        """
        if self.columns:
            return self
        own = {label: columns[label] for label in self.labels if columns.get(label, (label,)) != (label,)}
        return replace(self, text=_called(self.text, own), columns=own) if own else self

    def document(self, number: FrameNumber) -> dict[str, Any]:
        """For JSON, with the frames' numbers as `number` gives them."""
        return {
            "kind": self.kind,
            "text": self.text,
            "labels": list(self.labels),
            "bones": list(self.bones),
            "frames": [[number(first), number(last)] for first, last in self.frames],
            "numbers": dict(self.numbers),
            "columns": {label: list(columns) for label, columns in self.columns.items()},
        }


def finding_of(document: Mapping[str, Any]) -> Finding:
    """The finding that `Finding.document` was made of.

    Raises:
        ValueError: It is no document of a finding.
    """
    try:
        if document["kind"] not in get_args(Kind):
            raise ValueError(f"{document['kind']!r} is no kind of finding")
        frames = tuple((int(first), int(last)) for first, last in document["frames"])
        numbers = {str(name): float(value) for name, value in document["numbers"].items()}
        labels, bones = (tuple(str(name) for name in document[names]) for names in ("labels", "bones"))
        # takes that were imported before this was kept lack it
        columns = {str(label): tuple(str(name) for name in names) for label, names in document.get("columns", {}).items()}
        return Finding(document["kind"], str(document["text"]), labels, bones, frames, numbers, columns)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no finding: {error!r}") from error


def sentences(findings: Iterable[Finding], number: FrameNumber) -> list[str]:
    """What the findings say, in their order; those of a kind that comes in numbers in one sentence."""
    by_kind: dict[Kind, list[Finding]] = {}
    said: list[Finding | list[Finding]] = []
    for finding in findings:
        if finding.kind not in GROUPED:
            said.append(finding)
            continue
        if finding.kind not in by_kind:
            said.append(by_kind.setdefault(finding.kind, []))
        # the same may be found before and after the markers are cleaned anew
        if finding not in by_kind[finding.kind]:
            by_kind[finding.kind].append(finding)
    return [_together(each, number) if isinstance(each, list) else each.text for each in said]


def _together(findings: Sequence[Finding], number: FrameNumber) -> str:
    if len(findings) == 1:
        return findings[0].text
    named = "; ".join(f"{_linked_markers(each)} in {_spans(each.frames, number)}" for each in findings[:NAMED])
    rest = f" and {len(findings) - NAMED} more" if len(findings) > NAMED else ""
    return f"{GROUPED[findings[0].kind]} (frames): {named}{rest}."


def _called(text: str, columns: Mapping[str, tuple[str, ...]]) -> str:
    """A sentence with the file's names behind the labels, but for prefixes and where it has them already."""
    said = {label: _name_behind(label, names) for label, names in columns.items() if not any(name in text for name in names)}
    if not said:
        return text
    labels = "|".join(re.escape(label) for label in sorted(said, key=len, reverse=True))
    return re.sub(rf"(?<![\w*-])(?:{labels})(?![\w-])", lambda found: found[0] + said[found[0]], text)


def _name_behind(label: str, names: Sequence[str]) -> str:
    """` (LR-SK1)`; nothing where the file has the label behind a prefix."""
    if all(name.casefold().endswith(label.casefold()) for name in names):
        return ""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f" ({names[0]}{more})"


def _linked_markers(finding: Finding) -> str:
    shown = [label + _name_behind(label, finding.columns[label]) if label in finding.columns else label for label in finding.labels]
    return linked(finding.kind, shown)


def linked(kind: Kind, labels: Sequence[str]) -> str:
    """Labels as their kind of finding relates them: `a and b`, `a to b`, `a, b`."""
    return {"swapped back": " and ", "relabelled": " to ", "filled": " for "}.get(kind, ", ").join(labels)


def _spans(frames: Sequence[Frames], number: FrameNumber) -> str:
    return ", ".join(f"{number(first)} to {number(last)}" for first, last in frames)


def in_words(names: Sequence[str], rest: int = 0) -> str:
    """`a`, `a and b`, `a, b and c`, `a, b and 7 more`."""
    every = [*names, *([f"{rest} more"] if rest else [])]
    return every[0] if len(every) == 1 else f"{', '.join(every[:-1])} and {every[-1]}"


def shortened(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    return in_words(names[:NAMED], max(0, len(names) - NAMED))


def listed_frames(frames: Sequence[Frames], number: FrameNumber) -> str:
    """`frame 7`, `frames 1 to 206 and 300`; of many the first, and how many more stretches there are."""
    stretches = [f"{number(first)} to {number(last)}" if last > first else f"{number(first)}" for first, last in frames]
    single = len(frames) == 1 and frames[0][0] == frames[0][1]
    return f"frame{'' if single else 's'} {shortened(stretches)}"
