# SPDX-License-Identifier: GPL-3.0-or-later
"""An actor's file, JSON in metres on the zero pose's axes. docs/actors.md describes it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from reprlib import repr as shown
from typing import Any

import numpy as np

from ..core.errors import BonesetterError
from ..core.skeleton import CMU_JOINTS, Skeleton
from ..core.take import FloatArray
from ..storage.atomic import replacing
from ..storage.documents import check_version, checked_name, checked_number, read_json
from .actor import Actor, Freedom

FORMAT = "bonesetter-actor"
VERSION = 1
#: A body whose joints and bones all lie within this of each other is none, and one that is larger than this is not in metres.
LEAST_SIZE_M, MOST_SIZE_M = 1e-3, 10.0
#: Numbers further from 0 are a mistake of units: lengths in metres, deviations in mm and degrees, parts of a quaternion, weights.
MOST_M, MOST_SIGMA_MM, MOST_DEVIATION_DEG, MOST_UNIT, MOST_WEIGHT = 100.0, 10_000.0, 360.0, 2.0, 100.0
#: More joints or markers are no person's.
MOST_JOINTS, MOST_MARKERS = 500, 2000
#: Blender cuts longer names of bones off, in bytes.
LONGEST_NAME = 63


def write_actor(actor: Actor, path: Path) -> None:
    """Write an actor.

    Raises:
        BonesetterError: The file cannot be written.
    """
    joints, scale = actor.skeleton.joints, None
    if joints == CMU_JOINTS:
        # here, because Blender, which writes actors of other hierarchies, has not all that the prior's file takes
        from .prior import bundled

        scale = bundled().actor.scale(actor.skeleton)
    document = {
        "format": FORMAT,
        "version": VERSION,
        **({} if scale is None else {"scale": round(scale, 4)}),
        "joints": [_joint_entry(actor, joint) for joint in range(len(joints))],
        "markers": [_marker_entry(actor, row) for row in range(len(actor.labels))],
    }
    with replacing(path) as stream:
        stream.write(json.dumps(document, indent=1) + "\n")


def read_actor(path: Path) -> Actor:
    """Read an actor.

    Raises:
        BonesetterError: The file is missing, or is no actor; the text says what is wrong with it.
    """
    try:
        document = read_json(path)
    except OSError as error:
        raise BonesetterError(f"{path.name} cannot be read ({error.strerror}): choose a file saved by --save-actor.") from error
    except ValueError as error:
        raise BonesetterError(f"{path.name} cannot be read as an actor ({error}): choose a file saved by --save-actor.") from error
    try:
        check_version(document, FORMAT, VERSION)
        skeleton = _skeleton(document["joints"])
        freedoms = tuple(_freedom(entry) for entry in document["joints"])
        said = freedoms if any(freedom != Freedom() for freedom in freedoms) else None
        return Actor(
            skeleton,
            *_markers(document["markers"], skeleton.joints),
            freedoms=said,
            bone_sigma=_sigmas(document["joints"], "name", "bone"),
            offset_sigma=_sigmas(document["markers"], "label", "offset"),
            loose_m=_loose(document["markers"]),
        )
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise BonesetterError(f"{path.name} lacks a part of an actor: docs/actors.md shows how one is written.") from error
    except ValueError as error:
        raise BonesetterError(f"{path.name} is not a Bonesetter actor ({error}): docs/actors.md shows how one is written.") from error


def _joint_entry(actor: Actor, joint: int) -> dict[str, Any]:
    """A joint's part of the document; what it shares with every joint of the bundled hierarchy is left out."""
    skeleton, parent = actor.skeleton, actor.skeleton.parents[joint]
    entry: dict[str, Any] = {"name": skeleton.joints[joint], "parent": None if parent < 0 else skeleton.joints[parent]}
    if skeleton.places is not None:
        entry["place"] = _rounded(skeleton.places[joint])
    entry["bone"] = _rounded(skeleton.bones[joint])
    entry |= _sigma_entry("bone", actor.bone_sigma, joint)
    freedom = actor.freedoms[joint] if actor.freedoms else Freedom()
    if freedom.like is not None:
        entry["like"] = freedom.like or None
    if freedom.mean is not None:
        entry["mean"] = _rounded(freedom.mean)
    if freedom.deviation is not None:
        entry["deviation_deg"] = _rounded(np.degrees(freedom.deviation))
    return entry


