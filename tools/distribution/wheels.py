# SPDX-License-Identifier: GPL-3.0-or-later
"""The wheels of a full zip: chosen and downloaded by pip from the index that it is set up for, with hashes.

pip evaluates the markers of requirements for the machine on which it runs, whatever `--platform` says: for Windows it would ask for what
torch wants on Linux. So pip chooses the version of each package, and what they require is followed here. packaging comes with pytest.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .project import CudaOnlyError, DistributionError
from .targets import Target

#: What torch's builds for CUDA require and the others do not, by the beginnings of their names.
_CUDA = ("cuda-", "nvidia-", "triton")


@dataclass(frozen=True)
class Wheel:
    """A wheel as the index offers it.

    Attributes:
        sha256: The hash that the index gives or, for a wheel in a local folder, that the file has.
        requires: The requirements of its metadata, with their markers.
    """

    name: str
    version: str
    url: str
    sha256: str
    requires: tuple[str, ...]

    @property
    def filename(self) -> str:
        return unquote(Path(urlparse(self.url).path).name)


def applicable(requires: Iterable[str], target: Target, extras: Iterable[str] = ()) -> list[Requirement]:
    """Those requirements that hold for a target, with the extras that are asked for."""
    environments = [{**target.markers(), "extra": extra} for extra in ("", *extras)]
    requirements = [Requirement(text) for text in requires]
    return [one for one in requirements if one.marker is None or any(one.marker.evaluate(environment) for environment in environments)]


def needs_cuda(wheel: Wheel, target: Target) -> bool:
    """Whether a wheel of torch is a build for CUDA, which brings several GB."""
    return any(canonicalize_name(one.name).startswith(_CUDA) for one in applicable(wheel.requires, target))


def resolve(
    requirements: Iterable[str], target: Target, has: Mapping[str, str], *, without: Iterable[str] = (), cuda: bool = False
) -> list[Wheel]:
    """The wheels that requirements come to, on a target.

    Args:
        has: Packages that Blender has, with their versions: they are not taken, but what is taken must get on with them.
        without: Packages that are left out although they are required.

    Raises:
        CudaOnlyError: Only a build for CUDA is to be had, and `cuda` is false.
        DistributionError: The index lacks a wheel, or a package does not get on with one that Blender has.
    """
    kept_out = {canonicalize_name(name) for name in (*has, *without)}
    wanted = {_plain(one) for one in applicable(requirements, target)}
    while True:
        wheels = _chosen(sorted(wanted), target)
        by_name = {str(canonicalize_name(wheel.name)): wheel for wheel in wheels}
        torch = by_name.get("torch")
        if torch and not cuda and needs_cuda(torch, target):
            raise CudaOnlyError(
                f"pip's index has {torch.filename} only, a build for CUDA of several GB with what it requires: name an index "
                "with PyTorch's CPU builds in PIP_EXTRA_INDEX_URL, such as https://download.pytorch.org/whl/cpu, or give --cuda"
            )
        more: set[str] = set()
        for text in wanted:
            asked = Requirement(text)
            wheel = by_name[canonicalize_name(asked.name)]
            for one in applicable(wheel.requires, target, asked.extras):
                _check_blenders(one, wheel, has)
                if canonicalize_name(one.name) not in kept_out:
                    more.add(_plain(one))
        if more <= wanted:
            return wheels
        wanted |= more


def _plain(requirement: Requirement) -> str:
    """A requirement that holds, without the marker that says when it does."""
    requirement.marker = None
    return str(requirement)


def _check_blenders(requirement: Requirement, wheel: Wheel, has: Mapping[str, str]) -> None:
    """Raise where a wheel wants another version of what Blender has."""
    there = {canonicalize_name(name): version for name, version in has.items()}.get(canonicalize_name(requirement.name))
    if there is not None and not requirement.specifier.contains(there, prereleases=True):
        raise DistributionError(f"{wheel.filename} needs {requirement}, and Blender has {requirement.name} {there}")


def _chosen(requirements: list[str], target: Target) -> list[Wheel]:
    """What pip chooses for requirements, without what these require in turn; nothing but metadata is downloaded."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = ["install", "--dry-run", "--ignore-installed", "--no-deps", "--target", folder, "--report", str(report)]
        _pip([*command, *target.pip_arguments(), *requirements], f"choosing wheels for {target.name}")
        items = json.loads(report.read_text(encoding="utf-8"))["install"]
    return [_wheel(item) for item in items]


def _wheel(item: dict) -> Wheel:
    metadata, source = item["metadata"], item["download_info"]
    hashes = source["archive_info"].get("hashes", {})
    if "sha256" not in hashes:
        raise DistributionError(f"the index gives no SHA-256 of {source['url']}")
    return Wheel(metadata["name"], metadata["version"], source["url"], hashes["sha256"], tuple(metadata.get("requires_dist", ())))


def download(wheels: Iterable[Wheel], target: Target, folder: Path) -> list[Path]:
    """Download wheels that are not in the folder yet; pip checks every hash.

    Returns:
        Their paths, in the order of the wheels.

    Raises:
        DistributionError: A download failed, or a file's hash is not the index's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}" for wheel in wheels]
    lock = folder / "wheels.txt"
    lock.write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = ["download", "--no-deps", "--require-hashes", "--dest", str(folder), "--requirement", str(lock), *target.pip_arguments()]
    _pip(command, f"downloading wheels for {target.name}")
    return [folder / wheel.filename for wheel in wheels]


def _pip(arguments: list[str], doing: str) -> None:
    command = [sys.executable, "-m", "pip", arguments[0], "--quiet", "--disable-pip-version-check", *arguments[1:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()[-1:]
        raise DistributionError(f"{doing}: pip failed: {' '.join(said) or 'it said nothing'}")
