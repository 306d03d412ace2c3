# SPDX-License-Identifier: GPL-3.0-or-later
"""Families of rigs, one JSON file each in `families/`, and which of them a rig is of, by the names of its bones.

A file has `name`, `bones` ({part: names, from the body outwards}), and may have `sides` (what `{side}` stands for, left and right),
`root`, `twists`, `switches` ([bone, property, value]) and `prefix`, a regular expression of what names of the family usually begin with.
Of names that are separated by | the first that the rig has counts; a name that it lacks is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from .rig import LIMBS, SIDES, BoneMap, Rig, Switch, sided

FOLDER = Path(__file__).parent / "families"
#: What Rigify's own bones begin with, which nobody keys.
INNER = ("ORG-", "DEF-", "MCH-")


@dataclass(frozen=True)
class Family:
    """Names of bones, those of both sides written out.

    Attributes:
        name: As people call it.
        bones, twists: {part: alternatives of each bone}.
        root: Alternatives of the root's name.
        switches: As (bone, property or constraint, value).
        prefix: What the names of the family usually begin with.
    """

    name: str
    bones: Mapping[str, tuple[tuple[str, ...], ...]]
    twists: Mapping[str, tuple[tuple[str, ...], ...]]
    root: tuple[str, ...]
    switches: tuple[tuple[str, str, float], ...]
    prefix: str

    def found_in(self, names: Iterable[str]) -> BoneMap:
        """The family's bones among names, whatever all of them begin with (`mixamorig:`, `Bip001 `)."""
        plain = {name: name for name in names}
        known = [{name[len(prefix) :]: name for name in plain if name.startswith(prefix)} for prefix in self._prefixes(plain)]
        maps = [self._map(each) for each in known]
        return max(maps, key=lambda one: one.count)

    def _prefixes(self, names: Iterable[str]) -> list[str]:
        """What names begin with, where they end as one of the hips' names does."""
        ends = [end for alternatives in self.bones["hips"] for end in alternatives]
        found = {name[: -len(end)] for end in ends for name in names if name.endswith(end)}
        return ["", *sorted((prefix for prefix in found if prefix and prefix not in INNER), key=len)]

    def _map(self, known: Mapping[str, str]) -> BoneMap:
        def chosen(chains: Mapping[str, tuple[tuple[str, ...], ...]]) -> dict[str, tuple[str, ...]]:
            found = {
                part: tuple(known[next(one for one in names if one in known)] for names in chain if any(one in known for one in names))
                for part, chain in chains.items()
            }
            return {part: names for part, names in found.items() if names}

        root = next((known[name] for name in self.root if name in known), "")
        switches = tuple(Switch(known[bone], name, value) for bone, name, value in self.switches if bone in known)
        bones, beside = chosen(self.bones), chosen(self.twists)
        # of a foot with one toe, that is the toe, and none is beside it
        beside = {part: tuple(name for name in names if name not in bones.get(part, ())) for part, names in beside.items()}
        return BoneMap(self.name, bones, {part: names for part, names in beside.items() if names}, root, switches)


def recognise(rig: Rig) -> BoneMap | None:
    """The bone map of the family that knows most of a rig's bones; None where none knows all that are needed."""
    best, most = None, 0.0
    for family in families():
        found = family.found_in(rig.names)
        if found.missing:
            continue
        usual = bool(family.prefix) and any(re.match(family.prefix, name) for names in found.bones.values() for name in names)
        twists = sum(len(names) for names in found.twists.values())
        # of two families that share names, the one that these usually begin with, or that knows why there are more
        score = found.count + 0.5 * usual + 0.1 * twists + 0.01 * bool(found.root) + 0.01 * len(found.switches)
        if score > most:
            best, most = found, score
    return best


@lru_cache(maxsize=1)
def families() -> tuple[Family, ...]:
    """All families, in the order of their files' names."""
    return tuple(_read(path) for path in sorted(FOLDER.glob("*.json")))


def family_named(name: str) -> Family:
    """The family that people call so."""
    return next(family for family in families() if family.name == name)


def _read(path: Path) -> Family:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    sides = dict(zip(SIDES, document.get("sides", SIDES), strict=True))

    def written_out(chains: Mapping[str, list[str]]) -> dict[str, tuple[tuple[str, ...], ...]]:
        found: dict[str, tuple[tuple[str, ...], ...]] = {}
        for part, names in chains.items():
            for side, word in sides.items() if part in LIMBS else (("", ""),):
                chain = tuple(tuple(one.replace("{side}", word) for one in name.split("|")) for name in names)
                found[sided(part, side) if side else part] = chain
        return found

    switches = tuple(
        (bone.replace("{side}", word), name, float(value))
        for bone, name, value in document.get("switches", [])
        for word in (sides.values() if "{side}" in bone else ("",))
    )
    return Family(
        document["name"],
        written_out(document["bones"]),
        written_out(document.get("twists", {})),
        tuple(document.get("root", "").split("|")) if document.get("root") else (),
        switches,
        document.get("prefix", ""),
    )