def _marker_entry(actor: Actor, row: int) -> dict[str, Any]:
    """A marker's part of the document."""
    joints, weights = actor.skeleton.joints, actor.weights[row]
    entry: dict[str, Any] = {
        "label": actor.labels[row],
        "joint": joints[actor.marker_joints[row]],
        "offset": _rounded(actor.marker_offsets[row]),
        **_sigma_entry("offset", actor.offset_sigma, row),
    }
    if actor.loose_m is not None and actor.loose_m[row] > 0:
        entry["loose_mm"] = round(float(actor.loose_m[row]) * 1000, 3)
    movers = np.flatnonzero(weights)
    if len(movers) > 1:
        entry["weights"] = {joints[joint]: round(float(weights[joint]), 6) for joint in movers}
    return entry


def _sigma_entry(what: str, sigmas: FloatArray | None, row: int) -> dict[str, list[float]]:
    """What a part of the document says of how sure something is: nothing where it is not known."""
    if sigmas is None or not np.isfinite(sigmas[row]).all():
        return {}
    return {f"{what}_sigma_mm": [round(float(value) * 1000, 3) for value in sigmas[row]]}


def _rounded(values: Iterable[float]) -> list[float]:
    return [round(float(value), 6) for value in values]


def _skeleton(entries: list[dict[str, Any]]) -> Skeleton:
    """The joints of a document; a ValueError says what is wrong with them."""
    _check_count("joints", entries, MOST_JOINTS)
    names = tuple(checked_name("a joint", entry["name"]) for entry in entries)
    _check_unique("joint", names)
    if long := [name for name in names if len(name.encode()) > LONGEST_NAME]:
        raise ValueError(f"the name {long[0]} is longer than a bone's in Blender, {LONGEST_NAME} letters")
    parents = tuple(-1 if entry["parent"] is None else _index(names, entry["parent"]) for entry in entries)
    if parents.count(-1) != 1:
        raise ValueError(f"{parents.count(-1)} of its joints have no parent, not one")
    for name, joint, parent in zip(names, range(len(names)), parents, strict=True):
        if parent >= joint:
            raise ValueError(f"the joint {name} stands before its parent {names[parent]}")
    places = _places(entries, parents)
    bones = np.zeros((len(names), 3))
    for joint, entry in enumerate(entries):
        if "bone" in entry:
            bones[joint] = _vector(f"the bone of {names[joint]}", entry["bone"])
        elif places is not None:
            bones[joint] = _bone_to_child(places, parents, joint)
    skeleton = Skeleton(names, parents, bones, places)
    _check_size(skeleton)
    return skeleton


def _places(entries: list[dict[str, Any]], parents: tuple[int, ...]) -> FloatArray | None:
    """(joints, 3) in metres, from each joint's parent; None where all sit at the ends of their parents' bones."""
    if not any("place" in entry for entry in entries):
        return None
    places = np.zeros((len(entries), 3))
    for joint, (entry, parent) in enumerate(zip(entries, parents, strict=True)):
        if parent >= 0:
            places[joint] = _vector(f"the place of {entry['name']}", entry["place"] if "place" in entry else entries[parent]["bone"])
    return places


def _bone_to_child(places: FloatArray, parents: tuple[int, ...], joint: int) -> FloatArray:
    """(3,) in metres: to the child that lies most straight on from the joint's parent, of the root to the one that is most upright."""
    children = [child for child, parent in enumerate(parents) if parent == joint]
    ahead = places[joint] if parents[joint] >= 0 else np.array([0.0, 1.0, 0.0])
    straight = [places[child] @ ahead / max(float(np.linalg.norm(places[child])), 1e-9) for child in children]
    return places[children[int(np.argmax(straight))]] if children else np.zeros(3)


def _check_size(skeleton: Skeleton) -> None:
    starts = skeleton.zero_places
    points = np.concatenate([starts, starts + skeleton.bones])
    size = float(np.ptp(points, axis=0).max())
    if size < LEAST_SIZE_M:
        raise ValueError("none of its bones is longer than a millimetre")
    if size > MOST_SIZE_M:
        raise ValueError(f"its skeleton is {size:.0f} m large, as lengths are in metres")


