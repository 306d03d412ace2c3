# SPDX-License-Identifier: GPL-3.0-or-later
"""The labels of a file matched to a marker set."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log
from os.path import commonprefix

import numpy as np

from ..core.errors import BonesetterError
from ..core.findings import Finding
from ..core.stretches import stretches
from ..core.take import BoolArray, FloatArray, Take
from ..marker_sets.marker_set import DUPLICATE, MarkerSet, bare_name, bundled_marker_sets

#: What stands between a subject and a label, in Vicon's, Qualisys' and OptiTrack's files.
SEPARATORS = ":_."
UNLABELLED = re.compile(r"\*|uname|unlabel|U_?\d+$", re.IGNORECASE)
#: Points that a lab's model computed and that C3D files do not mark as such.
COMPUTED = re.compile(
    r"P?HIPORIGIN$|CENT(RE|ER)OF(MASS|GRAVITY|PRESSURE)|COM(FLOOR)?$|CO[GP]$|VIRTUAL|"
    r"^MID(ASIS|PSIS|HIPS?|SHOULDERS?|PELVIS)$|[LR]?(HIP|KNEE|ANKLE|SHOULDER|ELBOW|WRIST|[HKASEW])(JC|JOINTCENT(RE|ER))[LR]?$"
)

#: A duplicate continues a marker when it lies no farther from it than noise plus this speed allows (m, m/s), ...
JOIN_DISTANCE = 0.03
JOIN_SPEED = 4.0
#: ... and comes no later than this many seconds after the marker was lost, or before it is found again.
JOIN_TIME = 0.25

#: What this part of the labels begins with may be no part of them.
NEARLY_ALL = 0.8

#: Markers of the set that a file lacks are said up to this part of those that it has: where more are lacking, the lab uses a part
#: of the set on purpose, such as the legs.
SAID_WHEN_ABSENT = 0.5

#: A marker that no set knows and that has fewer samples than this part of the frames, or than this number, says too little.
FEWEST_PART, FEWEST_SAMPLES = 0.05, 10

#: How unlikely it is, in nats, that a lab calls a marker what its set does not know.
UNKNOWN_NATS = 17.0

#: So many markers tell where the trunk is and how it is rotated.
FEWEST_OF_TRUNK = 3

#: {column of a file: the subject with its separator, and the rest of the label}.
Names = Mapping[int, tuple[str, str]]
#: The prefixes of a person's labels, with their separators: mostly one.
Person = tuple[str, ...]


class TooFewLabelsError(BonesetterError):
    """A take has too few labels that its marker set knows."""

    @property
    def why(self) -> str:
        """The sentence without what to do: where labels are found by motion that may be something else."""
        return str(self).partition("; ")[0] + "."


def choose_marker_set(take: Take) -> MarkerSet:
    """The bundled set by which a take's labels are likeliest; of sets as likely, the one with the fewest markers.

    A label that a set of n markers knows has the likelihood 1/n, one that it does not know exp(-`UNKNOWN_NATS`): the set that
    knows most labels, unless one with much fewer names knows nearly as many. Names gathered from many labs know a misspelt
    label, too, where the lab's own set knows where the other markers sit.
    """
    samples = take.present.sum(axis=0)

    def log_likelihood(marker_set: MarkerSet) -> float:
        """Beside that of a set that knows no label."""
        names = _names(take, labelled_columns(take), marker_set)
        columns = _columns(names, next(iter(_people(names, samples, marker_set)), ()), marker_set)
        known = sum(samples[column] > 0 for column in columns.values())
        return known * (UNKNOWN_NATS - log(len(marker_set.labels)))

    return max(bundled_marker_sets(), key=lambda marker_set: (log_likelihood(marker_set), -len(marker_set.labels)))


def sampled_enough(unknown: Take) -> BoolArray:
    """(labels,): which markers that no set knows have enough samples to be put on a bone."""
    enough: BoolArray = unknown.present.sum(axis=0) >= max(FEWEST_SAMPLES, FEWEST_PART * unknown.frames)
    return enough


def match(take: Take, marker_set: MarkerSet) -> Take:
    """Put a take onto a marker set's labels; what the set does not know is left out, and said. See `match_all`."""
    known, unknown = match_all(take, marker_set)
    if not unknown.labels:
        return known
    said = f"Left out, as the marker set {marker_set.name!r} has no such labels: {listed(unknown.labels)}."
    return replace(known, findings=(*known.findings, Finding("left out", said, unknown.labels)))


