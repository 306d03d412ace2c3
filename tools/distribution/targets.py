# SPDX-License-Identifier: GPL-3.0-or-later
"""The Blenders that a full zip is made for: a platform and a Python."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms

#: Blender needs glibc 2.28 on Linux; PyTorch's wheels need macOS 14, Blender an older one.
_GLIBC_MINOR = 28
_MACOS = (14, 0)

#: What markers of requirements ask of a platform, by Blender's name of it.
_MARKERS = {
    "linux-x64": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64", "os_name": "posix"},
    "macos-arm64": {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64", "os_name": "posix"},
    "windows-x64": {"sys_platform": "win32", "platform_system": "Windows", "platform_machine": "AMD64", "os_name": "nt"},
}


@dataclass(frozen=True)
class Target:
    """A platform, by Blender's name of it, and the version of the Python in Blender."""

    platform: str
    python: tuple[int, int]

    @property
    def name(self) -> str:
        return f"{self.platform}-py{self.python[0]}{self.python[1]}"

    @property
    def python_version(self) -> str:
        return f"{self.python[0]}.{self.python[1]}"

    def wheel_platforms(self) -> list[str]:
        """The platform tags of wheels that run there, the best first."""
        if self.platform == "windows-x64":
            return ["win_amd64"]
        if self.platform == "macos-arm64":
            return list(mac_platforms(_MACOS, "arm64"))
        many = [f"manylinux_2_{minor}_x86_64" for minor in range(_GLIBC_MINOR, 4, -1)]
        return [*many, "manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"]

    def tags(self) -> frozenset[Tag]:
        """Every tag that a wheel for this target may bear."""
        interpreter, platforms = f"cp{self.python[0]}{self.python[1]}", self.wheel_platforms()
        own = cpython_tags(self.python, abis=[interpreter], platforms=platforms)
        return frozenset([*own, *compatible_tags(self.python, interpreter, platforms)])

    def markers(self) -> dict[str, str]:
        """The environment in which the markers of requirements are evaluated."""
        return {
            **_MARKERS[self.platform],
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_version": "",
            "python_version": self.python_version,
            "python_full_version": f"{self.python_version}.0",
            "implementation_version": f"{self.python_version}.0",
        }


def targets(platforms: Iterable[str], pythons: Iterable[str]) -> list[Target]:
    """Every platform with every Python."""
    return [Target(platform, (int(major), int(minor))) for platform in platforms for major, minor in (p.split(".") for p in pythons)]
