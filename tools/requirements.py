# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints what to install into an environment of tools/environment, one requirement a line, from pyproject.toml.

A line that begins with --no-deps is to be installed after the others, whatever it says that it needs.
"""

import sys
import tomllib
from pathlib import Path

#: The version that the numbers in the documents were measured with; it has wheels without CUDA for this Python.
MEASURED_TORCH = {(3, 11): "torch==2.13.0"}


#: The extras that come with what the engine needs.
EXTRAS = {"engine": ("demo", "train", "test", "lint"), "bench": ("bench", "test")}

#: Environments of extras alone, without what the engine needs.
ALONE = {"docs": ("docs",), "bench-momentum": ("bench-momentum",)}


def requirements(environment: str) -> list[str]:
    """The requirements of `engine`, of `bench`, of `bench-momentum`, of `docs` or of `bpy-<Blender's version>`."""
    document = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))
    project, own = document["project"], document["tool"]["bonesetter"]
    extras = project["optional-dependencies"]
    unchecked = [f"--no-deps {name}" for name in own["unchecked"].get(environment, ())]
    if environment in ALONE:
        return [name for extra in ALONE[environment] for name in extras[extra]] + unchecked
    if environment in EXTRAS:
        wanted = [*project["dependencies"], *(name for extra in EXTRAS[environment] for name in extras[extra])]
        torch = MEASURED_TORCH.get(sys.version_info[:2])
        return [torch if torch and name.startswith("torch") else name for name in wanted] + unchecked
    blender = own["blender"][environment.removeprefix("bpy-")]
    return [f"bpy=={blender['bpy']}", *extras["blender"]]


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1])))