def match_all(take: Take, marker_set: MarkerSet) -> tuple[Take, Take]:
    """Put a take onto a marker set's labels.

    Prefixes are dropped, case is ignored, aliases are known. Prefixes of segments, or of some labels only, are one person's; of
    several people the one with the most samples is taken. A duplicate such as `RBAC-1` fills the gaps of its marker that it
    continues. All else is left out, and said.

    Args:
        take: As read from a file.
        marker_set: Whose labels and order the result has.

    Returns:
        The take on those labels of the set that have samples, with all findings, and the subject's other markers under the
        file's own labels.

    Raises:
        BonesetterError: Too few markers are left to be solved.
    """
    findings: list[Finding] = []
    present = take.present
    samples = present.sum(axis=0)
    labelled = labelled_columns(take)
    # of labels that were found by motion it is said which tracks got none
    if not take.tracks_from and (nameless := len(take.labels) - len(labelled)):
        said = f"{nameless} unlabelled points are left out where they fit no gap."
        findings.append(Finding("left out", said, numbers={"points": nameless}))
    names = _names(take, labelled, marker_set)
    people = _people(names, samples, marker_set)
    person = people[0] if people else ("",)
    if others := [other for other in people[1:] if len(_columns(names, other, marker_set)) >= marker_set.fewest_markers]:
        said = (
            f"The file holds {len(others) + 1} subjects: {_named(person)} is solved, as it has the most samples; "
            f"{listed([_named(other) for other in others])} left out."
        )
        findings.append(Finding("subjects", said, numbers={"subjects": len(others) + 1}))
    columns = _columns(names, person, marker_set)
    labels = tuple(label for label in marker_set.labels if label in columns and samples[columns[label]])
    _require_enough(take, labels, marker_set)

    known = take.only([columns[label] for label in labels], labels)
    used = set(columns.values())
    for index in labelled:
        label = _duplicated(names[index], person, marker_set)
        if index not in used and label in labels:
            used.add(index)
            findings.append(_join(take, index, known, label))

    mine = [index for index in labelled if index not in used and _belongs(take.labels[index], names[index], person)]
    computed = [index for index in mine if COMPUTED.search(bare_name(_without(take.labels[index], person)))]
    if computed:
        points = {names[index][1]: (take.labels[index],) for index in computed}
        said = f"Left out, as they are computed points, not markers: {listed(tuple(points))}."
        findings.append(Finding("left out", said, tuple(points)).called(points))
    absent = tuple(label for label in marker_set.labels if label not in labels)
    if 0 < len(absent) <= SAID_WHEN_ABSENT * len(labels):
        findings.append(Finding("missing", f"Solved without these markers of the set: {listed(absent)}.", absent))
    rest = {_without(take.labels[index], person).strip(): index for index in mine if index not in computed}
    rest = {label: index for label, index in rest.items() if label not in labels}
    return replace(known, findings=take.findings + tuple(findings)), take.only(list(rest.values()), tuple(rest))


@dataclass(frozen=True, eq=False)
class NamedPerson:
    """A person of a file by its labels.

    Attributes:
        name: What stands before the labels, the first of several prefixes; empty where there is none.
        columns: {label of the set: column of the file}.
        all: Every column that is the person's.
        shared: Columns without a name.
    """

    name: str
    columns: dict[str, int]
    all: tuple[int, ...]
    shared: tuple[int, ...]


def named_people(take: Take, marker_set: MarkerSet) -> list[NamedPerson]:
    """The people whose labels a set knows, the one with the most samples first."""
    labelled = labelled_columns(take)
    names = _names(take, labelled, marker_set)
    shared = tuple(column for column in range(len(take.labels)) if column not in names)
    return [
        NamedPerson(
            person[0].rstrip(SEPARATORS),
            _columns(names, person, marker_set),
            tuple(index for index in labelled if _belongs(take.labels[index], names[index], person)),
            shared,
        )
        for person in _people(names, take.present.sum(axis=0), marker_set)
    ]


