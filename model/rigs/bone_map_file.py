# SPDX-License-Identifier: GPL-3.0-or-later
"""A bone map as JSON: what the panel saves, what batch reads, and what a take keeps of the rigs that it went onto."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from reprlib import repr as shown
from typing import Any

from ..core.errors import BonesetterError
from ..storage.atomic import replacing
from ..storage.documents import check_version, checked_name, checked_number, read_json
from .rig import PARTS, BoneMap, Switch

FORMAT, VERSION = "bonesetter-bone-map", 1
#: A property that switches between two manners of driving a bone is no larger than this.
LARGEST_SWITCH = 1e6


def write_bone_map(bone_map: BoneMap, path: Path) -> None:
    """Write a bone map.

    Raises:
        BonesetterError: The file cannot be written.
    """
    with replacing(path) as stream:
        stream.write(json.dumps(document_of(bone_map), indent=2, ensure_ascii=False) + "\n")


def document_of(bone_map: BoneMap) -> dict[str, Any]:
    """A bone map as it stands in a file."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "family": bone_map.family,
        "bones": {part: list(bone_map.bones[part]) for part in PARTS if bone_map.bones.get(part)},
        "twists": {part: list(bone_map.twists[part]) for part in PARTS if bone_map.twists.get(part)},
        "root": bone_map.root,
        "switches": [[switch.bone, switch.name, switch.value] for switch in bone_map.switches],
    }


def read_bone_map(path: Path) -> BoneMap:
    """Read a bone map.

    Raises:
        BonesetterError: The file cannot be read, or is none.
    """
    try:
        return bone_map_of(read_json(path))
    except OSError as error:
        raise BonesetterError(f"{path} cannot be read ({error.strerror}): choose a bone map saved from the panel.") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BonesetterError(f"{path} is no bone map ({error}): save one from the panel.") from error


def bone_map_of(document: Any) -> BoneMap:
    """The bone map of what stands in a file.

    Raises:
        AttributeError, BonesetterError, KeyError, TypeError, ValueError: It is none.
    """
    check_version(document, FORMAT, VERSION)
    return BoneMap(
        checked_name("the rig", document["family"]),
        _chains(document["bones"]),
        _chains(document.get("twists", {})),
        checked_name("the root", document["root"]) if document.get("root") else "",
        tuple(_switch(each) for each in document.get("switches", [])),
    )


def _chains(document: Any) -> Mapping[str, tuple[str, ...]]:
    if unknown := sorted(set(document) - set(PARTS)):
        raise ValueError(f"{unknown[0]} is no part of a body")
    for part, names in document.items():
        # a text would be taken for the names of its letters
        if not isinstance(names, list):
            raise ValueError(f"{part} has {shown(names)}, which is no list of bones")
    return {part: tuple(checked_name(part, name) for name in names) for part, names in document.items() if names}


def _switch(document: Any) -> Switch:
    bone, name, value = document
    return Switch(checked_name("a switch", bone), checked_name("a switch", name), checked_number("a switch", value, LARGEST_SWITCH))