def _freedom(entry: dict[str, Any]) -> Freedom:
    """What a joint's part of the document says of how it moves; a ValueError says what is wrong with it."""
    name = entry["name"]
    like = entry.get("like", "") or "" if "like" in entry else None
    if like and like not in CMU_JOINTS:
        raise ValueError(f"{name} is like {shown(like)}, which is no joint of the bundled hierarchy")
    mean = deviation = None
    if "mean" in entry:
        numbers = _vector(f"the mean of {name}", entry["mean"], MOST_UNIT, 4)
        if not 0.9 < np.linalg.norm(numbers) < 1.1:
            raise ValueError(f"the mean of {name} is no unit quaternion")
        mean = tuple((numbers / np.linalg.norm(numbers)).tolist())
    if "deviation_deg" in entry:
        degrees = _deviations(f"the deviation of {name}", entry["deviation_deg"], MOST_DEVIATION_DEG)
        deviation = tuple(np.radians(degrees).tolist())
    return Freedom(like, mean, deviation)


def _markers(
    entries: list[dict[str, Any]], joints: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[int, ...], FloatArray, FloatArray | None]:
    """Labels, joints, offsets and weights of a document's markers; a ValueError says what is wrong with them."""
    _check_count("markers", entries, MOST_MARKERS)
    labels = tuple(checked_name("a marker", entry["label"]) for entry in entries)
    _check_unique("marker", labels)
    offsets = np.array([_vector(f"the offset of {entry['label']}", entry["offset"], MOST_SIZE_M) for entry in entries]).reshape(
        len(labels), 3
    )
    weights = np.zeros((len(labels), len(joints)))
    for row, entry in enumerate(entries):
        own = _index(joints, entry["joint"])
        for name, weight in entry.get("weights", {joints[own]: 1.0}).items():
            weights[row, _index(joints, name)] = checked_number(f"a weight of {labels[row]}", weight, MOST_WEIGHT)
        if not ((weights[row] >= 0).all() and abs(weights[row].sum() - 1.0) < 1e-3):
            raise ValueError(f"the weights of {labels[row]} are not positive or do not sum to 1")
    weights /= weights.sum(axis=1, keepdims=True)
    shared = (weights > 0).sum(axis=1).max(initial=0) > 1
    return labels, tuple(_index(joints, entry["joint"]) for entry in entries), offsets, weights if shared else None


def _sigmas(entries: list[dict[str, Any]], named: str, what: str) -> FloatArray | None:
    """(entries, 3) in metres: how sure a document is of its bones or its offsets, NaN where it does not say; None where it never does."""
    key = f"{what}_sigma_mm"
    if not any(key in entry for entry in entries):
        return None
    sigmas = np.full((len(entries), 3), np.nan)
    for row, entry in enumerate(entries):
        if key in entry:
            sigmas[row] = _deviations(f"the {key} of {entry[named]}", entry[key], MOST_SIGMA_MM) / 1000
    return sigmas


def _loose(entries: list[dict[str, Any]]) -> FloatArray | None:
    """(markers,) in metres: how far a document says that markers move about on their bones; None where it says so of none."""
    if not any("loose_mm" in entry for entry in entries):
        return None
    found = np.zeros(len(entries))
    for row, entry in enumerate(entries):
        what = f"the loose_mm of {entry['label']}"
        found[row] = checked_number(what, entry.get("loose_mm", 0.0), MOST_SIGMA_MM) / 1000
        if found[row] < 0:
            raise ValueError(f"{what} is negative")
    return found


def _deviations(what: str, given: Any, most: float) -> FloatArray:
    """(3,) standard deviations about or along x, y and z, of one number or three."""
    numbers = _vector(what, given if isinstance(given, list) else [given] * 3, most)
    if (numbers < 0).any():
        raise ValueError(f"{what} is negative")
    return numbers


def _vector(what: str, values: Any, most: float = MOST_M, count: int = 3) -> FloatArray:
    if not isinstance(values, list) or len(values) != count:
        raise ValueError(f"{what} is not {count} numbers")
    try:
        return np.array([checked_number(what, value, most) for value in values])
    except ValueError as error:
        raise ValueError(f"{what} is not {count} numbers within {most:g} of 0") from error


def _check_count(what: str, entries: Any, most: int) -> None:
    if not isinstance(entries, list):
        raise TypeError(f"the {what} are no list")
    if len(entries) > most:
        raise ValueError(f"it has {len(entries)} {what}, more than {most}")


def _index(names: tuple[str, ...], name: Any) -> int:
    if name not in names:
        raise ValueError(f"there is no joint {shown(name)}")
    return names.index(name)


def _check_unique(what: str, names: tuple[str, ...]) -> None:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"the {what} {twice[0]} is there twice")
