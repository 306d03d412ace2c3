# SPDX-License-Identifier: GPL-3.0-or-later
"""Marker sets and their files: docs/marker_sets.md describes the format."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from reprlib import repr as shown
from typing import Any

from ..core.errors import BonesetterError
from ..core.skeleton import CMU_JOINTS, CMU_PARENTS
from ..storage.atomic import replacing
from ..storage.documents import check_version, checked_name, read_json

FOLDER = Path(__file__).parent
FORMAT = "bonesetter-marker-set"
VERSION = 1
#: This set lists what labels there are anywhere: nobody wears it.
CATALOGUE = "generic"
#: The set whose places the prior has learned; `like` names a marker of it.
LEARNED = "cmu41"
#: The bundled sets, the more specific first.
BUNDLED = ("plug_in_gait", LEARNED, "front_waist53", "davis", "xsens_mvn", "french", "generic")

#: A cluster's or a duplicate's number: `RBAC-1` repeats `RBAC`.
DUPLICATE = re.compile(r"(?P<label>.+?)-\d+$")
#: What is no part of a name: `L_FLE`, `L.FLE` and `LFLE` are the same.
FILLING = re.compile(r"[^A-Z0-9]")
SIDE = re.compile(r"^(LEFT|RIGHT)(?=[A-Z])")

#: No marker sits farther from its joint than this, in mm: more is a mistake of units.
FARTHEST_MM = 1000.0
#: Nobody puts markers on as alike as this, in mm.
LEAST_SPREAD_MM = 0.1
#: More markers are no person's.
MOST_MARKERS = 2000
SET_KEYS = {"format", "version", "name", "markers", "joint_centres", "rigid_groups", "pairs", "core_groups", "fewest_markers"}
MARKER_KEYS = {"label", "aliases", "like", "joint", "from", "offset_mm", "spread_mm"}
CENTRE_KEYS = {"offset_mm", "spread_mm"}


Millimetres = tuple[float, float, float]


@dataclass(frozen=True)
class Place:
    """Where a marker usually sits: like a learned one, or at a rough offset from a joint.

    Attributes:
        joint: Name of the joint whose bone it rides on.
        like: Label of the CMU set's marker whose learned place it has.
        offset_mm: From the origin, on the zero pose's axes of the mean actor; only without `like`.
        spread_mm: Standard deviation on each axis; None for the learned one.
        origin: Name of the joint that the offset is from; None for `joint`. A marker on the end of a bone lies by the next joint,
            however long the bone is.
    """

    joint: str
    like: str | None = None
    offset_mm: Millimetres | None = None
    spread_mm: Millimetres | None = None
    origin: str | None = None


@dataclass(frozen=True)
class Centre:
    """Where a lab that uses the set has a joint's centre.

    Attributes:
        joint: Its name.
        offset_mm: From where the CMU library's labs have it, on the zero pose's axes of the mean actor.
        spread_mm: Standard deviation on each axis of how much more people differ in it than the labs' skeletons do.
    """

    joint: str
    offset_mm: Millimetres
    spread_mm: Millimetres


@dataclass(frozen=True)
class MarkerSet:
    """Where a lab puts its markers.

    Attributes:
        name: For people.
        labels: One per marker, in the order of every array that follows the set.
        places: For each label, where it usually sits.
        aliases: {label: other names of the same marker}.
        rigid_groups: {name: labels whose mutual distances stay constant, soft tissue aside}.
        pairs: (left, right) labels of the markers that mirror each other.
        core_groups: The groups without which the body's place and heading are unknown: three markers of them are needed.
        fewest_markers: Fewer markers than this cannot be solved.
        centres: Of the joints that lie elsewhere than in the CMU library's skeletons.
    """

    name: str
    labels: tuple[str, ...]
    places: tuple[Place, ...]
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rigid_groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    pairs: tuple[tuple[str, str], ...] = ()
    core_groups: tuple[str, ...] = ()
    fewest_markers: int = 12
    centres: tuple[Centre, ...] = ()

    @property
    def joints(self) -> tuple[str, ...]:
        """For each label, the name of the joint whose bone the marker rides on."""
        return tuple(place.joint for place in self.places)

    @property
    def core(self) -> tuple[str, ...]:
        """The labels of the core groups."""
        return tuple(label for group in self.core_groups for label in self.rigid_groups[group])

    def find(self, name: str) -> str | None:
        """The label of the marker that goes by a name; case and filling such as `_` do not matter. None if there is none.

        A name such as `RBAC-1`, of a marker that the set knows, is a duplicate of that and found under no label.
        """
        duplicate = DUPLICATE.fullmatch(name.strip())
        if duplicate and bare_name(duplicate["label"]) in self._labels_by_name:
            return None
        return self._labels_by_name.get(bare_name(name))

    @cached_property
    def _labels_by_name(self) -> dict[str, str]:
        """{bare name of a label or an alias: the label}."""
        return {bare_name(name): label for label in self.labels for name in (*self.aliases.get(label, ()), label)}


@lru_cache(4096)
def bare_name(name: str) -> str:
    """A marker's name without what labs write differently: `Left knee.Lat`, `L_KNEE_LAT` and `LKneeLat` are one."""
    return SIDE.sub(lambda side: side[1][0], FILLING.sub("", name.upper()))


