# SPDX-License-Identifier: GPL-3.0-or-later
"""A built zip, checked file by file against the source it was built from and the wheels that belong in it."""

from __future__ import annotations

import hashlib
import re
import tomllib
import zipfile
from collections.abc import Iterable, Mapping
from email.parser import BytesParser
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from installer.lock import Wheel

from .project import MANIFEST, ROOT
from .targets import Target

#: What no zip may hold, beside wheels: hidden and compiled files, data, what only developers need, and ways out of the extension's folder.
_FORBIDDEN = re.compile(
    r"(^|/)(\.|__pycache__/)|^(tests|docs|tools|examples|out|build|runs)/|^/|\\"
    r"|\.(pyc|so|pyd|dll|dylib|c3d|trc|bvh|blend1?|zip|whl|log)$"
)
#: What no wheel may lay into the folder of modules that all extensions share.
_NO_MODULE = re.compile(r"^(numpy|bpy|tests?)/|(^|/)(\.git|__pycache__)/|\.pyc$|^/|(^|/)\.\./")
REQUIRED = ("__init__.py", MANIFEST, "LICENSE", "batch.py", "model/weights/prior.safetensors", "model/weights/proposer.safetensors")
#: The longest path that Windows takes by default, and what of it is Blender's folder for modules with a user's name of 20 letters,
#: `C:\Users\...\AppData\Roaming\Blender Foundation\Blender\5.2\extensions\.local\lib\python3.13\site-packages\`.
_WINDOWS_PATH, _WINDOWS_PREFIX = 259, 124


def problems(
    archive: Path,
    target: Target | None = None,
    wheels: Iterable[Wheel] = (),
    has: Mapping[str, str] | None = None,
    left_out: Iterable[str] = (),
    *,
    source: Path = ROOT,
) -> list[str]:
    """What is wrong with a zip, a sentence each; nothing where it is as it should be.

    Args:
        target: What a full zip is for; None for the light zip.
        wheels: The wheels of a full zip, with their locked hashes.
        has: Packages that Blender has, with their versions: they must not be in it, and what is in it must get on with them.
        left_out: Other packages that must not be in it although wheels require them.
        source: Where the files come from that are no wheels.
    """
    with zipfile.ZipFile(archive) as content:
        if damaged := content.testzip():
            return [f"{damaged} is damaged"]
        names = [name for name in content.namelist() if not name.endswith("/")]
        inside = {name for name in names if name.startswith("wheels/")}
        found = [f"{name} is in it twice" for name in sorted({name for name in names if names.count(name) > 1})]
        found += _wrong_files(content, set(names) - inside, source)
        found += _wrong_manifest(content, target, inside, source)
        if target is None:
            return found + [f"{name}: the light zip has no wheels" for name in sorted(inside)]
        outside: dict[str, str] = {canonicalize_name(name): "" for name in left_out}
        outside |= {canonicalize_name(name): version for name, version in (has or {}).items()}
        return found + _wrong_wheels(content, inside, target, list(wheels), outside)


def _wrong_files(content: zipfile.ZipFile, names: set[str], source: Path) -> list[str]:
    found = [f"{name} is missing" for name in REQUIRED if name not in names]
    for name in sorted(names):
        if _FORBIDDEN.search(name):
            found.append(f"{name} does not belong in it")
        elif not (source / name).is_file():
            found.append(f"{name} is not in the source")
        elif name != MANIFEST and content.read(name) != (source / name).read_bytes():
            found.append(f"{name} is not as in the source")
    return found


def _wrong_manifest(content: zipfile.ZipFile, target: Target | None, inside: set[str], source: Path) -> list[str]:
    try:
        manifest = tomllib.loads(content.read(MANIFEST).decode())
    except (KeyError, ValueError) as error:
        return [f"{MANIFEST} cannot be read ({error})"]
    listed = manifest.pop("wheels", [])
    found = [] if {name.removeprefix("./") for name in listed} == inside else [f"{MANIFEST} lists other wheels than are in it"]
    wanted = [target.platform] if target else None
    if (platforms := manifest.pop("platforms", None)) != wanted:
        found.append(f"{MANIFEST} says platforms = {platforms}, not {wanted}")
    if manifest != tomllib.loads((source / MANIFEST).read_text(encoding="utf-8")):
        found.append(f"{MANIFEST} differs from the source's in more than platforms and wheels")
    return found


def _wrong_wheels(content: zipfile.ZipFile, inside: set[str], target: Target, wheels: list[Wheel], outside: Mapping[str, str]) -> list[str]:
    """What is wrong with wheels; `outside` has the versions of what is in none of them, empty where any will do."""
    expected = {f"wheels/{wheel.filename}": wheel.sha256 for wheel in wheels}
    found = [f"{name} is missing" for name in sorted(expected.keys() - inside)]
    found += [f"{name} is not among the wheels that were chosen" for name in sorted(inside - expected.keys())]
    known, tags = {_project(name): "" for name in inside} | dict(outside), target.tags()
    for name in sorted(inside & expected.keys()):
        if not tags & parse_wheel_filename(PurePosixPath(name).name)[3]:
            found.append(f"{name} is not for {target.name}")
        if _project(name) in outside:
            found.append(f"{name} is to be left out")
        if _sha256(content, name) != expected[name]:
            found.append(f"{name} does not have the locked SHA-256")
            continue
        with content.open(name) as stream, zipfile.ZipFile(stream) as wheel:
            found += [f"{name}: {problem}" for problem in _wrong_wheel(wheel, target, known)]
    return found


def _sha256(content: zipfile.ZipFile, name: str) -> str:
    digest = hashlib.sha256()
    with content.open(name) as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _project(name: str) -> str:
    return parse_wheel_filename(PurePosixPath(name).name)[0]


def _wrong_wheel(wheel: zipfile.ZipFile, target: Target, known: Mapping[str, str]) -> list[str]:
    """What is wrong inside a wheel, which is as its makers built it."""
    names = wheel.namelist()
    found = [f"holds {name}" for name in names if _NO_MODULE.search(name)]
    if target.platform == "windows-x64":
        found += [f"{name} is too long a path for Windows" for name in names if len(name) + _WINDOWS_PREFIX > _WINDOWS_PATH]
    for name in names:
        if re.fullmatch(r"[^/]+\.dist-info/METADATA", name):
            requires = BytesParser().parsebytes(wheel.read(name), headersonly=True).get_all("Requires-Dist", [])
            found += _unmet([Requirement(text) for text in requires], target, known)
    return found


def _unmet(requirements: Iterable[Requirement], target: Target, known: Mapping[str, str]) -> list[str]:
    """Which requirements that hold for a target nothing meets."""
    found = []
    for one in requirements:
        if one.marker is not None and not one.marker.evaluate({**target.markers(), "extra": ""}):
            continue
        name = canonicalize_name(one.name)
        if name not in known:
            found.append(f"requires {name}, which is not there")
        elif known[name] and not one.specifier.contains(known[name], prereleases=True):
            found.append(f"requires {name}{one.specifier}, and Blender has {known[name]}")
    return found
