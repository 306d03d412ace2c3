# SPDX-License-Identifier: GPL-3.0-or-later
"""Marker sets, and the labels of a file matched to one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from .take import BonesetterError, BoolArray, FloatArray, Take

FOLDER = Path(__file__).parent / "marker_sets"
FORMAT = "bonesetter-marker-set"
VERSION = 1

#: What stands between a subject and a label, in Vicon's, Qualisys' and OptiTrack's files.
SEPARATORS = ":_."
UNLABELLED = re.compile(r"\*|uname|unlabel|U_?\d+$", re.IGNORECASE)
DUPLICATE = re.compile(r"(?P<label>.+?)-\d+$")

#: A duplicate continues a marker when it lies no farther from it than noise plus this speed allows (m, m/s), ...
JOIN_DISTANCE = 0.03
JOIN_SPEED = 4.0
#: ... and comes no later than this many seconds after the marker was lost, or before it is found again.
JOIN_TIME = 0.25


@dataclass(frozen=True)
class MarkerSet:
    """Where a lab puts its markers.

    Attributes:
        name: For people.
        labels: One per marker, in the order of every array that follows the set.
        joints: For each label, the name of the joint whose bone the marker rides on.
        aliases: {label: other names of the same marker}.
        rigid_groups: {name: labels whose mutual distances stay constant, soft tissue aside}.
        core_groups: The groups without which the body's place and heading are unknown.
        fewest_markers: Fewer markers than this cannot be solved.
    """

    name: str
    labels: tuple[str, ...]
    joints: tuple[str, ...]
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rigid_groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    core_groups: tuple[str, ...] = ()
    fewest_markers: int = 12

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """(left, right) labels of the markers that mirror each other."""
        rights = {label for label in self.labels if label.startswith("R")}
        return tuple((label, f"R{label[1:]}") for label in self.labels if label[0] == "L" and f"R{label[1:]}" in rights)

    @cached_property
    def names(self) -> dict[str, str]:
        """{a name of a marker in capitals, its label or an alias: its label}."""
        names = {alias.upper(): label for label, aliases in self.aliases.items() for alias in aliases}
        names.update({label.upper(): label for label in self.labels})
        return names

    @property
    def core(self) -> tuple[str, ...]:
        """The labels of the core groups."""
        return tuple(label for group in self.core_groups for label in self.rigid_groups[group])


def load_marker_set(name: str | Path = "cmu41") -> MarkerSet:
    """Read a marker set: one that comes with Bonesetter by its name, or any other by its file.

    Raises:
        BonesetterError: There is no such set, or the file is none.
    """
    path = name if isinstance(name, Path) else FOLDER / f"{name}.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT or document["version"] != VERSION:
            raise ValueError("another format or version")
        markers = document["markers"]
        marker_set = MarkerSet(
            name=str(document["name"]),
            labels=tuple(str(marker["label"]) for marker in markers),
            joints=tuple(str(marker["joint"]) for marker in markers),
            aliases={str(marker["label"]): tuple(marker["aliases"]) for marker in markers if "aliases" in marker},
            rigid_groups={str(group): tuple(labels) for group, labels in document["rigid_groups"].items()},
            core_groups=tuple(document["core_groups"]),
            fewest_markers=int(document["fewest_markers"]),
        )
        named = {label for labels in marker_set.rigid_groups.values() for label in labels}
        if len(set(marker_set.labels)) != len(marker_set.labels) or not named <= set(marker_set.labels):
            raise ValueError("labels that repeat, or a rigid group of unknown ones")
        if not set(marker_set.core_groups) <= set(marker_set.rigid_groups):
            raise ValueError("a core group that is no rigid group")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BonesetterError(f"{path.name} cannot be read as a marker set ({error}): choose one of Bonesetter's.") from error
    return marker_set


def match(take: Take, marker_set: MarkerSet) -> Take:
    """Put a take onto a marker set's labels.

    Subject prefixes are dropped, case is ignored, aliases are known. Of several subjects the one with the most samples is
    taken. A duplicate such as `RBAC-1` fills the gaps of its marker that it continues. All else is left out, and said.

    Args:
        take: As read from a file.
        marker_set: Whose labels and order the result has.

    Returns:
        The take on those labels of the set that have samples.

    Raises:
        BonesetterError: Too few markers are left to be solved.
    """
    warnings: list[str] = []
    named = [index for index, label in enumerate(take.labels) if not UNLABELLED.match(_bare(label))]
    if nameless := len(take.labels) - len(named):
        warnings.append(f"{nameless} unlabelled points are left out where they fit no gap.")
    present = take.present
    subject = _subject(take, named, present, marker_set, warnings)
    columns = _columns(take, named, subject, marker_set)
    _require_enough(take, columns, present, marker_set)

    labels = tuple(label for label in marker_set.labels if label in columns and present[:, columns[label]].any())
    chosen = [columns[label] for label in labels]
    positions = take.positions[:, chosen]
    residuals = take.residuals[:, chosen]
    used = set(columns.values())
    for index in named:
        label = _duplicated(take.labels[index], subject, marker_set)
        if index in used or label not in labels:
            continue
        used.add(index)
        marker = labels.index(label)
        fits = _continues(take.positions[:, index], positions[:, marker], take.rate_hz)
        positions[fits, marker] = take.positions[fits, index]
        residuals[fits, marker] = take.residuals[fits, index]
        warnings.append(_said_of_duplicate(take.labels[index], label, int(present[:, index].sum()), int(fits.sum())))

    mine = [index for index in named if index not in used and _split(take.labels[index], marker_set)[0] == subject]
    if unknown := [_bare(take.labels[index]) for index in mine]:
        warnings.append(f"Left out, as the marker set {marker_set.name!r} has no such labels: {_listed(unknown)}.")
    if absent := [label for label in marker_set.labels if label not in labels]:
        warnings.append(f"Solved without these markers of the set, which the file lacks: {_listed(absent)}.")
    return replace(take, labels=labels, positions=positions, residuals=residuals, warnings=take.warnings + tuple(warnings))


def unlabelled(take: Take) -> Take:
    """The points of a take as read that have no label, such as `*0`: some may be a marker that was lost. There may be none."""
    columns = [index for index, label in enumerate(take.labels) if UNLABELLED.match(_bare(label))]
    labels = tuple(take.labels[index] for index in columns)
    return replace(take, labels=labels, positions=take.positions[:, columns], residuals=take.residuals[:, columns])


def _bare(label: str) -> str:
    return label.rpartition(":")[2].strip()


def _split(label: str, marker_set: MarkerSet) -> tuple[str, str]:
    """The subject, with its separator, and the rest of a file's label."""
    for separator in SEPARATORS:
        prefix, found, rest = label.rpartition(separator)
        if found and (separator == ":" or _base(rest).upper() in marker_set.names):
            return prefix + found, rest.strip()
    return "", label.strip()