def unlabelled(take: Take) -> Take:
    """The points of a take as read that have no label, such as `*0`: some may be a marker that was lost. There may be none."""
    named = set(labelled_columns(take))
    return take.only([index for index in range(len(take.labels)) if index not in named])


def labelled_columns(take: Take) -> list[int]:
    """Indices of the columns that have a label."""
    return [index for index, label in enumerate(take.labels) if not UNLABELLED.match(label.rpartition(":")[2].strip())]


def _names(take: Take, labelled: Iterable[int], marker_set: MarkerSet) -> Names:
    """Every labelled column's subject and name. Where more are known without what nearly all begin with, that is the subject's."""
    labels = {index: take.labels[index] for index in labelled}
    plain = {index: _split(label, marker_set) for index, label in labels.items()}
    first = Counter(label[:1] for label in labels.values()).most_common(1)
    alike = [label for label in labels.values() if first and label.startswith(first[0][0])]
    if not alike or len(alike) < NEARLY_ALL * len(labels):
        return plain
    shared = commonprefix(alike)  # noqa: RUF071  # letters, not folders
    shorter = dict(plain)
    for index, label in labels.items():
        if label.startswith(shared):
            subject, name = _split(label.removeprefix(shared), marker_set)
            shorter[index] = (shared + subject, name)
    return max(plain, shorter, key=lambda names: len({marker_set.find(name) for _, name in names.values()}))


def _split(label: str, marker_set: MarkerSet) -> tuple[str, str]:
    """The subject, with its separator, and the rest of a file's label."""
    prefix, colon, rest = label.rpartition(":")
    starts = [0, *(place + 1 for place, letter in enumerate(rest) if letter in SEPARATORS)]
    start = next((start for start in starts if marker_set.find(_base(rest[start:]))), 0)
    return prefix + colon + rest[:start], rest[start:].strip()


def _base(label: str) -> str:
    """The label without a duplicate's number."""
    duplicate = DUPLICATE.fullmatch(label)
    return duplicate["label"] if duplicate else label


def _people(names: Names, samples: Sequence[int] | FloatArray, marker_set: MarkerSet) -> list[Person]:
    """The people of a file, the one with the most samples first.

    Prefixes under which no label is twice are one person's: those of its segments, or that of a part of its labels.
    """
    counts: dict[str, int] = {}
    known: dict[str, set[str]] = {}
    for index, (subject, name) in names.items():
        label = marker_set.find(name)
        if label and (samples[index] or subject not in counts):
            counts[subject] = counts.get(subject, 0) + int(samples[index])
            known.setdefault(subject, set()).add(label)
    people: list[tuple[list[str], set[str]]] = []
    for subject in sorted(counts, key=lambda subject: -counts[subject]):
        whose = next((person for person in people if not person[1] & known[subject]), None)
        if whose is None:
            people.append(([subject], set(known[subject])))
        else:
            whose[0].append(subject)
            whose[1].update(known[subject])
    people.sort(key=lambda person: -sum(counts[subject] for subject in person[0]))
    return [tuple(subjects) for subjects, _ in people]


def _named(person: Person) -> str:
    """A person by its prefix, the first of several."""
    return repr(person[0].rstrip(SEPARATORS)) if person[0] else "the one without a prefix"


def _belongs(label: str, name: tuple[str, str], person: Person) -> bool:
    """Whether an unknown label is the person's. Letters that most labels happen to begin with are nobody's name: others lack them."""
    if not name[0] and all(subject[-1:] not in SEPARATORS for subject in person if subject):
        return True
    return name[0] in person or any(subject and label.startswith(subject) for subject in person)


def _without(label: str, person: Person) -> str:
    """A label without the longest of the person's prefixes that it has."""
    return label.removeprefix(max((subject for subject in person if label.startswith(subject)), key=len, default=""))