def load_marker_set(name: str | Path = LEARNED) -> MarkerSet:
    """Read a marker set: one that comes with Bonesetter by its name, or any other by its file.

    Raises:
        BonesetterError: There is no such set, or the file is none; the text says what is wrong with it.
    """
    path = name if isinstance(name, Path) else FOLDER / f"{name}.json"
    try:
        return _marker_set(read_json(path))
    except OSError as error:
        raise BonesetterError(f"{path.name} cannot be read as a marker set ({error.strerror}): choose another file.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"it lacks {error}" if isinstance(error, KeyError) else "a part of it is no part of a marker set"
        why = " ".join(str(error).split()) if isinstance(error, ValueError) else why
        raise BonesetterError(
            f"{path.name} cannot be read as a marker set ({why}): docs/marker_sets.md shows how one is written."
        ) from error


def write_marker_set(marker_set: MarkerSet, path: Path) -> None:
    """Write a marker set as `load_marker_set` reads it.

    Raises:
        BonesetterError: The file cannot be written.
    """
    markers = []
    for label, place in zip(marker_set.labels, marker_set.places, strict=True):
        entry: dict[str, Any] = {"label": label, "joint": place.joint}
        entry |= {"aliases": list(marker_set.aliases[label])} if marker_set.aliases.get(label) else {}
        entry |= {"like": place.like} if place.like is not None else {"offset_mm": list(place.offset_mm or ())}
        entry |= {"spread_mm": list(place.spread_mm)} if place.spread_mm is not None else {}
        entry |= {"from": place.origin} if place.origin is not None else {}
        markers.append(entry)
    document = {
        "format": FORMAT,
        "version": VERSION,
        "name": marker_set.name,
        "markers": markers,
        "joint_centres": {c.joint: {"offset_mm": list(c.offset_mm), "spread_mm": list(c.spread_mm)} for c in marker_set.centres},
        "rigid_groups": {name: list(labels) for name, labels in marker_set.rigid_groups.items()},
        "pairs": [list(pair) for pair in marker_set.pairs],
        "core_groups": list(marker_set.core_groups),
        "fewest_markers": marker_set.fewest_markers,
    }
    with replacing(path) as stream:
        json.dump(document, stream, indent=1)
        stream.write("\n")


@lru_cache(maxsize=1)
def bundled_marker_sets() -> tuple[MarkerSet, ...]:
    """The sets that come with Bonesetter."""
    return tuple(load_marker_set(name) for name in BUNDLED)


@lru_cache(maxsize=1)
def _learned_joints() -> dict[str, str]:
    """{label of the CMU set: its joint}."""
    document = read_json(FOLDER / f"{LEARNED}.json")
    return {marker["label"]: marker["joint"] for marker in document["markers"]}


def _marker_set(document: dict[str, Any]) -> MarkerSet:
    """Check a document and make it a marker set; ValueError, KeyError or TypeError where it is none."""
    check_version(document, FORMAT, VERSION)
    _check_keys("the set", document, SET_KEYS)
    markers = document["markers"]
    if len(markers) > MOST_MARKERS:
        raise ValueError(f"it has {len(markers)} markers, more than {MOST_MARKERS}")
    labels = tuple(checked_name("a label", marker["label"]) for marker in markers)
    aliases = {
        label: _texts(f"aliases of {label}", marker["aliases"])
        for label, marker in zip(labels, markers, strict=True)
        if "aliases" in marker
    }
    _check_names(labels, aliases)
    groups = {
        checked_name("a rigid group", group): _texts(f"rigid group {group}", named)
        for group, named in document.get("rigid_groups", {}).items()
    }
    for group, named in groups.items():
        _check_known(f"rigid group {group!r}", named, labels)
    core_groups = _texts("core_groups", document["core_groups"])
    _check_known("core_groups", core_groups, groups)
    fewest = document["fewest_markers"]
    if not isinstance(fewest, int) or isinstance(fewest, bool) or fewest < 3:
        raise ValueError(f"fewest_markers is {shown(fewest)}, not a whole number of at least 3")
    if len({label for group in core_groups for label in groups[group]}) < 3:
        raise ValueError("core_groups hold fewer than 3 markers")
    return MarkerSet(
        name=checked_name("the set", document["name"]),
        labels=labels,
        places=tuple(_place(label, marker) for label, marker in zip(labels, markers, strict=True)),
        aliases=aliases,
        rigid_groups=groups,
        pairs=_pairs(document["pairs"], labels) if "pairs" in document else _mirrored(labels),
        core_groups=core_groups,
        fewest_markers=fewest,
        centres=tuple(_centre(joint, centre) for joint, centre in document.get("joint_centres", {}).items()),
    )


def _place(label: str, marker: Mapping[str, Any]) -> Place:
    _check_keys(label, marker, MARKER_KEYS)
    spread = _spread(label, marker["spread_mm"]) if "spread_mm" in marker else None
    if "offset_mm" not in marker:
        learned = _learned_joints()
        like = marker.get("like", label)
        if like not in learned:
            raise ValueError(f"{label} has no offset_mm, and {shown(like)} is no marker of the CMU set")
        if "from" in marker:
            raise ValueError(f"{label} has no offset_mm that could be from {shown(marker['from'])}")
        if marker.get("joint", learned[like]) != learned[like]:
            raise ValueError(f"{label} is like {like}, which rides on {learned[like]}, not on {shown(marker['joint'])}")
        return Place(learned[like], like, None, spread)
    if "like" in marker:
        raise ValueError(f"{label} has both like and offset_mm")
    for joint in (marker["joint"], marker.get("from", marker["joint"])):
        if joint not in CMU_JOINTS:
            raise ValueError(f"{label} has the unknown joint {shown(joint)}")
    if spread is None:
        raise ValueError(f"{label} has an offset_mm but no spread_mm")
    return Place(marker["joint"], None, _three(f"offset_mm of {label}", marker["offset_mm"]), spread, marker.get("from"))


def _centre(joint: str, centre: Mapping[str, Any]) -> Centre:
    _check_keys(f"the centre of {joint}", centre, CENTRE_KEYS)
    parent = dict(zip(CMU_JOINTS, CMU_PARENTS, strict=True)).get(joint, -1)
    if parent <= 0:
        raise ValueError(f"{shown(joint)} is no joint at the end of a bone")
    return Centre(joint, _three(f"offset_mm of {joint}", centre["offset_mm"]), _spread(joint, centre["spread_mm"]))


def _spread(label: str, value: Any) -> Millimetres:
    spread = _three(f"spread_mm of {label}", value if isinstance(value, list) else [value] * 3)
    if min(spread) < LEAST_SPREAD_MM:
        raise ValueError(f"spread_mm of {label} is below {LEAST_SPREAD_MM:g}")
    return spread


def _three(what: str, values: Any) -> Millimetres:
    if not isinstance(values, list) or len(values) != 3 or any(isinstance(v, bool) or not isinstance(v, int | float) for v in values):
        raise ValueError(f"{what} is not three numbers")
    if not all(abs(v) <= FARTHEST_MM for v in values):
        raise ValueError(f"{what} is beyond {FARTHEST_MM:g} mm")
    return float(values[0]), float(values[1]), float(values[2])


def _pairs(pairs: Any, labels: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    checked = []
    for pair in pairs:
        left, right = _texts("a pair", pair)
        checked.append((left, right))
    paired = [label for pair in checked for label in pair]
    _check_known("pairs", paired, labels)
    if len(set(paired)) != len(paired):
        raise ValueError("a label is in two pairs")
    return tuple(checked)


def _mirrored(labels: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The pairs by their names, where a set lists none."""
    return tuple((label, f"R{label[1:]}") for label in labels if label[0] == "L" and f"R{label[1:]}" in labels)


def _texts(what: str, values: Any) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise ValueError(f"{what}: {shown(values)} is no list of names")
    return tuple(checked_name(what, value) for value in values)


def _check_names(labels: tuple[str, ...], aliases: Mapping[str, tuple[str, ...]]) -> None:
    """Every name leads to one marker."""
    if not labels:
        raise ValueError("it has no markers")
    owners: dict[str, str] = {}
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        raise ValueError(f"the label {twice[0]} is there twice")
    for label in labels:
        for name in (label, *aliases.get(label, ())):
            if not (bare := bare_name(name)):
                raise ValueError(f"{name!r} has neither letters nor digits")
            owner = owners.setdefault(bare, label)
            if owner != label:
                raise ValueError(f"{name} names both {owner} and {label}")


def _check_known(what: str, named: Iterable[str], known: Iterable[str]) -> None:
    if unknown := sorted(set(named) - set(known)):
        raise ValueError(f"{what} names {shown(unknown[0])}, which is not defined")


def _check_keys(what: str, given: Mapping[str, Any], known: set[str]) -> None:
    if unknown := sorted(set(given) - known):
        raise ValueError(f"{what} has the unknown entry {shown(unknown[0])}")