def _base(label: str) -> str:
    """The label without a duplicate's number."""
    duplicate = DUPLICATE.fullmatch(label)
    return duplicate["label"] if duplicate else label


def _subject(take: Take, named: Iterable[int], present: BoolArray, marker_set: MarkerSet, warnings: list[str]) -> str:
    """The prefix of the subject with the most samples on the set's markers."""
    samples: dict[str, int] = {}
    markers: dict[str, int] = {}
    for index in named:
        subject, rest = _split(take.labels[index], marker_set)
        if rest.upper() in marker_set.names:
            samples[subject] = samples.get(subject, 0) + int(present[:, index].sum())
            markers[subject] = markers.get(subject, 0) + 1
    best = max(samples, key=lambda subject: samples[subject], default="")
    others = [subject for subject in samples if subject != best and markers[subject] >= marker_set.fewest_markers]
    if others:
        warnings.append(
            f"The file holds {len(others) + 1} subjects: {_named(best)} is solved, as it has the most samples; "
            f"{_listed([_named(other) for other in others])} left out."
        )
    return best


def _named(subject: str) -> str:
    return repr(subject.rstrip(SEPARATORS)) if subject else "the one without a prefix"


def _columns(take: Take, named: Iterable[int], subject: str, marker_set: MarkerSet) -> dict[str, int]:
    """{label of the set: column of the file}; the label itself goes before its aliases."""
    found: dict[str, tuple[int, int]] = {}
    for index in named:
        prefix, rest = _split(take.labels[index], marker_set)
        label = marker_set.names.get(rest.upper())
        if prefix != subject or label is None:
            continue
        ranks = (label, *marker_set.aliases.get(label, ()))
        rank = [name.upper() for name in ranks].index(rest.upper())
        if label not in found or rank < found[label][0]:
            found[label] = (rank, index)
    return {label: index for label, (_, index) in found.items()}


def _duplicated(label: str, subject: str, marker_set: MarkerSet) -> str | None:
    """The set's label that a file's label such as `Male:RBAC-1` repeats."""
    prefix, rest = _split(label, marker_set)
    if prefix != subject or _base(rest) == rest:
        return None
    return marker_set.names.get(_base(rest).upper())


def _require_enough(take: Take, columns: Mapping[str, int], present: BoolArray, marker_set: MarkerSet) -> None:
    found = [label for label, column in columns.items() if present[:, column].any()]
    if len(found) >= marker_set.fewest_markers and sum(label in found for label in marker_set.core) >= 3:
        return
    raise BonesetterError(
        f"{take.name} has {len(found)} of the markers of the set {marker_set.name!r}, too few to solve: at least "
        f"{marker_set.fewest_markers} are needed, three of them on waist and torso, labelled {', '.join(marker_set.labels)}."
    )


def _continues(duplicate: FloatArray, marker: FloatArray, rate_hz: float) -> BoolArray:
    """Which frames of a duplicate, (frames, 3), continue a marker, (frames, 3), where that is missing."""
    present = np.isfinite(marker).all(axis=-1)
    candidate = np.isfinite(duplicate).all(axis=-1) & ~present
    fits = np.zeros(len(marker), dtype=bool)
    known = np.flatnonzero(present)
    for run in np.split(np.flatnonzero(candidate), np.flatnonzero(np.diff(np.flatnonzero(candidate)) > 1) + 1):
        if not len(run):
            continue
        before = known[known < run[0]][-1:]
        after = known[known > run[-1]][:1]
        joints = [(run[0], frame) for frame in before] + [(run[-1], frame) for frame in after]
        near = [(a, b) for a, b in joints if abs(a - b) <= JOIN_TIME * rate_hz]
        fits[run] = bool(near) and all(
            np.linalg.norm(duplicate[a] - marker[b]) <= JOIN_DISTANCE + JOIN_SPEED * abs(a - b) / rate_hz for a, b in near
        )
    return fits


def _said_of_duplicate(duplicate: str, label: str, samples: int, fits: int) -> str:
    if not fits:
        return f"{duplicate} is left out: none of its {samples} samples continues {label} where that is missing."
    rest = f", its other {samples - fits} are left out" if fits < samples else ""
    return f"{duplicate} fills {fits} missing samples of {label}{rest}."


def _listed(labels: list[str]) -> str:
    """At most a dozen names, so that a warning stays one sentence."""
    return ", ".join(labels[:12]) + (f" and {len(labels) - 12} more" if len(labels) > 12 else "")