def _columns(names: Names, person: Person, marker_set: MarkerSet) -> dict[str, int]:
    """{label of the set: column of the file} of a person; the label itself goes before its aliases."""
    found: dict[str, tuple[int, int]] = {}
    for index, (subject, name) in names.items():
        label = marker_set.find(name)
        if subject not in person or label is None:
            continue
        rank = [bare_name(known) for known in (label, *marker_set.aliases.get(label, ()))].index(bare_name(name))
        if label not in found or rank < found[label][0]:
            found[label] = (rank, index)
    return {label: index for label, (_, index) in found.items()}


def _duplicated(name: tuple[str, str], person: Person, marker_set: MarkerSet) -> str | None:
    """The set's label that a file's label such as `Male:RBAC-1` repeats."""
    if name[0] not in person or _base(name[1]) == name[1]:
        return None
    return marker_set.find(_base(name[1]))


def _require_enough(take: Take, found: tuple[str, ...], marker_set: MarkerSet) -> None:
    core = tuple(dict.fromkeys(marker_set.core))
    of_core = sum(label in found for label in core)
    if len(found) < marker_set.fewest_markers:
        raise TooFewLabelsError(
            f"{take.name} has {len(found)} of the markers of the set {marker_set.name!r}, too few to solve: at least "
            f"{marker_set.fewest_markers} are needed; where yours have other names, describe them in a marker-set file and choose it as "
            "Marker Set in the panel, or --layout in the shell."
        )
    if core and of_core < FEWEST_OF_TRUNK:
        raise TooFewLabelsError(
            f"{take.name} has {of_core} of the markers of the trunk, too few to solve: at least {FEWEST_OF_TRUNK} are needed of "
            f"{listed(core)}; where yours have other names, describe them in a marker-set file and choose it as Marker Set in the panel, "
            "or --layout in the shell."
        )


def _join(take: Take, index: int, known: Take, label: str) -> Finding:
    """Fill the gaps of a known marker from its duplicate, in place, and say so."""
    marker = known.labels.index(label)
    fits = _continues(take.positions[:, index], known.positions[:, marker], take.rate_hz)
    known.positions[fits, marker] = take.positions[fits, index]
    known.residuals[fits, marker] = take.residuals[fits, index]
    samples = int(np.isfinite(take.positions[:, index]).all(axis=-1).sum())
    said = _said_of_duplicate(take.labels[index], label, samples, int(fits.sum()))
    return Finding("duplicate", said, (label,), numbers={"samples": samples, "filled": int(fits.sum())})


def _continues(duplicate: FloatArray, marker: FloatArray, rate_hz: float) -> BoolArray:
    """Which frames of a duplicate, (frames, 3), continue a marker, (frames, 3), where that is missing."""
    present = np.isfinite(marker).all(axis=-1)
    candidate = np.isfinite(duplicate).all(axis=-1) & ~present
    fits = np.zeros(len(marker), dtype=bool)
    known = np.flatnonzero(present)
    for start, end in stretches(np.asarray(candidate)):
        before = known[known < start][-1:]
        after = known[known >= end][:1]
        joints = [(start, frame) for frame in before] + [(end - 1, frame) for frame in after]
        near = [(a, b) for a, b in joints if abs(a - b) <= JOIN_TIME * rate_hz]
        fits[start:end] = bool(near) and all(
            np.linalg.norm(duplicate[a] - marker[b]) <= JOIN_DISTANCE + JOIN_SPEED * abs(a - b) / rate_hz for a, b in near
        )
    return fits


def _said_of_duplicate(duplicate: str, label: str, samples: int, fits: int) -> str:
    if not samples:
        return f"{duplicate} is left out: it has no samples."
    if not fits:
        return f"{duplicate} is left out: none of its {samples} samples continues {label} where that is missing."
    rest = f", its other {samples - fits} are left out" if fits < samples else ""
    return f"{duplicate} fills {fits} missing samples of {label}{rest}."


def listed(labels: Sequence[str]) -> str:
    """At most a dozen names, so that a sentence stays one."""
    return ", ".join(labels[:12]) + (f" and {len(labels) - 12} more" if len(labels) > 12 else "")
