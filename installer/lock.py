# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock files in installer/locks/: which wheels make up the solver on a platform and a Python (PEP 751)."""

from __future__ import annotations

import hashlib
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from .errors import InstallError

LOCKS = Path(__file__).resolve().parent / "locks"
#: The wheel of the installer itself, which is unpacked and not installed.
UV = "uv"
#: Devices that torch is built for.
CPU, CUDA = "cpu", "cuda"
#: The Python that uv fetches where none that is here will do.
MANAGED = (3, 13)
#: By sys.platform and machine.
PLATFORMS = {
    ("linux", "x86_64"): "linux-x64",
    ("win32", "amd64"): "windows-x64",
    ("darwin", "arm64"): "macos-arm64",
}


@dataclass(frozen=True)
class Wheel:
    """A wheel as it is locked; its size in bytes."""

    name: str
    version: str
    url: str
    size: int
    sha256: str

    @property
    def filename(self) -> str:
        return unquote(self.url.rpartition("/")[2])


@dataclass(frozen=True)
class Lock:
    """All wheels for one target; the digest changes with any of them."""

    target: str
    digest: str
    wheels: tuple[Wheel, ...]

    @property
    def size(self) -> int:
        """In bytes, of all wheels."""
        return sum(wheel.size for wheel in self.wheels)

    @property
    def device(self) -> str:
        """`CPU` or `CUDA`."""
        return self.target.rpartition("-")[2]


def target(version: tuple[int, int], machine: str, device: str = CPU, platform: str = sys.platform) -> str | None:
    """The name of a lock file's target; None where there is none.

    Args:
        version: Python's major and minor.
        machine: As platform.machine() says it.
        device: `CPU` or `CUDA`.
        platform: As sys.platform says it.
    """
    known = PLATFORMS.get((platform, machine.lower()))
    name = f"{known}-cp{version[0]}{version[1]}-{device}"
    return name if known and path_of(name).is_file() else None


def pythons(machine: str, device: str = CPU, platform: str = sys.platform) -> list[tuple[int, int]]:
    """The Pythons of which `target` knows, the oldest first."""
    known = PLATFORMS.get((platform, machine.lower()))
    tags = (path.name.split("-")[-2] for path in LOCKS.glob(f"pylock.{known}-cp*-{device}.toml"))
    return sorted((int(tag[2]), int(tag[3:])) for tag in tags)


def fetch_command(name: str) -> str:
    """What fetches the wheels of a target into the folder `wheels`, on a computer that may be another one."""
    platform, python, device = name.rsplit("-", 2)
    version = f"{python[2]}.{python[3:]}"
    return f"python3 -m installer wheels --platform {platform} --python {version}" + (f" --device {device}" if device != CPU else "")


def path_of(name: str) -> Path:
    """The lock file of a target."""
    return LOCKS / f"pylock.{name}.toml"


def read_lock(name: str) -> Lock:
    """Read the lock file of a target.

    Raises:
        InstallError: There is none, or it is damaged.
    """
    try:
        content = path_of(name).read_bytes()
        packages = tomllib.loads(content.decode())["packages"]
        wheels = tuple(_wheel(package) for package in packages)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InstallError(f"The extension's lock file for {name} cannot be read ({error}): install Bonesetter again.") from error
    return Lock(name, hashlib.sha256(content).hexdigest()[:12], wheels)


def _wheel(package: dict) -> Wheel:
    # of several for one platform, the last is for its newest version, which torch needs
    wheel = package["wheels"][-1]
    return Wheel(package["name"], package["version"], wheel["url"], int(wheel["size"]), wheel["hashes"]["sha256"])
